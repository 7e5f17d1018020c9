//! What the end of a Job means: the runner's own report, or what its absence means. Pure; decides nothing about what follows.

use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerStateTerminated, Pod};
use kube::ResourceExt;
use openreg_crds::report_run::RunFailure;
use openreg_parts::error::Class;
use openreg_parts::store::manifest;
use openreg_plan::exit;
use openreg_plan::report::{Delivery, Outcome, RunReport};

use super::facts::{SeenPod, Work};
use crate::pod::CONTAINER;

/// How a Job ended.
#[derive(Clone, Debug, PartialEq)]
pub struct End {
    /// What came of it.
    pub verdict: Verdict,
    /// What the runner said, if it said something that can be used.
    pub report: Option<RunReport>,
    /// UIDs of the pods that were seen to end.
    pub pods: Vec<String>,
    /// Whether everything that ran was seen to end, so that another attempt cannot meet this one.
    pub seen: bool,
    /// Whether it is known what became visible at a destination.
    pub certain: bool,
}

/// What came of a Job.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// Files are sealed.
    Generated,
    /// There was nothing to report; that is sealed.
    Empty,
    /// Rules blocked the run; that is sealed.
    Blocked,
    /// Every file has its receipt.
    Delivered,
    /// It was told to stop and did.
    Cancelled,
    /// A file may or may not have become visible.
    Unknown,
    /// It failed.
    Failed(RunFailure),
}

/// A failure of a stage.
pub fn failure(stage: &str, class: Class, code: &str, message: impl Into<String>, hint: Option<&str>) -> RunFailure {
    let cut = |text: String, max: usize| if text.chars().count() > max { text.chars().take(max).collect() } else { text };
    RunFailure {
        stage: stage.to_owned(),
        class: class.as_str().to_owned(),
        code: cut(code.to_owned(), 64),
        message: cut(message.into(), 1024),
        hint: hint.map(|h| cut(h.to_owned(), 1024)),
    }
}

/// What the end of a Job means. `job` is absent when the Job object is gone.
pub fn judge(work: Work, job: Option<&Job>, pods: &[SeenPod]) -> End {
    let ended: Vec<String> = pods.iter().filter(|p| terminated(&p.pod).is_some()).filter_map(|p| p.pod.uid()).collect();
    // A pod object that went away while its container was last seen running: nobody saw its end, unless the Job did.
    let vanished = pods.iter().any(|p| p.gone && terminated(&p.pod).is_none());
    let lost = pods.iter().filter(|p| terminated(&p.pod).is_none()).any(|p| match given_up(&p.pod) {
        Some("NodeLost") => true,
        Some(_) => has_started(&p.pod),
        None => false,
    });
    let job_ended = job.is_some_and(|j| finished(j).is_some());
    // With no pod known at all, a Job that failed may have failed because its node was lost.
    let seen = !lost && !pods.is_empty() && (job_ended || !vanished);
    let mut pods_ended = ended;
    if seen {
        pods_ended.extend(pods.iter().filter_map(|p| p.pod.uid()));
        pods_ended.sort();
        pods_ended.dedup();
    }

    // A Job may start the same program twice: the pod that got furthest speaks for it.
    let words: Vec<_> = pods.iter().filter_map(|p| Some(read(work, terminated(&p.pod)?))).collect();
    let told = words.iter().max_by_key(|w| w.rank);
    if let Some(best) = told.filter(|w| w.rank > USELESS) {
        let mut report = best.report.clone();
        if let Some(report) = &mut report {
            report.delivery = together(best, &words);
        }
        // That it failed before it sent anything says nothing about another pod that left no words.
        let mute = pods.iter().any(|p| terminated(&p.pod).is_none() && has_started(&p.pod));
        let silent_one = vanished || lost || mute || words.iter().any(|w| w.rank == USELESS && w.ran);
        let unsettled = words.iter().filter_map(Words::delivery).any(|d| d.unsettled);
        return End {
            verdict: best.verdict.clone(),
            report,
            pods: pods_ended,
            seen,
            certain: work == Work::Generate || best.rank >= SETTLED || !(silent_one || unsettled || refused_all(&words)),
        };
    }
    let failure = silent(work, job, pods, told.map(|w| w.verdict.clone()));
    let started = pods.iter().any(|p| has_started(&p.pod));
    // Nothing can have been sent when every pod is known and none of them ever ran.
    let certain = work == Work::Generate || (job_ended && !started && !vanished && !pods.is_empty());
    End {
        verdict: Verdict::Failed(failure),
        report: None,
        pods: pods_ended,
        seen,
        certain,
    }
}

