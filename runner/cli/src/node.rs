//! A YAML document whose every value knows its line: what problems are pointed at.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// A value of a document.
#[derive(Debug)]
pub(crate) enum Node {
    Members(Vec<(String, Spanned<Node>)>),
    Items(Vec<Spanned<Node>>),
    Scalar(Value),
}

/// A line and a column, from 1.
pub(crate) type Position = (u64, u64);

impl Node {
    /// The value without its places.
    pub(crate) fn value(&self) -> Value {
        match self {
            Self::Members(members) => Value::Object(members.iter().map(|(name, node)| (name.clone(), node.value.value())).collect::<Map<_, _>>()),
            Self::Items(items) => Value::Array(items.iter().map(|node| node.value.value()).collect()),
            Self::Scalar(value) => value.clone(),
        }
    }
}

/// Where the value at `path` is, such as `spec.validation[2].rule`; if there is none, where the nearest one around it is.
pub(crate) fn position(root: &Spanned<Node>, path: &str) -> Position {
    let mut at = root;
    let mut rest = path;
    while !rest.is_empty() {
        let next = match &at.value {
            // The longest name first: names of labels and annotations may contain dots.
            Node::Members(members) => {
                let fitting = members.iter().filter(|(name, _)| {
                    rest.strip_prefix(name.as_str())
                        .is_some_and(|tail| tail.is_empty() || tail.starts_with(['.', '[']))
                });
                fitting.max_by_key(|(name, _)| name.len()).map(|(name, node)| (node, &rest[name.len()..]))
            }
            Node::Items(items) => rest.strip_prefix('[').and_then(|tail| {
                let (index, tail) = tail.split_once(']')?;
                Some((items.get(index.parse::<usize>().ok()?)?, tail))
            }),
            Node::Scalar(_) => None,
        };
        let Some((node, tail)) = next else { break };
        at = node;
        rest = tail.strip_prefix('.').unwrap_or(tail);
    }
    (at.referenced.line(), at.referenced.column())
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Nodes)
    }
}

struct Nodes;

impl<'de> Visitor<'de> for Nodes {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }
    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(Value::from(value)))
    }
    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_none<E>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }
    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(Node::Items(items))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Node, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = access.next_entry()? {
            members.push(member);
        }
        Ok(Node::Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_by_path() {
        // `yes` without quotes is a truth value, as kubectl reads it too.
        let text = "spec:\n  version: 1.0.0\n  list:\n    - {a: 1}\n    - a: yes\n      b: [x, z]\n  labels: {a.b: c}\n";
        let root: Spanned<Node> = serde_saphyr::from_str(text).expect("YAML");
        assert_eq!(
            root.value.value(),
            serde_json::json!({"spec": {"version": "1.0.0", "list": [{"a": 1}, {"a": true, "b": ["x", "z"]}], "labels": {"a.b": "c"}}})
        );
        for (path, expected) in [
            ("spec.version", (2, 12)),
            ("spec.list[0].a", (4, 11)),
            ("spec.list[1].b[1]", (6, 14)),
            ("spec.labels.a.b", (7, 17)),
            ("spec.list[1].nope", (5, 7)),
            ("spec.list[7]", (4, 5)),
        ] {
            assert_eq!(position(&root, path), expected, "{path}");
        }
    }
}
