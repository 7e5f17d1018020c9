//! What the status says after each step.

use super::super::decide::{Note, Step, decide};
use super::super::facts::Work;
use super::super::outcome::failure;
use super::super::status::after;
use super::decide::cancelled;
use super::*;
use openreg_crds::ReportRunStatus;
use openreg_crds::common::condition::find;
use openreg_crds::report_run::{DeliveryState, Phase, RunOutcome};
use openreg_parts::error::Class;

/// `type=status/reason` of each condition, in one line.
fn conditions(status: &ReportRunStatus) -> String {
    status
        .conditions
        .iter()
        .map(|c| format!("{}={}/{}", c.type_, c.status.as_str(), c.reason))
        .collect::<Vec<_>>()
        .join(" ")
}

pub(super) fn next(facts: &Facts) -> ReportRunStatus {
    after(facts, &decide(facts), Some("job-new"))
}

fn over(mut facts: Facts, job: Job, pod: SeenPod) -> Facts {
    facts.status.conditions.push(of(condition("Recorded", "False", "Writing")));
    with(facts, job, vec![pod])
}

#[test]
fn each_step_of_a_good_run_says_where_it_is() {
    let status = next(&facts());
    assert_eq!(conditions(&status), "Resolved=True/Planned Complete=False/Planned");
    assert_eq!((status.phase, status.report_version.as_deref()), (Some(Phase::Queued), Some("1.4.0")));
    assert_eq!(status.observed_generation, Some(1));

    let status = next(&planned(&["bafin"], json!({})));
    assert_eq!(conditions(&status), "Resolved=True/Planned Complete=False/Generating Started=True/JobCreated");
    let attempt = status.generate.unwrap();
    assert_eq!(
        (attempt.number, attempt.job_uid.as_deref(), attempt.ended, attempt.started_at.unwrap().0),
        (1, Some("job-new"), None, now())
    );

    let ended = there(pod("pod-1", "job-1", exited(0, "Completed", &generated()), json!({})));
    let facts = over(
        generating(&["bafin", "amf"], "2026-03-03T09:59:02Z"),
        job(&format!("{RUN}-g1"), "job-1", "Complete", ""),
        ended,
    );
    let status = next(&facts);
    assert_eq!(
        conditions(&status),
        "Resolved=True/Planned Complete=False/Generated Recorded=False/Writing Generated=True/Sealed"
    );
    assert_eq!(status.manifest.as_ref().map(|m| m.sha256.as_str()), Some(MANIFEST));
    assert_eq!(status.counts.map(|c| (c.read, c.reported, c.excluded)), Some((12, 10, 2)));
    assert_eq!(status.usage.map(|u| u.vm_hwm_bytes), Some(30_000_000));
    assert_eq!(
        status.generate.as_ref().map(|a| (a.ended, a.ended_pods.clone())),
        Some((Some(true), vec!["pod-1".to_owned()]))
    );
    let states: Vec<_> = status.deliveries.iter().map(|d| (d.destination.as_str(), d.state)).collect();
    assert_eq!(states, [("bafin", DeliveryState::Pending), ("amf", DeliveryState::Pending)]);

    let ended = there(pod("pod-2", "job-2", exited(0, "Completed", &delivery("Delivered", true, 1)), json!({})));
    let facts = over(delivering("Delivering"), job(&format!("{RUN}-d0-1"), "job-2", "Complete", ""), ended);
    let status = next(&facts);
    assert_eq!(
        conditions(&status),
        "Resolved=True/Planned Complete=True/Delivered Generated=True/Sealed Recorded=False/Writing Delivered=True/Delivered"
    );
    assert_eq!((status.outcome, status.phase), (Some(RunOutcome::Delivered), Some(Phase::Succeeded)));
    let d = &status.deliveries[0];
    assert_eq!(
        (d.state, d.remote.as_deref(), d.receipt_sha256.as_deref(), d.begun),
        (DeliveryState::Delivered, Some("/in/trades.csv"), Some(RECEIPT), Some(true))
    );
    assert!(d.finished_at.is_some() && status.finished_at.is_some() && status.failure.is_none());
}

#[test]
fn recorded_condition_of_others_stays() {
    let mut facts = planned(&["bafin"], json!({}));
    facts.status.conditions.push(of(condition("Recorded", "True", "Stored")));
    let before = find(&facts.status.conditions, "Recorded").cloned();
    for step in [
        decide(&facts),
        Step::Finish {
            outcome: RunOutcome::Cancelled,
            failure: None,
        },
        Step::Reject(failure("Plan", Class::Config, "Invalid", "x", None)),
        Step::Wait {
            note: Some(Note {
                condition: "Started",
                reason: "Refused",
                message: "x".to_owned(),
            }),
            wake: None,
        },
    ] {
        assert_eq!(find(&after(&facts, &step, Some("u")).conditions, "Recorded").cloned(), before, "{step:?}");
    }
}

