use serde_json::json;

use super::*;

fn chain(length: u64) -> Vec<Entry> {
    let tenant = Uuid::from_u128(7);
    let mut out: Vec<Entry> = Vec::new();
    for i in 0..length {
        let at = Timestamp::from_microsecond(1_700_000_000_000_000 + i64::try_from(i).expect("small")).expect("a time");
        let next = Entry::next(out.last(), tenant, at, "ann", "run.ended", &format!("run/{i}"), json!({"b": 1, "a": {"y": "ü\n", "x": null}}));
        out.push(next);
    }
    out
}

fn lines(entries: &[Entry]) -> String {
    entries.iter().map(|e| format!("{}\n", serde_json::to_string(e).expect("JSON"))).collect()
}

/// Changing this hash is breaking every chain that was ever written.
#[test]
fn the_hash_is_fixed_for_ever() {
    let first = &chain(1)[0];
    assert_eq!(canonical(&first.detail), r#"{"a":{"x":null,"y":"ü\n"},"b":1}"#);
    assert_eq!(format!("{:.6}", first.at), "2023-11-14T22:13:20.000000Z");
    assert_eq!(first.hash, "HASH");
}

#[test]
fn a_whole_chain_verifies_from_its_export() {
    let entries = chain(5);
    let verified = verify_lines(lines(&entries).as_bytes()).expect("whole");
    assert_eq!(verified, Verified { tenant: Some(Uuid::from_u128(7)), entries: 5, head: entries[4].hash.clone() });
    assert_eq!(verify_lines("".as_bytes()).expect("empty").entries, 0);
}

#[test]
fn every_change_is_found_and_named() {
    type Change = fn(&mut Vec<Entry>);
    let cases: [(&str, Change, Broken); 8] = [
        ("removed", |e| drop(e.remove(2)), Broken::Number { found: 4, expected: 3 }),
        ("first removed", |e| drop(e.remove(0)), Broken::Number { found: 2, expected: 1 }),
        ("swapped", |e| e.swap(1, 2), Broken::Number { found: 3, expected: 2 }),
        ("repeated", |e| e.insert(1, e[1].clone()), Broken::Number { found: 2, expected: 3 }),
        ("actor changed", |e| e[2].actor = "bob".to_owned(), Broken::Content { seq: 3 }),
        ("detail changed", |e| e[2].detail = json!({"a": 2}), Broken::Content { seq: 3 }),
        ("changed and hashed again", |e| { e[2].actor = "bob".to_owned(); e[2].hash = e[2].compute_hash(); }, Broken::Link { seq: 4 }),
        ("another tenant's", |e| { e[3].tenant = Uuid::from_u128(8); e[3].hash = e[3].compute_hash(); }, Broken::Tenant { seq: 4 }),
    ];
    for (what, change, expected) in cases {
        let mut entries = chain(5);
        change(&mut entries);
        match verify_lines(lines(&entries).as_bytes()) {
            Err(ReadError::Broken(found)) => assert_eq!(found, expected, "{what}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    assert!(matches!(verify_lines("{}\n".as_bytes()), Err(ReadError::Syntax { line: 1, .. })));
}

#[test]
fn lengths_keep_neighbouring_fields_apart() {
    let entry = |actor: &str, action: &str| Entry::next(None, Uuid::nil(), Timestamp::UNIX_EPOCH, actor, action, "", json!({})).hash;
    assert_ne!(entry("ab", "c"), entry("a", "bc"));
}
