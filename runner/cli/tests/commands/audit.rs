//! `openreg verify audit`.

use openreg_audit::Entry;
use serde_json::json;
use uuid::Uuid;

use super::{openreg, openreg_with};

fn export(entries: usize) -> (String, String) {
    let mut chain: Vec<Entry> = Vec::new();
    for i in 0..entries {
        let at = jiff::Timestamp::from_second(1_772_427_967).expect("a timestamp");
        let entry = Entry::next(chain.last(), Uuid::from_u128(7), at, "ada", "auth.login", &format!("user/{i}"), json!({}));
        chain.push(entry);
    }
    let text = chain.iter().map(|e| serde_json::to_string(e).expect("JSON") + "\n").collect();
    (text, chain.last().map(|e| e.hash.clone()).unwrap_or_default())
}

#[test]
fn a_chain_is_whole_or_breaks_somewhere() {
    let (text, head) = export(40);
    let whole = openreg_with(["verify", "audit", "-"], &text);
    assert_eq!(whole.code, 0, "{}", whole.err);
    for expected in [
        "The chain is whole.",
        "entries    40",
        "tenant     00000000-0000-0000-0000-000000000007",
        head.as_str(),
    ] {
        assert!(whole.out.contains(expected), "no `{expected}` in {}", whole.out);
    }
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), text.replacen("user/11", "user/12", 1)).expect("written");
    let broken = openreg(["verify".as_ref(), "audit".as_ref(), file.path().as_os_str()]);
    assert_eq!(broken.code, 11);
    assert!(
        broken.err.contains("error: line 12: the chain breaks at entry 12: its content has the hash"),
        "{}",
        broken.err
    );
    let missing: String = text.lines().enumerate().filter(|(i, _)| *i != 6).map(|(_, l)| format!("{l}\n")).collect();
    let gap = openreg_with(["verify", "audit", "-"], &missing);
    assert_eq!(gap.code, 11);
    assert!(gap.err.contains("the chain breaks at entry 8: entry 7 before it is missing"), "{}", gap.err);
}

#[test]
fn with_a_noted_head_a_chain_whose_end_was_cut_off_is_refused() {
    let (text, head) = export(40);
    let noted = format!("40:{head}");
    let whole = openreg_with(["verify", "audit", "-"], &text);
    assert!(whole.out.contains(&noted), "it says what to note: {}", whole.out);
    assert_eq!(openreg_with(["verify", "audit", "-", "--noted", noted.as_str()], &text).code, 0);
    let cut: String = text.lines().take(30).map(|l| format!("{l}\n")).collect();
    assert_eq!(openreg_with(["verify", "audit", "-"], &cut).code, 0, "by itself it cannot tell");
    let answer = openreg_with(["verify", "audit", "-", "--noted", noted.as_str()], &cut);
    assert_eq!(answer.code, 11);
    assert!(
        answer.err.contains("the chain ends at entry 30, and entry 40 was noted: its end was cut off"),
        "{}",
        answer.err
    );
    let wrong = openreg_with(["verify", "audit", "-", "--noted", "40"], &text);
    assert!(wrong.err.contains("write NUMBER:HASH"), "{}", wrong.err);
}

#[test]
fn what_is_no_export_is_refused() {
    let answer = openreg_with(["verify", "audit", "-"], "{\"a\": 1}\n");
    assert_eq!(answer.code, 11);
    assert!(answer.err.contains("could not read an audit entry on line 1"), "{}", answer.err);
    let answer = openreg(["verify", "audit", "/nowhere"]);
    assert_eq!(answer.code, 10);
    let empty = openreg_with(["verify", "audit", "-"], "");
    assert_eq!(empty.code, 0);
    assert!(empty.out.contains("It has no entries"), "{}", empty.out);
}
