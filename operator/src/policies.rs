//! Applies network policies, and not again while nothing changed.
//!
//! The operator does not watch policies (that would be a right over the whole cluster for little): each is applied when
//! its content changed, when this process has not applied it yet, and every hour in case somebody changed it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};
use openreg_plan::digest::Sha256;
use parking_lot::Mutex;

/// How long an applied policy is taken to be there.
const TRUST: Duration = Duration::from_secs(3600);

/// By namespace and name: the digest of what was applied, and when.
type Applied = HashMap<(String, String), (Sha256, Instant)>;

/// What was applied, and when. Cloning shares it.
#[derive(Clone, Default)]
pub struct Policies {
    applied: Arc<Mutex<Applied>>,
}

impl Policies {
    /// Makes the policy be there; says when to come again.
    pub async fn apply(&self, client: &Client, manager: &str, policy: NetworkPolicy) -> kube::Result<Timestamp> {
        let (namespace, name) = (policy.namespace().unwrap_or_default(), policy.name_any());
        let digest = Sha256::of(&serde_json::to_vec(&policy).unwrap_or_default());
        let key = (namespace.clone(), name.clone());
        let known = self
            .applied
            .lock()
            .get(&key)
            .filter(|(known, at)| *known == digest && at.elapsed() < TRUST)
            .map(|(_, at)| at.elapsed());
        let age = match known {
            Some(age) => age,
            None => {
                Api::<NetworkPolicy>::namespaced(client.clone(), &namespace)
                    .patch(&name, &PatchParams::apply(manager).force(), &Patch::Apply(&policy))
                    .await?;
                self.applied.lock().insert(key, (digest, Instant::now()));
                Duration::ZERO
            }
        };
        let left = SignedDuration::try_from(TRUST.saturating_sub(age)).unwrap_or_default();
        Ok(Timestamp::now().saturating_add(left).unwrap_or(Timestamp::MAX))
    }
}
