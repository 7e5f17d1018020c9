//! What Stores, Connectors and Destinations have in common: a Ready condition, a network policy, a probe.
//!
//! reconcile: judge the spec → apply the policy → take one step of the probe → write the status. Each step may be repeated
//! without harm. What differs between the kinds is the trait [`Endpoint`].

pub mod good_run;
pub mod network_policy;
pub mod probe;

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ConfigMap, Event, Pod};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::{DeleteParams, ListParams, PostParams};
use kube::core::object::HasStatus;
use kube::runtime::controller::Action;
use kube::{Api, Resource, ResourceExt};
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::common::status::EndpointStatus;
use openreg_crds::{ReportRun, ReportVersion};
use openreg_parts::error::Problem;
use openreg_plan::probe::ProbeTarget;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use self::network_policy::Opening;
use self::probe::{Found, Probe, Seen, Step};
use super::conditions::{self, REACHABLE, READY, WARNING, condition};
use super::run::startup;
use super::{Queue, drive, queue};
use crate::context::Context;
use crate::labels;
use crate::read;
use crate::stores::Cache;

/// How many endpoints of a kind are looked at in one moment.
const CONCURRENCY: u16 = 8;

/// How often an endpoint is probed when its spec does not say.
pub const CHECK_INTERVAL: Duration = Duration::from_secs(6 * 3600);

/// A kind that names one address.
pub trait Endpoint:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + HasStatus<Status = EndpointStatus>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    /// The kind in lower case, as it stands in names and metrics.
    const KIND: &'static str;
    /// Whether Ready needs one probe that succeeded.
    const READY_NEEDS_PROBE: bool;

    /// What is wrong with the spec.
    fn problems(&self) -> Vec<Problem>;
    /// What works and should not stay so: reason and message.
    fn warning(&self) -> Option<(&'static str, String)>;
    /// Host and port.
    fn address(&self) -> Option<(String, u16)>;
    /// The peers that the spec names.
    fn network(&self) -> Option<&Network>;
    /// The label of pods that may reach it.
    fn pod_label(&self) -> String;
    /// What a probe is told. `tenant` is the namespace's UID.
    fn target(&self, tenant: &str) -> ProbeTarget;
    /// Its Secret.
    fn credentials(&self) -> Option<&SecretRef>;
    /// How often it is probed.
    fn interval(&self) -> Duration;
    /// When the run proved that the endpoint works, if it did.
    fn proved(&self, run: &ReportRun, versions: &[Arc<ReportVersion>]) -> Option<Timestamp>;
}

/// What could not be done.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// A call to the API server.
    #[error("could not {what}")]
    Api {
        /// What the call was for.
        what: String,
        /// Why.
        source: kube::Error,
    },
    /// A plan that is no JSON: cannot happen.
    #[error("could not write the probe's plan")]
    Plan(#[from] serde_json::Error),
}

fn api(what: impl Into<String>) -> impl FnOnce(kube::Error) -> EndpointError {
    move |source| EndpointError::Api { what: what.into(), source }
}

/// Runs the controller of one kind until shutdown.
pub async fn run<K: Endpoint>(cache: Cache<K>, ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, requests) = queue::<K>();
    let tell = asked.clone();
    cache.on_change(move |object| tell.add(object));
    // A namespace that became a tenant, or is one no more.
    let (tell, all) = (asked.clone(), cache.clone());
    ctx.stores
        .tenants
        .on_change(move |tenant| all.in_namespace(&tenant.name_any(), |_| true).iter().for_each(|object| tell.add(object)));
    let tell = asked.clone();
    ctx.stores.jobs.on_change(move |job| tell_owner(&tell, job));
    ctx.stores.pods.on_change(move |pod| tell_owner(&asked, pod));
    drive(K::KIND, ctx, &cache, requests, CONCURRENCY, reconcile::<K>, shutdown).await;
}

