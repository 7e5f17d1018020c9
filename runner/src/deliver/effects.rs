//! How each step of one file's delivery is done. What is done next is decided elsewhere; a step that fails leaves `seen`
//! as it was, but for what lies at the receiver, which it may forget, and `commit_asked`.

use std::collections::BTreeSet;
use std::time::Duration;

use bytes::Bytes;
use openreg_parts::store::Created;
use openreg_parts::transport::{Fault, RemoteName, Transport, TransportError};
use serde::Serialize;

use super::DeliverEvent;
use super::body::{self, Reason};
use super::decide::{Lies, Remote, Seen};
use super::file::{File, StepError, internal};
use super::gather::{Records, Wanted};
use super::link::Link;
use super::record::{Claim, Committing, Receipt, VERSION};
use crate::stage::StageError;

/// How long tidying up after a failure may take.
const PATIENCE: Duration = Duration::from_secs(10);

impl File<'_> {
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

    pub(super) async fn look(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
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
            // In this order: a rename that comes through between the two looks is then seen under both names, never under none.
            let temporary = wanted.compare(transport, &temporary).await?;
            let last = wanted.compare(transport, &self.remote).await?;
            Ok(Remote { last, temporary })
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

    fn claim_of_mine(&self, released: bool) -> Claim {
        Claim {
            version: VERSION,
            run: self.me.run.clone(),
            manifest_sha256: self.me.manifest_sha256.clone(),
            sha256: self.me.sha256.clone(),
            size: self.me.size,
            pod: self.me.pod.clone(),
            attempt: self.attempt,
            released,
        }
    }

    /// Gives the name back, as far as that is possible: when it is not, the name stays this run's.
    pub(super) async fn release(&self, records: &Records<'_>, seen: &Seen) {
        let Ok(claim) = json(&self.claim_of_mine(true)) else { return };
        let written = tokio::time::timeout(PATIENCE, self.store.create(&records.claim(seen.next_claim()), claim)).await;
        if !matches!(written, Ok(Ok(Created::New))) {
            tracing::warn!(remote = %self.remote, "could not give the remote name back: only this run can use it");
        }
    }

    pub(super) async fn claim(&self, number: u32, records: &Records<'_>, seen: &mut Seen) -> Result<(), StepError> {
        let claim = self.claim_of_mine(false);
        match self.store.create(&records.claim(number), json(&claim)?).await? {
            Created::New => {
                tracing::info!(remote = %self.remote, claim = number, "claimed the remote name");
                (self.progress)(DeliverEvent::Claimed {
                    remote: self.remote.to_string(),
                });
                seen.claims.push(claim);
            }
            Created::Existing => *seen = records.gather(seen).await?,
        }
        Ok(())
    }

    pub(super) async fn upload(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
        let committed = seen.committing.is_some();
        let temporary = self.temporary(seen)?;
        let left_behind = seen
            .claims
            .iter()
            .map(|c| c.pod.as_str())
            .filter(|pod| !committed && *pod != self.me.pod)
            .collect::<BTreeSet<_>>();
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
        let mut told = 0;
        let sent = move |bytes: u64| {
            // Ten times a file: whoever listens may write each one down.
            let tenths = bytes.saturating_mul(10) / self.me.size.max(1);
            if tenths > told {
                told = tenths;
                (self.progress)(DeliverEvent::Sent {
                    remote: self.remote.to_string(),
                    bytes,
                    of: self.me.size,
                });
            }
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

    pub(super) async fn commit(&self, records: &Records<'_>, seen: &mut Seen) -> Result<(), StepError> {
        // The upload may have taken hours: whoever took this pod for ended meanwhile holds the name now.
        if records.is_claimed(seen.next_claim()).await? {
            *seen = records.gather(seen).await?;
            return Ok(());
        }
        let committing = Committing {
            version: VERSION,
            run: self.me.run.clone(),
            pod: self.me.pod.clone(),
            temporary: self.temporary_name(&self.me.pod),
            last: self.remote.to_string(),
            size: self.me.size,
            sha256: self.me.sha256.clone(),
        };
        let record = json(&committing)?;
        // Before the answer, and whatever it is: it may be lost.
        seen.commit_asked = true;
        match self.store.create(&records.committing(), record).await? {
            Created::New => {
                seen.committing = Some(committing);
                if let Some(remote) = &mut seen.remote {
                    remote.temporary = Lies::Right;
                }
            }
            Created::Existing => *seen = records.gather(seen).await?,
        }
        Ok(())
    }

    pub(super) async fn rename(&self, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
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

    pub(super) async fn write_receipt(&self, remove_temporary: bool, records: &Records<'_>, seen: &mut Seen, link: &mut Link<'_>) -> Result<(), StepError> {
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
            Created::Existing => *seen = records.gather(seen).await?,
        }
        Ok(())
    }

    /// Removes this pod's temporary file, as far as that is possible.
    pub(super) async fn clean(&self, link: &mut Link<'_>) {
        let Some(transport) = link.connected() else { return };
        let Ok(temporary) = self.temporary_of(&self.me.pod) else { return };
        let removed = tokio::time::timeout(PATIENCE, transport.remove(&temporary)).await;
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
