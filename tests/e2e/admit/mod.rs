//! Admission: a mistake is refused with one sentence that says which field is wrong and what to write.
//!
//! `cases.yaml` and `forms.yaml` hold the cases, `coverage.rs` proves that each rule has some.

mod cases;
mod coverage;
mod path;

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use kube::api::PostParams;
use kube::core::{Request, Status};
use openreg_e2e::fixture::{self, with};
use openreg_e2e::tenant::{with_namespace, with_tenant};
use openreg_e2e::{Tenant, kubectl};
use serde_json::{Value, json};

use cases::{Case, Expected, Tables, Verb};

/// A request in somebody's name, as `kubectl` makes it: unknown fields are errors. The group lets him do everything, so
/// that what refuses is never a missing right.
async fn ask(tenant: &Tenant, by: Verb, user: &str, object: &Value, dry_run: bool) -> Result<std::result::Result<Value, Box<Status>>> {
    let kind = object["kind"].as_str().context("no kind")?;
    let name = object["metadata"]["name"].as_str().context("no name")?;
    let path = format!("/apis/openreg.io/v1alpha1/namespaces/{}/{}s", tenant.namespace, kind.to_lowercase());
    let parameters = PostParams {
        dry_run,
        ..PostParams::default()
    };
    let (request, body) = (Request::new(path), serde_json::to_vec(object)?);
    let mut request = match by {
        Verb::Create => request.create(&parameters, body)?,
        Verb::Update => request.replace(name, &parameters, body)?,
        Verb::Status => request.replace_subresource("status", name, &parameters, body)?,
    };
    *request.uri_mut() = format!("{}&fieldValidation=Strict", request.uri()).parse()?;
    request.headers_mut().insert("impersonate-user", user.parse()?);
    request.headers_mut().insert("impersonate-group", "system:masters".parse()?);
    match tenant.client.request::<Value>(request).await {
        Ok(answer) => Ok(Ok(answer)),
        Err(kube::Error::Api(status)) => Ok(Err(status)),
        Err(e) => Err(e.into()),
    }
}

async fn get(tenant: &Tenant, object: &Value) -> Result<Value> {
    let (kind, name) = (
        object["kind"].as_str().context("no kind")?,
        object["metadata"]["name"].as_str().context("no name")?,
    );
    let path = format!("/apis/openreg.io/v1alpha1/namespaces/{}/{}s", tenant.namespace, kind.to_lowercase());
    Ok(tenant.client.request(Request::new(path).get(name, &Default::default())?).await?)
}

/// What is wrong with an answer.
fn judge(expected: &Expected, answer: &std::result::Result<Value, Box<Status>>) -> Option<String> {
    let status = match (expected, answer) {
        (Expected::Accepted, Ok(_)) => return None,
        (Expected::Accepted, Err(status)) => return Some(format!("should be accepted; said: {}", status.message)),
        (Expected::Refused { says, .. } | Expected::Denied { says, .. }, Ok(_)) => return Some(format!("was accepted; should say: {says}")),
        (_, Err(status)) => status,
    };
    let right = match expected {
        Expected::Accepted => true,
        // A mistake that is seen before the fields are looked at.
        Expected::Refused { at, says } if at.is_empty() => status.message.ends_with(says),
        Expected::Refused { at, says } => {
            let causes = status.details.as_ref().map(|d| d.causes.as_slice()).unwrap_or_default();
            // Of another kind of mistake Kubernetes adds that it looked no further.
            let causes: Vec<_> = causes
                .iter()
                .filter(|c| !c.message.contains("some validation rules were not checked"))
                .collect();
            matches!(causes.as_slice(), [cause] if cause.field == *at && (cause.message == *says || cause.message.ends_with(&format!(": {says}"))))
        }
        Expected::Denied { policy, says } => status
            .message
            .ends_with(&format!("ValidatingAdmissionPolicy '{policy}' with binding '{policy}' denied request: {says}")),
    };
    let wanted = match expected {
        Expected::Refused { at, says } => format!("at `{at}`: {says}"),
        Expected::Denied { policy, says } => format!("by {policy}: {says}"),
        Expected::Accepted => String::new(),
    };
    (!right).then(|| format!("should say {wanted}; said: {}", status.message))
}

