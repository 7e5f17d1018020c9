//! Lists and details of runs, live events, violations.

use crate::support::postgres::Database;
use crate::support::{World, condition, run_object, until};
use futures::StreamExt;
use jiff::Timestamp;
use openreg_api::app::Change;
use openreg_api::auth::policy::Role;
use openreg_api::db::runs::page_sql;
use openreg_api::recorder::record::record;
use serde_json::json;
use sqlx::AssertSqlSafe;
use uuid::Uuid;

/// Seven runs, three of them at the same instant.
async fn seven(w: &World) -> Vec<Uuid> {
    let mut ids = Vec::new();
    for i in 0..7_u32 {
        let id = Uuid::from_u128(u128::from(100 - i));
        let report = if i % 2 == 0 { "trades" } else { "positions" };
        let status = if i < 4 {
            json!({"outcome": "Delivered", "conditions": [condition("Complete", "True", "Delivered")]})
        } else {
            json!({})
        };
        let run = run_object(id, &format!("{report}-{i}"), &format!("2026-03-03T18:30:0{}Z", i.min(4)), true, status);
        w.db.record(&record(&w.acme, &run).unwrap(), None).await.unwrap();
        ids.push(id);
    }
    ids
}

#[tokio::test]
async fn pages_give_every_run_once_newest_first() {
    let w = World::new().await;
    let ids = seven(&w).await;
    let token = w.token("ann", &[Role::Viewer]);
    for limit in [1, 2, 3, 7, 50] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = w.get(&format!("/api/v1/runs?limit={limit}{after}"), &token).await.json();
            let items = page["items"].as_array().unwrap();
            assert!(items.len() <= limit);
            seen.extend(items.iter().map(|r| r["id"].as_str().unwrap().parse::<Uuid>().unwrap()));
            let Some(next) = page["next"].as_str() else { break };
            after = format!("&after={next}");
        }
        // 4, 5 and 6 are of one instant: the larger id is first.
        let expected = [4, 5, 6, 3, 2, 1, 0].map(|i: usize| ids[i]);
        assert_eq!(seen, expected, "limit {limit}");
    }
}

#[tokio::test]
async fn filters_work_together_and_over_pages() {
    let w = World::new().await;
    seven(&w).await;
    let token = w.token("ann", &[Role::Viewer]);
    let count = async |query: &str| w.get(&format!("/api/v1/runs?{query}"), &token).await.json()["items"].as_array().unwrap().len();
    assert_eq!(count("report=trades").await, 4);
    assert_eq!(count("outcome=Delivered").await, 4);
    assert_eq!(count("report=positions&outcome=Delivered").await, 2);
    assert_eq!(count("report=nothing").await, 0);
    let page = w.get("/api/v1/runs?report=trades&outcome=Delivered&limit=1", &token).await.json();
    let after = page["next"].as_str().unwrap();
    assert_eq!(count(&format!("report=trades&outcome=Delivered&after={after}")).await, 1);
    for bad in ["after=x", "limit=-1", "limit=x", "unknown=1", "after=WyJ4IiwieCJd"] {
        assert_eq!(w.get(&format!("/api/v1/runs?{bad}"), &token).await.status, 400, "{bad}");
    }
    // Instants that this program reads and the database does not.
    for place in [
        "-009999-01-01T00:00:00.000000Z",
        "2026-03-03T18:30:00+01:00[Europe/Berlin]",
        "2026-03-03T18:30:00.1234567Z",
    ] {
        let after = openreg_api::http::extract::cursor(&(place, Uuid::nil()));
        assert_eq!(w.get(&format!("/api/v1/runs?after={after}"), &token).await.status, 400, "{place}");
    }
}

#[tokio::test]
async fn a_page_of_a_large_history_uses_its_index() {
    let w = World::new().await;
    let pool = Database::pool(&w.database.superuser).await;
    sqlx::query(
        "INSERT INTO runs (tenant, id, name, report, period_start, period_end, trigger, mode, parameters, conditions, outcome, created_at)
         SELECT $1, gen_random_uuid(), 'r-' || i, 'report-' || i % 20, 'a', 'b', 'Manual', 'Full', '{}', '[]', CASE WHEN i % 10 = 0 THEN 'Failed' ELSE 'Delivered' END, now() - make_interval(secs => i)
         FROM generate_series(1, 100000) i",
    )
    .bind(w.acme.uid)
    .execute(&pool)
    .await
    .unwrap();
    sqlx::query("ANALYZE runs").execute(&pool).await.unwrap();
    for (report, outcome, after) in (0..8).map(|i| (i & 1 > 0, i & 2 > 0, i & 4 > 0)) {
        let mut tx = w.db.tenant(w.acme.uid).await.unwrap();
        let sql = format!("EXPLAIN (ANALYZE, COSTS OFF, SUMMARY OFF, TIMING OFF) {}", page_sql(report, outcome, after));
        let plan: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql))
            .bind("report-10")
            .bind("Failed")
            .bind(Timestamp::now().to_string())
            .bind(Uuid::nil())
            .bind(51_i64)
            .fetch_all(&mut *tx)
            .await
            .unwrap();
        let plan = plan.join("\n");
        assert!(plan.contains("Index Scan") && plan.contains("rows=51"), "{plan}");
        assert!(
            !plan.contains("Seq Scan") && !plan.contains("Sort"),
            "report {report}, outcome {outcome}, after {after}:\n{plan}"
        );
    }
}

