//! `openreg run`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;

use super::{Answer, openreg, quickstart, samples};

const FILE: &str = "trades_529900T8BM49AURSDO55_20260302.csv";

fn run_in(directory: &Path, output: &Path, more: &[&str]) -> Answer {
    let (file, output) = (directory.join("quickstart.yaml"), output.to_str().expect("UTF-8"));
    let mut arguments = vec!["run", "-f", file.to_str().expect("UTF-8"), "--output", output];
    arguments.extend(more);
    openreg(arguments)
}

/// Every file below `root` but those of our own directory, with its bytes.
fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut open = vec![root.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            let name = path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned();
            match path.is_dir() {
                true if name == ".openreg" => {}
                true => open.push(path),
                false => drop(found.insert(name, std::fs::read(&path).expect("a file"))),
            }
        }
    }
    found
}

fn manifest(output: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(output.join("manifest.json")).expect("a manifest")).expect("JSON")
}

#[test]
fn the_quickstart_gives_the_same_bytes_every_time() {
    let place = tempfile::tempdir().expect("a directory");
    let (one, other) = (place.path().join("one"), place.path().join("deep/er/other"));
    let first = run_in(&samples(), &one, &[]);
    assert_eq!(first.code, 0, "{}{}", first.out, first.err);
    for expected in [
        "250       247         3        0",
        "buyer-known",
        "T00042, T00117, T00203",
        "isin-form",
        "T00064, T00181",
        FILE,
        "delivered",
        "next: look at",
    ] {
        assert!(first.out.contains(expected), "no `{expected}` in\n{}", first.out);
    }
    assert!(first.err.contains("running quickstart"), "{}", first.err);

    let made = files(&one);
    let names: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [&format!("delivered/quickstart-inbox/{FILE}"), "manifest.json", FILE, "violations.jsonl"]
    );
    let csv = std::str::from_utf8(&made[FILE]).expect("UTF-8");
    assert_eq!(csv.lines().count(), 248, "a header and 247 records");
    assert!(!csv.contains("T00042"), "a row without a LEI is excluded");
    assert!(csv.contains("T00064"), "a row that is flagged is reported");
    assert_eq!(made[FILE], made[&format!("delivered/quickstart-inbox/{FILE}")]);
    let manifest = manifest(&one);
    assert_eq!(
        (&manifest["outcome"], &manifest["artifacts"][0]["records"]),
        (&Value::from("Complete"), &Value::from(247))
    );
    // The bytes of the file are a promise: a change here is a change for everybody.
    assert_eq!(
        manifest["artifacts"][0]["sha256"],
        "27564c4f9bed260a9984866faa5bef10ea97a08464bbe2152c43469cf5492bb6"
    );
    assert_eq!(std::str::from_utf8(&made["violations.jsonl"]).expect("UTF-8").lines().count(), 5);

    // Again into the same directory, where somebody put a file of their own; and elsewhere.
    std::fs::write(one.join("notes.txt"), "mine").expect("written");
    assert_eq!(run_in(&samples(), &one, &[]).code, 0);
    let mut again = files(&one);
    assert_eq!(again.remove("notes.txt").as_deref(), Some(&b"mine"[..]));
    assert_eq!(again, made);
    assert_eq!(run_in(&samples(), &other, &[]).code, 0);
    assert_eq!(files(&other), made);
}

#[test]
fn too_many_violations_block_the_run_and_leave_no_file() {
    let directory = quickstart(|text| text.replace("tolerance: {rows: 5}", "tolerance: {rows: 2}"));
    let output = directory.path().join("out");
    // A file of a run before must not be taken for this one's.
    assert_eq!(run_in(&samples(), &output, &[]).code, 0);
    let answer = run_in(directory.path(), &output, &[]);
    assert_eq!(answer.code, 11, "{}{}", answer.out, answer.err);
    assert!(
        answer.out.contains("blocked: rules buyer-known found more than they tolerate"),
        "{}",
        answer.out
    );
    let made = files(&output);
    let names: Vec<&str> = made.keys().map(String::as_str).collect();
    assert_eq!(names, ["manifest.json", "violations.jsonl"]);
    assert_eq!(manifest(&output)["outcome"], "Blocked");
}

#[test]
fn parameters_and_period_come_from_the_command_line() {
    let directory = quickstart(|text| text);
    let output = directory.path().join("out");
    let more = [
        "--set",
        "lei=9695005MSX1OYEMGDF46",
        "--period-start",
        "2026-03-03T00:00:00+01:00",
        "--period-end",
        "2026-03-04T00:00:00+01:00",
    ];
    let answer = run_in(directory.path(), &output, &more);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    let csv = std::fs::read_to_string(output.join("trades_9695005MSX1OYEMGDF46_20260303.csv")).expect("the file");
    assert!(csv.lines().nth(1).is_some_and(|l| l.starts_with("9695005MSX1OYEMGDF46;")), "{csv}");

    let empty = run_in(
        directory.path(),
        &output,
        &["--period-start", "2020-01-01T00:00:00Z", "--period-end", "2020-01-02T00:00:00Z"],
    );
    assert_eq!(empty.code, 0, "{}{}", empty.out, empty.err);
    assert!(empty.out.contains("nothing to report"), "{}", empty.out);
}

