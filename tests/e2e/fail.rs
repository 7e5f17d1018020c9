//! Bad input: each ends in a terminal, truthful condition with stage, class, code, message and hint.

use std::time::Duration;

use openreg_crds::ReportRun;
use openreg_crds::common::condition;
use openreg_crds::report_run::{DeliveryState, RunFailure, RunOutcome};
use openreg_e2e::fixture::{self, with};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, services};
use serde_json::{Value, json};

/// Applies what a test changed, runs it, and gives the run and the failure it ended with.
pub(crate) async fn failure(tenant: &Tenant, changes: &[Value]) -> anyhow::Result<(ReportRun, RunFailure)> {
    services::small_report(tenant, 10).await?;
    // A Store is Ready once it was probed; a run waits for that, and what is changed afterwards is the run's to find.
    tenant.wait_condition("Store", "default", "Ready", "True", Duration::from_secs(40)).await?;
    if !changes.is_empty() {
        let host_key = services::host_key(tenant).await?;
        tenant
            .apply(&fixture::documents(changes).replace(services::HOST_KEY_PLACEHOLDER, &host_key))
            .await?;
    }
    tenant.wait_condition("Report", "small", "Ready", "True", Duration::from_secs(20)).await?;
    tenant.apply(&fixture::run("bad").to_string()).await?;
    let run = tenant.completed("bad", Duration::from_secs(150)).await?;
    let status = run.status.as_ref().expect("a status");
    let failed = status.failure.clone().or_else(|| status.deliveries.first().and_then(|d| d.failure.clone()));
    let failed = failed.ok_or_else(|| anyhow::anyhow!("no failure in {status:#?}"))?;
    assert!(!failed.message.is_empty(), "{failed:?}");
    assert!(failed.hint.is_some(), "says what to do next: {failed:?}");
    let outcome = status.outcome.expect("a complete run has an outcome");
    // Whether a byte left for the receiver is what tells these two apart.
    let begun = status.deliveries.iter().any(|d| d.begun == Some(true));
    let expected = if begun { RunOutcome::NotDelivered } else { RunOutcome::Failed };
    assert_eq!(outcome, expected, "{status:#?}");
    assert!(status.deliveries.iter().all(|d| d.state == DeliveryState::NotDelivered), "{status:#?}");
    let conditions = &status.conditions;
    assert_eq!(
        condition::find(conditions, "Complete").map(|c| c.reason.as_str()),
        Some(outcome.as_str()),
        "{conditions:?}"
    );
    // The file would be called like the run's id, in whichever directory.
    assert_eq!(
        services::sftp_find(&format!("{}.csv", run.spec.id)).await?,
        Vec::<String>::new(),
        "nothing was delivered"
    );
    Ok((run, failed))
}

/// The report with another query, without rules.
pub(crate) fn with_query(query: &str) -> Value {
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
                let (_, failed) = failure(&tenant, &$changes).await?;
                assert_eq!((failed.stage.as_str(), failed.class.as_str(), failed.code.as_str()), ($stage, $class, $code), "{failed:?}");
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
    ] => "Read" "Transient" "HostUnknown";
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
    // A port that the Service does not have: its address leads nowhere.
    fail_sftp_closed_port: [
        with(services::destination_in("/in"), "/spec/sftp/port", json!(2222)),
        services::secret("bank-sftp", &[("username", "bank"), ("password", "p"), ("allowedHosts", "sftp.openreg-dev.svc:2222")]),
    ] => "Deliver" "Transient" "HostUnreachable";
    // The volume has 8 MiB, the file 12 MB.
    fail_disk_full: [
        services::destination_in("/full"),
        with_query("SELECT lpad(i::text, 9, '0') AS ref, repeat('x', 90) AS filler FROM generate_series(1, 120000) i"),
    ] => "Deliver" "Transient" "DiskFull";
    fail_sftp_password: [services::secret("bank-sftp", &[("username", "bank"), ("password", "wrong"), ("allowedHosts", services::SFTP_ADDRESS)])] => "Deliver" "Config" "PasswordRefused";
    fail_sftp_secret_host: [services::secret("bank-sftp", &[("username", "bank"), ("password", "p"), ("allowedHosts", "elsewhere:22")])] => "Deliver" "Config" "SecretHostNotAllowed";
    fail_sftp_secret_key_missing: [services::secret("bank-sftp", &[("username", "bank"), ("allowedHosts", services::SFTP_ADDRESS)])] => "Deliver" "Config" "SecretKeyMissing";
    fail_sftp_secret_missing: [with(services::destination_in("/in"), "/spec/credentialsRef/secret", json!("absent"))] => "Deliver" "Config" "SecretMissing";
    fail_store_password: [services::secret("store-s3", &[("accessKeyId", "nobody"), ("secretAccessKey", "wrong"), ("allowedHosts", "s3.openreg-dev.svc:7070")])] => "Store" "Config" "StoreCredentialsRefused";
    fail_store_secret_host: [services::secret("store-s3", &[("accessKeyId", "a"), ("secretAccessKey", "s"), ("allowedHosts", "elsewhere:7070")])] => "Store" "Config" "SecretHostNotAllowed";
}

