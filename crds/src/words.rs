//! Patterns in words: what the API server says instead of a regular expression.
//!
//! Its own message for a failed `pattern` is the regular expression. So each pattern becomes a CEL rule whose message says
//! what to write. It must not change what is accepted: CEL and `pattern` have the same syntax and the same engine.

use serde_json::{Map, Value, json};

/// Each pattern of the custom resources, and what to write where it stands.
const WORDS: [(&str, &str); 21] = [
    (r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$", "write MAJOR.MINOR.PATCH, such as 1.0.0"),
    (
        r"^(2|1(\.[0-9])?|0\.[1-9]|[1-9][0-9]{1,2}m|1[0-9]{3}m|2000m)$",
        "write CPUs from 10m to 2, such as 2, 1.5 or 500m",
    ),
    (r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$", "write a text from 0 to 1, such as \"0.001\""),
    (r"^([0-9]{1,9}(ms|s|m|h|d))+$", "write a length of time, such as 500ms, 10s, 5m, 1h30m or 7d"),
    (r"^[0-9]{1,10}(Ki|Mi|Gi)?$", "write a number of bytes, such as 64Ki, 8Mi or 4Gi"),
    (
        r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$",
        "write RFC 3339 with seconds and a zone, such as 2026-03-02T00:00:00Z",
    ),
    (
        r"^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        "write a day as YYYY-MM-DD, such as 2026-12-25",
    ),
    (r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "write hours and minutes, such as 12:00"),
    (r"^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$", "write an IANA name, such as Europe/Berlin"),
    (
        r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
        "write a UUID in lower case, such as 6f1c1d0a-8f0e-4f0c-9a57-2f6d1f6f3b11",
    ),
    (r"^[0-9a-f]{64}$", "write 64 hexadecimal digits in lower case"),
    (r"^/", "write an absolute path: one that begins with /"),
    (
        r"^([-_.a-zA-Z0-9]+/)+$",
        "write letters, digits, dots, hyphens, underscores and slashes, a slash last, such as acme/",
    ),
    (
        r"^https?://[^/?#@ ]+/?$",
        "write https:// and a host, with its port if need be, such as https://s3.acme.svc:7070",
    ),
    (
        r"^[a-z0-9][-.a-z0-9]+[a-z0-9]$",
        "write the bucket's name: 3 or more lower-case letters, digits, dots and hyphens, a letter or digit first and last",
    ),
    (
        r"^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$",
        "write the Secret's name: lower-case letters, digits, dots and hyphens, a letter or digit first and last",
    ),
    // Two spellings of one pattern, since they ask for two things.
    (
        r"^[-._a-zA-Z0-9]+$",
        "write the name of one of the Secret's keys: letters, digits, dots, hyphens and underscores",
    ),
    (r"^[-._A-Za-z0-9]+$", "write letters, digits, dots, hyphens and underscores only"),
    (
        r"^[A-Za-z0-9][-._A-Za-z0-9]*$",
        "write letters, digits, dots, hyphens and underscores, a letter or digit first, such as R-001",
    ),
    (
        r"^[a-z][a-z0-9_]*$",
        "write lower-case letters, digits and underscores, a letter first, such as trade_ref",
    ),
    (
        r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$",
        "write lower-case letters, digits and hyphens, a letter or digit first and last, such as record",
    ),
];

/// Puts a rule with words in the place of a schema's pattern. A pattern without words stays, which a test sees.
pub(crate) fn instead_of_pattern(schema: &mut Map<String, Value>) {
    let Some(pattern) = schema.get("pattern").and_then(Value::as_str) else {
        return;
    };
    let Some((pattern, message)) = WORDS.iter().find(|(known, _)| *known == pattern) else {
        return;
    };
    let rule = json!({"rule": format!("self.matches(r'{pattern}')"), "message": message});
    schema.remove("pattern");
    // Each of these patterns asks for at least as much; two messages for one mistake are one too many.
    schema.remove("minLength");
    schema.insert("x-kubernetes-validations".to_owned(), json!([rule]));
}

/// The pattern in a rule that was made of one here; for those who judge without an API server.
pub fn pattern_of(rule: &str) -> Option<&str> {
    rule.strip_prefix("self.matches(r'")?.strip_suffix("')")
}
