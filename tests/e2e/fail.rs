//! Bad input: each ends in a terminal, truthful condition with stage, class, code, message and hint.

use std::time::Duration;

use openreg_crds::report_run::{ReportRunStatus, RunFailure, RunOutcome};
use openreg_e2e::fixture::{self, with};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, services};
use serde_json::{Value, json};

/// Applies what a test changed, runs it, and gives the failure it ended with.
async fn failure(tenant: &Tenant, changes: &[Value]) -> anyhow::Result<(ReportRunStatus, RunFailure)> {
    services::small_report(tenant, 10).await?;
    if !changes.is_empty() {
        let host_key = services::host_key(tenant).await?;
        tenant
            .apply(&fixture::documents(changes).replace(services::HOST_KEY_PLACEHOLDER, &host_key))
            .await?;
    }
    tenant.wait_condition("Report", "small", "Ready", "True", Duration::from_secs(20)).await?;
    tenant.apply(&fixture::run("bad").to_string()).await?;
    let status = tenant.completed("bad", Duration::from_secs(150)).await?.status.unwrap_or_default();
    let failed = status.failure.clone().or_else(|| status.deliveries.first().and_then(|d| d.failure.clone()));
    let failed = failed.ok_or_else(|| anyhow::anyhow!("no failure in {status:#?}"))?;
    assert!(!failed.message.is_empty(), "{failed:?}");
    assert!(failed.hint.is_some(), "says what to do next: {failed:?}");
    Ok((status, failed))
}

fn with_query(query: &str) -> Value {
    let report = with(fixture::report(10), "/spec/version", json!("1.0.1"));
    let mut report = with(report, "/spec/validation", json!([]));
    report["spec"]["source"]["datasets"][0]["query"] = json!(query);
    if let Some(dataset) = report["spec"]["source"]["datasets"][0].as_object_mut() {
        dataset.remove("key");
    }
    report
}

/// One row: a name, what is changed, stage, class, code.
macro_rules! fails {
    ($($test:ident: $changes:expr => $stage:literal $class:literal $code:literal;)*) => {$(
        #[test]
        #[ignore = "needs a cluster: make test"]
        fn $test() {
            with_tenant(&stringify!($test).replace('_', "-")[5..], |tenant| async move {
                let (status, failed) = failure(&tenant, &$changes).await?;
                assert_eq!((failed.stage.as_str(), failed.class.as_str(), failed.code.as_str()), ($stage, $class, $code), "{failed:?}");
                assert_ne!(status.outcome, Some(RunOutcome::Delivered));
                assert!(services::sftp_listing(&tenant).await?.is_empty(), "nothing was delivered");
                Ok(())
            });
        }
    )*};
}

fails! {
    fail_password: [services::secret("trades-db", &[("username", "reporter"), ("password", "wrong"), ("allowedHosts", services::POSTGRES_ADDRESS)])] => "Read" "Config" "PasswordRefused";
    fail_unknown_host: [
        with(fixture::connector(), "/spec/postgres/host", json!("nowhere.openreg-dev.svc")),
        services::secret("trades-db", &[("username", "u"), ("password", "p"), ("allowedHosts", "nowhere.openreg-dev.svc:5432")]),
    ] => "Read" "Config" "HostUnknown";
    fail_secret_host: [services::secret("trades-db", &[("username", "u"), ("password", "p"), ("allowedHosts", "elsewhere:5432")])] => "Read" "Config" "SecretHostNotAllowed";
    fail_secret_key_missing: [services::secret("trades-db", &[("username", "u"), ("allowedHosts", services::POSTGRES_ADDRESS)])] => "Read" "Config" "SecretKeyMissing";
    fail_secret_missing: [with(fixture::connector(), "/spec/credentialsRef/secret", json!("absent"))] => "Read" "Config" "SecretMissing";
    fail_two_statements: [with_query("SELECT 1; SELECT 2")] => "Read" "Config" "QueryNotSingle";
    fail_query_writes: [with_query("WITH x AS (INSERT INTO trades SELECT * FROM trades RETURNING 1) SELECT * FROM x")] => "Read" "Config" "QueryWrites";
    fail_column: [with_query("SELECT nothing_of_that_name FROM trades")] => "Read" "Config" "QueryInvalid";
    fail_timeout: [with(with_query("SELECT pg_sleep(60)::text"), "/spec/execution", json!({"timeout": "3s"}))] => "Read" "Config" "TimedOut";
    fail_out_of_memory: [with(with_query("SELECT repeat('x', 250000000) AS x"), "/spec/execution", json!({"memory": "64Mi"}))] => "Read" "Config" "OutOfMemory";
    fail_quota: [json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}}})] => "Start" "Config" "QuotaExceeded";
    fail_host_key: [fixture::destination("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHxNq2bY8kXn4gqkQb3m7rS5n2l6rWb4JX1wq3o6m4hE", "/in")] => "Deliver" "Config" "HostKeyUnknown";
    fail_sftp_unknown_host: [
        with(services::destination_in("/in"), "/spec/sftp/host", json!("nowhere.openreg-dev.svc")),
        services::secret("bank-sftp", &[("username", "bank"), ("password", "p"), ("allowedHosts", "nowhere.openreg-dev.svc:22")]),
    ] => "Deliver" "Transient" "HostUnknown";
    // A Service drops what comes to a port that it does not have.
    fail_sftp_closed_port: [
        with(services::destination_in("/in"), "/spec/sftp/port", json!(2222)),
        services::secret("bank-sftp", &[("username", "bank"), ("password", "p"), ("allowedHosts", "sftp.openreg-dev.svc:2222")]),
    ] => "Deliver" "Transient" "ConnectTimeout";
    // The volume has 8 MiB, the file 12 MB.
    fail_disk_full: [
        services::destination_in("/full"),
        with_query("SELECT lpad(i::text, 9, '0') AS ref, repeat('x', 90) AS filler FROM generate_series(1, 120000) i"),
    ] => "Deliver" "Transient" "DiskFull";
    fail_sftp_password: [services::secret("bank-sftp", &[("username", "bank"), ("password", "wrong"), ("allowedHosts", services::SFTP_ADDRESS)])] => "Deliver" "Config" "PasswordRefused";
}
