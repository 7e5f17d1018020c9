//! Handing out files: whole or not at all, and never without an entry.

use crate::support::{World, condition, run_object};
use base64::Engine;
use openreg_api::auth::policy::Role;
use openreg_api::recorder::{manifest, record::record};
use serde_json::json;
use uuid::Uuid;

async fn delivered(content: &[u8], name: &str) -> (World, Uuid, std::path::PathBuf) {
    let w = World::new().await;
    let id = Uuid::new_v4();
    let (key, digest) = w.seal(id, name, content);
    let status = json!({"conditions": [condition("Complete", "True", "Generated")], "manifest": {"key": key, "sha256": digest}});
    let run = run_object(id, "trades-1", "2026-03-03T18:30:00Z", true, status);
    let root = w.store.path().join(w.acme.uid.to_string());
    let contents = manifest::read(&std::fs::read(root.join(&key)).unwrap(), &digest, &id.to_string()).unwrap();
    w.db.record(&record(&w.acme, &run).unwrap(), Some(&contents)).await.unwrap();
    let file = root.join(&contents.artifacts[0].key);
    (w, id, file)
}

async fn downloads(w: &World) -> usize {
    w.audit().await.iter().filter(|e| e.0 == "artifact.downloaded").count()
}

#[tokio::test]
async fn the_bytes_come_with_length_and_digest_and_an_entry() {
    let content: Vec<u8> = (0..3_000_000_u32).map(|i| b"0123456789;\n"[i as usize % 12]).collect();
    let (w, id, _) = delivered(&content, "a.csv").await;
    let a = w
        .get(&format!("/api/v1/runs/{id}/artifacts/a.csv/content"), &w.token("ann", &[Role::Operator]))
        .await;
    assert_eq!(a.status, 200);
    assert_eq!(a.body, content);
    assert_eq!(a.headers["content-length"], content.len().to_string());
    assert_eq!(a.headers["content-type"], "text/csv");
    assert_eq!(a.headers["content-disposition"], "attachment; filename=\"a.csv\"; filename*=UTF-8''a.csv");
    let digest = base64::engine::general_purpose::STANDARD.encode(hex::decode(crate::support::sha256(&content)).unwrap());
    assert_eq!(a.headers["repr-digest"], format!("sha-256=:{digest}:"));
    assert_eq!(downloads(&w).await, 1);
}

#[tokio::test]
async fn a_changed_file_of_the_same_size_breaks_off() {
    let (w, id, file) = delivered(b"x;y\n1;2\n", "a.csv").await;
    std::fs::write(&file, b"x;y\n1;3\n").unwrap();
    let a = w
        .get(&format!("/api/v1/runs/{id}/artifacts/a.csv/content"), &w.token("ann", &[Role::Operator]))
        .await;
    assert_ne!(a.body, b"x;y\n1;3\n", "the transfer must not end well");
}

#[tokio::test]
async fn what_cannot_be_handed_out_leaves_no_entry() {
    let (w, id, file) = delivered(b"x;y\n1;2\n", "a.csv").await;
    let token = w.token("ann", &[Role::Operator]);
    let path = format!("/api/v1/runs/{id}/artifacts/a.csv/content");
    assert_eq!(w.get(&format!("/api/v1/runs/{id}/artifacts/b.csv/content"), &token).await.status, 404);
    assert_eq!(
        w.get(&format!("/api/v1/runs/{id}/artifacts/..%2F..%2Fmanifest.json/content"), &token)
            .await
            .status,
        404
    );
    std::fs::write(&file, b"longer than sealed").unwrap();
    let store = |spec: serde_json::Value| {
        let object = json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Store", "metadata": {"name": "default", "namespace": "acme"}, "spec": spec});
        w.cluster
            .state
            .lock()
            .unwrap()
            .stores
            .insert("acme".into(), serde_json::from_value(object).unwrap());
    };
    let says = async |status: u16, words: &str| {
        let a = w.get(&path, &token).await;
        assert_eq!(
            (a.status.as_u16(), a.headers["content-type"].to_str().unwrap()),
            (status, "application/problem+json"),
            "{words}"
        );
        let detail = a.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{detail}");
    };
    says(500, "has 18 bytes, the run sealed 8: nothing was handed out").await;
    std::fs::remove_file(&file).unwrap();
    says(404, "in the store any more").await;
    let s3 = json!({"endpoint": "http://127.0.0.1:9", "region": "eu-central-1", "bucket": "b"});
    store(json!({"s3": s3}));
    says(500, "there are no credentials").await;
    w.cluster.state.lock().unwrap().stores.clear();
    says(500, "could not find the Store of namespace acme").await;
    assert_eq!(downloads(&w).await, 0);
}

#[tokio::test]
async fn an_unusual_name_is_found_and_given_back() {
    let name = "Bericht ä 1.csv";
    let (w, id, _) = delivered(b"x", name).await;
    let path = format!("/api/v1/runs/{id}/artifacts/Bericht%20%C3%A4%201.csv/content");
    let a = w.get(&path, &w.token("ann", &[Role::Approver])).await;
    assert_eq!(a.status, 200);
    assert!(
        a.headers["content-disposition"]
            .to_str()
            .unwrap()
            .ends_with("filename*=UTF-8''Bericht%20%C3%A4%201.csv")
    );
}

#[tokio::test]
async fn asking_for_the_head_alone_is_no_download() {
    let (w, id, file) = delivered(b"x;y\n1;2\n", "a.csv").await;
    let request = axum::http::Request::head(format!("/api/v1/runs/{id}/artifacts/a.csv/content"))
        .header("authorization", format!("Bearer {}", w.token("ann", &[Role::Operator])));
    let a = w.send(request.body(axum::body::Body::empty()).unwrap()).await;
    assert_eq!((a.status.as_u16(), a.headers["content-length"].to_str().unwrap(), a.body.len()), (200, "8", 0));
    assert_eq!(downloads(&w).await, 0);
    assert!(file.exists());
}
