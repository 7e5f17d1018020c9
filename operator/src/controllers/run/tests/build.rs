//! The objects: names at their longest, limits, Secrets apart, no token.

use std::collections::BTreeSet;

use super::super::build::job::{Attempt, is_same, job as build_job};
use super::super::build::plan;
use super::super::facts::Work;
use super::super::planning::Prepared;
use super::*;
use kube::ResourceExt;
use openreg_crds::definition::{MAX_NAME, MAX_RUN_NAME};
use openreg_crds::report::Execution;
use openreg_plan::Sha256;

fn image() -> Image {
    Image {
        name: "openreg-runner:1".to_owned(),
        pull_policy: None,
        pull_secrets: Vec::new(),
    }
}

fn made(launch: &Launch, work: Work, ended: &[String]) -> Value {
    let attempt = Attempt {
        work,
        number: 2,
        plan_sha256: PLAN,
        manifest_sha256: Some(MANIFEST),
        ended_pods: ended,
    };
    serde_json::to_value(build_job(&run(), launch, &attempt, &image()).unwrap()).unwrap()
}

fn pod_spec(job: &Value) -> &Value {
    &job["spec"]["template"]["spec"]
}

fn secrets(job: &Value) -> BTreeSet<(String, String)> {
    let spec = pod_spec(job);
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    let volumes = spec["volumes"].as_array().unwrap().iter().filter(|v| v["secret"].is_object());
    volumes
        .map(|v| {
            assert_eq!(v["secret"]["optional"], json!(true), "the runner must be able to say SecretMissing");
            let mount = mounts.iter().find(|m| m["name"] == v["name"]).unwrap();
            (
                v["secret"]["secretName"].as_str().unwrap().to_owned(),
                mount["mountPath"].as_str().unwrap().to_owned(),
            )
        })
        .collect()
}

fn pairs(list: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    list.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
}

#[test]
fn generate_and_deliver_never_share_a_secret_but_the_stores() {
    let launch = launch(&["bafin", "amf"]);
    assert_eq!(
        secrets(&made(&launch, Work::Generate, &[])),
        pairs(&[("ledger-db", "/secrets/connector-ledger"), ("store-keys", "/secrets/store")])
    );
    assert_eq!(
        secrets(&made(&launch, Work::Deliver(0), &[])),
        pairs(&[("bafin-login", "/secrets/destination-bafin"), ("store-keys", "/secrets/store")])
    );
    assert_eq!(
        secrets(&made(&launch, Work::Deliver(1), &[])),
        pairs(&[("amf-login", "/secrets/destination-amf"), ("store-keys", "/secrets/store")])
    );
}

#[test]
fn labels_open_only_the_policies_of_the_stage() {
    let launch = launch(&["bafin", "amf"]);
    let peers = |work| {
        let job = made(&launch, work, &[]);
        assert_eq!(job["metadata"]["labels"], job["spec"]["template"]["metadata"]["labels"]);
        let labels = job["metadata"]["labels"].as_object().unwrap().clone();
        assert_eq!(labels["openreg.io/run"], json!(RUN));
        assert_eq!(labels["openreg.io/report"], json!("trades"));
        labels.into_iter().filter(|(_, v)| v == "true").map(|(k, _)| k).collect::<Vec<_>>()
    };
    assert_eq!(peers(Work::Generate), ["openreg.io/connector-ledger", "openreg.io/store"]);
    assert_eq!(peers(Work::Deliver(1)), ["openreg.io/destination-amf", "openreg.io/store"]);
}

