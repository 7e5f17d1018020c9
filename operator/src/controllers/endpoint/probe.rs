//! One real check of an endpoint as a small Job: when, with which plan, and what its end means. Pure.
//!
//! A probe informs and never gates a run. It runs with the runner's image, the endpoint's own network policy and Secret,
//! never from the operator's process.

use std::collections::BTreeMap;
use std::hash::{Hash, Hasher};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::common::status::EndpointStatus;
use openreg_plan::digest::Sha256;
use openreg_plan::plan::{MOUNT_PATH, SecretMount};
use openreg_plan::probe::{ProbePlan, ProbeTarget};
use openreg_plan::report::{Outcome, RunReport};

use crate::controllers::conditions::{REACHABLE, word};
use crate::controllers::run::outcome::{finished, has_started, terminated};
use crate::labels;
use crate::pod::{RunnerJob, SecretVolume};

/// How long the runner itself may take: three times the default wait for a connection.
pub const TIMEOUT: Duration = Duration::from_secs(30);
/// How long its pod may take to start, image included.
pub const STARTUP: Duration = Duration::from_secs(120);
/// A probe that did not succeed is tried again after as long as it has been failing, but between these: a Secret that is
/// applied a moment later costs seconds, a server that is down for a week not a Job a second.
const RETRY: (Duration, Duration) = (Duration::from_secs(15), Duration::from_secs(5 * 60));
/// How long the pod's message may come after the Job's end: they are two watches.
const SETTLE: Duration = Duration::from_secs(10);
/// The directory of the endpoint's Secret.
const SECRET_DIRECTORY: &str = "/secrets/credentials";
/// The generation of the endpoint that a probe Job looks at.
const GENERATION: &str = "openreg.io/generation";

/// What is known when a probe is decided on.
pub struct Seen<'a> {
    /// UID of the endpoint.
    pub uid: &'a str,
    /// Its generation.
    pub generation: i64,
    /// Its status.
    pub status: &'a EndpointStatus,
    /// How often it is probed.
    pub interval: Duration,
    /// Its probe Jobs with their pods.
    pub jobs: &'a [(Job, Vec<Pod>)],
    /// When the last good run through the endpoint ended, of those made after the given moment. Asked only when a probe is
    /// due: it looks at every run of the namespace.
    pub good_run: &'a (dyn Fn(Timestamp) -> Option<Timestamp> + Sync),
    /// The clock.
    pub now: Timestamp,
}

/// What a probe found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// Whether it is reachable.
    pub status: ConditionStatus,
    /// One CamelCase word.
    pub reason: String,
    /// For people.
    pub message: String,
    /// When.
    pub at: Timestamp,
}

/// What to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the Job of that name.
    Start(String),
    /// Look again then, or when a Job or pod changes.
    Wait(Timestamp),
    /// Write down what the Job found, then remove it.
    Conclude(String, Found),
    /// Write down why the Job's pod did not start (to be read from its pods and Events), then remove it.
    GiveUp(String),
    /// Remove a Job that is of no use.
    Remove(String),
}

