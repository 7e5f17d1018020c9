//! A Schedule starts runs by itself.

use std::time::Duration;

use kube::api::ListParams;
use openreg_crds::ReportRun;
use openreg_crds::report_run::{RunOutcome, Trigger};
use openreg_e2e::services;
use openreg_e2e::tenant::with_tenant;
use serde_json::json;

#[test]
#[ignore = "needs a cluster: make test"]
fn run_starts_by_schedule() {
    with_tenant("schedule", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        let schedule = json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "Schedule", "metadata": {"name": "minutely"},
            "spec": {"reportRef": "small", "cron": ["* * * * *"], "timeZone": "Europe/Berlin", "period": {"length": "Day", "offset": -1}, "overlap": "Allow"}
        });
        tenant.apply(&schedule.to_string()).await?;
        let deadline = tokio::time::Instant::now() + Duration::from_secs(90);
        let name = loop {
            let runs = tenant.api::<ReportRun>().list(&ListParams::default()).await?.items;
            if let Some(run) = runs.into_iter().next() {
                assert_eq!(run.spec.trigger, Trigger::Schedule);
                break run.metadata.name.unwrap_or_default();
            }
            anyhow::ensure!(tokio::time::Instant::now() < deadline, "no run within 90 s");
            tokio::time::sleep(Duration::from_millis(500)).await;
        };
        let run = tenant.completed(&name, Duration::from_secs(90)).await?;
        assert_eq!(run.status.and_then(|s| s.outcome), Some(RunOutcome::Delivered));
        Ok(())
    });
}
