//! Reads, checks, maps, encodes, stores, seals: one attempt of a run. What each step does is elsewhere; this is the order.

use std::time::{Duration, Instant};

use openreg_parts::error::Class;
use openreg_parts::source::Source;
use openreg_parts::store::Store;
use openreg_parts::store::key::Key;
use openreg_parts::store::manifest::{self, Artifact, DatasetCounts, Manifest, RuleCounts};
use openreg_plan::report::{Outcome, Stage, Totals};
use openreg_plan::{RunPlan, Sha256};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::attempt::Attempt;
use crate::pipeline::{Ended, Feed, Processed};
use crate::report::{self, Done};
use crate::seal::Sealed;
use crate::stage::{StageError, Stop};
use crate::{assemble, seal, sink};

pub use crate::pipeline::{OnProgress, Progress};

/// Batches that may wait for the processor.
const WAITING: usize = 2;
/// How long uploads may take to be given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// What an attempt made, or found made.
#[derive(Clone, Debug)]
pub struct Generated {
    /// As the run's report says it.
    pub done: Done,
    /// The sealed manifest.
    pub manifest: Manifest,
    /// The first violations: rule, dataset, row, columns; no values.
    pub sample: Vec<serde_json::Value>,
    /// Whether an attempt before this one had sealed it.
    pub existing: bool,
}

/// Carries out the plan whose digest is `plan_sha256`, unless the run is sealed already.
///
/// Stops at `cancel` and at the plan's time limit; uploads that are under way are given up then, and nothing is sealed.
pub async fn generate(
    plan: &RunPlan,
    plan_sha256: &Sha256,
    attempt: &Attempt,
    store: &Store,
    cancel: &CancellationToken,
    progress: OnProgress,
) -> Result<Generated, Stop> {
    let started = Instant::now();
    let tasks = TaskTracker::new();
    let give_up = CancellationToken::new();
    let limit = assemble::time_limit(plan);
    let result = tokio::select! {
        // What is sealed is sealed: a word to stop that comes at the same moment came too late.
        biased;
        result = work(plan, plan_sha256, attempt, store, &tasks, &give_up, progress) => result.map_err(Stop::from),
        () = cancel.cancelled() => Err(Stop::Cancelled),
        () = tokio::time::sleep(limit) => Err(timed_out(limit).into()),
    };
    give_up.cancel();
    tasks.close();
    if tokio::time::timeout(PATIENCE, tasks.wait()).await.is_err() {
        tracing::warn!(run.id = plan.run.id, "an upload was not given up in time");
    }
    if !matches!(&result, Ok(generated) if generated.existing) {
        keep_report(plan, plan_sha256, attempt, store, &result, started).await;
    }
    result
}

/// The run would take as long again: not Transient, so that it is not tried blindly.
fn timed_out(limit: Duration) -> StageError {
    StageError::plain(
        Stage::Read,
        Class::Config,
        "TimedOut",
        format!("could not make the report within {} s", limit.as_secs()),
    )
    .with_hint("make the query faster or its result smaller, or raise the report's execution.timeout")
}

async fn work(
    plan: &RunPlan,
    plan_sha256: &Sha256,
    attempt: &Attempt,
    store: &Store,
    tasks: &TaskTracker,
    give_up: &CancellationToken,
    progress: OnProgress,
) -> Result<Generated, StageError> {
    if let Some(sealed) = seal::find(store, &plan.run.id, plan_sha256.as_str()).await? {
        tracing::info!(run.id = plan.run.id, manifest.sha256 = %sealed.named.sha256, "run {} is sealed already", plan.run.id);
        return Ok(generated(sealed, Vec::new(), true));
    }
    let parts = assemble::parts(plan, attempt).await?;
    let (run, pod) = (plan.run.id.clone(), attempt.pod.clone());
    let (artifact, artifact_stored) = sink::open(
        store,
        Key::Artifact {
            run: run.clone(),
            pod: pod.clone(),
            name: plan.file.name.clone(),
        },
        tasks,
        give_up,
    );
    let (lines, lines_stored) = sink::open(store, Key::Violations { run, pod }, tasks, give_up);
    let (feed, rows) = mpsc::channel(WAITING);
    let pipeline = parts.pipeline;
    let processor = tokio::task::spawn_blocking(move || pipeline.run(rows, artifact, lines, &progress));

    // Whoever fails first makes the others end: closed channels carry the news, results say why.
    let read = read(parts.source, feed).await;
    let processed = processor.await;
    let stored = (artifact_stored.await, lines_stored.await);
    read.map_err(StageError::at(Stage::Read))?;
    let processed = match processed {
        Ok(Ok(processed)) => Some(processed),
        Ok(Err(Ended::Failed(error))) => return Err(error),
        Ok(Err(Ended::Abandoned)) => None,
        Err(_) => return Err(StageError::internal(Stage::Check, "the processing thread panicked")),
    };
    for stored in [stored.0, stored.1] {
        stored.map_err(|_| StageError::internal(Stage::Store, "a storing task panicked"))??;
    }
    let Some(processed) = processed else {
        return Err(StageError::internal(Stage::Check, "the pipeline ended early and nobody said why"));
    };
    let sample = processed.sample.clone();
    let sealed = seal::seal(store, manifest_of(plan, plan_sha256, attempt, processed)?).await?;
    let existing = sealed.manifest.pod != attempt.pod;
    Ok(generated(sealed, sample, existing))
}