/// What one pod's message says.
#[derive(Clone)]
struct Words {
    /// How far the pod got; [`USELESS`] means that it says nothing that can be used.
    rank: u8,
    verdict: Verdict,
    report: Option<RunReport>,
    /// Whether the program ran at all.
    ran: bool,
}

impl Words {
    fn delivery(&self) -> Option<&Delivery> {
        self.report.as_ref()?.delivery.as_ref()
    }
}

/// What the pods of a Job did at the destination, told by the one that got furthest: what another of them began, left
/// unsettled or has a receipt for is no less so.
fn together(best: &Words, words: &[Words]) -> Option<Delivery> {
    let mut all = best.delivery().into_iter().chain(words.iter().filter_map(Words::delivery));
    let mut told = all.next()?.clone();
    for other in all {
        told.begun |= other.begun;
        told.unsettled |= other.unsettled;
        if other.receipts > told.receipts {
            told.receipts = other.receipts;
            told.remote = other.remote.clone().or(told.remote);
            told.receipt_sha256.clone_from(&other.receipt_sha256);
        }
    }
    Some(told)
}

/// Whether each pod that ran was refused because another pod of the run holds the claim: then that other one is not among
/// them, and nobody knows what it sent.
fn refused_all(words: &[Words]) -> bool {
    let held = |w: &Words| matches!(&w.verdict, Verdict::Failed(why) if why.code == CLAIM_HELD);
    words.iter().any(held) && words.iter().filter(|w| w.ran).all(held)
}

/// The runner's code for a name that another pod of the same run has claimed.
const CLAIM_HELD: &str = "ClaimHeld";
/// The rank of words that cannot be used.
const USELESS: u8 = 0;
/// From this rank on the words say what lies at the destination, whatever another pod did.
const SETTLED: u8 = 8;
/// The most characters of a manifest's key, as the schema has it. The runner's own are a fifth of that.
const MAX_KEY: usize = 512;

/// What one pod's message says.
fn read(work: Work, state: &ContainerStateTerminated) -> Words {
    let ran = state.reason.as_deref() != Some("StartError");
    let (rank, verdict, report) = ranked(work, state);
    Words { rank, verdict, report, ran }
}

fn ranked(work: Work, state: &ContainerStateTerminated) -> (u8, Verdict, Option<RunReport>) {
    let stage = default_stage(work);
    let bad = |code: &str, message: String| {
        (
            USELESS,
            Verdict::Failed(failure(
                stage,
                Class::Internal,
                code,
                message,
                Some("operator and runner image must be of one release: check OPENREG_RUNNER_IMAGE"),
            )),
            None,
        )
    };
    let Some(text) = state.message.as_deref().filter(|m| !m.trim().is_empty()) else {
        return (USELESS, Verdict::Failed(by_exit(work, state)), None);
    };
    #[derive(serde::Deserialize)]
    struct Version {
        version: u32,
    }
    match serde_json::from_str::<Version>(text) {
        // The kubelet writes messages of its own, for example when the program cannot be executed.
        Err(_) if state.reason.as_deref() != Some("Error") && state.reason.as_deref() != Some("Completed") => {
            return (USELESS, Verdict::Failed(by_exit(work, state)), None);
        }
        Err(_) => {
            return bad(
                "ReportUnreadable",
                format!("could not read the runner's report; the runner ended with exit code {}", state.exit_code),
            );
        }
        Ok(Version { version }) if version != 1 => {
            return bad(
                "ReportVersion",
                format!("could not read the runner's report of version {version}: this operator reads version 1"),
            );
        }
        Ok(_) => {}
    }
    let report: RunReport = match serde_json::from_str(text) {
        Ok(report) => report,
        Err(error) => return bad("ReportUnreadable", format!("could not read the runner's report: {error}")),
    };
    // A key that the status cannot hold would make every later write of it be refused, and the run would never end.
    let fits = |key: &str| (1..=MAX_KEY).contains(&key.chars().count()) && !key.chars().any(char::is_control);
    let sealed = |wanted: manifest::Outcome| report.manifest.as_ref().is_some_and(|m| m.outcome == wanted && fits(&m.key));
    let receipt = report.delivery.as_ref().is_some_and(|d| d.receipts > 0 && d.receipt_sha256.is_some());
    let verdict = match (work, report.outcome) {
        (Work::Generate, Outcome::Generated) if sealed(manifest::Outcome::Complete) => (9, Verdict::Generated),
        (Work::Generate, Outcome::Empty) if sealed(manifest::Outcome::Empty) => (9, Verdict::Empty),
        (Work::Generate, Outcome::Blocked) if sealed(manifest::Outcome::Blocked) => (9, Verdict::Blocked),
        (Work::Deliver(_), Outcome::Delivered) if receipt => (9, Verdict::Delivered),
        (Work::Deliver(_), Outcome::Unknown) => (SETTLED, Verdict::Unknown),
        (_, Outcome::Cancelled) => (2, Verdict::Cancelled),
        (_, Outcome::Failed) => match &report.failure {
            Some(f) => (
                3,
                Verdict::Failed(failure(stage_name(f.stage), f.class, &f.code, f.message.clone(), f.hint.as_deref())),
            ),
            None => return bad("ReportUnexpected", "could not use the runner's report: it says Failed and not why".to_owned()),
        },
        (_, outcome) => {
            return bad(
                "ReportUnexpected",
                format!(
                    "could not use the runner's report: a {} Job said {outcome:?} without its proof",
                    stage.to_lowercase()
                ),
            );
        }
    };
    (verdict.0, verdict.1, Some(report))
}

