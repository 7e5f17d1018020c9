//! PostgreSQL: the pool, the tenant of a transaction, the migrations. Queries of a table live in the file of its name;
//! nothing here knows HTTP or the cluster.

pub mod audit;
pub mod record;
pub mod runs;
pub mod sessions;
pub mod tenants;
pub mod users;

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Executor, PgPool, Postgres, Transaction};
use uuid::Uuid;

/// A transaction of one tenant.
pub type Tx = Transaction<'static, Postgres>;

/// The migrations, in the program.
pub static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("./migrations");

/// Held while the login is made a member of the role.
const GRANT_LOCK: i64 = 0x6f70_656e_7265_6701;

/// The channel on which the recorder says which run changed.
pub const RUNS_CHANNEL: &str = "openreg_runs";

/// What goes wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// A statement failed, or the database does not answer.
    #[error("could not ask the database")]
    Sql(#[from] sqlx::Error),
    /// The migrations cannot be applied.
    #[error("could not migrate the database")]
    Migrate(#[from] sqlx::migrate::MigrateError),
    /// The connection could see every tenant.
    #[error("could not use database role {0}: it bypasses row-level security")]
    Privileged(String),
    /// The database is older than the program.
    #[error("could not use the database: its newest migration is {found}, this program needs {wanted}; run `openreg-api migrate`")]
    Outdated {
        /// What is applied.
        found: i64,
        /// What is needed.
        wanted: i64,
    },
    /// A row holds what the program never wrote.
    #[error("could not read {what} of the database")]
    Corrupt {
        /// Which value.
        what: &'static str,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl DbError {
    /// Whether a value of the request is one that no text column can hold: a NUL character.
    pub fn is_bad_text(&self) -> bool {
        matches!(self, Self::Sql(sqlx::Error::Database(e)) if e.code().is_some_and(|c| c == "22021" || c == "22P05"))
    }

    /// Whether the database does not answer, so that the same request may succeed later.
    pub fn is_outage(&self) -> bool {
        match self {
            Self::Sql(sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::Tls(_) | sqlx::Error::Protocol(_)) => true,
            // 57P0x: shut down, crashed, starting up; 53xxx: no resources; 08xxx: connection; 40xxx: serialisation, deadlock.
            Self::Sql(sqlx::Error::Database(e)) => e.code().is_some_and(|c| ["57P", "53", "08", "40"].iter().any(|p| c.starts_with(p))),
            _ => false,
        }
    }
}

/// The database, as the role `openreg_app` sees it.
#[derive(Clone, Debug)]
pub struct Db {
    pool: PgPool,
}

impl Db {
    /// A pool; nothing is connected yet, so that a database that is down at start is one that comes back later.
    pub fn open(url: &str, connections: u32) -> Result<Self, DbError> {
        let options: PgConnectOptions = url.parse()?;
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(Duration::from_secs(5))
            .max_lifetime(Duration::from_secs(30 * 60))
            .after_connect(|connection, _| {
                Box::pin(async move {
                    // A statement that hangs must not hold a connection for ever.
                    connection
                        .execute("SET ROLE openreg_app; SET statement_timeout = '30s'; SET idle_in_transaction_session_timeout = '60s'")
                        .await?;
                    Ok(())
                })
            })
            .connect_lazy_with(options.application_name("openreg-api"));
        Ok(Self { pool })
    }

    /// A transaction that sees and writes the rows of one tenant only.
    pub async fn tenant(&self, tenant: Uuid) -> Result<Tx, DbError> {
        let mut tx = self.pool.begin().await?;
        sqlx::query("SELECT set_config('openreg.tenant', $1, true)")
            .bind(tenant.to_string())
            .execute(&mut *tx)
            .await?;
        Ok(tx)
    }

    /// The pool itself, for what belongs to no tenant: probes, notifications, the recorder's lock.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// Whether the database answers, is migrated, and holds this program to row-level security.
    pub async fn check(&self) -> Result<(), DbError> {
        let (role, privileged): (String, bool) = sqlx::query_as("SELECT rolname::text, rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user")
            .fetch_one(&self.pool)
            .await?;
        if privileged {
            return Err(DbError::Privileged(role));
        }
        let newest = sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
            .fetch_one(&self.pool)
            .await;
        let found: i64 = match newest {
            // There is no such table: nothing was ever applied.
            Err(sqlx::Error::Database(e)) if e.code().is_some_and(|code| code == "42P01") => 0,
            newest => newest?,
        };
        let wanted = MIGRATIONS.iter().map(|m| m.version).max().unwrap_or(0);
        if found < wanted { Err(DbError::Outdated { found, wanted }) } else { Ok(()) }
    }
}

/// Applies the migrations as the owner, and lets the login role `app_login` be `openreg_app`.
pub async fn migrate(url: &str, app_login: Option<&str>) -> Result<(), DbError> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(Duration::from_secs(10))
        .connect(url)
        .await?;
    MIGRATIONS.run(&pool).await?;
    if let Some(login) = app_login {
        // One at a time, and only when it is needed: the server refuses two that grant the same role at once.
        let mut tx = pool.begin().await?;
        sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(GRANT_LOCK).execute(&mut *tx).await?;
        // An identifier cannot be bound: the server itself quotes it.
        let grant: Option<String> =
            sqlx::query_scalar("SELECT CASE WHEN NOT pg_has_role($1, 'openreg_app', 'MEMBER') THEN format('GRANT openreg_app TO %I', $1) END")
                .bind(login)
                .fetch_one(&mut *tx)
                .await?;
        if let Some(grant) = grant {
            tx.execute(sqlx::AssertSqlSafe(grant)).await?;
        }
        tx.commit().await?;
    }
    pool.close().await;
    Ok(())
}
