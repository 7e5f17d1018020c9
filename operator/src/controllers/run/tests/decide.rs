//! One test a row of the state machine.

use serde_json::json;

use super::super::decide::{Step, Target, decide};
use super::super::facts::{Setback, Work};
use super::*;
use openreg_crds::report_run::RunOutcome;

/// A step in a few words.
pub(super) fn word(step: &Step) -> String {
    match step {
        Step::Rest => "Rest".to_owned(),
        Step::RemovePlan { uid } => format!("RemovePlan {uid}"),
        Step::Wait { note, wake } => {
            let note = note.as_ref().map_or(String::new(), |n| format!(" {}={}", n.condition, n.reason));
            format!("Wait{note}{}", wake.map_or(String::new(), |w| format!(" until {}", w.strftime("%H:%M:%S"))))
        }
        Step::Reject(f) => format!("Reject {}/{}", f.class, f.code),
        Step::WritePlan(p) => format!("WritePlan {}", p.version),
        Step::StartJob { work, number } => format!("StartJob {}", work.job_name("r", *number)),
        Step::AdoptJob { work, number, uid } => format!("AdoptJob {} {uid}", work.job_name("r", *number)),
        Step::Condemn { work, failure } => format!("Condemn {} {}/{}", work.as_str(), failure.class, failure.code),
        Step::Stop(Target::Pod { name, .. }) => format!("Stop pod {name}"),
        Step::Stop(Target::Job { name, .. }) => format!("Stop job {}", name.trim_start_matches(RUN)),
        Step::Account { work, finish, .. } => format!("Account {}{}", work.as_str(), finish.map_or(String::new(), |o| format!(" then {}", o.as_str()))),
        Step::Finish { outcome, failure } => format!(
            "Finish {}{}",
            outcome.as_str(),
            failure.as_ref().map_or(String::new(), |f| format!(" {}", f.code))
        ),
    }
}

#[track_caller]
pub(super) fn expect(facts: &Facts, step: &str) {
    assert_eq!(word(&decide(facts)), step);
}

pub(super) fn cancelled(mut facts: Facts) -> Facts {
    let mut run = (*facts.run).clone();
    run.spec.cancelled = Some(of(json!({"reason": "wrong day", "by": "bob"})));
    facts.run = Arc::new(run);
    facts
}

fn deleted(mut facts: Facts) -> Facts {
    let mut run = (*facts.run).clone();
    run.metadata.deletion_timestamp = Some(of(json!("2026-03-03T09:59:59Z")));
    facts.run = Arc::new(run);
    facts
}

pub(super) fn g1(condition: &str, reason: &str) -> Job {
    job(&format!("{RUN}-g1"), "job-1", condition, reason)
}

fn d1(condition: &str, reason: &str) -> Job {
    job(&format!("{RUN}-d0-1"), "job-2", condition, reason)
}

pub(super) fn gpod(state: Value) -> SeenPod {
    there(pod("pod-1", "job-1", state, json!({})))
}

fn dpod(state: Value) -> SeenPod {
    there(pod("pod-2", "job-2", state, json!({})))
}

#[test]
fn terminal_rests_whatever_else_is_seen() {
    let mut facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    facts.status.conditions.retain(|c| c.type_ != "Complete");
    facts.status.conditions.push(of(condition("Complete", "True", "Failed")));
    let mut facts = with(cancelled(facts), g1("Complete", ""), vec![gpod(exited(0, "Completed", &generated()))]);
    expect(&facts, "Rest");
    // Nobody needs the plan any more.
    facts.spent_plan = Some("cm-1".to_owned());
    expect(&facts, "RemovePlan cm-1");
}

#[test]
fn job_that_ended_is_accounted_for_first() {
    let ended = |message: &str, code| {
        with(
            generating(&["bafin"], "2026-03-03T09:59:02Z"),
            g1(if code == 0 { "Complete" } else { "Failed" }, ""),
            vec![gpod(exited(code, if code == 0 { "Completed" } else { "Error" }, message))],
        )
    };
    expect(&ended(&generated(), 0), "Account Generate");
    expect(&ended(&sealed_empty("Empty"), 0), "Account Generate then NothingToReport");
    expect(&ended(&sealed_empty("Blocked"), 0), "Account Generate then DataRejected");
    expect(&ended(&failed("Config", "ColumnMissing", None), 10), "Account Generate then Failed");
    expect(&ended(&failed("Transient", "ConnectTimeout", None), 20), "Account Generate");
    // Even when somebody wants it stopped: what it did is the truth. Then the cancellation has its turn.
    expect(&cancelled(ended(&generated(), 0)), "Account Generate");
    // Nothing to deliver to: done at once.
    let facts = with(
        generating(&[], "2026-03-03T09:59:02Z"),
        g1("Complete", ""),
        vec![gpod(exited(0, "Completed", &generated()))],
    );
    expect(&facts, "Account Generate then Generated");
}