async fn read(mut source: Box<dyn Source>, feed: mpsc::Sender<Feed>) -> Result<(), openreg_parts::source::SourceError> {
    loop {
        let rows = tokio::select! {
            biased;
            rows = source.next() => rows?,
            // Nobody wants the rows any more: a query that computes for an hour is not waited for.
            () = feed.closed() => return Ok(()),
        };
        let Some(rows) = rows else { break };
        if feed.send(Feed::Rows(rows)).await.is_err() {
            return Ok(());
        }
    }
    let _ = feed.send(Feed::End).await;
    Ok(())
}

fn manifest_of(plan: &RunPlan, plan_sha256: &Sha256, attempt: &Attempt, processed: Processed) -> Result<Manifest, StageError> {
    let dataset = assemble::main_dataset(plan)?;
    let artifacts = processed.artifact.into_iter().map(|object| Artifact {
        name: plan.file.name.clone(),
        key: object.key,
        size: object.size,
        sha256: object.sha256,
        records: processed.reported,
        media_type: plan.output.media_type().to_owned(),
    });
    Ok(Manifest {
        version: manifest::VERSION,
        run: plan.run.id.clone(),
        plan_sha256: plan_sha256.to_string(),
        pod: attempt.pod.clone(),
        outcome: processed.outcome,
        artifacts: artifacts.collect(),
        datasets: vec![DatasetCounts {
            dataset: dataset.name.clone(),
            read: processed.read,
            reported: processed.reported,
            excluded: processed.excluded,
            dropped: 0,
        }],
        rules: plan
            .rules
            .iter()
            .zip(processed.counts)
            .map(|(rule, violations)| RuleCounts {
                rule: rule.id.clone(),
                violations,
            })
            .collect(),
        violations: processed.violations,
    })
}

fn generated(sealed: Sealed, sample: Vec<serde_json::Value>, existing: bool) -> Generated {
    let Sealed { manifest, named } = sealed;
    let outcome = match manifest.outcome {
        manifest::Outcome::Complete => Outcome::Generated,
        manifest::Outcome::Empty => Outcome::Empty,
        manifest::Outcome::Blocked => Outcome::Blocked,
    };
    let mut totals = Totals {
        artifacts: manifest.artifacts.len() as u64,
        bytes: manifest.artifacts.iter().map(|a| a.size).sum(),
        ..Totals::default()
    };
    for dataset in &manifest.datasets {
        totals.read += dataset.read;
        totals.reported += dataset.reported;
        totals.excluded += dataset.excluded;
        totals.dropped += dataset.dropped;
    }
    totals.violations = manifest.rules.iter().map(|r| r.violations).sum();
    let done = Done {
        manifest: Some(named),
        totals: Some(totals),
        ..Done::new(outcome)
    };
    Generated {
        done,
        manifest,
        sample,
        existing,
    }
}

/// Stores the attempt's full report beside its artifacts. The run does not depend on it.
async fn keep_report(plan: &RunPlan, plan_sha256: &Sha256, attempt: &Attempt, store: &Store, result: &Result<Generated, Stop>, started: Instant) {
    let done = match result {
        Ok(generated) => generated.done.clone(),
        Err(stop) => stop.clone().into(),
    };
    let (short, _) = report::report(&done, started);
    let mut full = serde_json::json!({"planSha256": plan_sha256, "attempt": attempt.number, "report": short});
    if let Ok(generated) = result {
        full["datasets"] = serde_json::json!(generated.manifest.datasets);
        full["rules"] = serde_json::json!(generated.manifest.rules);
        full["sample"] = serde_json::json!(generated.sample);
    }
    let key = Key::Report {
        run: plan.run.id.clone(),
        pod: attempt.pod.clone(),
    };
    let stored = tokio::time::timeout(PATIENCE, store.create(&key, full.to_string().into())).await;
    if !matches!(stored, Ok(Ok(_))) {
        tracing::warn!(run.id = plan.run.id, "the attempt's full report was not stored");
    }
}
