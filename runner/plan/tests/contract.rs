//! The plan's layout. A change of `golden/plan-v1.json` is a change of the contract between operator and runner.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use openreg_plan::plan::PlanError;
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
