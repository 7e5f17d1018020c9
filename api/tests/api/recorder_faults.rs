//! The recorder while something is away: the database, the store, an object, the other recorder.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openreg_api::auth::policy::Role;
use openreg_api::db::Db;
use openreg_api::recorder::record::record;
use serde_json::json;
use uuid::Uuid;

use crate::support::postgres::Database;
use crate::support::proxy::Proxy;
use crate::support::recorder::{Running, complete, entries, held, run};
use crate::support::{World, run_object, until};

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
    // 21 when the first was seen once more, without its finalizer, just before the database went.
    until("the metrics tell", async || {
        r.metrics.pending.get() >= 20 && r.metrics.oldest_unrecorded.get() > 1.0
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
async fn a_long_list_keeps_neither_the_lost_from_being_marked_nor_the_lock_from_being_held() {
    let w = World::new().await;
    let gone = Uuid::new_v4();
    w.db.record(&record(&w.acme, &run(gone, "gone-1", true, json!({"phase": "Generating"}))).unwrap(), None)
        .await
        .unwrap();
    for i in 0..30 {
        let id = Uuid::new_v4();
        w.cluster.put(run(id, &format!("late-{i}"), true, complete(&w, id)));
    }
    let r = Running::start(&w);
    until("it leads", async || r.metrics.leader.get() == 1).await;
    let marked = until("the missing one is marked", async || entries(&w, gone).await == ["run.lost"]);
    tokio::time::timeout(Duration::from_secs(5), marked).await.expect("within 5 s");
    until("all are let go", async || {
        assert_eq!(r.metrics.leader.get(), 1, "the lock was never lost");
        !(0..30).any(|i| held(&w, &format!("late-{i}")))
    })
    .await;
    let tried_again = r.metrics.failures.get();
    r.stop().await;
    // A view that a mark has overtaken is refused, and only that.
    assert!(tried_again <= 30, "{tried_again}");
}

#[tokio::test]
async fn a_cluster_that_does_not_say_which_tenants_there_are_holds_up_nothing_else() {
    let w = World::new().await;
    let r = Running::start(&w);
    until("it leads", async || r.metrics.leader.get() == 1).await;
    w.cluster.state.lock().unwrap().mute = true;
    // Longer than a list is taken for new.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    // Younger than any list.
    let put = |name: &str| {
        let id = Uuid::new_v4();
        w.cluster.put(run_object(id, name, "2099-01-01T00:00:00Z", true, complete(&w, id)));
    };
    put("trades-0");
    tokio::time::sleep(Duration::from_secs(1)).await;
    put("trades-1");
    // Its loop still hears, and asks for its lock.
    let hears = until("it hears", async || r.metrics.pending.get() == 2);
    tokio::time::timeout(Duration::from_secs(3), hears).await.expect("while the list hangs");
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(r.metrics.leader.get(), 1);
    w.cluster.state.lock().unwrap().mute = false;
    until("both are let go", async || !held(&w, "trades-0") && !held(&w, "trades-1")).await;
    r.stop().await;
}