#[test]
fn transient_failure_backs_off_and_keeps_the_reason() {
    let ended = there(pod(
        "pod-1",
        "job-1",
        exited(20, "Error", &failed("Transient", "ConnectTimeout", None)),
        json!({}),
    ));
    let facts = over(
        generating(&["bafin"], "2026-03-03T09:59:02Z"),
        job(&format!("{RUN}-g1"), "job-1", "Failed", ""),
        ended,
    );
    let status = next(&facts);
    assert_eq!(
        conditions(&status),
        "Resolved=True/Planned Complete=False/Backoff Recorded=False/Writing Generated=False/ConnectTimeout Started=False/Backoff"
    );
    let attempt = status.generate.as_ref().unwrap();
    assert_eq!(attempt.next_at.as_ref().map(|t| t.0), Some(time("2026-03-03T10:00:30Z")));
    assert_eq!(status.failure.as_ref().map(|f| f.code.as_str()), Some("ConnectTimeout"));
    assert!(find(&status.conditions, "Started").unwrap().message.contains("2026-03-03T10:00:30Z"));
    // The second attempt keeps what is known of the first one's pods.
    let mut facts = facts;
    facts.status = status;
    let status = after(
        &facts,
        &Step::StartJob {
            work: Work::Generate,
            number: 2,
        },
        Some("job-3"),
    );
    let attempt = status.generate.unwrap();
    assert_eq!(
        (attempt.number, attempt.next_at, attempt.ended, attempt.ended_pods),
        (2, None, None, vec!["pod-1".to_owned()])
    );
}

#[test]
fn failure_names_stage_class_code_message_and_hint() {
    let ended = there(pod("pod-1", "job-1", exited(10, "Error", &failed("Config", "ColumnMissing", None)), json!({})));
    let facts = over(
        generating(&["bafin"], "2026-03-03T09:59:02Z"),
        job(&format!("{RUN}-g1"), "job-1", "Failed", ""),
        ended,
    );
    let status = next(&facts);
    assert_eq!((status.outcome, status.phase), (Some(RunOutcome::Failed), Some(Phase::Failed)));
    let f = status.failure.as_ref().unwrap();
    assert_eq!(
        (f.stage.as_str(), f.class.as_str(), f.code.as_str(), f.message.as_str(), f.hint.as_deref()),
        ("Read", "Config", "ColumnMissing", "it went wrong", Some("mend it"))
    );
    assert_eq!(find(&status.conditions, "Complete").unwrap().message, "it went wrong; mend it");
    assert!(status.generate.unwrap().next_at.is_none());
}

