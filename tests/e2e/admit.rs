//! Admission: a mistake is refused with one sentence that says which field is wrong and what to write.

use openreg_e2e::fixture::{self, with};
use openreg_e2e::tenant::with_tenant;
use serde_json::{Value, json};

async fn refused(tenant: &openreg_e2e::Tenant, object: Value, expected: &str) {
    let said = match tenant.apply(&object.to_string()).await {
        Ok(said) => panic!("accepted, though it should say `{expected}`: {said}\n{object}"),
        Err(e) => e.to_string(),
    };
    assert!(said.contains(expected), "said `{said}`, not `{expected}`");
}

#[test]
#[ignore = "needs a cluster: make test"]
fn admit_mistakes_are_refused_in_one_sentence() {
    with_tenant("admit", |tenant| async move {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0Rm5pJ8u0gqO3mJb5i0g7v0m3kQxv0cQxv0cQxv0cQ";
        let destination = fixture::destination(key, "/in");
        for (object, said) in [
            (with(fixture::store(), "/metadata/name", json!("other")), "its name is default"),
            (
                with(fixture::store(), "/spec/directory", json!({"path": "/x"})),
                "set exactly one of s3, directory",
            ),
            (with(fixture::connector(), "/spec/credentialsRef", Value::Null), "postgres needs credentialsRef"),
            (
                with(fixture::connector(), "/spec/sqlite", json!({"path": "/x"})),
                "set exactly one of postgres, sqlite",
            ),
            (with(fixture::connector(), "/metadata/name", json!("a".repeat(33))), "at most 32 characters"),
            (
                with(destination.clone(), "/spec/sftp/auth", json!({"passwordKey": "a", "privateKey": "b"})),
                "set exactly one of passwordKey, privateKey",
            ),
            (with(fixture::report(1), "/spec/version", json!("1.0")), "spec.version"),
            (with(fixture::report(1), "/spec/output", json!({})), "set csv"),
            (with(fixture::report(1), "/spec/validation/0/onViolation", json!("Exclude")), "needs tolerance"),
            (with(fixture::report(1), "/spec/execution/cpu", json!("3")), "spec.execution.cpu"),
            (
                with(fixture::run("r"), "/spec/period/end", json!("2026-03-01T00:00:00Z")),
                "period.start must be before period.end",
            ),
            (with(fixture::run("r"), "/metadata/name", json!("r".repeat(49))), "at most 48 characters"),
            (with(fixture::run("r"), "/spec/trigger", json!("Schedule")), "Schedule"),
        ] {
            refused(&tenant, object, said).await;
        }
        // What is right is accepted; and what may not change afterwards is refused.
        let run = fixture::run("once");
        tenant
            .apply(&fixture::documents(&[
                fixture::store(),
                fixture::connector(),
                destination,
                fixture::report(1),
                run.clone(),
            ]))
            .await?;
        refused(&tenant, with(run, "/spec/reportRef", json!("other")), "a run cannot be changed").await;
        refused(&tenant, with(fixture::report(1), "/spec/title", json!("Another title")), "raise version").await;
        Ok(())
    });
}

#[test]
#[ignore = "needs a cluster: make test"]
fn admit_report_says_what_is_wrong_with_it() {
    with_tenant("lint", |tenant| async move {
        let wrong = with(
            fixture::report(1),
            "/spec/validation/0/rule",
            json!({"pattern": {"column": "ref", "regex": "["}}),
        );
        tenant.apply(&fixture::documents(&[fixture::store(), fixture::connector(), wrong])).await?;
        let (_, message) = tenant
            .wait_condition("Report", "small", "Ready", "False", std::time::Duration::from_secs(20))
            .await?;
        assert!(message.contains("spec.validation[0].rule.pattern.regex"), "{message}");
        Ok(())
    });
}
