//! The report controller: judges a Report, makes its ReportVersion, shows its last run.
//!
//! Only a Ready spec becomes a ReportVersion. It is made by POST under a name that follows from its content, and never
//! changed or deleted here. A version stands for one content: the same version with another content is a conflict.

use std::sync::Arc;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{ListParams, PostParams};
use kube::runtime::controller::Action;
use kube::runtime::events::EventType;
use kube::{Api, ResourceExt};
use openreg_crds::common::condition::{self, ConditionStatus};
use openreg_crds::report::{LastRun, ReportStatus, StatusProblem};
use openreg_crds::{Report, ReportRun, ReportVersion, ReportVersionSpec};
use openreg_parts::error::Problem;
use openreg_plan::digest::Sha256;
use openreg_resolve::{across, digest};
use tokio_util::sync::CancellationToken;

use super::conditions::{self, READY, condition};
use super::endpoint::not_a_tenant;
use super::{drive, queue};
use crate::context::Context;
use crate::labels;

const CONCURRENCY: u16 = 16;
/// The most problems in a status.
const MAX_PROBLEMS: usize = 20;

#[derive(Debug, thiserror::Error)]
#[error("could not {what}")]
struct ReportError {
    what: String,
    source: kube::Error,
}

/// Runs until shutdown.
pub async fn run(ctx: Arc<Context>, shutdown: CancellationToken) {
    let (asked, requests) = queue::<Report>();
    let tell = asked.clone();
    ctx.stores.reports.on_change(move |report| tell.add(report));
    let tell = asked.clone();
    ctx.stores
        .versions
        .on_change(move |version| tell.add_named(&version.namespace().unwrap_or_default(), &version.spec.report_ref));
    let tell = asked.clone();
    ctx.stores.runs.on_change(move |run| {
        if finished(run).is_some() {
            tell.add_named(&run.namespace().unwrap_or_default(), &run.spec.report_ref);
        }
    });
    let (tell, reports) = (asked.clone(), ctx.stores.reports.clone());
    ctx.stores.stores.on_change(move |store| {
        reports
            .in_namespace(&store.namespace().unwrap_or_default(), |_| true)
            .iter()
            .for_each(|report| tell.add(report))
    });
    let (tell, reports) = (asked.clone(), ctx.stores.reports.clone());
    ctx.stores.connectors.on_change(move |connector| {
        let name = connector.name_any();
        let users = reports.in_namespace(&connector.namespace().unwrap_or_default(), |r| {
            r.spec.source.datasets.iter().any(|d| d.connector_ref == name)
        });
        users.iter().for_each(|report| tell.add(report));
    });
    let (tell, reports) = (asked.clone(), ctx.stores.reports.clone());
    ctx.stores.destinations.on_change(move |destination| {
        let name = destination.name_any();
        let users = reports.in_namespace(&destination.namespace().unwrap_or_default(), |r| {
            r.spec.delivery.iter().flatten().any(|d| d.destination_ref == name)
        });
        users.iter().for_each(|report| tell.add(report));
    });
    let reports = ctx.stores.reports.clone();
    ctx.stores
        .tenants
        .on_change(move |tenant| reports.in_namespace(&tenant.name_any(), |_| true).iter().for_each(|report| asked.add(report)));
    let cache = ctx.stores.reports.clone();
    drive("report", ctx, &cache, requests, CONCURRENCY, reconcile, shutdown).await;
}

/// What became of a Report's version.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Version {
    /// It exists, under that name.
    There(String),
    /// The version stands for another content, under that name.
    Conflict(String),
}

async fn reconcile(report: Arc<Report>, ctx: Arc<Context>) -> Result<Action, ReportError> {
    if report.metadata.deletion_timestamp.is_some() {
        return Ok(Action::await_change());
    }
    let now = ctx.now();
    let (namespace, name) = (report.namespace().unwrap_or_default(), report.name_any());
    let problems = problems(&ctx, &report, &namespace);
    let version = if problems.is_empty() {
        Some(ensure_version(&ctx, &report, &namespace, &name).await?)
    } else {
        None
    };
    let mut status = report.status.clone().unwrap_or_default();
    judge(&mut status, &report, &problems, version.as_ref(), now);
    status.last_run = last_run(status.last_run, &ctx.stores.runs.in_namespace(&namespace, |run| run.spec.report_ref == name));
    conditions::write_status(&ctx, &*report, status, &[READY]).await.map_err(|source| ReportError {
        what: format!("write the status of report {namespace}/{name}"),
        source,
    })?;
    Ok(Action::await_change())
}

/// What is wrong with the Report by itself, then with what it refers to.
fn problems(ctx: &Context, report: &Report, namespace: &str) -> Vec<Problem> {
    let mut problems = openreg_resolve::check::report(&report.spec);
    if ctx.stores.tenant(namespace).is_none() {
        problems.push(not_a_tenant(namespace));
    }
    let store = ctx.stores.stores.get(namespace, openreg_crds::STORE_NAME);
    problems.extend(across::report(
        &report.spec,
        &across::Found {
            connector: &|name| ctx.stores.connectors.get(namespace, name).map(|c| (*c).clone()),
            destination: &|name| ctx.stores.destinations.get(namespace, name).map(|d| (*d).clone()),
            store: store.as_deref(),
        },
    ));
    problems
}

