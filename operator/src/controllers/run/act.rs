//! Does a step: API calls in a stated order. Nothing is decided here.
//!
//! The order: finalizer, then objects, then the status that names them. After a crash anywhere the same step is taken again
//! and finds what is there: objects are made with POST, and one of the same name is taken for ours only when its owner is
//! this very run and its digests are the ones we would have written. Each status write carries the resourceVersion that it
//! was computed from.

use std::sync::Arc;

use jiff::Timestamp;
use kube::ResourceExt;
use openreg_crds::{RECORDED_FINALIZER, ReportRun, ReportRunStatus};

use super::build;
use super::cluster::{Answer, Cluster, ClusterError};
use super::decide::{Step, Target};
use super::facts::{Facts, Setback, Work};
use super::memory::Memory;
use super::planning::Prepared;
use super::status;

/// What came of a step.
#[derive(Debug)]
pub enum Acted {
    /// It is done; the run as it is now. Look again at once.
    Again(Arc<ReportRun>),
    /// It cannot be done; decide again knowing that.
    SetBack(Setback),
    /// Nothing more to do until something changes or the moment comes.
    Sleep(Option<Timestamp>),
}

/// Does `step`.
pub async fn act<C: Cluster>(cluster: &C, memory: &Memory, facts: &Facts, step: &Step) -> Answer<Acted> {
    let namespace = facts.run.namespace().unwrap_or_default();
    match step {
        Step::Rest => {
            memory.forget(&facts.run.uid().unwrap_or_default());
            Ok(Acted::Sleep(None))
        }
        Step::RemovePlan { uid } => {
            cluster.delete_config_map(&namespace, &build::plan::name(&facts.run.name_any()), uid).await?;
            memory.keep_plan(&facts.run.uid().unwrap_or_default(), None, facts.now);
            Ok(Acted::Again(Arc::clone(&facts.run)))
        }
        Step::Wait { wake, .. } => {
            let status = status::after(facts, step, None);
            if same(&status, &facts.status) {
                return Ok(Acted::Sleep(*wake));
            }
            let run = write(cluster, &facts.run, status).await?;
            memory.keep_run(run, facts.now);
            Ok(Acted::Sleep(*wake))
        }
        Step::Stop(Target::Pod { name, uid }) => {
            cluster.delete_pod(&namespace, name, uid).await?;
            Ok(Acted::Sleep(soon(facts.now)))
        }
        Step::Stop(Target::Job { name, uid }) => {
            cluster.delete_job(&namespace, name, uid).await?;
            Ok(Acted::Sleep(soon(facts.now)))
        }
        Step::WritePlan(prepared) => write_plan(cluster, memory, facts, step, prepared).await,
        Step::StartJob { work, number } => start_job(cluster, memory, facts, step, *work, *number).await,
        Step::Reject(_) | Step::Finish { .. } | Step::AdoptJob { .. } | Step::Condemn { .. } | Step::Account { .. } => {
            let run = hold(cluster, &facts.run).await?;
            let run = write(cluster, &run, status::after(facts, step, None)).await?;
            memory.keep_run(Arc::clone(&run), facts.now);
            Ok(Acted::Again(run))
        }
    }
}

