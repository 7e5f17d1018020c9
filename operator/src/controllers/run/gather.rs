//! Collects what is known about a run: from the caches, and by a call only where a cache cannot know. Judges nothing.
//!
//! Calls in a run's normal life: none. The plan is read when this process has not written it itself (after a restart); a Job
//! and its pods are asked for only when the cache has lost them; Events only when nothing has started in time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::batch::v1::Job;
use kube::ResourceExt;
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::report_run::{Attempt, ReportRunStatus};
use openreg_crds::{ReportRun, STORE_NAME};

use super::build;
use super::cluster::{Answer, Cluster};
use super::facts::{Facts, Plan, SeenPod, Setback, is_open, works};
use super::memory::{Memory, job_uid};
use super::observe;
use super::outcome::{has_started, is_over, is_settled};
use super::references;
use super::startup;
use super::view::View;

/// How long after a run was recorded its plan is still looked for; every restart of the operator is over by then.
const RECENTLY: SignedDuration = SignedDuration::from_hours(1);

/// Where facts come from.
pub struct Sources<'a, V, C> {
    /// The caches.
    pub view: &'a V,
    /// The API server.
    pub cluster: &'a C,
    /// What this process remembers.
    pub memory: &'a Memory,
    /// The runner's image.
    pub image: &'a build::job::Image,
}

/// What is known about `run` now.
pub async fn gather<V: View, C: Cluster>(from: &Sources<'_, V, C>, run: Arc<ReportRun>, now: Timestamp, setback: Option<Setback>) -> Answer<Facts> {
    let namespace = run.namespace().unwrap_or_default();
    let status = run.status.clone().unwrap_or_default();
    let mut facts = Facts {
        status,
        now,
        image: from.image.clone(),
        tenant: from.view.tenant(&namespace),
        report: None,
        versions: Vec::new(),
        store: None,
        connectors: BTreeMap::new(),
        destinations: BTreeMap::new(),
        plan: Plan::Unwritten,
        jobs: BTreeMap::new(),
        pods: BTreeMap::new(),
        confirmed: BTreeSet::new(),
        events: BTreeMap::new(),
        spent_plan: None,
        setback,
        run,
    };
    if condition::is_true(&facts.status.conditions, "Complete") {
        facts.spent_plan = spent_plan(from, &namespace, &facts).await?;
        return Ok(facts);
    }
    match facts.status.plan_sha256.clone() {
        None => references_of(from.view, &namespace, &mut facts),
        Some(sha256) => {
            facts.plan = written(from, &namespace, &facts.run, &sha256, now).await?;
            let names: Vec<String> = facts
                .launch()
                .map(|l| l.destinations.iter().map(|d| d.name.clone()).collect())
                .unwrap_or_default();
            facts.destinations = names
                .into_iter()
                .filter_map(|n| Some((n.clone(), from.view.destination(&namespace, &n)?)))
                .collect();
        }
    }
    jobs(from, &namespace, &mut facts).await?;
    Ok(facts)
}

/// The objects that a run without a plan refers to.
fn references_of<V: View>(view: &V, namespace: &str, facts: &mut Facts) {
    let spec = &facts.run.spec;
    facts.report = view.report(namespace, &spec.report_ref);
    facts.versions = view.versions(namespace, &spec.report_ref);
    facts.store = view.store(namespace, STORE_NAME);
    let Some(version) = references::choose(spec, facts.report.as_deref(), &facts.versions) else {
        return;
    };
    let report = &version.spec.report;
    facts.connectors = references::connectors(report)
        .into_iter()
        .filter_map(|n| Some((n.clone(), view.connector(namespace, &n)?)))
        .collect();
    facts.destinations = references::destinations(report)
        .into_iter()
        .filter_map(|n| Some((n.clone(), view.destination(namespace, &n)?)))
        .collect();
}

async fn written<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, run: &ReportRun, sha256: &str, now: Timestamp) -> Answer<Plan> {
    let uid = run.uid().unwrap_or_default();
    if let Some(launch) = from.memory.launch(&uid, now) {
        return Ok(Plan::Written(launch));
    }
    let found = from.cluster.get_config_map(namespace, &build::plan::name(&run.name_any())).await?;
    let read = found.and_then(|c| Some((c.uid(), build::plan::read(&c, run, sha256)?)));
    Ok(match read {
        Some((config_map, launch)) => {
            let launch = Arc::new(launch);
            from.memory.keep_plan(&uid, config_map, now);
            from.memory.keep_launch(&uid, Arc::clone(&launch), now);
            Plan::Written(launch)
        }
        None => Plan::Gone,
    })
}

