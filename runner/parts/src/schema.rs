//! JSON schema in the shape that a custom resource definition accepts.

use schemars::{Schema, SchemaGenerator, json_schema};
use serde_json::{Map, Value, json};

/// Turns the schema of an externally tagged enum (`oneOf` of objects with one required key each) into one object whose
/// members are optional, with a CEL rule that wants exactly one of them.
///
/// Kubernetes refuses properties inside `oneOf`, and its own message for a failed `oneOf` names no field; the rule's does.
/// Used as `#[schemars(transform = crate::schema::exactly_one)]`.
pub fn exactly_one(schema: &mut Schema) {
    let Some(Value::Array(members)) = schema.remove("oneOf") else { return };
    let mut properties = Map::new();
    for member in members {
        if let Some(Value::Object(own)) = member.get("properties").cloned() {
            let description = member.get("description").cloned();
            for (name, mut value) in own {
                if let (Some(text), Some(object)) = (&description, value.as_object_mut()) {
                    object.insert("description".to_owned(), text.clone());
                }
                properties.insert(name, value);
            }
        }
    }
    let names: Vec<&str> = properties.keys().map(String::as_str).collect();
    let rule = format!(
        "[{}].exists_one(x, x)",
        names.iter().map(|n| format!("has(self.{n})")).collect::<Vec<_>>().join(", ")
    );
    let message = match names.as_slice() {
        [only] => format!("set {only}"),
        _ => format!("set exactly one of {}", names.join(", ")),
    };
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("x-kubernetes-validations".to_owned(), json!([{"rule": rule, "message": message}]));
    schema.insert("properties".to_owned(), Value::Object(properties));
}

/// The schema of a map from names to texts: at most `ENTRIES` of them, each of at most `LENGTH` characters.
/// Used as `#[schemars(schema_with = "crate::schema::text_map::<32, 256>")]`, since a map's values have no attribute.
pub fn text_map<const ENTRIES: usize, const LENGTH: usize>(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "object", "additionalProperties": {"type": "string", "maxLength": LENGTH}, "maxProperties": ENTRIES})
}
