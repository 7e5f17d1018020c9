//! The tenant controller: a namespace labelled as a tenant gets the policy that denies the operator's pods everything but
//! DNS. It does nothing else to a namespace.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::core::v1::Namespace;
use kube::ResourceExt;
use kube::runtime::controller::Action;
use tokio_util::sync::CancellationToken;

use super::endpoint::network_policy;
use super::{drive, queue};
use crate::context::Context;

const CONCURRENCY: u16 = 8;

/// Could not be applied.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not apply network policy {} in namespace {namespace}: is the operator's role bound there?",
    network_policy::DEFAULT_DENY
)]
struct TenantError {
    namespace: String,
    source: kube::Error,
}

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, requests) = queue::<Namespace>();
    ctx.stores.tenants.on_change(move |tenant| asked.add(tenant));
    let cache = ctx.stores.tenants.clone();
    drive("tenant", ctx, &cache, requests, CONCURRENCY, reconcile, shutdown).await;
}

async fn reconcile(tenant: Arc<Namespace>, ctx: Arc<Context>) -> Result<Action, TenantError> {
    if tenant.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let namespace = tenant.name_any();
    let policy = network_policy::default_deny(&namespace);
    let again = ctx
        .policies
        .apply(&ctx.client, &ctx.config.manager, &tenant.uid().unwrap_or_default(), policy)
        .await
        .map_err(|source| TenantError { namespace, source })?;
    Ok(Action::requeue(
        Duration::try_from(again.duration_since(Timestamp::now()))
            .unwrap_or_default()
            .max(Duration::from_secs(1)),
    ))
}
