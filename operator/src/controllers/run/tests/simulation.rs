//! The promises, under random outcomes, lost Jobs and nodes, conflicts, lagging caches and crashes between any two calls:
//! the run always reaches its end, the end is true, nothing is sent twice, and nothing changes after it.
//!
//! Rules of the receiver in this model are the runner's: only the claim's holder sends; another takes the claim over only
//! when it was told that the holder's pod ended.

use futures::executor::block_on;
use jiff::SignedDuration;
use kube::ResourceExt;
use openreg_crds::common::condition;
use openreg_crds::report_run::{DeliveryState, RunOutcome};
use proptest::prelude::*;

use super::super::act::{Acted, act};
use super::super::cluster::ClusterError;
use super::super::decide::{Step, decide};
use super::super::facts::Work;
use super::super::gather::{Sources, gather};
use super::super::memory::{Memory, job_uid};
use super::super::outcome::{finished, has_started, is_over};
use super::world::{Dice, State, World, work_of};
use super::*;

/// One look, as the controller does it.
pub(super) fn reconcile(world: &World, memory: &Memory) -> Result<bool, ClusterError> {
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
    let mut run = memory.newest(world.cached_run());
    let mut setback = None;
    for _ in 0..40 {
        let now = world.0.lock().unwrap().now;
        let facts = block_on(gather(&from, run, now, setback.take()))?;
        let step = decide(&facts);
        match block_on(act(world, memory, &facts, &step))? {
            Acted::Again(newer) => run = newer,
            Acted::SetBack(why) => {
                setback = Some(why);
                run = facts.run;
            }
            Acted::Sleep(_) => return Ok(step == Step::Rest),
        }
    }
    panic!("forty steps in one look");
}

/// The cluster does one thing. `kind` says how kind it is: at 0 nothing goes wrong.
fn progress(s: &mut State, dice: &mut Dice, unkind: bool) {
    let ended: Vec<String> = s.pods.values().filter(|p| is_over(p)).filter_map(|p| p.uid()).collect();
    // The Job controller counts, then pods that were deleted go away.
    for uid in ended {
        let pod = s.pods[&uid].clone();
        let job = s.jobs.values_mut().find(|j| j.metadata.uid == job_uid(&pod));
        let orphan = job.is_none();
        if let Some(job) = job.filter(|j| finished(j).is_none()) {
            let well = pod.status.as_ref().and_then(|s| s.phase.as_deref()) == Some("Succeeded");
            let condition = if well {
                json!({"type": "Complete", "status": "True"})
            } else {
                json!({"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"})
            };
            job.status = Some(of(json!({"conditions": [condition]})));
            return;
        }
        if pod.metadata.deletion_timestamp.is_some() || orphan {
            s.remove_pod(&uid);
            return;
        }
    }
    // Pods go on.
    let live: Vec<String> = s.pods.values().filter(|p| !is_over(p)).filter_map(|p| p.uid()).collect();
    if let Some(uid) = live.get(dice.below(live.len().max(1) as u64) as usize) {
        advance(s, dice, uid, unkind);
        return;
    }
    // The Job controller makes pods.
    let idle = s
        .jobs
        .values()
        .find(|j| finished(j).is_none() && !s.pods.values().any(|p| job_uid(p) == j.metadata.uid))
        .cloned();
    // One that made none for that long is forbidden to (a quota), and stays so.
    let forbidden = |job: &Job| s.now.duration_since(s.made[job.metadata.uid.as_ref().unwrap()]) > SignedDuration::from_secs(100);
    if let Some(job) = idle.filter(|j| !forbidden(j)) {
        let uid = s.uid("pod");
        let mut made = pod(
            &uid,
            job.metadata.uid.as_deref().unwrap(),
            json!({"waiting": {"reason": "ContainerCreating"}}),
            json!({"phase": "Pending"}),
        );
        made.metadata.labels = Some(
            [
                ("openreg.io/run".to_owned(), RUN.to_owned()),
                ("batch.kubernetes.io/job-name".to_owned(), job.name_any()),
            ]
            .into(),
        );
        s.pods.insert(uid, made);
    }
}

fn set_state(pod: &mut Pod, phase: &str, state: Value) {
    let status = pod.status.as_mut().unwrap();
    status.phase = Some(phase.to_owned());
    status.container_statuses.as_mut().unwrap()[0].state = Some(of(state));
}

