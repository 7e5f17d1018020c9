//! The rows of the state machine about pods that do not start.

use super::super::decide::{Step, decide};
use super::super::outcome::Verdict;
use super::decide::{expect, g1, gpod, word};
use super::*;

#[test]
fn pod_that_cannot_start_in_time_is_condemned_with_the_exact_reason() {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "why"}});
    let unscheduled = json!({"phase": "Pending", "containerStatuses": null, "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes: insufficient memory"}]});
    let cases = [
        (waiting("ImagePullBackOff"), json!({}), "Config/ImagePullFailed"),
        (waiting("ErrImagePull"), json!({}), "Config/ImagePullFailed"),
        (waiting("InvalidImageName"), json!({}), "Config/ImagePullFailed"),
        (waiting("CreateContainerConfigError"), json!({}), "Config/CreateContainerConfigError"),
        (json!({}), unscheduled, "Transient/Unschedulable"),
        (waiting("ContainerCreating"), json!({}), "Transient/PodNotStarted"),
    ];
    for (state, more, code) in cases {
        let facts = |started: &str| {
            with(
                generating(&["bafin"], started),
                g1("", ""),
                vec![there(pod("pod-1", "job-1", state.clone(), more.clone()))],
            )
        };
        expect(&facts("2026-03-03T09:58:01Z"), "Wait until 10:00:01");
        expect(&facts("2026-03-03T09:58:00Z"), &format!("Condemn Generate {code}"));
    }
}

#[test]
fn pod_that_is_never_made_is_condemned_with_the_event() {
    let cases = [
        (
            "FailedCreate",
            "pods \"x\" is forbidden: exceeded quota: q, requested: limits.memory=4Gi",
            false,
            "Config/QuotaExceeded",
        ),
        (
            "FailedCreate",
            "pods \"x\" is forbidden: violates PodSecurity \"restricted:latest\"",
            false,
            "Config/PodSecurityViolated",
        ),
        (
            "FailedCreate",
            "pods \"x\" is forbidden: maximum cpu usage per Container is 1",
            false,
            "Config/PodForbidden",
        ),
        (
            "FailedCreate",
            "error looking up service account a/default: serviceaccount \"default\" not found",
            false,
            "Config/ServiceAccountMissing",
        ),
        (
            "FailedCreate",
            "Internal error occurred: failed calling webhook",
            false,
            "Transient/PodNotCreated",
        ),
        ("SuccessfulCreate", "Created pod: x", false, "Transient/PodNotCreated"),
        (
            "FailedMount",
            "MountVolume.SetUp failed for volume \"s\" : secret \"store-keys\" not found",
            true,
            "Config/SecretMissing",
        ),
        ("FailedCreatePodSandBox", "no network", true, "Transient/FailedCreatePodSandBox"),
    ];
    for (reason, message, has_pod, code) in cases {
        let pods = if has_pod {
            vec![gpod(json!({"waiting": {"reason": "ContainerCreating"}}))]
        } else {
            vec![]
        };
        let mut facts = with(generating(&["bafin"], "2026-03-03T09:57:00Z"), g1("", ""), pods);
        let event = of(json!({"metadata": {}, "involvedObject": {}, "reason": reason, "message": message, "lastTimestamp": "2026-03-03T09:58:00Z"}));
        facts.events.insert("job-1".to_owned(), vec![event]);
        expect(&facts, &format!("Condemn Generate {code}"));
        let Step::Condemn { failure, .. } = decide(&facts) else { unreachable!() };
        if code != "Transient/PodNotCreated" {
            assert!(failure.message.contains(message), "{}", failure.message);
        }
    }
}

