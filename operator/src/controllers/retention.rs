//! The retention controller: keeps the newest finished runs of each Report, deletes older ones whose history is stored.
//!
//! A run that the recorder has not confirmed (`Recorded=True`) is never deleted: nothing disappears. The choice is pure.

use std::collections::{BTreeSet, HashMap};
use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use kube::ResourceExt;
use kube::api::{DeleteParams, Preconditions};
use openreg_crds::ReportRun;
use openreg_crds::common::condition;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::context::Context;
use crate::read;

/// How many finished runs stay when the Report does not say.
pub const RUNS: usize = 10;

/// When what could not be done is tried again.
const RETRY: Duration = Duration::from_secs(30);
/// How many requests are taken at once; each Report is looked at once for all of its own.
const BATCH: usize = 10_000;

/// Namespace and name of a Report. It need not exist: the runs of a deleted one are finished and counted like any other's.
type Key = (String, String);

#[derive(Debug, thiserror::Error)]
#[error("could not delete run {namespace}/{name}")]
struct RetentionError {
    namespace: String,
    name: String,
    source: kube::Error,
}

/// Runs until shutdown. Not by `drive`: that looks only at objects that exist, and a Report that was deleted, or that a
/// Schedule names and nobody ever made, may have many runs.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, mut requests) = mpsc::unbounded_channel::<Key>();
    let of_report = asked.clone();
    // Closed only at shutdown.
    ctx.stores.reports.on_change(move |report| {
        let _ = of_report.send((report.namespace().unwrap_or_default(), report.name_any()));
    });
    ctx.stores.runs.on_change(move |run| {
        if is_over(run) {
            let _ = asked.send((run.namespace().unwrap_or_default(), run.spec.report_ref.clone()));
        }
    });
    let mut batch = Vec::new();
    let mut failed = BTreeSet::new();
    let mut again = tokio::time::interval(RETRY);
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            _ = requests.recv_many(&mut batch, BATCH) => {}
            _ = again.tick() => batch.extend(take(&mut failed)),
        }
        for key in take(&mut batch).into_iter().collect::<BTreeSet<Key>>() {
            let start = Instant::now();
            let result = tidy(&ctx, &key.0, &key.1).await;
            ctx.metrics
                .reconciled("retention", if result.is_ok() { "Ok" } else { "Error" }, start.elapsed());
            if let Err(error) = result {
                tracing::warn!(
                    report = key.1,
                    report.namespace = key.0,
                    error = crate::telemetry::chain(&error),
                    "could not delete the old runs of {}/{}",
                    key.0,
                    key.1
                );
                failed.insert(key);
            }
        }
    }
}

/// Deletes the runs of one Report that are too many.
async fn tidy(ctx: &Context, namespace: &str, name: &str) -> Result<(), RetentionError> {
    let runs = ctx
        .stores
        .runs
        .in_namespace(namespace, |run| run.spec.report_ref == name && run.metadata.deletion_timestamp.is_none());
    let report = ctx.stores.reports.get(namespace, name);
    let keep = report.and_then(|r| r.spec.retention.as_ref()?.runs).map_or(RUNS, |n| n as usize);
    for run in superfluous(&runs, keep) {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: run.uid(),
                resource_version: run.resource_version(),
            }),
            ..DeleteParams::background()
        };
        match read::delete::<ReportRun>(&ctx.client, namespace, &run.name_any(), &params).await {
            Ok(()) => tracing::info!(
                run.name = run.name_any(),
                run.namespace = namespace,
                report = name,
                "deleted run {namespace}/{}: {keep} newer ones stay",
                run.name_any()
            ),
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            Err(source) => {
                return Err(RetentionError {
                    namespace: namespace.to_owned(),
                    name: run.name_any(),
                    source,
                });
            }
        }
    }
    Ok(())
}

fn is_over(run: &ReportRun) -> bool {
    run.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Complete"))
}

/// The finished runs beyond the `keep` newest, as far as their history is stored, oldest first.
fn superfluous(runs: &[Arc<ReportRun>], keep: usize) -> Vec<Arc<ReportRun>> {
    let mut finished: Vec<_> = runs.iter().filter(|run| is_over(run)).cloned().collect();
    let ended: HashMap<String, _> = finished
        .iter()
        .map(|run| (run.name_any(), run.status.as_ref().and_then(|s| s.finished_at.as_ref()).map(|t| t.0)))
        .collect();
    finished.sort_by(|a, b| (ended.get(&a.name_any()), a.name_any()).cmp(&(ended.get(&b.name_any()), b.name_any())));
    let beyond = finished.len().saturating_sub(keep);
    finished.truncate(beyond);
    finished.retain(|run| run.status.as_ref().is_some_and(|s| condition::is_true(&s.conditions, "Recorded")));
    finished
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn make(name: &str, ended: Option<&str>, recorded: bool) -> Arc<ReportRun> {
        let condition = |type_: &str| json!({"type": type_, "status": "True", "reason": "X", "message": "", "lastTransitionTime": "2026-03-02T00:00:00Z"});
        let mut conditions = Vec::new();
        if ended.is_some() {
            conditions.push(condition("Complete"));
        }
        if recorded {
            conditions.push(condition("Recorded"));
        }
        Arc::new(
            serde_json::from_value(json!({
                "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": {"name": name, "namespace": "acme"},
                "spec": {"id": "00000000-0000-0000-0000-000000000000", "reportRef": "r", "period": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, "trigger": "Manual"},
                "status": {"conditions": conditions, "finishedAt": ended}
            }))
            .unwrap(),
        )
    }

    #[test]
    fn oldest_recorded_runs_beyond_the_limit_go() {
        let runs = [
            make("c", Some("2026-03-03T00:00:00Z"), true),
            make("running", None, true),
            make("a", Some("2026-03-01T00:00:00Z"), true),
            make("b", Some("2026-03-02T00:00:00Z"), false),
            make("d", Some("2026-03-04T00:00:00Z"), true),
        ];
        for (keep, expected) in [
            (0, vec!["a", "c", "d"]),
            (1, vec!["a", "c"]),
            (2, vec!["a"]),
            (3, vec!["a"]),
            (4, vec![]),
            (50, vec![]),
        ] {
            assert_eq!(
                superfluous(&runs, keep).iter().map(|run| run.name_any()).collect::<Vec<_>>(),
                expected,
                "keep {keep}"
            );
        }
    }
}
