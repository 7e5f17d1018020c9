//! One query on a thread of its own: SQLite blocks. Batches come through a bounded channel.

use std::path::Path;
use std::sync::Arc;

use arrow_array::RecordBatch;
use arrow_schema::{Schema, SchemaRef};
use async_trait::async_trait;
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::{ToSqlOutput, Value};
use rusqlite::{Batch, Connection, ErrorCode, InterruptHandle, OpenFlags, Row, Statement};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout_at};

use super::super::stream::bound_values;
use super::super::{Access, Bound, ColumnType, Query, Source, SourceError, placeholders};
use super::decode::Decoder;
use super::options::SqliteOptions;

/// Batches that may wait.
const WAITING: usize = 2;

/// Rows of one query.
pub(in super::super) struct Reader {
    schema: SchemaRef,
    batches: mpsc::Receiver<Result<RecordBatch, SourceError>>,
    query: Running,
    deadline: Instant,
    seconds: u64,
}

/// A query that somebody waits for. When nobody does any more, from its first row on or before, it ends.
struct Running(InterruptHandle);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

/// What the thread needs.
struct Task {
    path: String,
    text: String,
    values: Vec<Value>,
    columns: std::collections::BTreeMap<String, ColumnType>,
    time_zone: String,
    batch_rows: usize,
    batch_bytes: usize,
}

type Opened = Result<SchemaRef, SourceError>;

/// Opens the file and starts the query. Waits for its first row: it decides the types of expressions.
pub(in super::super) async fn open(options: &SqliteOptions, access: Access<'_>, query: Query<'_>) -> Result<Reader, SourceError> {
    let numbered = placeholders::number(query.text, '?');
    let values = bound_values(&numbered.names, query.parameters)?.into_iter().map(value).collect();
    let task = Task {
        path: options.path.clone(),
        text: numbered.text,
        values,
        columns: query.columns.clone(),
        time_zone: access.time_zone.to_owned(),
        batch_rows: access.limits.batch_rows(),
        batch_bytes: access.limits.batch_bytes(),
    };
    let start = Instant::now();
    let (to_batches, batches) = mpsc::channel(WAITING);
    let (to_interrupt, interrupt) = oneshot::channel();
    let (to_opened, opened) = oneshot::channel();
    tokio::task::spawn_blocking(move || task.run(to_interrupt, to_opened, &to_batches));
    let ended = || SourceError::Unexpected {
        reason: "the reading thread ended".to_owned(),
    };
    let query = match interrupt.await {
        Ok(interrupt) => Running(interrupt),
        Err(_) => {
            return Err(match opened.await {
                Ok(Err(error)) => error,
                _ => ended(),
            });
        }
    };
    let first_row = access.limits.first_row_timeout();
    let schema = match timeout_at(start + first_row, opened).await {
        Ok(schema) => schema.map_err(|_| ended())??,
        Err(_) => return Err(SourceError::FirstRowTimeout { seconds: first_row.as_secs() }),
    };
    let limit = access.limits.statement_timeout();
    Ok(Reader {
        schema,
        batches,
        query,
        deadline: start + limit,
        seconds: limit.as_secs(),
    })
}

#[async_trait]
impl Source for Reader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>, SourceError> {
        match timeout_at(self.deadline, self.batches.recv()).await {
            Ok(batch) => batch.transpose(),
            Err(_) => {
                self.query.0.interrupt();
                Err(SourceError::StatementTimeout { seconds: self.seconds })
            }
        }
    }
}

impl Task {
    fn run(self, interrupt: oneshot::Sender<InterruptHandle>, opened: oneshot::Sender<Opened>, batches: &mpsc::Sender<Result<RecordBatch, SourceError>>) {
        let mut opened = Some(opened);
        if let Err(error) = self.read(interrupt, &mut opened, batches) {
            match opened.take() {
                Some(opened) => drop(opened.send(Err(error))),
                None => drop(batches.blocking_send(Err(error))),
            }
        }
    }

