//! Leader election on a Lease: only its holder runs controllers.
//!
//! # Fencing
//!
//! A Lease alone does not fence: a holder that was frozen (a paused node, a long stall) may wake up after another took
//! over and send one more write. What makes that harmless, and what every controller has to keep to:
//!
//! 1. **Deterministic names and POST.** Runs, plans, Jobs, ReportVersions and policies have names that follow from what
//!    they stand for, and are made by POST. Two leaders make one object; the second gets a conflict and compares.
//! 2. **resourceVersion on every status write.** A write that was computed from an older state is refused.
//! 3. **Nothing outside the cluster.** The operator itself sends nothing to a regulator: the runner does, under a claim in
//!    the store that is created only if absent.
//!
//! On top of that the window is made small: the process ends at once, with code 1, as soon as it has not renewed the Lease
//! for [`RENEW_DEADLINE`], which is shorter than the time others wait ([`DURATION`]). Others measure that time on their own
//! clock since they last saw the Lease change, so clocks need not agree.
//!
//! Small code of its own rather than a crate: the existing ones trust the clock of the other holder or do not support this
//! version of kube.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use kube::api::PostParams;
use kube::{Api, Client};
use tokio_util::sync::CancellationToken;

/// How long others wait after the last renewal they saw.
pub const DURATION: Duration = Duration::from_secs(15);
/// After so long without a renewal the holder ends itself: 5 s before the others wake up.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// How often the holder renews, and the others look.
pub const RETRY: Duration = Duration::from_secs(2);

/// A Lease and who wants it.
pub struct Election {
    api: Api<Lease>,
    name: String,
    identity: String,
}

/// The Lease was lost: another process may hold it by now.
#[derive(Debug, thiserror::Error)]
#[error("could not renew lease {name} for {seconds} s: this process is no longer the leader")]
pub struct Lost {
    name: String,
    seconds: u64,
}

/// What to do about a Lease, as seen by one who does not hold it.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    /// Nobody holds it, or its holder was silent for too long: take it.
    Take,
    /// Its holder may be alive.
    Wait,
}

/// Judges a Lease that was first seen in its present state at `seen`.
fn judge(spec: &LeaseSpec, identity: &str, seen: Instant, now: Instant) -> Claim {
    match spec.holder_identity.as_deref() {
        None | Some("") => Claim::Take,
        // This very pod before a restart of its container.
        Some(holder) if holder == identity => Claim::Take,
        Some(_) => {
            let duration = spec
                .lease_duration_seconds
                .and_then(|s| u64::try_from(s).ok())
                .map_or(DURATION, Duration::from_secs);
            if now.saturating_duration_since(seen) > duration {
                Claim::Take
            } else {
                Claim::Wait
            }
        }
    }
}

