//! `openreg lint`.

use super::{openreg, samples};

fn lint(text: &str) -> (i32, Vec<String>, String) {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("x.yaml");
    std::fs::write(&file, text).expect("written");
    let answer = openreg(["lint", "-f", file.to_str().expect("UTF-8")]);
    let prefix = format!("{}:", file.display());
    (
        answer.code,
        answer.out.lines().map(|l| l.strip_prefix(&prefix).unwrap_or(l).to_owned()).collect(),
        answer.err,
    )
}

#[test]
fn the_samples_are_right() {
    let answer = openreg(["lint".as_ref(), "-f".as_ref(), samples().as_os_str()]);
    assert_eq!((answer.code, answer.out.as_str()), (0, ""), "{}", answer.err);
    assert!(answer.err.starts_with("0 problems in 10 documents of 8 files"), "{}", answer.err);
}

#[test]
fn each_problem_has_its_place() {
    let connector = "apiVersion: openreg.io/v1alpha1\nkind: Connector\nmetadata: {name: db}\nspec:\n";
    let report = std::fs::read_to_string(samples().join("quickstart.yaml")).expect("the sample");
    let cases: Vec<(String, Vec<&str>)> = vec![
        (format!("{connector}  sqlite: {{path: a.sqlite}}\n"), vec![]),
        (
            format!("{connector}  sqlite: {{path: a.sqlite}}\n  sqlight: 1\n"),
            vec!["6:12 spec.sqlight: is not a field here: write one of checkInterval, credentialsRef, limits, network, postgres, sqlite, timestamps"],
        ),
        (
            format!("{connector}  sqlite: {{file: a.sqlite}}\n"),
            vec![
                "5:11 spec.sqlite.path: is missing",
                "5:18 spec.sqlite.file: is not a field here: write one of path",
            ],
        ),
        (
            format!("{connector}  checkInterval: 6h\n"),
            vec!["5:3 spec: set exactly one of postgres, sqlite"],
        ),
        (
            format!("{connector}  sqlite: {{path: ../a}}\n"),
            vec!["5:18 spec.sqlite.path: must not contain `..`"],
        ),
        (
            format!("{connector}  sqlite: {{path: a}}\n  limits: {{batchRows: 0}}\n"),
            vec!["6:23 spec.limits.batchRows: 0 is not possible: write from 1 to 65536"],
        ),
        (
            format!("{connector}  sqlite: {{path: a}}\n  limits: {{connectTimeout: 10}}\n"),
            vec!["6:28 spec.limits.connectTimeout: `10` is a number: write a text, in quotes"],
        ),
        (
            format!("{connector}  sqlite: {{path: a}}\n  checkInterval: often\n"),
            vec!["6:18 spec.checkInterval: `often` is not possible: write a length of time, such as 500ms, 10s, 5m, 1h30m or 7d"],
        ),
        (
            "kind: Connector\n".to_owned(),
            vec!["1:1 is no Kubernetes object: write apiVersion, kind, metadata and spec"],
        ),
        (
            connector.replace("Connector", "Conector"),
            vec!["2:7 kind: `Conector` is not known: write one of Calendar, Connector, Destination, Report, ReportRun, ReportVersion, Schedule, Store"],
        ),
        (
            connector.replace("v1alpha1", "v9") + "  sqlite: {path: a}\n",
            vec!["1:13 apiVersion: `openreg.io/v9` is not known: write openreg.io/v1alpha1"],
        ),
        (
            connector.replace("{name: db}", "{name: Db}") + "  sqlite: {path: a}\n",
            vec!["3:18 metadata.name: `Db` is not a name: write lower-case letters, digits and hyphens, such as trades-daily"],
        ),
        (
            format!("{connector}  sqlite: {{path: a}}\n").replace("db", &"x".repeat(33)),
            vec!["3:18 metadata.name: has 33 characters: write at most 32"],
        ),
        ("a: [\n".to_owned(), vec!["is no YAML"]),
        ("apiVersion: v1\nkind: Secret\nmetadata: {name: x}\n".to_owned(), vec![]),
        (
            report.replace("connectorRef: quickstart", "connectorRef: other"),
            vec!["spec.source.datasets[0].connectorRef: there is no Connector `other` in this namespace: create it or name another"],
        ),
        (
            report.replace("regex: \"[A-Z]", "regex: \"[A-Z"),
            vec!["spec.validation[1].rule.pattern.regex: is not a regular expression"],
        ),
        (
            report.replace("AND trade_time < :period_end", "AND trade_time < :end"),
            vec!["spec.source.datasets[0].query: `:end` is not known: use :period_start, :period_end or a parameter"],
        ),
        (
            format!("{report}---\n{report}"),
            vec![
                "there is a Connector `quickstart` already",
                "there is a Destination `quickstart-inbox` already",
                "there is a Report `quickstart` already",
            ],
        ),
    ];
    for (text, expected) in cases {
        let (code, lines, summary) = lint(&text);
        assert_eq!(code, if expected.is_empty() { 0 } else { 10 }, "{text}\n{lines:#?}{summary}");
        assert_eq!(lines.len(), expected.len(), "{text}\n{lines:#?}");
        for (line, expected) in lines.iter().zip(expected) {
            assert!(line.contains(expected), "{text}\n`{expected}` is not in `{line}`");
        }
    }
}

#[test]
fn runs_and_schedules_are_judged_with_their_report() {
    let run = "apiVersion: openreg.io/v1alpha1\nkind: ReportRun\nmetadata: {name: r}\nspec:\n  id: 6f1c1d0a-8f0e-4f0c-9a57-2f6d1f6f3b11\n  reportRef: nope\n  trigger: Manual\n  period: {start: \"2026-03-03T00:00:00Z\", end: \"2026-03-04T00:00:00Z\"}\n";
    let (code, lines, _) = lint(run);
    assert_eq!(
        (code, lines),
        (
            10,
            vec!["6:14 spec.reportRef: there is no Report `nope` in this namespace: create it or name another".to_owned()]
        )
    );
}

#[test]
fn files_that_are_not_there_are_named() {
    let answer = openreg(["lint", "-f", "/nowhere/x.yaml"]);
    assert_eq!(answer.code, 10);
    assert!(answer.err.contains("could not read /nowhere/x.yaml"), "{}", answer.err);
    let empty = tempfile::tempdir().expect("a directory");
    let answer = openreg(["lint".as_ref(), "-f".as_ref(), empty.path().as_os_str()]);
    assert_eq!(answer.code, 10);
    assert!(answer.err.contains("could not find a .yaml or .yml file"), "{}", answer.err);
}
