//! What goes away in the middle of its work: the run heals by itself or says what happened. Nothing partial is taken for a
//! file, and nothing is delivered twice.

use std::time::Duration;

use openreg_crds::ReportRun;
use openreg_crds::report_run::{ReportRunStatus, RunOutcome};
use openreg_e2e::own_s3::OwnS3;
use openreg_e2e::proof::{self, Bucket};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, fixture, kubectl, services};
use serde_json::json;

use crate::fail::with_query;

/// 41 MB, five parts of an upload, and at least 8 s.
pub(crate) const SLOW: &str = "SELECT lpad(i::text, 9, '0') AS ref, repeat(md5(i::text), 32) AS filler, \
     pg_sleep(CASE WHEN i % 500 = 0 THEN 0.1 ELSE 0 END)::text AS slept FROM generate_series(1, 40000) i";
const ROWS: i64 = 40_000;

/// Starts a run that uploads to a server of the test's own, and stops the server in the middle.
async fn stopped_in_upload(tenant: &Tenant) -> anyhow::Result<OwnS3> {
    let s3 = OwnS3::start(tenant).await?;
    // The second attempt begins when the server is there again, not before.
    let retry = json!({"maxAttempts": 3, "backoff": {"initial": "5s", "max": "5s"}});
    let report = fixture::with(with_query(SLOW), "/spec/execution/retry", retry);
    services::full_report(tenant, s3.store(), report).await?;
    tenant.apply(&fixture::run("cut").to_string()).await?;
    s3.stop_in_upload().await?;
    Ok(s3)
}

/// The run got through, whole and once.
pub(crate) async fn is_whole(tenant: &Tenant, bucket: &Bucket, run: &ReportRun) -> anyhow::Result<ReportRunStatus> {
    let status = run.status.clone().unwrap_or_default();
    assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
    let counts = status.counts.expect("counts");
    let whole = proof::delivered_once(tenant, bucket, run).await?;
    assert_eq!(i64::try_from(whole.size)?, counts.bytes);
    let path = format!("/srv/sftp/in/{}/{}", tenant.namespace, whole.name);
    let lines = services::sftp_bash("wc -l <\"$1\"", &[&path]).await?;
    assert_eq!(lines.trim(), (counts.reported + 1).to_string());
    Ok(status)
}

#[test]
#[ignore = "needs a cluster: make test"]
fn cut_s3_server_is_restarted_in_an_upload() {
    with_tenant("s3-restarted", |tenant| async move {
        let s3 = stopped_in_upload(&tenant).await?;
        tokio::time::sleep(Duration::from_millis(500)).await;
        s3.resume().await?;
        let run = tenant.completed("cut", Duration::from_secs(180)).await?;
        let status = is_whole(&tenant, &s3.bucket, &run).await?;
        assert_eq!(status.counts.map(|c| c.reported), Some(ROWS));
        Ok(())
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn cut_s3_server_is_away_until_the_attempt_failed() {
    with_tenant("s3-away", |tenant| async move {
        let s3 = stopped_in_upload(&tenant).await?;
        let failed = tenant
            .wait_run("cut", "at the end of its first attempt", Duration::from_secs(120), |r| {
                r.status
                    .as_ref()
                    .and_then(|s| s.generate.as_ref())
                    .is_some_and(|g| g.ended == Some(true) || g.number > 1)
            })
            .await?;
        s3.resume().await?;
        let status = failed.status.unwrap_or_default();
        let failure = status.failure.clone().expect("a failure");
        assert_eq!((failure.stage.as_str(), failure.class.as_str()), ("Store", "Transient"), "{failure:?}");
        assert!(status.manifest.is_none(), "sealed without a store: {status:#?}");

        let run = tenant.completed("cut", Duration::from_secs(180)).await?;
        let status = is_whole(&tenant, &s3.bucket, &run).await?;
        assert_eq!(status.counts.map(|c| c.reported), Some(ROWS));
        assert_eq!(status.generate.map(|g| g.number), Some(2));
        Ok(())
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn cut_s3_server_stays_away() {
    with_tenant("s3-gone", |tenant| async move {
        let s3 = stopped_in_upload(&tenant).await?;
        let run = tenant.completed("cut", Duration::from_secs(240)).await?;
        let status = run.status.clone().unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Failed), "{status:#?}");
        let failure = status.failure.expect("a failure");
        let found = (failure.stage.as_str(), failure.class.as_str(), failure.code.as_str());
        assert_eq!(found, ("Store", "Transient", "StoreConnectionRefused"), "{failure:?}");
        assert!(failure.hint.is_some(), "{failure:?}");
        assert_eq!(status.generate.map(|g| g.number), Some(3));
        assert!(status.manifest.is_none());

        // What came before the cut is no file of the run.
        s3.resume().await?;
        let left = s3.bucket.objects(&run.spec.id).await?;
        assert!(!left.iter().any(|k| k == "manifest.json" || k.contains("/artifacts/")), "{left:?}");
        assert!(services::sftp_listing(&tenant).await?.is_empty());
        Ok(())
    });
}

/// The server ends the connection that the run reads from, as when it is restarted.
#[test]
#[ignore = "needs a cluster: make test"]
fn cut_source_in_the_middle_of_reading() {
    with_tenant("source", |tenant| async move {
        let query = format!(
            "SELECT lpad(i::text, 9, '0') AS ref, '{}' AS tenant, pg_sleep(0.3)::text AS slept FROM generate_series(1, 20) i",
            tenant.namespace
        );
        services::full_report(&tenant, fixture::store(), with_query(&query)).await?;
        tenant.apply(&fixture::run("cut").to_string()).await?;
        let ended = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'reporter' AND query LIKE '%{}%' AND query_start < clock_timestamp() - interval '1 s'",
            tenant.namespace
        );
        let script = "for i in {1..300}; do
            n=$(psql -X -At -U postgres -d trades -c \"$1\") || exit 1
            [ \"$n\" = 0 ] || exit 0
            sleep 0.1
        done; echo 'no query within 30 s' >&2; exit 1";
        kubectl::bash(services::NAMESPACE, "deployment/postgres", script, &[&ended]).await?;
        let run = tenant.completed("cut", Duration::from_secs(120)).await?;
        let status = is_whole(&tenant, &Bucket::shared(), &run).await?;
        assert_eq!(status.generate.map(|g| g.number), Some(2));
        assert_eq!(status.counts.map(|c| c.read), Some(20));
        Ok(())
    });
}
