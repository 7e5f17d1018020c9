//! The audit trail: pages to look at, and the whole chain to verify.

use axum::Json;
use axum::body::Body as HttpBody;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use openreg_audit::Entry;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::extract::{Asking, Query, cursor, page_size, place};
use super::runs::append;
use crate::app::App;
use crate::db::audit::{self, NewEntry};
use crate::error::{ApiError, chain};

/// Entries read at once while the chain is exported.
const EXPORT_PAGE: i64 = 500;

/// Which entries.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct AuditQuery {
    /// Of that action: `auth.login`, `run.ended`, `artifact.downloaded`, …
    action: Option<String>,
    /// About that, and what belongs to it: `run/<id>` (with `run/<id>/delivery/<name>`), `user/<name>`.
    subject: Option<String>,
    /// Entries a page, at most 200 [50].
    limit: Option<u32>,
    /// The `next` of the page before.
    after: Option<String>,
}

/// A page of entries.
#[derive(Serialize, ToSchema)]
pub struct AuditPage {
    /// The entries, newest first.
    items: Vec<AuditEntry>,
    /// The cursor `after` of the next page; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// One entry of the tenant's hash chain.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// The tenant.
    tenant: Uuid,
    /// Its number, from 1 without a gap.
    seq: u64,
    /// When, RFC 3339, UTC.
    at: String,
    /// Who.
    actor: String,
    /// What was done.
    action: String,
    /// With what.
    subject: String,
    /// The particulars.
    #[schema(value_type = Object)]
    detail: serde_json::Value,
    /// The hash of the entry before.
    prev: String,
    /// The hash of this entry.
    hash: String,
}

impl From<Entry> for AuditEntry {
    fn from(e: Entry) -> Self {
        Self {
            tenant: e.tenant,
            seq: e.seq,
            at: e.at.to_string(),
            actor: e.actor,
            action: e.action,
            subject: e.subject,
            detail: e.detail,
            prev: e.prev,
            hash: e.hash,
        }
    }
}

/// Lists audit entries, newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(AuditQuery), responses((status = 200, description = "A page of entries", body = AuditPage)))]
pub async fn list_audit(State(app): State<App>, Asking(session): Asking, Query(query): Query<AuditQuery>) -> Result<Json<AuditPage>, ApiError> {
    let limit = page_size(query.limit);
    let before: Option<i64> = place(query.after.as_deref())?;
    let mut tx = app.db.tenant(session.tenant).await?;
    let mut entries = audit::page(&mut tx, query.action.as_deref(), query.subject.as_deref(), before, limit + 1).await?;
    tx.commit().await?;
    let more = i64::try_from(entries.len()).unwrap_or(i64::MAX) > limit;
    entries.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    let next = entries.last().filter(|_| more).map(|last| cursor(&last.seq));
    Ok(Json(AuditPage {
        items: entries.into_iter().map(AuditEntry::from).collect(),
        next,
    }))
}

/// Exports the tenant's whole chain, oldest first, one JSON object a line: what `openreg verify audit` reads. The export
/// itself is its last entry.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit", responses((status = 200, description = "The chain, JSON lines", content_type = "application/x-ndjson", body = String)))]
pub async fn export_audit(State(app): State<App>, Asking(session): Asking) -> Result<Response, ApiError> {
    append(&app, &session, NewEntry::new(&session.name, "audit.exported", "audit", json!({}))).await?;
    let lines = app.db.audit_chain(session.tenant, EXPORT_PAGE).map_ok(|entry| {
        // The entry's own form: that is what the hash is of.
        let mut line = serde_json::to_vec(&entry).unwrap_or_default();
        line.push(b'\n');
        Bytes::from(line)
    });
    let lines = lines.inspect_err(|e| tracing::error!(error = %chain(e), "an audit export broke off")).boxed();
    Response::builder()
        .status(StatusCode::OK)
        .header(header::CONTENT_TYPE, "application/x-ndjson")
        .header(
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"audit-{}.jsonl\"", session.namespace),
        )
        .header(header::CACHE_CONTROL, "private, no-store")
        .body(HttpBody::from_stream(lines))
        .map_err(ApiError::internal)
}
