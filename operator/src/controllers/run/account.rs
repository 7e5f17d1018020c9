//! What the end of a Job changes in the status: counts, manifest, delivery states, when the next attempt may start. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_crds::ReportRunStatus;
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::report_run::{Attempt, Counts, DeliveryState, DeliveryStatus, ManifestRef, Phase, RunFailure, RunUsage};
use openreg_plan::report::RunReport;

use super::facts::{Facts, Work};
use super::observe::POD_NOT_ENDING;
use super::outcome::{End, Verdict};
use super::status::{DATA_REJECTED, NOTHING_TO_REPORT, delivered, goes_on, set, words};

/// The most pods that are remembered; as many as the schema allows.
const MAX_ENDED_PODS: usize = 40;
/// The reason while a run waits for its next attempt.
const BACKOFF: &str = "Backoff";
/// The most characters of a path at the receiver, as the schema has it.
const MAX_REMOTE: usize = 1024;

/// The status once the end of a Job is accounted for; what may start next is in `next_at`.
pub fn account(facts: &Facts, work: Work, end: &End) -> ReportRunStatus {
    let mut status = facts.status.clone();
    mend_started(facts, &mut status, end);
    match work {
        Work::Generate => account_generate(facts, &mut status, end),
        Work::Deliver(index) => account_deliver(facts, &mut status, index, end),
    }
    status
}

/// What was said of a pod that does not end, or does not start, is no longer so once its end is known. A pause before the next
/// attempt belongs to another destination: it goes on.
fn mend_started(facts: &Facts, status: &mut ReportRunStatus, end: &End) {
    let stale = condition::find(&status.conditions, "Started")
        .filter(|c| c.status == ConditionStatus::False && c.reason != BACKOFF)
        .is_some_and(|c| c.reason == POD_NOT_ENDING || end.report.is_some());
    if stale {
        let message = if end.seen {
            "its pod ran and has ended"
        } else {
            "its pod ran, and nobody saw its end"
        };
        set(facts, status, "Started", ConditionStatus::True, "JobCreated", message);
    }
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
            status.counts = Some(Counts {
                read: int(t.read),
                reported: int(t.reported),
                excluded: int(t.excluded),
                dropped: int(t.dropped),
                violations: int(t.violations),
                artifacts: int(t.artifacts),
                bytes: int(t.bytes),
            });
        }
        // Only what sealed it names it: with a manifest in its status a run is past generating.
        if matches!(end.verdict, Verdict::Generated | Verdict::Empty | Verdict::Blocked) {
            status.manifest = report.manifest.as_ref().map(|m| ManifestRef {
                key: m.key.clone(),
                sha256: m.sha256.to_string(),
            });
        }
    }
    let counts = status.counts.unwrap_or_default();
    match &end.verdict {
        Verdict::Generated => {
            status.failure = None;
            let message = format!(
                "{} records in {} files, {} bytes; {} rows excluded",
                counts.reported, counts.artifacts, counts.bytes, counts.excluded
            );
            set(facts, status, "Generated", ConditionStatus::True, "Sealed", &message);
            let targets = facts.launch().map_or(&[][..], |l| l.destinations.as_slice());
            status.deliveries = targets
                .iter()
                .map(|t| DeliveryStatus {
                    destination: t.name.clone(),
                    state: DeliveryState::Pending,
                    attempt: None,
                    begun: None,
                    remote: None,
                    receipt_sha256: None,
                    finished_at: None,
                    failure: None,
                })
                .collect();
            goes_on(facts, status, Phase::Delivering, "Generated", "the files are sealed");
        }
        Verdict::Empty => {
            status.failure = None;
            set(
                facts,
                status,
                "Generated",
                ConditionStatus::True,
                NOTHING_TO_REPORT,
                &format!("no record of {} rows read; that is sealed", counts.read),
            );
        }
        Verdict::Blocked => {
            status.failure.clone_from(
                &end.report
                    .as_ref()
                    .and_then(|r| r.failure.as_ref())
                    .map(|f| super::outcome::failure("Check", f.class, &f.code, f.message.clone(), f.hint.as_deref())),
            );
            set(
                facts,
                status,
                "Generated",
                ConditionStatus::False,
                DATA_REJECTED,
                &format!("rules blocked the run: {} violations in {} rows", counts.violations, counts.read),
            );
        }
        Verdict::Failed(why) => {
            status.failure = Some(why.clone());
            set(facts, status, "Generated", ConditionStatus::False, &why.code, &words(why));
            backs_off(facts, status, number, why, next_at);
        }
        Verdict::Cancelled | Verdict::Unknown | Verdict::Delivered => set(
            facts,
            status,
            "Generated",
            ConditionStatus::False,
            "Cancelled",
            "the run was stopped before its files were sealed",
        ),
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
        let remote = d.remote.as_ref().map(|text| text.chars().take(MAX_REMOTE).collect());
        delivery.remote = remote.or(delivery.remote.take());
        delivery.receipt_sha256 = d.receipt_sha256.as_ref().map(ToString::to_string).or(delivery.receipt_sha256.take());
    }
    // Some files lie there and others do not: another attempt may bring the rest, else only a person can say whether that counts.
    let partly = said.is_some_and(|d| d.receipts > 0);
    let before = delivery.state;
    delivery.state = match &end.verdict {
        Verdict::Delivered => DeliveryState::Delivered,
        Verdict::Unknown => DeliveryState::Unknown,
        // An earlier attempt may have been the one that made it visible: only a receipt settles that.
        _ if before == DeliveryState::Unknown || !end.certain || partly => DeliveryState::Unknown,
        _ if next_at.is_some() => DeliveryState::Delivering,
        _ => DeliveryState::NotDelivered,
    };
    delivery.failure = match &end.verdict {
        Verdict::Failed(why) => Some(why.clone()),
        Verdict::Unknown => end
            .report
            .as_ref()
            .and_then(|r| r.failure.as_ref())
            .map(|f| super::outcome::failure("Deliver", f.class, &f.code, f.message.clone(), f.hint.as_deref())),
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

fn backs_off(facts: &Facts, status: &mut ReportRunStatus, number: u32, why: &RunFailure, next_at: Option<Timestamp>) {
    if let Some(at) = next_at {
        let message = format!(
            "attempt {number} failed: {}; the next starts at {}",
            why.message,
            at.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        set(facts, status, "Started", ConditionStatus::False, BACKOFF, &message);
        let phase = if status.manifest.is_some() { Phase::Delivering } else { Phase::Generating };
        goes_on(facts, status, phase, BACKOFF, &message);
    }
}

fn usage(report: &RunReport) -> RunUsage {
    let u = report.usage;
    RunUsage {
        duration_ms: int(u.duration_ms),
        vm_hwm_bytes: int(u.vm_hwm_bytes),
        cgroup_peak_bytes: int(u.cgroup_peak_bytes),
    }
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