    fn read(
        &self,
        interrupt: oneshot::Sender<InterruptHandle>,
        opened: &mut Option<oneshot::Sender<Opened>>,
        batches: &mpsc::Sender<Result<RecordBatch, SourceError>>,
    ) -> Result<(), SourceError> {
        if !Path::new(&self.path).is_file() {
            return Err(SourceError::DatabaseMissing {
                database: format!("file {}", self.path),
            });
        }
        let connection = Connection::open_with_flags(&self.path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(|e| judge(&e))?;
        let _ = interrupt.send(connection.get_interrupt_handle());
        connection.pragma_update(None, "query_only", true).map_err(|e| judge(&e))?;
        let mut statement = self.prepare(&connection)?;
        let names: Vec<(String, Option<String>)> = statement
            .columns()
            .iter()
            .map(|c| (c.name().to_owned(), c.decl_type().map(str::to_owned)))
            .collect();
        if let Some(column) = self.columns.keys().find(|declared| !names.iter().any(|(name, _)| name == *declared)) {
            return Err(SourceError::ColumnMissing { column: column.clone() });
        }
        for (i, value) in self.values.iter().enumerate() {
            statement.raw_bind_parameter(i + 1, ToSqlOutput::Owned(value.clone())).map_err(|e| judge(&e))?;
        }
        let mut rows = statement.raw_query();
        let mut row = rows.next().map_err(|e| judge(&e))?;
        let mut decoders = Vec::with_capacity(names.len());
        for (i, (name, in_table)) in names.iter().enumerate() {
            let first = row.and_then(|r| r.get_ref(i).ok());
            decoders.push(Decoder::new(
                name,
                self.columns.get(name),
                in_table.as_deref(),
                first.as_ref(),
                &self.time_zone,
            )?);
        }
        let schema: SchemaRef = Arc::new(Schema::new(decoders.iter().zip(&names).map(|(d, (name, _))| d.field(name)).collect::<Vec<_>>()));
        if let Some(opened) = opened.take() {
            let _ = opened.send(Ok(schema.clone()));
        }
        let (mut number, mut in_batch, mut bytes) = (0_u64, 0, 0);
        while let Some(current) = row {
            number += 1;
            bytes += append(current, number, &mut decoders, &schema)?;
            in_batch += 1;
            row = rows.next().map_err(|e| judge(&e))?;
            if in_batch >= self.batch_rows || bytes >= self.batch_bytes || row.is_none() {
                let columns = decoders.iter_mut().map(Decoder::finish).collect();
                let batch = RecordBatch::try_new(schema.clone(), columns).map_err(|e| SourceError::Unexpected { reason: e.to_string() })?;
                if batches.blocking_send(Ok(batch)).is_err() {
                    return Ok(());
                }
                (in_batch, bytes) = (0, 0);
            }
        }
        Ok(())
    }

    /// Exactly one statement, and it must read.
    fn prepare<'a>(&'a self, connection: &'a Connection) -> Result<Statement<'a>, SourceError> {
        let mut statements = Batch::new(connection, &self.text);
        let statement = statements.next().map_err(|e| judge(&e))?.ok_or_else(|| SourceError::QueryInvalid {
            reason: "it is empty".to_owned(),
        })?;
        // A second one that cannot be parsed is a second one as well.
        if !matches!(statements.next(), Ok(None)) {
            return Err(SourceError::QueryNotSingle);
        }
        if !statement.readonly() {
            return Err(SourceError::QueryWrites);
        }
        // `?`, `@x` and `$x` would be absent values, and the query would quietly find nothing.
        if statement.parameter_count() != self.values.len() {
            return Err(SourceError::QueryInvalid {
                reason: "it has a placeholder such as ?1, @x or $x: write :name, and declare the parameter in the report".to_owned(),
            });
        }
        if statement.column_count() == 0 {
            return Err(SourceError::QueryInvalid {
                reason: "it gives no columns".to_owned(),
            });
        }
        Ok(statement)
    }
}

fn append(row: &Row<'_>, number: u64, decoders: &mut [Decoder], schema: &SchemaRef) -> Result<usize, SourceError> {
    let mut bytes = 0;
    for (i, decoder) in decoders.iter_mut().enumerate() {
        let value = row.get_ref(i).map_err(|e| judge(&e))?;
        bytes += decoder.append(value).map_err(|reason| SourceError::ValueOutOfRange {
            row: number,
            column: schema.field(i).name().clone(),
            reason,
        })?;
    }
    Ok(bytes)
}

/// SQLite has no dates and decimals: they are bound as the text that they are stored as.
fn value(bound: &Bound) -> Value {
    match bound {
        Bound::Integer(text) => text.parse().map_or_else(|_| Value::Text(text.clone()), Value::Integer),
        Bound::Boolean(yes) => Value::Integer(i64::from(*yes)),
        Bound::String(text) | Bound::Decimal(text) | Bound::Date(text) | Bound::DateTime(text) => Value::Text(text.clone()),
    }
}

/// What an error of SQLite means. Its text names tables and columns only while a statement is prepared.
fn judge(error: &rusqlite::Error) -> SourceError {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => SourceError::QueryInvalid { reason: msg.clone() },
        rusqlite::Error::SqliteFailure(failure, text) => match failure.code {
            ErrorCode::ReadOnly => SourceError::QueryWrites,
            ErrorCode::OperationInterrupted => SourceError::Unexpected {
                reason: "the query was interrupted".to_owned(),
            },
            ErrorCode::NotADatabase => SourceError::DatabaseMissing {
                database: "a SQLite database in the file: it is something else".to_owned(),
            },
            ErrorCode::CannotOpen => SourceError::DatabaseMissing {
                database: "the file, or it cannot be opened".to_owned(),
            },
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked => SourceError::ServerUnavailable {
                address: "the SQLite file".to_owned(),
                sqlstate: "SQLITE_BUSY".to_owned(),
            },
            ErrorCode::Unknown => SourceError::QueryInvalid {
                reason: text.clone().unwrap_or_else(|| "SQLite refused it".to_owned()),
            },
            code => SourceError::ServerFailed { sqlstate: format!("{code:?}") },
        },
        other => SourceError::Unexpected { reason: other.to_string() },
    }
}
