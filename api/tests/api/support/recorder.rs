//! A recorder that runs beside a test, and the runs it is shown.

use std::time::Duration;

use jiff::SignedDuration;
use openreg_api::metrics::RecorderMetrics;
use openreg_api::recorder::settle::{GRACE, Recorder};
use openreg_api::recorder::{self, Leader, RELIST};
use openreg_api::stores::Stores;
use openreg_crds::ReportRun;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use uuid::Uuid;

use super::{World, condition, run_object};

pub struct Running {
    pub stop: watch::Sender<bool>,
    pub task: JoinHandle<()>,
    pub metrics: RecorderMetrics,
}

impl Running {
    pub fn start(w: &World) -> Self {
        Self::with(w, GRACE)
    }

    pub fn with(w: &World, grace: SignedDuration) -> Self {
        Self::of(w, grace, RELIST)
    }

    /// One that lists all runs as often as `relist` says.
    pub fn listing(w: &World, relist: Duration) -> Self {
        Self::of(w, GRACE, relist)
    }

    fn of(w: &World, grace: SignedDuration, relist: Duration) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (metrics, cluster) = (RecorderMetrics::default(), w.cluster.clone());
        let recorder = Recorder { grace, relist, ..settler(w) };
        let (leader, counted) = (Leader::new(w.db.clone()), metrics.clone());
        let task = tokio::spawn(async move { recorder::run(recorder, leader, counted, move || cluster.feed(), stopped).await });
        Self { stop, task, metrics }
    }

    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.task.await.unwrap();
    }
}

/// What settles one run.
pub fn settler(w: &World) -> Recorder {
    Recorder {
        db: w.db.clone(),
        cluster: w.cluster.clone(),
        stores: Stores::new(w.cluster.clone(), "/nowhere".into()),
        grace: GRACE,
        relist: RELIST,
    }
}

pub fn complete(w: &World, id: Uuid) -> Value {
    let (key, digest) = w.seal(id, "a.csv", b"x;y\n1;2\n");
    json!({"startedAt": "2026-03-03T18:30:01Z", "outcome": "Delivered", "phase": "Succeeded", "conditions": [condition("Started", "True", "Running"), condition("Complete", "True", "Delivered")],
        "manifest": {"key": key, "sha256": digest}, "deliveries": [{"destination": "bafin", "state": "Delivered", "receiptSha256": "c".repeat(64)}]})
}

pub fn run(id: Uuid, name: &str, finalizer: bool, status: Value) -> ReportRun {
    run_object(id, name, "2026-03-03T18:30:00Z", finalizer, status)
}

pub fn held(w: &World, name: &str) -> bool {
    w.cluster.run_named("acme", name).is_some_and(|r| recorder::record::is_held(&r))
}

pub async fn entries(w: &World, id: Uuid) -> Vec<String> {
    let subject = format!("run/{id}");
    w.audit().await.into_iter().filter(|e| e.1.starts_with(&subject)).map(|e| e.0).collect()
}