/// A host that answers, and a port on which nobody listens: refused at once, and not waited for.
#[test]
#[ignore = "needs a cluster: make test"]
fn fail_closed_port() {
    with_tenant("closed-port", |tenant| async move {
        let address = services::pod_address("postgres").await?;
        let connector = with(fixture::connector(), "/spec/postgres/host", json!(address));
        let connector = with(connector, "/spec/postgres/port", json!(5433));
        let allowed = services::secret(
            "trades-db",
            &[("username", "u"), ("password", "p"), ("allowedHosts", &format!("{address}:5433"))],
        );
        let (run, failed) = failure(&tenant, &[connector, allowed]).await?;
        let found = (failed.stage.as_str(), failed.class.as_str(), failed.code.as_str());
        assert_eq!(found, ("Read", "Transient", "ConnectionRefused"), "{failed:?}");
        assert!(failed.message.contains(&format!("{address}:5433")), "{failed:?}");
        let attempts = run.status.and_then(|s| s.generate).map(|g| g.number);
        assert_eq!(attempts, Some(3), "what may pass is tried as often as the report says");
        Ok(())
    });
}

/// The same at the receiver.
#[test]
#[ignore = "needs a cluster: make test"]
fn fail_sftp_refusing_port() {
    with_tenant("sftp-refusing-port", |tenant| async move {
        let address = services::pod_address("sftp").await?;
        let destination = with(services::destination_in("/in"), "/spec/sftp/host", json!(address));
        let destination = with(destination, "/spec/sftp/port", json!(2222));
        let allowed = services::secret(
            "bank-sftp",
            &[("username", "bank"), ("password", "p"), ("allowedHosts", &format!("{address}:2222"))],
        );
        let (run, failed) = failure(&tenant, &[destination, allowed]).await?;
        let found = (failed.stage.as_str(), failed.class.as_str(), failed.code.as_str());
        assert_eq!(found, ("Deliver", "Transient", "ConnectionRefused"), "{failed:?}");
        let attempts = run
            .status
            .and_then(|s| s.deliveries.into_iter().next())
            .and_then(|d| d.attempt)
            .map(|a| a.number);
        assert_eq!(attempts, Some(3), "what may pass is tried as often as the destination says");
        Ok(())
    });
}

/// A Store that cannot be used is no Store yet: the run says so and waits, and goes on once the Store is mended.
#[test]
#[ignore = "needs a cluster: make test"]
fn fail_store_unknown_host_waits_until_it_is_mended() {
    with_tenant("store-unknown-host", |tenant| async move {
        let store = with(fixture::store(), "/spec/s3/endpoint", json!("http://nowhere.openreg-dev.svc:7070"));
        let both = "s3.openreg-dev.svc:7070\nnowhere.openreg-dev.svc:7070";
        let known = services::credentials(&tenant.client).await?;
        let keys = [
            ("accessKeyId", known["s3AccessKey"].as_str()),
            ("secretAccessKey", known["s3SecretKey"].as_str()),
        ];
        let allowed = services::secret("store-s3", &[keys[0], keys[1], ("allowedHosts", both)]);
        tenant.apply(&allowed.to_string()).await?;
        services::full_report(&tenant, store, fixture::report(10)).await?;
        tenant.apply(&fixture::run("waits").to_string()).await?;
        let waits = |r: &ReportRun| {
            let resolved = r.status.as_ref().and_then(|s| condition::find(&s.conditions, "Resolved"));
            resolved.is_some_and(|c| c.reason == "Waiting" && c.message.contains("the host is unknown"))
        };
        let run = tenant.wait_run("waits", "waiting with the reason", Duration::from_secs(60), waits).await?;
        let status = run.status.unwrap_or_default();
        assert!(!condition::is_true(&status.conditions, "Complete") && status.generate.is_none(), "{status:#?}");
        tenant.apply(&fixture::store().to_string()).await?;
        let status = tenant.completed("waits", Duration::from_secs(90)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        Ok(())
    });
}
