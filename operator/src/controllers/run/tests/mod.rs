//! Fixtures: a tenant with one report, two destinations, and a run of it.

mod build;
mod decide;
mod doubt;
mod gather;
mod outcome;
mod planning;
mod simulation;
mod spent_plan;
mod startup;
mod status;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::Pod;
use openreg_crds::{Connector, Destination, Report, ReportRun, ReportVersion, Store};
use openreg_plan::plan::SecretMount;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::build::job::Image;
use super::facts::{Facts, Plan, SeenPod};
use super::launch::{Launch, Peer, Stage, Target};

pub(super) const NAMESPACE: &str = "acme";
pub(super) const RUN: &str = "trades-20260303";
pub(super) const RUN_UID: &str = "5c4b6f8e-0f5f-4a64-9a55-3c1f9b7d0a01";
pub(super) const PLAN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(super) const MANIFEST: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const RECEIPT: &str = "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc";
const HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

pub(super) fn of<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

pub(super) fn time(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Ten o'clock; the run was made a minute before.
pub(super) fn now() -> Timestamp {
    time("2026-03-03T10:00:00Z")
}

fn ready() -> Value {
    json!({"conditions": [{"type": "Ready", "status": "True", "observedGeneration": 1, "lastTransitionTime": "2026-03-03T09:00:00Z", "reason": "Valid", "message": ""}]})
}

fn meta(name: &str) -> Value {
    json!({"name": name, "namespace": NAMESPACE, "uid": format!("uid-{name}"), "generation": 1, "resourceVersion": "1", "creationTimestamp": "2026-03-03T09:00:00Z"})
}

pub(super) fn run() -> ReportRun {
    let mut run: ReportRun = of(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": meta(RUN),
        "spec": {
            "id": "0b7e6c2a-1f67-4d8b-9c55-20b7a3f0c111", "reportRef": "trades", "trigger": "Manual", "requestedBy": "ann",
            "period": {"start": "2026-03-02T00:00:00Z", "end": "2026-03-03T00:00:00Z"}
        }
    }));
    run.metadata.uid = Some(RUN_UID.to_owned());
    run.metadata.creation_timestamp = Some(of(json!("2026-03-03T09:59:00Z")));
    run
}

fn report_spec(destinations: &[&str]) -> Value {
    json!({
        "version": "1.4.0", "title": "Trades",
        "source": {"datasets": [{"name": "trades", "connectorRef": "ledger", "query": "SELECT trade_ref FROM trades ORDER BY trade_ref", "key": ["trade_ref"]}]},
        "output": {"csv": {}},
        "file": {"name": "trades.csv"},
        "delivery": destinations.iter().map(|d| json!({"destinationRef": d})).collect::<Vec<_>>(),
        "execution": {"timeout": "30m", "memory": "1Gi", "cpu": "1", "retry": {"maxAttempts": 3}}
    })
}

pub(super) fn report() -> Report {
    let mut status = ready();
    status["versionName"] = json!("trades-1.4.0-11111111");
    of(json!({"apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": meta("trades"), "spec": report_spec(&["bafin"]), "status": status}))
}

pub(super) fn version(destinations: &[&str]) -> ReportVersion {
    of(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "ReportVersion", "metadata": meta("trades-1.4.0-11111111"),
        "spec": {"reportRef": "trades", "sha256": PLAN, "report": report_spec(destinations)}
    }))
}

pub(super) fn store() -> Store {
    of(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Store", "metadata": meta("default"), "status": ready(),
        "spec": {"s3": {"endpoint": "https://s3.acme.svc:9000", "region": "eu-1", "bucket": "reports"}, "credentialsRef": {"secret": "store-keys"}}
    }))
}

pub(super) fn connector() -> Connector {
    of(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Connector", "metadata": meta("ledger"), "status": ready(),
        "spec": {"postgres": {"host": "db.acme.svc", "database": "ledger"}, "credentialsRef": {"secret": "ledger-db"}}
    }))
}

pub(super) fn destination(name: &str) -> Destination {
    of(json!({
        "apiVersion": "openreg.io/v1alpha1", "kind": "Destination", "metadata": meta(name), "status": ready(),
        "spec": {
            "sftp": {"host": "mft.example", "directory": "/in", "hostKeys": [HOST_KEY], "auth": {"passwordKey": "password"}},
            "credentialsRef": {"secret": format!("{name}-login")}
        }
    }))
}