/// Decides.
pub fn decide(seen: &Seen<'_>) -> Step {
    let reachable = condition::find(&seen.status.conditions, REACHABLE);
    let judged = reachable.is_some_and(|c| c.observed_generation == Some(seen.generation));
    // One made for an endpoint of that name that was deleted since says nothing about this one: it goes with its owner.
    if let Some((job, pods)) = seen.jobs.iter().find(|(job, _)| is_owned(job, seen.uid)) {
        let name = job.metadata.name.clone().unwrap_or_default();
        let generation = job.metadata.annotations.as_ref().and_then(|a| a.get(GENERATION));
        let known = judged && seen.status.probe_job.as_deref() == Some(&name);
        if known || generation != Some(&seen.generation.to_string()) {
            return Step::Remove(name);
        }
        if let Some(found) = found(job, pods, seen.now) {
            return Step::Conclude(name, found);
        }
        if finished(job).is_some() {
            return Step::Wait(later(seen.now, SETTLE));
        }
        let created = job.metadata.creation_timestamp.as_ref().map_or(seen.now, |t| t.0);
        let deadline = later(created, STARTUP);
        return match pods.iter().any(has_started) {
            // Its own timeout or the Job's deadline ends it.
            true => Step::Wait(later(seen.now, TIMEOUT)),
            false if seen.now >= deadline => Step::GiveUp(name),
            false => Step::Wait(deadline),
        };
    }
    let due = match (&seen.status.last_probe_time, judged) {
        (Some(last), true) => match reachable.filter(|c| c.status != ConditionStatus::True) {
            Some(failing) => {
                let since = Duration::try_from(last.0.duration_since(failing.last_transition_time.0)).unwrap_or_default();
                later(last.0, pause(seen.uid, since.clamp(RETRY.0, RETRY.1).min(seen.interval)))
            }
            None => {
                let due = later(last.0, pause(seen.uid, seen.interval));
                // A run that went through it since is a better check than a probe.
                let proved = if seen.now >= due { (seen.good_run)(last.0) } else { None };
                proved.map_or(due, |at| due.max(later(at, pause(seen.uid, seen.interval))))
            }
        },
        _ => seen.now,
    };
    if seen.now >= due { Step::Start(seen.uid.to_owned()) } else { Step::Wait(due) }
}

fn is_owned(job: &Job, uid: &str) -> bool {
    job.metadata.owner_references.iter().flatten().any(|o| o.uid == uid)
}

/// The interval and up to a tenth of it, always the same for one endpoint: a thousand connectors made by one `apply` must
/// not be probed in one second for ever.
fn pause(uid: &str, interval: Duration) -> Duration {
    let mut hasher = std::hash::DefaultHasher::new();
    uid.hash(&mut hasher);
    #[expect(clippy::cast_precision_loss, reason = "0 to 999")]
    let part = (hasher.finish() % 1000) as f64 / 1000.0;
    interval + interval.mul_f64(0.1 * part)
}

fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by)
        .ok()
        .and_then(|by| at.checked_add(by).ok())
        .unwrap_or(Timestamp::MAX)
}

/// The name of the probe Job: the same as long as nothing was found, so that two tries make one Job.
pub fn job_name(kind: &str, name: &str, seen: &Seen<'_>) -> String {
    let last = seen.status.last_probe_time.as_ref().map(|t| t.0.as_second()).unwrap_or_default();
    let digest = Sha256::of(format!("{}/{}/{last}", seen.uid, seen.generation).as_bytes());
    format!("{kind}-{name}-probe-{}", &digest.as_str()[..8])
}

/// What an ended Job found; `None` while it runs or its pod's message may still come.
fn found(job: &Job, pods: &[Pod], now: Timestamp) -> Option<Found> {
    let end = finished(job)?;
    let status = job.status.as_ref();
    let at = status.and_then(|s| s.completion_time.as_ref()).map(|t| t.0).or_else(|| {
        let conditions = status?.conditions.as_ref()?;
        conditions
            .iter()
            .find(|c| c.type_ == "Failed" && c.status == "True")?
            .last_transition_time
            .as_ref()
            .map(|t| t.0)
    });
    let at = at.unwrap_or(now);
    let unclear = |reason: &str, message: String| Found {
        status: ConditionStatus::Unknown,
        reason: reason.to_owned(),
        message,
        at,
    };
    if end == "DeadlineExceeded" {
        return Some(unclear(
            "ProbeTimedOut",
            "the probe ran past its deadline and was ended by Kubernetes".to_owned(),
        ));
    }
    let Some(state) = pods.iter().find_map(terminated) else {
        return (now >= later(at, SETTLE)).then(|| unclear("ProbeLost", "the probe's pod went away without a message".to_owned()));
    };
    let Some(report) = state.message.as_deref().and_then(|text| serde_json::from_str::<RunReport>(text).ok()) else {
        let why = state.reason.as_deref().unwrap_or("no reason given");
        return Some(unclear(
            "ProbeFailed",
            format!("the probe ended with exit code {} and without a report ({why})", state.exit_code),
        ));
    };
    Some(match (report.outcome, report.failure) {
        (Outcome::Reachable, _) => Found {
            status: ConditionStatus::True,
            reason: "Reachable".to_owned(),
            message: "the last probe succeeded".to_owned(),
            at,
        },
        (_, Some(failure)) => {
            let message = match &failure.hint {
                Some(hint) => format!("{}; {hint}", failure.message),
                None => failure.message.clone(),
            };
            Found {
                status: ConditionStatus::False,
                reason: word(&failure.code),
                message,
                at,
            }
        }
        (outcome, None) => unclear("ProbeUnclear", format!("the probe said {outcome:?} and no reason")),
    })
}

