//! Who records: the process whose connection holds the advisory lock. Nothing else happens on that connection.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::db::{Db, DbError};

/// The recorder's lock; see `db/audit.rs` for the number space of the chains, which has two halves and so never meets it.
const LOCK: i64 = 0x6f70_656e_7265_6700;
/// How long the database may take to answer before the lock counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long the database keeps the lock of a holder that says nothing, of which [`Leader::hold`] is asked every few seconds.
/// A machine that is switched off closes no connection, and the system's own patience with one is two hours.
const SILENCE: Duration = Duration::from_secs(20);

/// The lock, held or not.
pub struct Leader {
    db: Db,
    connection: Option<PgConnection>,
    silence: Duration,
}

impl Leader {
    /// Not held yet.
    pub fn new(db: Db) -> Self {
        Self::with_silence(db, SILENCE)
    }

    /// The same, whose lock is taken away when it has said nothing for `silence`.
    pub fn with_silence(db: Db, silence: Duration) -> Self {
        Self { db, connection: None, silence }
    }

    /// Whether this process holds the lock, taking it when it is free. An error means that the database does not answer.
    pub async fn hold(&mut self) -> Result<bool, DbError> {
        let outcome = tokio::time::timeout(PATIENCE, self.try_hold()).await.unwrap_or(Err(sqlx::Error::PoolTimedOut));
        if !matches!(outcome, Ok(true)) {
            self.connection = None;
        }
        Ok(outcome?)
    }

    async fn try_hold(&mut self) -> Result<bool, sqlx::Error> {
        if let Some(connection) = &mut self.connection {
            connection.ping().await?;
            return Ok(true);
        }
        let mut connection = self.db.pool().connect_options().connect().await?;
        // The server's own clock is the judge: no packet needs to get through for it to act. Since PostgreSQL 14.
        sqlx::query("SELECT set_config('idle_session_timeout', $1, false) WHERE current_setting('server_version_num')::int >= 140000")
            .bind(format!("{}ms", self.silence.as_millis()))
            .execute(&mut connection)
            .await?;
        let held: bool = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut connection)
            .await?;
        self.connection = held.then_some(connection);
        Ok(held)
    }

    /// Gives the lock up, so that the next process need not wait for the connection to be missed.
    pub async fn release(&mut self) {
        if let Some(connection) = self.connection.take() {
            let _ = tokio::time::timeout(PATIENCE, connection.close()).await;
        }
    }
}
