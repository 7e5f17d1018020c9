//! Every problem of one object alone: the field it names and the words it uses.

mod fixtures;

use fixtures::{changed, object, typed};
use openreg_crds::{CalendarSpec, Connector, Destination, Report, ReportRun, ScheduleSpec, Store};
use openreg_parts::error::Problem;
use openreg_resolve::{across, check};
use serde_json::{Value, json};

/// (pointer in the spec, what is put there, the field of the problem, part of its message)
type Case = (&'static str, Value, &'static str, &'static str);

fn expect(problems: &[Problem], case: &Case) {
    let (pointer, value, field, message) = case;
    let found = problems.iter().any(|p| p.field == *field && p.message.contains(message));
    assert!(found, "{pointer} = {value}: expected `{field}: …{message}…`, got {problems:#?}");
    for p in problems {
        assert!(!p.message.ends_with('.') && !p.message.contains('\n'), "one sentence, no full stop: {p}");
    }
}

#[test]
fn the_fixtures_are_right() {
    assert_eq!(check::report(&typed::<Report>("report").spec), []);
    assert_eq!(check::connector(&typed::<Connector>("connector").spec), []);
    assert_eq!(check::destination(&typed::<Destination>("destination").spec), []);
    assert_eq!(check::store(&typed::<Store>("store").spec), []);
    assert_eq!(check::run(&typed::<ReportRun>("run").spec), []);
}

#[test]
fn reports() {
    let exclude = |rule: Value| json!({"id": "X", "severity": "Error", "onViolation": "Exclude", "tolerance": {"rows": 1}, "rule": rule});
    let query = |text: &str| json!(text);
    let parameter = |more: Value| {
        let mut p = json!({"name": "extra", "type": "String"});
        p.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        p
    };
    let cases: Vec<Case> = vec![
        ("/version", json!("1.4"), "spec.version", "write MAJOR.MINOR.PATCH"),
        ("/version", json!("1.4.0-rc.1"), "spec.version", "write MAJOR.MINOR.PATCH"),
        (
            "/parameters/-",
            json!({"name": "lei", "type": "String"}),
            "spec.parameters[4].name",
            "`lei` is there already",
        ),
        (
            "/parameters/-",
            json!({"name": "period_start", "type": "Date"}),
            "spec.parameters[4].name",
            "choose another name",
        ),
        (
            "/parameters/-",
            parameter(json!({"type": "Enum"})),
            "spec.parameters[4].values",
            "list what it may be",
        ),
        (
            "/parameters/-",
            parameter(json!({"type": "Enum", "values": ["A", "A"]})),
            "spec.parameters[4].values[1]",
            "`A` is there already",
        ),
        (
            "/parameters/-",
            parameter(json!({"values": ["A"]})),
            "spec.parameters[4].values",
            "is for type Enum only",
        ),
        (
            "/parameters/-",
            parameter(json!({"type": "Integer", "pattern": "[0-9]"})),
            "spec.parameters[4].pattern",
            "is for type String only",
        ),
        (
            "/parameters/-",
            parameter(json!({"pattern": "["})),
            "spec.parameters[4].pattern",
            "is not a regular expression",
        ),
        (
            "/parameters/-",
            parameter(json!({"pattern": "a)(b"})),
            "spec.parameters[4].pattern",
            "is not a regular expression",
        ),
        (
            "/parameters/-",
            parameter(json!({"pattern": "(([a-z]{100}){100}){100}"})),
            "spec.parameters[4].pattern",
            "is not a regular expression",
        ),
        (
            "/parameters/-",
            parameter(json!({"required": true, "value": "x"})),
            "spec.parameters[4].value",
            "remove value or required",
        ),
        ("/parameters/1/value", json!("HOLD"), "spec.parameters[1].value", "write one of BUYI, SELL"),
        ("/parameters/2/value", json!("1,5"), "spec.parameters[2].value", "write a decimal such as 12.50"),
        ("/source/datasets/0/query", query("  "), "spec.source.datasets[0].query", "is empty"),
        (
            "/source/datasets/0/query",
            query("SELECT :nope"),
            "spec.source.datasets[0].query",
            "`:nope` is not known",
        ),
        (
            "/source/datasets/0/query",
            query("SELECT :note"),
            "spec.source.datasets[0].query",
            "uses parameter `note`, which a run may leave out",
        ),
        (
            "/source/datasets/0/key",
            json!(["a", "a"]),
            "spec.source.datasets[0].key[1]",
            "`a` is there already",
        ),
        (
            "/source/datasets/0/columns/net",
            json!({"decimal": [5, 18]}),
            "spec.source.datasets[0].columns.net.decimal",
            "write [precision, scale]",
        ),
        (
            "/source/datasets/0/columns/net",
            json!({"decimal": [39, 0]}),
            "spec.source.datasets[0].columns.net.decimal",
            "write [precision, scale]",
        ),
        (
            "/source/datasets/-",
            object("report")["spec"]["source"]["datasets"][0].clone(),
            "spec.source.datasets[1].name",
            "`trades` is there already",
        ),
        ("/validation/1/id", json!("R-001"), "spec.validation[1].id", "`R-001` is there already"),
        (
            "/validation/1/rule",
            json!({"pattern": {"column": "isin", "regex": "[A-Z"}}),
            "spec.validation[1].rule.pattern.regex",
            "is not a regular expression",
        ),
        (
            "/validation/1/rule",
            json!({"notNull": {"columns": []}}),
            "spec.validation[1].rule.notNull.columns",
            "name at least one",
        ),
        (
            "/validation/1/rule",
            json!({"notNull": {"columns": ["a", "a"]}}),
            "spec.validation[1].rule.notNull.columns[1]",
            "`a` is there already",
        ),
        (
            "/validation/1",
            exclude(json!({"unique": {"columns": ["isin"]}})),
            "spec.validation[1].onViolation",
            "too late to exclude one: use Block or Flag",
        ),
        (
            "/validation/0/tolerance",
            Value::Null,
            "spec.validation[0].tolerance",
            "is required for onViolation Exclude",
        ),
        (
            "/validation/0/tolerance",
            json!({}),
            "spec.validation[0].tolerance",
            "set rows, fraction or both",
        ),
        (
            "/validation/0/tolerance",
            json!({"rows": -1}),
            "spec.validation[0].tolerance.rows",
            "must not be negative",
        ),
        (
            "/validation/0/tolerance",
            json!({"fraction": "1.5"}),
            "spec.validation[0].tolerance.fraction",
            "is not a fraction",
        ),
        (
            "/validation/0/tolerance",
            json!({"fraction": ".5"}),
            "spec.validation[0].tolerance.fraction",
            "is not a fraction",
        ),
        (
            "/validation/1/tolerance",
            json!({"rows": 1}),
            "spec.validation[1].tolerance",
            "is for onViolation Exclude only",
        ),
        (
            "/mapping/-",
            json!({"name": "record", "fields": [{"to": "a", "from": {"column": "a"}}]}),
            "spec.mapping[1].name",
            "`record` is there already",
        ),
        (
            "/mapping/-",
            json!({"name": "other", "fields": [{"to": "a", "from": {"column": "a"}}]}),
            "spec.mapping[1]",
            "csv is a flat format and has one block",
        ),
        (
            "/mapping/0/fields/1/to",
            json!("Reference"),
            "spec.mapping[0].fields[1].to",
            "`Reference` is there already",
        ),
        (
            "/mapping/0/fields/2/from",
            json!({"parameter": "nope"}),
            "spec.mapping[0].fields[2].from.parameter",
            "declare it in spec.parameters",
        ),
        (
            "/mapping/0/fields/2/from",
            json!({"parameter": "note"}),
            "spec.mapping[0].fields[2].from.parameter",
            "which a run may leave out",
        ),
        (
            "/mapping/0/fields/3/from",
            json!({"template": "{run.plannedAt}"}),
            "spec.mapping[0].fields[3].from.template",
            "needs a format",
        ),
        (
            "/mapping/0/fields/3/from",
            json!({"template": "{param.note}"}),
            "spec.mapping[0].fields[3].from.template",
            "which a run may leave out",
        ),
        (
            "/output",
            json!({"csv": {"delimiter": "x"}}),
            "spec.output.csv.delimiter",
            "write one ASCII character",
        ),
        ("/file/name", json!("a/{param.lei}.csv"), "spec.file.name", "must not contain a slash"),
        ("/file/name", json!(".."), "spec.file.name", "is not a file name"),
        ("/file/name", json!(".hidden"), "spec.file.name", "must not begin with a dot"),
        ("/file/name", json!("a\tb"), "spec.file.name", "control characters"),
        ("/file/name", json!("x".repeat(201)), "spec.file.name", "more than 200 bytes"),
        ("/file/name", json!("{nope}.csv"), "spec.file.name", "is not known"),
        ("/file/name", json!("{param.note}.csv"), "spec.file.name", "which a run may leave out"),
        (
            "/delivery/-",
            json!({"destinationRef": "bank"}),
            "spec.delivery[1].destinationRef",
            "`bank` is there already",
        ),
        ("/delivery/0/path", json!("/in/../out"), "spec.delivery[0].path", "not contain `..`"),
        ("/delivery/0/path", json!("in"), "spec.delivery[0].path", "must begin with a slash"),
        ("/execution/timeout", json!("25h"), "spec.execution.timeout", "must be from 1s to 24h"),
        ("/execution/timeout", json!("500ms"), "spec.execution.timeout", "must be from 1s to 24h"),
        (
            "/execution/startupDeadline",
            json!("1s"),
            "spec.execution.startupDeadline",
            "must be from 10s to 1h",
        ),
        ("/execution/memory", json!("63Mi"), "spec.execution.memory", "must be from 64Mi to 4Gi"),
        ("/execution/memory", json!("5Gi"), "spec.execution.memory", "must be from 64Mi to 4Gi"),
        ("/execution/cpu", json!("2.1"), "spec.execution.cpu", "write from 10m to 2"),
        ("/execution/cpu", json!("4"), "spec.execution.cpu", "write from 10m to 2"),
        ("/execution/cpu", json!("fast"), "spec.execution.cpu", "write from 10m to 2"),
        (
            "/execution/retry/backoff",
            json!({"initial": "10m", "max": "30s"}),
            "spec.execution.retry.backoff.max",
            "must not be shorter than initial",
        ),
    ];
    for case in &cases {
        expect(&check::report(&changed("report", case.0, case.1.clone())), case);
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for (pointer, value) in [
        ("/validation/0/tolerance", json!({"fraction": "1.0"})),
        ("/validation/0/tolerance", json!({"fraction": "0"})),
        // Ordered by exactly these columns, unique knows at each row.
        (
            "/validation/2",
            json!({"id": "X", "severity": "Error", "onViolation": "Exclude", "tolerance": {"rows": 1}, "rule": {"unique": {"columns": ["trade_ref"]}}}),
        ),
        ("/execution/cpu", json!("1500m")),
        ("/execution/cpu", json!("0.5")),
        ("/execution/memory", json!("4Gi")),
        ("/mapping", Value::Null),
        ("/file/name", json!("{{x}}.csv")),
        ("/source/datasets/0/query", json!("SELECT a::text, '-- :x', $$:y$$ FROM t /* :z */")),
    ] {
        let problems = check::report(&changed("report", pointer, value.clone()));
        assert_eq!(problems, [], "{pointer} = {value}");
    }
}

#[test]
fn connectors_stores_and_destinations() {
    for case in [
        ("/postgres/host", json!("postgres://db"), "spec.postgres.host", "is not a host name"),
        ("/credentialsRef", Value::Null, "spec.credentialsRef", "is required for postgres"),
        (
            "/timestamps",
            json!({"timeZone": "Mars/Olympus"}),
            "spec.timestamps.timeZone",
            "is not an IANA time zone",
        ),
        ("/limits/connectTimeout", json!("0s"), "spec.limits.connectTimeout", "must be longer than zero"),
        ("/limits/batchBytes", json!("1Gi"), "spec.limits.batchBytes", "must be from 64Ki to 64Mi"),
        ("/network", json!({"cidrs": ["10.1.0.0"]}), "spec.network.cidrs[0]", "is not an address range"),
        (
            "/network",
            json!({"cidrs": ["10.1.0.0/16", "10.1.0.0/33"]}),
            "spec.network.cidrs[1]",
            "is not an address range",
        ),
    ] {
        expect(&check::connector(&changed("connector", case.0, case.1.clone())), &case);
    }
    for case in [
        ("/sftp/host", json!("a b"), "spec.sftp.host", "is not a host name"),
        (
            "/sftp/hostKeys",
            json!(["bank.example ssh-ed25519 AAAA"]),
            "spec.sftp.hostKeys[0]",
            "is not a public key",
        ),
        ("/credentialsRef", Value::Null, "spec.credentialsRef", "is required for sftp"),
        ("/delivery", json!({"timeout": "0s"}), "spec.delivery.timeout", "must be from 1s to 24h"),
        (
            "/delivery",
            json!({"backoff": {"initial": "0s"}}),
            "spec.delivery.backoff.initial",
            "must be from 1s to 1h",
        ),
        ("/network", json!({"cidrs": ["::/129"]}), "spec.network.cidrs[0]", "is not an address range"),
    ] {
        expect(&check::destination(&changed("destination", case.0, case.1.clone())), &case);
    }
    let case = ("/credentialsRef", Value::Null, "spec.credentialsRef", "is required for s3");
    expect(&check::store(&changed("store", case.0, case.1.clone())), &case);
}

#[test]
fn schedules_calendars_and_runs() {
    let schedule = |more: Value| -> ScheduleSpec {
        let mut spec = json!({"reportRef": "trades", "cron": ["30 18 * * MON-FRI"], "timeZone": "Europe/Berlin", "version": "1.4.0"});
        spec.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        serde_json::from_value(spec).expect("a schedule")
    };
    assert_eq!(check::schedule(&schedule(json!({}))), []);
    for case in [
        ("", json!({"cron": []}), "spec.cron", "write at least one"),
        ("", json!({"cron": ["30 18 * *"]}), "spec.cron[0]", "write five fields"),
        ("", json!({"cron": ["* * * * *", "61 * * * *"]}), "spec.cron[1]", "is not a cron expression"),
        ("", json!({"timeZone": "Berlin"}), "spec.timeZone", "is not an IANA time zone"),
        ("", json!({"version": "1"}), "spec.version", "write MAJOR.MINOR.PATCH"),
    ] {
        expect(&check::schedule(&schedule(case.1.clone())), &case);
    }
    let calendar = |spec: Value| -> CalendarSpec { serde_json::from_value(spec).expect("a calendar") };
    assert_eq!(
        check::calendar(&calendar(
            json!({"builtIn": "TARGET2", "holidays": [{"date": "2026-12-24", "name": "Eve", "closes": "12:00"}]})
        )),
        []
    );
    for case in [
        (
            "",
            json!({"holidays": [{"date": "2026-02-30", "name": "x"}]}),
            "spec.holidays[0].date",
            "is not a date",
        ),
        (
            "",
            json!({"holidays": [{"date": "2026-12-24", "name": "x", "closes": "25:00"}]}),
            "spec.holidays[0].closes",
            "is not a time of day",
        ),
        (
            "",
            json!({"holidays": [{"date": "2026-12-24", "name": "x"}, {"date": "2026-12-24", "name": "y"}]}),
            "spec.holidays[1].date",
            "is there already",
        ),
        (
            "",
            json!({"weekend": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]}),
            "spec.weekend",
            "leave one out",
        ),
    ] {
        expect(&check::calendar(&calendar(case.1.clone())), &case);
    }
    for case in [
        ("/id", json!("1"), "spec.id", "is not a UUID"),
        ("/version", json!("x"), "spec.version", "write MAJOR.MINOR.PATCH"),
        ("/period/start", json!("2026-03-02"), "spec.period.start", "is not an instant"),
        ("/period/end", json!("tomorrow"), "spec.period.end", "is not an instant"),
        (
            "/period/end",
            json!("2026-03-02T00:00:00+01:00"),
            "spec.period.end",
            "must be after period.start",
        ),
    ] {
        expect(&check::run(&changed("run", case.0, case.1.clone())), &case);
    }
}

#[test]
fn references() {
    let report: Report = typed("report");
    let (connector, destination, store) = (typed::<Connector>("connector"), typed::<Destination>("destination"), typed::<Store>("store"));
    let all = across::Found {
        connector: &|_| Some(connector.clone()),
        destination: &|_| Some(destination.clone()),
        store: Some(&store),
    };
    assert_eq!(across::report(&report.spec, &all), []);
    let none = across::Found {
        connector: &|_| None,
        destination: &|_| None,
        store: None,
    };
    let problems = across::report(&report.spec, &none);
    let texts: Vec<String> = problems.iter().map(ToString::to_string).collect();
    assert_eq!(
        texts,
        [
            "spec: the namespace has no Store: create one named default, where artifacts are kept",
            "spec.source.datasets[0].connectorRef: there is no Connector `trades` in this namespace: create it or name another",
            "spec.delivery[0].destinationRef: there is no Destination `bank` in this namespace: create it or name another",
        ]
    );
    let run: ReportRun = typed("run");
    assert_eq!(across::run(&run.spec, Some(&report.spec)), []);
    assert_eq!(across::run(&run.spec, None)[0].field, "spec.reportRef");
    let spec = changed("run", "/parameters", json!({"lei": "x", "extra": "y"}));
    let fields: Vec<String> = across::run(&spec, Some(&report.spec)).into_iter().map(|p| p.field).collect();
    assert_eq!(fields, ["spec.parameters.extra", "spec.parameters.lei"]);
}
