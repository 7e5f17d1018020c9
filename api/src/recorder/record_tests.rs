//! Cases of `record`.

use super::*;

fn tenant() -> Tenant {
    Tenant {
        uid: Uuid::from_u128(1),
        namespace: "acme".into(),
    }
}

fn run(status: serde_json::Value) -> ReportRun {
    serde_json::from_value(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun",
        "metadata": {"name": "trades-1", "namespace": "acme", "creationTimestamp": "2026-03-03T18:30:00Z", "finalizers": [RECORDED_FINALIZER]},
        "spec": {"id": "5f0c8f6e-0000-4000-8000-000000000001", "reportRef": "trades", "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"},
                 "trigger": "Manual", "requestedBy": "ann", "parameters": {"lei": "X"}},
        "status": status,
    }))
    .unwrap()
}

fn condition(type_: &str, status: &str, reason: &str) -> serde_json::Value {
    json!({"type": type_, "status": status, "reason": reason, "message": "", "lastTransitionTime": "2026-03-03T18:31:00Z"})
}

fn actions(r: &RunRecord) -> Vec<(&str, &str)> {
    r.entries.iter().map(|e| (e.action.as_str(), e.subject.as_str())).collect()
}

const RUN: &str = "run/5f0c8f6e-0000-4000-8000-000000000001";

#[test]
fn each_stage_gives_its_entries() {
    let delivery = |state: &str| json!([{"destination": "bafin", "state": state, "attempt": {"number": 2}, "begun": true, "remote": "/in/a.csv", "receiptSha256": "a".repeat(64)}]);
    let d = format!("{RUN}/delivery/bafin");
    for (what, status, terminal, expected) in [
        ("fresh", json!({}), false, vec![]),
        (
            "started",
            json!({"startedAt": "2026-03-03T18:30:01Z", "conditions": [condition("Started", "True", "Running")]}),
            false,
            vec![("run.started", RUN)],
        ),
        (
            "delivery failed once: may be tried again",
            json!({"startedAt": "2026-03-03T18:30:01Z", "deliveries": delivery("NotDelivered")}),
            false,
            vec![("run.started", RUN)],
        ),
        (
            "delivered, not complete",
            json!({"startedAt": "2026-03-03T18:30:01Z", "deliveries": delivery("Delivered")}),
            false,
            vec![("run.started", RUN), ("delivery.ended", d.as_str())],
        ),
        (
            "complete",
            json!({"startedAt": "2026-03-03T18:30:01Z", "outcome": "Unknown", "deliveries": delivery("Unknown"), "conditions": [condition("Complete", "True", "Unknown")]}),
            true,
            vec![("run.started", RUN), ("delivery.ended", d.as_str()), ("run.ended", RUN)],
        ),
        (
            "rejected before it started",
            json!({"conditions": [condition("Complete", "True", "Rejected")]}),
            true,
            vec![("run.notStarted", RUN), ("run.ended", RUN)],
        ),
        (
            "complete is false",
            json!({"conditions": [condition("Complete", "False", "Running")]}),
            false,
            vec![],
        ),
    ] {
        let r = record(&tenant(), &run(status)).unwrap();
        assert_eq!(r.terminal, terminal, "{what}");
        assert_eq!(actions(&r), expected, "{what}");
    }
}

#[test]
fn the_outcome_is_there_only_at_the_end() {
    let r = record(
        &tenant(),
        &run(json!({"conditions": [condition("Complete", "True", "DataRejected")], "phase": "Failed"})),
    )
    .unwrap();
    assert_eq!(r.detail.run.outcome.as_deref(), Some("DataRejected"));
    assert_eq!(r.detail.run.phase.as_deref(), Some("Failed"));
    assert_eq!(r.detail.run.finished_at.as_deref(), Some("2026-03-03T18:31:00Z"));
    let r = record(
        &tenant(),
        &run(json!({"outcome": "Delivered", "conditions": [condition("Complete", "False", "Running")]})),
    )
    .unwrap();
    assert_eq!(r.detail.run.outcome, None, "not ended");
}

#[test]
fn a_foreign_or_broken_object_is_refused() {
    let other = Tenant {
        uid: Uuid::from_u128(2),
        namespace: "other".into(),
    };
    assert!(matches!(record(&other, &run(json!({}))), Err(RecordError::Namespace { .. })));
    let mut broken = run(json!({}));
    broken.spec.id = "not-a-uuid".into();
    assert_eq!(record(&tenant(), &broken), Err(RecordError::Id));
}

#[test]
fn the_same_object_gives_the_same_record() {
    let r = run(
        json!({"startedAt": "2026-03-03T18:30:01Z", "conditions": [condition("Complete", "True", "Failed")],
        "failure": {"stage": "Read", "class": "Config", "code": "PasswordRefused", "message": "m"}}),
    );
    assert_eq!(record(&tenant(), &r), record(&tenant(), &r));
}

#[test]
fn what_the_database_cannot_hold_is_replaced() {
    let mut r = run(
        json!({"failure": {"stage": "Read", "class": "Config", "code": "X", "message": "a\u{0}b"}, "deliveries": [{"destination": "d", "state": "Unknown", "remote": "/\u{0}"}]}),
    );
    r.spec.parameters = Some([("lei".to_owned(), "\u{0}".to_owned())].into());
    let text = format!("{:?}", record(&tenant(), &r).unwrap());
    assert!(!text.contains("\\0") && text.contains("a\u{fffd}b"), "{text}");
}
