//! Tells people what was done: log, metrics, Events. Nothing depends on it.

use kube::ResourceExt;
use kube::runtime::events::EventType;
use openreg_crds::report_run::{RunFailure, RunOutcome};

use super::decide::Step;
use super::facts::Facts;
use super::outcome::Verdict;
use crate::context::Context;

/// Tells of `step`, which was just done.
pub async fn tell(ctx: &Context, facts: &Facts, step: &Step) {
    let run = facts.run.as_ref();
    match step {
        Step::Account { work, end, finish } => {
            let failed = match &end.verdict {
                Verdict::Failed(why) => Some(why),
                _ => None,
            };
            ctx.metrics.run_attempt(work.as_str(), failed.map_or("Ok", |f| f.class.as_str()));
            if let Some(why) = failed {
                warn(ctx, facts, why, work.as_str()).await;
            }
            if let Some(outcome) = finish {
                finished(ctx, facts, *outcome, None).await;
            }
        }
        Step::Condemn { work, failure } => warn(ctx, facts, failure, work.as_str()).await,
        Step::StartJob { work, number } | Step::AdoptJob { work, number, .. } => {
            let job = work.job_name(&facts.name(), *number);
            tracing::info!(
                run.namespace = run.namespace(),
                run.name = run.name_any(),
                run.uid = run.uid(),
                job,
                "started job {job}"
            );
            ctx.event(run, EventType::Normal, "JobCreated", work.as_str(), format!("Job {job}")).await;
        }
        Step::Reject(why) => finished(ctx, facts, RunOutcome::Rejected, Some(why)).await,
        Step::Finish { outcome, failure } => finished(ctx, facts, *outcome, failure.as_ref()).await,
        Step::Rest | Step::RemovePlan { .. } | Step::Wait { .. } | Step::WritePlan(_) | Step::Stop(_) => {}
    }
}

async fn warn(ctx: &Context, facts: &Facts, why: &RunFailure, action: &str) {
    let run = facts.run.as_ref();
    tracing::warn!(
        run.namespace = run.namespace(),
        run.name = run.name_any(),
        run.uid = run.uid(),
        class = why.class,
        code = why.code,
        "attempt failed: {}",
        why.message
    );
    ctx.event(run, EventType::Warning, &why.code, action, why.message.clone()).await;
}

async fn finished(ctx: &Context, facts: &Facts, outcome: RunOutcome, why: Option<&RunFailure>) {
    let run = facts.run.as_ref();
    ctx.metrics
        .run_finished(&run.namespace().unwrap_or_default(), &run.spec.report_ref, outcome.as_str());
    if let Some(created) = &run.metadata.creation_timestamp {
        ctx.metrics.run_seconds(facts.now.duration_since(created.0).as_secs_f64().max(0.0));
    }
    let name = run.name_any();
    tracing::info!(
        run.namespace = run.namespace(),
        run.name = name,
        run.uid = run.uid(),
        outcome = outcome.as_str(),
        "run {name} ended: {}",
        outcome.as_str()
    );
    let well = matches!(
        outcome,
        RunOutcome::Delivered | RunOutcome::DeliveredWithExclusions | RunOutcome::Generated | RunOutcome::NothingToReport | RunOutcome::Cancelled
    );
    let note = why.map_or_else(|| format!("the run ended: {}", outcome.as_str()), |w| w.message.clone());
    ctx.event(run, if well { EventType::Normal } else { EventType::Warning }, outcome.as_str(), "Finish", note)
        .await;
}