fn stage_name(stage: openreg_plan::report::Stage) -> &'static str {
    use openreg_plan::report::Stage;
    match stage {
        Stage::Plan => "Plan",
        Stage::Start => "Start",
        Stage::Read => "Read",
        Stage::Check => "Check",
        Stage::Transform => "Transform",
        Stage::Encode => "Encode",
        Stage::Store => "Store",
        Stage::Deliver => "Deliver",
        Stage::Probe => "Probe",
    }
}

/// The stage that a silent end belongs to.
fn default_stage(work: Work) -> &'static str {
    match work {
        Work::Generate => "Read",
        Work::Deliver(_) => "Deliver",
    }
}

/// What it means that no pod left a report.
fn silent(work: Work, job: Option<&Job>, pods: &[SeenPod], told: Option<Verdict>) -> RunFailure {
    let stage = default_stage(work);
    let words = || pods.iter().find_map(|p| p.pod.status.as_ref()?.message.clone());
    if let Some(reason) = pods.iter().find_map(|p| given_up(&p.pod)) {
        return failure(
            stage,
            Class::Transient,
            reason,
            words().unwrap_or_else(|| "the pod's node went away or gave the pod up".to_owned()),
            None,
        );
    }
    let out_of_memory = pods
        .iter()
        .any(|p| terminated(&p.pod).is_some_and(|t| t.reason.as_deref() == Some("OOMKilled")));
    if deadline(job) && !out_of_memory {
        return timed_out(work);
    }
    if let Some(Verdict::Failed(f)) = told {
        return f;
    }
    // A kubelet that takes no more pods says so in the pod's own reason: OutOfcpu, NodeAffinity.
    if let Some(reason) = pods.iter().filter(|p| !has_started(&p.pod)).find_map(|p| p.pod.status.as_ref()?.reason.clone()) {
        return failure(
            "Start",
            Class::Transient,
            &reason,
            words().unwrap_or_else(|| "the node did not take the pod".to_owned()),
            Some("look at the node: kubectl describe node"),
        );
    }
    match job {
        None => failure(stage, Class::Transient, "JobLost", "the Job was deleted before its end was seen", Some(LOST)),
        Some(_) => failure(stage, Class::Transient, "PodLost", "the pod went away without a message", Some(LOST)),
    }
}

/// What to do about a pod that ended without a word.
const LOST: &str = "see what happened to the pod's node and who deletes pods there (kubectl get events, the cluster's audit log), then run again";

/// Kubernetes ended the Job at its deadline: the runner's own timeout, which comes before, did not end it.
pub fn timed_out(work: Work) -> RunFailure {
    failure(
        default_stage(work),
        Class::Config,
        "TimedOut",
        "the Job ran past its deadline and was ended by Kubernetes",
        Some("raise spec.execution.timeout of the Report (delivery.timeout of the Destination), or make the query faster"),
    )
}