/// UID of the plan's ConfigMap when nobody needs it any more: the run is complete and recorded.
///
/// After a restart it is asked for, but only for runs that were recorded a short while ago, or a restart would ask for the
/// plans of all runs that ever ended. One that slips through goes with its run: the run owns it.
async fn spent_plan<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, facts: &Facts) -> Answer<Option<String>> {
    let Some(recorded) = condition::find(&facts.status.conditions, "Recorded").filter(|c| c.status == ConditionStatus::True) else {
        return Ok(None);
    };
    let uid = facts.run.uid().unwrap_or_default();
    if let Some(known) = from.memory.plan(&uid) {
        return Ok(known);
    }
    if facts.status.plan_sha256.is_none() || facts.now.duration_since(recorded.last_transition_time.0) > RECENTLY {
        return Ok(None);
    }
    let found = from.cluster.get_config_map(namespace, &build::plan::name(&facts.name())).await?;
    let ours = found.filter(|c| build::is_ours(c, &facts.run)).and_then(|c| c.uid());
    from.memory.keep_plan(&uid, ours.clone(), facts.now);
    Ok(ours)
}

/// The Jobs that the status names, those that would be next, and their pods.
async fn jobs<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, facts: &mut Facts) -> Answer<()> {
    let status: ReportRunStatus = facts.status.clone();
    for work in works(&status) {
        if let Some(attempt) = work.attempt(&status).filter(|a| is_open(a)) {
            attempt_of(from, namespace, facts, attempt).await?;
            continue;
        }
        let name = work.job_name(&facts.name(), work.next(&status));
        let cached = cached_job(from, namespace, &name, facts.now);
        // A crash may have come between the making of a Job and the status that names it. Before a run is declared to be
        // stopped, the API server itself is asked.
        let found = if cached.is_none() && facts.stopping() {
            from.cluster.get_job(namespace, &name).await?.map(Arc::new)
        } else {
            cached
        };
        facts.jobs.extend(found.map(|job| (name, job)));
    }
    Ok(())
}

fn cached_job<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, name: &str, now: Timestamp) -> Option<Arc<Job>> {
    match from.view.job(namespace, name) {
        Some(job) => {
            from.memory.seen_job(namespace, name);
            Some(job)
        }
        None => from.memory.job(namespace, name, now),
    }
}

/// The Job of an attempt whose end is not accounted for, and its pods.
async fn attempt_of<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, facts: &mut Facts, attempt: &Attempt) -> Answer<()> {
    let (Some(name), Some(uid)) = (&attempt.job, &attempt.job_uid) else {
        return Ok(());
    };
    let is_its = |job: &Arc<Job>| job.uid().as_ref() == Some(uid);
    let mut job = cached_job(from, namespace, name, facts.now).filter(is_its);
    if job.is_none() {
        job = from.cluster.get_job(namespace, name).await?.map(Arc::new).filter(is_its);
    }
    let mut pods: Vec<SeenPod> = from
        .view
        .pods(namespace, name)
        .into_iter()
        .filter(|p| job_uid(p).as_ref() == Some(uid))
        .map(|pod| SeenPod { pod, gone: false })
        .collect();
    let late = !job.as_deref().is_none_or(is_settled) && is_overdue(facts, attempt) && !pods.iter().any(|p| has_started(&p.pod));
    if late {
        // Before a Job is held for one that cannot start, the Job itself is asked for: it may be over and its pod gone.
        job = from.cluster.get_job(namespace, name).await?.map(Arc::new).filter(is_its);
    }
    let settled = job.as_deref().is_none_or(is_settled);
    if late || (settled && !pods.iter().any(|p| is_over(&p.pod))) {
        // Over, gone or late, and the cache does not show why: ask, so that what is absent is known to be.
        pods = from
            .cluster
            .list_pods(namespace, uid)
            .await?
            .into_iter()
            .map(|pod| SeenPod {
                pod: Arc::new(pod),
                gone: false,
            })
            .collect();
        facts.confirmed.insert(uid.clone());
    }
    for pod in from.memory.pods(uid) {
        if !pods.iter().any(|p| p.pod.uid() == pod.uid()) {
            pods.push(SeenPod { pod, gone: true });
        }
    }
    facts.pods.insert(uid.clone(), pods);
    if let Some(job) = job {
        facts.jobs.insert(name.clone(), job);
    }
    if late && !settled {
        events(from, namespace, facts, uid).await?;
    }
    Ok(())
}

/// Whether the attempt should have started by now, and nobody has said yet that it did not.
fn is_overdue(facts: &Facts, attempt: &Attempt) -> bool {
    facts.now >= observe::deadline(facts, attempt) && attempt.ended.is_none() && !facts.stopping()
}

/// Events, once, at the startup deadline, when the pods do not say themselves why nothing has started.
async fn events<V: View, C: Cluster>(from: &Sources<'_, V, C>, namespace: &str, facts: &mut Facts, uid: &str) -> Answer<()> {
    let pods: Vec<_> = facts.pods_of(uid).iter().filter(|p| !p.gone).map(|p| Arc::clone(&p.pod)).collect();
    let borrowed: Vec<_> = pods.iter().map(AsRef::as_ref).collect();
    if !pods.iter().any(|p| has_started(p)) && startup::needs_events(&borrowed) {
        let about = pods.first().and_then(|p| p.uid()).unwrap_or_else(|| uid.to_owned());
        facts.events.insert(uid.to_owned(), from.cluster.list_events(namespace, &about).await?);
    }
    Ok(())
}
