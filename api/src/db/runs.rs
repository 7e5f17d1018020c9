//! Reading the history of runs: tables `runs`, `artifacts`, `deliveries`. Writing is `record.rs`.

use std::collections::BTreeMap;

use sqlx::Row;
use sqlx::postgres::PgRow;
use sqlx::types::Json;
use uuid::Uuid;

use super::{DbError, Tx};
use crate::model::{Artifact, Delivery, Manifest, Period, RunDetail, RunSummary, Scheduled};

/// Where a page begins: after the run made at that instant, of that id.
pub type After = (String, Uuid);

const SUMMARY: &str = "id, name, report, version, period_start, period_end, trigger, mode, requested_by, phase, outcome, counts, failure,
    openreg_rfc3339(created_at) AS created_at, openreg_rfc3339(started_at) AS started_at, openreg_rfc3339(finished_at) AS finished_at,
    openreg_rfc3339(lost_at) AS lost_at";

fn summary(row: &PgRow) -> Result<RunSummary, sqlx::Error> {
    Ok(RunSummary {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        report: row.try_get("report")?,
        version: row.try_get("version")?,
        period: Period {
            start: row.try_get("period_start")?,
            end: row.try_get("period_end")?,
        },
        trigger: row.try_get("trigger")?,
        mode: row.try_get("mode")?,
        requested_by: row.try_get("requested_by")?,
        phase: row.try_get("phase")?,
        outcome: row.try_get("outcome")?,
        counts: json(row, "counts")?,
        failure: json(row, "failure")?,
        created_at: row.try_get("created_at")?,
        started_at: row.try_get("started_at")?,
        finished_at: row.try_get("finished_at")?,
        lost_at: row.try_get("lost_at")?,
    })
}

fn json<T: serde::de::DeserializeOwned + Unpin + Send + 'static>(row: &PgRow, column: &str) -> Result<Option<T>, sqlx::Error> {
    Ok(row.try_get::<Option<Json<T>>, _>(column)?.map(|j| j.0))
}

/// The text of a page's query, one for each combination of filters, so that each is planned with the index that fits it.
/// Bound are report, outcome, instant and id of the place, and limit.
pub fn page_sql(report: bool, outcome: bool, after: bool) -> String {
    let mut sql = format!("SELECT {SUMMARY} FROM runs WHERE tenant = openreg_tenant()");
    for (present, clause) in [
        (report, " AND report = $1"),
        (outcome, " AND outcome = $2"),
        (after, " AND (created_at, id) < ($3::text::timestamptz, $4)"),
    ] {
        if present {
            sql.push_str(clause);
        }
    }
    sql.push_str(" ORDER BY runs.created_at DESC, runs.id DESC LIMIT $5");
    sql
}

/// A page of runs, newest first.
pub async fn page(tx: &mut Tx, report: Option<&str>, outcome: Option<&str>, after: Option<&After>, limit: i64) -> Result<Vec<RunSummary>, DbError> {
    let rows = sqlx::query(sqlx::AssertSqlSafe(page_sql(report.is_some(), outcome.is_some(), after.is_some())))
        .bind(report)
        .bind(outcome)
        .bind(after.map(|a| a.0.as_str()))
        .bind(after.map(|a| a.1))
        .bind(limit)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.iter().map(summary).collect::<Result<_, _>>()?)
}

/// One run as a list shows it.
pub async fn one(tx: &mut Tx, id: Uuid) -> Result<Option<RunSummary>, DbError> {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!(
        "SELECT {SUMMARY} FROM runs WHERE tenant = openreg_tenant() AND id = $1"
    )))
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.as_ref().map(summary).transpose()?)
}

