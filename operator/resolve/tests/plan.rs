//! The plan of one run, byte for byte, and what a run is refused for.

mod fixtures;

use std::collections::BTreeMap;

use fixtures::{changed, object, typed};
use openreg_crds::report_version::ReportVersionSpec;
use openreg_crds::{Connector, Destination, Report, ReportRun, ReportVersion, Store};
use openreg_parts::error::Problem;
use openreg_plan::RunPlan;
use openreg_plan::digest::Sha256;
use openreg_resolve::{Inputs, digest, resolve};
use serde_json::{Value, json};

const TENANT: &str = "1f6c3f0e-5a4b-4f0c-8a53-9b0f6f2e5d0c";

struct World {
    run: ReportRun,
    report: Report,
    store: Store,
    connectors: BTreeMap<String, Connector>,
    destinations: BTreeMap<String, Destination>,
}

impl World {
    fn new() -> Self {
        Self {
            run: typed("run"),
            report: typed("report"),
            store: typed("store"),
            connectors: BTreeMap::from([("trades".to_owned(), typed("connector"))]),
            destinations: BTreeMap::from([("bank".to_owned(), typed("destination"))]),
        }
    }

    fn resolve(&self) -> Result<RunPlan, Vec<Problem>> {
        let sha256 = digest::spec_sha256(&self.report.spec);
        let spec = ReportVersionSpec {
            report_ref: "trades".to_owned(),
            sha256: sha256.as_str().to_owned(),
            report: self.report.spec.clone(),
        };
        let version = ReportVersion::new(&digest::version_name("trades", &self.report.spec.version, &sha256), spec);
        resolve(&Inputs {
            run: &self.run,
            version: &version,
            tenant: TENANT,
            store: &self.store,
            connectors: &self.connectors,
            destinations: &self.destinations,
        })
    }
}

/// After a wanted change: copy the file that the failing test names over the golden one, and look at the difference.
#[test]
fn the_plan_is_the_golden_one() {
    let plan = World::new().resolve().expect("a plan");
    let text = serde_json::to_string_pretty(&plan).expect("JSON") + "\n";
    if text != include_str!("golden/plan.json") {
        let path = format!("{}/plan.json", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&path, text).expect("written");
        panic!("the plan is not tests/golden/plan.json; it is in {path}");
    }
}

#[test]
fn equal_inputs_give_equal_bytes() {
    let bytes = World::new().resolve().expect("a plan").to_bytes().expect("bytes");
    for _ in 0..20 {
        assert_eq!(World::new().resolve().expect("a plan").to_bytes().expect("bytes"), bytes);
    }
    assert_eq!(
        RunPlan::from_bytes(&bytes, Some(&Sha256::of(&bytes))).expect("the plan"),
        World::new().resolve().expect("a plan")
    );
    // Status, labels and what nobody reads do not change the plan.
    let mut world = World::new();
    world.run.metadata.labels = Some(BTreeMap::from([("a".to_owned(), "b".to_owned())]));
    world.run.metadata.resource_version = Some("42".to_owned());
    world.connectors.insert("other".to_owned(), typed("connector"));
    assert_eq!(world.resolve().expect("a plan").to_bytes().expect("bytes"), bytes);
}

#[test]
fn no_secret_is_in_a_plan_but_by_path() {
    let plan = World::new().resolve().expect("a plan");
    assert_eq!(
        plan.connectors["trades"].credentials.as_ref().map(|s| s.path.as_str()),
        Some("/secrets/connector-trades")
    );
    assert_eq!(plan.store.credentials.as_ref().map(|s| s.path.as_str()), Some("/secrets/store"));
    assert_eq!(
        plan.destinations[0].credentials.as_ref().map(|s| s.path.as_str()),
        Some("/secrets/destination-bank")
    );
}