#[test]
fn job_that_is_still_ending_is_waited_for() {
    let facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    // FailureTarget is not the end.
    expect(
        &with(facts.clone(), g1("FailureTarget", "BackoffLimitExceeded"), vec![gpod(exited(20, "Error", ""))]),
        "Wait until 10:00:02",
    );
    let mut terminating = g1("Failed", "BackoffLimitExceeded");
    terminating.status.as_mut().unwrap().terminating = Some(1);
    expect(&with(facts.clone(), terminating, vec![gpod(running())]), "Wait until 10:00:02");
    // The Job's watch was faster than the pods'.
    expect(&with(facts.clone(), g1("Complete", ""), vec![gpod(running())]), "Wait until 10:00:02");
    expect(&with(facts.clone(), g1("Complete", ""), vec![]), "Wait until 10:00:02");
    // Asked the API server: there is none.
    let mut asked = with(facts, g1("Failed", "BackoffLimitExceeded"), vec![]);
    asked.confirmed.insert("job-1".to_owned());
    expect(&asked, "Account Generate");
}

#[test]
fn pod_that_does_not_end_is_told() {
    let lost = |deletion: &str| {
        let mut pod = pod("pod-1", "job-1", running(), json!({}));
        pod.metadata.deletion_timestamp = Some(of(json!(deletion)));
        pod.spec = Some(of(json!({"nodeName": "node-7", "containers": []})));
        let mut leaving = g1("FailureTarget", "BackoffLimitExceeded");
        leaving.status.as_mut().unwrap().terminating = Some(1);
        with(generating(&["bafin"], "2026-03-03T09:50:00Z"), leaving, vec![there(pod)])
    };
    // The deletion's time is the end of the grace period: within it, and for a minute after it, that is how pods end.
    expect(&lost("2026-03-03T10:00:20Z"), "Wait until 10:00:10");
    expect(&lost("2026-03-03T09:59:00Z"), "Wait until 10:00:10");
    expect(&lost("2026-03-03T09:58:59Z"), "Wait Started=PodNotEnding until 10:00:10");
    expect(&cancelled(lost("2026-03-03T09:58:59Z")), "Wait Started=PodNotEnding until 10:00:10");
    // A Job that waits for its pod's end before it makes another says nothing of it itself.
    let silent = |deletion: &str| {
        let mut facts = lost(deletion);
        let mut active = g1("", "");
        active.status.as_mut().unwrap().terminating = Some(1);
        facts.jobs.insert(format!("{RUN}-g1"), Arc::new(active));
        facts
    };
    expect(&silent("2026-03-03T09:59:00Z"), "Wait until 10:00:10");
    expect(&silent("2026-03-03T09:58:59Z"), "Wait Started=PodNotEnding until 10:00:10");
    let Step::Wait { note: Some(note), .. } = decide(&lost("2026-03-03T09:30:00Z")) else {
        panic!()
    };
    assert!(note.message.contains("pod-of-pod-1 on node node-7"), "{}", note.message);
}

