//! Which facts cost a call, and which do not.

use futures::executor::block_on;

use super::super::cluster::Cluster;
use super::super::gather::{Sources, gather};
use super::super::memory::Memory;
use super::world::World;
use super::*;

fn look(world: &World, memory: &Memory, facts: &Facts) -> Facts {
    let image = Image {
        name: "openreg-runner:1".to_owned(),
        pull_policy: None,
        pull_secrets: Vec::new(),
    };
    let from = Sources {
        view: world,
        cluster: world,
        memory,
        image: &image,
    };
    block_on(gather(&from, Arc::clone(&facts.run), facts.now, None)).unwrap()
}

fn reads(world: &World) -> Vec<String> {
    std::mem::take(&mut world.0.lock().unwrap().reads)
}

#[test]
fn new_run_costs_no_call() {
    let world = World::new(&["bafin"]);
    let found = look(&world, &Memory::default(), &facts());
    assert!(found.store.is_some() && found.connectors.contains_key("ledger") && found.destinations.contains_key("bafin") && found.tenant.is_some());
    assert!(reads(&world).is_empty());
}

#[test]
fn plan_is_read_once_after_a_restart() {
    let world = World::new(&["bafin"]);
    let facts = planned(&["bafin"], json!({}));
    let memory = Memory::default();
    assert_eq!(look(&world, &memory, &facts).plan, Plan::Gone);
    assert_eq!(reads(&world), [format!("get ConfigMap {RUN}-plan")]);
    memory.keep_launch(RUN_UID, Arc::new(launch(&["bafin"])), now());
    let found = look(&world, &memory, &facts);
    assert_eq!(found.plan, Plan::Written(Arc::new(launch(&["bafin"]))));
    assert!(found.destinations.contains_key("bafin"));
    assert!(reads(&world).is_empty());
}

#[test]
fn job_that_the_cache_lacks_is_asked_for_before_it_is_held_for_lost() {
    let world = World::new(&["bafin"]);
    let memory = Memory::default();
    memory.keep_launch(RUN_UID, Arc::new(launch(&["bafin"])), now());
    let facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    assert!(look(&world, &memory, &facts).jobs.is_empty());
    assert_eq!(reads(&world), [format!("get Job {RUN}-g1"), "list pods of job-1".to_owned()]);
    // One that was made a moment ago is remembered instead.
    memory.keep_job(Arc::new(job(&format!("{RUN}-g1"), "job-1", "", "")), now());
    assert!(look(&world, &memory, &facts).jobs.contains_key(&format!("{RUN}-g1")));
    assert!(reads(&world).is_empty());
    // Half a minute later the memory is no longer trusted.
    let mut later = facts;
    later.now = time("2026-03-03T10:00:31Z");
    assert!(look(&world, &memory, &later).jobs.is_empty());
}

#[test]
fn events_are_listed_only_at_the_startup_deadline() {
    let world = World::new(&["bafin"]);
    let memory = Memory::default();
    memory.keep_launch(RUN_UID, Arc::new(launch(&["bafin"])), now());
    let early = generating(&["bafin"], "2026-03-03T09:58:01Z");
    memory.keep_job(Arc::new(job(&format!("{RUN}-g1"), "job-1", "", "")), now());
    look(&world, &memory, &early);
    assert!(reads(&world).is_empty());
    let late = generating(&["bafin"], "2026-03-03T09:58:00Z");
    // The cache was behind: the Job is gone, and Events would say nothing.
    look(&world, &memory, &late);
    assert_eq!(reads(&world), [format!("get Job {RUN}-g1"), "list pods of job-1".to_owned()]);
    block_on(world.create_job(&job(&format!("{RUN}-g1"), "job-1", "", ""))).unwrap();
    look(&world, &memory, &late);
    assert_eq!(
        reads(&world),
        [
            format!("get Job {RUN}-g1"),
            "list pods of job-1".to_owned(),
            "list events about job-1".to_owned()
        ]
    );
}

#[test]
fn last_words_of_a_deleted_pod_are_kept() {
    let world = World::new(&["bafin"]);
    let memory = Memory::default();
    memory.keep_launch(RUN_UID, Arc::new(launch(&["bafin"])), now());
    let mut ended = pod("pod-1", "job-1", exited(0, "Completed", &generated()), json!({}));
    memory.keep_pod(&ended, now());
    let facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    assert!(
        look(&world, &memory, &facts).pods["job-1"].is_empty(),
        "a pod that stays is read from the cache"
    );
    ended.metadata.deletion_timestamp = Some(of(json!("2026-03-03T10:00:00Z")));
    memory.keep_pod(&ended, now());
    let found = look(&world, &memory, &facts);
    assert_eq!(found.pods["job-1"].iter().map(|p| p.gone).collect::<Vec<_>>(), [true]);
}

#[test]
fn cancelled_run_asks_for_jobs_that_a_crash_may_have_hidden() {
    let world = World::new(&["bafin"]);
    let mut facts = facts();
    let mut run = run();
    run.spec.cancelled = Some(of(json!({"reason": "x", "by": "bob"})));
    facts.run = Arc::new(run);
    look(&world, &Memory::default(), &facts);
    assert_eq!(reads(&world), [format!("get Job {RUN}-g1")]);
    block_on(world.create_job(&job(&format!("{RUN}-g1"), "job-1", "", ""))).unwrap();
    assert_eq!(look(&world, &Memory::default(), &facts).jobs.len(), 1);
}
