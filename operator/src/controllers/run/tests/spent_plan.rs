//! The plan goes once the run is complete and recorded, and only then.

use super::super::memory::Memory;
use super::simulation::{reconcile, settle};
use super::world::{Dice, World};
use super::*;

/// The recorder stored the history of the run, which ended.
fn record(world: &World, memory: &Memory) {
    world.0.lock().unwrap().touch(|r| {
        let mut recorded: openreg_crds::common::condition::Condition = of(super::condition("Recorded", "True", "Stored"));
        recorded.last_transition_time = of(json!("2026-03-03T10:30:00Z"));
        r.status.as_mut().unwrap().conditions.push(recorded);
    });
    world.sync(memory);
}

/// How many writes and reads there were.
fn calls(world: &World) -> (usize, usize) {
    let s = world.0.lock().unwrap();
    (s.writes.len(), s.reads.len())
}

#[test]
fn plan_goes_once_the_run_is_recorded() {
    let world = World::new(&["bafin"]);
    let memory = Memory::default();
    settle(&world, &memory, &mut Dice::new(7));
    let plan = format!("{RUN}-plan");
    assert!(world.0.lock().unwrap().config_maps.contains_key(&plan), "not before");
    let digest = world.0.lock().unwrap().run.status.as_ref().unwrap().plan_sha256.clone();
    record(&world, &memory);
    assert!(reconcile(&world, &memory).unwrap());
    {
        let s = world.0.lock().unwrap();
        assert!(s.config_maps.is_empty());
        assert_eq!(
            (s.writes.len(), s.writes.last().unwrap().as_str()),
            (10, format!("delete ConfigMap {plan}").as_str())
        );
        assert!(s.reads.is_empty(), "{:?}", s.reads);
        assert!(digest.is_some() && s.run.status.as_ref().unwrap().plan_sha256 == digest, "its digest stays");
    }
    // Whoever looks again does nothing: not this process, not the next one.
    assert!(reconcile(&world, &memory).unwrap());
    assert_eq!(calls(&world), (10, 0));
    assert!(reconcile(&world, &Memory::default()).unwrap());
    assert_eq!(calls(&world), (10, 1));
}

#[test]
fn plan_that_a_crash_left_goes_too_and_another_runs_plan_stays() {
    for (foreign, later, left) in [(false, false, false), (true, false, true), (false, true, true)] {
        let world = World::new(&["bafin"]);
        let memory = Memory::default();
        settle(&world, &memory, &mut Dice::new(7));
        record(&world, &memory);
        let plan = format!("{RUN}-plan");
        {
            let mut s = world.0.lock().unwrap();
            if foreign {
                s.config_maps.get_mut(&plan).unwrap().metadata.owner_references = None;
            }
            // A restart long after asks for nothing: or it would ask for the plans of all runs that ever ended.
            s.now = time(if later { "2026-03-03T18:00:00Z" } else { "2026-03-03T10:45:00Z" });
        }
        assert!(reconcile(&world, &Memory::default()).unwrap());
        let s = world.0.lock().unwrap();
        assert_eq!(s.config_maps.contains_key(&plan), left, "foreign {foreign}, later {later}");
        assert_eq!(s.reads.len(), usize::from(!later), "foreign {foreign}, later {later}");
    }
}
