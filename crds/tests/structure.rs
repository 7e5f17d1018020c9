//! Walks every custom resource definition for the rules that hold for all kinds.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use openreg_crds::definition;
use serde_json::{Map, Value};

type Object = Map<String, Value>;

/// 128 KiB: half of what a client-side apply could carry.
const MAX_BYTES: usize = 128 * 1024;

fn name(definition: &Value) -> String {
    definition["metadata"]["name"].as_str().unwrap().to_owned()
}

fn schema(definition: &Value) -> &Value {
    &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
}

/// Calls `visit` with the path and the object of each schema, at any depth.
fn walk(path: &str, schema: &Value, visit: &mut impl FnMut(&str, &Object)) {
    let Some(object) = schema.as_object() else { return };
    visit(path, object);
    if let Some(properties) = object.get("properties").and_then(Value::as_object) {
        for (property, child) in properties {
            walk(&format!("{path}.{property}"), child, visit);
        }
    }
    for (key, mark) in [("items", "[]"), ("additionalProperties", "{}")] {
        if let Some(child) = object.get(key) {
            walk(&format!("{path}{mark}"), child, visit);
        }
    }
}

fn wrong(judge: impl Fn(&str, &Object) -> Option<String>) -> Vec<String> {
    let mut found = Vec::new();
    for definition in definition::all() {
        let kind = name(&definition);
        walk("", schema(&definition), &mut |path, object| {
            if let Some(complaint) = judge(path, object) {
                found.push(format!("{kind} {path}: {complaint}"));
            }
        });
    }
    found
}

#[test]
fn there_are_eight_kinds() {
    let mut names: Vec<_> = definition::all().iter().map(name).collect();
    names.sort();
    let expected = [
        "calendars",
        "connectors",
        "destinations",
        "reportruns",
        "reports",
        "reportversions",
        "schedules",
        "stores",
    ]
    .map(|n| format!("{n}.openreg.io"));
    assert_eq!(names, expected);
}

#[test]
fn no_schema_has_a_default() {
    assert_eq!(
        wrong(|_, o| o.contains_key("default").then(|| "has a default: Argo CD would see drift".to_owned())),
        Vec::<String>::new()
    );
}

#[test]
fn every_schema_is_structural() {
    let forbidden = [
        "oneOf",
        "anyOf",
        "allOf",
        "not",
        "$ref",
        "$defs",
        "definitions",
        "nullable",
        "x-kubernetes-preserve-unknown-fields",
    ];
    assert_eq!(
        wrong(|_, o| {
            if let Some(key) = forbidden.iter().find(|k| o.contains_key(**k)) {
                return Some(format!("has {key}"));
            }
            (!o.contains_key("type")).then(|| "has no type".to_owned())
        }),
        Vec::<String>::new()
    );
}

#[test]
fn everything_is_bounded() {
    assert_eq!(
        wrong(|path, o| {
            // The API server bounds metadata itself.
            if path == ".metadata" {
                return None;
            }
            let has = |key: &str| o.contains_key(key);
            match o.get("type").and_then(Value::as_str) {
                Some("array") if !has("maxItems") => Some("is an array without maxItems".to_owned()),
                Some("string") if !has("maxLength") && !has("enum") && o.get("format") != Some(&Value::from("date-time")) => {
                    Some("is a string without maxLength".to_owned())
                }
                Some("object") if has("additionalProperties") && !has("maxProperties") => Some("is a map without maxProperties".to_owned()),
                Some("object") if !has("additionalProperties") && !has("properties") => Some("is an object of anything".to_owned()),
                _ => None,
            }
        }),
        Vec::<String>::new()
    );
}

#[test]
fn conditions_are_keyed_by_type() {
    let mut seen = 0;
    for definition in definition::all() {
        let Some(conditions) = schema(&definition).pointer("/properties/status/properties/conditions") else {
            continue;
        };
        seen += 1;
        assert_eq!(conditions["x-kubernetes-list-type"], "map", "{}", name(&definition));
        assert_eq!(conditions["x-kubernetes-list-map-keys"], serde_json::json!(["type"]), "{}", name(&definition));
    }
    assert_eq!(seen, 6, "all kinds but Calendar and ReportVersion have conditions");
}

#[test]
fn every_rule_has_a_message() {
    assert_eq!(
        wrong(|_, o| {
            let rules = o.get("x-kubernetes-validations")?.as_array()?;
            let bad = rules
                .iter()
                .find(|r| r["message"].as_str().is_none_or(|m| m.is_empty() || m.ends_with('.')) || r["rule"].as_str().is_none_or(str::is_empty))?;
            Some(format!("rule without a proper message: {bad}"))
        }),
        Vec::<String>::new()
    );
}

#[test]
fn every_field_is_described() {
    assert_eq!(
        wrong(|path, o| (!path.is_empty()
            && !path.starts_with(".metadata")
            && !path.ends_with("[]")
            && !path.ends_with("{}")
            && !path.ends_with(".spec")
            && !path.ends_with(".status")
            && !o.contains_key("description"))
        .then(|| "has no description".to_owned())),
        Vec::<String>::new()
    );
}

#[test]
fn unions_want_exactly_one_member() {
    let rules = |kind: &str, pointer: &str| {
        let all = definition::all();
        let definition = all.iter().find(|d| name(d) == format!("{kind}.openreg.io")).unwrap();
        let union = schema(definition).pointer(pointer).unwrap_or_else(|| panic!("{kind} has no {pointer}")).clone();
        let required = union.get("required").cloned();
        (
            union["x-kubernetes-validations"][0]["message"].as_str().unwrap_or_default().to_owned(),
            required,
        )
    };
    for (kind, pointer, message) in [
        ("connectors", "/properties/spec", "set exactly one of postgres, sqlite"),
        ("stores", "/properties/spec", "set exactly one of s3, directory"),
        ("destinations", "/properties/spec", "set exactly one of sftp, directory"),
        ("destinations", "/properties/spec/properties/network", "set exactly one of cidrs, pods"),
        ("reports", "/properties/spec/properties/output", "set csv"),
        (
            "reports",
            "/properties/spec/properties/validation/items/properties/rule",
            "set exactly one of notNull, pattern, unique",
        ),
        (
            "reports",
            "/properties/spec/properties/mapping/items/properties/fields/items/properties/from",
            "set exactly one of column, constant, parameter, template",
        ),
    ] {
        assert_eq!(rules(kind, pointer), (message.to_owned(), None), "{kind} {pointer}");
    }
}

#[test]
fn definitions_are_small_and_committed() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/crd");
    for definition in definition::all() {
        let text = definition::to_yaml(&definition).unwrap();
        let file = format!("{}.yaml", definition["spec"]["names"]["plural"].as_str().unwrap());
        assert!(text.len() < MAX_BYTES, "{file} has {} bytes", text.len());
        let committed = std::fs::read_to_string(directory.join(&file)).unwrap_or_default();
        assert!(
            committed == text,
            "config/crd/{file} is not what crdgen writes: run `cargo run -p openreg-crds --bin crdgen config/crd`"
        );
    }
}
