//! The Job of one attempt: what is mounted, what it may reach, what it is told. Pure; the pod itself is spelled in
//! `crate::pod`. Generate gets only the sources' and the store's Secrets, deliver only its destination's and the store's.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use openreg_crds::ReportRun;
use openreg_plan::plan::{MOUNT_PATH, SecretMount};

use super::super::facts::Work;
use super::super::launch::Launch;
use super::{MANIFEST_SHA256, PLAN_SHA256, owner, plan};
use crate::labels;
use crate::pod::{RunnerJob, SecretVolume, runner_job};

/// How long after the runner's own timeout Kubernetes ends the Job: pod, message and log are then lost.
pub const BACKSTOP_SECONDS: u64 = 300;
/// How long a generating runner has to stop after SIGTERM: it seals or gives up, and says so.
const GENERATE_GRACE: Duration = Duration::from_secs(30);
/// The same of a delivering one. Once it has written `committing` it must find out whether the file is visible: it pauses
/// 1 + 2 + 4 + 8 + 16 = 31 s between its tries, and each try needs time of its own. Killed before, the delivery is Unknown.
const DELIVER_GRACE: Duration = Duration::from_secs(90);

/// Which image the Jobs run, and how it is pulled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// `IfNotPresent`, `Always` or `Never` [IfNotPresent].
    pub pull_policy: Option<String>,
    /// Names of Secrets with which it is pulled.
    pub pull_secrets: Vec<String>,
}

/// What the Job of an attempt depends on, besides the run and its plan.
#[derive(Clone, Copy, Debug)]
pub struct Attempt<'a> {
    /// What it does.
    pub work: Work,
    /// Number from 1.
    pub number: u32,
    /// Digest of the plan.
    pub plan_sha256: &'a str,
    /// Digest of the manifest; a delivery has one.
    pub manifest_sha256: Option<&'a str>,
    /// Pods of earlier attempts that were seen to end.
    pub ended_pods: &'a [String],
}

/// The Job of an attempt; `None` when the plan has no such destination.
pub fn job(run: &ReportRun, launch: &Launch, attempt: &Attempt<'_>, image: &Image) -> Option<Job> {
    let volume = |m: &SecretMount| SecretVolume {
        secret: m.name.clone(),
        path: m.path.clone(),
    };
    let mut labels: BTreeMap<String, String> = [
        (labels::RUN.to_owned(), run.name_any()),
        (labels::REPORT.to_owned(), run.spec.report_ref.clone()),
        (labels::STORE.to_owned(), labels::YES.to_owned()),
    ]
    .into();
    let mut annotations: BTreeMap<String, String> = [(PLAN_SHA256.to_owned(), attempt.plan_sha256.to_owned())].into();
    let mut secrets: Vec<SecretVolume> = launch.store.iter().map(volume).collect();
    let mut args = vec![
        "--plan".to_owned(),
        MOUNT_PATH.to_owned(),
        "--plan-sha256".to_owned(),
        attempt.plan_sha256.to_owned(),
        "--attempt".to_owned(),
        attempt.number.to_string(),
    ];
    let (command, timeout, grace) = match attempt.work {
        Work::Generate => {
            secrets.extend(launch.connectors.iter().filter_map(|c| c.secret.as_ref()).map(volume));
            labels.extend(launch.connectors.iter().map(|c| (labels::connector(&c.name), labels::YES.to_owned())));
            ("generate", launch.generate.timeout_seconds, GENERATE_GRACE)
        }
        Work::Deliver(index) => {
            let target = launch.destinations.get(index)?;
            let manifest = attempt.manifest_sha256?;
            secrets.extend(target.secret.as_ref().map(volume));
            labels.insert(labels::destination(&target.name), labels::YES.to_owned());
            annotations.insert(MANIFEST_SHA256.to_owned(), manifest.to_owned());
            args.extend([
                "--destination".to_owned(),
                index.to_string(),
                "--manifest-sha256".to_owned(),
                manifest.to_owned(),
            ]);
            if !attempt.ended_pods.is_empty() {
                args.extend(["--ended-pods".to_owned(), attempt.ended_pods.join(",")]);
            }
            ("deliver", target.stage.timeout_seconds, DELIVER_GRACE)
        }
    };
    labels.insert(labels::STAGE.to_owned(), command.to_owned());
    args.insert(0, command.to_owned());
    let name = run.name_any();
    Some(runner_job(&RunnerJob {
        namespace: run.namespace().unwrap_or_default(),
        name: attempt.work.job_name(&name, attempt.number),
        labels,
        annotations,
        owner: owner(run),
        image: image.name.clone(),
        pull_policy: Some(image.pull_policy.clone().unwrap_or_else(|| "IfNotPresent".to_owned())),
        pull_secrets: image.pull_secrets.clone(),
        args,
        plan: plan::name(&name),
        secrets,
        cpu: launch.cpu.clone(),
        memory: launch.memory.clone(),
        scratch_bytes: launch.scratch_bytes,
        // A Job's clock starts with the Job, a runner's with the runner: what the pod may take to start comes on top, or a slow
        // start would cost the runner its last words.
        deadline: Duration::from_secs(launch.startup_seconds.saturating_add(timeout).saturating_add(BACKSTOP_SECONDS)),
        grace,
        keep: None,
    }))
}

/// Whether a Job that was found is the one that would have been made.
pub fn is_same(found: &Job, wanted: &Job, run: &ReportRun) -> bool {
    super::is_ours(found, run)
        && [PLAN_SHA256, MANIFEST_SHA256]
            .iter()
            .all(|key| found.annotations().get(*key) == wanted.annotations().get(*key))
}
