//! Starting a run: check what was asked, write it down, create the ReportRun.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use openreg_crds::report::ReportSpec;
use openreg_crds::report_run::{Mode, Period as RunPeriod, ReportRunSpec, Trigger};
use openreg_crds::{RECORDED_FINALIZER, ReportRun};
use openreg_parts::error::Problem;
use serde::Deserialize;
use serde_json::json;
use utoipa::ToSchema;
use uuid::Uuid;

use super::extract::{Asking, Body};
use super::reports::named;
use super::runs::{append, failed, seen};
use crate::app::App;
use crate::auth::token::Session;
use crate::cluster::ClusterError;
use crate::db::audit::NewEntry;
use crate::db::runs;
use crate::error::ApiError;
use crate::model::{Period, RunDetail};

/// What is to run.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRun {
    /// The report.
    report: String,
    /// Its version; absent: the newest that is ready.
    version: Option<String>,
    /// What is reported on.
    period: Period,
    /// Parameters; values are text.
    #[serde(default)]
    parameters: BTreeMap<String, String>,
    /// What is done [Full].
    mode: Option<RunMode>,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, ToSchema)]
pub enum RunMode {
    /// Generates and delivers.
    Full,
    /// Generates only.
    GenerateOnly,
}

/// Starts a run. The answer is what the API server of the cluster returned. With the header `Idempotency-Key`, the same
/// request sent again starts no second run, however late: also when the first has ended and its object is gone. A key counts
/// for one user and one report.
#[utoipa::path(post, path = "/api/v1/runs", tag = "runs", request_body = StartRun,
    params(("Idempotency-Key" = Option<String>, Header, description = "A text of your own, at most 128 characters, the same for each try")),
    responses((status = 201, description = "The run", body = RunDetail, headers(("Location" = String, description = "Where the run is"))),
    (status = 200, description = "The run that the first try started", body = RunDetail),
    (status = 409, description = "The key was used for another request", body = crate::error::ProblemDocument, content_type = "application/problem+json"),
    (status = 422, description = "What is wrong, field by field", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn start_run(State(app): State<App>, Asking(session): Asking, headers: HeaderMap, Body(request): Body<StartRun>) -> Result<Response, ApiError> {
    let key = idempotency_key(&headers)?;
    let id = key.as_deref().map_or_else(Uuid::new_v4, |key| run_id(&session, &request.report, key));
    if key.is_some()
        && let Some(before) = in_history(&app, &session, id).await?
    {
        return if asks_for(&request, &before) {
            answer(StatusCode::OK, before)
        } else {
            Err(other_request())
        };
    }
    let spec = spec_of(&app, &session, &request).await?;
    let problems = problems(&spec, &request);
    if !problems.is_empty() {
        return Err(ApiError::Invalid(problems));
    }
    let run = run(&session, id, &request);
    let name = run.metadata.name.clone().unwrap_or_default();
    let namespace = app.namespace_to_change(&session).await?;
    // Before the act: an act without its entry must not be possible. That it was refused would be a second entry.
    let subject = format!("run/{id}");
    let detail = json!({"name": name, "report": request.report, "version": request.version, "period": request.period, "parameters": request.parameters});
    append(&app, &session, NewEntry::new(&session.name, "start.requested", &subject, detail)).await?;
    match app.cluster.create_run(namespace, &run).await {
        Ok(created) => answer(StatusCode::CREATED, seen(&session, &created)?),
        Err(error @ ClusterError::Exists { .. }) => match app.cluster.run(namespace, id).await? {
            Some(found) if is_same(&found.spec, run.spec) => answer(StatusCode::OK, seen(&session, &found)?),
            Some(_) => Err(other_request()),
            // The name has eight digits of the id only.
            None => Err(ApiError::Conflict(format!(
                "{error}, of another run: send the request again with another Idempotency-Key, or with none"
            ))),
        },
        Err(error) => {
            append(&app, &session, failed("start", &session, &subject, &error)).await?;
            Err(error.into())
        }
    }
}

/// The identity of the run that a key stands for. The report is part of it, since it is part of the object's name: two
/// requests with one key that differ in the report would else make two objects of one identity.
fn run_id(session: &Session, report: &str, key: &str) -> Uuid {
    Uuid::new_v5(&session.tenant, format!("{}\n{report}\n{key}", session.user).as_bytes())
}

fn other_request() -> ApiError {
    ApiError::Conflict("this Idempotency-Key was used for another request: use a new one".to_owned())
}

/// Whether an object has the spec that was asked for, whatever was added to it since.
fn is_same(found: &ReportRunSpec, asked: ReportRunSpec) -> bool {
    *found
        == ReportRunSpec {
            cancelled: found.cancelled.clone(),
            approvals: found.approvals.clone(),
            ..asked
        }
}

async fn in_history(app: &App, session: &Session, id: Uuid) -> Result<Option<RunDetail>, ApiError> {
    let mut tx = app.db.tenant(session.tenant).await?;
    let found = runs::detail(&mut tx, id).await?;
    tx.commit().await?;
    Ok(found)
}

/// Whether a run of the history is the one that `request` asks for. Its version is the resolved one, so that it says
/// nothing about a request that named none.
fn asks_for(request: &StartRun, run: &RunDetail) -> bool {
    let mode = match request.mode {
        Some(RunMode::GenerateOnly) => "GenerateOnly",
        Some(RunMode::Full) | None => "Full",
    };
    run.run.report == request.report
        && run.run.period == request.period
        && run.parameters == request.parameters
        && run.run.mode == mode
        && request.version.as_ref().is_none_or(|version| run.run.version.as_ref() == Some(version))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let key = value.to_str().ok().filter(|k| !k.is_empty() && k.len() <= 128);
    key.map(|k| Some(k.to_owned()))
        .ok_or_else(|| ApiError::BadRequest("Idempotency-Key may have 1 to 128 visible ASCII characters".to_owned()))
}

/// The spec that would run: of the version that was named, else the report's own.
async fn spec_of(app: &App, session: &Session, request: &StartRun) -> Result<ReportSpec, ApiError> {
    let Some(version) = &request.version else {
        return Ok(named(app, session, &request.report).await?.spec);
    };
    let versions = app.cluster.versions(app.namespace(session).await?, &request.report).await?;
    let found = versions.into_iter().find(|v| &v.spec.report.version == version);
    found
        .map(|v| v.spec.report)
        .ok_or_else(|| ApiError::Invalid(vec![Problem::new("version", format!("report {} has no version {version}", request.report))]))
}

/// What is wrong with what was asked.
fn problems(spec: &ReportSpec, request: &StartRun) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut instant = |field: &str, text: &str| match text.parse::<jiff::Timestamp>() {
        Ok(at) => Some(at),
        Err(_) => {
            problems.push(Problem::new(field, "write an instant as RFC 3339 with a zone, such as 2026-03-02T00:00:00Z"));
            None
        }
    };
    let (start, end) = (instant("period.start", &request.period.start), instant("period.end", &request.period.end));
    if start.zip(end).is_some_and(|(start, end)| start >= end) {
        problems.push(Problem::new("period.end", "must be after period.start: the end is exclusive"));
    }
    problems.extend(
        openreg_resolve::parameters::values(spec.parameters.as_deref().unwrap_or_default(), &request.parameters, "parameters")
            .err()
            .unwrap_or_default(),
    );
    problems
}

fn run(session: &Session, id: Uuid, request: &StartRun) -> ReportRun {
    // At most 32 + 1 + 8 characters.
    let name = format!("{}-{}", request.report, &id.simple().to_string()[..8]);
    let mut run = ReportRun::new(
        &name,
        ReportRunSpec {
            id: id.to_string(),
            report_ref: request.report.clone(),
            version: request.version.clone(),
            period: RunPeriod {
                start: request.period.start.clone(),
                end: request.period.end.clone(),
            },
            parameters: (!request.parameters.is_empty()).then(|| request.parameters.clone()),
            trigger: Trigger::Manual,
            requested_by: Some(session.name.clone()),
            mode: request.mode.map(|m| match m {
                RunMode::Full => Mode::Full,
                RunMode::GenerateOnly => Mode::GenerateOnly,
            }),
            scheduled: None,
            cancelled: None,
            approvals: None,
        },
    );
    run.metadata.namespace = Some(session.namespace.clone());
    // From its first moment on the run cannot go before it is recorded.
    run.metadata.finalizers = Some(vec![RECORDED_FINALIZER.to_owned()]);
    run
}

fn answer(status: StatusCode, detail: RunDetail) -> Result<Response, ApiError> {
    let location = HeaderValue::from_str(&format!("/api/v1/runs/{}", detail.run.id)).map_err(ApiError::internal)?;
    let mut response = (status, Json(detail)).into_response();
    response.headers_mut().insert(header::LOCATION, location);
    Ok(response)
}