impl Election {
    /// For the Lease `name`; `identity` names this process and no other.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
        }
    }

    /// Waits until this process holds the Lease; `None` when shutdown came first.
    pub async fn acquire(&self, shutdown: &CancellationToken) -> Option<Lease> {
        let mut seen: Option<(String, Instant)> = None;
        loop {
            match self.attempt(&mut seen).await {
                Ok(Some(lease)) => {
                    tracing::info!(lease = self.name, identity = self.identity, "holds lease {}", self.name);
                    return Some(lease);
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(lease = self.name, error = crate::telemetry::chain(&error), "could not take lease {}", self.name),
            }
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.cancelled() => return None,
            }
        }
    }

    async fn attempt(&self, seen: &mut Option<(String, Instant)>) -> kube::Result<Option<Lease>> {
        let Some(lease) = self.api.get_opt(&self.name).await? else {
            return match self.api.create(&PostParams::default(), &self.lease(None)).await {
                Ok(lease) => Ok(Some(lease)),
                Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
                Err(error) => Err(error),
            };
        };
        let version = lease.metadata.resource_version.clone().unwrap_or_default();
        let since = match seen {
            Some((last, since)) if *last == version => *since,
            _ => {
                let now = Instant::now();
                *seen = Some((version, now));
                now
            }
        };
        let spec = lease.spec.clone().unwrap_or_default();
        match judge(&spec, &self.identity, since, Instant::now()) {
            Claim::Wait => Ok(None),
            Claim::Take => self.replace(self.lease(Some(&lease))).await,
        }
    }

    /// The Lease with this process as its holder; the resourceVersion makes sure that nobody else took it meanwhile.
    fn lease(&self, before: Option<&Lease>) -> Lease {
        let now = MicroTime(Timestamp::now());
        let old = before.and_then(|l| l.spec.clone()).unwrap_or_default();
        let mine = old.holder_identity.as_deref() == Some(&self.identity);
        Lease {
            metadata: ObjectMeta {
                name: Some(self.name.clone()),
                resource_version: before.and_then(|l| l.metadata.resource_version.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: Some(i32::try_from(DURATION.as_secs()).unwrap_or(i32::MAX)),
                acquire_time: if mine { old.acquire_time } else { Some(now.clone()) },
                renew_time: Some(now),
                lease_transitions: Some(old.lease_transitions.unwrap_or(0) + i32::from(!mine)),
                ..LeaseSpec::default()
            }),
        }
    }

    async fn replace(&self, lease: Lease) -> kube::Result<Option<Lease>> {
        match self.api.replace(&self.name, &PostParams::default(), &lease).await {
            Ok(lease) => Ok(Some(lease)),
            Err(kube::Error::Api(status)) if status.code == 409 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Renews the Lease until shutdown, then gives it back so that the next one need not wait; or says that it was lost.
    pub async fn hold(&self, mut lease: Lease, shutdown: &CancellationToken) -> Result<(), Lost> {
        let mut renewed = Instant::now();
        loop {
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                () = shutdown.cancelled() => {
                    self.release(&lease).await;
                    return Ok(());
                }
            }
            let lost = || Lost {
                name: self.name.clone(),
                seconds: renewed.elapsed().as_secs(),
            };
            // Asked anew before each call: two calls that each took all that was left would outlast the deadline.
            let left = || RENEW_DEADLINE.saturating_sub(renewed.elapsed());
            match tokio::time::timeout(left(), self.replace(self.lease(Some(&lease)))).await {
                Err(_) => return Err(lost()),
                Ok(Ok(Some(new))) => {
                    renewed = Instant::now();
                    lease = new;
                }
                // Somebody else wrote it. Only a holder's name of its own is innocent (a write whose answer was lost).
                Ok(Ok(None)) => match tokio::time::timeout(left(), self.api.get(&self.name)).await {
                    Ok(Ok(now)) if now.spec.as_ref().and_then(|s| s.holder_identity.as_deref()) == Some(&self.identity) => lease = now,
                    Ok(Ok(_)) | Err(_) => return Err(lost()),
                    Ok(Err(error)) => tracing::warn!(lease = self.name, error = crate::telemetry::chain(&error), "could not read lease {}", self.name),
                },
                Ok(Err(error)) => tracing::warn!(
                    lease = self.name,
                    error = crate::telemetry::chain(&error),
                    "could not renew lease {}",
                    self.name
                ),
            }
        }
    }

    async fn release(&self, lease: &Lease) {
        let mut free = self.lease(Some(lease));
        if let Some(spec) = &mut free.spec {
            spec.holder_identity = None;
        }
        match tokio::time::timeout(RETRY, self.replace(free)).await {
            Ok(Ok(Some(_))) => tracing::info!(lease = self.name, "gave lease {} back", self.name),
            _ => tracing::warn!(
                lease = self.name,
                "could not give lease {} back, the next leader waits {} s",
                self.name,
                DURATION.as_secs()
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lease_is_taken_only_from_the_silent() {
        let seen = Instant::now();
        let spec = |holder: Option<&str>| LeaseSpec {
            holder_identity: holder.map(str::to_owned),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        for (holder, later, expected) in [
            (None, 0, Claim::Take),
            (Some(""), 0, Claim::Take),
            (Some("me"), 0, Claim::Take),
            (Some("other"), 0, Claim::Wait),
            (Some("other"), 15, Claim::Wait),
            (Some("other"), 16, Claim::Take),
        ] {
            assert_eq!(
                judge(&spec(holder), "me", seen, seen + Duration::from_secs(later)),
                expected,
                "{holder:?} after {later} s"
            );
        }
    }

    #[test]
    fn holder_ends_before_others_wake_up() {
        assert!(RENEW_DEADLINE + RETRY < DURATION);
    }
}
