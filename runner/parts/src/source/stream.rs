//! What every source does: a schema, then batches, pulled. Retries, timing and logging are the caller's.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use async_trait::async_trait;

use super::{Bound, ColumnType, SourceError, SourceLimits, SourceOptions, postgres, sqlite};
use crate::secrets::SecretFiles;

/// How a source is reached.
#[derive(Clone, Copy, Debug)]
pub struct Access<'a> {
    /// Its credentials, if it needs any.
    pub credentials: Option<&'a SecretFiles>,
    /// What it may cost.
    pub limits: &'a SourceLimits,
    /// The IANA time zone of its columns without a zone.
    pub time_zone: &'a str,
}

/// What is asked of it.
#[derive(Clone, Copy, Debug)]
pub struct Query<'a> {
    /// One statement, with `:name` placeholders.
    pub text: &'a str,
    /// What the placeholders stand for.
    pub parameters: &'a BTreeMap<String, Bound>,
    /// Declared types of columns.
    pub columns: &'a BTreeMap<String, ColumnType>,
}

/// A query opened on a source: the schema first, then batches, pulled; bounded by rows and by bytes.
///
/// Column types are few, so that rules, mapping and encoders know them all: `Boolean`, `Int64`, `Float32`, `Float64`,
/// `Decimal128`, `Utf8`, `Date32`, `Timestamp(Microsecond, "UTC")`. Dates and times lie in the years 1 to 9999.
#[async_trait]
pub trait Source: Send {
    /// The columns, in the query's order.
    fn schema(&self) -> SchemaRef;
    /// The next rows, at least one; `None` after the last.
    async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError>;
}

/// Opens `query` on the source that `options` name.
pub async fn open(options: &SourceOptions, access: Access<'_>, query: Query<'_>) -> Result<Box<dyn Source>, SourceError> {
    match options {
        SourceOptions::Postgres(o) => Ok(Box::new(postgres::open(o, access, query).await?)),
        SourceOptions::Sqlite(o) => Ok(Box::new(sqlite::open(o, access, query).await?)),
    }
}

/// Logs in, begins a read-only transaction and selects 1.
pub async fn probe(options: &SourceOptions, limits: &SourceLimits, credentials: Option<&SecretFiles>) -> Result<(), SourceError> {
    let (parameters, columns) = (BTreeMap::new(), BTreeMap::new());
    let access = Access { credentials, limits, time_zone: "UTC" };
    let mut source = open(options, access, Query { text: "SELECT 1 AS one", parameters: &parameters, columns: &columns }).await?;
    while source.next().await?.is_some() {}
    Ok(())
}
