//! Paths of fields as they stand in `set` and as the API server writes them.

use serde_json::{Value, json};

/// A field without the numbers and keys of its items: `spec.validation[0].rule` is at `spec.validation[].rule`.
pub(super) fn place(at: &str) -> String {
    let mut out = String::new();
    let mut inside = false;
    for c in at.chars() {
        inside = inside && c != ']';
        if !inside {
            out.push(c);
        }
        inside = inside || c == '[';
    }
    out
}

/// Sets the field at a path such as `spec.validation[0].id`; null takes it away. An object that is not there is made.
pub(super) fn set(object: &mut Value, path: &str, value: Value) {
    let mut at = object;
    let mut steps = path.split('.').peekable();
    while let Some(step) = steps.next() {
        let (name, index) = match step.strip_suffix(']').and_then(|s| s.split_once('[')) {
            Some((name, index)) => (name, Some(index.parse::<usize>().expect("an index"))),
            None => (step, None),
        };
        let members = at.as_object_mut().unwrap_or_else(|| panic!("{path}: `{name}` is in no object"));
        if steps.peek().is_none() && index.is_none() {
            if value.is_null() {
                members.remove(name);
            } else {
                members.insert(name.to_owned(), value);
            }
            return;
        }
        let next = members.entry(name).or_insert_with(|| json!({}));
        at = match index {
            Some(i) => next.get_mut(i).unwrap_or_else(|| panic!("{path}: `{name}` has no item {i}")),
            None => next,
        };
        if steps.peek().is_none() {
            *at = value;
            return;
        }
    }
}
