//! Long proofs under faults that take away what every other test stands on: `make chaos` runs them, alone.

use std::time::Duration;

use openreg_crds::report_run::RunOutcome;
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{fixture, kubectl, services};
use serde_json::json;

/// The operator is killed at random moments while runs are under way.
#[test]
#[ignore = "needs a cluster of its own: make chaos"]
fn chaos_operator_killed_while_runs_are_under_way() {
    const RUNS: usize = 50;
    with_tenant("killed", |tenant| async move {
        services::small_report(&tenant, 50).await?;
        let names: Vec<String> = (0..RUNS).map(|i| format!("run-{i}")).collect();
        let runs: Vec<_> = names.iter().map(|n| fixture::run(n)).collect();
        tenant.apply(&fixture::documents(&runs)).await?;
        let kills = tokio::spawn(async {
            for i in 0..8_u64 {
                tokio::time::sleep(Duration::from_millis(4000 + 1700 * (i % 3))).await;
                // Grace 0 is SIGKILL: no goodbye.
                let _ = kubectl::run(&[
                    "delete",
                    "pod",
                    "-n",
                    "openreg-system",
                    "-l",
                    "app.kubernetes.io/component=operator",
                    "--grace-period=0",
                    "--force",
                    "--wait=false",
                ])
                .await;
            }
        });
        let mut ids = Vec::new();
        for name in &names {
            let run = tenant.completed(name, Duration::from_secs(600)).await?;
            let status = run.status.unwrap_or_default();
            assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{name}: {status:#?}");
            assert!(status.deliveries.iter().all(|d| d.receipt_sha256.is_some()), "{name} has its receipt");
            ids.push(format!("{}.csv", run.spec.id));
        }
        kills.await?;
        ids.sort();
        let mut listed = services::sftp_listing(&tenant).await?;
        listed.sort();
        assert_eq!(listed, ids, "each file lies there once, and nothing else does");
        for name in &names {
            tenant.recorded(name, Duration::from_secs(120)).await?;
        }
        Ok(())
    });
}

/// The database of the API is away while a run goes through; its history is caught up afterwards.
#[test]
#[ignore = "needs a cluster of its own: make chaos"]
fn chaos_postgres_away_and_the_history_catches_up() {
    with_tenant("away", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        // A source of its own, since this one goes away too: the run reads before, and is recorded after.
        let outage = tokio::spawn(async {
            let until = tokio::time::Instant::now() + Duration::from_secs(60);
            while tokio::time::Instant::now() < until {
                let stop = [
                    "exec",
                    "-n",
                    services::NAMESPACE,
                    "deployment/postgres",
                    "--",
                    "setpriv",
                    "--reuid=postgres",
                    "--regid=postgres",
                    "--init-groups",
                ];
                let stop: Vec<&str> = stop
                    .into_iter()
                    .chain(["/usr/lib/postgresql/15/bin/pg_ctl", "-D", "/data/postgres", "-m", "immediate", "stop"])
                    .collect();
                let _ = kubectl::raw(&stop, None).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut run = fixture::run("away");
        run["spec"]["parameters"] = json!({"nope": "1"}); // ends without the database: Rejected, and recorded all the same
        tenant.apply(&run.to_string()).await?;
        let status = tenant.completed("away", Duration::from_secs(60)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Rejected), "{status:#?}");
        assert!(
            !openreg_crds::common::condition::is_true(&status.conditions, "Recorded"),
            "recorded without a database"
        );
        outage.await?;
        tenant.recorded("away", Duration::from_secs(180)).await?;
        kubectl::run(&["rollout", "status", "-n", services::NAMESPACE, "deployment/postgres", "--timeout=180s"]).await?;
        tenant.apply(&fixture::run("after").to_string()).await?;
        let status = tenant.completed("after", Duration::from_secs(120)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        Ok(())
    });
}
