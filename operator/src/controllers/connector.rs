//! The connector controller: what an [`Endpoint`] is for a Connector.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use kube::ResourceExt;
use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::{Connector, ReportRun, ReportVersion};
use openreg_parts::error::Problem;
use openreg_parts::source::SourceOptions;
use openreg_parts::source::postgres::TlsMode;
use openreg_plan::probe::ProbeTarget;
use tokio_util::sync::CancellationToken;

use super::endpoint::{self, CHECK_INTERVAL, Endpoint, good_run};
use crate::context::Context;
use crate::labels;

/// More often than this nobody is probed, whatever the spec says.
const SHORTEST: Duration = Duration::from_secs(60);

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    endpoint::run(ctx.stores.connectors.clone(), ctx, shutdown).await;
}

impl Endpoint for Connector {
    const KIND: &'static str = "connector";
    const READY_NEEDS_PROBE: bool = false;

    fn problems(&self) -> Vec<Problem> {
        openreg_resolve::check::connector(&self.spec)
    }

    fn warning(&self) -> Option<(&'static str, String)> {
        let SourceOptions::Postgres(postgres) = &self.spec.source else { return None };
        match postgres.tls_mode() {
            TlsMode::VerifyFull => None,
            TlsMode::RequireUnverified => Some((
                "TlsNotVerified",
                "spec.postgres.tls.mode RequireUnverified accepts anybody's certificate: write VerifyFull".to_owned(),
            )),
            TlsMode::Disable => Some((
                "TlsDisabled",
                "spec.postgres.tls.mode Disable sends password and rows in the clear: write VerifyFull".to_owned(),
            )),
        }
    }

    fn address(&self) -> Option<(String, u16)> {
        self.spec.source.endpoint()
    }

    fn network(&self) -> Option<&Network> {
        self.spec.network.as_ref()
    }

    fn pod_label(&self) -> String {
        labels::connector(&self.name_any())
    }

    fn target(&self, _: &str) -> ProbeTarget {
        ProbeTarget::Source {
            options: self.spec.source.clone(),
            limits: self.spec.limits.clone().unwrap_or_default(),
        }
    }

    fn credentials(&self) -> Option<&SecretRef> {
        self.spec.credentials_ref.as_ref()
    }

    fn interval(&self) -> Duration {
        self.spec.check_interval.as_ref().map_or(CHECK_INTERVAL, |d| d.get().max(SHORTEST))
    }

    fn proved(&self, run: &ReportRun, versions: &[Arc<ReportVersion>]) -> Option<Timestamp> {
        good_run::read(run, &self.name_any(), versions)
    }
}
