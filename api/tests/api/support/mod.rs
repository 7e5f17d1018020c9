//! What the tests stand on: a real database, a cluster in memory, a store in a directory, the real router.

pub mod cluster;
pub mod postgres;
pub mod proxy;
pub mod recorder;

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use openreg_api::app::App;
use openreg_api::auth::password;
use openreg_api::auth::policy::Role;
use openreg_api::auth::token::{Session, Signer};
use openreg_api::cluster::Tenant;
use openreg_api::cluster::current::Current;
use openreg_api::db::{Db, tenants, users};
use openreg_api::metrics::HttpMetrics;
use openreg_api::stores::Stores;
use openreg_crds::ReportRun;
use openreg_parts::store::key::Key;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::broadcast;
use tower::ServiceExt;
use uuid::Uuid;

use cluster::FakeCluster;
use postgres::Database;

pub const PASSWORD: &str = "correct horse battery";

/// The API over a database and a cluster of its own, with tenant `acme`.
pub struct World {
    pub database: Database,
    pub db: Db,
    pub cluster: Arc<FakeCluster>,
    pub store: tempfile::TempDir,
    pub app: App,
    pub acme: Tenant,
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {:?} {}", self.status, String::from_utf8_lossy(&self.body)))
    }

    pub fn cookie(&self) -> Option<&str> {
        self.headers.get("set-cookie").map(|v| v.to_str().unwrap())
    }

    /// The value of the refresh cookie.
    pub fn refresh(&self) -> String {
        let cookie = self.cookie().expect("a cookie");
        cookie.split_once('=').unwrap().1.split_once(';').unwrap().0.to_owned()
    }
}

impl World {
    pub async fn new() -> Self {
        let database = Database::migrated().await;
        let db = Db::open(&database.login, 8).unwrap();
        Self::over(database, db).await
    }

    pub async fn over(database: Database, db: Db) -> Self {
        let acme = Tenant {
            uid: Uuid::new_v4(),
            namespace: "acme".into(),
        };
        let cluster = Arc::new(FakeCluster::with(std::slice::from_ref(&acme)));
        let store = tempfile::tempdir().unwrap();
        cluster.state.lock().unwrap().stores.insert("acme".into(), directory_store(store.path()));
        let app = App {
            db: db.clone(),
            tenants: Current::new(cluster.clone()),
            stores: Stores::new(cluster.clone(), "/nowhere".into()),
            cluster: cluster.clone(),
            signer: Signer::new(&[7; 32]).unwrap(),
            secure_cookies: true,
            metrics: HttpMetrics::default(),
            changes: broadcast::channel(16).0,
        };
        let mut tx = db.tenant(acme.uid).await.unwrap();
        tenants::ensure(&mut tx, acme.uid, "acme").await.unwrap();
        tx.commit().await.unwrap();
        Self {
            database,
            db,
            cluster,
            store,
            app,
            acme,
        }
    }

    pub fn router(&self) -> Router {
        openreg_api::serve::service(self.app.clone(), None)
    }

    pub async fn user(&self, name: &str, roles: &[Role], one_time: bool) {
        let hash = password::hash(PASSWORD.to_owned()).await.unwrap();
        let mut tx = self.db.tenant(self.acme.uid).await.unwrap();
        assert!(users::create(&mut tx, name, roles, &hash, one_time).await.unwrap());
        tx.commit().await.unwrap();
    }

    /// An access token, without log-in.
    pub fn token(&self, name: &str, roles: &[Role]) -> String {
        self.token_of(&self.acme, name, roles)
    }

    pub fn token_of(&self, tenant: &Tenant, name: &str, roles: &[Role]) -> String {
        self.token_for(tenant, name, Uuid::from_u128(9), roles)
    }

    pub fn token_for(&self, tenant: &Tenant, name: &str, user: Uuid, roles: &[Role]) -> String {
        let exp = jiff::Timestamp::now().as_second() + 60;
        let session = Session {
            user,
            name: name.into(),
            tenant: tenant.uid,
            namespace: tenant.namespace.clone(),
            roles: roles.to_vec(),
            family: Uuid::from_u128(8),
            exp,
        };
        self.app.signer.sign(&session).unwrap()
    }

