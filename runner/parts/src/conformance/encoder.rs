//! What every encoder must do: the same bytes for the same rows, however they are cut; absent values; no rows at all.

use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float32Array, Float64Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use bytes::BytesMut;

use super::must;
use crate::format::{FormatOptions, encoder};

/// Every type that a source gives, with an absent value in each column.
fn rows() -> RecordBatch {
    let instants = TimestampMicrosecondArray::from(vec![Some(0), None, Some(1_700_000_000_000_001), Some(-1)]).with_timezone("UTC");
    let decimals = must(
        "make decimals",
        Decimal128Array::from(vec![Some(1), None, Some(-250), Some(0)]).with_precision_and_scale(10, 2),
    );
    let columns: [(&str, ArrayRef); 8] = [
        ("text", Arc::new(StringArray::from(vec![Some("a"), None, Some("<&\"',;|\t\r\n>"), Some("")]))),
        ("integer", Arc::new(Int64Array::from(vec![Some(1), None, Some(i64::MIN), Some(i64::MAX)]))),
        ("decimal", Arc::new(decimals)),
        ("date", Arc::new(Date32Array::from(vec![Some(0), None, Some(20_000), Some(-1)]))),
        ("instant", Arc::new(instants)),
        ("boolean", Arc::new(BooleanArray::from(vec![Some(true), None, Some(false), Some(true)]))),
        ("single", Arc::new(Float32Array::from(vec![Some(0.1), None, Some(-1.0), Some(3.4e38)]))),
        ("double", Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-1.0), Some(1.7e308)]))),
    ];
    must("make a batch", RecordBatch::try_from_iter(columns))
}

/// The file of `batches`.
fn file(options: &FormatOptions, batches: &[RecordBatch]) -> Vec<u8> {
    let mut out = BytesMut::new();
    let mut encoder = must("make the encoder", encoder(options, rows().schema()));
    must("begin", encoder.begin(&mut out));
    for batch in batches {
        must("encode", encoder.encode(batch, &mut out));
    }
    must("finish", encoder.finish(&mut out));
    out.to_vec()
}

/// Runs the suite.
pub fn suite(options: &FormatOptions) {
    let all = rows();
    let whole = file(options, std::slice::from_ref(&all));
    assert_eq!(whole, file(options, std::slice::from_ref(&all)), "the same rows give the same bytes");
    for cut in 0..=all.num_rows() {
        let parts = [all.slice(0, cut), all.slice(cut, all.num_rows() - cut)];
        assert_eq!(whole, file(options, &parts), "cut after row {cut}");
    }
    // What is appended must not disturb what is there.
    let mut out = BytesMut::from(&b"before"[..]);
    must("begin", must("make the encoder", encoder(options, all.schema())).begin(&mut out));
    assert!(out.starts_with(b"before"));
    let empty = file(options, &[]);
    assert_eq!(empty, file(options, &[all.slice(0, 0)]), "an empty batch adds nothing");
    assert!(empty.len() < whole.len());
    assert!(all.columns().iter().all(|c| c.null_count() == 1), "the suite sees an absent value of each type");
}
