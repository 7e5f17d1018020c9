//! What an entry is, and what its hash is of.
//!
//! The hash is SHA-256 over nine texts, each written as a netstring: its length in bytes as decimal digits, a colon, its
//! bytes, a comma. Netstrings cannot be confused with one another, whatever the texts hold. The texts, in order:
//!
//! 1. `openreg.audit.v1`
//! 2. the tenant, a UUID in lower case with hyphens
//! 3. the number, decimal
//! 4. the time, UTC with six digits of a second: `2026-03-02T05:06:07.000000Z`
//! 5. the actor
//! 6. the action
//! 7. the subject
//! 8. the detail as JSON: no white space, members of objects in the order of their names' bytes, texts escaped as
//!    `serde_json` does (only `"`, `\` and control characters), integers as decimal digits. There is no other number: how a
//!    fraction is written differs between programs, so [`Entry::next`] turns one into a text
//! 9. the hash of the entry before, 64 lower-case hexadecimal digits; 64 zeros for the first
//!
//! In words of another language:
//! `sha256("".join(f"{len(t.encode())}:{t}," for t in texts))`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// What stands for the hash before the first entry.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// The first of the hashed texts.
const LAYOUT: &str = "openreg.audit.v1";

/// One entry of a tenant's chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The tenant: the UID of its namespace.
    pub tenant: Uuid,
    /// Its number, from 1 without a gap.
    pub seq: u64,
    /// When, in whole microseconds.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// What was done: `run.ended`.
    pub action: String,
    /// With what: `run/<id>`.
    pub subject: String,
    /// The particulars.
    pub detail: Value,
    /// The hash of the entry before, 64 lower-case hexadecimal digits; [`GENESIS`] for the first.
    pub prev: String,
    /// The hash of this entry.
    pub hash: String,
}

impl Entry {
    /// The entry that follows `last`, with its hash. Times are cut to microseconds, since that is what is hashed.
    pub fn next(last: Option<&Entry>, tenant: Uuid, at: Timestamp, actor: &str, action: &str, subject: &str, detail: Value) -> Self {
        let (seq, prev) = last.map_or((1, GENESIS.to_owned()), |l| (l.seq + 1, l.hash.clone()));
        let mut entry = Self {
            tenant,
            seq,
            at: Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at),
            actor: actor.to_owned(),
            action: action.to_owned(),
            subject: subject.to_owned(),
            detail: without_fractions(detail),
            prev,
            hash: String::new(),
        };
        entry.hash = hash(&entry);
        entry
    }
}

/// The hash of an entry: of all its fields but `hash` itself.
pub fn hash(entry: &Entry) -> String {
    hex::encode(Sha256::digest(canonical(entry)))
}

/// The bytes that are hashed.
pub fn canonical(entry: &Entry) -> Vec<u8> {
    let texts = [
        LAYOUT,
        &entry.tenant.hyphenated().to_string(),
        &entry.seq.to_string(),
        &time(entry.at),
        &entry.actor,
        &entry.action,
        &entry.subject,
        &sorted(&entry.detail),
        &entry.prev,
    ];
    let mut bytes = Vec::with_capacity(512);
    for text in texts {
        bytes.extend_from_slice(text.len().to_string().as_bytes());
        bytes.push(b':');
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(b',');
    }
    bytes
}

/// The time with exactly six digits of a second.
fn time(at: Timestamp) -> String {
    format!("{at:.6}")
}

/// The same value with every number that is no integer as a text.
fn without_fractions(value: Value) -> Value {
    match value {
        Value::Number(n) if !(n.is_i64() || n.is_u64()) => Value::String(n.to_string()),
        Value::Array(items) => items.into_iter().map(without_fractions).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, without_fractions(value))).collect(),
        other => other,
    }
}

