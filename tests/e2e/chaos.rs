//! Long proofs under faults that take away what every other test stands on: `make chaos` runs them, alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use openreg_crds::common::condition;
use openreg_crds::report_run::RunOutcome;
use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{fixture, history, killer, kubectl, services};
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
        killer::start().await?;
        let killed = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&killed);
        let kills = tokio::spawn(async move {
            loop {
                // Sometimes in the middle of a run's life, sometimes before the lease of the one before has run out.
                tokio::time::sleep(Duration::from_millis(2_000 + u64::from(rand::random::<u16>() % 23_000))).await;
                count.fetch_add(killer::kill_operator().await.unwrap_or_default(), Ordering::Relaxed);
            }
        });
        for name in &names {
            let run = tenant.completed(name, Duration::from_secs(900)).await?;
            let status = run.status.unwrap_or_default();
            assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{name}: {status:#?}");
            assert!(status.deliveries.iter().all(|d| d.receipt_sha256.is_some()), "{name} has its receipt");
        }
        kills.abort();
        for name in &names {
            tenant.recorded(name, Duration::from_secs(120)).await?;
        }
        killer::stop().await;
        let killed = killed.load(Ordering::Relaxed);
        eprintln!("{killed} operators were killed while {RUNS} runs were under way");
        assert!(killed >= 4, "only {killed} operators were killed: nothing is proven");

        // Each file lies there once and whole, and nothing else does.
        let directory = format!("/srv/sftp/in/{}", tenant.namespace);
        let listed = services::sftp_listing(&tenant).await?;
        let hashes = services::sftp(&["bash", "-c", &format!("cd {directory} && sha256sum -- *")]).await?;
        let mut received: Vec<&str> = hashes.lines().filter_map(|l| l.split_whitespace().next()).collect();
        received.sort_unstable();
        assert_eq!(listed.len(), RUNS, "files at the receiver: {listed:?}");

        // Each run has its row, its artifact, its receipt, and its audit entries, each once.
        let recorded = history::runs(&tenant).await?;
        assert_eq!(recorded.len(), RUNS, "rows");
        for run in &recorded {
            assert_eq!(run.outcome.as_deref(), Some("Delivered"), "{run:?}");
            assert_eq!(run.audit, ["run.started", "delivery.ended", "run.ended"], "{run:?}");
            assert_eq!(run.deliveries.len(), 1, "{run:?}");
            assert!(
                run.deliveries[0].starts_with("Delivered ") && run.deliveries[0].len() == "Delivered ".len() + 64,
                "{run:?}"
            );
        }
        let mut made: Vec<&str> = recorded.iter().flat_map(|r| &r.artifacts).map(String::as_str).collect();
        made.sort_unstable();
        assert_eq!(made, received, "what was made is what was received");
        Ok(())
    });
}

/// The database of the API is away while a run goes through; its history is caught up afterwards.
#[test]
#[ignore = "needs a cluster of its own: make chaos"]
fn chaos_postgres_away_and_the_history_catches_up() {
    with_tenant("away", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        // The source is the same server: this run has read it, and delivers while it is away.
        tenant.apply(&fixture::run("under-way").to_string()).await?;
        tenant
            .wait_run("under-way", "Generated=True", Duration::from_secs(60), |r| {
                r.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Generated"))
            })
            .await?;
        let outage = tokio::spawn(async {
            let until = tokio::time::Instant::now() + Duration::from_secs(60);
            while tokio::time::Instant::now() < until {
                // Fails while the server is on its way back.
                let _ = services::postgres(&["/usr/lib/postgresql/15/bin/pg_ctl", "-D", "/data/postgres", "-m", "immediate", "stop"]).await;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
        tokio::time::sleep(Duration::from_secs(3)).await;
        let mut run = fixture::run("away");
        run["spec"]["parameters"] = json!({"nope": "1"}); // ends without the database: Rejected, and recorded all the same
        tenant.apply(&run.to_string()).await?;
        let status = tenant.completed("away", Duration::from_secs(60)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Rejected), "{status:#?}");
        assert!(!condition::is_true(&status.conditions, "Recorded"), "recorded without a database");
        let status = tenant.completed("under-way", Duration::from_secs(60)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        assert!(!condition::is_true(&status.conditions, "Recorded"), "recorded without a database");
        outage.await?;
        for run in ["away", "under-way"] {
            tenant.recorded(run, Duration::from_secs(180)).await?;
        }
        kubectl::run(&["rollout", "status", "-n", services::NAMESPACE, "deployment/postgres", "--timeout=180s"]).await?;
        tenant.apply(&fixture::run("after").to_string()).await?;
        let status = tenant.completed("after", Duration::from_secs(120)).await?.status.unwrap_or_default();
        assert_eq!(status.outcome, Some(RunOutcome::Delivered), "{status:#?}");
        tenant.recorded("after", Duration::from_secs(60)).await?;
        let audit: Vec<_> = history::runs(&tenant).await?.into_iter().map(|r| (r.name, r.audit.join(" "))).collect();
        let delivered = "run.started delivery.ended run.ended";
        let expected = [("after", delivered), ("away", "run.notStarted run.ended"), ("under-way", delivered)];
        assert_eq!(audit, expected.map(|(n, a)| (n.to_owned(), a.to_owned())));
        Ok(())
    });
}