/// What a container's end without a usable message means.
fn by_exit(work: Work, state: &ContainerStateTerminated) -> RunFailure {
    let stage = default_stage(work);
    let code = state.exit_code;
    match (state.reason.as_deref(), code) {
        (Some("OOMKilled"), _) => failure(
            stage,
            Class::Config,
            "OutOfMemory",
            "the runner used more memory than its limit and was killed",
            Some("raise spec.execution.memory of the Report (at most 4Gi), or lower limits.batchBytes of the Connector"),
        ),
        (Some("StartError" | "ContainerCannotRun"), _) => failure(
            "Start",
            Class::Config,
            "CannotRun",
            format!("could not start the runner: {}", state.message.as_deref().unwrap_or("no reason was given")),
            Some("check that OPENREG_RUNNER_IMAGE names the runner's image"),
        ),
        (_, 0) => failure(
            stage,
            Class::Internal,
            "NoReport",
            "the runner ended well and left no report",
            Some("check that operator and runner are of one release; the pod's log says more"),
        ),
        (Some("ContainerStatusUnknown"), _) => failure(stage, Class::Transient, "PodLost", "the container's end could not be read", Some(LOST)),
        (_, 137 | 143) => failure(
            stage,
            Class::Transient,
            "Killed",
            format!("the runner was killed (exit code {code}) and left no report"),
            Some(LOST),
        ),
        (_, code) => match exit::class(code) {
            Some(class) => failure(
                stage,
                class,
                "NoReport",
                format!("the runner ended with exit code {code} and left no report"),
                Some("the pod's log says more"),
            ),
            None => failure(
                stage,
                Class::Internal,
                "Crashed",
                format!("the runner crashed with exit code {code}"),
                Some("the pod's log says more; please report it"),
            ),
        },
    }
}

/// The runner's terminated state, if its container ended.
pub fn terminated(pod: &Pod) -> Option<&ContainerStateTerminated> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    statuses.iter().find(|c| c.name == CONTAINER)?.state.as_ref()?.terminated.as_ref()
}

/// Whether the runner's container runs or ran.
pub fn has_started(pod: &Pod) -> bool {
    let statuses = pod.status.as_ref().and_then(|s| s.container_statuses.as_ref());
    let Some(runner) = statuses.and_then(|s| s.iter().find(|c| c.name == CONTAINER)) else {
        return false;
    };
    // One that ran and was lost, as after a node's restart, gets a fresh status without an id; that it ran is in its last state.
    if runner.last_state.as_ref().is_some_and(|last| last.terminated.is_some()) {
        return true;
    }
    let Some(state) = &runner.state else { return false };
    state.running.is_some()
        || state.terminated.as_ref().is_some_and(|t| match t.reason.as_deref() {
            Some("StartError") => false,
            // What the kubelet says of a container that it does not find when its pod ends: also of one that never was, since
            // its image could not be pulled; such a one has no id.
            Some("ContainerStatusUnknown") => runner.container_id.as_ref().is_some_and(|id| !id.is_empty()),
            _ => true,
        })
}

/// Whether the pod has reached its end, with or without a container that ran.
pub fn is_over(pod: &Pod) -> bool {
    terminated(pod).is_some() || matches!(pod.status.as_ref().and_then(|s| s.phase.as_deref()), Some("Succeeded" | "Failed"))
}

/// Whether the pod's node was lost, so that nobody can say what its processes do.
pub fn is_node_lost(pod: &Pod) -> bool {
    given_up(pod) == Some("NodeLost")
}

/// Why a pod was given up by its node or by the cluster, if it was.
fn given_up(pod: &Pod) -> Option<&'static str> {
    let status = pod.status.as_ref()?;
    match status.reason.as_deref() {
        Some("Evicted") => return Some("Evicted"),
        Some("NodeLost") => return Some("NodeLost"),
        Some("NodeShutdown" | "Shutdown" | "Terminated") => return Some("NodeShutdown"),
        _ => {}
    }
    let disrupted = status
        .conditions
        .as_ref()?
        .iter()
        .find(|c| c.type_ == "DisruptionTarget" && c.status == "True")?;
    Some(match disrupted.reason.as_deref() {
        Some("PreemptionByScheduler") => "Preempted",
        Some("EvictionByEvictionAPI" | "TerminationByKubelet") => "Evicted",
        Some("DeletionByTaintManager" | "DeletionByPodGC") => "NodeLost",
        _ => "Disrupted",
    })
}

/// Why a Job is over, `Complete` or `Failed` with its reason, if it is. FailureTarget does not count: pods may still run.
pub fn finished(job: &Job) -> Option<&str> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    conditions
        .iter()
        .find(|c| (c.type_ == "Complete" || c.type_ == "Failed") && c.status == "True")
        .map(|c| c.reason.as_deref().unwrap_or(&c.type_))
}

/// Whether a Job is over and none of its pods is still ending.
pub fn is_settled(job: &Job) -> bool {
    finished(job).is_some() && job.status.as_ref().and_then(|s| s.terminating).unwrap_or(0) == 0
}

/// Whether Kubernetes ended the Job at its deadline.
pub fn deadline(job: Option<&Job>) -> bool {
    job.and_then(finished) == Some("DeadlineExceeded")
}