#[test]
fn a_run_that_only_generates_needs_no_destination() {
    let mut world = World::new();
    world.destinations.clear();
    assert_eq!(world.resolve().expect_err("problems")[0].field, "spec.delivery[0].destinationRef");
    world.run.spec = changed("run", "/mode", json!("GenerateOnly"));
    assert_eq!(world.resolve().expect("a plan").destinations, []);
}

#[test]
fn a_run_is_refused_for_what_is_wrong() {
    fn spec<S: serde::de::DeserializeOwned>(name: &str, pointer: &str, value: Value) -> S {
        changed(name, pointer, value)
    }
    /// What is tried, what is changed, the problem's field, part of its message.
    type Case = (&'static str, fn(&mut World), &'static str, &'static str);
    let cases: Vec<Case> = vec![
        (
            "no connector",
            |w| w.connectors.clear(),
            "spec.source.datasets[0].connectorRef",
            "there is no Connector `trades`",
        ),
        (
            "a wrong report",
            |w| w.report.spec = spec("report", "/version", json!("1")),
            "spec.version",
            "MAJOR.MINOR.PATCH",
        ),
        (
            "a required parameter",
            |w| w.run.spec = spec("run", "/parameters", Value::Null),
            "spec.parameters.lei",
            "is required",
        ),
        (
            "a parameter of no report",
            |w| w.run.spec = spec("run", "/parameters/nope", json!("x")),
            "spec.parameters.nope",
            "is no parameter of the report",
        ),
        (
            "a wrong parameter",
            |w| w.run.spec = spec("run", "/parameters/lei", json!("x")),
            "spec.parameters.lei",
            "does not match [A-Z0-9]{20}",
        ),
        (
            "a period backwards",
            |w| w.run.spec = spec("run", "/period/end", json!("2026-01-01T00:00:00Z")),
            "spec.period.end",
            "must be after",
        ),
        (
            "a period without an offset",
            |w| w.run.spec = spec("run", "/period/start", json!("2026-03-02T00:00:00")),
            "spec.period.start",
            "is not an instant",
        ),
        (
            "a wrong connector",
            |w| w.connectors.get_mut("trades").expect("there").spec = spec("connector", "/credentialsRef", Value::Null),
            "Connector trades: spec.credentialsRef",
            "is required for postgres",
        ),
        (
            "a wrong store",
            |w| w.store.spec = spec("store", "/credentialsRef", Value::Null),
            "Store default: spec.credentialsRef",
            "is required for s3",
        ),
        (
            "a wrong destination",
            |w| w.destinations.get_mut("bank").expect("there").spec = spec("destination", "/sftp/host", json!("a b")),
            "Destination bank: spec.sftp.host",
            "is not a host name",
        ),
    ];
    for (name, change, field, message) in cases {
        let mut world = World::new();
        change(&mut world);
        let problems = world.resolve().expect_err(name);
        assert!(
            problems.iter().any(|p| p.field == field && p.message.contains(message)),
            "{name}: {problems:#?}"
        );
    }
}

#[test]
fn a_file_name_is_judged_when_it_is_rendered() {
    let mut world = World::new();
    world.report.spec = changed("report", "/parameters/0/pattern", Value::Null);
    world.run.spec = changed("run", "/parameters/lei", json!("../x"));
    let problems = world.resolve().expect_err("problems");
    assert_eq!(problems[0].field, "spec.file.name");
    assert!(problems[0].message.contains("must not contain a slash"), "{}", problems[0]);
}

#[test]
fn a_version_stands_for_its_content() {
    let report = typed::<Report>("report").spec;
    let sha256 = digest::spec_sha256(&report);
    // Another order of writing is the same content; the digest is fixed, since names of objects are made of it.
    assert_eq!(
        sha256,
        digest::spec_sha256(&serde_json::from_str(&object("report")["spec"].to_string()).expect("a spec"))
    );
    assert_eq!(digest::version_name("trades", "1.4.0", &sha256), "trades-1.4.0-62b963b7");
    assert_ne!(sha256, digest::spec_sha256(&changed("report", "/title", json!("Trades"))));
}
