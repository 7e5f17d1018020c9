//! The recorder against a cluster in memory and a real database: nothing lost, nothing twice, nothing let go too early.
#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    unreachable_pub,
    reason = "a test that cannot go on says where; its support is shared"
)]

mod support;

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use openreg_api::auth::policy::Role;
use openreg_api::db::Db;
use openreg_api::metrics::RecorderMetrics;
use openreg_api::recorder::settle::{GRACE, Recorder};
use openreg_api::recorder::{self, Leader};
use openreg_api::stores::Stores;
use openreg_crds::ReportRun;
use serde_json::{Value, json};
use support::postgres::Database;
use support::proxy::Proxy;
use support::{World, condition, run_object, until};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
    metrics: RecorderMetrics,
}

impl Running {
    fn start(w: &World) -> Self {
        Self::with(w, GRACE)
    }

    fn with(w: &World, grace: SignedDuration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (metrics, cluster) = (RecorderMetrics::default(), w.cluster.clone());
        let recorder = Recorder {
            db: w.db.clone(),
            cluster: cluster.clone(),
            stores: Stores::new(cluster.clone(), "/nowhere".into()),
            grace,
        };
        let (leader, counted) = (Leader::new(w.db.clone()), metrics.clone());
        let task = tokio::spawn(async move { recorder::run(recorder, leader, counted, move || cluster.feed(), stopped).await });
        Self { stop, task, metrics }
    }

    async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

fn complete(w: &World, id: Uuid) -> Value {
    let (key, digest) = w.seal(id, "a.csv", b"x;y\n1;2\n");
    json!({"startedAt": "2026-03-03T18:30:01Z", "outcome": "Delivered", "phase": "Succeeded", "conditions": [condition("Started", "True", "Running"), condition("Complete", "True", "Delivered")],
        "manifest": {"key": key, "sha256": digest}, "deliveries": [{"destination": "bafin", "state": "Delivered", "receiptSha256": "c".repeat(64)}]})
}

fn run(id: Uuid, name: &str, finalizer: bool, status: Value) -> ReportRun {
    run_object(id, name, "2026-03-03T18:30:00Z", finalizer, status)
}

fn held(w: &World, name: &str) -> bool {
    w.cluster.run_named("acme", name).is_some_and(|r| recorder::record::is_held(&r))
}

async fn entries(w: &World, id: Uuid) -> Vec<String> {
    let subject = format!("run/{id}");
    w.audit().await.into_iter().filter(|e| e.1.starts_with(&subject)).map(|e| e.0).collect()
}

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
    assert_eq!(r.metrics.pending.get(), 0);
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
async fn while_the_database_is_down_runs_wait_and_are_caught_up() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::before(&database.login).await;
    let db = Db::open(&url, 8).unwrap();
    let w = World::over(database, db).await;
    let r = Running::start(&w);
    let first = Uuid::new_v4();
    w.cluster.put(run(first, "trades-1", true, complete(&w, first)));
    until("the first is let go", async || !held(&w, "trades-1")).await;
    proxy.shut();
    let ids: Vec<Uuid> = (0..20).map(|_| Uuid::new_v4()).collect();
    for (i, id) in ids.iter().enumerate() {
        w.cluster.put(run(*id, &format!("late-{i}"), true, complete(&w, *id)));
    }
    // Somebody deletes one: it must stay until it is stored.
    w.cluster.delete("acme", "late-0", Timestamp::now());
    until("the metrics tell", async || {
        r.metrics.pending.get() == 20 && r.metrics.oldest_unrecorded.get() > 1.0
    })
    .await;
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    assert!((0..20).all(|i| held(&w, &format!("late-{i}"))), "nothing may go");
    proxy.reopen();
    until("all are let go", async || !(0..20).any(|i| held(&w, &format!("late-{i}")))).await;
    assert_eq!(w.cluster.run_named("acme", "late-0"), None, "the deleted one is gone");
    for id in ids {
        assert_eq!(entries(&w, id).await, ["run.started", "delivery.ended", "run.ended"]);
    }
    r.stop().await;
}