/// One run, whole.
pub async fn detail(tx: &mut Tx, id: Uuid) -> Result<Option<RunDetail>, DbError> {
    let sql = format!(
        "SELECT {SUMMARY}, schedule, slot, parameters, cancelled, conditions, attempt, usage, plan_sha256, manifest_key, manifest_sha256, manifest_read, datasets, rules
         FROM runs WHERE tenant = openreg_tenant() AND id = $1"
    );
    let Some(row) = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(id).fetch_optional(&mut **tx).await? else {
        return Ok(None);
    };
    let pair = |a: &str, b: &str| -> Result<Option<(String, String)>, sqlx::Error> {
        Ok(row.try_get::<Option<String>, _>(a)?.zip(row.try_get::<Option<String>, _>(b)?))
    };
    Ok(Some(RunDetail {
        run: summary(&row)?,
        scheduled: pair("schedule", "slot")?.map(|(schedule, slot)| Scheduled { schedule, slot }),
        parameters: json::<BTreeMap<String, String>>(&row, "parameters")?.unwrap_or_default(),
        cancelled: json(&row, "cancelled")?,
        conditions: json(&row, "conditions")?.unwrap_or_default(),
        attempt: json(&row, "attempt")?,
        usage: json(&row, "usage")?,
        plan_sha256: row.try_get("plan_sha256")?,
        manifest: pair("manifest_key", "manifest_sha256")?.map(|(key, sha256)| Manifest { key, sha256 }),
        manifest_read: row.try_get("manifest_read")?,
        datasets: json(&row, "datasets")?.unwrap_or_default(),
        rules: json(&row, "rules")?.unwrap_or_default(),
        artifacts: artifacts(tx, id).await?,
        deliveries: deliveries(tx, id).await?,
    }))
}

fn artifact(row: &PgRow) -> Result<Artifact, sqlx::Error> {
    Ok(Artifact {
        name: row.try_get("name")?,
        key: row.try_get("key")?,
        size: row.try_get("size")?,
        sha256: row.try_get("sha256")?,
        records: row.try_get("records")?,
        media_type: row.try_get("media_type")?,
    })
}

/// The files of a run.
pub async fn artifacts(tx: &mut Tx, run: Uuid) -> Result<Vec<Artifact>, DbError> {
    let rows = sqlx::query("SELECT name, key, size, sha256, records, media_type FROM artifacts WHERE tenant = openreg_tenant() AND run = $1 ORDER BY ordinal")
        .bind(run)
        .fetch_all(&mut **tx)
        .await?;
    Ok(rows.iter().map(artifact).collect::<Result<_, _>>()?)
}

/// The file of that name.
pub async fn artifact_named(tx: &mut Tx, run: Uuid, name: &str) -> Result<Option<Artifact>, DbError> {
    let row = sqlx::query("SELECT name, key, size, sha256, records, media_type FROM artifacts WHERE tenant = openreg_tenant() AND run = $1 AND name = $2")
        .bind(run)
        .bind(name)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(row.as_ref().map(artifact).transpose()?)
}

async fn deliveries(tx: &mut Tx, run: Uuid) -> Result<Vec<Delivery>, DbError> {
    let rows = sqlx::query(
        "SELECT destination, state, attempts, begun, remote, receipt_sha256, failure, openreg_rfc3339(finished_at) AS finished_at
         FROM deliveries WHERE tenant = openreg_tenant() AND run = $1 ORDER BY ordinal",
    )
    .bind(run)
    .fetch_all(&mut **tx)
    .await?;
    let delivery = |row: &PgRow| -> Result<Delivery, sqlx::Error> {
        Ok(Delivery {
            destination: row.try_get("destination")?,
            state: row.try_get("state")?,
            attempts: row.try_get("attempts")?,
            begun: row.try_get("begun")?,
            remote: row.try_get("remote")?,
            receipt_sha256: row.try_get("receipt_sha256")?,
            finished_at: row.try_get("finished_at")?,
            failure: json(row, "failure")?,
        })
    };
    Ok(rows.iter().map(delivery).collect::<Result<_, _>>()?)
}

/// Where all violations of a run lie, and what is counted of them.
#[derive(Clone, Debug)]
pub struct ViolationsOf {
    /// Violations per rule.
    pub rules: Vec<crate::model::RuleCounts>,
    /// The object that holds them all, once the manifest is read and if there is one.
    pub object: Option<openreg_parts::store::manifest::StoredObject>,
}

/// The violations of a run; `None` when there is no such run.
pub async fn violations(tx: &mut Tx, run: Uuid) -> Result<Option<ViolationsOf>, DbError> {
    let Some(row) = sqlx::query("SELECT rules, violations FROM runs WHERE tenant = openreg_tenant() AND id = $1")
        .bind(run)
        .fetch_optional(&mut **tx)
        .await?
    else {
        return Ok(None);
    };
    Ok(Some(ViolationsOf {
        rules: json(&row, "rules")?.unwrap_or_default(),
        object: json(&row, "violations")?,
    }))
}
