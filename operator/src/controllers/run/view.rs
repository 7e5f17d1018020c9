//! What this controller reads from the caches, behind a trait so that a lagging cache can be played in memory.

use std::sync::Arc;

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use openreg_crds::{Connector, Destination, Report, ReportVersion, Store};

use crate::stores::Stores;

/// Reads that cost no call; what they give may be behind the cluster.
pub trait View: Send + Sync {
    /// UID of the namespace, if it is a tenant.
    fn tenant(&self, namespace: &str) -> Option<String>;
    /// A Report.
    fn report(&self, namespace: &str, name: &str) -> Option<Arc<Report>>;
    /// The versions of a Report.
    fn versions(&self, namespace: &str, report: &str) -> Vec<Arc<ReportVersion>>;
    /// A Store.
    fn store(&self, namespace: &str, name: &str) -> Option<Arc<Store>>;
    /// A Connector.
    fn connector(&self, namespace: &str, name: &str) -> Option<Arc<Connector>>;
    /// A Destination.
    fn destination(&self, namespace: &str, name: &str) -> Option<Arc<Destination>>;
    /// A Job.
    fn job(&self, namespace: &str, name: &str) -> Option<Arc<Job>>;
    /// The pods of a Job.
    fn pods(&self, namespace: &str, job: &str) -> Vec<Arc<Pod>>;
}

impl View for Stores {
    fn tenant(&self, namespace: &str) -> Option<String> {
        self.tenants.get("", namespace)?.uid()
    }

    fn report(&self, namespace: &str, name: &str) -> Option<Arc<Report>> {
        self.reports.get(namespace, name)
    }

    fn versions(&self, namespace: &str, report: &str) -> Vec<Arc<ReportVersion>> {
        self.versions.in_namespace(namespace, |v| v.spec.report_ref == report)
    }

    fn store(&self, namespace: &str, name: &str) -> Option<Arc<Store>> {
        self.stores.get(namespace, name)
    }

    fn connector(&self, namespace: &str, name: &str) -> Option<Arc<Connector>> {
        self.connectors.get(namespace, name)
    }

    fn destination(&self, namespace: &str, name: &str) -> Option<Arc<Destination>> {
        self.destinations.get(namespace, name)
    }

    fn job(&self, namespace: &str, name: &str) -> Option<Arc<Job>> {
        self.jobs.get(namespace, name)
    }

    fn pods(&self, namespace: &str, job: &str) -> Vec<Arc<Pod>> {
        self.pods_of(namespace, job)
    }
}
