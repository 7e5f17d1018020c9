//! The conformance suite of sources, and what is SQLite's own.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::collections::BTreeMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Decimal128Type, TimestampMicrosecondType};
use arrow_schema::DataType;

use super::SqliteOptions;
use crate::error::Classified as _;
use crate::source::{Access, Query, Source, SourceError, SourceLimits, SourceOptions, open};

fn file(sql: &str) -> (tempfile::TempDir, SourceOptions) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("x.db");
    rusqlite::Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let options = SourceOptions::Sqlite(SqliteOptions {
        path: path.to_string_lossy().into_owned(),
    });
    (directory, options)
}

async fn read(options: &SourceOptions, text: &str) -> Result<Box<dyn Source>, SourceError> {
    let (parameters, columns, limits) = (BTreeMap::new(), BTreeMap::new(), SourceLimits::default());
    open(
        options,
        Access {
            credentials: None,
            limits: &limits,
            time_zone: "Europe/Berlin",
        },
        Query {
            text,
            parameters: &parameters,
            columns: &columns,
        },
    )
    .await
}

#[tokio::test]
async fn declared_types_are_kept() {
    let (_directory, options) = file(
        "CREATE TABLE t (i BIGINT, b BOOLEAN, d DATE, ts TIMESTAMP, price DECIMAL(18,4), n NUMERIC, x TEXT, raw BLOB);
         INSERT INTO t VALUES (7, 1, '2026-03-02', '2026-07-15 12:00:00', '1.25', '0.5', 'a', x'0aff'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);",
    );
    let mut source = read(&options, "SELECT *, i + 1 AS more, 1.5 AS half FROM t").await.unwrap();
    let batch = source.next().await.unwrap().unwrap();
    assert_eq!(batch.num_rows(), 2);
    let types: Vec<String> = batch.schema().fields().iter().map(|f| f.data_type().to_string()).collect();
    assert_eq!(
        types,
        [
            "Int64",
            "Boolean",
            "Date32",
            &DataType::Timestamp(arrow_schema::TimeUnit::Microsecond, Some("UTC".into())).to_string(),
            "Decimal128(18, 4)",
            "Utf8",
            "Utf8",
            "Utf8",
            "Int64",
            "Float64"
        ]
    );
    assert_eq!(batch.column(2).as_primitive::<Date32Type>().value(0), 20_514);
    assert_eq!(
        batch.column(3).as_primitive::<TimestampMicrosecondType>().value(0),
        "2026-07-15T10:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond()
    );
    assert_eq!(batch.column(4).as_primitive::<Decimal128Type>().value(0), 12_500);
    assert_eq!(batch.column(7).as_string::<i32>().value(0), "0aff");
    assert!((0..8).all(|i| batch.column(i).null_count() == 1));
    assert!(source.next().await.unwrap().is_none());
}

#[tokio::test]
async fn a_value_that_does_not_fit_names_row_and_column() {
    let (_directory, options) = file("CREATE TABLE t (i INTEGER, price DECIMAL(6,2)); INSERT INTO t VALUES (1, '1.00'), (2, '1.005'), (3, 'x');");
    let mut source = read(&options, "SELECT * FROM t").await.unwrap();
    let error = source.next().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read row 2, column price: the value has more decimal places than its declared scale"
    );
    assert_eq!(error.code(), "ValueOutOfRange");
}

#[tokio::test]
async fn a_date_does_not_lose_its_time_of_day() {
    for (value, fits) in [
        ("2026-03-02", true),
        ("2026-03-02 23:59:59", false),
        ("2026-03-02T00:00", false),
        ("2026-3-2", false),
    ] {
        let (_directory, options) = file(&format!("CREATE TABLE t (d DATE); INSERT INTO t VALUES ('{value}');"));
        let mut source = read(&options, "SELECT d FROM t").await.unwrap();
        assert_eq!(source.next().await.is_ok(), fits, "{value}");
    }
}

#[tokio::test]
async fn a_query_that_nobody_waits_for_ends() {
    let (_directory, options) = file("CREATE TABLE t (i INTEGER)");
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (ended, end) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        // Given up before its first row; the runtime waits for its threads when it is dropped.
        let waited = runtime.block_on(async { tokio::time::timeout(std::time::Duration::from_millis(300), read(&options, endless)).await });
        drop(runtime);
        ended.send(waited.is_err())
    });
    let gave_up = tokio::task::spawn_blocking(move || end.recv_timeout(std::time::Duration::from_secs(10)))
        .await
        .unwrap();
    assert_eq!(gave_up, Ok(true), "the reading thread ended");
}

#[tokio::test]
async fn what_cannot_be_read_says_why() {
    let (_directory, options) = file("CREATE TABLE t (i INTEGER)");
    for (text, code) in [
        ("ATTACH 'x' AS y", "QueryInvalid"),
        ("", "QueryInvalid"),
        ("DROP TABLE t", "QueryWrites"),
        ("SELECT load_extension('x')", "QueryInvalid"),
        // Unbound, these would be absent values, and the query would find nothing.
        ("SELECT i FROM t WHERE i = ?", "QueryInvalid"),
        ("SELECT i FROM t WHERE i = @i", "QueryInvalid"),
    ] {
        let error = read(&options, text).await.err().map(|e| e.code());
        assert_eq!(error, Some(code), "{text}");
    }
    let missing = SourceOptions::Sqlite(SqliteOptions {
        path: "/nonexistent/x.db".into(),
    });
    assert_eq!(read(&missing, "SELECT 1").await.err().map(|e| e.code()), Some("DatabaseMissing"));
}

#[cfg(feature = "conformance")]
#[tokio::test]
async fn conforms() {
    let (_directory, options) = file(crate::conformance::source::TABLE);
    crate::conformance::source::suite(&options, None).await;
}
