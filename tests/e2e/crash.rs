//! What dies on the way heals or says so, and nothing is delivered twice.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::DeleteParams;
use openreg_crds::report_run::RunOutcome;
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{fixture, services};
use serde_json::json;

#[test]
#[ignore = "needs a cluster: make test"]
fn crash_a_job_deleted_by_hand_is_made_again() {
    with_tenant("deleted", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        let slow = fixture::with(fixture::report(10), "/spec/version", json!("1.0.1"));
        let slow = fixture::with(slow, "/spec/validation", json!([]));
        let mut slow = slow;
        slow["spec"]["source"]["datasets"][0]["query"] =
            json!("SELECT lpad(i::text, 9, '0') AS ref, pg_sleep(0.3)::text AS s FROM generate_series(1, 20) i ORDER BY 1");
        tenant.apply(&slow.to_string()).await?;
        tenant.wait_condition("Report", "small", "Ready", "True", Duration::from_secs(20)).await?;
        tenant.apply(&fixture::run("again").to_string()).await?;
        tenant
            .wait_run("again", "started", Duration::from_secs(60), |r| {
                r.status.as_ref().is_some_and(|s| s.generate.as_ref().is_some_and(|g| g.job_uid.is_some()))
            })
            .await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        tenant.api::<Job>().delete("again-g1", &DeleteParams::background()).await?;
        let status = tenant.completed("again", Duration::from_secs(120)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        assert_eq!(status.generate.expect("an attempt").number, 2);
        assert_eq!(services::sftp_listing(&tenant).await?.len(), 1);
        Ok(())
    });
}