/// What is needed to make a probe.
pub struct Probe<'a> {
    /// `connector`, `store` or `destination`.
    pub kind: &'static str,
    /// Name of the endpoint.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its generation.
    pub generation: i64,
    /// It as the owner.
    pub owner: OwnerReference,
    /// The label that opens its network policy.
    pub label: String,
    /// What is probed.
    pub target: ProbeTarget,
    /// Name of its Secret.
    pub secret: Option<&'a str>,
    /// The runner's image.
    pub image: &'a str,
    /// How it is pulled.
    pub pull_policy: Option<&'a str>,
    /// With which Secrets it is pulled.
    pub pull_secrets: &'a [String],
}

/// The value of the label [`labels::PROBE_OF`].
pub fn probe_of(kind: &str, name: &str) -> String {
    format!("{kind}.{name}")
}

/// The ConfigMap with the plan and the Job, both of that name.
pub fn build(probe: &Probe<'_>, job: &str) -> Result<(ConfigMap, Job), serde_json::Error> {
    let credentials = probe.secret.map(|secret| SecretMount {
        name: secret.to_owned(),
        path: SECRET_DIRECTORY.to_owned(),
    });
    let plan = ProbePlan {
        version: 1,
        target: probe.target.clone(),
        credentials: credentials.clone(),
        timeout_seconds: TIMEOUT.as_secs(),
    };
    let mut labels: BTreeMap<String, String> = labels::base();
    labels.insert(labels::STAGE.to_owned(), "probe".to_owned());
    labels.insert(labels::PROBE_OF.to_owned(), probe_of(probe.kind, probe.name));
    let config_map = ConfigMap {
        metadata: ObjectMeta {
            name: Some(job.to_owned()),
            namespace: Some(probe.namespace.to_owned()),
            labels: Some(labels.clone()),
            owner_references: Some(vec![probe.owner.clone()]),
            ..ObjectMeta::default()
        },
        data: Some([("plan.json".to_owned(), serde_json::to_string(&plan)?)].into()),
        immutable: Some(true),
        ..ConfigMap::default()
    };
    labels.insert(probe.label.clone(), labels::YES.to_owned());
    let job = crate::pod::runner_job(&RunnerJob {
        namespace: probe.namespace.to_owned(),
        name: job.to_owned(),
        labels,
        annotations: [(GENERATION.to_owned(), probe.generation.to_string())].into(),
        owner: Some(probe.owner.clone()),
        image: probe.image.to_owned(),
        pull_policy: probe.pull_policy.map(str::to_owned),
        pull_secrets: probe.pull_secrets.to_vec(),
        args: ["probe", "--plan", MOUNT_PATH].map(str::to_owned).to_vec(),
        plan: job.to_owned(),
        secrets: credentials.map(|c| SecretVolume { secret: c.name, path: c.path }).into_iter().collect(),
        cpu: "500m".to_owned(),
        memory: "256Mi".to_owned(),
        scratch_bytes: 16 << 20,
        // The backstop, startup included: both deadlines above and a minute.
        deadline: STARTUP + TIMEOUT + Duration::from_secs(60),
        grace: Duration::from_secs(5),
        keep: Some(Duration::from_secs(3600)),
    });
    Ok((config_map, job))
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
