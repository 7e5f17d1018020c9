//! Starting and stopping runs: what the cluster is asked, what the audit trail says, what bad input gets.

use crate::support::{Answer, World, condition, run_object};
use axum::body::Body;
use axum::http::Request;
use openreg_api::auth::policy::Role;
use openreg_crds::Report;
use serde_json::{Value, json};
use uuid::Uuid;

fn report() -> Report {
    serde_json::from_value(
        json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": {"name": "trades", "namespace": "acme"},
        "spec": {"version": "1.4.0", "title": "Trades", "parameters": [{"name": "lei", "type": "String", "pattern": "[A-Z0-9]{20}", "required": true}],
            "source": {"datasets": [{"name": "trades", "connectorRef": "db", "query": "SELECT 1"}]}, "output": {"csv": {}}, "file": {"name": "a.csv"}},
        "status": {"conditions": [condition("Ready", "True", "Valid")]}}),
    )
    .unwrap()
}

async fn world() -> (World, String) {
    let w = World::new().await;
    w.cluster.state.lock().unwrap().reports.insert(("acme".into(), "trades".into()), report());
    let token = w.token("ann", &[Role::Operator]);
    (w, token)
}

fn request() -> Value {
    json!({"report": "trades", "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}, "parameters": {"lei": "529900T8BM49AURSDO55"}})
}

async fn start(w: &World, token: &str, key: Option<&str>, body: &Value) -> Answer {
    let mut request = Request::post("/api/v1/runs")
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json");
    if let Some(key) = key {
        request = request.header("idempotency-key", key);
    }
    w.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_run_is_created_for_the_user_and_held_from_its_first_moment() {
    let (w, token) = world().await;
    let a = start(&w, &token, None, &request()).await;
    assert_eq!(a.status, 201, "{a:?}");
    let run = a.json();
    let (id, name) = (run["run"]["id"].as_str().unwrap().to_owned(), run["run"]["name"].as_str().unwrap().to_owned());
    assert_eq!(a.headers["location"], format!("/api/v1/runs/{id}"));
    let object = w.cluster.run_named("acme", &name).unwrap();
    assert_eq!(object.spec.requested_by.as_deref(), Some("ann"));
    assert_eq!(object.spec.id, id);
    assert!(openreg_api::recorder::record::is_held(&object));
    assert_eq!(w.audit().await, [("start.requested".to_owned(), format!("run/{id}"))]);
    assert_eq!(
        w.get(&format!("/api/v1/runs/{id}"), &token).await.status,
        200,
        "before the recorder has seen it"
    );
}

#[tokio::test]
async fn the_same_key_starts_one_run() {
    let (w, token) = world().await;
    let first = start(&w, &token, Some("k-1"), &request()).await;
    let second = start(&w, &token, Some("k-1"), &request()).await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 200));
    assert_eq!(first.json()["run"]["id"], second.json()["run"]["id"]);
    let mut other = request();
    other["mode"] = json!("GenerateOnly");
    assert_eq!(start(&w, &token, Some("k-1"), &other).await.status, 409);
    assert_eq!(start(&w, &token, Some("k-2"), &request()).await.status, 201);
    assert_eq!(start(&w, &token, Some(""), &request()).await.status, 400);
    assert_eq!(w.cluster.log().iter().filter(|l| l.starts_with("create")).count(), 2);
}

#[tokio::test]
async fn a_key_never_makes_two_objects_of_one_identity() {
    let (w, token) = world().await;
    let mut positions = report();
    positions.metadata.name = Some("positions".into());
    w.cluster.state.lock().unwrap().reports.insert(("acme".into(), "positions".into()), positions);
    let mut other = request();
    other["report"] = json!("positions");
    let (a, b) = (start(&w, &token, Some("k-1"), &request()).await, start(&w, &token, Some("k-1"), &other).await);
    assert_eq!((a.status.as_u16(), b.status.as_u16()), (201, 201));
    assert_ne!(a.json()["run"]["id"], b.json()["run"]["id"], "another report, another run");
    let eve = w.token_for(&w.acme, "eve", Uuid::from_u128(77), &[Role::Operator]);
    let c = start(&w, &eve, Some("k-1"), &request()).await;
    assert_ne!(a.json()["run"]["id"], c.json()["run"]["id"], "another user, another run");
}

#[tokio::test]
async fn a_key_is_good_when_the_run_has_ended_and_its_object_is_gone() {
    let (w, token) = world().await;
    let first = start(&w, &token, Some("k-1"), &request()).await.json();
    let name = first["run"]["name"].as_str().unwrap();
    let mut run = w.cluster.run_named("acme", name).unwrap();
    run.status = serde_json::from_value(json!({"reportVersion": "1.4.0", "conditions": [condition("Complete", "True", "Delivered")]})).unwrap();
    w.db.record(&openreg_api::recorder::record::record(&w.acme, &run).unwrap(), None).await.unwrap();
    w.cluster.state.lock().unwrap().runs.clear();
    // Even the report may be gone.
    w.cluster.state.lock().unwrap().reports.clear();
    let again = start(&w, &token, Some("k-1"), &request()).await;
    assert_eq!(again.status, 200, "{again:?}");
    assert_eq!(
        (again.json()["run"]["id"].clone(), again.json()["run"]["outcome"].clone()),
        (first["run"]["id"].clone(), json!("Delivered"))
    );
    let mut other = request();
    other["parameters"]["lei"] = json!("529900T8BM49AURSDO56");
    assert_eq!(start(&w, &token, Some("k-1"), &other).await.status, 409);
    let mut versioned = request();
    versioned["version"] = json!("1.3.0");
    assert_eq!(start(&w, &token, Some("k-1"), &versioned).await.status, 409);
    assert_eq!(w.cluster.log().iter().filter(|l| l.starts_with("create")).count(), 1);
    let id = first["run"]["id"].as_str().unwrap();
    let cancel = w.post(&format!("/api/v1/runs/{id}/cancel"), Some(&token), json!({"reason": "late"})).await;
    assert_eq!(cancel.status, 409, "it is there, and has ended");
    assert!(cancel.json()["detail"].as_str().unwrap().contains("has ended: Delivered"));
}

#[tokio::test]
async fn without_an_answer_the_audit_trail_does_not_say_refused() {
    let (w, token) = world().await;
    w.cluster.state.lock().unwrap().silent = true;
    assert_eq!(start(&w, &token, Some("k-1"), &request()).await.status, 503);
    let actions: Vec<String> = w.audit().await.into_iter().map(|e| e.0).collect();
    assert_eq!(actions, ["start.requested", "start.unanswered"]);
    assert_eq!(start(&w, &token, Some("k-1"), &request()).await.status, 200, "it was made after all");
}

#[tokio::test]
async fn bad_requests_name_their_fields_and_start_nothing() {
    let (w, token) = world().await;
    let with = |path: &str, value: Value| {
        let mut body = request();
        *body.pointer_mut(path).unwrap() = value;
        body
    };
    for (what, body, fields) in [
        ("parameter", with("/parameters", json!({"lei": "short"})), vec!["parameters.lei"]),
        (
            "missing and unknown",
            with("/parameters", json!({"lie": "x"})),
            vec!["parameters.lie", "parameters.lei"],
        ),
        (
            "turned round",
            with("/period", json!({"start": "2026-03-03T00:00:00Z", "end": "2026-03-02T00:00:00Z"})),
            vec!["period.end"],
        ),
        (
            "no zone",
            with("/period", json!({"start": "2026-03-02T00:00:00", "end": "tomorrow"})),
            vec!["period.start", "period.end"],
        ),
        (
            "version",
            {
                let mut b = request();
                b["version"] = json!("9.9.9");
                b
            },
            vec!["version"],
        ),
    ] {
        let a = start(&w, &token, None, &body).await;
        assert_eq!(a.status, 422, "{what}");
        let answer = a.json();
        let found: Vec<&str> = answer["errors"].as_array().unwrap().iter().map(|e| e["field"].as_str().unwrap()).collect();
        assert_eq!(found, fields, "{what}");
    }
    assert_eq!(start(&w, &token, None, &with("/report", json!("nothing"))).await.status, 404);
    assert_eq!(start(&w, &token, None, &with("/report", json!("../secrets/x"))).await.status, 404);
    let mut unknown = request();
    unknown["requestedBy"] = json!("eve");
    assert_eq!(start(&w, &token, None, &unknown).await.status, 400, "nobody starts a run in another's name");
    assert!(w.cluster.log().is_empty());
    assert!(w.audit().await.is_empty());
}

#[tokio::test]
async fn what_the_cluster_refuses_is_told_in_its_words_and_audited() {
    let (w, token) = world().await;
    w.cluster.state.lock().unwrap().refuse = Some("spec.period: the end is exclusive".into());
    let a = start(&w, &token, None, &request()).await;
    assert_eq!(
        (a.status.as_u16(), a.json()["detail"].clone()),
        (422, json!("spec.period: the end is exclusive"))
    );
    let actions: Vec<String> = w.audit().await.into_iter().map(|e| e.0).collect();
    assert_eq!(actions, ["start.requested", "start.refused"]);
}

#[tokio::test]
async fn a_run_is_stopped_once() {
    let (w, token) = world().await;
    let id = Uuid::new_v4();
    w.cluster.put(run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, json!({})));
    let cancel = async |id: Uuid, reason: &str| w.post(&format!("/api/v1/runs/{id}/cancel"), Some(&token), json!({"reason": reason})).await;
    assert_eq!(cancel(id, " ").await.json()["errors"][0]["field"], "reason");
    let a = cancel(id, "wrong day").await;
    assert_eq!(
        (a.status.as_u16(), a.json()["cancelled"].clone()),
        (202, json!({"reason": "wrong day", "by": "ann"}))
    );
    assert_eq!(cancel(id, "again").await.status, 409);
    let ended = Uuid::new_v4();
    w.cluster.put(run_object(
        ended,
        "trades-2",
        "2026-03-03T18:30:00Z",
        true,
        json!({"conditions": [condition("Complete", "True", "Failed")]}),
    ));
    assert_eq!(cancel(ended, "late").await.status, 409);
    assert_eq!(cancel(Uuid::new_v4(), "none").await.status, 404);
    assert_eq!(w.audit().await, [("cancel.requested".to_owned(), format!("run/{id}"))]);
}