#[test]
fn what_is_wrong_is_said_with_an_exit_code_and_a_hint() {
    /// What is tried, what is changed in the sample, more arguments, the exit code, part of the message.
    type Case = (&'static str, fn(String) -> String, &'static [&'static str], i32, &'static str);
    let cases: Vec<Case> = vec![
        (
            "no period",
            |t| t.replace("openreg.io/example-period", "example"),
            &[],
            10,
            "hint: write for example --period-start",
        ),
        ("half a period", |t| t, &["--period-start", "2026-03-02T00:00:00Z"], 2, "--period-end"),
        (
            "a wrong period",
            |t| t,
            &["--period-start", "today", "--period-end", "tomorrow"],
            10,
            "spec.period.start: `today` is not an instant",
        ),
        (
            "a parameter that is none",
            |t| t,
            &["--set", "nope=1"],
            10,
            "spec.parameters.nope: is no parameter of the report: the report has lei",
        ),
        (
            "a parameter that does not fit",
            |t| t,
            &["--set", "lei=x"],
            10,
            "spec.parameters.lei: `x` does not match",
        ),
        (
            "another report",
            |t| t,
            &["--report", "nope"],
            10,
            "could not find report nope in the files: they hold quickstart",
        ),
        (
            "a mistake in the report",
            |t| t.replace("version: 1.0.0", "version: 1.0"),
            &[],
            10,
            "quickstart.yaml:33:12 spec.version: `1.0` is a number: write a text, in quotes",
        ),
        (
            "a connector that is not there",
            |t| t.replace("connectorRef: quickstart", "connectorRef: other"),
            &[],
            10,
            "there is no Connector `other`",
        ),
        ("no YAML", |t| format!("{t}\n  - }}"), &[], 10, "it is no YAML"),
        (
            "a column that is not there",
            |t| t.replace("SELECT trade_ref,", "SELECT trade_ref, nope,"),
            &[],
            10,
            "no such column: nope",
        ),
        (
            "a file with the name of one of ours",
            |t| t.replace("trades_{param.lei}_{period.start:%Y%m%d}.csv", "violations.jsonl"),
            &[],
            10,
            "violations.jsonl is the name of a file of every run",
        ),
        ("a file that is not there", |t| t.replace("trades.sql", "other.sql"), &[], 10, "could not read"),
        (
            "a database that is not there",
            |t| t.replace("trades.sql", "trades.sqlite"),
            &[],
            10,
            "could not find the database",
        ),
        (
            "a Secret that is not given",
            |t| {
                t.replace(
                    "sqlite: {path: quickstart/trades.sql}",
                    "postgres: {host: db, database: d}\n  credentialsRef: {secret: db}",
                )
            },
            &[],
            10,
            "hint: give --secrets DIR",
        ),
    ];
    for (name, change, more, code, expected) in cases {
        let directory = quickstart(change);
        let answer = run_in(directory.path(), &directory.path().join("out"), more);
        assert_eq!(answer.code, code, "{name}: {}{}", answer.out, answer.err);
        assert!(answer.err.contains(expected), "{name}: no `{expected}` in\n{}", answer.err);
        assert!(!directory.path().join("out/manifest.json").exists(), "{name}: nothing was made");
    }
}

#[test]
fn statements_that_fail_are_named() {
    let directory = quickstart(|text| text);
    std::fs::write(directory.path().join("quickstart/trades.sql"), "CREATE TABL trades (a)").expect("written");
    let answer = run_in(directory.path(), &directory.path().join("out"), &[]);
    assert_eq!(answer.code, 10);
    assert!(
        answer.err.contains("could not make the database of connector quickstart by the statements in"),
        "{}",
        answer.err
    );
    assert!(answer.err.contains("syntax error"), "{}", answer.err);
}

#[test]
fn files_of_others_are_not_replaced() {
    let place = tempfile::tempdir().expect("a directory");
    std::fs::write(place.path().join(FILE), "mine").expect("written");
    let answer = run_in(&samples(), place.path(), &[]);
    assert_eq!(answer.code, 10, "{}{}", answer.out, answer.err);
    assert!(answer.err.contains("there is such a file, and no run made it"), "{}", answer.err);
    assert_eq!(std::fs::read_to_string(place.path().join(FILE)).expect("the file"), "mine");
}

#[test]
fn an_sftp_destination_is_named_and_left_alone() {
    let sftp = "sftp: {host: bank.example, directory: /in, hostKeys: [\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBU9ZnrCvOtzjlpg/icGmjPHIn51oMkZFI7KJ0OVGQVx\"], auth: {passwordKey: password}}\n  credentialsRef: {secret: bank}";
    let directory = quickstart(|text| text.replace("directory: {path: /data/inbox}", sftp));
    let answer = run_in(directory.path(), &directory.path().join("out"), &[]);
    assert_eq!(answer.code, 0, "{}{}", answer.out, answer.err);
    assert!(answer.out.contains("openreg run delivers to directories only"), "{}", answer.out);
}
