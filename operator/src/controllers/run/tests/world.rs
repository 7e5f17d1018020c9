//! A small cluster in memory: one run, its ConfigMap, Jobs and pods with resourceVersions, a lagging cache, and a receiver
//! that knows what really became visible. Calls can be made to fail before or after they took effect.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use k8s_openapi::api::core::v1::{ConfigMap, Event};
use kube::ResourceExt;

use super::super::cluster::{Answer, Cluster, ClusterError};
use super::super::facts::Work;
use super::super::memory::Memory;
use super::super::view::View;
use super::*;

/// Small, fast, and the same for the same seed.
#[derive(Clone, Debug)]
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % n
    }

    pub(super) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What really lies at one destination.
#[derive(Clone, Debug, Default)]
pub(super) struct Receiver {
    /// The pod that holds the claim.
    pub(super) claim: Option<String>,
    /// How often the file became visible.
    pub(super) visible: u32,
    pub(super) receipt: bool,
    /// A pod on a lost node may still be sending.
    pub(super) ghost: bool,
}

pub(super) struct State {
    pub(super) run: ReportRun,
    pub(super) config_maps: BTreeMap<String, ConfigMap>,
    pub(super) jobs: BTreeMap<String, Job>,
    pub(super) pods: BTreeMap<String, Pod>,
    /// Everything the cache shows.
    seen_run: ReportRun,
    seen_jobs: BTreeMap<String, Job>,
    seen_pods: BTreeMap<String, Pod>,
    /// Last states of pods that are going away, until the watch has brought them.
    leaving: Vec<Pod>,
    pub(super) sealed: bool,
    pub(super) receivers: BTreeMap<usize, Receiver>,
    version: u64,
    contents: BTreeMap<String, Value>,
    pub(super) writes: Vec<String>,
    pub(super) reads: Vec<String>,
    /// The call that fails, counted down; and whether it takes effect all the same.
    pub(super) fault: Option<(u32, bool)>,
    pub(super) suspended: BTreeSet<String>,
    pub(super) missing: BTreeSet<String>,
    uids: u64,
    /// When each Job was made, by UID.
    pub(super) made: BTreeMap<String, Timestamp>,
    pub(super) now: Timestamp,
}

pub(super) struct World(pub(super) Mutex<State>);

impl World {
    pub(super) fn new(destinations: &[&str]) -> Self {
        Self(Mutex::new(State {
            run: run(),
            seen_run: run(),
            config_maps: BTreeMap::new(),
            jobs: BTreeMap::new(),
            pods: BTreeMap::new(),
            seen_jobs: BTreeMap::new(),
            seen_pods: BTreeMap::new(),
            leaving: Vec::new(),
            sealed: false,
            receivers: destinations.iter().enumerate().map(|(i, _)| (i, Receiver::default())).collect(),
            version: 1,
            contents: BTreeMap::new(),
            writes: Vec::new(),
            reads: Vec::new(),
            fault: None,
            suspended: BTreeSet::new(),
            missing: BTreeSet::new(),
            uids: 0,
            made: BTreeMap::new(),
            now: now(),
        }))
    }

    pub(super) fn cached_run(&self) -> Arc<ReportRun> {
        Arc::new(self.0.lock().unwrap().seen_run.clone())
    }

    /// The watches catch up; `memory` hears of pods that are going away.
    pub(super) fn sync(&self, memory: &Memory) {
        let mut s = self.0.lock().unwrap();
        s.seen_run = s.run.clone();
        s.seen_jobs = s.jobs.clone();
        s.seen_pods = s.pods.clone();
        let now = s.now;
        for pod in s.leaving.drain(..) {
            memory.keep_pod(&pod, now);
        }
    }

    /// The operator starts anew: a fresh list, and no memory of what went away before.
    pub(super) fn restart(&self) {
        let mut s = self.0.lock().unwrap();
        s.leaving.clear();
        s.seen_run = s.run.clone();
        s.seen_jobs = s.jobs.clone();
        s.seen_pods = s.pods.clone();
    }
}

/// Which stage a Job is of, and its number.
pub(super) fn work_of(name: &str) -> (Work, u32) {
    let rest = name.strip_prefix(&format!("{RUN}-")).unwrap();
    match rest.strip_prefix('g') {
        Some(n) => (Work::Generate, n.parse().unwrap()),
        None => {
            let (index, n) = rest[1..].split_once('-').unwrap();
            (Work::Deliver(index.parse().unwrap()), n.parse().unwrap())
        }
    }
}

impl State {
    fn bump(&mut self) -> String {
        self.version += 1;
        self.version.to_string()
    }

    pub(super) fn uid(&mut self, what: &str) -> String {
        self.uids += 1;
        format!("{what}-{}", self.uids)
    }

