//! Every rule of the custom resources and of the admission policies has a case that it accepts and one that it refuses, and
//! every case has its rule; and what is accepted can be read. Needs no cluster, so that `make check` sees it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use openreg_crds::{Calendar, Connector, Destination, Report, ReportRun, ReportVersion, Schedule, Store};
use serde_json::{Value, from_value, json};

use super::cases::{About, Expected, tables};

fn config(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../config").join(path)
}

/// The YAML documents of a file; those without content are left out.
fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    text.split("\n---\n")
        .map(|document| serde_saphyr::from_str(document).unwrap_or_else(|e| panic!("{}: {e}", path.display())))
        .filter(|document: &Value| document.is_object())
        .collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not a text")).to_owned()
}

/// The rules of the schema and of all below it.
fn rules(kind: &str, at: &str, schema: &Value, found: &mut BTreeSet<About>) {
    for rule in schema["x-kubernetes-validations"].as_array().into_iter().flatten() {
        let at = format!("{at}{}", rule["fieldPath"].as_str().unwrap_or_default());
        found.insert(About::Rule {
            kind: kind.to_owned(),
            at: at.trim_start_matches('.').to_owned(),
            says: text(&rule["message"]),
        });
    }
    for (name, schema) in schema["properties"].as_object().into_iter().flatten() {
        rules(kind, &format!("{at}.{name}"), schema, found);
    }
    for items in ["items", "additionalProperties"] {
        if schema[items].is_object() {
            rules(kind, &format!("{at}[]"), &schema[items], found);
        }
    }
}

fn all_rules() -> BTreeSet<About> {
    let mut found = BTreeSet::new();
    let directory = config("crd");
    for entry in std::fs::read_dir(&directory).expect("config/crd").map(|e| e.expect("an entry")) {
        for definition in documents(&entry.path()) {
            let kind = text(&definition["spec"]["names"]["kind"]);
            for version in definition["spec"]["versions"].as_array().expect("versions") {
                rules(&kind, "", &version["schema"]["openAPIV3Schema"], &mut found);
            }
        }
    }
    for policy in documents(&config("admission/policies.yaml")) {
        for validation in policy["spec"]["validations"].as_array().into_iter().flatten() {
            found.insert(About::Policy {
                policy: text(&policy["metadata"]["name"]),
                says: match validation["messageExpression"].as_str() {
                    Some(expression) => evaluated(expression, "ann"),
                    None => text(&validation["message"]),
                },
            });
        }
    }
    found
}

/// What `'write ' + variables.user + ' or not'` says to a user: texts in quotes, and between them the user's name.
fn evaluated(expression: &str, user: &str) -> String {
    let parts = expression.split('\'').enumerate();
    let say = |(i, part): (usize, &str)| match (i % 2, part.contains("variables.user")) {
        (1, _) => part.to_owned(),
        (_, true) => user.to_owned(),
        (_, false) => String::new(),
    };
    parts.map(say).collect()
}

#[test]
fn every_rule_has_its_cases() {
    let tables = tables();
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    for case in tables.cases() {
        match case.expected {
            Expected::Accepted => accepted.insert(case.about),
            Expected::Refused { .. } | Expected::Denied { .. } => refused.insert(case.about),
        };
    }
    let rules = all_rules();
    assert!(rules.len() > 40, "only {} rules were found", rules.len());
    // A form of text is the same rule wherever it stands in a kind: one place is enough.
    let somewhere = |cases: &BTreeSet<About>, rule: &About| match rule {
        About::Rule { kind, says, .. } if says.starts_with("write ") => cases
            .iter()
            .any(|c| matches!(c, About::Rule { kind: k, says: s, .. } if k == kind && s == says)),
        _ => cases.contains(rule),
    };
    let mut wrong = Vec::new();
    for rule in &rules {
        for (cases, what) in [(&accepted, "accepts"), (&refused, "refuses")] {
            if !somewhere(cases, rule) {
                wrong.push(format!("no case that it {what}: {rule:?}"));
            }
        }
    }
    for about in accepted.union(&refused).filter(|a| **a != About::Schema && !rules.contains(*a)) {
        wrong.push(format!("there are cases, but no such rule: {about:?}"));
    }
    assert!(wrong.is_empty(), "tests/e2e/admit/*.yaml:\n{}", wrong.join("\n"));
}

#[test]
fn no_pattern_speaks_for_itself() {
    fn patterns(at: &str, value: &Value, found: &mut Vec<String>) {
        if value["type"] == "string" && value["pattern"].is_string() {
            found.push(format!("{at}: {}", value["pattern"]));
        }
        for (name, value) in value.as_object().into_iter().flatten() {
            patterns(&format!("{at}.{name}"), value, found);
        }
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(config("crd")).expect("config/crd").map(|e| e.expect("an entry")) {
        for definition in documents(&entry.path()) {
            patterns("", &definition["spec"]["versions"][0]["schema"], &mut found);
        }
    }
    assert_eq!(found, Vec::<String>::new(), "say in crds/src/words.rs what to write for these patterns");
}

/// The operator, the API and the recorder watch all tenants at once: one object that they cannot read ends the watch of all.
#[test]
fn what_is_accepted_can_be_read() {
    let tables = tables();
    let mut wrong = Vec::new();
    for case in tables.cases().iter().filter(|c| matches!(c.expected, Expected::Accepted)) {
        let mut object = case.applied(tables.objects[&case.base].object.clone());
        object["apiVersion"] = json!("openreg.io/v1alpha1");
        let read = match case.kind.as_str() {
            "Store" => from_value::<Store>(object).map(drop),
            "Connector" => from_value::<Connector>(object).map(drop),
            "Destination" => from_value::<Destination>(object).map(drop),
            "Calendar" => from_value::<Calendar>(object).map(drop),
            "Report" => from_value::<Report>(object).map(drop),
            "ReportVersion" => from_value::<ReportVersion>(object).map(drop),
            "Schedule" => from_value::<Schedule>(object).map(drop),
            "ReportRun" => from_value::<ReportRun>(object).map(drop),
            other => panic!("no kind `{other}`"),
        };
        wrong.extend(read.err().map(|e| format!("{}: {e}", case.name())));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
