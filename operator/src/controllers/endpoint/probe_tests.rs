//! When a probe starts, what its end means, and that its objects fit.

use super::*;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_crds::common::condition::Condition;
use openreg_parts::source::{SourceLimits, SourceOptions};
use serde_json::{Value, json};

const NOW: &str = "2026-03-02T12:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn status(generation: i64, state: ConditionStatus, last: &str, job: &str) -> EndpointStatus {
    EndpointStatus {
        conditions: vec![Condition {
            type_: REACHABLE.to_owned(),
            status: state,
            observed_generation: Some(generation),
            last_transition_time: Time(at(last)),
            reason: "X".to_owned(),
            message: String::new(),
        }],
        last_probe_time: Some(Time(at(last))),
        probe_job: Some(job.to_owned()),
        observed_generation: Some(generation),
    }
}

fn job(generation: i64, created: &str, ended: Option<(&str, &str)>) -> Job {
    let mut value = json!({
        "metadata": {"name": "connector-trades-probe-1", "creationTimestamp": created, "ownerReferences": [{"apiVersion": "v", "kind": "k", "name": "n", "uid": "u"}], "annotations": {"openreg.io/generation": generation.to_string()}},
        "status": {}
    });
    if let Some((type_, reason)) = ended {
        value["status"]["conditions"] = json!([{"type": type_, "status": "True", "reason": reason, "lastTransitionTime": NOW}]);
    }
    serde_json::from_value(value).unwrap()
}

fn pod(state: Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [{"name": "runner", "image": "i", "imageID": "", "ready": false, "restartCount": 0, "state": state}]}})).unwrap()
}

fn ended(message: &str) -> Pod {
    pod(json!({"terminated": {"exitCode": 10, "message": message, "reason": "Error"}}))
}

fn step(status: &EndpointStatus, jobs: &[(Job, Vec<Pod>)], now: &str) -> Step {
    step_after(status, jobs, now, None)
}

/// The same after a run that was made and ended at that moment.
fn step_after(status: &EndpointStatus, jobs: &[(Job, Vec<Pod>)], now: &str, good_run: Option<&str>) -> Step {
    decide(&Seen {
        uid: "u",
        generation: 2,
        status,
        interval: Duration::from_secs(6 * 3600),
        jobs,
        good_run: &|since| good_run.map(at).filter(|t| *t > since),
        now: at(now),
    })
}

#[test]
fn probe_is_skipped_after_a_recent_good_run() {
    let start = Step::Start("u".to_owned());
    let probed = |state| status(2, state, "2026-03-02T01:00:00Z", "old");
    let good = probed(ConditionStatus::True);
    assert_eq!(step_after(&good, &[], NOW, None), start, "11 h after a probe, every 6 h");
    assert!(
        matches!(step_after(&good, &[], NOW, Some("2026-03-02T11:00:00Z")), Step::Wait(t) if t >= at("2026-03-02T17:00:00Z") && t < at("2026-03-02T17:36:01Z")),
        "a run went through it an hour ago"
    );
    assert_eq!(step_after(&good, &[], NOW, Some("2026-03-02T05:00:00Z")), start, "that run is too old itself");
    assert_eq!(
        step_after(&good, &[], NOW, Some("2026-03-02T00:30:00Z")),
        start,
        "the probe is newer than that run"
    );
    assert_eq!(
        step_after(&probed(ConditionStatus::False), &[], NOW, Some("2026-03-02T11:00:00Z")),
        start,
        "it is not reachable"
    );
    assert_eq!(
        step_after(
            &status(1, ConditionStatus::True, "2026-03-02T01:00:00Z", "old"),
            &[],
            NOW,
            Some("2026-03-02T11:00:00Z")
        ),
        start,
        "the spec changed"
    );
}

#[test]
fn job_of_a_deleted_endpoint_of_that_name_proves_nothing() {
    let report = r#"{"version":1,"outcome":"Reachable","usage":{"durationMs":1,"vmHwmBytes":1,"cgroupPeakBytes":1}}"#;
    let mut left = job(2, NOW, Some(("Complete", "")));
    assert!(matches!(
        step(&EndpointStatus::default(), &[(left.clone(), vec![ended(report)])], NOW),
        Step::Conclude(..)
    ));
    left.metadata.owner_references.as_mut().unwrap()[0].uid = "deleted".to_owned();
    assert_eq!(
        step(&EndpointStatus::default(), &[(left, vec![ended(report)])], NOW),
        Step::Start("u".to_owned())
    );
}

#[test]
fn probe_is_due_after_a_change_and_after_the_interval() {
    let fresh = EndpointStatus::default();
    let good = |generation| status(generation, ConditionStatus::True, "2026-03-02T06:30:00Z", "old");
    let bad = status(2, ConditionStatus::False, "2026-03-02T11:50:00Z", "old");
    let start = Step::Start("u".to_owned());
    assert_eq!(step(&fresh, &[], NOW), start, "never probed");
    assert_eq!(step(&good(1), &[], NOW), start, "the spec changed");
    assert!(
        matches!(step(&good(2), &[], NOW), Step::Wait(t) if t > at("2026-03-02T12:30:00Z") && t < at("2026-03-02T13:06:01Z")),
        "5.5 h ago, every 6 h and up to a tenth"
    );
    assert_eq!(step(&good(2), &[], "2026-03-02T13:06:01Z"), start);
    assert_eq!(step(&bad, &[], "2026-03-02T11:50:17Z"), start, "what failed is tried again soon");
    assert!(matches!(step(&bad, &[], "2026-03-02T11:50:14Z"), Step::Wait(_)));
    // Down for three hours: five minutes, and a tenth for the jitter.
    let mut long = bad.clone();
    long.conditions[0].last_transition_time = Time(at("2026-03-02T09:00:00Z"));
    assert!(matches!(step(&long, &[], "2026-03-02T11:54:59Z"), Step::Wait(_)));
    assert_eq!(step(&long, &[], "2026-03-02T11:55:31Z"), start);
}