/// Wakes the endpoint that a probe's Job or pod belongs to.
fn tell_owner<K: Endpoint, O: Resource>(queue: &Queue<K>, object: &O) {
    let Some((kind, name)) = object.meta().labels.as_ref().and_then(|l| l.get(labels::PROBE_OF)?.split_once('.')) else {
        return;
    };
    if let (true, Some(namespace)) = (kind == K::KIND, object.meta().namespace.as_deref()) {
        queue.add_named(namespace, name);
    }
}

/// It as the owner of what is made for it. Not blocking: that would need a right of its own.
pub fn owner_reference<K: Resource<DynamicType = ()>>(object: &K) -> OwnerReference {
    OwnerReference {
        api_version: K::api_version(&()).into_owned(),
        kind: K::kind(&()).into_owned(),
        name: object.meta().name.clone().unwrap_or_default(),
        uid: object.meta().uid.clone().unwrap_or_default(),
        controller: Some(true),
        block_owner_deletion: None,
    }
}

/// What is wrong when the namespace is no tenant.
pub fn not_a_tenant(namespace: &str) -> Problem {
    Problem::new(
        "metadata.namespace",
        format!("namespace {namespace} is not a tenant: label it {}=<name>", openreg_crds::TENANT_LABEL),
    )
}

async fn reconcile<K: Endpoint>(object: Arc<K>, ctx: Arc<Context>) -> Result<Action, EndpointError> {
    if object.meta().deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = ctx.now();
    let (namespace, name) = (object.namespace().unwrap_or_default(), object.name_any());
    let tenant = ctx.stores.tenant(&namespace).and_then(|t| t.uid());
    let mut problems = object.problems();
    if tenant.is_none() {
        problems.push(not_a_tenant(&namespace));
    }
    let mut status = object.status().cloned().unwrap_or_default();
    let mut next: Option<Timestamp> = None;
    let mut done_with: Option<String> = None;
    if let Some(tenant) = tenant.filter(|_| problems.is_empty()) {
        let again = apply_policy(&*object, &ctx, &tenant).await?;
        match probe_step(&*object, &ctx, &namespace, &name, &tenant, &status, now).await? {
            Progress::Later(at) => next = Some(at),
            Progress::Found(job, found) => {
                ctx.metrics.probed(K::KIND, &found.reason);
                record(&mut status, &job, &found, object.meta().generation);
                done_with = Some(job);
            }
        }
        if let Some(again) = again {
            next = Some(next.map_or(again, |n| n.min(again)));
        }
    }
    judge(&*object, &mut status, &problems, now);
    conditions::write_status(&ctx, &*object, status, &[READY, REACHABLE, WARNING])
        .await
        .map_err(api(format!("write the status of {} {namespace}/{name}", K::KIND)))?;
    if let Some(job) = done_with {
        // The status is there: the Job has nothing more to say. Its removal brings the next look.
        remove(&ctx, &namespace, &job).await?;
        next = Some(now);
    }
    Ok(match next {
        Some(at) => Action::requeue(until(now, at)),
        None => Action::await_change(),
    })
}

fn until(now: Timestamp, at: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(now)).unwrap_or_default().max(Duration::from_secs(1))
}

/// Ready and Warning, from what is known.
fn judge<K: Endpoint>(object: &K, status: &mut EndpointStatus, problems: &[Problem], now: Timestamp) {
    let generation = object.meta().generation;
    let mut ready = conditions::ready(problems, generation, now);
    if K::READY_NEEDS_PROBE && problems.is_empty() {
        let probed = condition::find(&status.conditions, REACHABLE).filter(|c| c.observed_generation == generation);
        let was_ready = condition::find(&status.conditions, READY).is_some_and(|c| c.status == ConditionStatus::True && c.observed_generation == generation);
        // Once it was ready, only a change of the spec can make it unready: a probe informs.
        if !was_ready && probed.is_none_or(|c| c.status != ConditionStatus::True) {
            let (reason, message) = match probed {
                Some(c) => (c.reason.clone(), c.message.clone()),
                None => ("NotProbed".to_owned(), "the first probe has not ended".to_owned()),
            };
            ready = condition(READY, ConditionStatus::False, &reason, message, generation, now);
        }
    }
    condition::set(&mut status.conditions, ready);
    match object.warning() {
        Some((reason, message)) => condition::set(
            &mut status.conditions,
            condition(WARNING, ConditionStatus::True, reason, message, generation, now),
        ),
        None => conditions::remove(&mut status.conditions, WARNING),
    }
    status.observed_generation = generation;
}

