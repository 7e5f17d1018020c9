//! What the API server would refuse in an object: the structural part of the CRDs' own schemas, and the two forms of rule
//! that say "exactly one of" and "matches". Other CEL rules are said again by `openreg-resolve` where they judge one object.

use std::collections::BTreeMap;

use openreg_parts::error::Problem;
use serde_json::{Map, Value};

/// The schemas of all kinds.
pub(crate) struct Schemas {
    kinds: BTreeMap<String, Value>,
}

impl Schemas {
    /// Of the definitions that this program was built with.
    pub(crate) fn new() -> Self {
        let kinds = openreg_crds::definition::all().into_iter().filter_map(|crd| {
            let kind = crd.pointer("/spec/names/kind")?.as_str()?.to_owned();
            Some((kind, crd.pointer("/spec/versions/0/schema/openAPIV3Schema")?.clone()))
        });
        Self { kinds: kinds.collect() }
    }

    /// The kinds' names.
    pub(crate) fn kinds(&self) -> Vec<&str> {
        self.kinds.keys().map(String::as_str).collect()
    }

    /// What is wrong with an object of that kind; `None` when there is no such kind.
    pub(crate) fn problems(&self, kind: &str, object: &Value) -> Option<Vec<Problem>> {
        let schema = self.kinds.get(kind)?;
        let mut problems = Vec::new();
        let none = Map::new();
        for (name, value) in object.as_object().unwrap_or(&none) {
            match name.as_str() {
                "apiVersion" | "kind" | "metadata" | "status" => {}
                _ => match schema.pointer("/properties").and_then(|p| p.get(name)) {
                    Some(schema) => judge(schema, value, name, &mut problems),
                    None => problems.push(Problem::new(name, "is not a field of an object: write apiVersion, kind, metadata and spec")),
                },
            }
        }
        if object.get("spec").is_none() {
            problems.push(Problem::new("spec", format!("is missing: write what the {kind} is")));
        }
        Some(problems)
    }
}

fn judge(schema: &Value, value: &Value, at: &str, problems: &mut Vec<Problem>) {
    let kind = schema.get("type").and_then(Value::as_str).unwrap_or_default();
    let right = match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        _ => true,
    };
    if !right {
        return problems.push(Problem::new(at, format!("{} is {}: write {}", shown(value), named(value), wanted(kind, value))));
    }
    if let Some(allowed) = schema.get("enum").and_then(Value::as_array)
        && !allowed.contains(value)
    {
        let words: Vec<String> = allowed.iter().map(shown).collect();
        problems.push(Problem::new(at, format!("{} is not possible: write {}", shown(value), words.join(", "))));
    }
    match value {
        Value::Object(members) => object(schema, members, at, problems),
        Value::Array(items) => {
            within(schema, "minItems", "maxItems", items.len() as f64, "entries", at, problems);
            if let Some(schema) = schema.get("items") {
                items
                    .iter()
                    .enumerate()
                    .for_each(|(i, item)| judge(schema, item, &format!("{at}[{i}]"), problems));
            }
        }
        Value::String(text) => {
            within(schema, "minLength", "maxLength", text.chars().count() as f64, "characters", at, problems);
            for (rule, message) in rules(schema) {
                if let Some(pattern) = openreg_crds::words::pattern_of(rule)
                    && !regex::Regex::new(pattern).is_ok_and(|r| r.is_match(text))
                {
                    problems.push(Problem::new(at, format!("`{text}` is not possible: {message}")));
                }
            }
        }
        Value::Number(number) => within(schema, "minimum", "maximum", number.as_f64().unwrap_or_default(), "", at, problems),
        _ => {}
    }
}

fn object(schema: &Value, members: &Map<String, Value>, at: &str, problems: &mut Vec<Problem>) {
    within(schema, "minProperties", "maxProperties", members.len() as f64, "entries", at, problems);
    for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        if !members.contains_key(name) {
            problems.push(Problem::new(format!("{at}.{name}"), "is missing"));
        }
    }
    let properties = schema.get("properties").and_then(Value::as_object);
    for (name, value) in members {
        let at = format!("{at}.{name}");
        match (properties.and_then(|p| p.get(name)), schema.get("additionalProperties")) {
            // A member that is null is a member that is absent.
            (Some(_), _) if value.is_null() => {}
            (Some(schema), _) => judge(schema, value, &at, problems),
            (None, Some(schema)) if schema.is_object() => judge(schema, value, &at, problems),
            (None, Some(Value::Bool(true))) => {}
            _ => {
                let known: Vec<&str> = properties.into_iter().flatten().map(|(name, _)| name.as_str()).collect();
                problems.push(Problem::new(at, format!("is not a field here: write one of {}", known.join(", "))));
            }
        }
    }
    for (rule, message) in rules(schema) {
        if let Some(names) = exactly_one(rule)
            && names.iter().filter(|name| members.contains_key(**name)).count() != 1
        {
            problems.push(Problem::new(at, message));
        }
    }
}

/// The CEL rules of a schema, each with its message.
fn rules(schema: &Value) -> impl Iterator<Item = (&str, &str)> {
    let rules = schema.get("x-kubernetes-validations").and_then(Value::as_array);
    rules
        .into_iter()
        .flatten()
        .filter_map(|rule| Some((rule.get("rule")?.as_str()?, rule.get("message")?.as_str()?)))
}

/// The members in `[has(self.a), has(self.b)].exists_one(x, x)`.
fn exactly_one(rule: &str) -> Option<Vec<&str>> {
    let list = rule.strip_prefix('[')?.strip_suffix("].exists_one(x, x)")?;
    list.split(", ").map(|term| term.strip_prefix("has(self.")?.strip_suffix(')')).collect()
}

fn within(schema: &Value, min: &str, max: &str, found: f64, unit: &str, at: &str, problems: &mut Vec<Problem>) {
    let (min, max) = (schema.get(min).and_then(Value::as_f64), schema.get(max).and_then(Value::as_f64));
    if min.is_none_or(|min| found >= min) && max.is_none_or(|max| found <= max) {
        return;
    }
    let bounds = match (min, max) {
        (Some(min), Some(max)) if min == max => format!("exactly {min}"),
        (Some(min), Some(max)) => format!("from {min} to {max}"),
        (Some(min), None) => format!("at least {min}"),
        (_, Some(max)) => format!("at most {max}"),
        (None, None) => return,
    };
    let message = if unit.is_empty() {
        format!("{found} is not possible: write {bounds}")
    } else {
        format!("has {found} {unit}: write {bounds}")
    };
    problems.push(Problem::new(at, message));
}

fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => format!("`{text}`"),
        Value::Object(_) | Value::Array(_) => "this".to_owned(),
        plain => format!("`{plain}`"),
    }
}

fn named(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a truth value",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

fn wanted(kind: &str, value: &Value) -> &'static str {
    match kind {
        "string" if value.is_number() || value.is_boolean() => "a text, in quotes",
        "string" => "a text",
        "array" => "a list",
        "object" => "an object",
        "integer" => "a whole number, without quotes",
        "boolean" => "true or false, without quotes",
        _ => "a number",
    }
}
