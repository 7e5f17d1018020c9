//! What every source must do: one statement, read-only, bound values, batches within their bounds, rows in order.

use std::collections::BTreeMap;

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray as _;
use arrow_array::types::Int64Type;

use super::must;
use crate::error::{Class, Classified as _};
use crate::secrets::SecretFiles;
use crate::source::{Access, Bound, ColumnType, Query, SourceError, SourceLimits, SourceOptions, open, probe};

/// The table that a source must hold: 1,000 rows, every tenth without a name.
pub const TABLE: &str = "CREATE TABLE conformance (id bigint, name text);
    INSERT INTO conformance WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000)
    SELECT i, CASE WHEN i % 10 = 0 THEN NULL ELSE 'name ''' || i END FROM n;";

struct Bench<'a> {
    options: &'a SourceOptions,
    credentials: Option<&'a SecretFiles>,
    limits: SourceLimits,
    columns: BTreeMap<String, ColumnType>,
}

impl Bench<'_> {
    async fn read(&self, text: &str, parameters: &[(&str, Bound)]) -> Result<Vec<RecordBatch>, SourceError> {
        let parameters = parameters.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect();
        let access = Access {
            credentials: self.credentials,
            limits: &self.limits,
            time_zone: "UTC",
        };
        let mut source = open(
            self.options,
            access,
            Query {
                text,
                parameters: &parameters,
                columns: &self.columns,
            },
        )
        .await?;
        let schema = source.schema();
        let mut batches = Vec::new();
        while let Some(batch) = source.next().await? {
            assert_eq!(batch.schema(), schema, "the schema comes first and stays");
            assert!(batch.num_rows() > 0, "no batch is empty");
            batches.push(batch);
        }
        assert!(matches!(source.next().await, Ok(None)), "the end stays the end");
        Ok(batches)
    }

    async fn code(&self, text: &str, parameters: &[(&str, Bound)]) -> &'static str {
        match self.read(text, parameters).await {
            Ok(_) => "no error",
            Err(error) => {
                assert_eq!(error.class(), Class::Config, "{text}: {error}");
                assert!(error.hint().is_some(), "{text}: an error says what to do next");
                error.code()
            }
        }
    }
}

fn ids(batches: &[RecordBatch]) -> Vec<i64> {
    batches.iter().flat_map(|b| b.column(0).as_primitive::<Int64Type>().values().to_vec()).collect()
}

/// Runs the suite against a source that holds [`TABLE`].
pub async fn suite(options: &SourceOptions, credentials: Option<&SecretFiles>) {
    let mut bench = Bench {
        options,
        credentials,
        limits: SourceLimits::default(),
        columns: BTreeMap::new(),
    };
    must("probe", probe(options, credentials, &bench.limits).await);

    let all = "SELECT id, name FROM conformance ORDER BY id";
    let expected: Vec<i64> = (1..=1000).collect();
    assert_eq!(ids(&must("read", bench.read(all, &[]).await)), expected, "rows come in order, all of them");

    bench.limits.batch_rows = Some(64);
    let batches = must("read in small batches", bench.read(all, &[]).await);
    assert!(
        batches.iter().all(|b| b.num_rows() <= 64) && batches.len() == 16,
        "batches keep their bound of rows"
    );
    assert_eq!(ids(&batches), expected);
    let names: Vec<Option<&str>> = batches.iter().flat_map(|b| b.column(1).as_string::<i32>().iter()).collect();
    assert_eq!(names[0], Some("name '1"));
    assert_eq!(names.iter().filter(|n| n.is_none()).count(), 100);

    bench.limits.batch_bytes = crate::units::ByteSize::try_from("256".to_owned()).ok();
    let batches = must("read in batches of few bytes", bench.read(all, &[]).await);
    assert!(
        batches.iter().all(|b| b.num_rows() <= 64) && batches.len() > 16,
        "batches keep their bound of bytes"
    );
    assert_eq!(ids(&batches), expected);

    let evil = Bound::String("x' OR '1'='1".into());
    assert_eq!(
        ids(&must(
            "bind",
            bench.read("SELECT id, name FROM conformance WHERE name = :n", &[("n", evil)]).await
        )),
        [0_i64; 0],
        "values are bound, not pasted"
    );
    let one = must(
        "bind",
        bench
            .read(
                "SELECT id, name FROM conformance WHERE name = :n AND id < :i ORDER BY id",
                &[("n", Bound::String("name '7".into())), ("i", Bound::Integer("900".into()))],
            )
            .await,
    );
    assert_eq!(ids(&one), [7]);

    for (text, code) in [
        ("SELECT id FROM conformance; SELECT 1", "QueryNotSingle"),
        ("DELETE FROM conformance", "QueryInvalid|QueryWrites"),
        ("DELETE FROM conformance RETURNING id", "QueryWrites"),
        ("SELECT nope FROM conformance", "QueryInvalid"),
        ("SELECT id FROM nope", "QueryInvalid"),
        ("SELEC 1", "QueryInvalid"),
        ("SELECT id FROM conformance WHERE id = :unknown", "ParameterInvalid"),
    ] {
        let got = bench.code(text, &[]).await;
        assert!(code.split('|').any(|c| c == got), "{text}: {got}, not {code}");
    }
    assert_eq!(
        bench
            .code("SELECT id FROM conformance WHERE id = :i", &[("i", Bound::Integer("1.5".into()))])
            .await,
        "ParameterInvalid"
    );
    bench.columns.insert("amount".into(), ColumnType::Decimal(vec![10, 2]));
    assert_eq!(bench.code(all, &[]).await, "ColumnMissing");
    bench.columns.clear();
    assert_eq!(ids(&must("read again", bench.read(all, &[]).await)).len(), 1000, "nothing was deleted");
}
