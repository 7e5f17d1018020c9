//! A cluster in memory: what the trait promises, and a log of what was done.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_api::cluster::{Cluster, ClusterError, Tenant};
use openreg_api::recorder::Feed;
use openreg_crds::common::condition::{Condition, ConditionStatus, set};
use openreg_crds::report_run::Cancelled;
use openreg_crds::{RECORDED_FINALIZER, Report, ReportRun, ReportVersion, Store};
use tokio::sync::mpsc;
use uuid::Uuid;

pub type Key = (String, String);

#[derive(Default)]
pub struct State {
    pub tenants: Vec<Tenant>,
    pub reports: HashMap<Key, Report>,
    pub versions: HashMap<String, Vec<ReportVersion>>,
    pub stores: HashMap<String, Store>,
    pub runs: HashMap<Key, ReportRun>,
    /// What was done, in order.
    pub log: Vec<String>,
    /// Refuses the next creation with these words.
    pub refuse: Option<String>,
    /// Does the next creation, and breaks the connection before the answer.
    pub silent: bool,
    /// Objects that nobody can read as a run.
    pub unreadable: Vec<Key>,
    /// Answers nobody who asks for the tenants.
    pub mute: bool,
    watchers: Vec<mpsc::UnboundedSender<Feed>>,
}

#[derive(Default)]
pub struct FakeCluster {
    pub state: Mutex<State>,
}

impl FakeCluster {
    pub fn with(tenants: &[Tenant]) -> Self {
        Self {
            state: Mutex::new(State {
                tenants: tenants.to_vec(),
                ..State::default()
            }),
        }
    }

    /// Puts an object as the operator would, and tells the watchers.
    pub fn put(&self, run: ReportRun) {
        let mut state = self.state.lock().unwrap();
        state.put(run);
    }

    pub fn run_named(&self, namespace: &str, name: &str) -> Option<ReportRun> {
        self.state.lock().unwrap().runs.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    pub fn log(&self) -> Vec<String> {
        self.state.lock().unwrap().log.clone()
    }

    /// Marks an object for deletion; it goes when its last finalizer does.
    pub fn delete(&self, namespace: &str, name: &str, at: Timestamp) {
        let mut state = self.state.lock().unwrap();
        let mut run = state.runs.get(&(namespace.to_owned(), name.to_owned())).cloned().unwrap();
        run.metadata.deletion_timestamp = Some(Time(at));
        state.put(run);
    }

    /// A list of all runs, then what changes.
    pub fn feed(&self) -> futures::stream::BoxStream<'static, Feed> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut state = self.state.lock().unwrap();
        state.log.push("list".to_owned());
        let _ = sender.send(Feed::Begin);
        for (namespace, name) in state.unreadable.clone() {
            let error = "unknown variant".to_owned();
            let _ = sender.send(Feed::Unreadable { namespace, name, error });
        }
        for run in state.runs.values() {
            let _ = sender.send(Feed::Seen(Box::new(run.clone())));
        }
        let _ = sender.send(Feed::Complete);
        state.watchers.push(sender);
        Box::pin(futures::stream::unfold(receiver, |mut r| async move { r.recv().await.map(|f| (f, r)) }))
    }
}

impl State {
    fn put(&mut self, mut run: ReportRun) {
        let key = (run.metadata.namespace.clone().unwrap(), run.metadata.name.clone().unwrap());
        let version = self
            .runs
            .get(&key)
            .and_then(|r| r.metadata.resource_version.as_ref())
            .and_then(|v| v.parse::<u64>().ok())
            .unwrap_or(0)
            + 1;
        run.metadata.resource_version = Some(version.to_string());
        run.metadata.creation_timestamp.get_or_insert_with(|| Time(Timestamp::now()));
        let gone = run.metadata.deletion_timestamp.is_some() && run.metadata.finalizers.as_ref().is_none_or(Vec::is_empty);
        let said = if gone {
            self.runs.remove(&key);
            Feed::Gone(Box::new(run))
        } else {
            self.runs.insert(key, run.clone());
            Feed::Seen(Box::new(run))
        };
        self.watchers.retain(|w| w.send(clone(&said)).is_ok());
    }

    fn current(&self, run: &ReportRun) -> Result<ReportRun, ClusterError> {
        let name = run.metadata.name.clone().unwrap();
        let key = (run.metadata.namespace.clone().unwrap(), name.clone());
        self.runs.get(&key).cloned().ok_or(ClusterError::Missing { kind: "ReportRun", name })
    }