/// Writes down what a probe found.
fn record(status: &mut EndpointStatus, job: &str, found: &Found, generation: Option<i64>) {
    condition::set(
        &mut status.conditions,
        condition(REACHABLE, found.status, &found.reason, found.message.clone(), generation, found.at),
    );
    status.last_probe_time = Some(Time(found.at));
    status.probe_job = Some(job.to_owned());
}

/// The policy of the endpoint, applied if need be; when to look again.
async fn apply_policy<K: Endpoint>(object: &K, ctx: &Context, tenant: &str) -> Result<Option<Timestamp>, EndpointError> {
    let Some((_, port)) = object.address() else { return Ok(None) };
    let namespace = object.namespace().unwrap_or_default();
    let policy = network_policy::opening(&Opening {
        name: format!("openreg-{}-{}", K::KIND, object.name_any()),
        namespace: &namespace,
        owner: owner_reference(object),
        label: object.pod_label(),
        port,
        network: object.network(),
        blocked: &ctx.config.blocked_cidrs,
    });
    ctx.policies
        .apply(&ctx.client, &ctx.config.manager, tenant, policy)
        .await
        .map(Some)
        .map_err(api(format!("apply the network policy of {} {namespace}/{}", K::KIND, object.name_any())))
}

enum Progress {
    Later(Timestamp),
    Found(String, Found),
}

/// Takes one step of the probe.
async fn probe_step<K: Endpoint>(
    object: &K,
    ctx: &Context,
    namespace: &str,
    name: &str,
    tenant: &str,
    status: &EndpointStatus,
    now: Timestamp,
) -> Result<Progress, EndpointError> {
    let of = probe::probe_of(K::KIND, name);
    let mut jobs: Vec<(Job, Vec<Pod>)> = ctx
        .stores
        .jobs
        .in_namespace(namespace, |job| {
            job.labels().get(labels::PROBE_OF) == Some(&of) && job.metadata.deletion_timestamp.is_none()
        })
        .iter()
        .map(|job| {
            (
                (**job).clone(),
                ctx.stores.pods_of(namespace, &job.name_any()).iter().map(|pod| (**pod).clone()).collect(),
            )
        })
        .collect();
    jobs.sort_by_key(|(job, _)| job.name_any());
    let generation = object.meta().generation.unwrap_or_default();
    let uid = object.uid().unwrap_or_default();
    let good_run = |since: Timestamp| {
        let runs = ctx
            .stores
            .runs
            .in_namespace(namespace, |run| run.metadata.creation_timestamp.as_ref().is_some_and(|t| t.0 > since));
        let versions = ctx.stores.versions.in_namespace(namespace, |_| !runs.is_empty());
        runs.iter().filter_map(|run| object.proved(run, &versions)).max()
    };
    let seen = Seen {
        uid: &uid,
        generation,
        status,
        interval: object.interval(),
        jobs: &jobs,
        good_run: &good_run,
        now,
    };
    match probe::decide(&seen) {
        Step::Wait(at) => Ok(Progress::Later(at)),
        Step::Conclude(job, found) => Ok(Progress::Found(job, found)),
        Step::GiveUp(job) => {
            let pods: Vec<&Pod> = jobs.iter().filter(|(j, _)| j.name_any() == job).flat_map(|(_, pods)| pods).collect();
            let events = if startup::needs_events(&pods) {
                events_of(ctx, namespace, &job, &pods).await?
            } else {
                Vec::new()
            };
            let why = startup::reason(&pods, &events, probe::STARTUP.as_secs());
            Ok(Progress::Found(
                job,
                Found {
                    status: ConditionStatus::Unknown,
                    reason: why.code,
                    message: why.message,
                    at: now,
                },
            ))
        }
        Step::Remove(job) => {
            remove(ctx, namespace, &job).await?;
            Ok(Progress::Later(now))
        }
        Step::Start(_) => {
            let job_name = probe::job_name(K::KIND, name, &seen);
            let probe = Probe {
                kind: K::KIND,
                name,
                namespace,
                generation,
                owner: owner_reference(object),
                label: object.pod_label(),
                target: object.target(tenant),
                secret: object.credentials().map(|s| s.secret.as_str()),
                image: &ctx.config.runner_image,
                pull_policy: ctx.config.runner_pull_policy.as_deref(),
                pull_secrets: &ctx.config.runner_pull_secrets,
            };
            let (config_map, job) = probe::build(&probe, &job_name)?;
            start(ctx, namespace, &config_map, &job).await?;
            tracing::info!(
                kind = K::KIND,
                object.namespace = namespace,
                object.name = name,
                job = job_name,
                "probes {} {namespace}/{name}",
                K::KIND
            );
            Ok(Progress::Later(
                now.saturating_add(jiff::SignedDuration::try_from(probe::STARTUP).unwrap_or_default())
                    .unwrap_or(now),
            ))
        }
    }
}