#[test]
fn job_past_its_deadline_is_not_taken_for_a_drained_node() {
    let stopped = json!({"version": 1, "outcome": "Cancelled", "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}}).to_string();
    let end = |reason: &str| {
        let facts = with(
            generating(&["bafin"], "2026-03-03T08:30:00Z"),
            g1("Failed", reason),
            vec![gpod(exited(143, "Error", &stopped))],
        );
        let Step::Account { end, finish, .. } = decide(&facts) else {
            panic!("{:?}", decide(&facts))
        };
        let super::super::outcome::Verdict::Failed(why) = end.verdict else {
            panic!("{:?}", end.verdict)
        };
        (format!("{}/{}", why.class, why.code), finish)
    };
    assert_eq!(end("DeadlineExceeded"), ("Config/TimedOut".to_owned(), Some(RunOutcome::Failed)));
    assert_eq!(end("BackoffLimitExceeded"), ("Transient/Terminated".to_owned(), None));
}

#[test]
fn job_that_is_gone_is_a_lost_attempt() {
    let facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    expect(&facts, "Account Generate");
    // Another Job of that name is not ours.
    let mut other = facts.clone();
    other.jobs.insert(format!("{RUN}-g1"), Arc::new(job(&format!("{RUN}-g1"), "job-9", "", "")));
    expect(&other, "Account Generate");
    // Its pod runs on: wait for it.
    let mut orphan = facts.clone();
    orphan.pods.insert("job-1".to_owned(), vec![gpod(running())]);
    expect(&orphan, "Wait until 10:00:02");
    // The last attempt: the run fails.
    let mut last = facts;
    last.status.generate.as_mut().unwrap().number = 3;
    expect(&last, "Account Generate then Failed");
    // A delivery whose Job is gone: nobody knows what it sent.
    expect(&delivering("Delivering"), "Account Deliver then Unknown");
}

#[test]
fn job_that_the_status_does_not_name_is_adopted() {
    let mut facts = planned(&["bafin"], json!({}));
    facts.jobs.insert(format!("{RUN}-g1"), Arc::new(g1("", "")));
    expect(&facts, "AdoptJob r-g1 job-1");
    // Also when the run is to be stopped: a Job that nobody knows would outlive it.
    expect(&cancelled(facts.clone()), "AdoptJob r-g1 job-1");
    // One of another owner is not.
    let mut foreign = g1("", "");
    foreign.metadata.owner_references = None;
    facts.jobs.insert(format!("{RUN}-g1"), Arc::new(foreign));
    expect(&facts, "StartJob r-g1");
}

#[test]
fn cancelled_run_stops_its_job_and_tells_the_truth() {
    expect(&cancelled(facts()), "Finish Cancelled");
    expect(&deleted(facts()), "Finish Cancelled");
    let busy = with(generating(&["bafin"], "2026-03-03T09:59:02Z"), g1("", ""), vec![gpod(running())]);
    expect(&cancelled(busy.clone()), "Stop pod pod-of-pod-1");
    expect(&deleted(busy), "Stop pod pod-of-pod-1");
    // SIGTERM is on its way.
    let mut leaving = pod("pod-1", "job-1", running(), json!({}));
    leaving.metadata.deletion_timestamp = Some(of(json!("2026-03-03T10:00:20Z")));
    expect(
        &cancelled(with(generating(&["bafin"], "2026-03-03T09:59:02Z"), g1("", ""), vec![there(leaving)])),
        "Wait until 10:00:10",
    );
    // No pod yet: the Job itself goes.
    expect(
        &cancelled(with(generating(&["bafin"], "2026-03-03T09:59:02Z"), g1("", ""), vec![])),
        "Stop job -g1",
    );
    // Sealed, and nothing sent.
    let pending = json!([{"destination": "bafin", "state": "Pending"}]);
    expect(&cancelled(sealed(&["bafin"], pending)), "Finish Cancelled");
    // One of two destinations has the file.
    let half = json!([{"destination": "bafin", "state": "Delivered", "finishedAt": "2026-03-03T09:59:40Z"}, {"destination": "amf", "state": "Pending"}]);
    expect(&cancelled(sealed(&["bafin", "amf"], half)), "Finish NotDelivered");
    let all = json!([{"destination": "bafin", "state": "Delivered", "finishedAt": "2026-03-03T09:59:40Z"}]);
    expect(&cancelled(sealed(&["bafin"], all)), "Finish Delivered");
    let begun = json!([{"destination": "bafin", "state": "NotDelivered", "begun": true, "finishedAt": "2026-03-03T09:59:40Z"}]);
    expect(&cancelled(sealed(&["bafin"], begun)), "Finish NotDelivered");
    let unknown = json!([{"destination": "bafin", "state": "Unknown", "begun": true}]);
    expect(&cancelled(sealed(&["bafin"], unknown)), "Finish Unknown");
    // The delivery's own end comes first.
    expect(
        &cancelled(with(
            delivering("Delivering"),
            d1("Failed", ""),
            vec![dpod(exited(143, "Error", &delivery("Cancelled", true, 0)))],
        )),
        "Account Deliver",
    );
}

#[test]
fn reference_that_is_missing_is_waited_for_then_rejected() {
    let missing = |change: fn(&mut Facts)| {
        let mut f = facts();
        change(&mut f);
        f
    };
    let changes: [fn(&mut Facts); 8] = [
        |f| f.tenant = None,
        |f| f.store = None,
        |f| f.connectors.clear(),
        |f| f.destinations.clear(),
        |f| f.versions.clear(),
        |f| f.report = None,
        |f| Arc::make_mut(f.connectors.get_mut("ledger").unwrap()).status.as_mut().unwrap().conditions[0] = of(condition("Ready", "False", "Invalid")),
        |f| Arc::make_mut(f.store.as_mut().unwrap()).metadata.generation = Some(2),
    ];
    for (i, change) in changes.into_iter().enumerate() {
        assert_eq!(word(&decide(&missing(change))), "Wait Resolved=Waiting until 10:59:00", "change {i}");
        let mut late = missing(change);
        late.now = time("2026-03-03T10:59:00Z");
        assert_eq!(word(&decide(&late)), "Reject Config/ReferenceMissing", "change {i}");
    }
    // Reachability never gates.
    let mut unreachable = facts();
    Arc::make_mut(unreachable.connectors.get_mut("ledger").unwrap())
        .status
        .as_mut()
        .unwrap()
        .conditions
        .push(of(condition("Reachable", "False", "ConnectionRefused")));
    expect(&unreachable, "WritePlan 1.4.0");
}

#[test]
fn spec_without_a_plan_is_rejected_and_says_why() {
    let mut facts = facts();
    let mut run = run();
    run.spec.parameters = Some([("nobody_asked".to_owned(), "1".to_owned())].into());
    facts.run = Arc::new(run);
    let Step::Reject(why) = decide(&facts) else { panic!("{:?}", decide(&facts)) };
    assert_eq!((why.stage.as_str(), why.code.as_str()), ("Plan", "Invalid"));
    assert!(why.message.contains("nobody_asked"), "{}", why.message);
}

#[test]
fn everything_there_and_no_plan_writes_one() {
    expect(&facts(), "WritePlan 1.4.0");
}

#[test]
fn plan_and_no_job_starts_the_first_attempt() {
    expect(&planned(&["bafin"], json!({})), "StartJob r-g1");
}

#[test]
fn plan_that_is_gone_fails_the_run() {
    let mut facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    facts.plan = Plan::Gone;
    expect(&with(facts.clone(), g1("", ""), vec![gpod(running())]), "Stop pod pod-of-pod-1");
    facts.status.generate.as_mut().unwrap().ended = Some(true);
    expect(&facts, "Finish Failed PlanLost");
}

#[test]
fn running_job_is_left_alone() {
    let facts = with(generating(&["bafin"], "2026-03-03T09:50:00Z"), g1("", ""), vec![gpod(running())]);
    expect(&facts, "Wait until 11:05:00");
}

#[test]
fn sealed_files_go_to_each_destination() {
    let pending = json!([{"destination": "bafin", "state": "Pending"}, {"destination": "amf", "state": "Pending"}]);
    let mut facts = sealed(&["bafin", "amf"], pending);
    expect(&facts, "StartJob r-d0-1");
    // A freeze holds up one destination, not the other.
    Arc::make_mut(facts.destinations.get_mut("bafin").unwrap()).spec.suspend = Some(true);
    expect(&facts, "StartJob r-d1-1");
    Arc::make_mut(facts.destinations.get_mut("amf").unwrap()).spec.suspend = Some(true);
    expect(&facts, "Wait Delivered=Suspended");
    // Deleted meanwhile: waits an hour, then fails.
    facts.destinations.clear();
    expect(&facts, "Wait Delivered=Waiting until 10:59:02");
    facts.now = time("2026-03-03T10:59:02Z");
    expect(&facts, "Finish Failed DestinationMissing");
}

#[test]
fn missing_destination_does_not_spin_while_another_is_under_way() {
    let deliveries = json!([
        {"destination": "bafin", "state": "Pending"},
        {"destination": "amf", "state": "Delivering", "attempt": {"number": 1, "job": format!("{RUN}-d1-1"), "jobUid": "job-2", "startedAt": "2026-03-03T08:00:00Z"}}
    ]);
    let mut facts = with(
        sealed(&["bafin", "amf"], deliveries),
        job(&format!("{RUN}-d1-1"), "job-2", "", ""),
        vec![dpod(running())],
    );
    facts.destinations.remove("bafin");
    facts.now = time("2026-03-03T12:00:00Z");
    let Step::Wait {
        note: Some(note),
        wake: Some(wake),
    } = decide(&facts)
    else {
        panic!("{:?}", decide(&facts))
    };
    assert_eq!(note.reason, "Waiting");
    assert!(wake > facts.now, "the next look would be at {wake}, which is past");
}

#[test]
fn nothing_begun_never_passes_for_delivered() {
    expect(&sealed(&["bafin"], json!([])), "Finish Failed");
}

#[test]
fn no_delivery_without_files() {
    // Deliveries in the status and no manifest: an impossible state must not send anything.
    let mut facts = sealed(&["bafin"], json!([{"destination": "bafin", "state": "Pending"}]));
    facts.status.manifest = None;
    expect(&facts, "Finish Failed");
}

#[test]
fn delivery_that_ended_ends_the_run_when_it_was_the_last() {
    let over = |message: &str, code: i32| {
        with(
            delivering("Delivering"),
            d1(if code == 0 { "Complete" } else { "Failed" }, ""),
            vec![dpod(exited(code, if code == 0 { "Completed" } else { "Error" }, message))],
        )
    };
    expect(&over(&delivery("Delivered", true, 1), 0), "Account Deliver then Delivered");
    expect(&over(&delivery("Unknown", true, 0), 20), "Account Deliver then Unknown");
    expect(&over(&failed("Config", "HostKeyChanged", Some(false)), 10), "Account Deliver then Failed");
    expect(&over(&failed("Config", "DiskFull", Some(true)), 10), "Account Deliver then NotDelivered");
    expect(&over(&failed("Transient", "ConnectTimeout", Some(false)), 20), "Account Deliver");
    // Silent, its end seen: another attempt may find out.
    expect(&over("", 137), "Account Deliver");
    // Silent and not to be tried again: a person decides.
    expect(
        &with(delivering("Delivering"), d1("Failed", ""), vec![dpod(exited(137, "OOMKilled", ""))]),
        "Account Deliver then Unknown",
    );
    let mut excluded = over(&delivery("Delivered", true, 1), 0);
    excluded.status.counts.as_mut().unwrap().excluded = 2;
    expect(&excluded, "Account Deliver then DeliveredWithExclusions");
}

#[test]
fn transient_end_is_tried_again_after_the_pause() {
    let mut facts = generating(&["bafin"], "2026-03-03T09:59:02Z");
    let attempt = facts.status.generate.as_mut().unwrap();
    attempt.ended = Some(true);
    attempt.next_at = Some(of(json!("2026-03-03T10:00:30Z")));
    expect(&facts, "Wait until 10:00:30");
    facts.now = time("2026-03-03T10:00:30Z");
    expect(&facts, "StartJob r-g2");
    // The pods of the first attempt are passed on; an uncertain state stays uncertain.
    let backoff = json!([{"destination": "bafin", "state": "Unknown", "begun": true, "attempt": {"number": 1, "job": "x", "jobUid": "job-2", "ended": true, "nextAt": "2026-03-03T10:00:05Z", "endedPods": ["pod-2"]}}]);
    let mut facts = sealed(&["bafin"], backoff);
    expect(&facts, "Wait until 10:00:05");
    facts.now = time("2026-03-03T10:00:05Z");
    expect(&facts, "StartJob r-d0-2");
}

#[test]
fn setback_is_refused_or_waited_out() {
    let mut facts = facts();
    facts.setback = Some(Setback::Foreign {
        object: "ConfigMap x-plan".to_owned(),
    });
    expect(&facts, "Reject Config/PlanConflict");
    let mut facts = planned(&["bafin"], json!({}));
    facts.setback = Some(Setback::Foreign { object: "Job x-g1".to_owned() });
    expect(&facts, "Finish Failed JobConflict");
    facts.setback = Some(Setback::Refused {
        object: "Job x-g1".to_owned(),
        message: "exceeded quota: count/jobs.batch".to_owned(),
    });
    expect(&facts, "Wait Started=Refused until 10:00:30");
    facts.now = time("2026-03-03T10:59:01Z");
    expect(&facts, "Finish Failed Refused");
}

#[test]
fn several_destinations_end_with_the_worst_truth() {
    let cases = [
        ("Delivered", "Delivered", RunOutcome::Delivered),
        ("Delivered", "NotDelivered", RunOutcome::NotDelivered),
        ("NotDelivered", "NotDelivered", RunOutcome::Failed),
        ("Unknown", "Delivered", RunOutcome::Unknown),
        ("Unknown", "NotDelivered", RunOutcome::Unknown),
    ];
    for (one, other, outcome) in cases {
        let at = |name: &str, state: &str| json!({"destination": name, "state": state, "finishedAt": "2026-03-03T09:59:40Z"});
        let facts = sealed(&["bafin", "amf"], json!([at("bafin", one), at("amf", other)]));
        assert_eq!(decide(&facts), Step::Finish { outcome, failure: None }, "{one}, {other}");
        // One is still open: the run is.
        let facts = sealed(&["bafin", "amf"], json!([at("bafin", one), {"destination": "amf", "state": "Pending"}]));
        assert_eq!(
            decide(&facts),
            Step::StartJob {
                work: Work::Deliver(1),
                number: 1
            },
            "{one}"
        );
    }
}
