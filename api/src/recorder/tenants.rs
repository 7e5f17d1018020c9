//! Which namespace is which tenant, for the recorder. Asked by the task that writes a run, so that a cluster that does not answer
//! holds up nobody else.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Mutex;

use crate::cluster::{Cluster, ClusterError, Tenant};

/// The longest that a list may take.
const LISTING: Duration = Duration::from_secs(10);
/// The shortest time between two lists, whatever came of the first.
const PAUSE: Duration = Duration::from_secs(1);
/// How far the clocks of the API server and of this machine may be apart.
const MARGIN: SignedDuration = SignedDuration::from_secs(2);

/// The tenants there are.
#[derive(Clone)]
pub struct Tenants {
    cluster: Arc<dyn Cluster>,
    /// Locked while a list is under way, so that many runs at once make one list.
    listed: Arc<Mutex<Listed>>,
}

#[derive(Default)]
struct Listed {
    tenants: HashMap<String, Tenant>,
    /// When the list began that gave them.
    at: Option<Timestamp>,
    /// When the last list ended, and whether it gave any.
    ended: Option<(Instant, bool)>,
}

impl Tenants {
    /// Nothing listed yet.
    pub fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self {
            cluster,
            listed: Arc::default(),
        }
    }

    /// The tenant of that namespace, out of a list that is younger than the run: a namespace that was deleted and made again
    /// is another tenant. So an older list is no help when there is no younger one.
    pub async fn of(&self, namespace: &str, created: Timestamp) -> Result<Option<Tenant>, ClusterError> {
        let mut listed = self.listed.lock().await;
        let trusted = listed.tenants.contains_key(namespace) && listed.at.is_some_and(|at| at > created + MARGIN);
        if !trusted {
            self.list(&mut listed).await?;
        }
        Ok(listed.tenants.get(namespace).cloned())
    }

    /// All tenants.
    pub async fn all(&self) -> Result<Vec<Tenant>, ClusterError> {
        let mut listed = self.listed.lock().await;
        if listed.tenants.is_empty() {
            self.list(&mut listed).await?;
        }
        Ok(listed.tenants.values().cloned().collect())
    }

    /// Lists anew, unless that was done a moment ago.
    async fn list(&self, listed: &mut Listed) -> Result<(), ClusterError> {
        let unanswered = |source: Box<dyn std::error::Error + Send + Sync>| ClusterError::Unreachable {
            action: "list the tenants".to_owned(),
            source,
        };
        match listed.ended {
            Some((at, true)) if at.elapsed() < PAUSE => return Ok(()),
            Some((at, false)) if at.elapsed() < PAUSE => return Err(unanswered("a moment ago it failed".into())),
            _ => {}
        }
        let now = Timestamp::now();
        let found = match tokio::time::timeout(LISTING, self.cluster.tenants()).await {
            Ok(found) => found,
            Err(late) => Err(unanswered(Box::new(late))),
        };
        listed.ended = Some((Instant::now(), found.is_ok()));
        listed.tenants = found?.into_iter().map(|t| (t.namespace.clone(), t)).collect();
        listed.at = Some(now);
        Ok(())
    }
}