#[tokio::test]
async fn a_recorder_that_starts_without_a_database_catches_up_when_it_comes() {
    let database = Database::migrated().await;
    let (proxy, url) = Proxy::before(&database.login).await;
    let w = World::over(database, Db::open(&url, 8).unwrap()).await;
    proxy.shut();
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    let r = Running::start(&w);
    until("it knows what waits", async || r.metrics.pending.get() == 1).await;
    proxy.reopen();
    until("let go", async || !held(&w, "trades-1")).await;
    r.stop().await;
}

#[tokio::test]
async fn without_its_manifest_a_run_is_not_let_go_and_says_why() {
    let w = World::new().await;
    let (missing, changed) = (Uuid::new_v4(), Uuid::new_v4());
    let status = complete(&w, missing);
    let path = w.store.path().join(w.acme.uid.to_string()).join(format!("runs/{missing}/manifest.json"));
    let manifest = std::fs::read(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    w.cluster.put(run(missing, "missing-1", true, status));
    let mut status = complete(&w, changed);
    status["manifest"]["sha256"] = json!("0".repeat(64));
    w.cluster.put(run(changed, "changed-1", true, status));
    let r = Running::start(&w);
    let reason = |name: &str| {
        let run = w.cluster.run_named("acme", name).unwrap();
        run.status
            .unwrap()
            .conditions
            .iter()
            .find(|c| c.type_ == "Recorded")
            .map(|c| c.reason.clone())
            .unwrap_or_default()
    };
    until("both say why", async || {
        reason("missing-1") == "ManifestMissing" && reason("changed-1") == "ManifestChanged"
    })
    .await;
    assert!(held(&w, "missing-1") && held(&w, "changed-1"));
    // What the object says is in the history all the same.
    assert_eq!(entries(&w, missing).await, ["run.started", "delivery.ended", "run.ended"]);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let marks = w.cluster.log().iter().filter(|l| l.starts_with("mark missing-1")).count();
    assert_eq!(marks, 1, "said once: each mark wakes the watch");
    std::fs::write(&path, manifest).unwrap();
    until("the store is back", async || !held(&w, "missing-1")).await;
    assert_eq!(reason("missing-1"), "Recorded");
    assert!(held(&w, "changed-1"));
    r.stop().await;
}

#[tokio::test]
async fn a_deleted_run_without_its_store_goes_after_the_grace_period_and_the_history_says_so() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    w.cluster.state.lock().unwrap().stores.clear();
    w.cluster.delete("acme", "trades-1", Timestamp::now());
    let r = Running::start(&w);
    until("it says why it waits", async || {
        w.cluster.log().contains(&"mark trades-1 StoreUnavailable".to_owned())
    })
    .await;
    assert!(held(&w, "trades-1"));
    r.stop().await;
    let r = Running::with(&w, SignedDuration::from_secs(0));
    until("it goes", async || w.cluster.run_named("acme", "trades-1").is_none()).await;
    assert!(entries(&w, id).await.contains(&"run.recordedWithoutManifest".to_owned()));
    r.stop().await;
}

#[tokio::test]
async fn a_run_whose_object_vanished_is_marked() {
    let w = World::new().await;
    let (open, gone) = (Uuid::new_v4(), Uuid::new_v4());
    w.cluster.put(run(open, "open-1", true, json!({"phase": "Generating"})));
    w.cluster.put(run(gone, "gone-1", true, json!({"phase": "Generating"})));
    let r = Running::start(&w);
    let token = w.token("ann", &[Role::Viewer]);
    let lost = async |id: Uuid| {
        let a = w.get(&format!("/api/v1/runs/{id}"), &token).await;
        a.status == 200 && a.json()["run"]["lostAt"].is_string()
    };
    until("both are known", async || {
        w.get("/api/v1/runs", &token).await.json()["items"].as_array().unwrap().len() == 2
    })
    .await;
    r.stop().await;
    // The finalizer was removed by hand while nobody looked.
    w.cluster.state.lock().unwrap().runs.remove(&("acme".to_owned(), "gone-1".to_owned()));
    let r = Running::start(&w);
    until("the missing one is marked", async || lost(gone).await).await;
    assert!(!lost(open).await);
    assert_eq!(entries(&w, gone).await, ["run.lost"]);
    r.stop().await;
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
    let _ = Arc::strong_count(&w.cluster);
    r.stop().await;
}