async fn events_of(ctx: &Context, namespace: &str, job: &str, pods: &[&Pod]) -> Result<Vec<Event>, EndpointError> {
    let api_events = Api::<Event>::namespaced(ctx.client.clone(), namespace);
    let mut events = Vec::new();
    for name in std::iter::once(job.to_owned()).chain(pods.iter().map(|pod| pod.name_any())) {
        let params = ListParams::default().fields(&format!("involvedObject.name={name}")).limit(50);
        events.extend(
            api_events
                .list(&params)
                .await
                .map_err(api(format!("list the events of {namespace}/{name}")))?
                .items,
        );
    }
    Ok(events)
}

async fn start(ctx: &Context, namespace: &str, config_map: &ConfigMap, job: &Job) -> Result<(), EndpointError> {
    let params = PostParams::default();
    let config_maps = Api::<ConfigMap>::namespaced(ctx.client.clone(), namespace);
    let what = || format!("make the plan of probe {namespace}/{}", config_map.name_any());
    if let Err(error) = config_maps.create(&params, config_map).await {
        let kube::Error::Api(answer) = &error else { return Err(api(what())(error)) };
        if answer.code != 409 {
            return Err(api(what())(error));
        }
        // Left by a start that was cut short; perhaps by another version of the operator.
        let there = config_maps.get(&config_map.name_any()).await.map_err(api(what()))?;
        if there.data != config_map.data {
            delete::<ConfigMap>(ctx, namespace, &config_map.name_any()).await.map_err(api(what()))?;
            return Err(api(what())(error));
        }
    }
    match read::create_job(&ctx.client, job).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 409 => Ok(()),
        Err(error) => Err(api(format!("make probe {namespace}/{}", job.name_any()))(error)),
    }
}

/// Removes a probe's Job with its pod, then its plan.
async fn remove(ctx: &Context, namespace: &str, job: &str) -> Result<(), EndpointError> {
    let what = || format!("remove probe {namespace}/{job}");
    delete::<Job>(ctx, namespace, job).await.map_err(api(what()))?;
    delete::<ConfigMap>(ctx, namespace, job).await.map_err(api(what()))
}

async fn delete<K: Resource<DynamicType = ()>>(ctx: &Context, namespace: &str, name: &str) -> kube::Result<()> {
    match read::delete::<K>(&ctx.client, namespace, name, &DeleteParams::background()).await {
        Ok(()) => Ok(()),
        Err(kube::Error::Api(answer)) if answer.code == 404 => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