#[test]
fn uncertain_delivery_stays_unknown_until_a_receipt_settles_it() {
    let end = |state: &str, message: &str, code: i32, reason: &str| {
        let ended = there(pod("pod-2", "job-2", exited(code, reason, message), json!({})));
        let status = next(&over(
            delivering(state),
            job(&format!("{RUN}-d0-1"), "job-2", if code == 0 { "Complete" } else { "Failed" }, ""),
            ended,
        ));
        let d = status.deliveries[0].clone();
        (d.state, d.begun, d.finished_at.is_some(), status.outcome)
    };
    use DeliveryState::{Delivered, Delivering, NotDelivered, Unknown};
    // Killed without a word: unknown for now, tried again.
    assert_eq!(end("Delivering", "", 137, "Error"), (Unknown, Some(true), false, None));
    // A later attempt that fails with words cannot vouch for the earlier one.
    assert_eq!(
        end("Unknown", &failed("Transient", "ConnectTimeout", Some(false)), 20, "Error"),
        (Unknown, None, false, None)
    );
    assert_eq!(
        end("Unknown", &failed("Config", "HostKeyChanged", Some(false)), 10, "Error"),
        (Unknown, None, true, Some(RunOutcome::Unknown))
    );
    assert_eq!(
        end("Unknown", &delivery("Delivered", true, 1), 0, "Completed"),
        (Delivered, Some(true), true, Some(RunOutcome::Delivered))
    );
    // One of two files has its receipt: no attempt that fails before it looks may forget it.
    let partly = json!({"begun": true, "receipts": 1, "remote": "/in/a.csv", "receiptSha256": RECEIPT});
    assert_eq!(
        end("Delivering", &failed_with("Transient", "ConnectionLost", partly.clone()), 20, "Error"),
        (Unknown, Some(true), false, None)
    );
    assert_eq!(
        end("Delivering", &failed_with("Config", "DiskFull", partly), 10, "Error"),
        (Unknown, Some(true), true, Some(RunOutcome::Unknown))
    );
    // Failed after the final name was asked for.
    assert_eq!(
        end("Delivering", &failed_with("Transient", "ConnectionLost", unsettled()), 20, "Error"),
        (Unknown, Some(true), false, None)
    );
    assert_eq!(
        end("Delivering", &failed_with("Config", "AccessDenied", unsettled()), 10, "Error"),
        (Unknown, Some(true), true, Some(RunOutcome::Unknown))
    );
    // Failed with words, nothing uncertain before.
    assert_eq!(
        end("Delivering", &failed("Transient", "ConnectTimeout", Some(false)), 20, "Error"),
        (Delivering, None, false, None)
    );
    assert_eq!(
        end("Delivering", &failed("Config", "DiskFull", Some(true)), 10, "Error"),
        (NotDelivered, Some(true), true, Some(RunOutcome::NotDelivered))
    );
    assert_eq!(
        end("Delivering", &failed("Config", "HostKeyChanged", Some(false)), 10, "Error"),
        (NotDelivered, None, true, Some(RunOutcome::Failed))
    );
    // The next attempt of an uncertain one does not make it look certain.
    let backoff = json!([{"destination": "bafin", "state": "Unknown", "begun": true, "attempt": {"number": 1, "job": "x", "jobUid": "job-2", "ended": true, "nextAt": "2026-03-03T09:59:59Z", "endedPods": ["pod-2"]}}]);
    let status = next(&sealed(&["bafin"], backoff));
    assert_eq!(
        (status.deliveries[0].state, status.deliveries[0].attempt.as_ref().unwrap().ended_pods.clone()),
        (Unknown, vec!["pod-2".to_owned()])
    );
    assert_eq!(find(&status.conditions, "Delivered").unwrap().status.as_str(), "Unknown");
}

#[test]
fn doubt_outlives_a_run_that_is_cancelled_before_the_next_attempt() {
    let partly = json!({"begun": true, "receipts": 1, "remote": "/in/a.csv", "receiptSha256": RECEIPT});
    for said in [partly, unsettled()] {
        let ended = there(pod(
            "pod-2",
            "job-2",
            exited(20, "Error", &failed_with("Transient", "ConnectionLost", said.clone())),
            json!({}),
        ));
        let mut facts = over(delivering("Delivering"), job(&format!("{RUN}-d0-1"), "job-2", "Failed", ""), ended);
        facts.status = next(&facts);
        assert!(
            facts.status.deliveries[0].attempt.as_ref().unwrap().next_at.is_some(),
            "{said}: it is tried again"
        );
        let status = next(&cancelled(facts));
        assert_eq!(
            (status.deliveries[0].state, status.outcome),
            (DeliveryState::Unknown, Some(RunOutcome::Unknown)),
            "{said}"
        );
    }
}

