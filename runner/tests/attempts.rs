//! Attempts that are not the first, are stopped, run out of time, or get a plan that cannot work.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod support;

use std::sync::Arc;
use std::time::Duration;

use openreg_parts::error::Class;
use openreg_plan::report::Outcome;
use openreg_runner::stage::Stop;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const TABLE: &str = "CREATE TABLE trades (ref TEXT, qty INTEGER, price DECIMAL(10,2));
    INSERT INTO trades VALUES ('A', 1, '1.00'), ('B', 2, '2.00'), ('C', 3, '3.00');";
/// Rows without end, or nearly: a query that takes long.
const ENDLESS: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i AS qty FROM n";

fn ground() -> (tempfile::TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    support::sqlite(directory.path(), TABLE);
    let plan = support::plan(include_str!("golden/every_type/plan.json"), directory.path());
    (directory, plan)
}

#[tokio::test]
async fn a_sealed_run_is_not_made_again() {
    let (directory, plan) = ground();
    let first = support::run(&plan, "pod-1").await.unwrap();
    rusqlite::Connection::open(directory.path().join("source.db"))
        .unwrap()
        .execute("DELETE FROM trades", [])
        .unwrap();
    let second = support::run(&plan, "pod-2").await.unwrap();
    assert!(!first.existing && second.existing);
    assert_eq!(first.done, second.done);
    assert!(
        !support::files(directory.path()).iter().any(|f| f.contains("pod-2")),
        "the second attempt wrote nothing"
    );
}

#[tokio::test]
async fn what_another_plan_sealed_is_not_taken_for_this_ones() {
    let (directory, mut plan) = ground();
    support::run(&plan, "pod-1").await.unwrap();
    let sealed = support::object(directory.path(), "runs/every_type/manifest.json");
    plan["datasets"][0]["query"] = "SELECT * FROM trades WHERE qty > 1 ORDER BY ref".into();
    let error = support::failure(&plan).await;
    assert_eq!((error.code.as_str(), error.class), ("SealedByAnotherPlan", Class::Config));
    assert!(error.hint.is_some());
    assert_eq!(support::object(directory.path(), "runs/every_type/manifest.json"), sealed);
}

/// Two attempts at once: whoever seals second takes the first one's manifest, but only if it is of the same plan.
#[tokio::test]
async fn what_another_plan_seals_meanwhile_is_not_taken_either() {
    for other_plan in [false, true] {
        let (directory, mut plan) = ground();
        support::run(&plan, "pod-1").await.unwrap();
        let manifest = directory.path().join("store/t/runs/every_type/manifest.json");
        let sealed = std::fs::read(&manifest).unwrap();
        // Not there when the second attempt begins, there again before it seals.
        std::fs::remove_file(&manifest).unwrap();
        if other_plan {
            plan["datasets"][0]["query"] = "SELECT * FROM trades WHERE qty > 1 ORDER BY ref".into();
        }
        let (path, bytes) = (manifest.clone(), sealed.clone());
        let seal = Arc::new(move |_| std::fs::write(&path, &bytes).unwrap());
        match support::run_until(&plan, "pod-2", &CancellationToken::new(), seal).await {
            Ok(made) => assert!(!other_plan && made.existing && made.manifest.pod == "pod-1"),
            Err(Stop::Failed(error)) => assert_eq!((other_plan, error.code.as_str()), (true, "SealedByAnotherPlan")),
            Err(stop) => panic!("{stop:?}"),
        }
        assert_eq!(std::fs::read(&manifest).unwrap(), sealed);
    }
}

