//! The conformance suite of encoders, and what is CSV's own.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, Int64Array, RecordBatch, StringArray};
use bytes::BytesMut;

use super::{CsvOptions, LineEnding, Quoting};
use crate::format::{FormatOptions, encoder};

fn batch() -> RecordBatch {
    RecordBatch::try_from_iter([
        (
            "a",
            Arc::new(StringArray::from(vec![
                Some("plain"),
                Some("a,b"),
                Some("say \"hi\""),
                Some("two\r\nlines"),
                Some(""),
                None,
                Some("NA"),
            ])) as ArrayRef,
        ),
        (
            "n;m",
            Arc::new(Int64Array::from(vec![Some(-1), None, Some(2), Some(3), Some(4), Some(5), Some(6)])) as ArrayRef,
        ),
        (
            "ok",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None, None, None, None, None])) as ArrayRef,
        ),
    ])
    .unwrap()
}

fn written(options: CsvOptions, batch: &RecordBatch) -> String {
    let mut out = BytesMut::new();
    let mut csv = encoder(&FormatOptions::Csv(options), batch.schema()).unwrap();
    csv.begin(&mut out).unwrap();
    csv.encode(batch, &mut out).unwrap();
    csv.finish(&mut out).unwrap();
    String::from_utf8(out.to_vec()).unwrap()
}

#[test]
fn quotes_stand_where_rfc_4180_wants_them() {
    let got = written(CsvOptions::default(), &batch());
    assert_eq!(
        got,
        "a,n;m,ok\r\nplain,-1,true\r\n\"a,b\",,false\r\n\"say \"\"hi\"\"\",2,\r\n\"two\r\nlines\",3,\r\n\"\",4,\r\n,5,\r\nNA,6,\r\n"
    );
}

#[test]
fn options_do_what_they_say() {
    let options = CsvOptions {
        delimiter: Some(";".into()),
        header: Some(false),
        line_ending: Some(LineEnding::Lf),
        quoting: None,
        null: Some("NA".into()),
    };
    assert_eq!(written(options, &batch().slice(5, 2)), "NA;5;NA\n\"NA\";6;NA\n");
    let options = CsvOptions {
        delimiter: Some(";".into()),
        line_ending: Some(LineEnding::Lf),
        ..CsvOptions::default()
    };
    assert_eq!(written(options, &batch().slice(1, 1)), "a;\"n;m\";ok\na,b;;false\n");
    let options = CsvOptions {
        quoting: Some(Quoting::All),
        ..CsvOptions::default()
    };
    assert_eq!(written(options, &batch().slice(4, 2)), "\"a\",\"n;m\",\"ok\"\r\n\"\",\"4\",\r\n,\"5\",\r\n");
    let options = CsvOptions {
        null: Some("5".into()),
        header: Some(false),
        ..CsvOptions::default()
    };
    assert_eq!(written(options, &batch().slice(5, 1)), "5,\"5\",5\r\n");
}

/// A time has colons: without quotes it would be several fields.
#[test]
fn a_delimiter_that_stands_in_a_time_is_quoted() {
    let at = arrow_array::TimestampMicrosecondArray::from(vec![Some(1_772_427_967_000_000), None]).with_timezone("UTC");
    let batch = RecordBatch::try_from_iter([
        ("at", Arc::new(at) as ArrayRef),
        ("n", Arc::new(Int64Array::from(vec![Some(-1), Some(2)])) as ArrayRef),
    ])
    .unwrap();
    let options = CsvOptions {
        delimiter: Some(":".into()),
        header: Some(false),
        line_ending: Some(LineEnding::Lf),
        ..CsvOptions::default()
    };
    assert_eq!(written(options, &batch), "\"2026-03-02T05:06:07Z\":-1\n:2\n");
}

#[test]
fn a_batch_of_other_columns_is_refused() {
    let mut csv = encoder(&FormatOptions::Csv(CsvOptions::default()), batch().schema()).unwrap();
    let other = batch().project(&[0, 1]).unwrap();
    assert!(csv.encode(&other, &mut BytesMut::new()).is_err());
}

#[cfg(feature = "conformance")]
#[test]
fn conforms() {
    crate::conformance::encoder::suite(&FormatOptions::Csv(CsvOptions::default()));
    crate::conformance::encoder::suite(&FormatOptions::Csv(CsvOptions {
        quoting: Some(Quoting::All),
        null: Some("NULL".into()),
        ..CsvOptions::default()
    }));
}
