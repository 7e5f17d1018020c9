//! The run controller: gather → decide → act, until there is nothing to do at once.
//!
//! | file | is the place to change |
//! |---|---|
//! | `gather.rs` | where facts come from |
//! | `decide.rs`, `ending.rs` | when a run starts, waits, retries; how it ends |
//! | `observe.rs`, `outcome.rs`, `startup.rs` | what the state of a Job and its pods means |
//! | `planning.rs`, `references.rs` | what a plan needs |
//! | `launch.rs`, `build/` | what the objects contain |
//! | `status.rs`, `account.rs` | what the status says |
//! | `act.rs`, `cluster.rs` | the calls, and their order |
//!
//! Writes to the API server for a run with one destination and no retry: ten (finalizer, plan, status, generate Job, status,
//! status, deliver Job, status, status; once it is recorded, the plan goes); Events apart. A test counts them.

mod account;
mod act;
mod build;
mod cluster;
mod decide;
mod ending;
mod facts;
mod gather;
mod launch;
mod memory;
mod observe;
pub(super) mod outcome;
mod planning;
mod references;
pub(super) mod startup;
mod status;
mod tell;
#[cfg(test)]
mod tests;
mod view;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use openreg_crds::ReportRun;
use openreg_crds::common::condition;
use tokio_util::sync::CancellationToken;

use self::act::{Acted, act};
use self::build::job::Image;
use self::cluster::{ClusterError, Kube};
use self::decide::{Step, decide};
use self::facts::Setback;
use self::gather::{Sources, gather};
use self::memory::Memory;
use super::{Queue, drive, queue};
use crate::context::Context;
use crate::labels;

/// How many runs are looked at in one moment; each look is a few short calls.
const CONCURRENCY: u16 = 32;
/// The most steps of one look; a run with eight destinations starts them all in ten.
const MAX_STEPS: usize = 40;
/// Never sleep longer without a look: watches may lose an event.
const LONGEST_SLEEP: Duration = Duration::from_secs(600);

/// What a look needs besides the context.
struct Tools {
    cluster: Kube,
    memory: Arc<Memory>,
    image: Image,
}

/// Runs the controller until shutdown; a look under way is brought to its end.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let memory = Arc::<Memory>::default();
    let (names, requests) = queue::<ReportRun>();
    listen(&ctx, &memory, &names);
    let tools = Arc::new(Tools {
        cluster: Kube(ctx.client.clone()),
        memory,
        image: Image {
            name: ctx.config.runner_image.clone(),
            pull_policy: ctx.config.runner_pull_policy.clone(),
            pull_secrets: ctx.config.runner_pull_secrets.clone(),
        },
    });
    // All caches, not only the runs': a reference that is not there yet must not look like one that is missing.
    if ctx.stores.ready().await {
        let cache = ctx.stores.runs.clone();
        drive(
            "run",
            ctx,
            &cache,
            requests,
            CONCURRENCY,
            move |run, ctx| reconcile(run, ctx, Arc::clone(&tools)),
            shutdown,
        )
        .await;
    }
}

/// Which changes call for a look at which runs.
fn listen(ctx: &Arc<Context>, memory: &Arc<Memory>, names: &Queue<ReportRun>) {
    let stores = &ctx.stores;
    stores.runs.on_change({
        let names = names.clone();
        move |run| names.add(run)
    });
    stores.jobs.on_change({
        let names = names.clone();
        move |job: &Job| add_run_of(job, &names)
    });
    stores.pods.on_change({
        let (names, memory) = (names.clone(), Arc::clone(memory));
        move |pod| {
            if pod.labels().contains_key(labels::RUN) {
                memory.keep_pod(pod, Timestamp::now());
                add_run_of(pod, &names);
            }
        }
    });
    // What a run refers to: every run of that namespace that is not complete.
    let all_of = {
        let (names, runs) = (names.clone(), stores.runs.clone());
        move |namespace: &str| runs.in_namespace(namespace, is_open).iter().for_each(|run| names.add(run))
    };
    macro_rules! references {
        ($($cache:ident),*) => {$(
            stores.$cache.on_change({
                let all_of = all_of.clone();
                move |object| all_of(object.meta().namespace.as_deref().unwrap_or_default())
            });
        )*};
    }
    references!(stores, connectors, destinations, reports, versions);
    stores.tenants.on_change(move |namespace| all_of(&namespace.name_any()));
}

fn add_run_of<K: Resource<DynamicType = ()>>(object: &K, names: &Queue<ReportRun>) {
    let meta = object.meta();
    if let Some(run) = meta.labels.as_ref().and_then(|l| l.get(labels::RUN)) {
        names.add_named(meta.namespace.as_deref().unwrap_or_default(), run);
    }
}

fn is_open(run: &ReportRun) -> bool {
    run.status.as_ref().is_none_or(|s| !condition::is_true(&s.conditions, "Complete"))
}

async fn reconcile(run: Arc<ReportRun>, ctx: Arc<Context>, tools: Arc<Tools>) -> Result<Action, ClusterError> {
    let Tools { cluster, memory, image } = tools.as_ref();
    let from = Sources {
        view: &ctx.stores,
        cluster,
        memory,
        image,
    };
    let mut run = memory.newest(run);
    let mut setback: Option<Setback> = None;
    for _ in 0..MAX_STEPS {
        let facts = gather(&from, run, ctx.now(), setback.take()).await?;
        let step = decide(&facts);
        match act(cluster, memory, &facts, &step).await? {
            Acted::Again(newer) => {
                tell::tell(&ctx, &facts, &step).await;
                run = newer;
            }
            Acted::SetBack(why) => {
                setback = Some(why);
                run = facts.run;
            }
            Acted::Sleep(None) if step == Step::Rest => return Ok(Action::await_change()),
            Acted::Sleep(None) => return Ok(Action::requeue(LONGEST_SLEEP)),
            Acted::Sleep(Some(wake)) => {
                let sleep = Duration::try_from(wake.duration_since(ctx.now())).unwrap_or(Duration::ZERO);
                return Ok(Action::requeue(sleep.clamp(Duration::from_millis(10), LONGEST_SLEEP)));
            }
        }
    }
    Ok(Action::requeue(Duration::from_millis(100)))
}
