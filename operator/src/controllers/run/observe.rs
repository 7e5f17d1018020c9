//! Where an attempt's Job is: running, ending, or over and how. Pure; reads Facts, decides nothing about what follows.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use openreg_crds::report_run::{Attempt, RunFailure};
use openreg_parts::error::Class;

use super::decide::Note;
use super::facts::{Facts, Work, is_condemned};
use super::outcome::{End, Verdict, deadline as past_deadline, failure, finished, has_started, is_node_lost, is_over, is_settled, judge, timed_out};
use super::startup;

/// How long after its grace period a pod counts as one that does not end.
const OVERDUE: SignedDuration = SignedDuration::from_secs(60);

/// Reason of Started=False while a pod that was told to stop does not end.
pub const POD_NOT_ENDING: &str = "PodNotEnding";

/// Where an attempt's Job is.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// No container has started; the moment by which one must.
    Starting(Timestamp),
    /// A container runs.
    Running,
    /// It is on its way to its end, which must be seen first.
    Ending,
    /// It is over.
    Over(Box<End>),
}

/// Where the Job of `attempt`, whose end is not accounted for, is.
pub fn observe(facts: &Facts, work: Work, attempt: &Attempt) -> Seen {
    let uid = attempt.job_uid.as_deref().unwrap_or_default();
    let pods = facts.pods_of(uid);
    let job = own_job(facts, attempt);
    let alive = pods.iter().any(|p| !p.gone && !is_over(&p.pod));
    match job {
        // Gone, but a pod of it still runs: its end must be seen first.
        None if alive => Seen::Ending,
        None => Seen::Over(Box::new(end(facts, work, attempt, None))),
        Some(job) if is_settled(job) => {
            let known = pods.iter().any(|p| p.gone || is_over(&p.pod)) || facts.confirmed.contains(uid);
            // Job and Pods come over two watches: the pod's last state may be on its way.
            if known && !alive {
                Seen::Over(Box::new(end(facts, work, attempt, Some(job))))
            } else {
                Seen::Ending
            }
        }
        Some(job) => {
            let failing = job
                .status
                .as_ref()
                .is_some_and(|s| s.conditions.iter().flatten().any(|c| c.type_ == "FailureTarget" && c.status == "True"));
            let ending = failing || finished(job).is_some() || job.metadata.deletion_timestamp.is_some();
            match (ending, pods.iter().any(|p| has_started(&p.pod))) {
                (true, _) => Seen::Ending,
                (false, true) => Seen::Running,
                (false, false) => Seen::Starting(deadline(facts, attempt)),
            }
        }
    }
}

/// The Job of `attempt`, if it is there and is that very one.
pub fn own_job<'a>(facts: &'a Facts, attempt: &Attempt) -> Option<&'a Job> {
    let job = facts.jobs.get(attempt.job.as_deref()?)?;
    (job.uid() == attempt.job_uid).then_some(job.as_ref())
}

fn end(facts: &Facts, work: Work, attempt: &Attempt, job: Option<&Job>) -> End {
    let pods = facts.pods_of(attempt.job_uid.as_deref().unwrap_or_default());
    let mut end = judge(work, job, pods);
    // Removed because it could not start, and it never did: the reason was written down before the Job was removed.
    if is_condemned(attempt) && end.report.is_none() && !pods.iter().any(|p| has_started(&p.pod)) {
        let reason = condemnation(facts, work).unwrap_or_else(|| failure("Start", Class::Transient, "PodNotStarted", "the pod did not start in time", None));
        let sure = if pods.is_empty() {
            // A pod that was there and is not known any more (a restart came between) may have started in the last moment;
            // a Job that made none cannot be over.
            startup::is_without_pod(&reason.code) && job.is_none_or(|j| finished(j).is_none())
        } else {
            !pods.iter().any(|p| is_node_lost(&p.pod))
        };
        end = End {
            verdict: Verdict::Failed(reason),
            report: None,
            pods: end.pods,
            seen: sure,
            certain: sure || work == Work::Generate,
        };
    }
    // The pod was told to stop, and not because somebody wanted the run stopped: at the Job's deadline, or a drained node.
    if end.verdict == Verdict::Cancelled && !facts.stopping() {
        let stage = if work == Work::Generate { "Read" } else { "Deliver" };
        end.verdict = Verdict::Failed(if past_deadline(job) {
            timed_out(work)
        } else {
            failure(
                stage,
                Class::Transient,
                "Terminated",
                "the pod was told to stop before it had finished",
                Some("a node was drained, or somebody deleted the pod: run again"),
            )
        });
    }
    end
}

fn condemnation(facts: &Facts, work: Work) -> Option<RunFailure> {
    match work {
        Work::Generate => facts.status.failure.clone(),
        Work::Deliver(index) => facts.status.deliveries.get(index)?.failure.clone(),
    }
}

/// Whether a pod of the attempt was told to stop and has not ended.
pub fn is_alive(facts: &Facts, attempt: &Attempt) -> bool {
    let mut pods = facts.pods_of(attempt.job_uid.as_deref().unwrap_or_default()).iter();
    pods.any(|p| !p.gone && !is_over(&p.pod) && p.pod.metadata.deletion_timestamp.is_some())
}

/// What to say of a pod that should have ended `OVERDUE` ago: its node does not answer, and until its end is known nothing
/// else may be started. Kubernetes itself waits for ever.
pub fn not_ending(facts: &Facts, attempt: &Attempt) -> Option<Note> {
    let pods = facts.pods_of(attempt.job_uid.as_deref().unwrap_or_default());
    let pod = pods.iter().find(|p| {
        // The deletion's time is the end of the grace period.
        let due = p.pod.metadata.deletion_timestamp.as_ref();
        !p.gone && !is_over(&p.pod) && due.is_some_and(|t| facts.now.duration_since(t.0) > OVERDUE)
    })?;
    let node = pod.pod.spec.as_ref().and_then(|s| s.node_name.as_deref()).unwrap_or("unknown");
    Some(Note {
        condition: "Started",
        reason: POD_NOT_ENDING,
        message: format!(
            "pod {} on node {node} was told to stop and has not ended: once that node is known to be off, delete the pod's object",
            pod.pod.name_any()
        ),
    })
}

/// Why the attempt's pod has not started.
pub fn why_not_started(facts: &Facts, attempt: &Attempt) -> RunFailure {
    let uid = attempt.job_uid.as_deref().unwrap_or_default();
    let pods: Vec<_> = facts.pods_of(uid).iter().filter(|p| !p.gone).map(|p| p.pod.as_ref()).collect();
    let events = facts.events.get(uid).map_or(&[][..], Vec::as_slice);
    startup::reason(&pods, events, facts.launch().map_or(0, |l| l.startup_seconds))
}

/// The moment by which the attempt's pod must have started.
pub fn deadline(facts: &Facts, attempt: &Attempt) -> Timestamp {
    let seconds = facts.launch().map_or(120, |l| l.startup_seconds);
    let from = attempt.started_at.as_ref().map_or(facts.now, |t| t.0);
    after(from, seconds)
}

/// `seconds` after `from`.
pub fn after(from: Timestamp, seconds: u64) -> Timestamp {
    from.checked_add(SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2)))
        .unwrap_or(Timestamp::MAX)
}
