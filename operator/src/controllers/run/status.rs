//! What a run's status says after a step. Pure. It starts from the status that is there, so that what others wrote (the
//! condition Recorded) stays.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_crds::ReportRunStatus;
use openreg_crds::common::condition::{self, Condition, ConditionStatus};
use openreg_crds::report_run::{Attempt, Counts, DeliveryState, DeliveryStatus, ManifestRef, Phase, RunFailure, RunOutcome, RunUsage};
use openreg_plan::report::{Outcome, RunReport};

use super::decide::{Note, Step};
use super::facts::{Facts, Work};
use super::outcome::{End, Verdict};

/// Reason of Generated=True when a manifest without files says that there was nothing to report.
pub const NOTHING_TO_REPORT: &str = "NothingToReport";
/// Reason of Generated=False when a manifest without files says that rules blocked the run.
pub const DATA_REJECTED: &str = "DataRejected";
/// The most pods that are remembered; as many as the schema allows.
const MAX_ENDED_PODS: usize = 40;

/// The status after `step`; `job` is the UID of the Job that the step made or found.
pub fn after(facts: &Facts, step: &Step, job: Option<&str>) -> ReportRunStatus {
    let mut status = match step {
        Step::Account { work, end, .. } => account(facts, *work, end),
        _ => facts.status.clone(),
    };
    match step {
        Step::Rest | Step::Stop(_) => return status,
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
            set(facts, &mut status, "Resolved", ConditionStatus::True, "Planned", &format!("plan {} of version {}", prepared.sha256, prepared.version));
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

/// The status once the end of a Job is accounted for; what may start next is in `next_at`.
pub fn account(facts: &Facts, work: Work, end: &End) -> ReportRunStatus {
    let mut status = facts.status.clone();
    match work {
        Work::Generate => account_generate(facts, &mut status, end),
        Work::Deliver(index) => account_deliver(facts, &mut status, index, end),
    }
    status
}

fn account_generate(facts: &Facts, status: &mut ReportRunStatus, end: &End) {
    let next_at = retry_at(facts, Work::Generate, end, status.generate.as_ref());
    if let Some(attempt) = &mut status.generate {
        close(attempt, end, next_at);
    }
    let number = status.generate.as_ref().map_or(0, |a| a.number);
    if let Some(report) = &end.report {
        status.usage = Some(usage(report));
        if let Some(t) = report.totals {
            status.counts = Some(Counts { read: int(t.read), reported: int(t.reported), excluded: int(t.excluded), dropped: int(t.dropped), violations: int(t.violations), artifacts: int(t.artifacts), bytes: int(t.bytes) });
        }
        if report.outcome != Outcome::Failed {
            status.manifest = report.manifest.as_ref().map(|m| ManifestRef { key: m.key.clone(), sha256: m.sha256.to_string() });
        }
    }
    let counts = status.counts.unwrap_or_default();
    match &end.verdict {
        Verdict::Generated => {
            status.failure = None;
            let message = format!("{} records in {} files, {} bytes; {} rows excluded", counts.reported, counts.artifacts, counts.bytes, counts.excluded);
            set(facts, status, "Generated", ConditionStatus::True, "Sealed", &message);
            let targets = facts.launch().map_or(&[][..], |l| l.destinations.as_slice());
            status.deliveries = targets
                .iter()
                .map(|t| DeliveryStatus { destination: t.name.clone(), state: DeliveryState::Pending, attempt: None, begun: None, remote: None, receipt_sha256: None, finished_at: None, failure: None })
                .collect();
            goes_on(facts, status, Phase::Delivering, "Generated", "the files are sealed");
        }
        Verdict::Empty => {
            status.failure = None;
            set(facts, status, "Generated", ConditionStatus::True, NOTHING_TO_REPORT, &format!("no record of {} rows read; that is sealed", counts.read));
        }
        Verdict::Blocked => {
            status.failure.clone_from(&end.report.as_ref().and_then(|r| r.failure.as_ref()).map(|f| super::outcome::failure("Check", f.class, &f.code, f.message.clone(), f.hint.as_deref())));
            set(facts, status, "Generated", ConditionStatus::False, DATA_REJECTED, &format!("rules blocked the run: {} violations in {} rows", counts.violations, counts.read));
        }
        Verdict::Failed(why) => {
            status.failure = Some(why.clone());
            set(facts, status, "Generated", ConditionStatus::False, &why.code, &words(why));
            backs_off(facts, status, number, why, next_at);
        }
        Verdict::Cancelled | Verdict::Unknown | Verdict::Delivered => set(facts, status, "Generated", ConditionStatus::False, "Cancelled", "the run was stopped before its files were sealed"),
    }
}

fn account_deliver(facts: &Facts, status: &mut ReportRunStatus, index: usize, end: &End) {
    let retry = retry_at(facts, Work::Deliver(index), end, status.deliveries.get(index).and_then(|d| d.attempt.as_ref()));
    let Some(delivery) = status.deliveries.get_mut(index) else { return };
    let number = delivery.attempt.as_ref().map_or(0, |a| a.number);
    // After a pod whose end nobody saw there is no other attempt: it may still be sending.
    let next_at = retry.filter(|_| end.seen);
    if let Some(attempt) = &mut delivery.attempt {
        close(attempt, end, next_at);
    }
    let said = end.report.as_ref().and_then(|r| r.delivery.as_ref());
    if said.is_some_and(|d| d.begun) || !end.certain {
        delivery.begun = Some(true);
    }
    if let Some(d) = said {
        delivery.remote = d.remote.clone().or(delivery.remote.take());
        delivery.receipt_sha256 = d.receipt_sha256.as_ref().map(ToString::to_string).or(delivery.receipt_sha256.take());
    }
    // Some files lie there and others do not: only a person can say whether that counts.
    let partly = said.is_some_and(|d| d.receipts > 0);
    let before = delivery.state;
    delivery.state = match &end.verdict {
        Verdict::Delivered => DeliveryState::Delivered,
        Verdict::Unknown => DeliveryState::Unknown,
        // An earlier attempt may have been the one that made it visible: only a receipt settles that.
        _ if before == DeliveryState::Unknown || !end.certain || (partly && next_at.is_none()) => DeliveryState::Unknown,
        _ if next_at.is_some() => DeliveryState::Delivering,
        _ => DeliveryState::NotDelivered,
    };
    delivery.failure = match &end.verdict {
        Verdict::Failed(why) => Some(why.clone()),
        Verdict::Unknown => end.report.as_ref().and_then(|r| r.failure.as_ref()).map(|f| super::outcome::failure("Deliver", f.class, &f.code, f.message.clone(), f.hint.as_deref())),
        _ => None,
    };
    if next_at.is_none() {
        delivery.finished_at = Some(Time(facts.now));
    }
    let (destination, why) = (delivery.destination.clone(), delivery.failure.clone());
    if let Some(why) = &why {
        status.failure = Some(why.clone());
        backs_off(facts, status, number, why, next_at);
    }
    delivered(facts, status, &destination);
}

/// The condition Delivered, from the states of all destinations.
fn delivered(facts: &Facts, status: &mut ReportRunStatus, destination: &str) {
    let count = |state| status.deliveries.iter().filter(|d| d.state == state && d.finished_at.is_some()).count();
    let (done, all) = (count(DeliveryState::Delivered), status.deliveries.len());
    let unknown: Vec<_> = status.deliveries.iter().filter(|d| d.state == DeliveryState::Unknown).map(|d| d.destination.as_str()).collect();
    let (value, reason, message) = if done == all {
        status.failure = None;
        (ConditionStatus::True, "Delivered", format!("every file has its receipt at {all} of {all} destinations"))
    } else if !unknown.is_empty() {
        (ConditionStatus::Unknown, "Unknown", format!("a file may or may not have become visible at {}: look there before anything is sent again", unknown.join(", ")))
    } else if count(DeliveryState::NotDelivered) > 0 {
        let why = status.failure.as_ref().map(words).unwrap_or_default();
        (ConditionStatus::False, "NotDelivered", format!("{done} of {all} destinations have the files; {destination}: {why}"))
    } else {
        (ConditionStatus::Unknown, "Delivering", format!("{done} of {all} destinations have the files"))
    };
    set(facts, status, "Delivered", value, reason, &message);
}

/// When the next attempt may start, if there is one.
fn retry_at(facts: &Facts, work: Work, end: &End, attempt: Option<&Attempt>) -> Option<Timestamp> {
    let Verdict::Failed(why) = &end.verdict else { return None };
    let (stage, number) = (facts.stage(work)?, attempt?.number);
    if why.class != "Transient" || number >= stage.max_attempts || facts.stopping() {
        return None;
    }
    let pause = SignedDuration::try_from(stage.pause(number)).unwrap_or(SignedDuration::ZERO);
    facts.now.checked_add(pause).ok()
}

fn close(attempt: &mut Attempt, end: &End, next_at: Option<Timestamp>) {
    attempt.ended = Some(true);
    attempt.next_at = next_at.map(Time);
    for uid in &end.pods {
        if !attempt.ended_pods.contains(uid) {
            attempt.ended_pods.push(uid.clone());
        }
    }
    let surplus = attempt.ended_pods.len().saturating_sub(MAX_ENDED_PODS);
    attempt.ended_pods.drain(..surplus);
}

fn started(facts: &Facts, status: &mut ReportRunStatus, work: Work, number: u32, uid: &str) {
    let ended_pods = work.attempt(status).map(|a| a.ended_pods.clone()).unwrap_or_default();
    let job = work.job_name(&facts.name(), number);
    let attempt = Attempt { number, job: Some(job.clone()), job_uid: Some(uid.to_owned()), ended: None, started_at: Some(Time(facts.now)), next_at: None, ended_pods };
    status.started_at.get_or_insert(Time(facts.now));
    set(facts, status, "Started", ConditionStatus::True, "JobCreated", &format!("Job {job}, attempt {number}"));
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

fn backs_off(facts: &Facts, status: &mut ReportRunStatus, number: u32, why: &RunFailure, next_at: Option<Timestamp>) {
    if let Some(at) = next_at {
        let message = format!("attempt {number} failed: {}; the next starts at {}", why.message, at.strftime("%Y-%m-%dT%H:%M:%SZ"));
        set(facts, status, "Started", ConditionStatus::False, "Backoff", &message);
        let phase = if status.manifest.is_some() { Phase::Delivering } else { Phase::Generating };
        goes_on(facts, status, phase, "Backoff", &message);
    }
}

fn waits(facts: &Facts, status: &mut ReportRunStatus, note: &Note) {
    set(facts, status, note.condition, ConditionStatus::False, note.reason, &note.message);
    let phase = if status.manifest.is_some() { Phase::Delivering } else { Phase::Queued };
    goes_on(facts, status, phase, note.reason, &note.message);
}

/// Complete=False with what happens now.
fn goes_on(facts: &Facts, status: &mut ReportRunStatus, phase: Phase, reason: &str, message: &str) {
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
fn words(why: &RunFailure) -> String {
    match &why.hint {
        Some(hint) => format!("{}; {hint}", why.message),
        None => why.message.clone(),
    }
}

fn set(facts: &Facts, status: &mut ReportRunStatus, type_: &str, value: ConditionStatus, reason: &str, message: &str) {
    // A reason is one CamelCase word; a code that is none would make the whole status be refused.
    let reason: String = reason.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(128).collect();
    let new = Condition {
        type_: type_.to_owned(),
        status: value,
        observed_generation: facts.run.metadata.generation,
        last_transition_time: Time(facts.now),
        reason: if reason.is_empty() { "Unspecified".to_owned() } else { reason },
        message: message.chars().take(4096).collect(),
    };
    condition::set(&mut status.conditions, new);
}

fn usage(report: &RunReport) -> RunUsage {
    let u = report.usage;
    RunUsage { duration_ms: int(u.duration_ms), vm_hwm_bytes: int(u.vm_hwm_bytes), cgroup_peak_bytes: int(u.cgroup_peak_bytes) }
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