/// The ReportVersion that a Report's spec makes.
fn build(report: &Report, namespace: &str, name: &str, sha256: &Sha256) -> ReportVersion {
    let mut labels = labels::base();
    labels.insert(labels::REPORT.to_owned(), name.to_owned());
    ReportVersion {
        // No owner: history survives the Report.
        metadata: ObjectMeta {
            name: Some(digest::version_name(name, &report.spec.version, sha256)),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        },
        spec: ReportVersionSpec {
            report_ref: name.to_owned(),
            sha256: sha256.as_str().to_owned(),
            report: report.spec.clone(),
        },
    }
}

/// What the existing versions mean for `ours`; `None` when it has to be made.
fn compare<'a>(there: impl IntoIterator<Item = &'a ReportVersion>, ours: &ReportVersion) -> Option<Version> {
    let mut conflict = None;
    for version in there {
        if version.spec.report_ref != ours.spec.report_ref || version.spec.report.version != ours.spec.report.version {
            continue;
        }
        if version.spec.sha256 == ours.spec.sha256 {
            return Some(Version::There(version.name_any()));
        }
        conflict = Some(Version::Conflict(version.name_any()));
    }
    conflict
}

async fn ensure_version(ctx: &Context, report: &Report, namespace: &str, name: &str) -> Result<Version, ReportError> {
    let ours = build(report, namespace, name, &digest::spec_sha256(&report.spec));
    let cached = ctx.stores.versions.in_namespace(namespace, |version| version.spec.report_ref == name);
    if let Some(known) = compare(cached.iter().map(AsRef::as_ref), &ours) {
        return Ok(known);
    }
    // A version is made once in its life, so it may cost a look past the cache, which may be behind.
    let what = || format!("make version {} of report {namespace}/{name}", report.spec.version);
    let versions = Api::<ReportVersion>::namespaced(ctx.client.clone(), namespace);
    let params = ListParams::default().labels(&format!("{}={name}", labels::REPORT));
    let there = versions.list(&params).await.map_err(|source| ReportError { what: what(), source })?;
    if let Some(known) = compare(&there.items, &ours) {
        return Ok(known);
    }
    let version_name = ours.name_any();
    match versions
        .create(
            &PostParams {
                field_manager: Some(ctx.config.manager.clone()),
                ..PostParams::default()
            },
            &ours,
        )
        .await
    {
        Ok(_) => {
            tracing::info!(report = name, report.namespace = namespace, version = version_name, "made {version_name}");
            ctx.event(report, EventType::Normal, "VersionMade", "Accept", format!("made ReportVersion {version_name}"))
                .await;
            Ok(Version::There(version_name))
        }
        Err(kube::Error::Api(answer)) if answer.code == 409 => {
            let there = versions.get(&version_name).await.map_err(|source| ReportError { what: what(), source })?;
            Ok(compare([&there], &ours).unwrap_or(Version::Conflict(version_name)))
        }
        Err(source) => Err(ReportError { what: what(), source }),
    }
}

fn judge(status: &mut ReportStatus, report: &Report, problems: &[Problem], version: Option<&Version>, now: Timestamp) {
    let generation = report.metadata.generation;
    let ready = match version {
        Some(Version::Conflict(other)) => condition(
            READY,
            ConditionStatus::False,
            "VersionConflict",
            format!(
                "spec.version: {} stands for another content (ReportVersion {other}): raise the version",
                report.spec.version
            ),
            generation,
            now,
        ),
        _ => conditions::ready(problems, generation, now),
    };
    condition::set(&mut status.conditions, ready);
    status.problems = problems.iter().take(MAX_PROBLEMS).cloned().map(StatusProblem::from).collect();
    if let Some(Version::Conflict(other)) = version {
        status.problems = vec![StatusProblem {
            field: "spec.version".to_owned(),
            message: format!("{} stands for another content (ReportVersion {other}): raise the version", report.spec.version),
        }];
    }
    status.version_name = match version {
        Some(Version::There(name)) => Some(name.clone()),
        _ => None,
    };
    status.observed_generation = generation;
}

fn finished(run: &ReportRun) -> Option<LastRun> {
    let status = run.status.as_ref()?;
    if !condition::is_true(&status.conditions, "Complete") {
        return None;
    }
    Some(LastRun {
        name: run.name_any(),
        outcome: status.outcome?.as_str().to_owned(),
        finished_at: status.finished_at.clone()?,
    })
}