fn advance(s: &mut State, dice: &mut Dice, uid: &str, unkind: bool) {
    let mut now = s.pods[uid].clone();
    let leaving = now.metadata.deletion_timestamp.is_some();
    let name = now.labels()["batch.kubernetes.io/job-name"].clone();
    let (work, number) = work_of(&name);
    if !has_started(&now) {
        if leaving {
            now.status.as_mut().unwrap().phase = Some("Failed".to_owned());
        } else if unkind && dice.one_in(8) {
            set_state(
                &mut now,
                "Pending",
                json!({"waiting": {"reason": if dice.one_in(2) { "ImagePullBackOff" } else { "ContainerCreating" }, "message": "x"}}),
            );
        } else {
            set_state(&mut now, "Running", running());
        }
        s.pods.insert(uid.to_owned(), now);
        return;
    }
    if unkind && dice.one_in(14) {
        // The node is lost: the pod object is forced away, and the process may live on.
        now.status.as_mut().unwrap().conditions = Some(vec![of(json!({"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}))]);
        if let Work::Deliver(index) = work {
            let r = s.receivers.get_mut(&index).unwrap();
            r.ghost = true;
            r.claim.get_or_insert(uid.to_owned());
        }
        s.pods.insert(uid.to_owned(), now.clone());
        s.remove_pod(uid);
        if let Some(job) = s.jobs.values_mut().find(|j| j.metadata.uid == job_uid(&now)) {
            job.status = Some(of(
                json!({"conditions": [{"type": "Failed", "status": "True", "reason": "BackoffLimitExceeded"}]}),
            ));
        }
        return;
    }
    let state = match work {
        Work::Generate => generate(s, dice, leaving, unkind),
        Work::Deliver(index) => deliver(s, dice, index, uid, &name, leaving, unkind),
    };
    let phase = if state["terminated"]["exitCode"] == json!(0) { "Succeeded" } else { "Failed" };
    set_state(&mut now, phase, state);
    let _ = number;
    s.pods.insert(uid.to_owned(), now);
}

fn generate(s: &mut State, dice: &mut Dice, leaving: bool, unkind: bool) -> Value {
    if s.sealed {
        return exited(0, "Completed", &generated());
    }
    if leaving && dice.one_in(2) {
        return exited(
            143,
            "Error",
            &json!({"version": 1, "outcome": "Cancelled", "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}}).to_string(),
        );
    }
    match if unkind { dice.below(9) } else { 8 } {
        0 => exited(137, "OOMKilled", ""),
        1 => exited(137, "Error", ""),
        2 => exited(20, "Error", &failed("Transient", "ConnectTimeout", None)),
        3 => exited(10, "Error", &failed("Config", "ColumnMissing", None)),
        // Sealed, and killed before it could say so.
        4 => {
            s.sealed = true;
            exited(137, "Error", "")
        }
        5 => exited(0, "Completed", &sealed_empty("Blocked")),
        _ => {
            s.sealed = true;
            exited(0, "Completed", &generated())
        }
    }
}

/// What a deliver pod does, by the rules of the claim.
fn deliver(s: &mut State, dice: &mut Dice, index: usize, pod: &str, job: &str, leaving: bool, unkind: bool) -> Value {
    let args = s
        .jobs
        .get(job)
        .and_then(|j| j.spec.as_ref()?.template.spec.as_ref()?.containers[0].args.clone())
        .unwrap_or_default();
    let ended = args.iter().position(|a| a == "--ended-pods").map_or("", |i| args[i + 1].as_str()).to_owned();
    let r = s.receivers.get_mut(&index).unwrap();
    if r.receipt {
        return exited(0, "Completed", &delivery("Delivered", false, 1));
    }
    if unkind && dice.one_in(6) {
        let class = if dice.one_in(3) { "Config" } else { "Transient" };
        return exited(20, "Error", &failed(class, "ConnectTimeout", Some(false)));
    }
    match &r.claim {
        Some(holder) if holder != pod && !ended.split(',').any(|e| e == holder) => {
            return exited(20, "Error", &failed("Transient", "ClaimHeld", Some(false)));
        }
        _ => r.claim = Some(pod.to_owned()),
    }
    let outcome = if unkind { dice.below(8) } else { 7 };
    if leaving && r.visible == 0 && outcome > 3 {
        return exited(143, "Error", &delivery("Cancelled", true, 0));
    }
    match outcome {
        0 => exited(137, "OOMKilled", ""),
        // Before it asked for the final name, or after it and before the receipt: then it says so.
        1 => {
            let asked = r.visible > 0 || dice.one_in(2);
            r.visible = u32::from(asked);
            let said = if asked { unsettled() } else { json!({"begun": true, "receipts": 0}) };
            let class = if dice.one_in(3) { "Config" } else { "Transient" };
            exited(20, "Error", &failed_with(class, "ConnectionLost", said))
        }
        2 => {
            // Visible, and killed before the receipt. The next holder finds the file under its final name.
            r.visible = r.visible.max(1);
            exited(137, "Error", "")
        }
        3 => exited(137, "Error", ""),
        _ => {
            r.visible = r.visible.max(1);
            r.receipt = true;
            exited(0, "Completed", &delivery("Delivered", true, 1))
        }
    }
}

/// Whether what the status says of the end is true.
fn check_truth(s: &State) {
    let status = s.run.status.as_ref().unwrap();
    let outcome = status.outcome.unwrap();
    assert!(status.finished_at.is_some());
    for (index, d) in status.deliveries.iter().enumerate() {
        let r = &s.receivers[&index];
        assert!(d.finished_at.is_some(), "{}: still open", d.destination);
        match d.state {
            DeliveryState::Delivered => assert!(r.visible == 1 && r.receipt, "{}: Delivered without a receipt", d.destination),
            DeliveryState::NotDelivered => assert!(r.visible == 0 && !r.ghost, "{}: NotDelivered, and it lies there", d.destination),
            DeliveryState::Unknown => {}
            other => panic!("{}: {other:?} at the end", d.destination),
        }
    }
    let all = !status.deliveries.is_empty() && status.deliveries.iter().all(|d| d.state == DeliveryState::Delivered);
    assert_eq!(
        all,
        matches!(outcome, RunOutcome::Delivered | RunOutcome::DeliveredWithExclusions),
        "{outcome:?}"
    );
    if matches!(outcome, RunOutcome::Cancelled | RunOutcome::Failed | RunOutcome::DataRejected) {
        assert!(s.receivers.values().all(|r| r.visible == 0), "{outcome:?}, and a file lies there");
    }
    for job in s.jobs.values() {
        assert!(
            finished(job).is_some() || job.metadata.deletion_timestamp.is_some(),
            "{} is active after the end",
            job.name_any()
        );
    }
    assert!(s.pods.values().all(is_over), "a pod runs after the end");
}

/// Plays one life of a run.
fn play(seed: u64) {
    let mut dice = Dice::new(seed);
    let names = if dice.one_in(3) { vec!["bafin", "amf"] } else { vec!["bafin"] };
    let world = World::new(&names);
    let mut memory = Memory::default();
    if dice.one_in(4) {
        world.0.lock().unwrap().missing.insert("store".to_owned());
    }
    for _ in 0..dice.below(120) + 20 {
        match dice.below(16) {
            0..=4 => {
                let mut s = world.0.lock().unwrap();
                s.fault = if dice.one_in(3) {
                    Some((u32::try_from(dice.below(9)).unwrap(), dice.one_in(2)))
                } else {
                    None
                };
                drop(s);
                let result = reconcile(&world, &memory);
                world.0.lock().unwrap().fault = None;
                // An error is a crash as often as it is a second try in the same process.
                if result.is_err() && dice.one_in(2) {
                    memory = Memory::default();
                    world.restart();
                }
            }
            5..=9 => progress(&mut world.0.lock().unwrap(), &mut dice, true),
            10 | 11 => world.sync(&memory),
            12 => {
                let mut s = world.0.lock().unwrap();
                s.now = s.now.checked_add(SignedDuration::from_secs(i64::try_from(dice.below(90)).unwrap())).unwrap();
            }
            13 => {
                memory = Memory::default();
                world.restart();
            }
            14 => {
                let mut s = world.0.lock().unwrap();
                match dice.below(12) {
                    0 => s.touch(|r| {
                        r.spec.cancelled.get_or_insert(of(json!({"reason": "x", "by": "bob"})));
                    }),
                    1 if !s.run.finalizers().is_empty() => s.touch(|r| {
                        r.metadata.deletion_timestamp.get_or_insert(of(json!("2026-03-03T10:00:00Z")));
                    }),
                    2 => {
                        let name = s.jobs.keys().nth(dice.below(4) as usize).cloned();
                        name.iter().for_each(|n| s.delete_job_and_pods(n));
                    }
                    3 | 4 => {
                        s.suspended.insert("bafin".to_owned());
                    }
                    5 | 6 => s.suspended.clear(),
                    _ => s.touch(|r| {
                        r.metadata.annotations.get_or_insert_default().insert("touched".to_owned(), "yes".to_owned());
                    }),
                }
            }
            _ => {
                let mut s = world.0.lock().unwrap();
                s.missing.clear();
            }
        }
    }
    settle(&world, &memory, &mut dice);
    let s = world.0.lock().unwrap();
    check_truth(&s);
    let (before, writes) = (s.run.clone(), s.writes.len());
    drop(s);
    // After the end nothing changes, whoever looks.
    for fresh in [memory, Memory::default()] {
        world.sync(&fresh);
        assert!(reconcile(&world, &fresh).unwrap());
    }
    let s = world.0.lock().unwrap();
    assert_eq!(json!([s.run, s.writes.len()]), json!([before, writes]));
}

/// No more faults: the run reaches its end.
pub(super) fn settle(world: &World, memory: &Memory, dice: &mut Dice) {
    {
        let mut s = world.0.lock().unwrap();
        s.missing.clear();
        s.suspended.clear();
    }
    for _ in 0..400 {
        world.sync(memory);
        match reconcile(world, memory) {
            Ok(true) => return,
            Ok(false) | Err(ClusterError::Conflict(..)) => {}
            Err(error) => panic!("{error}"),
        }
        let mut s = world.0.lock().unwrap();
        for _ in 0..3 {
            progress(&mut s, dice, false);
        }
        s.now = s.now.checked_add(SignedDuration::from_secs(25)).unwrap();
    }
    let s = world.0.lock().unwrap();
    panic!(
        "no end in sight: {:#?}\njobs {:?}\npods {:?}",
        s.run.status,
        s.jobs.values().map(|j| (j.name_any(), &j.status)).collect::<Vec<_>>(),
        s.pods.values().map(|p| (p.name_any(), &p.status)).collect::<Vec<_>>()
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_life_of_a_run_ends_and_its_end_is_true(seed in any::<u64>()) {
        play(seed);
    }
}

/// Seeds that found a fault once.
#[test]
fn lives_that_once_went_wrong_stay_right() {
    for seed in [
        548_957_314_705_549_366,
        7_286_641_790_296_284_586,
        9_055_965_486_184_114_100,
        14_406_330_955_942_865_514,
        7_311_037_528_393_307_224,
        14_768_049_040_051_564_540,
        4_667_509_103_138_219_650,
        16_179_196_093_692_455_438,
        14_006_412_018_016_204_824,
        4_399_970_426_720_964_288,
        13_609_592_070_735_338_394,
    ] {
        play(seed);
    }
}

#[test]
fn good_run_costs_nine_writes_and_no_read() {
    let world = World::new(&["bafin"]);
    let memory = Memory::default();
    settle(&world, &memory, &mut Dice::new(7));
    let s = world.0.lock().unwrap();
    assert_eq!(s.run.status.as_ref().unwrap().outcome, Some(RunOutcome::DeliveredWithExclusions));
    let plan = format!("create ConfigMap {RUN}-plan");
    let (g, d) = (format!("create Job {RUN}-g1"), format!("create Job {RUN}-d0-1"));
    assert_eq!(
        s.writes,
        [
            "add finalizer",
            &plan,
            "write status",
            &g,
            "write status",
            "write status",
            &d,
            "write status",
            "write status"
        ]
    );
    assert!(s.reads.is_empty(), "{:?}", s.reads);
    assert!(condition::is_true(&s.run.status.as_ref().unwrap().conditions, "Delivered"));
}

#[test]
fn crash_before_or_after_any_call_changes_nothing_in_the_end() {
    for lost_answer in [false, true] {
        for call in 0..9 {
            let world = World::new(&["bafin"]);
            let mut memory = Memory::default();
            let mut dice = Dice::new(7);
            world.0.lock().unwrap().fault = Some((call, lost_answer));
            // Until it crashes; then a new process without any memory.
            for _ in 0..200 {
                world.sync(&memory);
                if reconcile(&world, &memory).is_err() {
                    memory = Memory::default();
                    world.restart();
                    break;
                }
                let mut s = world.0.lock().unwrap();
                progress(&mut s, &mut dice, false);
            }
            assert_eq!(world.0.lock().unwrap().fault, None, "call {call} was never made");
            settle(&world, &memory, &mut dice);
            let s = world.0.lock().unwrap();
            assert_eq!(
                s.run.status.as_ref().unwrap().outcome,
                Some(RunOutcome::DeliveredWithExclusions),
                "call {call}, answer lost: {lost_answer}"
            );
            assert_eq!(s.receivers[&0].visible, 1);
            assert_eq!(s.jobs.len(), 2, "{:?}", s.jobs.keys());
            check_truth(&s);
        }
    }
}
