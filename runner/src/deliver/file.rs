//! The delivery of one file: decide, do, look again, until there is nothing left to do, and what follows when a step
//! fails. What is decided is in `decide`, how each step is done in `effects`.

use std::time::Duration;

use openreg_parts::error::Class;
use openreg_parts::store::{Store, StoreError};
use openreg_parts::transport::{Fault, RemoteName, TransportError};
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Destination;
use openreg_plan::report::Stage;

use super::DeliverEvent;
use super::body::ArtifactError;
use super::decide::{Me, Refusal, Seen, Step, decide};
use super::gather::{RecordError, Records};
use super::link::Link;
use super::stop::{Stop, Stopper};
use crate::stage::StageError;

/// Steps after which something is wrong with the protocol itself: a good delivery takes seven.
const MAX_STEPS: u32 = 64;
/// Tries to settle a rename or a receipt after the file may have become visible: the last begins after 15 seconds.
const SETTLE_TRIES: u32 = 5;

/// Everything that one file's delivery needs.
pub(super) struct File<'a> {
    pub(super) store: &'a Store,
    pub(super) destination: &'a Destination,
    pub(super) me: Me,
    pub(super) attempt: u32,
    /// The artifact's key in the store.
    pub(super) key: &'a str,
    pub(super) remote: RemoteName,
    /// The artifact's file name.
    pub(super) name: &'a str,
    pub(super) stopper: &'a Stopper,
    pub(super) progress: &'a (dyn Fn(DeliverEvent) + Send + Sync),
    /// The first pause before a settled step is tried again; each further one is twice as long.
    pub(super) pause: Duration,
    /// Asked before and after each step; a test answers with true to make the process die there.
    pub(super) dies: &'a (dyn Fn(&Step, When) -> bool + Send + Sync),
}

/// On which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    Before,
    After,
}

/// How a file's delivery ended when it did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The receipt is there; its SHA-256.
    Delivered(Sha256),
    /// Only a person can tell.
    Unknown,
    /// Stopped before the rename.
    Stopped(Stop),
    /// A test let the process die.
    Died,
}