#[test]
fn probe_job_is_followed_to_its_end() {
    let fresh = EndpointStatus::default();
    let running = pod(json!({"running": {}}));
    let waiting = pod(json!({"waiting": {"reason": "ContainerCreating"}}));
    let name = || "connector-trades-probe-1".to_owned();
    for (what, status, jobs, expected) in [
        ("just made", &fresh, vec![(job(2, NOW, None), vec![])], Step::Wait(at("2026-03-02T12:02:00Z"))),
        (
            "runs",
            &fresh,
            vec![(job(2, "2026-03-02T11:00:00Z", None), vec![running])],
            Step::Wait(at("2026-03-02T12:00:30Z")),
        ),
        (
            "does not start",
            &fresh,
            vec![(job(2, "2026-03-02T11:58:00Z", None), vec![waiting])],
            Step::GiveUp(name()),
        ),
        ("of an older spec", &fresh, vec![(job(1, NOW, None), vec![])], Step::Remove(name())),
        (
            "accounted for",
            &status(2, ConditionStatus::True, NOW, "connector-trades-probe-1"),
            vec![(job(2, NOW, Some(("Complete", ""))), vec![])],
            Step::Remove(name()),
        ),
        (
            "ended, its pod not seen yet",
            &fresh,
            vec![(job(2, "2026-03-02T11:59:00Z", Some(("Failed", "BackoffLimitExceeded"))), vec![])],
            Step::Wait(at("2026-03-02T12:00:10Z")),
        ),
    ] {
        assert_eq!(step(status, &jobs, NOW), expected, "{what}");
    }
}

#[test]
fn end_of_a_probe_means() {
    let report = |outcome: &str, failure: Value| {
        json!({"version": 1, "outcome": outcome, "failure": failure, "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 1}}).to_string()
    };
    let refused =
        json!({"stage": "Probe", "class": "Config", "code": "PasswordRefused", "message": "could not log in to db:5432 as x", "hint": "check the Secret"});
    for (reason, pods, now, expected) in [
        (
            "Complete",
            vec![ended(&report("Reachable", Value::Null))],
            NOW,
            (ConditionStatus::True, "Reachable", "the last probe succeeded"),
        ),
        (
            "Failed",
            vec![ended(&report("Failed", refused))],
            NOW,
            (ConditionStatus::False, "PasswordRefused", "could not log in to db:5432 as x; check the Secret"),
        ),
        (
            "Failed",
            vec![ended("segmentation fault")],
            NOW,
            (
                ConditionStatus::Unknown,
                "ProbeFailed",
                "the probe ended with exit code 10 and without a report (Error)",
            ),
        ),
        (
            "Failed",
            vec![],
            "2026-03-02T12:01:00Z",
            (ConditionStatus::Unknown, "ProbeLost", "the probe's pod went away without a message"),
        ),
    ] {
        let found = found(&job(2, NOW, Some((reason, ""))), &pods, at(now)).unwrap();
        assert_eq!((found.status, found.reason.as_str(), found.message.as_str()), expected);
        assert_eq!(found.at, at(NOW), "the same however often it is computed");
    }
    let late = found(&job(2, NOW, Some(("Failed", "DeadlineExceeded"))), &[], at(NOW)).unwrap();
    assert_eq!(late.reason, "ProbeTimedOut");
}

#[test]
fn objects_fit_at_the_longest_names() {
    let name = "n".repeat(32);
    let seen = Seen {
        uid: "u",
        generation: 2,
        status: &EndpointStatus::default(),
        interval: TIMEOUT,
        jobs: &[],
        good_run: &|_| None,
        now: at(NOW),
    };
    let job = job_name("destination", &name, &seen);
    assert!(job.len() <= 63, "{job}");
    let options: SourceOptions = serde_json::from_value(json!({"postgres": {"host": "db", "database": "d"}})).unwrap();
    let probe = Probe {
        kind: "destination",
        name: &name,
        namespace: "acme",
        generation: 2,
        owner: OwnerReference::default(),
        label: labels::destination(&name),
        target: ProbeTarget::Source {
            options,
            limits: SourceLimits::default(),
        },
        secret: Some("db"),
        image: "i",
        pull_policy: None,
        pull_secrets: &[],
    };
    let (config_map, made) = build(&probe, &job).unwrap();
    let value = serde_json::to_value(&made).unwrap();
    for (label, text) in made.metadata.labels.unwrap() {
        assert!(text.len() <= 63 && label.rsplit('/').next().unwrap().len() <= 63, "{label}: {text}");
    }
    assert_eq!(value.pointer("/spec/template/metadata/labels").unwrap()[labels::destination(&name)], "true");
    assert_eq!(
        value.pointer("/spec/template/spec/containers/0/args").unwrap(),
        &json!(["probe", "--plan", "/plan/plan.json"])
    );
    assert_eq!(
        value.pointer("/spec/template/spec/containers/0/volumeMounts/2/mountPath").unwrap(),
        "/secrets/credentials"
    );
    let plan: ProbePlan = serde_json::from_str(&config_map.data.unwrap()["plan.json"]).unwrap();
    assert_eq!(plan.credentials.unwrap().path, "/secrets/credentials");
}
