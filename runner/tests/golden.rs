//! Each case in `golden/`: a source, a plan, and what must come of it, to the byte.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod support;

use std::path::Path;

use openreg_plan::Sha256;
use openreg_plan::report::Outcome;
use openreg_runner::report::Done;
use openreg_runner::stage::Stop;
use serde_json::{Value, json};

#[tokio::test]
async fn every_case_ends_as_it_must() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut cases: Vec<_> = std::fs::read_dir(root).unwrap().map(|e| e.unwrap().path()).collect();
    cases.sort();
    assert!(cases.len() >= 10, "the cases are there");
    for case in cases {
        check(&case).await;
    }
}

async fn check(case: &Path) {
    let name = case.file_name().unwrap().to_string_lossy().into_owned();
    let text = |file: &str| std::fs::read_to_string(case.join(file)).ok();
    let directory = tempfile::tempdir().unwrap();
    support::sqlite(directory.path(), &text("source.sql").unwrap());
    let plan = support::plan(&text("plan.json").unwrap(), directory.path());
    let expected: Value = serde_json::from_str(&text("expected.json").unwrap()).unwrap();

    let result = support::run(&plan, "pod-1").await;
    let manifest_key = format!("runs/{name}/manifest.json");
    let generated = match result {
        Ok(generated) => generated,
        Err(Stop::Failed(error)) => {
            assert_eq!(
                json!({"outcome": "Failed", "failure": {"stage": error.stage, "class": error.class, "code": error.code, "message": error.message}}),
                expected,
                "{name}"
            );
            assert!(error.hint.is_some(), "{name}: says what to do next");
            assert_eq!(support::object(directory.path(), &manifest_key), None, "{name}: nothing is sealed");
            return;
        }
        Err(Stop::Cancelled) => panic!("{name}: cancelled"),
    };
    let totals = generated.done.totals.unwrap();
    let rules: serde_json::Map<String, Value> = generated.manifest.rules.iter().map(|r| (r.rule.clone(), r.violations.into())).collect();
    let got = json!({"outcome": generated.done.outcome, "read": totals.read, "reported": totals.reported, "excluded": totals.excluded, "rules": rules});
    assert_eq!(got, expected, "{name}");

    let sealed = support::object(directory.path(), &manifest_key).unwrap_or_else(|| panic!("{name}: no manifest"));
    let named = generated.done.manifest.clone().unwrap();
    assert_eq!((named.key, named.sha256), (manifest_key, Sha256::of(&sealed)), "{name}");
    assert_eq!(serde_json::to_vec(&generated.manifest).unwrap(), sealed, "{name}");

    match (text("expected.csv"), generated.manifest.artifacts.as_slice()) {
        (Some(csv), [artifact]) => {
            let bytes = support::object(directory.path(), &artifact.key).unwrap_or_else(|| panic!("{name}: no artifact"));
            assert_eq!(String::from_utf8_lossy(&bytes), csv, "{name}");
            assert_eq!(
                (artifact.size, artifact.sha256.as_str(), artifact.records),
                (bytes.len() as u64, Sha256::of(&bytes).as_str(), totals.reported),
                "{name}"
            );
        }
        (None, []) => assert!(
            !support::files(directory.path()).iter().any(|f| f.contains("artifacts")),
            "{name}: nothing is left of an artifact that is not named"
        ),
        (csv, artifacts) => panic!("{name}: {csv:?} expected, {artifacts:?} made"),
    }
    let lines = generated
        .manifest
        .violations
        .as_ref()
        .map(|object| String::from_utf8(support::object(directory.path(), &object.key).unwrap()).unwrap());
    assert_eq!(lines, text("violations.jsonl"), "{name}");
    for counts in &generated.manifest.datasets {
        if generated.done.outcome != Outcome::Blocked {
            assert_eq!(counts.read, counts.reported + counts.excluded + counts.dropped, "{name}");
        }
    }

    // The same plan on the same rows gives the same bytes, also from another pod and in other batches.
    let again = tempfile::tempdir().unwrap();
    support::sqlite(again.path(), &text("source.sql").unwrap());
    let mut plan = support::plan(&text("plan.json").unwrap(), again.path());
    plan["connectors"]["db"]["limits"] = json!({"batchRows": 1});
    let second = support::run(&plan, "pod-2").await.unwrap();
    let sums = |g: &openreg_runner::generate::Generated| -> Vec<String> {
        g.manifest
            .artifacts
            .iter()
            .map(|a| a.sha256.clone())
            .chain(g.manifest.violations.iter().map(|v| v.sha256.clone()))
            .collect()
    };
    // Violations are in the order of batches and rules within them, so their bytes depend on the batch; the file's do not.
    let artifacts = generated.manifest.artifacts.len();
    assert_eq!(sums(&generated)[..artifacts], sums(&second)[..artifacts], "{name}");
    assert_eq!(
        Done {
            manifest: None,
            ..generated.done
        },
        Done { manifest: None, ..second.done },
        "{name}"
    );
}