fn base(tables: &Tables, name: &str) -> Value {
    let mut object = tables.objects[name].object.clone();
    object["apiVersion"] = json!("openreg.io/v1alpha1");
    object
}

/// Makes the objects that cases change, with their status.
async fn make_bases(tenant: &Tenant, tables: &Tables, cases: &[Case]) -> Result<()> {
    let wanted: BTreeMap<&str, &str> = cases
        .iter()
        .filter(|c| c.by != Verb::Create)
        .map(|c| (c.base.as_str(), tables.objects[&c.base].user.as_str()))
        .collect();
    for (name, user) in wanted {
        let object = base(tables, name);
        let made = ask(tenant, Verb::Create, &cases::user(user), &object, false).await?;
        let mut made = made.map_err(|s| anyhow::anyhow!("could not make {name}: {}", s.message))?;
        if let Some(status) = object.get("status") {
            made["status"] = status.clone();
            let answer = ask(tenant, Verb::Status, &cases::user("operator"), &made, false).await?;
            answer.map_err(|s| anyhow::anyhow!("could not set the status of {name}: {}", s.message))?;
        }
    }
    Ok(())
}

#[test]
#[ignore = "needs a cluster: make test"]
fn admit_each_rule_accepts_and_refuses() {
    let tables = cases::tables();
    with_namespace("admit", |tenant| async move {
        let (creates, changes): (Vec<_>, Vec<_>) = tables.cases().into_iter().partition(|c| c.by == Verb::Create);
        let mut wrong = Vec::new();
        // Creates first: what a dry run creates must not be there yet.
        for case in &creates {
            let object = case.applied(base(&tables, &case.base));
            let answer = ask(&tenant, case.by, &case.user, &object, true).await?;
            wrong.extend(judge(&case.expected, &answer).map(|what| format!("{}: {what}", case.name())));
        }
        make_bases(&tenant, &tables, &changes).await?;
        for case in &changes {
            let object = case.applied(get(&tenant, &base(&tables, &case.base)).await?);
            let answer = ask(&tenant, case.by, &case.user, &object, true).await?;
            wrong.extend(judge(&case.expected, &answer).map(|what| format!("{}: {what}", case.name())));
        }
        let all = creates.len() + changes.len();
        println!("{all} cases");
        assert!(wrong.is_empty(), "{} of {all} cases:\n{}", wrong.len(), wrong.join("\n"));
        Ok(())
    });
}

/// As a person sees it.
#[test]
#[ignore = "needs a cluster: make test"]
fn admit_kubectl_says_one_sentence() {
    with_namespace("say", |tenant| async move {
        for (object, expected) in [
            (
                with(fixture::report(1), "/spec/version", json!("1.0")),
                r#"The Report "small" is invalid: spec.version: Invalid value: "string": write MAJOR.MINOR.PATCH, such as 1.0.0"#,
            ),
            (
                with(fixture::report(1), "/spec/validation/0/onViolation", json!("Exclude")),
                r#"The Report "small" is invalid: spec.validation[0].tolerance: Required value: onViolation Exclude needs tolerance: write how many rows may be left out, such as {rows: 5}"#,
            ),
            (
                with(fixture::report(1), "/spec/outputs", json!({})),
                r#"Error from server (BadRequest): error when creating "STDIN": Report in version "v1alpha1" cannot be handled as a Report: strict decoding error: unknown field "spec.outputs""#,
            ),
        ] {
            let said = match kubectl::apply(&tenant.namespace, &object.to_string()).await {
                Ok(said) => said,
                Err(e) => e.to_string(),
            };
            assert_eq!(said, expected);
        }
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
        let (_, message) = tenant.wait_condition("Report", "small", "Ready", "False", Duration::from_secs(20)).await?;
        assert!(message.contains("spec.validation[0].rule.pattern.regex"), "{message}");
        Ok(())
    });
}