/// What the Jobs of the run get when it delivers to `destinations`.
pub(super) fn launch(destinations: &[&str]) -> Launch {
    let secret = |name: &str, path: &str| {
        Some(SecretMount {
            name: name.to_owned(),
            path: path.to_owned(),
        })
    };
    let stage = |timeout_seconds, max_attempts, backoff_initial_ms, backoff_max_ms| Stage {
        timeout_seconds,
        max_attempts,
        backoff_initial_ms,
        backoff_max_ms,
    };
    Launch {
        cpu: "2".to_owned(),
        memory: "4Gi".to_owned(),
        scratch_bytes: 1 << 30,
        startup_seconds: 120,
        generate: stage(3600, 3, 30_000, 600_000),
        connectors: vec![Peer {
            name: "ledger".to_owned(),
            secret: secret("ledger-db", "/secrets/connector-ledger"),
        }],
        store: secret("store-keys", "/secrets/store"),
        destinations: destinations
            .iter()
            .map(|d| Target {
                name: (*d).to_owned(),
                secret: secret(&format!("{d}-login"), &format!("/secrets/destination-{d}")),
                stage: stage(900, 8, 5_000, 900_000),
            })
            .collect(),
    }
}

/// A run that nobody has looked at, in a tenant where everything is ready.
pub(super) fn facts() -> Facts {
    Facts {
        run: Arc::new(run()),
        status: Default::default(),
        now: now(),
        image: Image {
            name: "openreg-runner:1".to_owned(),
            pull_policy: None,
            pull_secrets: Vec::new(),
        },
        tenant: Some("tenant-uid".to_owned()),
        report: Some(Arc::new(report())),
        versions: vec![Arc::new(version(&["bafin"]))],
        store: Some(Arc::new(store())),
        connectors: [("ledger".to_owned(), Arc::new(connector()))].into(),
        destinations: [("bafin".to_owned(), Arc::new(destination("bafin")))].into(),
        plan: Plan::Unwritten,
        jobs: BTreeMap::new(),
        pods: BTreeMap::new(),
        confirmed: BTreeSet::new(),
        events: BTreeMap::new(),
        spent_plan: None,
        setback: None,
    }
}

/// The same run with its plan written, and the status given on top of that.
pub(super) fn planned(destinations: &[&str], status: Value) -> Facts {
    let mut facts = facts();
    let mut all = json!({
        "planSha256": PLAN, "reportVersion": "1.4.0",
        "conditions": [condition("Resolved", "True", "Planned"), condition("Complete", "False", "Planned")]
    });
    for (key, value) in status.as_object().unwrap() {
        if key == "conditions" {
            all["conditions"].as_array_mut().unwrap().extend(value.as_array().unwrap().iter().cloned());
        } else {
            all[key] = value.clone();
        }
    }
    facts.status = of(all);
    facts.plan = Plan::Written(Arc::new(launch(destinations)));
    facts.destinations = destinations.iter().map(|d| ((*d).to_owned(), Arc::new(destination(d)))).collect();
    let mut run = run();
    run.status = Some(facts.status.clone());
    facts.run = Arc::new(run);
    facts
}

pub(super) fn condition(type_: &str, status: &str, reason: &str) -> Value {
    json!({"type": type_, "status": status, "observedGeneration": 1, "lastTransitionTime": "2026-03-03T09:59:01Z", "reason": reason, "message": "x"})
}

/// The run whose generate attempt 1 is under way, begun `started`.
pub(super) fn generating(destinations: &[&str], started: &str) -> Facts {
    planned(
        destinations,
        json!({"generate": {"number": 1, "job": format!("{RUN}-g1"), "jobUid": "job-1", "startedAt": started}}),
    )
}

/// The run whose files are sealed.
pub(super) fn sealed(destinations: &[&str], deliveries: Value) -> Facts {
    planned(
        destinations,
        json!({
            "generate": {"number": 1, "job": format!("{RUN}-g1"), "jobUid": "job-1", "ended": true, "startedAt": "2026-03-03T09:59:02Z", "endedPods": ["pod-1"]},
            "manifest": {"key": "runs/x/manifest.json", "sha256": MANIFEST},
            "counts": {"read": 10, "reported": 10, "excluded": 0, "dropped": 0, "violations": 0, "artifacts": 1, "bytes": 100},
            "conditions": [condition("Generated", "True", "Sealed")],
            "deliveries": deliveries
        }),
    )
}

/// The sealed run whose delivery attempt 1 is under way.
pub(super) fn delivering(state: &str) -> Facts {
    sealed(
        &["bafin"],
        json!([{"destination": "bafin", "state": state, "attempt": {"number": 1, "job": format!("{RUN}-d0-1"), "jobUid": "job-2", "startedAt": "2026-03-03T09:59:30Z"}}]),
    )
}