/// JSON with the members of every object in the order of their names' bytes. Written out here, since whether
/// `serde_json`'s own maps are sorted depends on a feature that any crate of a build may turn on. `openreg-resolve` writes the
/// same out for the digest of a spec; this crate uses none of ours, so that all that a hash stands on is here, and must not
/// change when something else does.
fn sorted(value: &Value) -> String {
    fn write(value: &Value, out: &mut String) {
        match value {
            Value::Object(members) => {
                let mut names: Vec<&String> = members.keys().collect();
                names.sort_unstable();
                out.push('{');
                for (i, name) in names.into_iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    out.push_str(&Value::String(name.clone()).to_string());
                    out.push(':');
                    write(&members[name], out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write(item, out);
                }
                out.push(']');
            }
            plain => out.push_str(&plain.to_string()),
        }
    }
    let mut out = String::new();
    write(value, &mut out);
    out
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const TENANT: Uuid = Uuid::from_u128(0x0a0b_0c0d_0e0f_4a4b_8c8d_0102_0304_0506);

    fn first() -> Entry {
        let at = "2026-03-02T05:06:07Z".parse().expect("a timestamp");
        Entry::next(
            None,
            TENANT,
            at,
            "ada",
            "run.started",
            "run/1",
            json!({"b": [1, "ü\n"], "a": {"z": null, "y": true}}),
        )
    }

    /// Changing these bytes breaks every chain there is.
    #[test]
    fn the_hashed_bytes_are_fixed_for_ever() {
        let entry = first();
        let expected = concat!(
            "16:openreg.audit.v1,",
            "36:0a0b0c0d-0e0f-4a4b-8c8d-010203040506,",
            "1:1,",
            "27:2026-03-02T05:06:07.000000Z,",
            "3:ada,",
            "11:run.started,",
            "5:run/1,",
            r#"40:{"a":{"y":true,"z":null},"b":[1,"ü\n"]},"#,
            "64:0000000000000000000000000000000000000000000000000000000000000000,"
        );
        assert_eq!(String::from_utf8(canonical(&entry)).expect("text"), expected);
        assert_eq!(entry.hash, hex::encode(Sha256::digest(expected)));
        assert_eq!(entry.hash, GOLDEN_HASH);
    }

    /// Computed by another program from the layout in this module's documentation.
    const GOLDEN_HASH: &str = "6a92a8726be69dfde3fe033754a7f709a4cc6f5bb9b497c9c915a86d90ae6128";

    #[test]
    fn every_field_is_covered() {
        let entry = first();
        type Change = (&'static str, fn(&mut Entry));
        let changes: [Change; 8] = [
            ("tenant", |e| e.tenant = Uuid::nil()),
            ("seq", |e| e.seq = 2),
            ("at", |e| e.at = Timestamp::from_microsecond(e.at.as_microsecond() + 1).expect("a timestamp")),
            ("actor", |e| e.actor.push('x')),
            ("action", |e| e.action.push('x')),
            ("subject", |e| e.subject.push('x')),
            ("detail", |e| e.detail = json!({})),
            ("prev", |e| e.prev = "1".repeat(64)),
        ];
        for (field, change) in changes {
            let mut changed = entry.clone();
            change(&mut changed);
            assert_ne!(hash(&changed), entry.hash, "{field}");
        }
    }

    #[test]
    fn neighbouring_fields_cannot_trade_bytes() {
        let (mut one, mut other) = (first(), first());
        (one.actor, one.action) = ("ab".to_owned(), "c".to_owned());
        (other.actor, other.action) = ("a".to_owned(), "bc".to_owned());
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn an_entry_survives_json_and_times_are_cut_to_microseconds() {
        let at = Timestamp::from_nanosecond(1_772_427_967_123_456_789).expect("a timestamp");
        let entry = Entry::next(
            Some(&first()),
            TENANT,
            at,
            "ada",
            "auth.login",
            "user/ada",
            json!({"n": 18_446_744_073_709_551_615_u64, "f": 0.1}),
        );
        assert_eq!(entry.at.to_string(), "2026-03-02T05:06:07.123456Z");
        let text = serde_json::to_string(&entry).expect("JSON");
        assert_eq!(entry.detail, json!({"n": 18_446_744_073_709_551_615_u64, "f": "0.1"}));
        let back: Entry = serde_json::from_str(&text).expect("an entry");
        assert_eq!(back, entry);
        assert_eq!(hash(&back), entry.hash);
    }
}
