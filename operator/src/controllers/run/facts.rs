//! What is known about one run at one moment. Filled by `gather`, judged by `decide`; must not judge anything itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{Event, Pod};
use kube::ResourceExt;
use openreg_crds::report_run::{Attempt, ReportRunStatus};
use openreg_crds::{Connector, Destination, Report, ReportRun, ReportVersion, Store};

use super::build::job::Image;
use super::launch::Launch;

/// What is known about one run at one moment.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The run.
    pub run: Arc<ReportRun>,
    /// Its status, empty when it has none.
    pub status: ReportRunStatus,
    /// The moment.
    pub now: Timestamp,
    /// The image of the runner.
    pub image: Image,
    /// UID of the namespace, the tenant's identity; absent when the namespace is no tenant.
    pub tenant: Option<String>,
    /// The Report, while there is no plan.
    pub report: Option<Arc<Report>>,
    /// The versions of that Report, while there is no plan.
    pub versions: Vec<Arc<ReportVersion>>,
    /// The tenant's store, while there is no plan.
    pub store: Option<Arc<Store>>,
    /// The connectors that the version names, while there is no plan.
    pub connectors: BTreeMap<String, Arc<Connector>>,
    /// The destinations that the version or the plan names.
    pub destinations: BTreeMap<String, Arc<Destination>>,
    /// What is known about the plan.
    pub plan: Plan,
    /// Jobs of this run by name: those that the status names, and those that would be next.
    pub jobs: BTreeMap<String, Arc<Job>>,
    /// Pods by the UID of their Job.
    pub pods: BTreeMap<String, Vec<SeenPod>>,
    /// UIDs of Jobs whose pods were asked of the API server itself, so that what is absent is gone.
    pub confirmed: BTreeSet<String>,
    /// Events about what does not start, by the UID of the Job.
    pub events: BTreeMap<String, Vec<Event>>,
    /// UID of the ConfigMap of the plan, when the run is complete and recorded and its plan may still be there.
    pub spent_plan: Option<String>,
    /// What the API server just answered to the last step.
    pub setback: Option<Setback>,
}

/// What is known about the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// The status names none.
    Unwritten,
    /// The one that the status names.
    Written(Arc<Launch>),
    /// The status names one that is not there any more, or is another.
    Gone,
}

/// A pod, and whether it is gone since.
#[derive(Clone, Debug)]
pub struct SeenPod {
    /// Its last known state.
    pub pod: Arc<Pod>,
    /// Whether it is gone.
    pub gone: bool,
}

/// What the API server answered to a step that could not be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setback {
    /// An object of that name is there and is not ours.
    Foreign {
        /// Kind and name.
        object: String,
    },
    /// It may not be made.
    Refused {
        /// Kind and name.
        object: String,
        /// The API server's words.
        message: String,
    },
}

/// A stage of a run that has Jobs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Work {
    /// Making the files.
    Generate,
    /// Delivering them to the destination of that index.
    Deliver(usize),
}

impl Work {
    /// The word for logs and metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Generate => "Generate",
            Self::Deliver(_) => "Deliver",
        }
    }

    /// Name of the Job of attempt `number`.
    pub fn job_name(self, run: &str, number: u32) -> String {
        match self {
            Self::Generate => format!("{run}-g{number}"),
            Self::Deliver(index) => format!("{run}-d{index}-{number}"),
        }
    }

    /// Its attempt, as the status has it.
    pub fn attempt(self, status: &ReportRunStatus) -> Option<&Attempt> {
        match self {
            Self::Generate => status.generate.as_ref(),
            Self::Deliver(index) => status.deliveries.get(index)?.attempt.as_ref(),
        }
    }

    /// Number of the attempt that comes next.
    pub fn next(self, status: &ReportRunStatus) -> u32 {
        self.attempt(status).map_or(1, |a| a.number + 1)
    }
}

/// Every stage that the status knows.
pub fn works(status: &ReportRunStatus) -> Vec<Work> {
    std::iter::once(Work::Generate).chain((0..status.deliveries.len()).map(Work::Deliver)).collect()
}

/// Whether the attempt's Job was made and its end is not accounted for.
pub fn is_open(attempt: &Attempt) -> bool {
    attempt.ended != Some(true)
}

/// Whether the attempt could not start and its Job is to be removed: its end is explicitly not accounted for.
pub fn is_condemned(attempt: &Attempt) -> bool {
    attempt.ended == Some(false)
}

impl Facts {
    /// The run's name.
    pub fn name(&self) -> String {
        self.run.name_any()
    }

    /// Whether somebody wants the run stopped.
    pub fn stopping(&self) -> bool {
        self.run.spec.cancelled.is_some() || self.run.metadata.deletion_timestamp.is_some()
    }

    /// The pods of a Job.
    pub fn pods_of(&self, job_uid: &str) -> &[SeenPod] {
        self.pods.get(job_uid).map_or(&[], Vec::as_slice)
    }

    /// What the Jobs get, if the plan is written.
    pub fn launch(&self) -> Option<&Launch> {
        match &self.plan {
            Plan::Written(launch) => Some(launch),
            _ => None,
        }
    }

    /// The stage's limits.
    pub fn stage(&self, work: Work) -> Option<&super::launch::Stage> {
        let launch = self.launch()?;
        match work {
            Work::Generate => Some(&launch.generate),
            Work::Deliver(index) => launch.destinations.get(index).map(|d| &d.stage),
        }
    }
}