    pub async fn login(&self, tenant: &str, user: &str, password: &str) -> Answer {
        self.post("/api/v1/auth/login", None, json!({"tenant": tenant, "user": user, "password": password}))
            .await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(
            Request::get(path)
                .header("authorization", format!("Bearer {token}"))
                .body(Body::empty())
                .unwrap(),
        )
        .await
    }

    pub async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Answer {
        let mut request = Request::builder().method(Method::POST).uri(path).header("content-type", "application/json");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 64 * 1024 * 1024).await.map(|b| b.to_vec()).unwrap_or_default();
        Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        }
    }

    /// The actions and subjects of the tenant's chain, oldest first.
    pub async fn audit(&self) -> Vec<(String, String)> {
        let pool = Database::pool(&self.database.superuser).await;
        let rows = sqlx::query_as("SELECT action, subject FROM audit WHERE tenant = $1 ORDER BY seq")
            .bind(self.acme.uid)
            .fetch_all(&pool)
            .await
            .unwrap();
        pool.close().await;
        rows
    }

    /// Puts a sealed manifest with one file into the store; gives the manifest's key and digest.
    pub fn seal(&self, run: Uuid, name: &str, content: &[u8]) -> (String, String) {
        let pod = Uuid::from_u128(5);
        let root = self.store.path().join(self.acme.uid.to_string());
        let put = |key: &str, bytes: &[u8]| {
            let path = root.join(key);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        };
        let key = Key::Artifact {
            run: run.to_string(),
            pod: pod.to_string(),
            name: name.to_owned(),
        }
        .to_string();
        put(&key, content);
        let violations = format!("runs/{run}/{pod}/violations.jsonl");
        let lines = "{\"rule\":\"R-1\",\"row\":1}\n{\"rule\":\"R-1\",\"row\":2}\n{\"rule\":\"R-2\",\"row\":2}\n";
        put(&violations, lines.as_bytes());
        let manifest = json!({"version": 1, "run": run, "planSha256": "p".repeat(64), "pod": pod, "outcome": "Complete",
            "artifacts": [{"name": name, "key": key, "size": content.len(), "sha256": sha256(content), "records": 2, "mediaType": "text/csv"}],
            "datasets": [{"dataset": "trades", "read": 3, "reported": 2, "excluded": 1, "dropped": 0}],
            "rules": [{"rule": "R-1", "violations": 2}, {"rule": "R-2", "violations": 1}],
            "violations": {"key": violations, "size": lines.len(), "sha256": sha256(lines.as_bytes())}});
        let bytes = serde_json::to_vec(&manifest).unwrap();
        let key = format!("runs/{run}/manifest.json");
        put(&key, &bytes);
        (key, sha256(&bytes))
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

pub fn directory_store(path: &Path) -> openreg_crds::Store {
    serde_json::from_value(json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Store", "metadata": {"name": "default", "namespace": "acme"}, "spec": {"directory": {"path": path}}})).unwrap()
}

/// A run as the operator leaves it; `status` is merged into an empty one.
pub fn run_object(id: Uuid, name: &str, created: &str, finalizer: bool, status: Value) -> ReportRun {
    let finalizers = if finalizer { json!(["openreg.io/recorded"]) } else { json!([]) };
    serde_json::from_value(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun",
        "metadata": {"name": name, "namespace": "acme", "creationTimestamp": created, "finalizers": finalizers},
        "spec": {"id": id, "reportRef": name.split_once('-').map_or(name, |n| n.0), "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}, "trigger": "Manual", "requestedBy": "ann"},
        "status": status,
    }))
    .unwrap()
}

pub fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-03-03T18:31:00Z"})
}

/// Waits until `done`, at most ten seconds.
pub async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..200 {
        if done().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}");
}

/// Verifies an export as somebody outside would.
pub fn verify(lines: &str, tenant: Uuid) -> Result<u64, String> {
    let verified = openreg_audit::lines::verify(lines.as_bytes(), None).map_err(|e| e.to_string())?;
    if verified.tenant == Some(tenant) {
        Ok(verified.entries)
    } else {
        Err(format!("the chain is of {:?}", verified.tenant))
    }
}
