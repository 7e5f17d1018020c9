//! The audit chain: whole under concurrency, append-only for everybody, verifiable from outside.

use crate::support::postgres::Database;
use crate::support::{PASSWORD, World};
use openreg_api::auth::policy::Role;
use openreg_api::db::audit::{self, NewEntry};
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

async fn export(w: &World) -> String {
    let a = w.get("/api/v1/audit/export", &w.token("eve", &[Role::Auditor])).await;
    assert_eq!((a.status.as_u16(), a.headers["content-type"].to_str().unwrap()), (200, "application/x-ndjson"));
    String::from_utf8(a.body).unwrap()
}

#[tokio::test]
async fn fifty_writers_at_once_make_one_chain() {
    let w = World::new().await;
    let writers = (0..50).map(|i| {
        let (db, tenant) = (w.db.clone(), w.acme.uid);
        tokio::spawn(async move {
            let mut tx = db.tenant(tenant).await.unwrap();
            audit::append(
                &mut tx,
                tenant,
                &NewEntry::new("ann", "test.write", format!("n/{i}"), json!({"z": i, "a": {"ü": [1.5, null, "\u{0007}\"\\"]}})),
            )
            .await
            .unwrap();
            tx.commit().await.unwrap();
        })
    });
    for writer in writers {
        writer.await.unwrap();
    }
    let text = export(&w).await;
    assert_eq!(text.lines().count(), 51, "fifty, and the export itself");
    let verified = crate::support::verify(&text, w.acme.uid);
    assert!(verified.is_ok(), "{verified:?}");
    // The test can fail: one letter of one entry.
    let forged = text.replacen("\"subject\":\"n/7\"", "\"subject\":\"n/8\"", 1);
    assert_ne!(forged, text);
    assert!(crate::support::verify(&forged, w.acme.uid).is_err());
    let mut lines: Vec<&str> = text.lines().collect();
    lines.remove(20);
    assert!(crate::support::verify(&lines.join("\n"), w.acme.uid).is_err(), "an entry is missing");
}

#[tokio::test]
async fn an_entry_goes_with_what_it_records() {
    let w = World::new().await;
    let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
    audit::append(&mut tx, w.acme.uid, &NewEntry::new("ann", "test.write", "gone", json!({})))
        .await
        .unwrap();
    tx.rollback().await.unwrap();
    let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
    audit::append(&mut tx, w.acme.uid, &NewEntry::new("ann", "test.write", "kept", json!({})))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    assert_eq!(w.audit().await, [("test.write".to_owned(), "kept".to_owned())]);
    assert!(crate::support::verify(&export(&w).await, w.acme.uid).is_ok(), "no number is missing");
}

#[tokio::test]
async fn once_is_once_however_often_and_from_how_many() {
    let w = World::new().await;
    let write = |i: i32| {
        let (db, tenant) = (w.db.clone(), w.acme.uid);
        tokio::spawn(async move {
            let mut tx = db.tenant(tenant).await.unwrap();
            audit::append_once(&mut tx, tenant, &NewEntry::by_recorder("run.ended", "run/1", json!({"i": i})))
                .await
                .unwrap();
            tx.commit().await.unwrap();
        })
    };
    for task in (0..10).map(write).collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(w.audit().await.len(), 1);
    // And the database itself refuses a second.
    let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
    assert!(
        audit::append(&mut tx, w.acme.uid, &NewEntry::by_recorder("run.ended", "run/1", json!({})))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn entries_cannot_be_changed_or_removed_not_even_by_the_owner() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    w.login("acme", "ann", PASSWORD).await;
    let before = export(&w).await;
    let (owner, superuser) = (Database::pool(&w.database.owner).await, Database::pool(&w.database.superuser).await);
    for sql in [
        "UPDATE audit SET actor = 'eve'",
        "DELETE FROM audit",
        "TRUNCATE audit",
        "UPDATE audit SET detail = '{}' WHERE seq = 1",
    ] {
        let mut app = w.db.tenant(w.acme.uid).await.unwrap();
        let error = app.execute(AssertSqlSafe(sql)).await.expect_err(sql).to_string();
        assert!(error.contains("permission denied"), "{sql}: {error}");
        // A superuser is not bound by row-level security; the trigger binds them all the same.
        let error = superuser.execute(AssertSqlSafe(sql)).await.expect_err(sql).to_string();
        assert!(error.contains("append-only"), "{sql}: {error}");
        let mut tx = owner.begin().await.unwrap();
        sqlx::query("SELECT set_config('openreg.tenant', $1, true)")
            .bind(w.acme.uid.to_string())
            .execute(&mut *tx)
            .await
            .unwrap();
        match tx.execute(AssertSqlSafe(sql)).await {
            // No policy lets an owner touch a row.
            Ok(done) => assert_eq!(done.rows_affected(), 0, "{sql}"),
            Err(error) => assert!(error.to_string().contains("append-only"), "{sql}: {error}"),
        }
    }
    assert!(export(&w).await.starts_with(&before));
}

#[tokio::test]
async fn an_entry_that_does_not_continue_the_chain_is_refused() {
    let w = World::new().await;
    w.user("ann", &[Role::Viewer], false).await;
    w.login("acme", "ann", PASSWORD).await;
    let zero = "decode(repeat('00', 32), 'hex')";
    let last = "(SELECT hash FROM audit ORDER BY seq DESC LIMIT 1)";
    for (what, seq, prev) in [("a gap", 3, last), ("a fork", 1, zero), ("a wrong link", 2, zero)] {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let sql = format!(
            "INSERT INTO audit VALUES ('{}', {seq}, now(), 'eve', 'x.y', 'z', '{{}}', {prev}, {zero})",
            w.acme.uid
        );
        let error = tx.execute(AssertSqlSafe(sql)).await.expect_err(what).to_string();
        assert!(error.contains("does not continue the chain"), "{what}: {error}");
    }
}

#[tokio::test]
async fn pages_go_back_to_the_first_entry() {
    let w = World::new().await;
    for i in 0..7 {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let action = if i % 2 == 0 { "test.even" } else { "test.odd" };
        audit::append(&mut tx, w.acme.uid, &NewEntry::new("ann", action, format!("n/{i}"), json!({})))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let token = w.token("eve", &[Role::Auditor]);
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = w.get(&format!("/api/v1/audit?limit=3{after}"), &token).await.json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|e| e["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!(seen, [7, 6, 5, 4, 3, 2, 1]);
    let odd = w.get("/api/v1/audit?action=test.odd", &token).await.json();
    assert_eq!(odd["items"].as_array().unwrap().len(), 3);
    let one = w.get("/api/v1/audit?subject=n/4", &token).await.json();
    assert_eq!(one["items"][0]["subject"], "n/4");
    assert_eq!(w.get("/api/v1/audit?after=zzz", &token).await.status, 400);
    assert_eq!(w.get("/api/v1/audit?nope=1", &token).await.status, 400);
}

#[tokio::test]
async fn a_subject_is_listed_with_what_belongs_to_it_and_nothing_else() {
    let w = World::new().await;
    for subject in ["run/1", "run/1/delivery/bank", "run/10", "run/1-2", "run/10/delivery/bank", "run"] {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        audit::append(&mut tx, w.acme.uid, &NewEntry::new("ann", "x.y", subject, json!({})))
            .await
            .unwrap();
        tx.commit().await.unwrap();
    }
    let page = w.get("/api/v1/audit?subject=run/1", &w.token("eve", &[Role::Auditor])).await.json();
    let subjects: Vec<_> = page["items"].as_array().unwrap().iter().map(|e| e["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, ["run/1/delivery/bank", "run/1"]);
}