/// What ended a file's delivery, and what is left behind.
pub(super) struct Ended {
    /// A claim of this run stands, or may stand.
    pub(super) begun: bool,
    /// The file may be visible, and the end does not say that it was delivered.
    pub(super) unsettled: bool,
    pub(super) end: Result<End, StageError>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StepError {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    #[error(transparent)]
    Transport(#[from] TransportError),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error("stopped")]
    Stopped(Stop),
    #[error("died")]
    Died,
}

impl StepError {
    fn stage_error(&self) -> StageError {
        match self {
            Self::Record(e) => StageError::new(Stage::Deliver, e),
            Self::Store(e) => StageError::new(Stage::Deliver, e),
            Self::Artifact(e) => StageError::new(Stage::Deliver, e),
            Self::Transport(e) => StageError::new(Stage::Deliver, e),
            Self::Stage(e) => e.clone(),
            Self::Stopped(_) | Self::Died => internal("could not deliver: an end was taken for an error"),
        }
    }

    fn class(&self) -> Class {
        self.stage_error().class
    }
}

pub(super) fn internal(message: &str) -> StageError {
    super::internal("ProtocolBroken", message.to_owned(), None)
}

impl File<'_> {
    /// Delivers the file, or finds out that it was.
    pub(super) async fn deliver(&self, link: &mut Link<'_>) -> Ended {
        let records = Records {
            store: self.store,
            destination: &self.destination.id,
            remote: &self.remote,
        };
        let mut seen = match records.gather(&Seen::default()).await {
            Ok(seen) => seen,
            Err(e) => {
                // This process did nothing yet; what came of those before it is theirs to say.
                return Ended {
                    begun: false,
                    unsettled: false,
                    end: Err(StageError::new(Stage::Deliver, &e)),
                };
            }
        };
        let mut settling = 0;
        for _ in 0..MAX_STEPS {
            seen.stop = self.stopper.now().is_some();
            let step = decide(&self.me, &seen);
            tracing::debug!(remote = %self.remote, ?step, "delivery step");
            match self.act(&step, &records, &mut seen, link).await {
                Ok(None) => {}
                Ok(Some(end)) => return self.ended(&seen, Ok(end)),
                Err(StepError::Died) => return self.ended(&seen, Ok(End::Died)),
                // Interrupted: the next decision sees that it must stop.
                Err(StepError::Stopped(_)) => {}
                Err(e) if (seen.committing.is_some() || step == Step::Commit) && e.class() == Class::Transient && settling < SETTLE_TRIES => {
                    // The file may be visible, or somebody may believe so: some patience leaves no doubt behind.
                    tracing::warn!(remote = %self.remote, error = %e.stage_error(), "could not finish the delivery, trying again");
                    tokio::time::sleep(self.pause * (1 << settling)).await;
                    settling += 1;
                    if matches!(e, StepError::Transport(_)) {
                        link.drop_connection();
                        seen.remote = None;
                    }
                }
                Err(e) => {
                    // A claim whose answer was lost may stand.
                    let begun = matches!(step, Step::Claim { .. }) && e.class() == Class::Transient;
                    // So may a `committing`: then the temporary file is the only proof that nothing was renamed.
                    if seen.committing.is_none() && !seen.commit_asked && self.owns(&seen) {
                        self.clean(link).await;
                        self.release(&records, &seen).await;
                    }
                    let mut ended = self.ended(&seen, Err(e.stage_error()));
                    ended.begun |= begun;
                    return ended;
                }
            }
        }
        self.ended(&seen, Err(internal("could not deliver: the steps did not come to an end")))
    }

    fn ended(&self, seen: &Seen, end: Result<End, StageError>) -> Ended {
        let receipt = seen.receipt.as_ref().is_some_and(|r| r.run == self.me.run);
        let begun = receipt || seen.claims.iter().any(|c| c.run == self.me.run);
        // That the final name was not seen is no proof: a server may have linked, and been refused the unlink, since.
        let renamed = receipt || seen.committing.as_ref().is_some_and(|c| c.run == self.me.run);
        let unsettled = match &end {
            Ok(End::Delivered(_)) => false,
            Ok(End::Unknown) => true,
            Ok(End::Stopped(_) | End::Died) | Err(_) => renamed,
        };
        Ended { begun, unsettled, end }
    }

    fn owns(&self, seen: &Seen) -> bool {
        seen.claims.last().is_some_and(|c| c.pod == self.me.pod && !c.released)
    }

    async fn act(&self, step: &Step, records: &Records<'_>, seen: &mut Seen, link: &mut Link<'_>) -> Result<Option<End>, StepError> {
        if (self.dies)(step, When::Before) {
            return Err(StepError::Died);
        }
        match step {
            Step::Done => {
                let bytes = records.receipt_bytes().await?;
                return Ok(Some(End::Delivered(Sha256::of(&bytes.unwrap_or_default()))));
            }
            Step::Refuse(refusal) => return Err(self.refused(refusal).into()),
            Step::Unknown => return Ok(Some(End::Unknown)),
            Step::Stop => {
                if self.owns(seen) {
                    self.clean(link).await;
                }
                let last = seen.claims.last().filter(|c| c.run == self.me.run && !c.released);
                // Also for a pod of this run that ended: it can no longer do so itself.
                if last.is_some_and(|c| c.pod == self.me.pod || self.me.ended_pods.contains(&c.pod)) {
                    self.release(records, seen).await;
                }
                return Ok(Some(End::Stopped(self.stopper.now().unwrap_or(Stop::Cancelled))));
            }
            Step::Leave => return Ok(Some(End::Stopped(self.stopper.now().unwrap_or(Stop::Cancelled)))),
            Step::Look => self.look(seen, link).await?,
            Step::Claim { number } => self.claim(*number, records, seen).await?,
            Step::Upload => self.upload(seen, link).await?,
            Step::Commit => self.commit(records, seen).await?,
            Step::Rename => self.rename(seen, link).await?,
            Step::WriteReceipt { remove_temporary } => self.write_receipt(*remove_temporary, records, seen, link).await?,
        }
        if (self.dies)(step, When::After) { Err(StepError::Died) } else { Ok(None) }
    }

    fn refused(&self, refusal: &Refusal) -> StageError {
        let remote = &self.remote;
        let (class, code, message, hint) = match refusal {
            Refusal::NameTaken => return StageError::new(Stage::Deliver, &TransportError::new(format!("deliver {remote}"), Fault::NameTaken, None)),
            Refusal::NameClaimed { run } => (
                Class::Config,
                "NameClaimed",
                format!("could not deliver {remote}: run {run} has claimed that name at this destination"),
                "a name is used once: give the report's file name a placeholder that differs from run to run, or look at what that run delivered",
            ),
            Refusal::ClaimHeld { pod } => (
                Class::Transient,
                "ClaimHeld",
                format!("could not deliver {remote}: pod {pod} holds the claim and was not seen to end"),
                "wait until that pod has ended; after the loss of a node, delete the pod's object once the node is known to be off",
            ),
        };
        StageError {
            stage: Stage::Deliver,
            class,
            code: code.to_owned(),
            message,
            hint: Some(hint.to_owned()),
        }
    }
}
