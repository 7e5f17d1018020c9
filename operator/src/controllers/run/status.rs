//! What a run's status says after a step. Pure. It starts from the status that is there, so that what others wrote (the
//! condition Recorded) stays.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_crds::ReportRunStatus;
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::report_run::{Attempt, DeliveryState, Phase, RunFailure, RunOutcome};

use super::account::account;
use super::decide::{Note, Step};
use super::facts::{Facts, Work};
use crate::controllers::conditions;

/// Reason of Generated=True when a manifest without files says that there was nothing to report.
pub const NOTHING_TO_REPORT: &str = "NothingToReport";
/// Reason of Generated=False when a manifest without files says that rules blocked the run.
pub const DATA_REJECTED: &str = "DataRejected";

/// The status after `step`; `job` is the UID of the Job that the step made or found.
pub fn after(facts: &Facts, step: &Step, job: Option<&str>) -> ReportRunStatus {
    let mut status = match step {
        Step::Account { work, end, .. } => account(facts, *work, end),
        _ => facts.status.clone(),
    };
    match step {
        Step::Rest | Step::RemovePlan { .. } | Step::Stop(_) => return status,
        Step::Wait { note, .. } => {
            if let Some(note) = note {
                waits(facts, &mut status, note);
            }
        }
        Step::Reject(why) => {
            status.failure = Some(why.clone());
            set(facts, &mut status, "Resolved", ConditionStatus::False, &why.code, &why.message);
            finish(facts, &mut status, RunOutcome::Rejected);
        }
        Step::WritePlan(prepared) => {
            status.plan_sha256 = Some(prepared.sha256.to_string());
            status.report_version = Some(prepared.version.clone());
            set(
                facts,
                &mut status,
                "Resolved",
                ConditionStatus::True,
                "Planned",
                &format!("plan {} of version {}", prepared.sha256, prepared.version),
            );
            goes_on(facts, &mut status, Phase::Queued, "Planned", "the plan is written");
        }
        Step::StartJob { work, number } => started(facts, &mut status, *work, *number, job.unwrap_or_default()),
        Step::AdoptJob { work, number, uid } => started(facts, &mut status, *work, *number, uid),
        Step::Condemn { work, failure } => condemned(facts, &mut status, *work, failure),
        Step::Account { finish: outcome, .. } => {
            if let Some(outcome) = outcome {
                finish(facts, &mut status, *outcome);
            }
        }
        Step::Finish { outcome, failure } => {
            if failure.is_some() {
                status.failure.clone_from(failure);
            }
            finish(facts, &mut status, *outcome);
        }
    }
    status.observed_generation = facts.run.metadata.generation;
    status
}

/// The condition Delivered, from the states of all destinations.
pub fn delivered(facts: &Facts, status: &mut ReportRunStatus, destination: &str) {
    let count = |state| status.deliveries.iter().filter(|d| d.state == state && d.finished_at.is_some()).count();
    let (done, all) = (count(DeliveryState::Delivered), status.deliveries.len());
    let unknown: Vec<_> = status
        .deliveries
        .iter()
        .filter(|d| d.state == DeliveryState::Unknown)
        .map(|d| d.destination.as_str())
        .collect();
    let (value, reason, message) = if done == all {
        status.failure = None;
        (
            ConditionStatus::True,
            "Delivered",
            format!("every file has its receipt at {all} of {all} destinations"),
        )
    } else if !unknown.is_empty() {
        (
            ConditionStatus::Unknown,
            "Unknown",
            format!(
                "a file may or may not have become visible at {}: look there before anything is sent again",
                unknown.join(", ")
            ),
        )
    } else if count(DeliveryState::NotDelivered) > 0 {
        let why = status.failure.as_ref().map(words).unwrap_or_default();
        (
            ConditionStatus::False,
            "NotDelivered",
            format!("{done} of {all} destinations have the files; {destination}: {why}"),
        )
    } else {
        (ConditionStatus::Unknown, "Delivering", format!("{done} of {all} destinations have the files"))
    };
    set(facts, status, "Delivered", value, reason, &message);
}