#[test]
fn started_is_mended_once_the_pod_has_ended() {
    let stopped = json!({"version": 1, "outcome": "Cancelled", "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}}).to_string();
    // What Started said before, the pod's last state, whether the run is cancelled, and what Started says then.
    let cases = [
        ("PodNotEnding", exited(0, "Completed", &generated()), false, "True/JobCreated"),
        ("PodNotEnding", exited(143, "Error", &stopped), true, "True/JobCreated"),
        ("PodNotEnding", exited(137, "Error", ""), true, "True/JobCreated"),
        // Told that it could not start, and it did in the last moment.
        ("ImagePullFailed", exited(0, "Completed", &generated()), false, "True/JobCreated"),
        ("ImagePullFailed", exited(128, "StartError", ""), false, "False/ImagePullFailed"),
        // The next attempt is waited for, whatever was said before.
        ("PodNotEnding", exited(137, "Error", ""), false, "False/Backoff"),
        // Another destination's pause goes on.
        ("Backoff", exited(0, "Completed", &generated()), false, "False/Backoff"),
    ];
    for (before, last, stopping, expected) in cases {
        let ended = there(pod("pod-1", "job-1", last.clone(), json!({})));
        let mut facts = over(
            generating(&["bafin"], "2026-03-03T09:59:02Z"),
            job(
                &format!("{RUN}-g1"),
                "job-1",
                if last["terminated"]["exitCode"] == json!(0) { "Complete" } else { "Failed" },
                "",
            ),
            ended,
        );
        facts.status.conditions.push(of(condition("Started", "False", before)));
        let status = next(&if stopping { cancelled(facts) } else { facts });
        let started = find(&status.conditions, "Started").unwrap();
        assert_eq!(format!("{}/{}", started.status.as_str(), started.reason), expected, "{before}, {last}");
    }
}

#[test]
fn lost_pod_of_a_delivery_is_never_followed_by_another() {
    let lost = gone(pod(
        "pod-2",
        "job-2",
        running(),
        json!({"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "DeletionByPodGC"}]}),
    ));
    let status = next(&over(delivering("Delivering"), job(&format!("{RUN}-d0-1"), "job-2", "Failed", ""), lost));
    let d = &status.deliveries[0];
    assert_eq!(
        (d.state, d.attempt.as_ref().unwrap().next_at.is_none(), status.outcome),
        (DeliveryState::Unknown, true, Some(RunOutcome::Unknown))
    );
    assert_eq!(status.phase, Some(Phase::Unknown));
}

#[test]
fn cancelled_run_says_who_and_why() {
    let mut facts = sealed(&["bafin"], json!([{"destination": "bafin", "state": "Pending"}]));
    let mut run = (*facts.run).clone();
    run.spec.cancelled = Some(of(json!({"reason": "wrong day", "by": "bob"})));
    facts.run = Arc::new(run);
    let status = next(&facts);
    assert_eq!(
        (status.outcome, status.phase, status.deliveries[0].state),
        (Some(RunOutcome::Cancelled), Some(Phase::Cancelled), DeliveryState::NotDelivered)
    );
    assert_eq!(find(&status.conditions, "Complete").unwrap().message, "cancelled by bob: wrong day");
}

#[test]
fn only_what_was_sealed_is_named() {
    // A report that says Cancelled and names a manifest: with one in its status the run would be past generating.
    let odd = json!({
        "version": 1, "outcome": "Cancelled", "manifest": {"key": "runs/x/manifest.json", "sha256": MANIFEST, "outcome": "Complete"},
        "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}
    });
    let ended = there(pod("pod-1", "job-1", exited(143, "Error", &odd.to_string()), json!({})));
    let facts = over(
        generating(&["bafin"], "2026-03-03T09:59:02Z"),
        job(&format!("{RUN}-g1"), "job-1", "Failed", ""),
        ended,
    );
    let status = next(&facts);
    assert_eq!((status.manifest, status.outcome), (None, None));
    assert!(status.generate.unwrap().next_at.is_some(), "it is tried again");
}

#[test]
fn path_at_the_receiver_fits_the_schema() {
    let said = delivery("Delivered", true, 1).replace("/in/trades.csv", &"ä".repeat(1500));
    let ended = there(pod("pod-2", "job-2", exited(0, "Completed", &said), json!({})));
    let status = next(&over(delivering("Delivering"), job(&format!("{RUN}-d0-1"), "job-2", "Complete", ""), ended));
    assert_eq!(status.deliveries[0].remote.as_ref().unwrap().chars().count(), 1024);
}

#[test]
fn waiting_twice_for_the_same_thing_writes_once() {
    let mut facts = facts();
    facts.store = None;
    let first = next(&facts);
    assert_eq!(conditions(&first), "Resolved=False/Waiting Complete=False/Waiting");
    facts.status = first.clone();
    facts.now = time("2026-03-03T10:20:00Z");
    assert_eq!(next(&facts), first);
}

#[test]
fn status_keeps_the_bounds_of_its_schema() {
    let mut facts = delivering("Delivering");
    facts.status.deliveries[0].attempt.as_mut().unwrap().ended_pods = (0..40).map(|i| format!("old-{i}")).collect();
    let ended = there(pod(
        "pod-2",
        "job-2",
        exited(
            20,
            "Error",
            &failed("Transient", "Bad code: ä", Some(true)).replace("it went wrong", &"x".repeat(9000)),
        ),
        json!({}),
    ));
    let status = next(&over(facts, job(&format!("{RUN}-d0-1"), "job-2", "Failed", ""), ended));
    let pods = &status.deliveries[0].attempt.as_ref().unwrap().ended_pods;
    assert_eq!(
        (pods.len(), pods.last().map(String::as_str), pods.first().map(String::as_str)),
        (40, Some("pod-2"), Some("old-1"))
    );
    for c in &status.conditions {
        assert!(
            c.message.chars().count() <= 4096 && !c.reason.is_empty() && c.reason.chars().all(|c| c.is_ascii_alphanumeric()),
            "{c:?}"
        );
    }
    assert!(status.failure.unwrap().message.chars().count() <= 1024);
}