/// A Job in the given condition; `""` for one that is active.
pub(super) fn job(name: &str, uid: &str, condition: &str, reason: &str) -> Job {
    let conditions = if condition.is_empty() {
        json!([])
    } else {
        json!([{"type": condition, "status": "True", "reason": reason}])
    };
    of(json!({
        "metadata": {
            "name": name, "namespace": NAMESPACE, "uid": uid, "labels": {"openreg.io/run": RUN},
            "annotations": {"openreg.io/plan-sha256": PLAN},
            "ownerReferences": [{"apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "name": RUN, "uid": RUN_UID, "controller": true}]
        },
        "status": {"conditions": conditions}
    }))
}

/// A pod of that Job with the state of its container, and more status.
pub(super) fn pod(uid: &str, job_uid: &str, state: Value, more: Value) -> Pod {
    let mut status = json!({"phase": "Running", "containerStatuses": [{"name": "runner", "image": "openreg-runner:1", "imageID": "", "ready": false, "restartCount": 0, "state": state}]});
    for (key, value) in more.as_object().unwrap() {
        status[key] = value.clone();
    }
    of(json!({
        "metadata": {"name": format!("pod-of-{uid}"), "namespace": NAMESPACE, "uid": uid, "ownerReferences": [{"apiVersion": "batch/v1", "kind": "Job", "name": "x", "uid": job_uid, "controller": true}]},
        "status": status
    }))
}

pub(super) fn running() -> Value {
    json!({"running": {"startedAt": "2026-03-03T09:59:05Z"}})
}

pub(super) fn exited(code: i32, reason: &str, message: &str) -> Value {
    json!({"terminated": {"exitCode": code, "reason": reason, "message": message}})
}

pub(super) fn there(pod: Pod) -> SeenPod {
    SeenPod {
        pod: Arc::new(pod),
        gone: false,
    }
}

pub(super) fn gone(pod: Pod) -> SeenPod {
    SeenPod {
        pod: Arc::new(pod),
        gone: true,
    }
}

/// Puts a Job and its pods into the facts.
pub(super) fn with(mut facts: Facts, job: Job, pods: Vec<SeenPod>) -> Facts {
    let uid = job.metadata.uid.clone().unwrap();
    facts.jobs.insert(job.metadata.name.clone().unwrap(), Arc::new(job));
    facts.pods.insert(uid, pods);
    facts
}

/// The runner's words after a good generate attempt.
pub(super) fn generated() -> String {
    json!({
        "version": 1, "outcome": "Generated",
        "manifest": {"key": "runs/x/manifest.json", "sha256": MANIFEST, "outcome": "Complete"},
        "totals": {"read": 12, "reported": 10, "excluded": 2, "dropped": 0, "violations": 2, "artifacts": 1, "bytes": 100},
        "usage": {"durationMs": 1200, "vmHwmBytes": 30_000_000, "cgroupPeakBytes": 0}
    })
    .to_string()
}

/// The runner's words after generating nothing, because of `outcome`.
pub(super) fn sealed_empty(outcome: &str) -> String {
    json!({
        "version": 1, "outcome": outcome,
        "manifest": {"key": "runs/x/manifest.json", "sha256": MANIFEST, "outcome": outcome},
        "totals": {"read": 12, "reported": 0, "excluded": 0, "dropped": 0, "violations": 12, "artifacts": 0, "bytes": 0},
        "usage": {"durationMs": 1200, "vmHwmBytes": 1, "cgroupPeakBytes": 0}
    })
    .to_string()
}

/// The runner's words after a failure.
pub(super) fn failed(class: &str, code: &str, begun: Option<bool>) -> String {
    failed_with(class, code, begun.map_or(Value::Null, |begun| json!({"begun": begun, "receipts": 0})))
}

/// The runner's words after a delivery that failed and had come that far.
pub(super) fn failed_with(class: &str, code: &str, delivery: Value) -> String {
    let mut report = json!({
        "version": 1, "outcome": "Failed", "failure": {"stage": "Read", "class": class, "code": code, "message": "it went wrong", "hint": "mend it"},
        "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}
    });
    if !delivery.is_null() {
        report["delivery"] = delivery;
    }
    report.to_string()
}

/// What a delivery says of itself that failed after it had asked for the final name.
pub(super) fn unsettled() -> Value {
    json!({"begun": true, "receipts": 0, "unsettled": true})
}

/// The runner's words after a delivery that came to `outcome`.
pub(super) fn delivery(outcome: &str, begun: bool, receipts: u32) -> String {
    let mut report = json!({
        "version": 1, "outcome": outcome, "delivery": {"begun": begun, "receipts": receipts},
        "usage": {"durationMs": 1, "vmHwmBytes": 1, "cgroupPeakBytes": 0}
    });
    if receipts > 0 {
        report["delivery"]["remote"] = json!("/in/trades.csv");
        report["delivery"]["receiptSha256"] = json!(RECEIPT);
    }
    report.to_string()
}
