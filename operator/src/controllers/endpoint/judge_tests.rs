//! Problems, warnings and probes → conditions.

use super::*;
use openreg_crds::{Connector, Store};
use serde_json::json;

fn now() -> Timestamp {
    "2026-03-02T12:00:00Z".parse().unwrap()
}

fn connector(mode: &str) -> Connector {
    serde_json::from_value(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Connector", "metadata": {"name": "trades", "namespace": "acme", "generation": 2},
        "spec": {"postgres": {"host": "db", "database": "d", "tls": {"mode": mode}}, "credentialsRef": {"secret": "s"}}
    }))
    .unwrap()
}

fn store() -> Store {
    serde_json::from_value(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Store", "metadata": {"name": "default", "namespace": "acme", "generation": 2},
        "spec": {"s3": {"region": "r", "bucket": "bucket", "endpoint": "https://s3.example"}, "credentialsRef": {"secret": "s"}}
    }))
    .unwrap()
}

fn found(status: ConditionStatus, reason: &str) -> Found {
    Found {
        status,
        reason: reason.to_owned(),
        message: "m".to_owned(),
        at: now(),
    }
}

fn conditions_of(status: &EndpointStatus) -> Vec<(String, &'static str, String)> {
    status
        .conditions
        .iter()
        .map(|c| (c.type_.clone(), c.status.as_str(), c.reason.clone()))
        .collect()
}

#[test]
fn connector_is_ready_without_a_probe_and_warns_of_missing_verification() {
    for (mode, warns) in [("VerifyFull", false), ("RequireUnverified", true), ("Disable", true)] {
        let mut status = EndpointStatus::default();
        judge(&connector(mode), &mut status, &[], now());
        assert!(condition::is_true(&status.conditions, READY), "{mode}");
        assert_eq!(condition::is_true(&status.conditions, WARNING), warns, "{mode}");
        assert_eq!(status.observed_generation, Some(2));
        // The warning goes when its cause goes.
        judge(&connector("VerifyFull"), &mut status, &[], now());
        assert!(condition::find(&status.conditions, WARNING).is_none(), "{mode}");
    }
}

#[test]
fn problems_make_unready() {
    let mut status = EndpointStatus::default();
    judge(&connector("VerifyFull"), &mut status, &[not_a_tenant("acme")], now());
    let ready = condition::find(&status.conditions, READY).unwrap();
    assert_eq!((ready.status, ready.reason.as_str()), (ConditionStatus::False, "Invalid"));
    assert_eq!(
        ready.message,
        "metadata.namespace: namespace acme is not a tenant: label it openreg.io/tenant=<name>"
    );
}

#[test]
fn store_is_ready_after_one_good_probe_and_stays_so() {
    let mut status = EndpointStatus::default();
    judge(&store(), &mut status, &[], now());
    assert_eq!(conditions_of(&status), [("Ready".to_owned(), "False", "NotProbed".to_owned())]);
    record(&mut status, "j1", &found(ConditionStatus::False, "AccessDenied"), Some(2));
    judge(&store(), &mut status, &[], now());
    assert_eq!(conditions_of(&status)[0], ("Ready".to_owned(), "False", "AccessDenied".to_owned()));
    record(&mut status, "j2", &found(ConditionStatus::True, "Reachable"), Some(2));
    judge(&store(), &mut status, &[], now());
    assert!(condition::is_true(&status.conditions, READY));
    record(&mut status, "j3", &found(ConditionStatus::False, "ConnectionRefused"), Some(2));
    judge(&store(), &mut status, &[], now());
    assert!(condition::is_true(&status.conditions, READY), "a probe informs, it does not gate");
    assert_eq!(condition::find(&status.conditions, REACHABLE).unwrap().reason, "ConnectionRefused");

    // Another spec has to prove itself again.
    let mut changed = store();
    changed.metadata.generation = Some(3);
    judge(&changed, &mut status, &[], now());
    assert_eq!(conditions_of(&status)[0], ("Ready".to_owned(), "False", "NotProbed".to_owned()));
}
