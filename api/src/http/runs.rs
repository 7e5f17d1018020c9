//! Runs: list, read, stop. Starting one is `start.rs`.

use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Asking, Body, Path, Query, cursor, page_size, place};
use crate::app::App;
use crate::auth::token::Session;
use crate::cluster::{ClusterError, Tenant};
use crate::db::audit::{self, NewEntry};
use crate::db::runs;
use crate::error::ApiError;
use crate::model::{RunDetail, RunSummary};
use crate::recorder::record::record;
use openreg_crds::ReportRun;
use openreg_crds::report_run::Cancelled;
use openreg_parts::error::Problem;

/// Which runs.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RunQuery {
    /// Of that report.
    report: Option<String>,
    /// That ended so: Delivered, Failed, …
    outcome: Option<String>,
    /// Entries a page, at most 200 [50].
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page of runs.
#[derive(Serialize, ToSchema)]
pub struct RunPage {
    /// The runs, newest first.
    items: Vec<RunSummary>,
    /// The cursor `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Why a run is stopped.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CancelRequest {
    /// The reason, for the audit trail.
    #[schema(min_length = 1, max_length = 512)]
    reason: String,
}

/// Lists runs, newest first.
#[utoipa::path(get, path = "/api/v1/runs", tag = "runs", params(RunQuery), responses((status = 200, description = "A page of runs", body = RunPage)))]
pub async fn list_runs(State(app): State<App>, Asking(session): Asking, Query(query): Query<RunQuery>) -> Result<Json<RunPage>, ApiError> {
    let limit = page_size(query.limit);
    let after: Option<runs::After> = place(query.after.as_deref())?;
    // What the database would not read must not get there: a year before 1, a time zone's name.
    if after.as_ref().is_some_and(|(at, _)| !is_ours(at)) {
        return Err(ApiError::BadRequest(
            "the cursor `after` is not one that a page gave: leave it out to begin anew".to_owned(),
        ));
    }
    let mut tx = app.db.tenant(session.tenant).await?;
    let mut items = runs::page(&mut tx, query.report.as_deref(), query.outcome.as_deref(), after.as_ref(), limit + 1).await?;
    tx.commit().await?;
    let more = i64::try_from(items.len()).unwrap_or(i64::MAX) > limit;
    items.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = items.last().filter(|_| more).map(|last| cursor(&(&last.created_at, last.id)));
    Ok(Json(RunPage { items, next }))
}

/// Whether that is an instant as the database writes it.
fn is_ours(instant: &str) -> bool {
    instant
        .parse::<jiff::Timestamp>()
        .is_ok_and(|at| format!("{at:.6}") == instant && !instant.starts_with('-'))
}

/// Reads a run.
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "runs", params(("id" = Uuid, Path, description = "Identity of the run")),
    responses((status = 200, description = "The run", body = RunDetail)))]
pub async fn get_run(State(app): State<App>, Asking(session): Asking, Path(id): Path<Uuid>) -> Result<Json<RunDetail>, ApiError> {
    let mut tx = app.db.tenant(session.tenant).await?;
    let found = runs::detail(&mut tx, id).await?;
    tx.commit().await?;
    match found {
        Some(detail) => Ok(Json(detail)),
        // A run made a moment ago, or the recorder is behind: the object says the same.
        None => Ok(Json(seen(&session, &object(&app, &session, id).await?)?)),
    }
}

/// Asks for the end of a run. The answer is what the API server of the cluster returned.
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "runs", params(("id" = Uuid, Path, description = "Identity of the run")), request_body = CancelRequest,
    responses((status = 202, description = "The run will end", body = RunDetail),
    (status = 409, description = "It has ended, or is being stopped already", body = crate::error::ProblemDocument, content_type = "application/problem+json")))]
pub async fn cancel_run(
    State(app): State<App>,
    Asking(session): Asking,
    Path(id): Path<Uuid>,
    Body(request): Body<CancelRequest>,
) -> Result<(axum::http::StatusCode, Json<RunDetail>), ApiError> {
    if request.reason.trim().is_empty() || request.reason.chars().count() > 512 {
        return Err(ApiError::Invalid(vec![Problem::new("reason", "say why, in 1 to 512 characters")]));
    }
    let run = match object(&app, &session, id).await {
        Err(ApiError::NotFound(what)) => return Err(gone(&app, &session, id).await?.unwrap_or(ApiError::NotFound(what))),
        found => found?,
    };
    let now = seen(&session, &run)?;
    if let Some(outcome) = &now.run.outcome {
        return Err(ApiError::Conflict(format!("run {} has ended: {outcome}", now.run.name)));
    }
    if now.cancelled.is_some() {
        return Err(ApiError::Conflict(format!("run {} is being stopped already", now.run.name)));
    }
    let cancelled = Cancelled {
        reason: request.reason,
        by: session.name.clone(),
    };
    let namespace = app.namespace_to_change(&session).await?;
    // Before the act: an act without its entry must not be possible. That it was refused would be a second entry.
    let subject = format!("run/{id}");
    append(
        &app,
        &session,
        NewEntry::new(
            &session.name,
            "cancel.requested",
            &subject,
            json!({"name": now.run.name, "reason": cancelled.reason}),
        ),
    )
    .await?;
    match app.cluster.cancel_run(namespace, &now.run.name, &cancelled).await {
        Ok(run) => Ok((axum::http::StatusCode::ACCEPTED, Json(seen(&session, &run)?))),
        Err(error) => {
            append(&app, &session, failed("cancel", &session, &subject, &error)).await?;
            Err(error.into())
        }
    }
}

/// What is written down when the cluster did not do what was asked. Without an answer it may have done it: that is another
/// entry than a refusal, and the recorder's entries tell in the end.
pub fn failed(asked: &str, session: &Session, subject: &str, error: &ClusterError) -> NewEntry {
    let how = if matches!(error, ClusterError::Unreachable { .. }) {
        "unanswered"
    } else {
        "refused"
    };
    NewEntry::new(&session.name, &format!("{asked}.{how}"), subject, json!({"reason": error.to_string()}))
}

/// Why a run whose object is gone cannot be stopped, if the history knows it.
async fn gone(app: &App, session: &Session, id: Uuid) -> Result<Option<ApiError>, ApiError> {
    let mut tx = app.db.tenant(session.tenant).await?;
    let found = runs::one(&mut tx, id).await?;
    tx.commit().await?;
    Ok(found.map(|run| {
        let how = run
            .outcome
            .map_or_else(|| "its ReportRun is gone".to_owned(), |outcome| format!("it has ended: {outcome}"));
        ApiError::Conflict(format!("run {} cannot be stopped: {how}", run.name))
    }))
}

/// Writes an entry in a transaction of its own.
pub async fn append(app: &App, session: &Session, entry: NewEntry) -> Result<(), ApiError> {
    let mut tx = app.db.tenant(session.tenant).await?;
    audit::append(&mut tx, session.tenant, &entry).await?;
    tx.commit().await?;
    Ok(())
}

async fn object(app: &App, session: &Session, id: Uuid) -> Result<ReportRun, ApiError> {
    app.cluster
        .run(app.namespace(session).await?, id)
        .await?
        .ok_or_else(|| ApiError::NotFound(format!("run {id}")))
}

/// What the object says, in the words of the history.
pub fn seen(session: &Session, run: &ReportRun) -> Result<RunDetail, ApiError> {
    let tenant = Tenant {
        uid: session.tenant,
        namespace: session.namespace.clone(),
    };
    Ok(record(&tenant, run).map_err(ApiError::internal)?.detail)
}