async fn write_plan<C: Cluster>(cluster: &C, memory: &Memory, facts: &Facts, step: &Step, prepared: &Prepared) -> Answer<Acted> {
    let run = hold(cluster, &facts.run).await?;
    let wanted = build::plan::config_map(&run, prepared);
    let (namespace, name) = (run.namespace().unwrap_or_default(), wanted.name_any());
    let made = match cluster.create_config_map(&wanted).await {
        Ok(made) => made,
        Err(ClusterError::Refused { object, message }) => return Ok(Acted::SetBack(Setback::Refused { object, message })),
        Err(ClusterError::Exists(object)) => match cluster.get_config_map(&namespace, &name).await? {
            Some(found) if !build::is_ours(&found, &run) => return Ok(Acted::SetBack(Setback::Foreign { object })),
            Some(found) if found.data == wanted.data && found.immutable == Some(true) => found,
            // Ours, from before a crash, and what it was made of has changed since. No Job has seen it: no status names it.
            Some(found) => {
                cluster.delete_config_map(&namespace, &name, &found.uid().unwrap_or_default()).await?;
                cluster.create_config_map(&wanted).await?
            }
            None => return Err(ClusterError::Conflict(object, None)),
        },
        Err(other) => return Err(other),
    };
    let run = write(cluster, &run, status::after(facts, step, None)).await?;
    memory.keep_plan(&run.uid().unwrap_or_default(), made.uid(), facts.now);
    memory.keep_launch(&run.uid().unwrap_or_default(), Arc::new(prepared.launch.clone()), facts.now);
    memory.keep_run(Arc::clone(&run), facts.now);
    Ok(Acted::Again(run))
}

async fn start_job<C: Cluster>(cluster: &C, memory: &Memory, facts: &Facts, step: &Step, work: Work, number: u32) -> Answer<Acted> {
    let run = &facts.run;
    let attempt = build::job::Attempt {
        work,
        number,
        plan_sha256: facts.status.plan_sha256.as_deref().unwrap_or_default(),
        manifest_sha256: facts.status.manifest.as_ref().map(|m| m.sha256.as_str()),
        ended_pods: work.attempt(&facts.status).map_or(&[], |a| a.ended_pods.as_slice()),
    };
    let Some(wanted) = facts.launch().and_then(|launch| build::job::job(run, launch, &attempt, &facts.image)) else {
        return Err(ClusterError::NotFound(format!("what Job {} of attempt {number} is made of", work.as_str())));
    };
    let job = match cluster.create_job(&wanted).await {
        Ok(job) => job,
        Err(ClusterError::Refused { object, message }) => return Ok(Acted::SetBack(Setback::Refused { object, message })),
        Err(ClusterError::Exists(object)) => match cluster.get_job(&run.namespace().unwrap_or_default(), &wanted.name_any()).await? {
            Some(found) if build::job::is_same(&found, &wanted, run) => found,
            Some(_) => return Ok(Acted::SetBack(Setback::Foreign { object })),
            None => return Err(ClusterError::Conflict(object, None)),
        },
        Err(other) => return Err(other),
    };
    let uid = job.uid().unwrap_or_default();
    memory.keep_job(Arc::new(job), facts.now);
    let run = write(cluster, run, status::after(facts, step, Some(&uid))).await?;
    memory.keep_run(Arc::clone(&run), facts.now);
    Ok(Acted::Again(run))
}

/// The run with the finalizer that holds it until its history is stored. One that is being deleted cannot get it any more.
async fn hold<C: Cluster>(cluster: &C, run: &Arc<ReportRun>) -> Answer<Arc<ReportRun>> {
    let held = run.finalizers().iter().any(|f| f == RECORDED_FINALIZER);
    if held || run.metadata.deletion_timestamp.is_some() {
        return Ok(Arc::clone(run));
    }
    cluster.add_finalizer(run).await.map(Arc::new)
}

async fn write<C: Cluster>(cluster: &C, run: &ReportRun, status: ReportRunStatus) -> Answer<Arc<ReportRun>> {
    let mut run = run.clone();
    run.status = Some(status);
    cluster.write_status(&run).await.map(Arc::new)
}

/// Whether two statuses say the same, apart from the generation that was looked at.
fn same(new: &ReportRunStatus, old: &ReportRunStatus) -> bool {
    let plain = |s: &ReportRunStatus| {
        let mut s = s.clone();
        s.observed_generation = None;
        s.conditions.iter_mut().for_each(|c| c.observed_generation = None);
        s
    };
    plain(new) == plain(old)
}

fn soon(now: Timestamp) -> Option<Timestamp> {
    Some(super::observe::after(now, 10))
}