#[tokio::test]
async fn a_run_is_read_whole_with_its_manifest() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let (key, digest) = w.seal(id, "a.csv", b"x;y\n1;2\n");
    let status = json!({"startedAt": "2026-03-03T18:30:01Z", "reportVersion": "1.4.0", "phase": "Succeeded", "outcome": "Delivered",
        "conditions": [condition("Generated", "True", "Sealed"), condition("Complete", "True", "Delivered")],
        "manifest": {"key": key, "sha256": digest}, "counts": {"read": 3, "reported": 2, "excluded": 1, "dropped": 0, "violations": 3, "artifacts": 1, "bytes": 8},
        "deliveries": [{"destination": "bafin", "state": "Delivered", "attempt": {"number": 1}, "begun": true, "remote": "/in/a.csv", "receiptSha256": "c".repeat(64)}]});
    let run = run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, status);
    let bytes = std::fs::read(w.store.path().join(w.acme.uid.to_string()).join(&key)).unwrap();
    let contents = openreg_api::recorder::manifest::read(&bytes, &digest, &id.to_string()).unwrap();
    w.db.record(&record(&w.acme, &run).unwrap(), Some(&contents)).await.unwrap();
    let token = w.token("ann", &[Role::Operator]);
    let d = w.get(&format!("/api/v1/runs/{id}"), &token).await.json();
    assert_eq!(d["run"]["version"], "1.4.0");
    assert_eq!(d["run"]["counts"]["excluded"], 1);
    assert_eq!(d["artifacts"][0]["sha256"], crate::support::sha256(b"x;y\n1;2\n"));
    assert_eq!(d["deliveries"][0]["remote"], "/in/a.csv");
    assert_eq!(d["rules"][0], json!({"rule": "R-1", "violations": 2}));
    assert_eq!(d["datasets"][0]["read"], 3);
    assert_eq!(d["conditions"][1]["type"], "Complete");
    let v = w.get(&format!("/api/v1/runs/{id}/violations?limit=2"), &token).await.json();
    assert_eq!(
        (v["total"].clone(), v["items"].as_array().unwrap().len(), v["complete"].clone()),
        (json!(3), 2, json!(false))
    );
    let all = w.get(&format!("/api/v1/runs/{id}/violations"), &token).await.json();
    assert_eq!((all["items"].as_array().unwrap().len(), all["complete"].clone()), (3, json!(true)));
    std::fs::remove_dir_all(w.store.path().join(w.acme.uid.to_string()).join("runs")).unwrap();
    assert_eq!(w.get(&format!("/api/v1/runs/{id}/violations"), &token).await.status, 404, "the object is gone");
}

#[tokio::test]
async fn a_run_that_is_not_recorded_yet_is_read_from_its_object() {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let token = w.token("ann", &[Role::Viewer]);
    assert_eq!(w.get(&format!("/api/v1/runs/{id}"), &token).await.status, 404);
    w.cluster
        .put(run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, json!({"phase": "Queued"})));
    assert_eq!(w.get(&format!("/api/v1/runs/{id}"), &token).await.json()["run"]["phase"], "Queued");
    assert_eq!(w.get("/api/v1/runs/not-a-uuid", &token).await.status, 400);
}

#[tokio::test]
async fn changes_arrive_as_events_and_only_ones_own() {
    let w = World::new().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let served = tokio::spawn(openreg_api::serve::serve(w.app.clone(), listener, None, stopped));
    let response = reqwest::Client::new()
        .get(format!("http://{address}/api/v1/runs/stream"))
        .bearer_auth(w.token("ann", &[Role::Viewer]))
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    let mut text = String::new();
    let mut read = async |needle: &str| {
        while !text.contains(needle) {
            let chunk = tokio::time::timeout(std::time::Duration::from_secs(10), body.next())
                .await
                .unwrap_or_else(|_| panic!("no {needle}: {text}"));
            text.push_str(std::str::from_utf8(&chunk.expect("more").unwrap()).unwrap());
        }
        text.clone()
    };
    read(": connected").await;
    // The server's own listener on the database is there when a backend listens.
    let pool = Database::pool(&w.database.superuser).await;
    until("the server listens", async || {
        let sql = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%')";
        sqlx::query_scalar::<_, bool>(sql).fetch_one(&pool).await.unwrap()
    })
    .await;
    let other = openreg_api::cluster::Tenant {
        uid: Uuid::new_v4(),
        namespace: "other".into(),
    };
    let mut foreign = run_object(Uuid::from_u128(1), "foreign-1", "2026-03-03T18:30:00Z", true, json!({}));
    foreign.metadata.namespace = Some("other".into());
    w.db.record(&record(&other, &foreign).unwrap(), None).await.unwrap();
    let id = Uuid::from_u128(2);
    w.db.record(
        &record(
            &w.acme,
            &run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, json!({"phase": "Generating"})),
        )
        .unwrap(),
        None,
    )
    .await
    .unwrap();
    let seen = read("Generating").await;
    assert!(seen.contains("event: run") && seen.contains(&id.to_string()), "{seen}");
    assert!(!seen.contains("foreign"), "{seen}");
    let _ = w.app.changes.send(Change::Gap);
    read("event: gap").await;
    stop.send(true).unwrap();
    tokio::time::timeout(std::time::Duration::from_secs(5), served)
        .await
        .expect("an open event stream does not hold the server up")
        .unwrap()
        .unwrap();
}
