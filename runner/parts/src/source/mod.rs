//! Where rows come from. The registry of sources is the enum below; a member's options, checks, code and tests are in
//! its folder. With feature `runtime` it also opens them: [`open`] and [`probe`] pick the member.

mod bound;
pub mod postgres;
pub mod sqlite;

#[cfg(feature = "runtime")]
mod error;
#[cfg(feature = "runtime")]
mod local_time;
#[cfg(feature = "check")]
mod placeholders;
#[cfg(feature = "runtime")]
mod stream;

pub use bound::Bound;
#[cfg(feature = "runtime")]
pub use error::SourceError;
#[cfg(feature = "check")]
pub use placeholders::names as placeholder_names;
#[cfg(feature = "runtime")]
pub use stream::{Access, NUMBER_AS_TEXT, Query, Source, open, probe};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;
use crate::units::{ByteSize, Duration};

/// Where rows come from: exactly one kind of source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum SourceOptions {
    /// A PostgreSQL database, version 13 or newer.
    Postgres(postgres::PostgresOptions),
    /// A SQLite file that the runner can read; for trying things out on one machine.
    Sqlite(sqlite::SqliteOptions),
}

impl SourceOptions {
    /// The member's name as users write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Postgres(_) => "postgres",
            Self::Sqlite(_) => "sqlite",
        }
    }

    /// The network address that a run must reach, if there is one: host and port.
    pub fn endpoint(&self) -> Option<(String, u16)> {
        match self {
            Self::Postgres(o) => Some((o.host.clone(), o.port())),
            Self::Sqlite(_) => None,
        }
    }

    /// Whether the source puts absent values first when it sorts upwards.
    pub fn nulls_first(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    /// Whether the source takes a user name and a password.
    pub fn needs_credentials(&self) -> bool {
        matches!(self, Self::Postgres(_))
    }

    /// What is wrong with the options, with paths from the member's own root.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Postgres(o) => crate::error::under("postgres", o.problems()),
            Self::Sqlite(o) => crate::error::under("sqlite", o.problems()),
        }
    }
}

/// What a connector may cost the database and the runner. Absent means the default in brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceLimits {
    /// How long to wait for a connection [10s].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<Duration>,
    /// How long the query may take to its first row [5m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_row_timeout: Option<Duration>,
    /// How long the query may take to its last row, streaming included [30m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement_timeout: Option<Duration>,
    /// The most rows in one batch, 1 to 65536 [8192].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 65536))]
    pub batch_rows: Option<u32>,
    /// The most bytes in one batch [8Mi].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch_bytes: Option<ByteSize>,
}

impl SourceLimits {
    /// How long to wait for a connection.
    pub fn connect_timeout(&self) -> std::time::Duration {
        self.connect_timeout.as_ref().map_or(std::time::Duration::from_secs(10), Duration::get)
    }
    /// How long the query may take to its first row.
    pub fn first_row_timeout(&self) -> std::time::Duration {
        self.first_row_timeout.as_ref().map_or(std::time::Duration::from_secs(5 * 60), Duration::get)
    }
    /// How long the query may take to its last row.
    pub fn statement_timeout(&self) -> std::time::Duration {
        self.statement_timeout.as_ref().map_or(std::time::Duration::from_secs(30 * 60), Duration::get)
    }
    /// The most rows in one batch.
    pub fn batch_rows(&self) -> usize {
        // At least one: a batch of none would look like the end of the rows.
        self.batch_rows.unwrap_or(8192).max(1) as usize
    }
    /// The most bytes in one batch.
    pub fn batch_bytes(&self) -> usize {
        self.batch_bytes
            .as_ref()
            .map_or(8 << 20, |b| usize::try_from(b.get()).unwrap_or(usize::MAX).max(1))
    }
}

/// How a column whose precision the database does not say is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum ColumnType {
    /// An exact decimal: `[precision, scale]`, at most 38 digits. A value that does not fit is an error, never rounded.
    Decimal(#[schemars(length(min = 2, max = 2), inner(range(min = 0, max = 38)))] Vec<u8>),
}

impl ColumnType {
    /// Precision and scale, or why they cannot be used.
    pub fn decimal(&self) -> Result<(u8, u8), String> {
        let Self::Decimal(parts) = self;
        match parts.as_slice() {
            [precision @ 1..=38, scale] if scale <= precision => Ok((*precision, *scale)),
            _ => Err("decimal needs a precision from 1 to 38 and a scale not above it".to_owned()),
        }
    }
}