#[tokio::test]
async fn reports_are_read_from_the_cluster() {
    let (w, _) = world().await;
    let token = w.token("eve", &[Role::Viewer]);
    let list = w.get("/api/v1/reports", &token).await.json();
    assert_eq!(
        (list["items"][0]["name"].clone(), list["items"][0]["ready"].clone()),
        (json!("trades"), json!(true))
    );
    let one = w.get("/api/v1/reports/trades", &token).await.json();
    assert_eq!(
        one["parameters"][0],
        json!({"name": "lei", "type": "String", "pattern": "[A-Z0-9]{20}", "values": [], "required": true})
    );
    assert_eq!(one["spec"]["version"], "1.4.0");
    assert_eq!(w.get("/api/v1/reports/nothing", &token).await.status, 404);
    assert_eq!(w.get("/api/v1/reports/trades/versions", &token).await.json()["items"], json!([]));
    let version = |v: &str| {
        json!({"apiVersion": "openreg.io/v1alpha1", "kind": "ReportVersion", "metadata": {"name": format!("trades-{v}"), "creationTimestamp": "2026-03-01T00:00:00Z"},
        "spec": {"reportRef": "trades", "sha256": "a".repeat(64), "report": serde_json::to_value(Report { spec: openreg_crds::ReportSpec { version: v.into(), ..report().spec }, ..report() }.spec).unwrap()}})
    };
    w.cluster
        .state
        .lock()
        .unwrap()
        .versions
        .insert("acme".into(), ["1.9.0", "1.10.0"].map(|v| serde_json::from_value(version(v)).unwrap()).to_vec());
    let versions = w.get("/api/v1/reports/trades/versions", &token).await.json();
    assert_eq!(
        versions["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|v| v["version"].as_str().unwrap())
            .collect::<Vec<_>>(),
        ["1.10.0", "1.9.0"]
    );
}
