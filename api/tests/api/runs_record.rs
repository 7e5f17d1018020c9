//! The recorder against a cluster in memory and a real database: nothing lost, nothing twice, nothing let go too early.

use openreg_api::auth::policy::Role;
use openreg_api::recorder;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::postgres::Database;
use crate::support::recorder::{Running, complete, entries, held, run};
use crate::support::{World, condition, until};

#[tokio::test]
async fn a_run_is_followed_to_its_end_and_then_let_go() {
    let w = World::new().await;
    let r = Running::start(&w);
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, json!({})));
    w.cluster.put(run(
        id,
        "trades-1",
        true,
        json!({"phase": "Generating", "startedAt": "2026-03-03T18:30:01Z", "conditions": [condition("Started", "True", "Running")]}),
    ));
    until("its start is audited", async || entries(&w, id).await == ["run.started"]).await;
    assert!(held(&w, "trades-1"));
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    until("it is let go", async || !held(&w, "trades-1")).await;
    assert_eq!(entries(&w, id).await, ["run.started", "delivery.ended", "run.ended"]);
    let log = w.cluster.log();
    let (mark, release) = (
        log.iter().position(|l| l == "mark trades-1 Recorded").unwrap(),
        log.iter().position(|l| l == "release trades-1").unwrap(),
    );
    assert!(mark < release, "{log:?}");
    let d = w.get(&format!("/api/v1/runs/{id}"), &w.token("ann", &[Role::Viewer])).await.json();
    assert_eq!(
        (d["artifacts"][0]["name"].clone(), d["run"]["outcome"].clone(), d["manifestRead"].clone()),
        (json!("a.csv"), json!("Delivered"), json!(true))
    );
    until("nothing waits", async || r.metrics.pending.get() == 0).await;
    r.stop().await;
}

#[tokio::test]
async fn seen_again_and_again_a_run_is_written_once() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    for _ in 0..3 {
        let r = Running::start(&w);
        until("let go", async || !held(&w, "trades-1")).await;
        r.stop().await;
        // As if the process had died before the object was marked.
        w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    }
    assert_eq!(entries(&w, id).await, ["run.started", "delivery.ended", "run.ended"]);
    let pool = Database::pool(&w.database.superuser).await;
    let counts: (i64, i64, i64) = sqlx::query_as("SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM artifacts), (SELECT count(*) FROM deliveries)")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(counts, (1, 1, 1));
}

#[tokio::test]
async fn an_older_view_never_takes_an_outcome_back() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let record = |status: Value| recorder::record::record(&w.acme, &run(id, "trades-1", true, status)).unwrap();
    w.db.record(&record(complete(&w, id)), None).await.unwrap();
    w.db.record(
        &record(json!({"phase": "Generating", "deliveries": [{"destination": "bafin", "state": "Pending"}]})),
        None,
    )
    .await
    .unwrap();
    let d = w.get(&format!("/api/v1/runs/{id}"), &w.token("ann", &[Role::Viewer])).await.json();
    assert_eq!(
        (d["run"]["outcome"].clone(), d["deliveries"][0]["state"].clone()),
        (json!("Delivered"), json!("Delivered"))
    );
}

#[tokio::test]
async fn one_of_two_processes_records_and_the_other_takes_over() {
    let w = World::new().await;
    let (a, b) = (Running::start(&w), Running::start(&w));
    until("one leads", async || a.metrics.leader.get() + b.metrics.leader.get() == 1).await;
    let (leader, standby) = if a.metrics.leader.get() == 1 { (a, b) } else { (b, a) };
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(standby.metrics.leader.get(), 0);
    leader.stop().await;
    until("the other leads", async || standby.metrics.leader.get() == 1).await;
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    until("let go", async || !held(&w, "trades-1")).await;
    standby.stop().await;
}

#[tokio::test]
async fn a_run_in_a_namespace_that_is_no_tenant_is_not_touched_unless_it_waits() {
    let w = World::new().await;
    let mut stranger = run(Uuid::new_v4(), "stranger-1", false, json!({}));
    stranger.metadata.namespace = Some("stranger".into());
    w.cluster.put(stranger);
    let r = Running::start(&w);
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    until("its own is let go", async || !held(&w, "trades-1")).await;
    assert!(!w.cluster.log().iter().any(|l| l.contains("stranger")));
    r.stop().await;
}
