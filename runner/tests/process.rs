//! The binary as a pod runs it: arguments, termination message, exit code, log, SIGTERM.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod support;

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use openreg_plan::Sha256;
use serde_json::{Value, json};
use support::postgres::Postgres;

const TABLE: &str = "CREATE TABLE trades (ref TEXT, qty INTEGER); INSERT INTO trades VALUES ('CANARY', 1);";

fn ground() -> (tempfile::TempDir, Value) {
    let directory = tempfile::tempdir().unwrap();
    support::sqlite(directory.path(), TABLE);
    let plan = support::plan(include_str!("golden/every_type/plan.json"), directory.path());
    (directory, plan)
}

fn command(directory: &Path, plan: &Value, digest: Option<&str>) -> Command {
    let bytes = serde_json::to_vec(plan).unwrap();
    std::fs::write(directory.join("plan.json"), &bytes).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_openreg-runner"));
    command.arg("generate").arg("--plan").arg(directory.join("plan.json")).args([
        "--plan-sha256",
        digest.unwrap_or(Sha256::of(&bytes).as_str()),
        "--attempt",
        "1",
    ]);
    command
        .arg("--termination-path")
        .arg(directory.join("message"))
        .env("POD_UID", "pod-1")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn message(directory: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(directory.join("message")).unwrap()).unwrap()
}

fn log(output: &Output) -> Vec<Value> {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(text)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}")))
        .collect()
}

#[test]
fn a_good_plan_ends_well() {
    let (directory, plan) = ground();
    let output = command(directory.path(), &plan, None).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let report = message(directory.path());
    assert_eq!(
        (report["outcome"].as_str(), report["totals"]["reported"].as_u64()),
        (Some("Generated"), Some(1))
    );
    assert!(report["usage"]["vmHwmBytes"].as_u64() > Some(1 << 20));
    let sealed = support::object(directory.path(), report["manifest"]["key"].as_str().unwrap()).unwrap();
    assert_eq!(report["manifest"]["sha256"].as_str(), Some(Sha256::of(&sealed).as_str()));
    assert!(!log(&output).is_empty());
    let logged = format!("{output:?}");
    assert!(!logged.contains("CANARY"), "no value in the log");
}

#[test]
fn failures_have_their_exit_code() {
    let other = Sha256::of(b"other");
    let table: [(&str, Value, Option<&str>, i32, &str); 4] = [
        ("/datasets/0/query", "SELECT nope FROM trades".into(), None, 10, "QueryInvalid"),
        ("/datasets/0/columns", json!({"ref": {"decimal": [5, 2]}}), None, 11, "ValueOutOfRange"),
        ("/version", 9.into(), None, 30, "PlanVersion"),
        ("/version", 1.into(), Some(other.as_str()), 30, "PlanDigestMismatch"),
    ];
    for (path, value, digest, exit, code) in table {
        let (directory, mut plan) = ground();
        *plan.pointer_mut(path).unwrap() = value;
        let output = command(directory.path(), &plan, digest).output().unwrap();
        let report = message(directory.path());
        assert_eq!(
            (output.status.code(), report["failure"]["code"].as_str(), report["outcome"].as_str()),
            (Some(exit), Some(code), Some("Failed")),
            "{output:?}"
        );
        assert!(log(&output).iter().any(|line| line["fields"]["code"] == code), "the failure is logged");
        assert!(!format!("{output:?} {report}").contains("CANARY"), "no value in log or message");
    }
}

#[test]
fn sigterm_is_obeyed() {
    let (directory, mut plan) = ground();
    plan["datasets"][0]["query"] = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000000) SELECT i FROM n".into();
    plan["datasets"][0]["key"] = json!([]);
    let child = command(directory.path(), &plan, None).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(800));
    let began = Instant::now();
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(message(directory.path())["outcome"].as_str(), Some("Cancelled"), "{output:?}");
    assert_eq!(output.status.code(), Some(143));
    assert!(began.elapsed() < Duration::from_secs(10));
    assert!(
        !support::files(&directory.path().join("store"))
            .iter()
            .any(|f| f.contains("artifacts") || f.contains("manifest"))
    );
}

/// Not a benchmark, but the promise that memory does not grow with rows: 200,000 rows of 20 columns.
#[tokio::test(flavor = "multi_thread")]
async fn memory_stays_small() {
    let Some(postgres) = Postgres::start("memory_stays_small").await else {
        return;
    };
    postgres
        .execute(
            "CREATE TABLE wide AS SELECT i::bigint AS id, 'TRADE-' || lpad(i::text, 9, '0') AS ref, (i % 7)::int AS book, (i * 1.25)::numeric(18,4) AS price, (i * 3)::numeric(18,2) AS qty,
             i % 2 = 0 AS live, date '2026-01-01' + (i % 300)::int AS day, timestamptz '2026-01-01 00:00Z' + i * interval '1 second' AS at, timestamp '2026-01-01' + i * interval '1 second' AS local_at,
             md5(i::text) AS a, md5((i + 1)::text) AS b, 'XPAR' AS venue, 'EUR' AS ccy, (i % 1000)::int AS c1, (i % 999)::int AS c2, (i * 0.001)::numeric(12,5) AS c3, i::float8 / 8 AS c4,
             CASE WHEN i % 10 = 0 THEN NULL ELSE 'note ' || i END AS note, 'DE0001234567' AS isin, '529900T8BM49AURSDO55' AS lei
             FROM generate_series(1, 200000) AS i",
        )
        .await;
    let (directory, mut plan) = ground();
    plan["connectors"]["db"] = postgres.connector();
    plan["datasets"][0]["query"] = "SELECT * FROM wide ORDER BY id".into();
    plan["datasets"][0]["key"] = json!(["id"]);
    let rule = |id: &str, rule: Value| json!({"id": id, "severity": "Error", "onViolation": "Flag", "tolerance": {}, "rule": rule});
    for rules in [
        json!([]),
        json!([
            rule("R-1", json!({"notNull": {"columns": ["note"]}})),
            rule("R-2", json!({"pattern": {"column": "lei", "regex": "[A-Z0-9]{20}"}})),
            rule("R-3", json!({"unique": {"columns": ["ref"]}}))
        ]),
    ] {
        plan["run"]["id"] = format!("rules-{}", rules.as_array().unwrap().len()).into();
        plan["limits"]["scratchBytes"] = (64 << 20).into();
        plan["rules"] = rules.clone();
        let output = command(directory.path(), &plan, None).output().unwrap();
        let report = message(directory.path());
        assert_eq!(report["totals"]["reported"].as_u64(), Some(200_000), "{output:?}");
        let (millis, hwm) = (report["usage"]["durationMs"].as_u64().unwrap(), report["usage"]["vmHwmBytes"].as_u64().unwrap());
        println!(
            "{} rules: 200000 rows in {millis} ms, {} rows/s, VmHWM {} MiB, {} bytes",
            rules.as_array().unwrap().len(),
            200_000_000 / millis.max(1),
            hwm >> 20,
            report["totals"]["bytes"]
        );
        assert!(hwm < 128 << 20, "VmHWM {hwm}");
    }
}
