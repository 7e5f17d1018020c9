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
    /// Makes the policy be there; says when to come again. `tenant` is the UID of its namespace: one that was deleted and made
    /// anew has the same name and none of the policies.
    pub async fn apply(&self, client: &Client, manager: &str, tenant: &str, policy: NetworkPolicy) -> kube::Result<Timestamp> {
        let (namespace, name) = (policy.namespace().unwrap_or_default(), policy.name_any());
        let digest = digest(tenant, &policy);
        let key = (namespace.clone(), name.clone());
        let age = match self.age(&key, &digest) {
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

    /// How long ago exactly that was applied, if it still counts. What does not is forgotten, or the policies of everything
    /// that ever was would be remembered.
    fn age(&self, key: &(String, String), digest: &Sha256) -> Option<Duration> {
        let mut applied = self.applied.lock();
        applied.retain(|_, (_, at)| at.elapsed() < TRUST);
        applied.get(key).filter(|(known, _)| known == digest).map(|(_, at)| at.elapsed())
    }
}

fn digest(tenant: &str, policy: &NetworkPolicy) -> Sha256 {
    let mut bytes = tenant.as_bytes().to_vec();
    bytes.push(0);
    bytes.extend(serde_json::to_vec(policy).unwrap_or_default());
    Sha256::of(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::controllers::endpoint::network_policy::default_deny;

    #[test]
    fn policy_is_applied_again_in_a_namespace_made_anew() {
        let policies = Policies::default();
        let (policy, key) = (default_deny("acme"), ("acme".to_owned(), "openreg-default-deny".to_owned()));
        let old = digest("uid-1", &policy);
        assert_eq!(policies.age(&key, &old), None, "never applied");
        policies.applied.lock().insert(key.clone(), (old.clone(), Instant::now()));
        assert!(policies.age(&key, &old).is_some());
        assert_eq!(policies.age(&key, &digest("uid-2", &policy)), None, "the same name, and it has no policy");
        assert_eq!(policies.age(&key, &digest("uid-1", &default_deny("other"))), None, "another content");
    }

    #[test]
    fn what_is_too_old_is_forgotten() {
        let policies = Policies::default();
        let key = ("acme".to_owned(), "x".to_owned());
        let digest = Sha256::of(b"x");
        // A machine that has run for less than an hour knows no such moment.
        let Some(long_ago) = Instant::now().checked_sub(TRUST) else { return };
        policies.applied.lock().insert(key.clone(), (digest.clone(), long_ago));
        assert_eq!(policies.age(&key, &digest), None);
        assert!(policies.applied.lock().is_empty());
    }
}
