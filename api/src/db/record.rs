//! Writing the history of runs; the recorder alone does. Every write can be repeated: the second time changes nothing.

use sqlx::types::Json;
use uuid::Uuid;

use super::audit::{self, NewEntry};
use super::{Db, DbError, RUNS_CHANNEL, Tx, tenants};
use crate::recorder::manifest::ManifestContents;
use crate::recorder::record::RunRecord;

/// What became of a run that was to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is in the history.
    Run,
    /// Another object's run of the same id is, and was left as it is: whoever may create a run may write any id, also who
    /// deletes an object and applies the same file again. The audit trail has this one under a subject of its own.
    IdTaken {
        /// That object's name.
        by: String,
        /// Whether that object must be gone: this one has its name, and was made later.
        gone: bool,
    },
}

impl Db {
    /// Writes all that is known of a run, with its audit entries, in one transaction.
    pub async fn record(&self, record: &RunRecord, manifest: Option<&ManifestContents>) -> Result<Written, DbError> {
        let mut tx = self.tenant(record.tenant).await?;
        tenants::ensure(&mut tx, record.tenant, &record.namespace).await?;
        let newer = upsert(&mut tx, record).await?;
        if !newer && let Some((by, gone)) = other_object(&mut tx, record).await? {
            for entry in foreign_entries(record, &by) {
                audit::append_once(&mut tx, record.tenant, &entry).await?;
            }
            tx.commit().await?;
            return Ok(Written::IdTaken { by, gone });
        }
        if newer {
            for (ordinal, delivery) in (0_i32..).zip(&record.detail.deliveries) {
                sqlx::query(
                    "INSERT INTO deliveries (tenant, run, ordinal, destination, state, attempts, begun, remote, receipt_sha256, failure, finished_at)
                     VALUES (openreg_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10::text::timestamptz)
                     ON CONFLICT (tenant, run, destination) DO UPDATE SET ordinal = excluded.ordinal, state = excluded.state, attempts = excluded.attempts, begun = excluded.begun,
                         remote = excluded.remote, receipt_sha256 = excluded.receipt_sha256, failure = excluded.failure, finished_at = excluded.finished_at",
                )
                .bind(record.detail.run.id)
                .bind(ordinal)
                .bind(&delivery.destination)
                .bind(&delivery.state)
                .bind(delivery.attempts)
                .bind(delivery.begun)
                .bind(&delivery.remote)
                .bind(&delivery.receipt_sha256)
                .bind(delivery.failure.as_ref().map(Json))
                .bind(&delivery.finished_at)
                .execute(&mut *tx)
                .await?;
            }
        }
        // Not what another view sealed than the row says.
        if let Some(manifest) = manifest
            && (newer || is_sealed(&mut tx, record).await?)
        {
            write_manifest(&mut tx, record.detail.run.id, manifest).await?;
        }
        sqlx::query("SELECT pg_notify($1, $2)")
            .bind(RUNS_CHANNEL)
            .bind(format!("{} {}", record.tenant, record.detail.run.id))
            .execute(&mut *tx)
            .await?;
        // Last, since each append makes the tenant's other writers wait until this transaction ends.
        for entry in &record.entries {
            audit::append_once(&mut tx, record.tenant, entry).await?;
        }
        tx.commit().await?;
        Ok(Written::Run)
    }

    /// Whether the history has the run's end.
    pub async fn has_ended(&self, tenant: Uuid, run: Uuid) -> Result<bool, DbError> {
        let mut tx = self.tenant(tenant).await?;
        let found = sqlx::query_scalar("SELECT EXISTS (SELECT FROM runs WHERE tenant = openreg_tenant() AND id = $1 AND outcome IS NOT NULL)")
            .bind(run)
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(found)
    }

