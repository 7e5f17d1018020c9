//! What the API asks of the cluster: a small trait, so that everything but `kubernetes.rs` is tested without one. Intent
//! is written as custom resources only; Secrets, Jobs and pods are never touched.

pub mod current;
pub mod kubernetes;

use async_trait::async_trait;
use openreg_crds::report_run::Cancelled;
use openreg_crds::{Report, ReportRun, ReportVersion, Store};
use uuid::Uuid;

/// A tenant: a namespace with the label `openreg.io/tenant`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The namespace's UID.
    pub uid: Uuid,
    /// Its name.
    pub namespace: String,
}

/// What goes wrong with the cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server refused the object, in its words.
    #[error("{message}")]
    Refused {
        /// What it said.
        message: String,
    },
    /// There is an object of that name.
    #[error("there is a {kind} {name} already")]
    Exists {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// It was changed by somebody else meanwhile.
    #[error("{kind} {name} was changed meanwhile: try again")]
    Changed {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// There is none of that name.
    #[error("there is no {kind} {name}")]
    Missing {
        /// Kind of the object.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// The API's own account may not do that.
    #[error("could not {action}: the account of the API is not allowed to")]
    Forbidden {
        /// What was asked for.
        action: String,
        /// What the API server said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The API server does not answer, or not in a way that can be understood.
    #[error("could not {action}")]
    Unreachable {
        /// What was asked for.
        action: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// What the API and the recorder ask of the cluster. Every call names one namespace: the caller's tenant.
#[async_trait]
pub trait Cluster: Send + Sync {
    /// All tenants.
    async fn tenants(&self) -> Result<Vec<Tenant>, ClusterError>;
    /// All reports.
    async fn reports(&self, namespace: &str) -> Result<Vec<Report>, ClusterError>;
    /// One report.
    async fn report(&self, namespace: &str, name: &str) -> Result<Option<Report>, ClusterError>;
    /// The versions of a report.
    async fn versions(&self, namespace: &str, report: &str) -> Result<Vec<ReportVersion>, ClusterError>;
    /// The tenant's Store.
    async fn store(&self, namespace: &str) -> Result<Option<Store>, ClusterError>;
    /// The run with that id.
    async fn run(&self, namespace: &str, id: Uuid) -> Result<Option<ReportRun>, ClusterError>;
    /// Creates a run; the answer is what the API server returned.
    async fn create_run(&self, namespace: &str, run: &ReportRun) -> Result<ReportRun, ClusterError>;
    /// Asks for a run's end; the answer is what the API server returned.
    async fn cancel_run(&self, namespace: &str, name: &str, cancelled: &Cancelled) -> Result<ReportRun, ClusterError>;
    /// Sets the condition Recorded: `Ok` when all is stored, else the reason and the message of what it waits for.
    async fn mark_run(&self, run: &ReportRun, recorded: Result<(), (&str, &str)>) -> Result<(), ClusterError>;
    /// Removes the finalizer that holds a run until it is recorded.
    async fn release_run(&self, run: &ReportRun) -> Result<(), ClusterError>;
}
