//! The store controller: what an [`Endpoint`] is for a Store.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::{ReportRun, ReportVersion, Store};
use openreg_parts::error::Problem;
use openreg_parts::store::StoreOptions;
use openreg_plan::probe::ProbeTarget;
use tokio_util::sync::CancellationToken;

use super::endpoint::{self, CHECK_INTERVAL, Endpoint, good_run};
use crate::context::Context;
use crate::labels;

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    endpoint::run(ctx.stores.stores.clone(), ctx, shutdown).await;
}

impl Endpoint for Store {
    const KIND: &'static str = "store";
    // A store without conditional writes would lose the promise that two pods never share a key.
    const READY_NEEDS_PROBE: bool = true;

    fn problems(&self) -> Vec<Problem> {
        openreg_resolve::check::store(&self.spec)
    }

    fn warning(&self) -> Option<(&'static str, String)> {
        match &self.spec.store {
            StoreOptions::S3(s3) if s3.endpoint.as_ref().is_some_and(|url| url.starts_with("http://")) => Some((
                "TlsDisabled",
                "spec.s3.endpoint begins with http:// and sends artifacts in the clear: write https://".to_owned(),
            )),
            StoreOptions::S3(_) | StoreOptions::Directory(_) => None,
        }
    }

    fn address(&self) -> Option<(String, u16)> {
        self.spec.store.endpoint()
    }

    fn network(&self) -> Option<&Network> {
        self.spec.network.as_ref()
    }

    fn pod_label(&self) -> String {
        labels::STORE.to_owned()
    }

    fn target(&self, tenant: &str) -> ProbeTarget {
        ProbeTarget::Store {
            options: self.spec.store.clone(),
            prefix: format!("{tenant}/"),
        }
    }

    fn credentials(&self) -> Option<&SecretRef> {
        self.spec.credentials_ref.as_ref()
    }

    fn interval(&self) -> Duration {
        CHECK_INTERVAL
    }

    fn proved(&self, run: &ReportRun, _: &[Arc<ReportVersion>]) -> Option<Timestamp> {
        good_run::sealed(run)
    }
}
