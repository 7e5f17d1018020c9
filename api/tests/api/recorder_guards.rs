//! What the recorder does not believe: an id that somebody else's run has, an older view, a mark that the history does not bear
//! out, a lock whose holder is silent.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openreg_api::auth::policy::Role;
use openreg_api::db::record::Written;
use openreg_api::recorder::Leader;
use openreg_api::recorder::manifest;
use openreg_api::recorder::queue::View;
use openreg_api::recorder::record::record;
use openreg_api::recorder::settle::{Recorder, Trouble};
use openreg_crds::ReportRun;
use serde_json::json;
use uuid::Uuid;

use crate::support::recorder::{Running, complete, entries, held, run, settler};
use crate::support::{World, condition, run_object, until};

async fn detail(w: &World, id: Uuid) -> serde_json::Value {
    w.get(&format!("/api/v1/runs/{id}"), &w.token("ann", &[Role::Viewer])).await.json()
}

fn reason(w: &World, name: &str) -> String {
    let conditions = w.cluster.run_named("acme", name).unwrap().status.unwrap_or_default().conditions;
    conditions.iter().find(|c| c.type_ == "Recorded").map(|c| c.reason.clone()).unwrap_or_default()
}

#[tokio::test]
async fn a_run_with_the_id_of_another_changes_nothing_of_it_and_is_written_down() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    w.cluster.put(run(id, "trades-1", true, complete(&w, id)));
    let r = Running::start(&w);
    until("the first is let go", async || !held(&w, "trades-1")).await;
    let before = detail(&w, id).await;
    let mut forged = complete(&w, id);
    forged["manifest"]["sha256"] = json!("f".repeat(64));
    forged["deliveries"][0]["remote"] = json!("/elsewhere");
    w.cluster.put(run(id, "forged-1", true, forged));
    until("it says why it is not recorded", async || reason(&w, "forged-1") == "IdTaken").await;
    assert_eq!(detail(&w, id).await, before);
    let of_forged: Vec<String> = w.audit().await.into_iter().filter(|e| e.1.contains("/object/forged-1/")).map(|e| e.0).collect();
    assert_eq!(
        of_forged,
        ["run.idTaken", "run.started", "delivery.ended", "run.ended"],
        "what it did can be proved"
    );
    assert_eq!(w.cluster.log().iter().filter(|l| *l == "mark forged-1 IdTaken").count(), 1);
    // Whoever deletes it is not made to wait.
    w.cluster.delete("acme", "forged-1", Timestamp::now());
    until("it goes", async || w.cluster.run_named("acme", "forged-1").is_none()).await;
    r.stop().await;
}

fn failed() -> serde_json::Value {
    json!({"startedAt": "2026-03-03T18:30:01Z", "outcome": "Failed", "phase": "Failed", "conditions": [condition("Started", "True", "Running"), condition("Complete", "True", "Failed")]})
}

/// The second object of one file: deleted and applied again, or replaced by force.
fn later(id: Uuid, name: &str, status: serde_json::Value) -> ReportRun {
    run_object(id, name, "2026-03-03T19:00:00Z", true, status)
}

#[tokio::test]
async fn a_run_of_the_same_file_applied_again_changes_nothing_of_the_first() {
    let w = World::new().await;
    for (name, second) in [("trades-1", "Delivered"), ("trades-2", "Failed"), ("trades-3", "Generating")] {
        let id = Uuid::new_v4();
        w.cluster.put(run(id, name, true, failed()));
        let r = Running::start(&w);
        until("the first is let go", async || !held(&w, name)).await;
        w.cluster.delete("acme", name, Timestamp::now());
        until("it goes", async || w.cluster.run_named("acme", name).is_none()).await;
        let before = detail(&w, id).await;
        let status = match second {
            "Delivered" => complete(&w, id),
            "Failed" => json!({"startedAt": "2026-03-03T19:00:01Z", "finishedAt": "2026-03-03T19:00:09Z", "outcome": "Failed", "phase": "Failed",
                "conditions": [condition("Started", "True", "Running"), condition("Complete", "True", "Failed")]}),
            phase => json!({"phase": phase, "startedAt": "2026-03-03T19:00:01Z", "conditions": [condition("Started", "True", "Running")]}),
        };
        w.cluster.put(later(id, name, status));
        until("it says why it is not recorded", async || reason(&w, name) == "IdTaken").await;
        r.stop().await;
        let after = detail(&w, id).await;
        assert_eq!(after, before, "{name}");
        assert_eq!((after["artifacts"].clone(), after["manifestRead"].clone()), (json!([]), json!(false)), "{name}");
        let trail = w.audit().await;
        let of = |subject: String| trail.iter().filter(|e| e.1.starts_with(&subject)).map(|e| e.0.as_str()).collect::<Vec<_>>();
        let second_has = of(format!("run/{id}/object/{name}/2026-03-03T19:00:00Z"));
        let expected: &[&str] = match second {
            "Delivered" => &["run.idTaken", "run.started", "delivery.ended", "run.ended"],
            "Failed" => &["run.idTaken", "run.started", "run.ended"],
            _ => &["run.idTaken", "run.started"],
        };
        assert_eq!(second_has, expected, "{name}: what the second did can be proved");
        assert_eq!(of(format!("run/{id}")).len(), 2 + expected.len(), "{name}: the first has its start and its end");
    }
}