    /// Counts a call; an error when it is to fail before it takes effect.
    fn call(&mut self, what: String, write: bool) -> Answer<()> {
        if write {
            self.writes.push(what.clone());
        } else {
            self.reads.push(what.clone());
        }
        match &mut self.fault {
            Some((0, false)) => {
                self.fault = None;
                Err(ClusterError::Unreachable {
                    object: what,
                    source: "connection reset".into(),
                })
            }
            Some((0, true)) | None => Ok(()),
            Some((left, _)) => {
                *left -= 1;
                Ok(())
            }
        }
    }

    /// An error when the answer to a call that took effect is to get lost.
    fn answer<T>(&mut self, value: T) -> Answer<T> {
        if self.fault == Some((0, true)) {
            self.fault = None;
            return Err(ClusterError::Unreachable {
                object: "the answer".to_owned(),
                source: "connection reset".into(),
            });
        }
        Ok(value)
    }

    pub(super) fn alive(&self, job_uid: &str) -> bool {
        self.pods
            .values()
            .any(|p| super::super::memory::job_uid(p).as_deref() == Some(job_uid) && !super::super::outcome::is_over(p))
    }

    /// Someone else touches the run.
    pub(super) fn touch(&mut self, change: impl FnOnce(&mut ReportRun)) {
        change(&mut self.run);
        let version = self.bump();
        self.run.metadata.resource_version = Some(version);
    }

    /// A pod object goes away; the watch will bring its last state.
    pub(super) fn remove_pod(&mut self, uid: &str) {
        if let Some(mut pod) = self.pods.remove(uid) {
            pod.metadata
                .deletion_timestamp
                .get_or_insert(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(self.now));
            self.leaving.push(pod);
        }
    }

    fn delete_pod(&mut self, uid: &str) {
        let now = self.now;
        if let Some(pod) = self.pods.get_mut(uid) {
            pod.metadata
                .deletion_timestamp
                .get_or_insert(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
        }
    }

    pub(super) fn delete_job_and_pods(&mut self, name: &str) {
        let Some(job) = self.jobs.remove(name) else { return };
        let uid = job.metadata.uid.unwrap();
        let pods: Vec<String> = self
            .pods
            .values()
            .filter(|p| super::super::memory::job_uid(p) == Some(uid.clone()))
            .filter_map(|p| p.uid())
            .collect();
        for pod in pods {
            self.delete_pod(&pod);
        }
    }

    fn check_new_job(&mut self, job: &Job) {
        let name = job.name_any();
        let content = json!([job.spec, job.metadata.annotations, job.metadata.labels]);
        // A name stands for one content.
        let known = self.contents.entry(name.clone()).or_insert_with(|| content.clone());
        assert_eq!(*known, content, "{name} was made twice with different contents");
        let (work, number) = work_of(&name);
        if let Work::Deliver(_) = work {
            assert!(self.sealed, "{name} was made, and nothing is sealed");
        }
        // Nothing of an earlier attempt may still run.
        for earlier in (1..number).map(|n| work.job_name(RUN, n)) {
            if let Some(job) = self.jobs.get(&earlier) {
                assert!(super::super::outcome::finished(job).is_some(), "{name} was made while {earlier} is active");
                assert!(!self.alive(job.metadata.uid.as_ref().unwrap()), "{name} was made while a pod of {earlier} runs");
            }
        }
        if let Work::Deliver(index) = work {
            assert!(!self.receivers[&index].ghost, "{name} was made while a pod on a lost node may still be sending");
        }
        let status = self.run.status.clone().unwrap_or_default();
        let complete = openreg_crds::common::condition::is_true(&status.conditions, "Complete");
        assert!(!complete, "{name} was made after the run was complete");
    }
}

impl Cluster for World {
    async fn create_config_map(&self, object: &ConfigMap) -> Answer<ConfigMap> {
        let mut s = self.0.lock().unwrap();
        let name = object.name_any();
        s.call(format!("create ConfigMap {name}"), true)?;
        if s.config_maps.contains_key(&name) {
            return Err(ClusterError::Exists(name));
        }
        let mut made = object.clone();
        made.metadata.uid = Some(s.uid("cm"));
        s.config_maps.insert(name, made.clone());
        s.answer(made)
    }