#[test]
fn condemned_job_is_removed_then_accounted_for() {
    let mut facts = generating(&["bafin"], "2026-03-03T09:57:00Z");
    facts.status.generate.as_mut().unwrap().ended = Some(false);
    facts.status.failure = Some(of(json!({"stage": "Start", "class": "Config", "code": "ImagePullFailed", "message": "m"})));
    let stuck = gpod(json!({"waiting": {"reason": "ImagePullBackOff"}}));
    expect(&with(facts.clone(), g1("", ""), vec![stuck.clone()]), "Stop job -g1");
    let mut leaving = g1("", "");
    leaving.metadata.deletion_timestamp = Some(of(json!("2026-03-03T10:00:00Z")));
    expect(&with(facts.clone(), leaving, vec![stuck.clone()]), "Wait until 10:00:10");
    // Gone: the reason that was written down is the run's end.
    facts.pods.insert("job-1".to_owned(), vec![SeenPod { gone: true, ..stuck }]);
    expect(&facts, "Account Generate then Failed");
    let Step::Account { end, .. } = decide(&facts) else { unreachable!() };
    assert!(matches!(&end.verdict, Verdict::Failed(f) if f.code == "ImagePullFailed"), "{:?}", end.verdict);
    // The kubelet has a word for the end of a container that never was; it takes nothing away from the reason.
    let never = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown", "message": "could not be located"}});
    let mut ended = facts.clone();
    ended.pods.insert("job-1".to_owned(), vec![SeenPod { gone: true, ..gpod(never) }]);
    expect(&ended, "Account Generate then Failed");
    let Step::Account { end, .. } = decide(&ended) else { unreachable!() };
    assert!(matches!(&end.verdict, Verdict::Failed(f) if f.code == "ImagePullFailed"), "{:?}", end.verdict);
    // It did start in the last moment after all: its own words count.
    let mut started = facts.clone();
    started.pods.insert(
        "job-1".to_owned(),
        vec![gone(pod("pod-1", "job-1", exited(0, "Completed", &generated()), json!({})))],
    );
    expect(&started, "Account Generate");
    // Transient: tried again.
    facts.status.failure.as_mut().unwrap().class = "Transient".to_owned();
    expect(&facts, "Account Generate");
}

#[test]
fn condemned_delivery_is_certain_only_while_its_pod_is_known() {
    let end = |code: &str, pods: Vec<SeenPod>| {
        let mut facts = delivering("Delivering");
        let d = &mut facts.status.deliveries[0];
        d.attempt.as_mut().unwrap().ended = Some(false);
        d.failure = Some(of(json!({"stage": "Start", "class": "Config", "code": code, "message": "m"})));
        facts.pods.insert("job-2".to_owned(), pods);
        word(&decide(&facts))
    };
    let stuck = || gone(pod("pod-2", "job-2", json!({"waiting": {"reason": "ImagePullBackOff"}}), json!({})));
    assert_eq!(end("ImagePullFailed", vec![stuck()]), "Account Deliver then Failed");
    let never = || {
        let state = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}});
        gone(pod("pod-2", "job-2", state, json!({})))
    };
    assert_eq!(end("ImagePullFailed", vec![never()]), "Account Deliver then Failed");
    // It ran, and a restart of its node lost it: the fresh status has no id, but a last state. Another attempt may find out what
    // became visible, if this one's end was seen.
    let lost = |state: Value| {
        let mut lost = pod("pod-2", "job-2", state, json!({"phase": "Failed"}));
        lost.status.as_mut().unwrap().container_statuses.as_mut().unwrap()[0].last_state =
            Some(of(json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}})));
        vec![gone(lost)]
    };
    let ended = json!({"terminated": {"exitCode": 137, "reason": "ContainerStatusUnknown"}});
    assert_eq!(end("ImagePullFailed", lost(ended)), "Account Deliver");
    let fresh = json!({"waiting": {"reason": "ContainerCreating"}});
    assert_eq!(end("ImagePullFailed", lost(fresh)), "Account Deliver then Unknown");
    // A restart lost sight of it, and it may have started in the last moment.
    assert_eq!(end("ImagePullFailed", vec![]), "Account Deliver then Unknown");
    // There never was one.
    assert_eq!(end("QuotaExceeded", vec![]), "Account Deliver then Failed");
}
