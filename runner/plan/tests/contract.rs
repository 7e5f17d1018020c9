//! The plan's layout. A change of `golden/plan-v1.json` is a change of the contract between operator and runner.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use openreg_parts::error::Class;
use openreg_plan::plan::PlanError;
use openreg_plan::report::{Delivery, Failure, Outcome, RunReport, SealedManifest, Stage, Totals, Usage, shortened};
use openreg_plan::{RunPlan, Sha256};
use serde_json::Value;

const GOLDEN: &str = include_str!("golden/plan-v1.json");

fn bytes(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).unwrap()
}

#[test]
fn the_golden_plan_is_read_and_written_unchanged() {
    let plan = RunPlan::from_bytes(GOLDEN.as_bytes(), Some(&Sha256::of(GOLDEN.as_bytes()))).unwrap();
    assert_eq!(serde_json::to_string_pretty(&plan).unwrap() + "\n", GOLDEN);
    let compact = plan.to_bytes().unwrap();
    let again = RunPlan::from_bytes(&compact, None).unwrap();
    assert_eq!(again, plan);
    assert_eq!(again.to_bytes().unwrap(), compact, "equal plans have equal bytes");
}

#[test]
fn unknown_fields_are_refused_wherever_the_plan_is_ours() {
    for path in [
        "",
        "/run",
        "/run/period",
        "/connectors/trades",
        "/connectors/trades/credentials",
        "/datasets/0",
        "/rules/0",
        "/rules/0/tolerance",
        "/fields/0",
        "/file",
        "/store",
        "/destinations/0",
        "/limits",
    ] {
        let mut value: Value = serde_json::from_str(GOLDEN).unwrap();
        value
            .pointer_mut(path)
            .and_then(Value::as_object_mut)
            .unwrap_or_else(|| panic!("no object at {path}"))
            .insert("surprise".into(), true.into());
        let error = RunPlan::from_bytes(&bytes(&value), None).unwrap_err();
        assert!(matches!(&error, PlanError::Syntax(e) if e.to_string().contains("surprise")), "{path}: {error}");
    }
}

#[test]
fn another_plan_is_refused() {
    let other = RunPlan::from_bytes(GOLDEN.as_bytes(), Some(&Sha256::of(b"another")));
    assert!(matches!(other, Err(PlanError::Digest { .. })));
    let mut value: Value = serde_json::from_str(GOLDEN).unwrap();
    value["version"] = 2.into();
    // Judged before the fields: a later layout has other fields.
    value["later"] = true.into();
    assert!(matches!(RunPlan::from_bytes(&bytes(&value), None), Err(PlanError::Version { found: 2 })));
    let large = " ".repeat(openreg_plan::plan::MAX_BYTES) + GOLDEN;
    assert!(matches!(RunPlan::from_bytes(large.as_bytes(), None), Err(PlanError::Size { .. })));
    for text in ["", "{}", "[]", "null", "{\"version\":1}"] {
        assert!(matches!(RunPlan::from_bytes(text.as_bytes(), None), Err(PlanError::Syntax(_))), "{text}");
    }
}

/// Whatever the texts hold, the message is whole JSON that Kubernetes keeps whole: at most 4096 bytes.
#[test]
fn the_termination_message_always_fits() {
    let digest = Sha256::of(b"x");
    for piece in ["x", "\u{1}", "\"", "\\", "ä", "\n", "\u{7f}", "𝄞", "\u{2028}"] {
        let text = piece.repeat(3000);
        let report = RunReport {
            version: 1,
            outcome: Outcome::Unknown,
            failure: Some(Failure {
                stage: Stage::Transform,
                class: Class::Transient,
                code: "TheLongestCodeThatAnybodyCouldEverWant".into(),
                message: text.clone(),
                hint: Some(text.clone()),
            }),
            manifest: Some(SealedManifest {
                key: format!("runs/{}/manifest.json", "0".repeat(36)),
                sha256: digest.clone(),
                outcome: openreg_parts::store::manifest::Outcome::Complete,
            }),
            totals: Some(Totals {
                read: u64::MAX,
                reported: u64::MAX,
                excluded: u64::MAX,
                dropped: u64::MAX,
                violations: u64::MAX,
                artifacts: u64::MAX,
                bytes: u64::MAX,
            }),
            delivery: Some(Delivery {
                begun: true,
                receipts: u32::MAX,
                unsettled: true,
                remote: Some(text.clone()),
                receipt_sha256: Some(digest.clone()),
            }),
            usage: Usage {
                duration_ms: u64::MAX,
                vm_hwm_bytes: u64::MAX,
                cgroup_peak_bytes: u64::MAX,
            },
        };
        let json = report.to_json();
        assert!(json.len() <= 3072, "{piece:?}: {} bytes", json.len());
        let again: RunReport = serde_json::from_str(&json).unwrap();
        let message = again.failure.unwrap().message;
        assert!(message.ends_with('…') && !message.contains('\n'), "{piece:?}: {message}");
    }
}

/// A delivery's doubt is said, and one that is not said is none: an older runner says nothing of it.
#[test]
fn a_doubt_is_written_only_where_there_is_one() {
    let sure = r#"{"begun":true,"receipts":1}"#;
    let doubt = r#"{"begun":true,"receipts":0,"unsettled":true}"#;
    for (text, unsettled) in [(sure, false), (doubt, true)] {
        let delivery: Delivery = serde_json::from_str(text).unwrap();
        assert_eq!(delivery.unsettled, unsettled, "{text}");
        assert_eq!(serde_json::to_string(&delivery).unwrap(), text);
    }
}

#[test]
fn short_texts_stay_as_they_are() {
    for (text, expected) in [("", ""), ("could not read", "could not read"), ("two\nlines", "two lines")] {
        assert_eq!(shortened(text), expected);
    }
    let whole = "x".repeat(512);
    assert_eq!(shortened(&whole), whole);
    assert_eq!(shortened(&format!("{whole}x")), format!("{}…", "x".repeat(509)));
}