#[tokio::test]
async fn an_open_run_whose_object_was_made_anew_is_lost() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let written = async |run: &ReportRun| w.db.record(&record(&w.acme, run).unwrap(), None).await.unwrap();
    assert_eq!(written(&run(id, "trades-1", true, json!({"phase": "Generating"}))).await, Written::Run);
    // Nobody saw the first go, and its id is alive: the name says that it is gone.
    let view = View {
        run: later(id, "trades-1", json!({"phase": "Generating"})),
        gone: false,
    };
    w.cluster.put(view.run.clone());
    settler(&w).settle(&w.acme, &view, Timestamp::now()).await.unwrap();
    assert!(detail(&w, id).await["run"]["lostAt"].is_string());
    assert!(entries(&w, id).await.contains(&"run.lost".to_owned()));
    // Another name says nothing of it, and neither does an older view.
    let other = Uuid::new_v4();
    assert_eq!(written(&later(other, "trades-2", json!({"phase": "Generating"}))).await, Written::Run);
    for older in [run(other, "trades-2", true, json!({})), later(other, "forged-2", json!({}))] {
        assert!(
            matches!(written(&older).await, Written::IdTaken { gone: false, .. }),
            "{:?}",
            older.metadata.name
        );
    }
}

#[tokio::test]
async fn an_older_view_adds_no_file_to_what_an_ended_run_sealed() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let status = complete(&w, id);
    let (key, digest) = (status["manifest"]["key"].as_str().unwrap(), status["manifest"]["sha256"].as_str().unwrap());
    let bytes = std::fs::read(w.store.path().join(w.acme.uid.to_string()).join(key)).unwrap();
    let contents = manifest::read(&bytes, digest, &id.to_string()).unwrap();
    let of = |status| record(&w.acme, &run(id, "trades-1", true, status)).unwrap();
    w.db.record(&of(failed()), None).await.unwrap();
    w.db.record(&of(status.clone()), Some(&contents)).await.unwrap();
    let d = detail(&w, id).await;
    assert_eq!((d["artifacts"].clone(), d["manifestRead"].clone()), (json!([]), json!(false)));
    // The manifest that the row names is taken, whichever view brings it.
    let own = Uuid::new_v4();
    let ended = complete(&w, own);
    let bytes = std::fs::read(w.store.path().join(w.acme.uid.to_string()).join(format!("runs/{own}/manifest.json"))).unwrap();
    let contents = manifest::read(&bytes, ended["manifest"]["sha256"].as_str().unwrap(), &own.to_string()).unwrap();
    let of = |status| record(&w.acme, &run(own, "trades-2", true, status)).unwrap();
    w.db.record(&of(ended.clone()), None).await.unwrap();
    let mut older = ended;
    older["conditions"] = json!([condition("Started", "True", "Running")]);
    w.db.record(&of(older), Some(&contents)).await.unwrap();
    assert_eq!(detail(&w, own).await["artifacts"][0]["name"], "a.csv");
}

#[tokio::test]
async fn what_an_ended_run_sealed_is_never_changed() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let written = async |status| w.db.record(&record(&w.acme, &run(id, "trades-1", true, status)).unwrap(), None).await.unwrap();
    assert_eq!(written(complete(&w, id)).await, Written::Run);
    let before = detail(&w, id).await;
    let mut other = complete(&w, id);
    other["manifest"]["sha256"] = json!("f".repeat(64));
    written(other).await;
    assert_eq!(detail(&w, id).await["manifest"], before["manifest"]);
}

#[tokio::test]
async fn a_run_that_says_it_is_recorded_is_recorded_all_the_same_when_the_history_lacks_it() {
    let w = World::new().await;
    let (held_one, kept) = (Uuid::new_v4(), Uuid::new_v4());
    // As after a restore of the database from a backup: the objects were marked, the rows are gone.
    let marked = |id: Uuid| {
        let mut status = complete(&w, id);
        status["conditions"].as_array_mut().unwrap().push(condition("Recorded", "True", "Recorded"));
        status
    };
    w.cluster.put(run(held_one, "held-1", true, marked(held_one)));
    w.cluster.put(run(kept, "kept-1", false, marked(kept)));
    let r = Running::start(&w);
    until("let go", async || !held(&w, "held-1")).await;
    for id in [held_one, kept] {
        until("written", async || entries(&w, id).await == ["run.started", "delivery.ended", "run.ended"]).await;
        assert_eq!(detail(&w, id).await["artifacts"][0]["name"], "a.csv");
    }
    assert!(!w.cluster.log().iter().any(|l| l.starts_with("mark")), "the mark was there");
    r.stop().await;
}

