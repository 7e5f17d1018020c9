//! The delivery of one file: decide, do, look again, until there is nothing left to do. What is decided is in `decide`;
//! here is how each step is done, and what is cleaned up when one fails.

use std::time::Duration;

use bytes::Bytes;
use openreg_parts::error::Class;
use openreg_parts::store::{Created, Store, StoreError};
use openreg_parts::transport::{Fault, RemoteName, Transport, TransportError};
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Destination;
use openreg_plan::report::Stage;
use serde::Serialize;

use super::DeliverEvent;
use super::body::{self, ArtifactError, Reason};
use super::decide::{Lies, Me, Refusal, Remote, Seen, Step, decide};
use super::gather::{RecordError, Records, Wanted};
use super::link::Link;
use super::record::{Claim, Committing, Receipt, VERSION};
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

/// What ended a file's delivery, and whether a claim stands.
pub(super) struct Ended {
    pub(super) begun: bool,
    pub(super) end: Result<End, StageError>,
}

/// Why a step failed.
#[derive(Debug, thiserror::Error)]
enum StepError {
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

fn internal(message: &str) -> StageError {
    StageError {
        stage: Stage::Deliver,
        class: Class::Internal,
        code: "ProtocolBroken".to_owned(),
        message: message.to_owned(),
        hint: None,
    }
}

impl File<'_> {
    /// Delivers the file, or finds out that it was.
    pub(super) async fn deliver(&self, link: &mut Link<'_>) -> Ended {
        let records = Records {
            store: self.store,
            destination: &self.destination.id,
            remote: &self.remote,
        };
        let mut seen = match records.gather(false).await {
            Ok(seen) => seen,
            Err(e) => {
                return Ended {
                    begun: false,
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
                    if seen.committing.is_none() && step != Step::Commit && self.owns(&seen) {
                        self.clean(link).await;
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
        let begun = seen.claims.iter().any(|c| c.run == self.me.run) || seen.receipt.as_ref().is_some_and(|r| r.run == self.me.run);
        Ended { begun, end }
    }

    fn owns(&self, seen: &Seen) -> bool {
        seen.claims.last().is_some_and(|c| c.pod == self.me.pod)
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
                return Ok(Some(End::Stopped(self.stopper.now().unwrap_or(Stop::Cancelled))));
            }
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

    /// This pod's temporary name, or that of the pod whose rename is under way.
    fn temporary(&self, seen: &Seen) -> Result<RemoteName, TransportError> {
        match &seen.committing {
            Some(committing) => RemoteName::new(self.remote.directory(), &committing.temporary),
            None => self.temporary_of(&self.me.pod),
        }
    }

    fn temporary_name(&self, pod: &str) -> String {
        format!("{}{}.{pod}", self.destination.temporary_prefix, self.name)
    }

    fn temporary_of(&self, pod: &str) -> Result<RemoteName, TransportError> {
        RemoteName::new(self.remote.directory(), &self.temporary_name(pod))
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            size: self.me.size,
            sha256: &self.me.sha256,
            verify: self.destination.verify,
        }
    }

    async fn look(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
        let committed = seen.committing.is_some();
        let temporary = self.temporary(seen)?;
        let looked = async {
            let transport = link.transport().await?;
            if !committed {
                // Whatever lies there is not this run's: its bytes do not matter.
                let last = transport.inspect(&self.remote).await?.map_or(Lies::Nothing, |_| Lies::Wrong);
                return Ok::<_, TransportError>(Remote {
                    last,
                    temporary: Lies::Nothing,
                });
            }
            let wanted = self.wanted();
            Ok(Remote {
                last: wanted.compare(transport, &self.remote).await?,
                temporary: wanted.compare(transport, &temporary).await?,
            })
        };
        seen.remote = Some(if committed { looked.await? } else { self.unless_stopped(looked).await? });
        Ok(())
    }

    /// The result of `work`, or the reason to stop if that comes first.
    async fn unless_stopped<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, StepError>
    where
        StepError: From<E>,
    {
        tokio::select! {
            biased;
            stop = self.stopper.wait() => Err(StepError::Stopped(stop)),
            done = work => Ok(done?),
        }
    }

    async fn claim(&self, number: u32, records: &Records<'_>, seen: &mut Seen) -> Result<(), StepError> {
        let claim = Claim {
            version: VERSION,
            run: self.me.run.clone(),
            manifest_sha256: self.me.manifest_sha256.clone(),
            sha256: self.me.sha256.clone(),
            size: self.me.size,
            pod: self.me.pod.clone(),
            attempt: self.attempt,
        };
        match self.store.create(&records.claim(number), json(&claim)?).await? {
            Created::New => {
                tracing::info!(remote = %self.remote, claim = number, "claimed the remote name");
                (self.progress)(DeliverEvent::Claimed {
                    remote: self.remote.to_string(),
                });
                seen.claims.push(claim);
            }
            Created::Existing => *seen = records.gather(seen.uploaded).await?,
        }
        Ok(())
    }

    async fn upload(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
        let committed = seen.committing.is_some();
        let temporary = self.temporary(seen)?;
        let left_behind: Vec<_> = seen
            .claims
            .iter()
            .map(|c| c.pod.as_str())
            .filter(|pod| !committed && *pod != self.me.pod)
            .collect();
        let work = async {
            let transport = link.transport().await?;
            for pod in left_behind {
                if let Err(e) = transport.remove(&self.temporary_of(pod)?).await {
                    tracing::warn!(remote = %self.remote, pod, error = %e, "could not remove what an earlier pod left");
                }
            }
            self.send(transport, &temporary).await
        };
        if committed {
            work.await?
        } else {
            self.unless_stopped(work).await?
        }
        seen.uploaded = true;
        if let Some(remote) = &mut seen.remote {
            remote.temporary = Lies::Right;
        }
        Ok(())
    }

    async fn send(&self, transport: &dyn Transport, temporary: &RemoteName) -> Result<(), StepError> {
        let reason = Reason::default();
        let sent = |sent| {
            (self.progress)(DeliverEvent::Sent {
                remote: self.remote.to_string(),
                bytes: sent,
                of: self.me.size,
            })
        };
        let body = body::open(self.store, self.key, self.me.size, &self.me.sha256, reason.clone(), sent).await?;
        let uploaded = transport.upload(temporary, body).await;
        if let Some(error) = reason.take() {
            return Err(error.into());
        }
        let written = uploaded?;
        if written != self.me.size || self.wanted().compare(transport, temporary).await? != Lies::Right {
            return Err(TransportError::new(format!("upload {temporary}"), Fault::VerifyFailed, None).into());
        }
        tracing::info!(remote = %self.remote, size_bytes = written, "uploaded under the temporary name and compared");
        Ok(())
    }

    async fn commit(&self, records: &Records<'_>, seen: &mut Seen) -> Result<(), StepError> {
        let committing = Committing {
            version: VERSION,
            run: self.me.run.clone(),
            pod: self.me.pod.clone(),
            temporary: self.temporary_name(&self.me.pod),
            last: self.remote.to_string(),
            size: self.me.size,
            sha256: self.me.sha256.clone(),
        };
        match self.store.create(&records.committing(), json(&committing)?).await? {
            Created::New => {
                seen.committing = Some(committing);
                if let Some(remote) = &mut seen.remote {
                    remote.temporary = Lies::Right;
                }
            }
            Created::Existing => *seen = records.gather(seen.uploaded).await?,
        }
        Ok(())
    }

    async fn rename(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
        let temporary = self.temporary(seen)?;
        match link.transport().await?.commit(&temporary, &self.remote).await {
            Ok(()) => {
                tracing::info!(remote = %self.remote, "the file has its final name");
                (self.progress)(DeliverEvent::Visible {
                    remote: self.remote.to_string(),
                });
                seen.remote = Some(Remote {
                    last: Lies::Right,
                    temporary: Lies::Nothing,
                });
                Ok(())
            }
            // Things are not as they were seen: look again.
            Err(e) if matches!(e.fault(), Some(Fault::Missing | Fault::NameTaken)) => {
                seen.remote = None;
                Ok(())
            }
            Err(e) => Err(e.into()),
        }
    }

    async fn write_receipt(&self, remove_temporary: bool, records: &Records<'_>, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
        if remove_temporary {
            let temporary = self.temporary(seen)?;
            link.transport().await?.remove(&temporary).await?;
        }
        let receipt = Receipt {
            version: VERSION,
            run: self.me.run.clone(),
            manifest_sha256: self.me.manifest_sha256.clone(),
            pod: self.me.pod.clone(),
            attempt: self.attempt,
            destination: self.destination.name.clone(),
            remote: self.remote.to_string(),
            size: self.me.size,
            sha256: self.me.sha256.clone(),
            verified: self.destination.verify,
            at: jiff::Timestamp::now().to_string(),
        };
        match self.store.create(&records.receipt(), json(&receipt)?).await? {
            Created::New => {
                tracing::info!(remote = %self.remote, "wrote the receipt");
                (self.progress)(DeliverEvent::Receipt {
                    remote: self.remote.to_string(),
                });
                seen.receipt = Some(receipt);
            }
            Created::Existing => *seen = records.gather(seen.uploaded).await?,
        }
        Ok(())
    }

    /// Removes this pod's temporary file, as far as that is possible.
    async fn clean(&self, link: &mut Link<'_>) {
        let Some(transport) = link.connected() else { return };
        let Ok(temporary) = self.temporary_of(&self.me.pod) else { return };
        let removed = tokio::time::timeout(Duration::from_secs(10), transport.remove(&temporary)).await;
        if !matches!(removed, Ok(Ok(()))) {
            tracing::warn!(remote = %self.remote, temporary = %temporary, "could not remove the temporary file");
        }
    }
}

fn json(record: &impl Serialize) -> Result<Bytes, StageError> {
    serde_json::to_vec(record)
        .map(Bytes::from)
        .map_err(|_| internal("could not write a record of the delivery as JSON"))
}