/// The run that ended last; one that was deleted since is still the last.
fn last_run(before: Option<LastRun>, runs: &[Arc<ReportRun>]) -> Option<LastRun> {
    runs.iter()
        .filter_map(|run| finished(run))
        .chain(before)
        .max_by(|a, b| (a.finished_at.0, &a.name).cmp(&(b.finished_at.0, &b.name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(version: &str, title: &str) -> Report {
        serde_json::from_value(json!({
            "apiVersion": "openreg.io/v1alpha1", "kind": "Report", "metadata": {"name": "trades", "namespace": "acme", "generation": 4},
            "spec": {"version": version, "title": title, "source": {"datasets": [{"name": "t", "connectorRef": "c", "query": "SELECT 1"}]},
                "output": {"csv": {}}, "file": {"name": "x.csv"}}
        }))
        .unwrap()
    }

    fn version(report: &Report, digit: &str) -> ReportVersion {
        build(report, "acme", "trades", &digit.repeat(64).try_into().unwrap())
    }

    #[test]
    fn version_is_named_after_its_content() {
        let made = version(&report("1.4.0", "a"), "b");
        assert_eq!(made.name_any(), "trades-1.4.0-bbbbbbbb");
        assert!(made.metadata.owner_references.is_none(), "history survives the Report");
        let longest = build(
            &report("10000000.10000000.10000000", "a"),
            "acme",
            &"r".repeat(32),
            &"b".repeat(64).try_into().unwrap(),
        );
        assert!(longest.name_any().len() <= 253 && longest.labels().values().all(|v| v.len() <= 63));
    }

    #[test]
    fn a_version_stands_for_one_content() {
        let ours = version(&report("1.4.0", "a"), "b");
        let (other, newer) = (version(&report("1.4.0", "x"), "c"), version(&report("1.5.0", "y"), "d"));
        let mut of_another = version(&report("1.4.0", "z"), "e");
        of_another.spec.report_ref = "positions".to_owned();
        for (there, expected) in [
            (vec![], None),
            (vec![&newer, &of_another], None),
            (vec![&newer, &ours], Some(Version::There("trades-1.4.0-bbbbbbbb".to_owned()))),
            (vec![&other], Some(Version::Conflict("trades-1.4.0-cccccccc".to_owned()))),
            // Going back to a version whose content is there is fine whatever else is there.
            (vec![&other, &ours], Some(Version::There("trades-1.4.0-bbbbbbbb".to_owned()))),
        ] {
            assert_eq!(compare(there, &ours), expected);
        }
    }

    #[test]
    fn status_says_what_is_wrong() {
        let now: Timestamp = "2026-03-02T12:00:00Z".parse().unwrap();
        let report = report("1.4.0", "a");
        let mut status = ReportStatus::default();
        judge(&mut status, &report, &[Problem::new("spec.output.csv.delimiter", "is wrong")], None, now);
        assert_eq!(status.conditions[0].message, "spec.output.csv.delimiter: is wrong");
        assert_eq!(
            (status.problems.len(), status.version_name.clone(), status.observed_generation),
            (1, None, Some(4))
        );

        judge(&mut status, &report, &[], Some(&Version::Conflict("trades-1.4.0-cccccccc".to_owned())), now);
        assert_eq!(
            (status.conditions[0].status, status.conditions[0].reason.as_str()),
            (ConditionStatus::False, "VersionConflict")
        );
        assert_eq!(status.problems[0].field, "spec.version");

        judge(&mut status, &report, &[], Some(&Version::There("trades-1.4.0-bbbbbbbb".to_owned())), now);
        assert!(condition::is_true(&status.conditions, READY));
        assert_eq!((status.problems.len(), status.version_name.as_deref()), (0, Some("trades-1.4.0-bbbbbbbb")));
    }

    #[test]
    fn last_run_outlives_its_object() {
        let run = |name: &str, at: Option<&str>| -> Arc<ReportRun> {
            let conditions = at.map(|at| json!([{"type": "Complete", "status": "True", "reason": "X", "message": "", "lastTransitionTime": at}]));
            Arc::new(
                serde_json::from_value(json!({
                    "apiVersion": "openreg.io/v1alpha1", "kind": "ReportRun", "metadata": {"name": name},
                    "spec": {"id": "00000000-0000-0000-0000-000000000000", "reportRef": "trades", "period": {"start": "2026-03-01T00:00:00Z", "end": "2026-03-02T00:00:00Z"}, "trigger": "Manual"},
                    "status": {"conditions": conditions.unwrap_or(json!([])), "finishedAt": at, "outcome": "Delivered"}
                }))
                .unwrap(),
            )
        };
        let first = last_run(
            None,
            &[run("a", Some("2026-03-01T00:00:00Z")), run("b", Some("2026-03-02T00:00:00Z")), run("c", None)],
        )
        .unwrap();
        assert_eq!((first.name.as_str(), first.outcome.as_str()), ("b", "Delivered"));
        assert_eq!(last_run(Some(first), &[run("a", Some("2026-03-01T00:00:00Z"))]).unwrap().name, "b");
        assert_eq!(last_run(None, &[run("c", None)]), None);
    }
}
