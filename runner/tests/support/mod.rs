//! What the runner's tests share: a directory with a source, a store and a plan.

#![allow(
    clippy::disallowed_methods,
    dead_code,
    reason = "each test binary uses its own part, and a test has no command line for its settings"
)]

pub(crate) mod postgres;

use std::path::Path;
use std::sync::Arc;

use openreg_plan::{RunPlan, Sha256};
use openreg_runner::generate::{Generated, OnProgress, generate};
use openreg_runner::stage::{StageError, Stop};
use openreg_runner::{Attempt, assemble};
use serde_json::Value;
use tokio_util::sync::CancellationToken;

/// The plan in `text`, its paths in `directory`.
pub(crate) fn plan(text: &str, directory: &Path) -> Value {
    serde_json::from_str(&text.replace("@DIR@", &directory.to_string_lossy())).unwrap()
}

/// A SQLite file, `source.db`, made by `sql`.
pub(crate) fn sqlite(directory: &Path, sql: &str) {
    rusqlite::Connection::open(directory.join("source.db")).unwrap().execute_batch(sql).unwrap();
    std::fs::create_dir_all(directory.join("store")).unwrap();
}

pub(crate) fn silent() -> OnProgress {
    Arc::new(|_| {})
}

/// Carries out `plan` as pod `pod`.
pub(crate) async fn run(plan: &Value, pod: &str) -> Result<Generated, Stop> {
    run_until(plan, pod, &CancellationToken::new(), silent()).await
}

pub(crate) async fn run_until(plan: &Value, pod: &str, cancel: &CancellationToken, progress: OnProgress) -> Result<Generated, Stop> {
    let bytes = serde_json::to_vec(plan).unwrap();
    let plan = RunPlan::from_bytes(&bytes, None).unwrap();
    let store = assemble::store(&plan).await?;
    generate(
        &plan,
        &Sha256::of(&bytes),
        &Attempt {
            pod: pod.to_owned(),
            number: 1,
        },
        &store,
        cancel,
        progress,
    )
    .await
}

pub(crate) async fn failure(plan: &Value) -> StageError {
    match run(plan, "pod-1").await {
        Err(Stop::Failed(error)) => error,
        other => panic!("not a failure: {other:?}"),
    }
}

/// The bytes of the object `key` in the directory store.
pub(crate) fn object(directory: &Path, key: &str) -> Option<Vec<u8>> {
    std::fs::read(directory.join("store/t").join(key)).ok()
}

/// Every file below `directory`, without temporary ones' names.
pub(crate) fn files(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut waiting = vec![directory.to_owned()];
    while let Some(at) = waiting.pop() {
        for entry in std::fs::read_dir(&at).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                waiting.push(entry.path());
            } else {
                found.push(entry.path().strip_prefix(directory).unwrap().to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}