/// Two rules that spill share the one volume.
#[tokio::test]
async fn rules_share_the_scratch_space() {
    let unique = |id: &str| json!({"id": id, "severity": "Error", "onViolation": "Flag", "tolerance": {}, "rule": {"unique": {"columns": ["qty"]}}});
    // Three rows of 17 bytes: row number, length, and ["1"].
    for (rules, bytes, code) in [(1, 60, None), (2, 60, Some("ScratchFull")), (2, 120, None)] {
        let (_directory, mut plan) = ground();
        plan["rules"] = (0..rules).map(|i| unique(&format!("R-{i}"))).collect();
        plan["limits"]["scratchBytes"] = bytes.into();
        let code_of = match support::run(&plan, "pod-1").await {
            Ok(_) => None,
            Err(Stop::Failed(error)) => Some(error.code),
            Err(stop) => panic!("{stop:?}"),
        };
        assert_eq!(code_of.as_deref(), code, "{rules} rules, {bytes} bytes");
    }
}

#[tokio::test]
async fn a_cancelled_attempt_leaves_nothing_sealed() {
    let (directory, mut plan) = ground();
    plan["datasets"][0]["query"] = ENDLESS.into();
    plan["datasets"][0]["key"] = json!([]);
    let cancel = CancellationToken::new();
    let from_progress = cancel.clone();
    let result = support::run_until(
        &plan,
        "pod-1",
        &cancel,
        Arc::new(move |p| {
            if p.read > 50_000 {
                from_progress.cancel()
            }
        }),
    )
    .await;
    assert!(matches!(result, Err(Stop::Cancelled)), "{result:?}");
    let left = support::files(&directory.path().join("store"));
    assert_eq!(left, ["t/runs/every_type/pod-1/report.json"], "an upload that was given up leaves nothing");
}

#[tokio::test]
async fn an_attempt_keeps_its_own_time() {
    let (directory, mut plan) = ground();
    plan["datasets"][0]["query"] = ENDLESS.into();
    plan["datasets"][0]["key"] = json!([]);
    plan["limits"]["timeoutSeconds"] = 1.into();
    let began = std::time::Instant::now();
    let error = support::failure(&plan).await;
    assert_eq!((error.class, error.code.as_str()), (Class::Config, "TimedOut"));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert_eq!(support::object(directory.path(), "runs/every_type/manifest.json"), None);
}

#[tokio::test]
async fn the_statement_has_its_own_limits() {
    let (_directory, mut plan) = ground();
    plan["datasets"][0]["key"] = json!([]);
    plan["datasets"][0]["query"] = ENDLESS.into();
    plan["connectors"]["db"]["limits"] = json!({"statementTimeout": "500ms"});
    assert_eq!(support::failure(&plan).await.code, "StatementTimeout");
    plan["datasets"][0]["query"] = format!("SELECT count(*) AS n FROM ({ENDLESS})").into();
    plan["connectors"]["db"]["limits"] = json!({"firstRowTimeout": "500ms"});
    assert_eq!(support::failure(&plan).await.code, "FirstRowTimeout");
}

