//! Reports and their versions, as the cluster has them.

use axum::Json;
use axum::extract::State;
use openreg_crds::common::condition::{ConditionStatus, find};
use openreg_crds::report::Parameter;
use openreg_crds::{Report, ReportVersion};
use serde::Serialize;
use utoipa::ToSchema;

use super::extract::{Asking, Path};
use crate::app::App;
use crate::auth::token::Session;
use crate::error::{ApiError, FieldProblem};

/// All reports.
#[derive(Serialize, ToSchema)]
pub struct ReportList {
    /// The reports, by name.
    items: Vec<ReportSummary>,
}

/// A report as lists show it.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSummary {
    /// Name.
    name: String,
    /// A name for people.
    title: String,
    /// The version of the present spec.
    version: String,
    /// Which regulation asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    regulation: Option<ReportRegulation>,
    /// Whether the present spec can run.
    ready: bool,
    /// Why it cannot, or a word for why it can.
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    /// What is wrong with the spec.
    problems: Vec<FieldProblem>,
    /// The run that ended last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last_run: Option<ReportLastRun>,
    /// The Destinations it is delivered to.
    destinations: Vec<String>,
}

/// Which regulation asks for a report.
#[derive(Serialize, ToSchema)]
pub struct ReportRegulation {
    /// The authority.
    authority: String,
    /// The regulation.
    name: String,
}

/// The run that ended last.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportLastRun {
    /// Name of the ReportRun.
    name: String,
    /// How it ended.
    outcome: String,
    /// When.
    finished_at: String,
}

/// All of a report.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportDetail {
    /// What lists show.
    report: ReportSummary,
    /// What a run must or may be given.
    parameters: Vec<ReportParameter>,
    /// The spec as it is in the cluster.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

/// What a run must or may be given.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportParameter {
    /// Its name.
    name: String,
    /// Date, DateTime, String, Integer, Decimal, Boolean, Enum.
    #[serde(rename = "type")]
    type_: String,
    /// What a String must match as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pattern: Option<String>,
    /// What an Enum may be.
    values: Vec<String>,
    /// Whether a run must give it.
    required: bool,
    /// What it is when a run does not give it.
    #[serde(skip_serializing_if = "Option::is_none")]
    default: Option<String>,
}

/// The versions of a report.
#[derive(Serialize, ToSchema)]
pub struct ReportVersionList {
    /// The versions, newest first.
    items: Vec<ReportVersionDetail>,
}

/// One accepted version of a report, immutable.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportVersionDetail {
    /// Name of the ReportVersion.
    name: String,
    /// MAJOR.MINOR.PATCH.
    version: String,
    /// SHA-256 of the spec.
    sha256: String,
    /// When it was accepted.
    created_at: String,
    /// The spec at that version.
    #[schema(value_type = Object)]
    spec: serde_json::Value,
}

/// Lists the reports.
#[utoipa::path(get, path = "/api/v1/reports", tag = "reports", responses((status = 200, description = "The reports", body = ReportList)))]
pub async fn list_reports(State(app): State<App>, Asking(session): Asking) -> Result<Json<ReportList>, ApiError> {
    let mut reports = app.cluster.reports(app.namespace(&session).await?).await?;
    reports.sort_by(|a, b| a.metadata.name.cmp(&b.metadata.name));
    Ok(Json(ReportList {
        items: reports.iter().map(summary).collect(),
    }))
}

/// Reads a report.
#[utoipa::path(get, path = "/api/v1/reports/{name}", tag = "reports", params(("name" = String, Path, description = "Name of the report")),
    responses((status = 200, description = "The report", body = ReportDetail)))]
pub async fn get_report(State(app): State<App>, Asking(session): Asking, Path(name): Path<String>) -> Result<Json<ReportDetail>, ApiError> {
    let report = named(&app, &session, &name).await?;
    let spec = serde_json::to_value(&report.spec).map_err(ApiError::internal)?;
    Ok(Json(ReportDetail {
        report: summary(&report),
        parameters: report.spec.parameters.iter().flatten().map(parameter).collect(),
        spec,
    }))
}

/// Lists the versions of a report.
#[utoipa::path(get, path = "/api/v1/reports/{name}/versions", tag = "reports", params(("name" = String, Path, description = "Name of the report")),
    responses((status = 200, description = "The versions", body = ReportVersionList)))]
pub async fn list_report_versions(State(app): State<App>, Asking(session): Asking, Path(name): Path<String>) -> Result<Json<ReportVersionList>, ApiError> {
    check_name(&name)?;
    let mut versions = app.cluster.versions(app.namespace(&session).await?, &name).await?;
    // A report may be gone while its versions, and so its history, are still there.
    if versions.is_empty() {
        named(&app, &session, &name).await?;
    }
    versions.sort_by_key(|v| std::cmp::Reverse(numbers(&v.spec.report.version)));
    Ok(Json(ReportVersionList {
        items: versions.iter().map(version).collect::<Result<_, _>>()?,
    }))
}

/// The report of that name.
pub async fn named(app: &App, session: &Session, name: &str) -> Result<Report, ApiError> {
    check_name(name)?;
    let namespace = app.namespace(session).await?;
    app.cluster
        .report(namespace, name)
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("report {name}")))
}

/// A name that the API server could have: anything else is never sent there, where it would become part of a path.
fn check_name(name: &str) -> Result<(), ApiError> {
    let fine = !name.is_empty() && name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.');
    if fine {
        Ok(())
    } else {
        Err(ApiError::NotFound(format!("report {}", name.escape_default().take(63).collect::<String>())))
    }
}

fn numbers(version: &str) -> Vec<u64> {
    version.split('.').map(|n| n.parse().unwrap_or(0)).collect()
}

fn summary(report: &Report) -> ReportSummary {
    let status = report.status.clone().unwrap_or_default();
    let ready = find(&status.conditions, "Ready");
    ReportSummary {
        name: report.metadata.name.clone().unwrap_or_default(),
        title: report.spec.title.clone(),
        version: report.spec.version.clone(),
        regulation: report.spec.regulation.as_ref().map(|r| ReportRegulation {
            authority: r.authority.clone(),
            name: r.name.clone(),
        }),
        ready: ready.is_some_and(|c| c.status == ConditionStatus::True),
        message: ready.map(|c| c.message.clone()),
        problems: status
            .problems
            .iter()
            .map(|p| FieldProblem {
                field: p.field.clone(),
                message: p.message.clone(),
            })
            .collect(),
        last_run: status.last_run.map(|r| ReportLastRun {
            name: r.name,
            outcome: r.outcome,
            finished_at: r.finished_at.0.to_string(),
        }),
        destinations: report.spec.delivery.iter().flatten().map(|d| d.destination_ref.clone()).collect(),
    }
}

fn parameter(p: &Parameter) -> ReportParameter {
    ReportParameter {
        name: p.name.clone(),
        type_: format!("{:?}", p.type_),
        pattern: p.pattern.clone(),
        values: p.values.clone().unwrap_or_default(),
        required: p.required.unwrap_or(false),
        default: p.value.clone(),
    }
}

fn version(v: &ReportVersion) -> Result<ReportVersionDetail, ApiError> {
    Ok(ReportVersionDetail {
        name: v.metadata.name.clone().unwrap_or_default(),
        version: v.spec.report.version.clone(),
        sha256: v.spec.sha256.clone(),
        created_at: v.metadata.creation_timestamp.as_ref().map(|t| t.0.to_string()).unwrap_or_default(),
        spec: serde_json::to_value(&v.spec.report).map_err(ApiError::internal)?,
    })
}
