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
            if shutdown.is_cancelled() {
                return;
            }
            let start = Instant::now();
            let result = tidy(&ctx, &key.0, &key.1, &shutdown).await;
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
async fn tidy(ctx: &Context, namespace: &str, name: &str, shutdown: &CancellationToken) -> Result<(), RetentionError> {
    let runs = ctx
        .stores
        .runs
        .in_namespace(namespace, |run| run.spec.report_ref == name && run.metadata.deletion_timestamp.is_none());
    let report = ctx.stores.reports.get(namespace, name);
    let keep = report.and_then(|r| r.spec.retention.as_ref()?.runs).map_or(RUNS, |n| n as usize);
    remove(superfluous(&runs, keep), shutdown, |run| async move {
        let params = DeleteParams {
            preconditions: Some(Preconditions {
                uid: run.uid(),
                resource_version: run.resource_version(),
            }),
            ..DeleteParams::background()
        };
        read::delete::<ReportRun>(&ctx.client, namespace, &run.name_any(), &params).await?;
        tracing::info!(
            run.name = run.name_any(),
            run.namespace = namespace,
            report = name,
            "deleted run {namespace}/{}: {keep} newer ones stay",
            run.name_any()
        );
        Ok(())
    })
    .await
}

/// Deletes `runs`; the first failure is the answer. One whose deletion is refused keeps no other: a rule of the cluster may
/// refuse it for ever. Without an answer of the API server there will be none to the others either.
async fn remove<F: Future<Output = kube::Result<()>>>(
    runs: Vec<Arc<ReportRun>>,
    shutdown: &CancellationToken,
    delete: impl Fn(Arc<ReportRun>) -> F,
) -> Result<(), RetentionError> {
    let mut first = None;
    for run in runs {
        if shutdown.is_cancelled() {
            break;
        }
        let source = match delete(Arc::clone(&run)).await {
            Ok(()) => continue,
            Err(kube::Error::Api(answer)) if answer.code == 404 => continue,
            Err(source) => source,
        };
        let refused = matches!(source, kube::Error::Api(_));
        first.get_or_insert(RetentionError {
            namespace: run.namespace().unwrap_or_default(),
            name: run.name_any(),
            source,
        });
        if !refused {
            break;
        }
    }
    first.map_or(Ok(()), Err)
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

    /// Names of the runs that were asked to be deleted, and the one that the error is about.
    fn removed(shutdown: &CancellationToken, answer: impl Fn(&str) -> kube::Result<()>) -> (Vec<String>, Option<String>) {
        let runs = ["a", "b", "c"].map(|name| make(name, Some("2026-03-01T00:00:00Z"), true));
        let asked = std::cell::RefCell::new(Vec::new());
        let result = futures::executor::block_on(remove(runs.into(), shutdown, |run| {
            asked.borrow_mut().push(run.name_any());
            std::future::ready(answer(&run.name_any()))
        }));
        (asked.into_inner(), result.err().map(|e| e.to_string()))
    }

    #[test]
    fn run_that_is_never_deleted_keeps_no_other() {
        let answer = |code: u16| kube::Error::Api(Box::new(kube::core::Status::failure("no", "X").with_code(code)));
        let names = |n: &[&str]| n.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let on = CancellationToken::new();
        let told = |name: &str| Some(format!("could not delete run acme/{name}"));
        assert_eq!(removed(&on, |_| Ok(())), (names(&["a", "b", "c"]), None));
        // Refused by a rule, and changed meanwhile: the first is told.
        let refused = |name: &str| if name == "c" { Ok(()) } else { Err(answer(403)) };
        assert_eq!(removed(&on, refused), (names(&["a", "b", "c"]), told("a")));
        // Gone already is what was wanted.
        assert_eq!(removed(&on, |_| Err(answer(404))), (names(&["a", "b", "c"]), None));
        // Nobody answers: the others wait for the next try.
        assert_eq!(removed(&on, |_| Err(kube::Error::LinesCodecMaxLineLengthExceeded)), (names(&["a"]), told("a")));
        let off = CancellationToken::new();
        off.cancel();
        assert_eq!(removed(&off, |_| Ok(())), (names(&[]), None));
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
