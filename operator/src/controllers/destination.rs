//! The destination controller: what an [`Endpoint`] is for a Destination.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::{Destination, ReportRun, ReportVersion};
use openreg_parts::error::Problem;
use openreg_plan::probe::ProbeTarget;
use tokio_util::sync::CancellationToken;

use super::endpoint::{self, CHECK_INTERVAL, Endpoint, good_run};
use crate::context::Context;
use crate::labels;

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    endpoint::run(ctx.stores.destinations.clone(), ctx, shutdown).await;
}

impl Endpoint for Destination {
    const KIND: &'static str = "destination";
    const READY_NEEDS_PROBE: bool = false;

    fn problems(&self) -> Vec<Problem> {
        openreg_resolve::check::destination(&self.spec)
    }

    fn warning(&self) -> Option<(&'static str, String)> {
        None
    }

    fn address(&self) -> Option<(String, u16)> {
        self.spec.transport.endpoint()
    }

    fn network(&self) -> Option<&Network> {
        self.spec.network.as_ref()
    }

    fn pod_label(&self) -> String {
        labels::destination(&self.name_any())
    }

    fn target(&self, _: &str) -> ProbeTarget {
        ProbeTarget::Transport(self.spec.transport.clone())
    }

    fn credentials(&self) -> Option<&SecretRef> {
        self.spec.credentials_ref.as_ref()
    }

    fn interval(&self) -> Duration {
        CHECK_INTERVAL
    }

    fn proved(&self, run: &ReportRun, _: &[Arc<ReportVersion>]) -> Option<Timestamp> {
        good_run::delivered(run, &self.name_any())
    }
}
