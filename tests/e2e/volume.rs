//! A run over many rows: right to the last of them, in the memory that was promised.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use openreg_crds::report_run::RunOutcome;
use openreg_e2e::proof::{self, Bucket};
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{Tenant, fixture, services};
use openreg_plan::report::{RunReport, Usage};
use serde_json::json;

use crate::fail::with_query;

const ROWS: i64 = 1_000_000;
/// What a runner may need at most, whatever the number of rows.
const MAX_RESIDENT: u64 = 128 << 20;

/// Twenty columns of the types that reports have.
const WIDE: &str = "SELECT lpad(i::text, 9, '0') AS ref, i AS number, i::bigint * 7919 AS large, (i % 32000)::smallint AS small,
    (i * 37 % 1000003)::numeric(18, 4) / 100 AS quantity, (50 + (i::bigint * 7919 % 100000) / 1000.0)::numeric(18, 5) AS price,
    i::double precision / 3 AS ratio, (i % 11 = 0) AS flag, date '2026-01-01' + i % 365 AS day,
    timestamp '2026-03-02 07:00:00' + i * interval '1 millisecond' AS at_local,
    timestamptz '2026-03-02 07:00:00+00' + i * interval '1 millisecond' AS at_instant,
    'EUR'::char(3) AS ccy, CASE WHEN i % 2 = 0 THEN 'BUYI' ELSE 'SELL' END AS side, md5(i::text) AS hash,
    CASE WHEN i % 5 = 0 THEN NULL ELSE 'TRADER' || i % 40 END AS trader, 'with, comma' AS comma, 'with \"quotes\"' AS quotes,
    md5(i::text)::uuid AS identity, 'Zürich' AS city, repeat('x', i % 40) AS filler FROM generate_series(1, 1000000) i";

/// What each pod of a run said about itself in its RunReport.
async fn usages(tenant: &Tenant, run: &str) -> anyhow::Result<Vec<(String, Usage)>> {
    let pods = tenant
        .api::<Pod>()
        .list(&ListParams::default().labels(&format!("openreg.io/run={run}")))
        .await?;
    pods.into_iter()
        .map(|pod| {
            let stage = pod
                .metadata
                .labels
                .as_ref()
                .and_then(|l| l.get("openreg.io/stage"))
                .cloned()
                .unwrap_or_default();
            let statuses = pod.status.and_then(|s| s.container_statuses).unwrap_or_default();
            let ended = statuses.into_iter().find_map(|c| c.state?.terminated).and_then(|t| t.message);
            let report: RunReport = serde_json::from_str(&ended.ok_or_else(|| anyhow::anyhow!("{stage}: no RunReport"))?)?;
            Ok((stage, report.usage))
        })
        .collect()
}

#[test]
#[ignore = "needs a cluster: make test"]
fn volume_a_million_rows_of_twenty_columns_in_128_mib() {
    with_tenant("volume", |tenant| async move {
        let report = fixture::with(with_query(WIDE), "/spec/execution/memory", json!("512Mi"));
        services::full_report(&tenant, fixture::store(), report).await?;
        let begun = std::time::Instant::now();
        tenant.apply(&fixture::run("million").to_string()).await?;
        let run = tenant.completed("million", Duration::from_secs(400)).await?;
        let elapsed = begun.elapsed();
        let status = run.status.clone().unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        let counts = status.counts.expect("counts");
        assert_eq!((counts.read, counts.reported, counts.excluded), (ROWS, ROWS, 0));
        assert_eq!(status.generate.map(|g| g.number), Some(1));

        let bucket = Bucket::shared();
        let whole = proof::delivered_once(&tenant, &bucket, &run).await?;
        assert_eq!(i64::try_from(whole.size)?, counts.bytes);
        // A hash proves that it is the file that was made; this, that each row is in it, once and in its place.
        let path = format!("/srv/sftp/in/{}/{}", tenant.namespace, whole.name);
        let check =
            "awk -F, 'NR > 1 && ($1 + 0 != NR - 1 || $2 != NR - 1) { wrong++ } END { print NR, wrong + 0 }' \"$1\" && head -n 1 \"$1\" | tr -cd , | wc -c";
        let told = services::sftp_bash(check, &[&path]).await?;
        let told: Vec<_> = told.split_whitespace().collect();
        assert_eq!(told, ["1000001", "0", "19"], "lines, rows out of place, commas in the header");

        let usages = usages(&tenant, "million").await?;
        let mib = |bytes: u64| bytes / (1 << 20);
        eprintln!(
            "{ROWS} rows x 20 columns, {} MiB, from apply to Delivered in {:.1} s",
            mib(whole.size),
            elapsed.as_secs_f64()
        );
        for (stage, usage) in &usages {
            eprintln!(
                "{stage}: {:.1} s, VmHWM {} MiB, peak of the cgroup with page cache {} MiB",
                f64::from(u32::try_from(usage.duration_ms)?) / 1000.0,
                mib(usage.vm_hwm_bytes),
                mib(usage.cgroup_peak_bytes)
            );
        }
        let mut stages: Vec<_> = usages.iter().map(|(stage, _)| stage.as_str()).collect();
        stages.sort_unstable();
        assert_eq!(stages, ["deliver", "generate"]);
        for (stage, usage) in &usages {
            assert!(usage.vm_hwm_bytes > 0 && usage.vm_hwm_bytes <= MAX_RESIDENT, "{stage}: {usage:?}");
            assert!(usage.cgroup_peak_bytes > 0, "{stage}: the cgroup's peak is not there: {usage:?}");
        }
        let told = status.usage.expect("usage");
        let generated = usages.iter().find(|(stage, _)| stage == "generate").map(|(_, u)| u.vm_hwm_bytes);
        assert_eq!(u64::try_from(told.vm_hwm_bytes).ok(), generated, "the status says what the RunReport says");

        services::sftp(&["rm", &path]).await?;
        bucket.remove_run(&run.spec.id).await;
        Ok(())
    });
}