#[tokio::test]
async fn bad_plans_say_what_is_wrong() {
    let rule = |on: &str, rule: Value| json!([{"id": "R", "severity": "Error", "onViolation": on, "tolerance": {"rows": 1}, "rule": rule}]);
    let table: Vec<(&str, Value, &str, &str, Class)> = vec![
        ("/datasets/0/query", "SELECT 1 AS ref; SELECT 2".into(), "Read", "QueryNotSingle", Class::Config),
        (
            "/datasets/0/query",
            "DELETE FROM trades RETURNING ref".into(),
            "Read",
            "QueryWrites",
            Class::Config,
        ),
        ("/datasets/0/query", "SELECT nope FROM trades".into(), "Read", "QueryInvalid", Class::Config),
        (
            "/datasets/0/query",
            "SELECT ref FROM trades WHERE ref = :x".into(),
            "Read",
            "ParameterInvalid",
            Class::Config,
        ),
        // Which of the two is meant?
        (
            "/datasets/0/query",
            "SELECT *, qty AS ref FROM trades ORDER BY ref".into(),
            "Read",
            "ColumnAmbiguous",
            Class::Config,
        ),
        (
            "/datasets/0/columns",
            json!({"nope": {"decimal": [10, 2]}}),
            "Read",
            "ColumnMissing",
            Class::Config,
        ),
        (
            "/datasets/0/columns",
            json!({"price": {"decimal": [2, 10]}}),
            "Read",
            "ColumnDeclaration",
            Class::Config,
        ),
        (
            "/datasets/0/columns",
            json!({"price": {"decimal": [2, 2]}}),
            "Read",
            "ValueOutOfRange",
            Class::Data,
        ),
        ("/datasets/0/key", json!(["nope"]), "Check", "ColumnMissing", Class::Config),
        ("/datasets/0/connector", "nope".into(), "Plan", "PlanInvalid", Class::Internal),
        (
            "/connectors/db/source/sqlite/path",
            "/nonexistent/x.db".into(),
            "Read",
            "DatabaseMissing",
            Class::Config,
        ),
        (
            "/rules",
            rule("Flag", json!({"notNull": {"columns": ["nope"]}})),
            "Check",
            "ColumnMissing",
            Class::Config,
        ),
        (
            "/rules",
            rule("Flag", json!({"pattern": {"column": "qty", "regex": "x"}})),
            "Check",
            "ColumnNotText",
            Class::Config,
        ),
        (
            "/rules",
            rule("Flag", json!({"pattern": {"column": "ref", "regex": "("}})),
            "Check",
            "RegexInvalid",
            Class::Config,
        ),
        (
            "/rules",
            rule("Exclude", json!({"unique": {"columns": ["qty"]}})),
            "Plan",
            "RuleCannotExclude",
            Class::Config,
        ),
        ("/limits/scratchBytes", 10.into(), "Check", "ScratchFull", Class::Config),
        ("/limits/scratch", "/dev/null/scratch".into(), "Check", "ScratchFailed", Class::Transient),
        (
            "/fields",
            json!([{"to": "X", "from": {"column": "nope"}}]),
            "Transform",
            "ColumnMissing",
            Class::Config,
        ),
        (
            "/fields",
            json!([{"to": "X", "from": {"template": "{run.id}"}}]),
            "Transform",
            "PlanInvalid",
            Class::Internal,
        ),
        ("/datasets", json!([]), "Plan", "PlanInvalid", Class::Internal),
    ];
    for (path, value, stage, code, class) in table {
        let (directory, mut plan) = ground();
        if path.starts_with("/limits") {
            plan["rules"] = rule("Flag", json!({"unique": {"columns": ["qty"]}}));
        }
        *plan.pointer_mut(path).unwrap() = value.clone();
        let error = support::failure(&plan).await;
        assert_eq!(
            (format!("{:?}", error.stage).as_str(), error.code.as_str(), error.class),
            (stage, code, class),
            "{path} = {value}: {error}"
        );
        assert!(error.hint.is_some(), "{path} = {value}: {error}");
        assert!(!error.message.contains("3.00") && !error.message.contains("'C'"), "no value in {error}");
        assert_eq!(support::object(directory.path(), "runs/every_type/manifest.json"), None, "{path}");
        assert!(
            !support::files(directory.path()).iter().any(|f| f.contains("artifacts")),
            "{path}: nothing half made"
        );
    }
}

#[tokio::test]
async fn progress_is_told() {
    let (_directory, mut plan) = ground();
    plan["connectors"]["db"]["limits"] = json!({"batchRows": 1});
    let seen = Arc::new(std::sync::Mutex::new(Vec::new()));
    let into = seen.clone();
    let done = support::run_until(&plan, "pod-1", &CancellationToken::new(), Arc::new(move |p| into.lock().unwrap().push(p.read)))
        .await
        .unwrap();
    assert_eq!(done.done.outcome, Outcome::Generated);
    assert_eq!(*seen.lock().unwrap(), [1, 2, 3]);
}
