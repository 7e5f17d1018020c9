//! What every source does: a schema, then batches, pulled. Retries, timing and logging are the caller's.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_schema::{DataType, SchemaRef, TimeUnit};
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
pub async fn probe(options: &SourceOptions, credentials: Option<&SecretFiles>, limits: &SourceLimits) -> Result<(), SourceError> {
    let (parameters, columns) = (BTreeMap::new(), BTreeMap::new());
    let access = Access {
        credentials,
        limits,
        time_zone: "UTC",
    };
    let mut source = open(
        options,
        access,
        Query {
            text: "SELECT 1 AS one",
            parameters: &parameters,
            columns: &columns,
        },
    )
    .await?;
    while source.next().await?.is_some() {}
    Ok(())
}

/// Metadata of a field whose text is a number that has no declared precision: its order is not that of its text.
pub const NUMBER_AS_TEXT: &str = "openreg.numberAsText";

/// The type of instants.
pub(crate) fn timestamp_type() -> DataType {
    DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into()))
}

/// The values of `names`, each checked to be what it says.
pub(super) fn bound_values<'a>(names: &[String], parameters: &'a BTreeMap<String, Bound>) -> Result<Vec<&'a Bound>, SourceError> {
    let invalid = |name: &String, reason: &str| SourceError::ParameterInvalid {
        name: name.clone(),
        reason: reason.to_owned(),
    };
    let mut values = Vec::with_capacity(names.len());
    for name in names {
        let value = parameters.get(name).ok_or_else(|| invalid(name, "the report declares no such parameter"))?;
        let wrong = match value {
            Bound::String(t) if t.contains('\0') => Some("it contains a zero byte"),
            Bound::Integer(t) if t.parse::<i64>().is_err() => Some("it is not a 64-bit integer"),
            Bound::Decimal(t) if !is_decimal(t) => Some("it is not a decimal number"),
            // The parsers take more than the sources do: a date with a time of day, an instant with the name of its zone.
            Bound::Date(t) if t.len() != "YYYY-MM-DD".len() || t.parse::<jiff::civil::Date>().is_err() => Some("it is not a date, YYYY-MM-DD"),
            Bound::DateTime(t) if t.contains('[') || t.parse::<jiff::Timestamp>().is_err() => Some("it is not an instant, RFC 3339"),
            _ => None,
        };
        match wrong {
            Some(reason) => return Err(invalid(name, reason)),
            None => values.push(value),
        }
    }
    Ok(values)
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
    !whole.is_empty() && !fraction.is_empty() && whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_what_they_say() {
        let wrong = |value: Bound| bound_values(&["a".to_owned()], &BTreeMap::from([("a".to_owned(), value)])).is_err();
        for good in [
            Bound::Integer("-5".into()),
            Bound::Decimal("1.50".into()),
            Bound::Date("2026-03-02".into()),
            Bound::DateTime("2026-03-02T00:00:00Z".into()),
            Bound::Boolean(true),
            Bound::String("x' or 1=1".into()),
        ] {
            assert!(!wrong(good.clone()), "{good:?}");
        }
        for bad in [
            Bound::Integer("5.0".into()),
            Bound::Decimal("1e5".into()),
            Bound::Decimal(".".into()),
            Bound::Date("2026-02-30".into()),
            Bound::Date("2026-03-02T12:00".into()),
            Bound::DateTime("2026-03-02T00:00:00+01:00[Europe/Berlin]".into()),
            Bound::DateTime("2026-03-02T00:00:00".into()),
            Bound::String("a\0".into()),
        ] {
            assert!(wrong(bad.clone()), "{bad:?}");
        }
        assert!(bound_values(&["b".to_owned()], &BTreeMap::new()).is_err());
    }
}
