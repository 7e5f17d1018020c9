//! Whether a session's namespace is still its tenant's. A namespace that was deleted and made again is another tenant of
//! the same name: whoever had a session in the first must not reach the objects of the second.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::{Cluster, ClusterError, Tenant};

/// How long a list of tenants is believed by who reads.
const FRESH: Duration = Duration::from_secs(10);
/// The shortest time between two lists: who asks in vain, or changes much, must not make the cluster list at each request.
const PAUSE: Duration = Duration::from_secs(1);

/// A list of tenants, and when it was made.
type Listed = Option<(Instant, Vec<Tenant>)>;

/// What is to be done with the tenant's objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// They are read: a list of ten seconds ago will do.
    Read,
    /// They are changed: a list of a second ago must do.
    Change,
}

/// The tenants there are, from a list that is at most ten seconds old.
#[derive(Clone)]
pub struct Current {
    cluster: Arc<dyn Cluster>,
    /// Locked while a list is under way, so that many requests at once make one list.
    listed: Arc<Mutex<Listed>>,
}

impl Current {
    /// Nothing listed yet.
    pub fn new(cluster: Arc<dyn Cluster>) -> Self {
        Self {
            cluster,
            listed: Arc::default(),
        }
    }

    /// Whether `tenant` is one: its namespace is there, has the label, and is the same as ever.
    pub async fn is_tenant(&self, tenant: &Tenant, purpose: Purpose) -> Result<bool, ClusterError> {
        let mut listed = self.listed.lock().await;
        if let Some((at, tenants)) = &*listed {
            let found = tenants.contains(tenant);
            let believed = if found && purpose == Purpose::Read { FRESH } else { PAUSE };
            if at.elapsed() < believed {
                return Ok(found);
            }
        }
        let tenants = self.cluster.tenants().await?;
        let found = tenants.contains(tenant);
        *listed = Some((Instant::now(), tenants));
        Ok(found)
    }
}
