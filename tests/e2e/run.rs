//! A run from source to receipt.

use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::api::ListParams;
use openreg_crds::report_run::{DeliveryState, RunOutcome};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{fixture, services};
use serde_json::json;

#[test]
#[ignore = "needs a cluster: make test"]
fn run_is_delivered_once_and_recorded() {
    with_tenant("run", |tenant| async move {
        services::small_report(&tenant, 1000).await?;
        tenant.apply(&fixture::run("good").to_string()).await?;
        let run = tenant.completed("good", Duration::from_secs(120)).await?;
        let status = run.status.clone().unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        let counts = status.counts.expect("counts");
        assert_eq!((counts.read, counts.reported, counts.excluded, counts.violations), (1000, 1000, 0, 0));
        assert_eq!(status.deliveries.len(), 1);
        assert_eq!(status.deliveries[0].state, DeliveryState::Delivered);
        assert!(status.deliveries[0].receipt_sha256.is_some());
        assert!(status.usage.expect("usage").vm_hwm_bytes > 0);

        let listed = services::sftp_listing(&tenant).await?;
        assert_eq!(listed, vec![format!("{}.csv", run.spec.id)], "the file lies there once, and nothing else");
        let content = services::sftp_content(&tenant, &listed[0]).await?;
        assert_eq!(content.lines().count(), 1001);
        assert_eq!(content.lines().nth(1).map(str::trim_end), Some("000000001,1"));

        tenant.recorded("good", Duration::from_secs(60)).await?;
        Ok(())
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn run_jobs_have_limits_and_no_token() {
    with_tenant("jobs", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        tenant.apply(&fixture::run("limits").to_string()).await?;
        tenant.completed("limits", Duration::from_secs(120)).await?;
        let jobs = tenant.api::<Job>().list(&ListParams::default().labels("openreg.io/run=limits")).await?.items;
        let names: Vec<_> = jobs.iter().filter_map(|j| j.metadata.name.as_deref()).collect();
        assert!(names.contains(&"limits-g1") && names.contains(&"limits-d0-1"), "{names:?}");
        for job in jobs {
            let job = serde_json::to_value(job)?;
            let pod = &job["spec"]["template"]["spec"];
            let container = &pod["containers"][0];
            assert_eq!(container["resources"]["limits"]["cpu"], json!("2"));
            assert_eq!(container["resources"]["limits"]["memory"], json!("4Gi"));
            assert_eq!(pod["automountServiceAccountToken"], json!(false));
            assert_eq!(pod["restartPolicy"], json!("Never"));
            assert_eq!(job["spec"]["backoffLimit"], json!(0));
            assert!(job["spec"]["activeDeadlineSeconds"].as_i64().is_some());
            let security = &container["securityContext"];
            assert_eq!(security["readOnlyRootFilesystem"], json!(true));
            assert_eq!(security["allowPrivilegeEscalation"], json!(false));
            assert_eq!(security["capabilities"]["drop"], json!(["ALL"]));
            // The secrets of source and receiver are never in one pod.
            let secrets: Vec<_> = pod["volumes"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(|v| v["secret"]["secretName"].as_str())
                .collect();
            assert!(!(secrets.contains(&"trades-db") && secrets.contains(&"bank-sftp")), "{secrets:?}");
        }
        Ok(())
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn run_is_blocked_by_its_rules_and_delivers_nothing() {
    with_tenant("blocked", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        let mut report = fixture::with(fixture::report(10), "/spec/version", json!("1.0.1"));
        report["spec"]["source"]["datasets"][0]["query"] =
            json!("SELECT lpad(i::text, 9, '0') AS ref, nullif(i, 7) AS quantity FROM generate_series(1, 10) i ORDER BY 1");
        report["spec"]["validation"][0]["rule"] = json!({"notNull": {"columns": ["quantity"]}});
        tenant.apply(&report.to_string()).await?;
        tenant.wait_condition("Report", "small", "Ready", "True", Duration::from_secs(20)).await?;
        tenant.apply(&fixture::run("blocked").to_string()).await?;
        let status = tenant.completed("blocked", Duration::from_secs(90)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::DataRejected), "{status:#?}");
        assert_eq!(status.counts.expect("counts").violations, 1);
        assert!(services::sftp_listing(&tenant).await?.is_empty());
        Ok(())
    });
}
