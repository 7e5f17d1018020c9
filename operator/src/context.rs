//! What every controller is given: client, caches, configuration, metrics, events. No decisions.

use jiff::Timestamp;
use kube::runtime::events::EventType;
use kube::{Client, Resource};

use crate::events::Events;
use crate::metrics::Metrics;
use crate::policies::Policies;
use crate::stores::Stores;

/// What the operator was told at its start.
#[derive(Clone, Debug)]
pub struct Config {
    /// The image in which runs and probes are executed.
    pub runner_image: String,
    /// `IfNotPresent`, `Always` or `Never`; absent: the cluster's default.
    pub runner_pull_policy: Option<String>,
    /// Names of Secrets in the tenants' namespaces with which the image is pulled.
    pub runner_pull_secrets: Vec<String>,
    /// Address ranges that no run reaches unless a connector or destination names them.
    pub blocked_cidrs: Vec<String>,
    /// Name of the operator's field manager and of its events' source.
    pub manager: String,
}

/// What every controller is given.
#[derive(Clone)]
pub struct Context {
    /// The client of the Kubernetes API.
    pub client: Client,
    /// What the operator was told at its start.
    pub config: Config,
    /// What Prometheus is told.
    pub metrics: Metrics,
    /// What is known of the cluster.
    pub stores: Stores,
    /// Which network policies were applied.
    pub policies: Policies,
    /// Takes Events.
    pub events: Events,
}

impl Context {
    /// The clock; asked once a reconciliation, at its start.
    pub fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    /// Hands an Event about `object` over. It is a courtesy and stops nothing: see [`crate::events`].
    pub async fn event<K: Resource<DynamicType = ()>>(&self, object: &K, type_: EventType, reason: &str, action: &str, note: String) {
        self.events.tell(object, type_, reason, action, &note);
    }
}
