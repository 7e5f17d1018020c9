//! One query, from its preparation to its last row. The server is told to stop when nobody wants the rest.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use bytes::BytesMut;
use futures::{FutureExt as _, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use tokio_postgres::types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked};
use tokio_postgres::{Row, RowStream};

use super::super::placeholders;
use super::super::stream::bound_values;
use super::super::{Access, Bound, Query, Source, SourceError};
use super::connect::{Session, connect};
use super::decode::Decoder;
use super::failure::Place;
use super::options::PostgresOptions;

/// Bytes that are reserved for each value of a batch before it is known.
const RESERVED: usize = 16;
/// How long the server may be silent after the statement's own time is up: it ends the statement itself, so one that
/// says nothing even then is not there any more.
const SILENCE: Duration = Duration::from_secs(10);

/// Rows of one query.
pub(in super::super) struct Reader {
    schema: SchemaRef,
    decoders: Vec<Decoder>,
    rows: Pin<Box<RowStream>>,
    session: Session,
    place: Place,
    batch_rows: usize,
    batch_bytes: usize,
    /// Rows read so far.
    read: u64,
    first_row_by: Instant,
    first_row_seconds: u64,
    /// When the server ends the statement.
    statement_by: Instant,
    ended: bool,
}

/// Connects, prepares the statement and starts it.
pub(in super::super) async fn open(options: &PostgresOptions, access: Access<'_>, query: Query<'_>) -> Result<Reader, SourceError> {
    let address = format!("{}:{}", options.host, options.port());
    let place = Place {
        address,
        database: options.database.clone(),
        connect_seconds: access.limits.connect_timeout().as_secs(),
        statement_seconds: access.limits.statement_timeout().as_secs(),
    };
    let numbered = placeholders::number(query.text, '$');
    let values = bound_values(&numbered.names, query.parameters)?;
    let session = connect(options, access, &place).await?;

    let types: Vec<Type> = values.iter().map(|v| type_of(v)).collect();
    let first_row_seconds = access.limits.first_row_timeout().as_secs();
    let first_row_by = Instant::now() + access.limits.first_row_timeout();
    // What the server answers to begin with comes with its first buffer of rows, so the limit covers it.
    let late = |_| SourceError::FirstRowTimeout { seconds: first_row_seconds };
    let statement = timeout_at(first_row_by, session.client.prepare_typed(&numbered.text, &types))
        .await
        .map_err(late)?
        .map_err(|e| place.judge(&e))?;
    // `$1` beside `:name` would take another parameter's value, or none.
    if statement.params().len() != values.len() {
        return Err(SourceError::QueryInvalid {
            reason: "it has a placeholder such as $1: write :name, and declare the parameter in the report".to_owned(),
        });
    }
    if statement.columns().is_empty() {
        return Err(SourceError::QueryInvalid {
            reason: "it gives no columns".to_owned(),
        });
    }
    for declared in query.columns.keys() {
        if !statement.columns().iter().any(|c| c.name() == declared) {
            return Err(SourceError::ColumnMissing { column: declared.clone() });
        }
    }
    // What is reserved for a batch keeps its bound as well, however many columns there are.
    let reserved = access.limits.batch_bytes() / (RESERVED * statement.columns().len());
    let capacity = access.limits.batch_rows().min(reserved).max(1);
    let mut decoders = Vec::new();
    let mut fields = Vec::new();
    for column in statement.columns() {
        let (decoder, field) = Decoder::new(column, query.columns.get(column.name()), access.time_zone, capacity)?;
        decoders.push(decoder);
        fields.push(field);
    }
    let parameters = values.into_iter().map(|v| Parameter(v.text().to_owned()));
    let rows = match timeout_at(first_row_by, session.client.query_raw(&statement, parameters)).await {
        Ok(rows) => rows.map_err(|e| place.judge(&e))?,
        Err(_) => {
            let token = session.client.cancel_token();
            session.canceller.clone().cancel(token).await;
            return Err(SourceError::FirstRowTimeout { seconds: first_row_seconds });
        }
    };
    Ok(Reader {
        schema: Arc::new(Schema::new(fields)),
        decoders,
        rows: Box::pin(rows),
        session,
        place,
        batch_rows: access.limits.batch_rows(),
        batch_bytes: access.limits.batch_bytes(),
        read: 0,
        first_row_by,
        first_row_seconds,
        statement_by: Instant::now() + access.limits.statement_timeout(),
        ended: false,
    })
}

