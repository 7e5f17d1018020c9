//! Who records: the process whose connection holds the advisory lock. Nothing else happens on that connection.

use std::time::Duration;

use sqlx::{ConnectOptions, Connection, PgConnection};

use crate::db::{Db, DbError};

/// The recorder's lock; see `db/audit.rs` for the number space of the chains, which has two halves and so never meets it.
const LOCK: i64 = 0x6f70_656e_7265_6700;
/// How long the database may take to answer before the lock counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// The lock, held or not.
pub struct Leader {
    db: Db,
    connection: Option<PgConnection>,
}

impl Leader {
    /// Not held yet.
    pub fn new(db: Db) -> Self {
        Self { db, connection: None }
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