    async fn get_config_map(&self, _: &str, name: &str) -> Answer<Option<ConfigMap>> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("get ConfigMap {name}"), false)?;
        Ok(s.config_maps.get(name).cloned())
    }

    async fn delete_config_map(&self, _: &str, name: &str, uid: &str) -> Answer<()> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("delete ConfigMap {name}"), true)?;
        if s.config_maps.get(name).is_some_and(|c| c.metadata.uid.as_deref() == Some(uid)) {
            s.config_maps.remove(name);
        }
        s.answer(())
    }

    async fn create_job(&self, object: &Job) -> Answer<Job> {
        let mut s = self.0.lock().unwrap();
        let name = object.name_any();
        s.call(format!("create Job {name}"), true)?;
        if s.jobs.contains_key(&name) {
            return Err(ClusterError::Exists(name));
        }
        s.check_new_job(object);
        let mut made = object.clone();
        let uid = s.uid("job");
        let at = s.now;
        s.made.insert(uid.clone(), at);
        made.metadata.uid = Some(uid);
        s.jobs.insert(name, made.clone());
        s.answer(made)
    }

    async fn get_job(&self, _: &str, name: &str) -> Answer<Option<Job>> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("get Job {name}"), false)?;
        Ok(s.jobs.get(name).cloned())
    }

    async fn delete_job(&self, _: &str, name: &str, uid: &str) -> Answer<()> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("delete Job {name}"), true)?;
        if s.jobs.get(name).is_some_and(|j| j.metadata.uid.as_deref() == Some(uid)) {
            s.delete_job_and_pods(name);
        }
        s.answer(())
    }

    async fn delete_pod(&self, _: &str, name: &str, uid: &str) -> Answer<()> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("delete Pod {name}"), true)?;
        s.delete_pod(uid);
        s.answer(())
    }

    async fn list_pods(&self, _: &str, job_uid: &str) -> Answer<Vec<Pod>> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("list pods of {job_uid}"), false)?;
        Ok(s.pods
            .values()
            .filter(|p| super::super::memory::job_uid(p).as_deref() == Some(job_uid))
            .cloned()
            .collect())
    }

    async fn list_events(&self, _: &str, uid: &str) -> Answer<Vec<Event>> {
        let mut s = self.0.lock().unwrap();
        s.call(format!("list events about {uid}"), false)?;
        Ok(Vec::new())
    }

    async fn add_finalizer(&self, run: &ReportRun) -> Answer<ReportRun> {
        let mut s = self.0.lock().unwrap();
        s.call("add finalizer".to_owned(), true)?;
        if run.metadata.resource_version != s.run.metadata.resource_version {
            return Err(ClusterError::Conflict("run".to_owned(), None));
        }
        s.touch(|r| r.metadata.finalizers.get_or_insert_default().push(openreg_crds::RECORDED_FINALIZER.to_owned()));
        let run = s.run.clone();
        s.answer(run)
    }

    async fn write_status(&self, run: &ReportRun) -> Answer<ReportRun> {
        let mut s = self.0.lock().unwrap();
        s.call("write status".to_owned(), true)?;
        if run.metadata.resource_version != s.run.metadata.resource_version {
            return Err(ClusterError::Conflict("run".to_owned(), None));
        }
        let old = s.run.status.clone().unwrap_or_default();
        assert!(
            !openreg_crds::common::condition::is_true(&old.conditions, "Complete"),
            "a complete run was written again"
        );
        let held = s.run.finalizers().iter().any(|f| f == openreg_crds::RECORDED_FINALIZER) || s.run.metadata.deletion_timestamp.is_some();
        let waiting = run
            .status
            .as_ref()
            .is_some_and(|status| status.plan_sha256.is_none() && status.outcome.is_none());
        assert!(held || waiting, "a run that nothing holds was begun or ended");
        s.touch(|r| r.status.clone_from(&run.status));
        let run = s.run.clone();
        s.answer(run)
    }
}

impl View for World {
    fn tenant(&self, _: &str) -> Option<String> {
        Some("tenant-uid".to_owned())
    }

    fn report(&self, _: &str, _: &str) -> Option<Arc<Report>> {
        Some(Arc::new(super::report()))
    }

    fn versions(&self, _: &str, _: &str) -> Vec<Arc<ReportVersion>> {
        let names: Vec<&str> = ["bafin", "amf"].into_iter().take(self.0.lock().unwrap().receivers.len()).collect();
        vec![Arc::new(super::version(&names))]
    }

    fn store(&self, _: &str, _: &str) -> Option<Arc<Store>> {
        let there = !self.0.lock().unwrap().missing.contains("store");
        there.then(|| Arc::new(super::store()))
    }

    fn connector(&self, _: &str, _: &str) -> Option<Arc<Connector>> {
        Some(Arc::new(super::connector()))
    }

    fn destination(&self, _: &str, name: &str) -> Option<Arc<Destination>> {
        let mut destination = super::destination(name);
        destination.spec.suspend = self.0.lock().unwrap().suspended.contains(name).then_some(true);
        Some(Arc::new(destination))
    }

    fn job(&self, _: &str, name: &str) -> Option<Arc<Job>> {
        self.0.lock().unwrap().seen_jobs.get(name).cloned().map(Arc::new)
    }

    fn pods(&self, _: &str, job: &str) -> Vec<Arc<Pod>> {
        let s = self.0.lock().unwrap();
        let named = |p: &&Pod| p.labels().get("batch.kubernetes.io/job-name").is_some_and(|n| n == job);
        s.seen_pods.values().filter(named).cloned().map(Arc::new).collect()
    }
}
