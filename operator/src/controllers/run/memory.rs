//! What this process remembers between two reconciliations. Losing all of it, as a crash does, costs a few reads and never
//! changes what is true. Bounded: each entry goes away with its run or by age.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use openreg_crds::ReportRun;
use parking_lot::Mutex;

use super::launch::Launch;

/// How long a Job that was just made stands in for one that the cache does not have yet.
const RECENT: SignedDuration = SignedDuration::from_secs(30);
/// How long the last words of a pod that went away are kept.
const LAST_WORDS: SignedDuration = SignedDuration::from_mins(15);

/// How long our own last write of a run stands in for the cache's; watches lag by milliseconds.
const WRITTEN: SignedDuration = SignedDuration::from_secs(60);
/// How long what the Jobs get is kept without being asked for.
const UNUSED: SignedDuration = SignedDuration::from_hours(2);

/// What this process remembers.
#[derive(Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By UID of the run.
    launches: HashMap<String, (Arc<Launch>, Timestamp)>,
    /// By UID of the run: UID of the ConfigMap with its plan; none once that is known to be gone.
    plans: HashMap<String, (Option<String>, Timestamp)>,
    /// By UID of the run: as it was after our last write, until the cache has it.
    written: HashMap<String, (Arc<ReportRun>, Timestamp)>,
    /// By name of namespace and Job.
    jobs: HashMap<(String, String), (Arc<Job>, Timestamp)>,
    /// By UID of the Job.
    pods: HashMap<String, Vec<(Arc<Pod>, Timestamp)>>,
}

impl Memory {
    /// What the Jobs of that run get, if it is remembered.
    pub fn launch(&self, run_uid: &str, now: Timestamp) -> Option<Arc<Launch>> {
        let mut inner = self.inner.lock();
        let (launch, used) = inner.launches.get_mut(run_uid)?;
        *used = now;
        Some(Arc::clone(launch))
    }

    /// Remembers what the Jobs of that run get.
    pub fn keep_launch(&self, run_uid: &str, launch: Arc<Launch>, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.launches.retain(|_, (_, used)| now.duration_since(*used) < UNUSED);
        inner.launches.insert(run_uid.to_owned(), (launch, now));
    }

    /// Remembers the UID of the ConfigMap with a run's plan, or that it is gone.
    pub fn keep_plan(&self, run_uid: &str, config_map: Option<String>, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.plans.retain(|_, (_, at)| now.duration_since(*at) < UNUSED);
        inner.plans.insert(run_uid.to_owned(), (config_map, now));
    }

    /// UID of the ConfigMap with a run's plan: `None` when that is not remembered, `Some(None)` when it is known to be gone.
    pub fn plan(&self, run_uid: &str) -> Option<Option<String>> {
        self.inner.lock().plans.get(run_uid).map(|(uid, _)| uid.clone())
    }

    /// Remembers a run as we wrote it.
    pub fn keep_run(&self, run: Arc<ReportRun>, now: Timestamp) {
        let Some(uid) = run.uid() else { return };
        let mut inner = self.inner.lock();
        inner.written.retain(|_, (_, at)| now.duration_since(*at) < WRITTEN);
        inner.written.insert(uid, (run, now));
    }

    /// The newer of `cached` and what we wrote last: the cache may not have our own write yet.
    pub fn newest(&self, cached: Arc<ReportRun>) -> Arc<ReportRun> {
        let mut inner = self.inner.lock();
        let uid = cached.uid().unwrap_or_default();
        match inner.written.get(&uid) {
            Some((ours, _)) if version(ours) > version(&cached) => Arc::clone(ours),
            Some(_) => {
                inner.written.remove(&uid);
                cached
            }
            None => cached,
        }
    }

    /// Remembers a Job that was just made.
    pub fn keep_job(&self, job: Arc<Job>, now: Timestamp) {
        let mut inner = self.inner.lock();
        inner.jobs.retain(|_, (_, at)| now.duration_since(*at) < RECENT);
        inner.jobs.insert((job.namespace().unwrap_or_default(), job.name_any()), (job, now));
    }

    /// A Job that was made a moment ago.
    pub fn job(&self, namespace: &str, name: &str, now: Timestamp) -> Option<Arc<Job>> {
        let inner = self.inner.lock();
        let (job, at) = inner.jobs.get(&(namespace.to_owned(), name.to_owned()))?;
        (now.duration_since(*at) < RECENT).then(|| Arc::clone(job))
    }

    /// The cache has that Job by now.
    pub fn seen_job(&self, namespace: &str, name: &str) {
        self.inner.lock().jobs.remove(&(namespace.to_owned(), name.to_owned()));
    }

    /// Remembers the last words of a pod that is going away: its object, and with it its message, is removed as soon as the
    /// Job has counted it.
    pub fn keep_pod(&self, pod: &Pod, now: Timestamp) {
        if pod.metadata.deletion_timestamp.is_none() {
            return;
        }
        let (Some(uid), Some(job)) = (pod.uid(), job_uid(pod)) else { return };
        let mut inner = self.inner.lock();
        inner.pods.retain(|_, pods| {
            pods.retain(|(_, at)| now.duration_since(*at) < LAST_WORDS);
            !pods.is_empty()
        });
        let pods = inner.pods.entry(job).or_default();
        pods.retain(|(old, _)| old.uid().as_deref() != Some(&uid));
        pods.push((Arc::new(pod.clone()), now));
    }

    /// Pods of that Job that are going away or are gone.
    pub fn pods(&self, job_uid: &str) -> Vec<Arc<Pod>> {
        self.inner
            .lock()
            .pods
            .get(job_uid)
            .into_iter()
            .flatten()
            .map(|(pod, _)| Arc::clone(pod))
            .collect()
    }

    /// The run is complete: nothing is made for it any more. Our last write of it stays until the cache has it, or an older
    /// state would be taken for the newest and something be made after the end.
    pub fn forget(&self, run_uid: &str) {
        self.inner.lock().launches.remove(run_uid);
    }
}

/// UID of the Job that made a pod.
pub fn job_uid(pod: &Pod) -> Option<String> {
    pod.owner_references().iter().find(|o| o.kind == "Job").map(|o| o.uid.clone())
}

/// Resource versions grow (Kubernetes says so for all its own kinds since 1.35; etcd's have always done so). A wrong answer
/// here costs a conflict, nothing else.
fn version(run: &ReportRun) -> u64 {
    run.resource_version().and_then(|v| v.parse().ok()).unwrap_or(0)
}