fn started(facts: &Facts, status: &mut ReportRunStatus, work: Work, number: u32, uid: &str) {
    let ended_pods = work.attempt(status).map(|a| a.ended_pods.clone()).unwrap_or_default();
    let job = work.job_name(&facts.name(), number);
    let attempt = Attempt {
        number,
        job: Some(job.clone()),
        job_uid: Some(uid.to_owned()),
        ended: None,
        started_at: Some(Time(facts.now)),
        next_at: None,
        ended_pods,
    };
    status.started_at.get_or_insert(Time(facts.now));
    set(
        facts,
        status,
        "Started",
        ConditionStatus::True,
        "JobCreated",
        &format!("Job {job}, attempt {number}"),
    );
    match work {
        Work::Generate => {
            status.generate = Some(attempt);
            goes_on(facts, status, Phase::Generating, "Generating", &format!("Job {job}"));
        }
        Work::Deliver(index) => {
            if let Some(delivery) = status.deliveries.get_mut(index) {
                delivery.attempt = Some(attempt);
                // Unknown stays until a receipt settles it.
                if delivery.state != DeliveryState::Unknown {
                    delivery.state = DeliveryState::Delivering;
                }
                let destination = delivery.destination.clone();
                delivered(facts, status, &destination);
            }
            goes_on(facts, status, Phase::Delivering, "Delivering", &format!("Job {job}"));
        }
    }
}

fn condemned(facts: &Facts, status: &mut ReportRunStatus, work: Work, why: &RunFailure) {
    let attempt = match work {
        Work::Generate => status.generate.as_mut(),
        Work::Deliver(index) => status.deliveries.get_mut(index).and_then(|d| {
            d.failure = Some(why.clone());
            d.attempt.as_mut()
        }),
    };
    if let Some(attempt) = attempt {
        attempt.ended = Some(false);
    }
    status.failure = Some(why.clone());
    set(facts, status, "Started", ConditionStatus::False, &why.code, &words(why));
}

fn waits(facts: &Facts, status: &mut ReportRunStatus, note: &Note) {
    set(facts, status, note.condition, ConditionStatus::False, note.reason, &note.message);
    let phase = match (&status.manifest, &status.generate) {
        (Some(_), _) => Phase::Delivering,
        (None, Some(_)) => Phase::Generating,
        (None, None) => Phase::Queued,
    };
    goes_on(facts, status, phase, note.reason, &note.message);
}

/// Complete=False with what happens now.
pub fn goes_on(facts: &Facts, status: &mut ReportRunStatus, phase: Phase, reason: &str, message: &str) {
    status.phase = Some(phase);
    set(facts, status, "Complete", ConditionStatus::False, reason, message);
}

/// Complete=True. What was still open at a destination gets its final state.
fn finish(facts: &Facts, status: &mut ReportRunStatus, outcome: RunOutcome) {
    let now = Time(facts.now);
    let mut open = None;
    for delivery in status.deliveries.iter_mut().filter(|d| d.finished_at.is_none()) {
        if delivery.state != DeliveryState::Unknown {
            delivery.state = DeliveryState::NotDelivered;
        }
        delivery.finished_at = Some(now.clone());
        if let Some(attempt) = &mut delivery.attempt {
            attempt.next_at = None;
        }
        open = Some(delivery.destination.clone());
    }
    if let Some(destination) = open {
        delivered(facts, status, &destination);
    }
    if let Some(attempt) = &mut status.generate {
        attempt.next_at = None;
    }
    status.outcome = Some(outcome);
    status.finished_at = Some(now);
    status.phase = Some(match outcome {
        RunOutcome::Delivered | RunOutcome::DeliveredWithExclusions | RunOutcome::Generated | RunOutcome::NothingToReport => Phase::Succeeded,
        RunOutcome::DataRejected | RunOutcome::Rejected | RunOutcome::Failed | RunOutcome::NotDelivered => Phase::Failed,
        RunOutcome::Cancelled => Phase::Cancelled,
        RunOutcome::Unknown => Phase::Unknown,
    });
    let message = match (&status.failure, &facts.run.spec.cancelled) {
        (_, Some(c)) if facts.stopping() => format!("cancelled by {}: {}", c.by, c.reason),
        (Some(why), _) => words(why),
        (None, _) => outcome.as_str().to_owned(),
    };
    set(facts, status, "Complete", ConditionStatus::True, outcome.as_str(), &message);
}

/// A failure as one sentence with its hint.
pub fn words(why: &RunFailure) -> String {
    match &why.hint {
        Some(hint) => format!("{}; {hint}", why.message),
        None => why.message.clone(),
    }
}

/// Sets a condition; its time moves only when its status changes.
pub fn set(facts: &Facts, status: &mut ReportRunStatus, type_: &str, value: ConditionStatus, reason: &str, message: &str) {
    let generation = facts.run.metadata.generation;
    condition::set(
        &mut status.conditions,
        conditions::condition(type_, value, reason, message, generation, facts.now),
    );
}
