//! Tables `users` and `login_attempts`.

use sqlx::Row;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::{DbError, Tx};
use crate::auth::policy::Role;

/// Failed log-ins of one name within [`WINDOW_SECONDS`] before the next is refused unseen.
pub const MAX_ATTEMPTS: i32 = 10;
/// How long attempts count.
pub const WINDOW_SECONDS: i32 = 15 * 60;
/// How long a one-time password may be used.
pub const ONE_TIME_SECONDS: i32 = 24 * 60 * 60;

/// A user.
#[derive(Clone, Debug)]
pub struct User {
    /// Identity.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Roles.
    pub roles: Vec<Role>,
    /// The password's hash.
    pub password: String,
    /// Whether the password opens one session only.
    pub one_time: bool,
    /// Whether the user may log in: neither disabled, nor with a one-time password that is used or too old.
    pub admissible: bool,
}

fn user(row: &PgRow) -> Result<User, sqlx::Error> {
    let roles: Vec<String> = row.try_get("roles")?;
    Ok(User {
        id: row.try_get("id")?,
        name: row.try_get("name")?,
        // A role that a newer version wrote is none here.
        roles: roles.iter().filter_map(|r| Role::parse(r)).collect(),
        password: row.try_get("password")?,
        one_time: row.try_get("one_time")?,
        admissible: row.try_get("admissible")?,
    })
}

const SELECT_BY_NAME: &str = "SELECT id, name, roles, password, one_time,
    NOT disabled AND (NOT one_time OR (one_time_used IS NULL AND one_time_ends > now())) AS admissible FROM users WHERE tenant = openreg_tenant() AND name = $1 FOR UPDATE";
const SELECT_BY_ID: &str = "SELECT id, name, roles, password, one_time, NOT disabled AS admissible FROM users WHERE tenant = openreg_tenant() AND id = $1";
const SELECT_BY_ID_LOCKED: &str =
    "SELECT id, name, roles, password, one_time, NOT disabled AS admissible FROM users WHERE tenant = openreg_tenant() AND id = $1 FOR UPDATE";
const SELECT_ALL: &str = "SELECT id, name, roles, password, one_time, NOT disabled AS admissible FROM users WHERE tenant = openreg_tenant() ORDER BY name";

