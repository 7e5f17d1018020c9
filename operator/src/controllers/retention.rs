//! The retention controller: keeps the newest finished runs of each Report, deletes older ones whose history is stored.
//!
//! A run that the recorder has not confirmed (`Recorded=True`) is never deleted: nothing disappears. The choice is pure.

use std::collections::HashMap;
use std::sync::Arc;

use kube::api::{DeleteParams, Preconditions};
use kube::runtime::controller::Action;
use kube::{Api, ResourceExt};
use openreg_crds::common::condition;
use openreg_crds::{Report, ReportRun};
use tokio_util::sync::CancellationToken;

use super::{drive, queue};
use crate::context::Context;

/// How many finished runs stay when the Report does not say.
pub const RUNS: usize = 10;

const CONCURRENCY: u16 = 2;

#[derive(Debug, thiserror::Error)]
#[error("could not delete run {namespace}/{name}")]
struct RetentionError {
    namespace: String,
    name: String,
    source: kube::Error,
}

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, requests) = queue::<Report>();
    let of_report = asked.clone();
    ctx.stores.reports.on_change(move |report| of_report.add(report));
    ctx.stores.runs.on_change(move |run| {
        if let Some(namespace) = run.namespace()
            && is_over(run)
        {
            asked.add_named(&namespace, &run.spec.report_ref);
        }
    });
    let cache = ctx.stores.reports.clone();
    drive("retention", ctx, &cache, requests, CONCURRENCY, reconcile, shutdown).await;
}

async fn reconcile(report: Arc<Report>, ctx: Arc<Context>) -> Result<Action, RetentionError> {
    let namespace = report.namespace().unwrap_or_default();
    let name = report.name_any();
    let runs = ctx
        .stores
        .runs
        .in_namespace(&namespace, |run| run.spec.report_ref == name && run.metadata.deletion_timestamp.is_none());
    let keep = report.spec.retention.as_ref().and_then(|r| r.runs).map_or(RUNS, |n| n as usize);
    let api = Api::<ReportRun>::namespaced(ctx.client.clone(), &namespace);
    for run in superfluous(&runs, keep) {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: run.uid(),
                resource_version: run.resource_version(),
            }),
            ..DeleteParams::background()
        };
        match api.delete(&run.name_any(), &params).await {
            Ok(_) => tracing::info!(
                run.name = run.name_any(),
                run.namespace = namespace,
                report = name,
                "deleted run {namespace}/{}: {keep} newer ones stay",
                run.name_any()
            ),
            Err(kube::Error::Api(answer)) if answer.code == 404 => {}
            Err(source) => {
                return Err(RetentionError {
                    namespace,
                    name: run.name_any(),
                    source,
                });
            }
        }
    }
    Ok(Action::await_change())
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
