//! How a run ends: because nothing is left to do, or because it is stopped; always with what is true. Pure.

use kube::ResourceExt;
use openreg_crds::ReportRunStatus;
use openreg_crds::common::condition;
use openreg_crds::report_run::{DeliveryState, RunFailure, RunOutcome};

use super::decide::{STOPPING_LOOK, Step, Target};
use super::facts::{Facts, is_open, works};
use super::observe::{after, not_ending, own_job};
use super::outcome::{finished, is_over};
use super::status;

/// Somebody wants the run stopped, or it cannot go on: stop every Job, see their ends, then tell the truth.
pub fn stop(facts: &Facts, why: Option<RunFailure>) -> Step {
    let (mut waiting, mut note) = (false, None);
    for work in works(&facts.status) {
        let Some(attempt) = work.attempt(&facts.status).filter(|a| is_open(a)) else {
            continue;
        };
        waiting = true;
        note = note.or_else(|| not_ending(facts, attempt));
        let uid = attempt.job_uid.as_deref().unwrap_or_default();
        let alive: Vec<_> = facts.pods_of(uid).iter().filter(|p| !p.gone && !is_over(&p.pod)).collect();
        if let Some(pod) = alive.iter().find(|p| p.pod.metadata.deletion_timestamp.is_none()) {
            return Step::Stop(Target::Pod {
                name: pod.pod.name_any(),
                uid: pod.pod.uid().unwrap_or_default(),
            });
        }
        match own_job(facts, attempt) {
            Some(job) if alive.is_empty() && job.metadata.deletion_timestamp.is_none() && finished(job).is_none() => {
                return Step::Stop(Target::Job {
                    name: job.name_any(),
                    uid: uid.to_owned(),
                });
            }
            _ => {}
        }
    }
    if waiting {
        return Step::Wait {
            note,
            wake: Some(after(facts.now, STOPPING_LOOK)),
        };
    }
    let cancelled = facts.stopping();
    Step::Finish {
        outcome: stopped_outcome(facts, cancelled),
        failure: why,
    }
}

/// How a run ends that is stopped before all is done.
fn stopped_outcome(facts: &Facts, cancelled: bool) -> RunOutcome {
    let deliveries = &facts.status.deliveries;
    if !deliveries.is_empty() && deliveries.iter().all(|d| d.state == DeliveryState::Delivered) {
        return delivered(facts.status.counts.map_or(0, |c| c.excluded));
    }
    if deliveries.iter().any(|d| d.state == DeliveryState::Unknown) {
        return RunOutcome::Unknown;
    }
    if deliveries.iter().any(|d| d.begun == Some(true) || d.state == DeliveryState::Delivered) {
        return RunOutcome::NotDelivered;
    }
    if cancelled { RunOutcome::Cancelled } else { RunOutcome::Failed }
}

/// How a run with that status ends, if nothing is left to do.
pub fn concluded(facts: &Facts, status: &ReportRunStatus) -> Option<RunOutcome> {
    let generated = condition::find(&status.conditions, "Generated")?;
    let attempt = status.generate.as_ref()?;
    if is_open(attempt) || attempt.next_at.is_some() {
        return None;
    }
    match (generated.reason.as_str(), &status.manifest) {
        (status::NOTHING_TO_REPORT, Some(_)) => return Some(RunOutcome::NothingToReport),
        (status::DATA_REJECTED, Some(_)) => return Some(RunOutcome::DataRejected),
        (_, None) => return Some(RunOutcome::Failed),
        (_, Some(_)) => {}
    }
    let launch = facts.launch()?;
    if launch.destinations.is_empty() {
        return Some(RunOutcome::Generated);
    }
    let deliveries = &status.deliveries;
    // Nothing was begun although the plan names destinations: that must never pass for delivered.
    if deliveries.is_empty() {
        return Some(RunOutcome::Failed);
    }
    if deliveries.iter().any(|d| d.finished_at.is_none()) {
        return None;
    }
    if deliveries.iter().any(|d| d.state == DeliveryState::Unknown) {
        return Some(RunOutcome::Unknown);
    }
    if deliveries.iter().all(|d| d.state == DeliveryState::Delivered) {
        return Some(delivered(status.counts.map_or(0, |c| c.excluded)));
    }
    let begun = deliveries.iter().any(|d| d.begun == Some(true) || d.state == DeliveryState::Delivered);
    Some(if begun { RunOutcome::NotDelivered } else { RunOutcome::Failed })
}

fn delivered(excluded: i64) -> RunOutcome {
    if excluded > 0 {
        RunOutcome::DeliveredWithExclusions
    } else {
        RunOutcome::Delivered
    }
}
