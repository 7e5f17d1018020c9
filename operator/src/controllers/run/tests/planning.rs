//! Which version, what is missing, and the plan itself.

use super::super::planning::{Planned, plan};
use super::super::references::{choose, missing};
use super::*;
use openreg_crds::report_run::Mode;
use openreg_plan::RunPlan;

fn prepared(facts: &Facts) -> super::super::planning::Prepared {
    match plan(facts) {
        Planned::Ready(prepared) => *prepared,
        other => panic!("{other:?}"),
    }
}

/// A plan as it is made of the fixtures.
pub(super) fn a_plan() -> RunPlan {
    let prepared = prepared(&facts());
    RunPlan::from_bytes(&prepared.plan, Some(&prepared.sha256)).unwrap()
}

#[test]
fn plan_is_the_same_whenever_it_is_made() {
    let (first, mut later) = (facts(), facts());
    later.now = time("2026-03-03T11:11:11Z");
    assert_eq!(
        prepared(&first),
        prepared(&later),
        "a crash between writing the plan and saying so must not make another plan"
    );
}

#[test]
fn jobs_get_what_the_plan_mounts_and_the_report_asks() {
    let launch = prepared(&facts()).launch;
    assert_eq!((launch.cpu.as_str(), launch.memory.as_str(), launch.startup_seconds), ("1", "1Gi", 120));
    assert_eq!(
        (
            launch.generate.timeout_seconds,
            launch.generate.max_attempts,
            launch.generate.backoff_initial_ms,
            launch.generate.backoff_max_ms
        ),
        (1800, 3, 30_000, 600_000)
    );
    assert_eq!(
        launch
            .connectors
            .iter()
            .map(|c| (c.name.as_str(), c.secret.as_ref().map(|s| s.name.as_str())))
            .collect::<Vec<_>>(),
        [("ledger", Some("ledger-db"))]
    );
    assert_eq!(launch.store.as_ref().map(|s| s.name.as_str()), Some("store-keys"));
    let target = &launch.destinations[0];
    assert_eq!(
        (target.name.as_str(), target.secret.as_ref().map(|s| s.name.as_str())),
        ("bafin", Some("bafin-login"))
    );
    assert_eq!(
        (target.stage.max_attempts, target.stage.backoff_initial_ms, target.stage.backoff_max_ms),
        (8, 5_000, 900_000)
    );
}

#[test]
fn run_that_only_generates_has_no_destination() {
    let mut facts = facts();
    Arc::make_mut(&mut facts.run).spec.mode = Some(Mode::GenerateOnly);
    facts.destinations.clear();
    assert!(prepared(&facts).launch.destinations.is_empty());
}

fn versions() -> Vec<Arc<ReportVersion>> {
    let make = |name: &str, number: &str, created: &str, of_report: &str| {
        let mut v = version(&["bafin"]);
        v.metadata.name = Some(name.to_owned());
        v.metadata.creation_timestamp = Some(of(json!(created)));
        v.spec.report.version = number.to_owned();
        v.spec.report_ref = of_report.to_owned();
        Arc::new(v)
    };
    vec![
        make("trades-1.3.0-old", "1.3.0", "2026-01-01T00:00:00Z", "trades"),
        make("trades-1.3.0-new", "1.3.0", "2026-02-01T00:00:00Z", "trades"),
        make("trades-1.4.0-11111111", "1.4.0", "2026-03-01T00:00:00Z", "trades"),
        make("other-1.5.0-22222222", "1.5.0", "2026-03-01T00:00:00Z", "other"),
    ]
}

#[test]
fn version_is_the_named_one_else_the_reports_last_accepted() {
    let versions = versions();
    let name = |wanted: Option<&str>, report: Option<&Report>| {
        let mut run = run();
        run.spec.version = wanted.map(str::to_owned);
        choose(&run.spec, report, &versions).and_then(|v| v.metadata.name.clone())
    };
    let report = report();
    assert_eq!(name(None, Some(&report)).as_deref(), Some("trades-1.4.0-11111111"));
    assert_eq!(name(None, None), None, "no Report, no newest version");
    assert_eq!(
        name(Some("1.3.0"), Some(&report)).as_deref(),
        Some("trades-1.3.0-new"),
        "of two contents the newest"
    );
    assert_eq!(
        name(Some("1.3.0"), None).as_deref(),
        Some("trades-1.3.0-new"),
        "an old version runs without its Report"
    );
    assert_eq!(name(Some("1.5.0"), Some(&report)), None, "another Report's version");
    let mut back = report.clone();
    back.status.as_mut().unwrap().version_name = Some("trades-1.3.0-old".to_owned());
    assert_eq!(name(None, Some(&back)).as_deref(), Some("trades-1.3.0-old"), "going back to an earlier version");
    assert_eq!(
        name(Some("1.3.0"), Some(&back)).as_deref(),
        Some("trades-1.3.0-old"),
        "the Report's own content wins"
    );
}

#[test]
fn everything_that_is_missing_is_named() {
    let mut facts = facts();
    facts.store = None;
    facts.connectors.clear();
    Arc::make_mut(facts.destinations.get_mut("bafin").unwrap()).status = None;
    let version = version(&["bafin"]);
    assert_eq!(
        missing(&facts, Some(&version)).join("; "),
        "Store default does not exist; Connector ledger does not exist; Destination bafin has not been checked yet"
    );
    let mut report = report();
    report.status.as_mut().unwrap().version_name = None;
    report.status.as_mut().unwrap().conditions[0] = of(
        json!({"type": "Ready", "status": "False", "observedGeneration": 1, "lastTransitionTime": "2026-03-03T09:00:00Z", "reason": "Invalid", "message": "spec.file.name: is empty"}),
    );
    facts.report = Some(Arc::new(report));
    assert_eq!(missing(&facts, None), ["Report trades is not valid: spec.file.name: is empty"]);
}
