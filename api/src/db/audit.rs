//! Table `audit`: append, page, stream. The chain's arithmetic is `openreg-audit`; this file only keeps writers in line.

use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use jiff::Timestamp;
use openreg_audit::Entry;
use serde_json::Value;
use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{Db, DbError, Tx};

/// An entry to be written: what it records happens in the same transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct NewEntry {
    /// Who: a user's name, or `openreg-recorder`.
    pub actor: String,
    /// What was done: `auth.login`, `run.ended`.
    pub action: String,
    /// With what: `run/<id>`.
    pub subject: String,
    /// The particulars, a JSON object; never a secret, never a row's content.
    pub detail: Value,
}

impl NewEntry {
    /// An entry.
    pub fn new(actor: impl Into<String>, action: &str, subject: impl Into<String>, detail: Value) -> Self {
        Self {
            actor: actor.into(),
            action: action.to_owned(),
            subject: subject.into(),
            detail,
        }
    }

    /// An entry about something that the recorder saw.
    pub fn by_recorder(action: &str, subject: impl Into<String>, detail: Value) -> Self {
        Self::new("openreg-recorder", action, subject, detail)
    }
}

/// The locks of all tenants' chains share this first half of their number.
const LOCK_SPACE: i32 = 0x6f72_6567;

/// Makes the tenant's other writers wait until this transaction ends.
async fn lock(tx: &mut Tx, tenant: Uuid) -> Result<(), DbError> {
    sqlx::query("SELECT pg_advisory_xact_lock($1, hashtext($2))")
        .bind(LOCK_SPACE)
        .bind(tenant.to_string())
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Appends an entry to the tenant's chain. Call it last in a transaction: the tenant's other writers wait from here on.
pub async fn append(tx: &mut Tx, tenant: Uuid, new: &NewEntry) -> Result<(), DbError> {
    lock(tx, tenant).await?;
    write(tx, tenant, new).await
}

/// The same, unless the chain has an entry of that action and subject.
pub async fn append_once(tx: &mut Tx, tenant: Uuid, new: &NewEntry) -> Result<(), DbError> {
    lock(tx, tenant).await?;
    let there: bool = sqlx::query_scalar("SELECT EXISTS (SELECT FROM audit WHERE tenant = openreg_tenant() AND subject = $1 AND action = $2)")
        .bind(&new.subject)
        .bind(&new.action)
        .fetch_one(&mut **tx)
        .await?;
    if there { Ok(()) } else { write(tx, tenant, new).await }
}

async fn write(tx: &mut Tx, tenant: Uuid, new: &NewEntry) -> Result<(), DbError> {
    // A statement of its own after the lock, so that it sees what the writer before committed.
    let last = sqlx::query(LAST).fetch_optional(&mut **tx).await?.as_ref().map(entry).transpose()?;
    let entry = Entry::next(last.as_ref(), tenant, now_micros(), &new.actor, &new.action, &new.subject, new.detail.clone());
    sqlx::query(
        "INSERT INTO audit (tenant, seq, at, actor, action, subject, detail, prev, hash)
         VALUES (openreg_tenant(), $1, $2::text::timestamptz, $3, $4, $5, $6::text::json, decode($7, 'hex'), decode($8, 'hex'))",
    )
    .bind(i64::try_from(entry.seq).unwrap_or(i64::MAX))
    .bind(entry.at.to_string())
    .bind(&entry.actor)
    .bind(&entry.action)
    .bind(&entry.subject)
    .bind(entry.detail.to_string())
    .bind(&entry.prev)
    .bind(&entry.hash)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Now, in the microseconds that the database keeps: the hash must be of what comes back.
fn now_micros() -> Timestamp {
    let now = Timestamp::now();
    Timestamp::from_microsecond(now.as_microsecond()).unwrap_or(now)
}

const COLUMNS: &str =
    "tenant, seq, openreg_rfc3339(at) AS at, actor, action, subject, detail::text AS detail, encode(prev, 'hex') AS prev, encode(hash, 'hex') AS hash";
const LAST: &str =
    "SELECT tenant, seq, openreg_rfc3339(at) AS at, actor, action, subject, detail::text AS detail, encode(prev, 'hex') AS prev, encode(hash, 'hex') AS hash
    FROM audit WHERE tenant = openreg_tenant() ORDER BY seq DESC LIMIT 1";

fn entry(row: &PgRow) -> Result<Entry, DbError> {
    let (at, detail): (String, String) = (row.try_get("at")?, row.try_get("detail")?);
    Ok(Entry {
        tenant: row.try_get("tenant")?,
        seq: u64::try_from(row.try_get::<i64, _>("seq")?).unwrap_or_default(),
        at: at.parse().map_err(|e| DbError::Corrupt {
            what: "the time of an audit entry",
            source: Box::new(e),
        })?,
        actor: row.try_get("actor")?,
        action: row.try_get("action")?,
        subject: row.try_get("subject")?,
        detail: serde_json::from_str(&detail).map_err(|e| DbError::Corrupt {
            what: "the detail of an audit entry",
            source: Box::new(e),
        })?,
        prev: row.try_get("prev")?,
        hash: row.try_get("hash")?,
    })
}

/// A page of entries, newest first, before the entry `before`; of a subject and what belongs to it (a run's deliveries).
pub async fn page(tx: &mut Tx, action: Option<&str>, subject: Option<&str>, before: Option<i64>, limit: i64) -> Result<Vec<Entry>, DbError> {
    let mut sql = format!("SELECT {COLUMNS} FROM audit WHERE tenant = openreg_tenant()");
    for (present, clause) in [
        (action.is_some(), " AND action = $1"),
        // What begins with `subject/`, as a range, which the index serves: 0 comes right after /.
        (
            subject.is_some(),
            " AND (subject = $2 OR (subject ~>=~ ($2 || '/') AND subject ~<~ ($2 || '0')))",
        ),
        (before.is_some(), " AND seq < $3"),
    ] {
        if present {
            sql.push_str(clause);
        }
    }
    sql.push_str(" ORDER BY seq DESC LIMIT $4");
    let rows = sqlx::query(sqlx::AssertSqlSafe(sql))
        .bind(action)
        .bind(subject)
        .bind(before)
        .bind(limit)
        .fetch_all(&mut **tx)
        .await?;
    rows.iter().map(entry).collect()
}

impl Db {
    /// The whole chain of a tenant, oldest first, read in pages of `page` entries so that no transaction lasts as long as
    /// a slow reader; entries cannot change, so the pages fit together.
    pub fn audit_chain(&self, tenant: Uuid, page: i64) -> BoxStream<'static, Result<Entry, DbError>> {
        let db = self.clone();
        futures::stream::try_unfold(0_i64, move |after| {
            let db = db.clone();
            async move {
                let mut tx = db.tenant(tenant).await?;
                let sql = format!("SELECT {COLUMNS} FROM audit WHERE tenant = openreg_tenant() AND seq > $1 ORDER BY seq LIMIT $2");
                let rows = sqlx::query(sqlx::AssertSqlSafe(sql)).bind(after).bind(page).fetch_all(&mut *tx).await?;
                tx.commit().await?;
                let entries = rows.iter().map(entry).collect::<Result<Vec<_>, _>>()?;
                let Some(last) = entries.last().map(|e| i64::try_from(e.seq).unwrap_or(i64::MAX)) else {
                    return Ok(None);
                };
                Ok::<_, DbError>(Some((futures::stream::iter(entries.into_iter().map(Ok)), last)))
            }
        })
        .try_flatten()
        .boxed()
    }
}