#[test]
fn runner_is_told_which_plan_and_which_attempt() {
    let launch = launch(&["bafin"]);
    let args = |job: &Value| {
        pod_spec(job)["containers"][0]["args"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a.as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        args(&made(&launch, Work::Generate, &[])),
        format!("generate --plan /plan/plan.json --plan-sha256 {PLAN} --attempt 2")
    );
    let told = format!("deliver --plan /plan/plan.json --plan-sha256 {PLAN} --attempt 2 --destination 0 --manifest-sha256 {MANIFEST}");
    assert_eq!(args(&made(&launch, Work::Deliver(0), &[])), told);
    assert_eq!(
        args(&made(&launch, Work::Deliver(0), &["a".to_owned(), "b".to_owned()])),
        format!("{told} --ended-pods a,b")
    );
    // A delivery without a manifest, or to a destination that the plan does not have, is never made.
    let nothing = Attempt {
        work: Work::Deliver(0),
        number: 1,
        plan_sha256: PLAN,
        manifest_sha256: None,
        ended_pods: &[],
    };
    assert!(build_job(&run(), &launch, &nothing, &image()).is_none());
    let nowhere = Attempt {
        work: Work::Deliver(1),
        number: 1,
        plan_sha256: PLAN,
        manifest_sha256: Some(MANIFEST),
        ended_pods: &[],
    };
    assert!(build_job(&run(), &launch, &nowhere, &image()).is_none());
}

#[test]
fn job_is_bounded_restricted_and_has_no_token() {
    let job = made(&launch(&["bafin"]), Work::Generate, &[]);
    let spec = pod_spec(&job);
    let container = &spec["containers"][0];
    for (found, expected) in [
        (&job["spec"]["backoffLimit"], json!(0)),
        // Startup, the runner's own timeout, and the five minutes by which it comes first.
        (&job["spec"]["activeDeadlineSeconds"], json!(120 + 3600 + 300)),
        (&job["spec"]["podReplacementPolicy"], json!("Failed")),
        (&job["spec"]["ttlSecondsAfterFinished"], Value::Null),
        (&job["metadata"]["annotations"]["openreg.io/plan-sha256"], json!(PLAN)),
        (&job["metadata"]["ownerReferences"][0]["uid"], json!(RUN_UID)),
        (&job["metadata"]["ownerReferences"][0]["controller"], json!(true)),
        (&spec["restartPolicy"], json!("Never")),
        (&spec["automountServiceAccountToken"], json!(false)),
        (&spec["enableServiceLinks"], json!(false)),
        (&spec["terminationGracePeriodSeconds"], json!(30)),
        (&spec["securityContext"]["runAsNonRoot"], json!(true)),
        (&spec["securityContext"]["seccompProfile"]["type"], json!("RuntimeDefault")),
        (&container["image"], json!("openreg-runner:1")),
        (&container["imagePullPolicy"], json!("IfNotPresent")),
        (&container["resources"]["limits"]["cpu"], json!("2")),
        (&container["resources"]["limits"]["memory"], json!("4Gi")),
        (&container["securityContext"]["allowPrivilegeEscalation"], json!(false)),
        (&container["securityContext"]["readOnlyRootFilesystem"], json!(true)),
        (&container["securityContext"]["capabilities"]["drop"], json!(["ALL"])),
        (&container["terminationMessagePolicy"], json!("File")),
    ] {
        assert_eq!(found, &expected, "{job:#}");
    }
    assert!(
        container["volumeMounts"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|m| m["mountPath"] != "/scratch")
            .all(|m| m["readOnly"] == json!(true))
    );
    let deliver = made(&launch(&["bafin"]), Work::Deliver(0), &[]);
    assert_eq!(deliver["spec"]["activeDeadlineSeconds"], json!(120 + 900 + 300));
    // The runner's tries to settle a rename pause for 31 s in all.
    assert!(pod_spec(&deliver)["terminationGracePeriodSeconds"].as_u64().unwrap() >= 60);
    // A slow start takes nothing from the runner's own time.
    let mut slow = launch(&["bafin"]);
    slow.startup_seconds = 3600;
    assert_eq!(made(&slow, Work::Generate, &[])["spec"]["activeDeadlineSeconds"], json!(3600 + 3600 + 300));
}

#[test]
fn names_fit_at_their_longest() {
    let mut run = run();
    run.metadata.name = Some("r".repeat(MAX_RUN_NAME));
    run.spec.report_ref = "t".repeat(MAX_NAME);
    let long: Vec<String> = (0..8).map(|i| format!("{i}{}", "d".repeat(MAX_NAME - 1))).collect();
    let mut launch = launch(&long.iter().map(String::as_str).collect::<Vec<_>>());
    launch.connectors[0].name = "c".repeat(MAX_NAME);
    for work in [Work::Generate, Work::Deliver(7)] {
        let attempt = Attempt {
            work,
            number: 20,
            plan_sha256: PLAN,
            manifest_sha256: Some(MANIFEST),
            ended_pods: &[],
        };
        let job = build_job(&run, &launch, &attempt, &image()).unwrap();
        assert!(job.name_any().len() <= 63, "{}", job.name_any());
        for (key, value) in job.labels() {
            let name = key.rsplit('/').next().unwrap();
            assert!(name.len() <= 63 && value.len() <= 63, "{key}={value}");
        }
    }
    let prepared = Prepared {
        version: "1.0.0".to_owned(),
        plan: b"{}".to_vec(),
        sha256: Sha256::of(b"{}"),
        launch,
    };
    let config_map = plan::config_map(&run, &prepared);
    assert!(config_map.name_any().len() <= 63);
    assert!(config_map.labels().values().all(|v| v.len() <= 63));
}

#[test]
fn plan_is_immutable_and_read_back_only_as_written() {
    let a_plan = super::planning::a_plan();
    let bytes = a_plan.to_bytes().unwrap();
    let prepared = Prepared {
        version: "1.0.0".to_owned(),
        sha256: Sha256::of(&bytes),
        plan: bytes,
        launch: Launch::of(&a_plan, None, &BTreeMap::new()),
    };
    let mut made = plan::config_map(&run(), &prepared);
    assert_eq!(made.immutable, Some(true));
    assert_eq!(made.annotations()["openreg.io/plan-sha256"], prepared.sha256.to_string());
    assert_eq!(plan::read(&made, &run(), prepared.sha256.as_str()), Some(prepared.launch.clone()));
    assert_eq!(plan::read(&made, &run(), PLAN), None, "another digest");
    let mut other = run();
    other.metadata.uid = Some("another".to_owned());
    assert_eq!(plan::read(&made, &other, prepared.sha256.as_str()), None, "another run of that name");
    // Made anew by somebody else, with the same plan and something else beside it.
    let changes: [fn(&mut Launch); 8] = [
        |l| l.store.as_mut().unwrap().name = "somebody-elses".to_owned(),
        |l| l.connectors[0].secret.as_mut().unwrap().name = "somebody-elses".to_owned(),
        |l| l.destinations[0].secret.as_mut().unwrap().path = "/plan".to_owned(),
        |l| l.destinations[0].name = "amf".to_owned(),
        |l| l.connectors.clear(),
        |l| l.cpu = "16".to_owned(),
        |l| l.memory = "64Gi".to_owned(),
        |l| l.generate.timeout_seconds += 1,
    ];
    for (i, change) in changes.into_iter().enumerate() {
        let mut launch = prepared.launch.clone();
        change(&mut launch);
        let mut replaced = made.clone();
        let text = serde_json::to_string(&launch).unwrap();
        replaced.data.as_mut().unwrap().insert("launch.json".to_owned(), text);
        assert_eq!(plan::read(&replaced, &run(), prepared.sha256.as_str()), None, "change {i}");
    }
    made.data.as_mut().unwrap().insert("plan.json".to_owned(), r#"{"version":2}"#.to_owned());
    assert_eq!(plan::read(&made, &run(), prepared.sha256.as_str()), None, "changed");
}

#[test]
fn job_of_that_name_is_ours_only_with_owner_and_digests() {
    let launch = launch(&["bafin"]);
    let attempt = Attempt {
        work: Work::Deliver(0),
        number: 1,
        plan_sha256: PLAN,
        manifest_sha256: Some(MANIFEST),
        ended_pods: &[],
    };
    let wanted = build_job(&run(), &launch, &attempt, &image()).unwrap();
    assert!(is_same(&wanted, &wanted, &run()));
    let mut other = wanted.clone();
    other
        .metadata
        .annotations
        .as_mut()
        .unwrap()
        .insert("openreg.io/manifest-sha256".to_owned(), PLAN.to_owned());
    assert!(!is_same(&other, &wanted, &run()), "another manifest");
    let mut foreign = wanted.clone();
    foreign.metadata.owner_references = None;
    assert!(!is_same(&foreign, &wanted, &run()), "no owner");
}

#[test]
fn limits_are_what_the_report_asks_and_never_more() {
    let limits = |execution: Value| {
        let execution: Execution = of(execution);
        let plan = super::planning::a_plan();
        let launch = Launch::of(&plan, Some(&execution), &BTreeMap::new());
        (launch.cpu, launch.memory)
    };
    let texts = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    assert_eq!(limits(json!({})), texts("2", "4Gi"));
    assert_eq!(limits(json!({"cpu": "1.5", "memory": "512Mi"})), texts("1.5", "512Mi"));
    assert_eq!(limits(json!({"cpu": "250m", "memory": "4Gi"})), texts("250m", "4Gi"));
    // The schema refuses these; the limit is hard all the same.
    for cpu in ["2.1", "2001m", "0", "16", "1.25", "x"] {
        assert_eq!(limits(json!({"cpu": cpu, "memory": "5Gi"})), texts("2", "4Gi"), "{cpu}");
    }
}

#[test]
fn pause_doubles_to_its_bound() {
    let stage = Stage {
        timeout_seconds: 1,
        max_attempts: 3,
        backoff_initial_ms: 30_000,
        backoff_max_ms: 600_000,
    };
    let seconds = |n| stage.pause(n).as_secs();
    assert_eq!(
        (seconds(1), seconds(2), seconds(3), seconds(5), seconds(6), seconds(4_000_000_000)),
        (30, 60, 120, 480, 600, 600)
    );
}