#[async_trait]
impl Source for Reader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        let (mut rows, mut bytes) = (0, 0);
        while !self.ended && rows < self.batch_rows && bytes < self.batch_bytes {
            // Most rows are here already, and then no timer is needed.
            let row = match self.rows.next().now_or_never() {
                Some(row) => row,
                None => self.wait().await?,
            };
            match row {
                Some(Ok(row)) => {
                    self.read += 1;
                    bytes += row.raw_size_bytes();
                    self.decode(&row)?;
                    rows += 1;
                }
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(self.place.judge(&error));
                }
                None => self.ended = true,
            }
        }
        if rows == 0 {
            return Ok(None);
        }
        let columns = self.decoders.iter_mut().map(Decoder::finish).collect();
        RecordBatch::try_new(self.schema.clone(), columns)
            .map(Some)
            .map_err(|e| SourceError::Unexpected { reason: e.to_string() })
    }
}

impl Reader {
    /// The next row when it has yet to come: within the limit for the first one, else while the server can be there.
    async fn wait(&mut self) -> Result<Option<Result<Row, tokio_postgres::Error>>, SourceError> {
        let first = self.read == 0;
        let by = if first {
            self.first_row_by
        } else {
            self.statement_by.max(Instant::now()) + SILENCE
        };
        if let Ok(row) = timeout_at(by, self.rows.next()).await {
            return Ok(row);
        }
        if !first {
            return Err(SourceError::ConnectionLost {
                address: self.place.address.clone(),
            });
        }
        self.session.canceller.clone().cancel(self.session.client.cancel_token()).await;
        self.ended = true;
        Err(SourceError::FirstRowTimeout {
            seconds: self.first_row_seconds,
        })
    }

    fn decode(&mut self, row: &Row) -> Result<(), SourceError> {
        for (i, decoder) in self.decoders.iter_mut().enumerate() {
            let raw: Option<Raw<'_>> = row.try_get(i).map_err(|e| self.place.judge(&e))?;
            decoder.append(raw.map(|r| r.0)).map_err(|reason| SourceError::ValueOutOfRange {
                row: self.read,
                column: self.schema.field(i).name().clone(),
                reason,
            })?;
        }
        Ok(())
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Without a word the server would go on until it next tries to send.
        let cancel = self.session.canceller.clone().cancel(self.session.client.cancel_token());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(cancel);
        }
        self.session.connection.abort();
    }
}

/// The bytes of a value, whatever its type.
struct Raw<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Raw<'a> {
    #[inline]
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self(raw))
    }

    #[inline]
    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value in text form: the server reads it as the type that it has declared or inferred.
#[derive(Debug)]
struct Parameter(String);

impl ToSql for Parameter {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        out.extend_from_slice(self.0.as_bytes());
        Ok(IsNull::No)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// The type that is declared for a placeholder. Text is left to the server, so that it also fits enums and the like.
fn type_of(value: &Bound) -> Type {
    match value {
        Bound::String(_) => Type::UNKNOWN,
        Bound::Integer(_) => Type::INT8,
        Bound::Decimal(_) => Type::NUMERIC,
        Bound::Boolean(_) => Type::BOOL,
        Bound::Date(_) => Type::DATE,
        Bound::DateTime(_) => Type::TIMESTAMPTZ,
    }
}