    /// Whether what the manifest says is stored.
    pub async fn has_manifest(&self, tenant: Uuid, run: Uuid) -> Result<bool, DbError> {
        let mut tx = self.tenant(tenant).await?;
        let found = sqlx::query_scalar("SELECT manifest_read FROM runs WHERE tenant = openreg_tenant() AND id = $1")
            .bind(run)
            .fetch_optional(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(found.unwrap_or(false))
    }

    /// The runs that have not ended and were made before `before`.
    pub async fn open_runs(&self, tenant: Uuid, before: jiff::Timestamp) -> Result<Vec<Uuid>, DbError> {
        let mut tx = self.tenant(tenant).await?;
        let open = sqlx::query_scalar(
            "SELECT id FROM runs WHERE tenant = openreg_tenant() AND outcome IS NULL AND lost_at IS NULL AND created_at < $1::text::timestamptz",
        )
        .bind(before.to_string())
        .fetch_all(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(open)
    }

    /// Marks runs whose objects are gone although they have not ended.
    pub async fn mark_lost(&self, tenant: Uuid, runs: &[Uuid]) -> Result<(), DbError> {
        let mut tx = self.tenant(tenant).await?;
        let marked: Vec<Uuid> = sqlx::query_scalar(
            "UPDATE runs SET lost_at = now(), updated_at = now() WHERE tenant = openreg_tenant() AND id = ANY ($1) AND outcome IS NULL AND lost_at IS NULL RETURNING id",
        )
        .bind(runs)
        .fetch_all(&mut *tx)
        .await?;
        for run in &marked {
            sqlx::query("SELECT pg_notify($1, $2)")
                .bind(RUNS_CHANNEL)
                .bind(format!("{tenant} {run}"))
                .execute(&mut *tx)
                .await?;
        }
        for run in &marked {
            audit::append_once(&mut tx, tenant, &NewEntry::by_recorder("run.lost", format!("run/{run}"), serde_json::json!({}))).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}

/// The name of the object whose run the history has under this id, when it is another's: of another name, or made at another
/// time; and whether it must be gone.
async fn other_object(tx: &mut Tx, record: &RunRecord) -> Result<Option<(String, bool)>, DbError> {
    let run = &record.detail.run;
    let sql = "SELECT name, name = $2 AND created_at < $3::text::timestamptz FROM runs
         WHERE tenant = openreg_tenant() AND id = $1 AND (name <> $2 OR created_at <> $3::text::timestamptz)";
    Ok(sqlx::query_as(sql)
        .bind(run.id)
        .bind(&run.name)
        .bind(&run.created_at)
        .fetch_optional(&mut **tx)
        .await?)
}

/// Whether the row names the same sealed manifest.
async fn is_sealed(tx: &mut Tx, record: &RunRecord) -> Result<bool, DbError> {
    Ok(
        sqlx::query_scalar("SELECT EXISTS (SELECT FROM runs WHERE tenant = openreg_tenant() AND id = $1 AND manifest_sha256 = $2)")
            .bind(record.detail.run.id)
            .bind(record.detail.manifest.as_ref().map(|m| m.sha256.as_str()))
            .fetch_one(&mut **tx)
            .await?,
    )
}

/// The entries of a run whose id another has: each under a subject that the other's entries cannot have.
fn foreign_entries(record: &RunRecord, by: &str) -> Vec<NewEntry> {
    let run = &record.detail.run;
    let own = format!("run/{}", run.id);
    let subject = format!("{own}/object/{}/{}", run.name, run.created_at);
    let detail = serde_json::json!({"name": run.name, "of": by, "report": run.report, "requestedBy": run.requested_by, "createdAt": run.created_at});
    let taken = NewEntry::by_recorder("run.idTaken", &subject, detail);
    let others = record.entries.iter().map(|e| NewEntry {
        subject: e.subject.replacen(&own, &subject, 1),
        ..e.clone()
    });
    std::iter::once(taken).chain(others).collect()
}

/// Writes the run's row; `false` when the row is of a run that has ended and this is an older view of it, or when it is of
/// another object. What has ended is never changed: not its outcome, and not what it sealed.
async fn upsert(tx: &mut Tx, record: &RunRecord) -> Result<bool, DbError> {
    let (run, d) = (&record.detail.run, &record.detail);
    let done = sqlx::query(
        "INSERT INTO runs (tenant, id, name, report, version, period_start, period_end, trigger, mode, requested_by, schedule, slot, parameters, cancelled, phase, outcome,
             conditions, failure, attempt, counts, usage, plan_sha256, manifest_key, manifest_sha256, created_at, started_at, finished_at)
         VALUES (openreg_tenant(), $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23,
             $24::text::timestamptz, $25::text::timestamptz, $26::text::timestamptz)
         ON CONFLICT (tenant, id) DO UPDATE SET version = excluded.version, cancelled = excluded.cancelled, phase = excluded.phase, outcome = excluded.outcome,
             conditions = excluded.conditions, failure = excluded.failure, attempt = excluded.attempt, counts = excluded.counts, usage = excluded.usage,
             plan_sha256 = excluded.plan_sha256, manifest_key = excluded.manifest_key, manifest_sha256 = excluded.manifest_sha256,
             started_at = excluded.started_at, finished_at = excluded.finished_at, lost_at = NULL, updated_at = now()
         WHERE runs.name = excluded.name AND runs.created_at = excluded.created_at
             AND (runs.outcome IS NULL OR (runs.outcome = excluded.outcome AND runs.manifest_sha256 IS NOT DISTINCT FROM excluded.manifest_sha256))",
    )
    .bind(run.id)
    .bind(&run.name)
    .bind(&run.report)
    .bind(&run.version)
    .bind(&run.period.start)
    .bind(&run.period.end)
    .bind(&run.trigger)
    .bind(&run.mode)
    .bind(&run.requested_by)
    .bind(d.scheduled.as_ref().map(|s| s.schedule.as_str()))
    .bind(d.scheduled.as_ref().map(|s| s.slot.as_str()))
    .bind(Json(&d.parameters))
    .bind(d.cancelled.as_ref().map(Json))
    .bind(&run.phase)
    .bind(&run.outcome)
    .bind(Json(&d.conditions))
    .bind(run.failure.as_ref().map(Json))
    .bind(d.attempt.as_ref().map(Json))
    .bind(run.counts.as_ref().map(Json))
    .bind(d.usage.as_ref().map(Json))
    .bind(&d.plan_sha256)
    .bind(d.manifest.as_ref().map(|m| m.key.as_str()))
    .bind(d.manifest.as_ref().map(|m| m.sha256.as_str()))
    .bind(&run.created_at)
    .bind(&run.started_at)
    .bind(&run.finished_at)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

async fn write_manifest(tx: &mut Tx, run: Uuid, manifest: &ManifestContents) -> Result<(), DbError> {
    for (ordinal, artifact) in (0_i32..).zip(&manifest.artifacts) {
        sqlx::query(
            "INSERT INTO artifacts (tenant, run, ordinal, name, key, size, sha256, records, media_type) VALUES (openreg_tenant(), $1, $2, $3, $4, $5, $6, $7, $8)
             ON CONFLICT (tenant, run, name) DO NOTHING",
        )
        .bind(run)
        .bind(ordinal)
        .bind(&artifact.name)
        .bind(&artifact.key)
        .bind(artifact.size)
        .bind(&artifact.sha256)
        .bind(artifact.records)
        .bind(&artifact.media_type)
        .execute(&mut **tx)
        .await?;
    }
    sqlx::query("UPDATE runs SET datasets = $2, rules = $3, violations = $4, manifest_read = true WHERE tenant = openreg_tenant() AND id = $1")
        .bind(run)
        .bind(Json(&manifest.datasets))
        .bind(Json(&manifest.rules))
        .bind(manifest.violations.as_ref().map(Json))
        .execute(&mut **tx)
        .await?;
    Ok(())
}