/// The user of that name, locked: of two log-ins with a one-time password at the same time one waits and then fails.
pub async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<User>, DbError> {
    let row = sqlx::query(SELECT_BY_NAME).bind(name).fetch_optional(&mut **tx).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

/// The user of that identity.
pub async fn by_id(tx: &mut Tx, id: Uuid) -> Result<Option<User>, DbError> {
    let row = sqlx::query(SELECT_BY_ID).bind(id).fetch_optional(&mut **tx).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

/// The same, locked: nobody sets another password or disables the user before this transaction ends.
pub async fn by_id_locked(tx: &mut Tx, id: Uuid) -> Result<Option<User>, DbError> {
    let row = sqlx::query(SELECT_BY_ID_LOCKED).bind(id).fetch_optional(&mut **tx).await?;
    Ok(row.as_ref().map(user).transpose()?)
}

/// All users.
pub async fn all(tx: &mut Tx) -> Result<Vec<User>, DbError> {
    let rows = sqlx::query(SELECT_ALL).fetch_all(&mut **tx).await?;
    Ok(rows.iter().map(user).collect::<Result<_, _>>()?)
}

/// A new user; `false` when there is one of that name.
pub async fn create(tx: &mut Tx, name: &str, roles: &[Role], password: &str, one_time: bool) -> Result<bool, DbError> {
    let roles: Vec<String> = roles.iter().map(|r| r.as_str().to_owned()).collect();
    let done = sqlx::query(
        "INSERT INTO users (tenant, id, name, roles, password, one_time, one_time_ends)
         VALUES (openreg_tenant(), $1, $2, $3, $4, $5, CASE WHEN $5 THEN now() + make_interval(secs => $6) END) ON CONFLICT (tenant, name) DO NOTHING",
    )
    .bind(Uuid::new_v4())
    .bind(name)
    .bind(roles)
    .bind(password)
    .bind(one_time)
    .bind(f64::from(ONE_TIME_SECONDS))
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Another password; the sessions that are open end, but for `keep`.
pub async fn set_password(tx: &mut Tx, id: Uuid, password: &str, one_time: bool, keep: Option<Uuid>) -> Result<(), DbError> {
    sqlx::query(
        "UPDATE users SET password = $2, one_time = $3, one_time_used = NULL, one_time_ends = CASE WHEN $3 THEN now() + make_interval(secs => $4) END
         WHERE tenant = openreg_tenant() AND id = $1",
    )
    .bind(id)
    .bind(password)
    .bind(one_time)
    .bind(f64::from(ONE_TIME_SECONDS))
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "UPDATE refresh_tokens SET revoked_at = now() WHERE tenant = openreg_tenant() AND user_id = $1 AND revoked_at IS NULL AND family IS DISTINCT FROM $2",
    )
    .bind(id)
    .bind(keep)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Lets a user in, or no longer; `false` when there is none of that name.
pub async fn set_disabled(tx: &mut Tx, name: &str, disabled: bool) -> Result<bool, DbError> {
    let done = sqlx::query("UPDATE users SET disabled = $2 WHERE tenant = openreg_tenant() AND name = $1")
        .bind(name)
        .bind(disabled)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "UPDATE refresh_tokens SET revoked_at = now() WHERE $2 AND tenant = openreg_tenant() AND revoked_at IS NULL
         AND user_id IN (SELECT id FROM users WHERE tenant = openreg_tenant() AND name = $1)",
    )
    .bind(name)
    .bind(disabled)
    .execute(&mut **tx)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes that a one-time password has opened its session.
pub async fn use_up(tx: &mut Tx, id: Uuid) -> Result<(), DbError> {
    sqlx::query("UPDATE users SET one_time_used = now() WHERE tenant = openreg_tenant() AND id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Counts an attempt before its password is looked at, so that parallel guesses count too. Gives the seconds to wait when
/// there were too many.
pub async fn attempt(tx: &mut Tx, name: &str) -> Result<Option<u64>, DbError> {
    let name: String = name.chars().take(64).collect();
    // What no longer counts goes, a hundred at a time, so that made-up names do not pile up; rows that another log-in
    // holds are left to it.
    sqlx::query(
        "DELETE FROM login_attempts WHERE tenant = openreg_tenant() AND name IN (SELECT name FROM login_attempts
             WHERE tenant = openreg_tenant() AND name <> $1 AND started_at < now() - make_interval(secs => $2) ORDER BY started_at LIMIT 100 FOR UPDATE SKIP LOCKED)",
    )
    .bind(&name)
    .bind(f64::from(WINDOW_SECONDS))
    .execute(&mut **tx)
    .await?;
    let (attempts, wait): (i32, i64) = sqlx::query_as(
        "INSERT INTO login_attempts AS l (tenant, name, attempts, started_at) VALUES (openreg_tenant(), $1, 1, now())
         ON CONFLICT (tenant, name) DO UPDATE SET
             attempts = CASE WHEN l.started_at < now() - make_interval(secs => $2) THEN 1 ELSE least(l.attempts + 1, 1000000) END,
             started_at = CASE WHEN l.started_at < now() - make_interval(secs => $2) THEN now() ELSE l.started_at END
         RETURNING attempts, greatest(1, ceil(extract(epoch FROM started_at + make_interval(secs => $2) - now())))::bigint",
    )
    .bind(name)
    .bind(f64::from(WINDOW_SECONDS))
    .fetch_one(&mut **tx)
    .await?;
    Ok((attempts > MAX_ATTEMPTS).then(|| u64::try_from(wait).unwrap_or(1)))
}

/// Forgets the attempts of a name: its password was right.
pub async fn forgive(tx: &mut Tx, name: &str) -> Result<(), DbError> {
    sqlx::query("DELETE FROM login_attempts WHERE tenant = openreg_tenant() AND name = $1")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