#[tokio::test]
async fn a_run_that_is_gone_waits_for_its_manifest_no_longer_than_the_grace_period() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let mut status = complete(&w, id);
    let now = Timestamp::now();
    status["finishedAt"] = json!(now.round(jiff::Unit::Second).unwrap());
    let view = View {
        run: run(id, "trades-1", false, status),
        gone: true,
    };
    let store = w.cluster.state.lock().unwrap().stores.remove("acme").unwrap();
    let recorder = Recorder {
        grace: SignedDuration::from_mins(10),
        ..settler(&w)
    };
    let early = recorder.settle(&w.acme, &view, now).await;
    assert!(matches!(early, Err(Trouble::Store(_))), "{early:?}: to be tried again");
    assert_eq!(detail(&w, id).await["run"]["outcome"], "Delivered", "what the object says is there");
    // The store comes back.
    w.cluster.state.lock().unwrap().stores.insert("acme".into(), store);
    recorder.settle(&w.acme, &view, now).await.unwrap();
    assert_eq!(detail(&w, id).await["manifestRead"], true);
    // Another's does not.
    let other = Uuid::new_v4();
    let view = View {
        run: run(other, "trades-2", false, {
            let mut status = complete(&w, other);
            status["finishedAt"] = json!(now.round(jiff::Unit::Second).unwrap());
            status
        }),
        gone: true,
    };
    w.cluster.state.lock().unwrap().stores.clear();
    recorder.settle(&w.acme, &view, now + SignedDuration::from_mins(11)).await.unwrap();
    assert!(entries(&w, other).await.contains(&"run.recordedWithoutManifest".to_owned()));
}

#[tokio::test]
async fn a_run_that_cannot_be_written_does_not_keep_all_from_being_listed() {
    let w = World::new().await;
    let (stuck, missed) = (Uuid::new_v4(), Uuid::new_v4());
    let status = complete(&w, stuck);
    std::fs::remove_dir_all(w.store.path().join(w.acme.uid.to_string())).unwrap();
    w.cluster.put(run(stuck, "stuck-1", true, status));
    let r = Running::listing(&w, Duration::from_millis(500));
    until("it is stuck", async || reason(&w, "stuck-1") == "ManifestMissing").await;
    // A run of which the watch says nothing.
    let object = run(missed, "missed-1", true, complete(&w, missed));
    w.cluster.state.lock().unwrap().runs.insert(("acme".into(), "missed-1".into()), object);
    until("a list finds it", async || !held(&w, "missed-1")).await;
    assert!(held(&w, "stuck-1"));
    assert!(r.metrics.oldest_unrecorded.get() > 0.5, "and it is not forgotten for how long the other waits");
    r.stop().await;
}

#[tokio::test]
async fn a_run_that_cannot_be_read_is_not_taken_for_lost() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    w.db.record(&record(&w.acme, &run(id, "odd-1", true, json!({"phase": "Generating"}))).unwrap(), None)
        .await
        .unwrap();
    w.cluster.state.lock().unwrap().unreadable.push(("acme".into(), "odd-1".into()));
    let r = Running::listing(&w, Duration::from_millis(300));
    until("three lists", async || w.cluster.log().iter().filter(|l| *l == "list").count() > 3).await;
    assert_eq!(r.metrics.unreadable.get(), 1);
    assert_eq!(entries(&w, id).await, Vec::<String>::new());
    // Somebody removes it.
    w.cluster.state.lock().unwrap().unreadable.clear();
    until("it is lost now", async || entries(&w, id).await == ["run.lost"]).await;
    assert_eq!(r.metrics.unreadable.get(), 0);
    r.stop().await;
}

#[tokio::test]
async fn a_leader_that_falls_silent_loses_the_lock_though_its_connection_stays() {
    let w = World::new().await;
    let silence = Duration::from_secs(2);
    let (mut frozen, mut other) = (Leader::with_silence(w.db.clone(), silence), Leader::with_silence(w.db.clone(), silence));
    assert!(frozen.hold().await.unwrap());
    for _ in 0..6 {
        // As long as it speaks it keeps it.
        tokio::time::sleep(silence / 4).await;
        assert!(frozen.hold().await.unwrap());
        assert!(!other.hold().await.unwrap());
    }
    until("the other leads", async || other.hold().await.unwrap()).await;
    assert!(frozen.hold().await.is_err(), "and the first finds out");
    assert!(!frozen.hold().await.unwrap());
}
