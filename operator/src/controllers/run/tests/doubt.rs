//! What stays in doubt after the end of a deliver Job: what a failure, a twin pod or a lost container leaves unsaid.

use super::super::decide::{Step, decide};
use super::super::facts::Work;
use super::super::outcome::{End, judge};
use super::outcome::{done, word};
use super::status::next;
use super::*;
use openreg_crds::report_run::RunOutcome;

const D: Work = Work::Deliver(0);

fn over() -> Job {
    job("x", "j", "Failed", "BackoffLimitExceeded")
}

fn says(uid: &str, message: &str) -> SeenPod {
    there(pod(uid, "j", exited(20, "Error", message), json!({})))
}

/// Both orders: pods have none.
fn both(one: &SeenPod, other: &SeenPod) -> [End; 2] {
    [vec![one.clone(), other.clone()], vec![other.clone(), one.clone()]].map(|pods| judge(D, Some(&over()), &pods))
}

/// A container that ran and that its node lost: the kubelet makes a fresh status without an id, and keeps a last state.
fn lost(uid: &str, job_uid: &str, state: Value) -> SeenPod {
    let mut lost = pod(uid, job_uid, state, json!({"phase": "Failed"}));
    let statuses = lost.status.as_mut().unwrap().container_statuses.as_mut().unwrap();
    statuses[0].last_state = Some(of(json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}})));
    there(lost)
}

fn fresh_states() -> [Value; 2] {
    [
        json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}}),
        json!({"waiting": {"reason": "ContainerCreating"}}),
    ]
}

#[test]
fn failure_is_certain_only_if_nothing_was_left_unsettled() {
    let never_ran = || there(pod("q", "j", exited(128, "StartError", ""), json!({})));
    let refused = || done(20, "Error", &failed("Transient", "ClaimHeld", Some(false)));
    let sending = || says("q", &failed("Transient", "ConnectionLost", Some(true)));
    let cases = [
        (
            "failed before committing",
            vec![done(10, "Error", &failed("Config", "DiskFull", Some(true)))],
            "Config/DiskFull",
            true,
        ),
        (
            "failed after committing",
            vec![done(10, "Error", &failed_with("Config", "AccessDenied", unsettled()))],
            "Config/AccessDenied",
            false,
        ),
        ("refused, and the holder is not known", vec![refused()], "Transient/ClaimHeld", false),
        (
            "refused, and the other cannot be the holder",
            vec![refused(), never_ran()],
            "Transient/ClaimHeld",
            false,
        ),
        (
            "refused, and the holder says what it did",
            vec![sending(), refused()],
            "Transient/ClaimHeld",
            true,
        ),
        (
            "refused, and the holder has delivered",
            vec![refused(), says("q", &delivery("Delivered", true, 1))],
            "Delivered",
            true,
        ),
    ];
    for (name, pods, verdict, certain) in cases {
        let end = judge(D, Some(&over()), &pods);
        assert_eq!((word(&end.verdict).as_str(), end.seen, end.certain), (verdict, true, certain), "{name}");
    }
}

#[test]
fn what_one_of_two_pods_did_is_what_the_job_did() {
    let other = says("q", &failed("Transient", "ClaimHeld", Some(false)));
    for end in both(&says("p", &failed("Transient", "A", Some(true))), &other) {
        let told = end.report.unwrap().delivery.unwrap();
        assert!(told.begun && end.certain && told.receipts == 0, "{told:?}");
    }
    for end in both(&says("p", &failed_with("Transient", "A", unsettled())), &other) {
        assert!(end.report.unwrap().delivery.unwrap().begun && !end.certain);
    }
    let partly = json!({"begun": true, "receipts": 1, "remote": "/in/a.csv", "receiptSha256": RECEIPT});
    let one = says("p", &failed_with("Transient", "A", partly.clone()));
    // The other says nothing of a delivery at all, too.
    for other in [other, says("q", &failed("Transient", "B", None))] {
        for end in both(&one, &other) {
            let told = end.report.unwrap().delivery.unwrap();
            assert_eq!(serde_json::to_value(&told).unwrap(), partly);
        }
    }
    // Both have receipts: the further one counts, also behind words of a lower rank.
    let both_files = json!({"begun": true, "receipts": 2, "remote": "/in/b.csv", "receiptSha256": MANIFEST});
    let stopped = failed_with("Transient", "A", both_files.clone()).replace(r#""Failed""#, r#""Cancelled""#);
    for end in both(&one, &says("q", &stopped)) {
        assert_eq!(serde_json::to_value(end.report.unwrap().delivery).unwrap(), both_files);
    }
}

#[test]
fn container_that_its_node_lost_did_run() {
    for state in fresh_states() {
        let end = judge(D, Some(&over()), &[lost("p", "j", state.clone())]);
        assert!(!end.certain && end.seen, "{state}: {end:?}");
        // The words of a twin say nothing of it.
        let twin = says("q", &failed("Config", "HostKeyChanged", Some(false)));
        assert!(both(&lost("p", "j", state.clone()), &twin).iter().all(|end| !end.certain), "{state}");
        // Nor does one that never was become one that ran.
        let never = there(pod("p", "j", state.clone(), json!({"phase": "Failed"})));
        assert!(judge(D, Some(&over()), &[never]).certain, "{state}");

        let mut facts = with(
            delivering("Delivering"),
            job(&format!("{RUN}-d0-1"), "job-2", "Failed", "BackoffLimitExceeded"),
            vec![lost("pod-2", "job-2", state)],
        );
        facts.status.deliveries[0].attempt.as_mut().unwrap().number = 8;
        assert!(
            matches!(
                decide(&facts),
                Step::Account {
                    finish: Some(RunOutcome::Unknown),
                    ..
                }
            ),
            "{:?}",
            decide(&facts)
        );
        assert_eq!(next(&facts).outcome, Some(RunOutcome::Unknown));
    }
}