    fn unchanged(&self, run: &ReportRun) -> Result<ReportRun, ClusterError> {
        let current = self.current(run)?;
        if current.metadata.resource_version == run.metadata.resource_version {
            return Ok(current);
        }
        Err(ClusterError::Changed {
            kind: "ReportRun",
            name: current.metadata.name.unwrap(),
        })
    }
}

fn clone(feed: &Feed) -> Feed {
    match feed {
        Feed::Seen(run) => Feed::Seen(run.clone()),
        Feed::Gone(run) => Feed::Gone(run.clone()),
        _ => Feed::Complete,
    }
}

#[async_trait]
impl Cluster for FakeCluster {
    async fn tenants(&self) -> Result<Vec<Tenant>, ClusterError> {
        while self.state.lock().unwrap().mute {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        Ok(self.state.lock().unwrap().tenants.clone())
    }

    async fn reports(&self, namespace: &str) -> Result<Vec<Report>, ClusterError> {
        Ok(self
            .state
            .lock()
            .unwrap()
            .reports
            .iter()
            .filter(|(k, _)| k.0 == namespace)
            .map(|(_, r)| r.clone())
            .collect())
    }

    async fn report(&self, namespace: &str, name: &str) -> Result<Option<Report>, ClusterError> {
        Ok(self.state.lock().unwrap().reports.get(&(namespace.to_owned(), name.to_owned())).cloned())
    }

    async fn versions(&self, namespace: &str, report: &str) -> Result<Vec<ReportVersion>, ClusterError> {
        let all = self.state.lock().unwrap().versions.get(namespace).cloned().unwrap_or_default();
        Ok(all.into_iter().filter(|v| v.spec.report_ref == report).collect())
    }

    async fn store(&self, namespace: &str) -> Result<Option<Store>, ClusterError> {
        Ok(self.state.lock().unwrap().stores.get(namespace).cloned())
    }

    async fn run(&self, namespace: &str, id: Uuid) -> Result<Option<ReportRun>, ClusterError> {
        Ok(self
            .state
            .lock()
            .unwrap()
            .runs
            .iter()
            .find(|(k, r)| k.0 == namespace && r.spec.id == id.to_string())
            .map(|(_, r)| r.clone()))
    }

    async fn create_run(&self, namespace: &str, run: &ReportRun) -> Result<ReportRun, ClusterError> {
        let mut state = self.state.lock().unwrap();
        if let Some(message) = state.refuse.take() {
            return Err(ClusterError::Refused { message });
        }
        let name = run.metadata.name.clone().unwrap();
        if state.runs.contains_key(&(namespace.to_owned(), name.clone())) {
            return Err(ClusterError::Exists { kind: "ReportRun", name });
        }
        state.log.push(format!("create {name}"));
        state.put(run.clone());
        if std::mem::take(&mut state.silent) {
            let (action, source) = (format!("create ReportRun {name}"), "connection reset".into());
            return Err(ClusterError::Unreachable { action, source });
        }
        state.current(run)
    }

    async fn cancel_run(&self, namespace: &str, name: &str, cancelled: &Cancelled) -> Result<ReportRun, ClusterError> {
        let mut state = self.state.lock().unwrap();
        let mut run = state.runs.get(&(namespace.to_owned(), name.to_owned())).cloned().ok_or(ClusterError::Missing {
            kind: "ReportRun",
            name: name.to_owned(),
        })?;
        run.spec.cancelled = Some(cancelled.clone());
        state.log.push(format!("cancel {name}"));
        state.put(run.clone());
        Ok(run)
    }

    async fn mark_run(&self, run: &ReportRun, recorded: Result<(), (&str, &str)>) -> Result<(), ClusterError> {
        let mut state = self.state.lock().unwrap();
        let mut run = state.current(run)?;
        let (status, reason, message) = match recorded {
            Ok(()) => (ConditionStatus::True, "Recorded", ""),
            Err((reason, message)) => (ConditionStatus::False, reason, message),
        };
        let condition = Condition {
            type_: "Recorded".into(),
            status,
            observed_generation: None,
            last_transition_time: Time(Timestamp::now()),
            reason: reason.into(),
            message: message.into(),
        };
        set(&mut run.status.get_or_insert_default().conditions, condition);
        state.log.push(format!("mark {} {reason}", run.metadata.name.as_deref().unwrap()));
        state.put(run);
        Ok(())
    }

    async fn release_run(&self, run: &ReportRun) -> Result<(), ClusterError> {
        let mut state = self.state.lock().unwrap();
        let mut run = state.unchanged(run)?;
        run.metadata.finalizers.get_or_insert_default().retain(|f| f != RECORDED_FINALIZER);
        state.log.push(format!("release {}", run.metadata.name.as_deref().unwrap()));
        state.put(run);
        Ok(())
    }
}
