//! Each rule over batches cut at every place: the cut must not matter.

#![allow(clippy::unwrap_used, reason = "a test ends at its first surprise")]

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};

use super::not_null::NotNullOptions;
use super::pattern::PatternOptions;
use super::unique::UniqueOptions;
use super::{Batch, KeyColumns, OrderCheck, RuleError, RuleOptions, Scratch, Violations, build};
use crate::error::Classified as _;

fn rows(ids: &[Option<&str>], numbers: &[Option<i64>]) -> RecordBatch {
    RecordBatch::try_from_iter([
        ("id", Arc::new(StringArray::from(ids.to_vec())) as ArrayRef),
        ("n", Arc::new(Int64Array::from(numbers.to_vec())) as ArrayRef),
    ])
    .unwrap()
}

/// Rows (by number) that the rule finds, and the lines; the batch is cut after `cut` rows.
fn run(options: &RuleOptions, batch: &RecordBatch, ordered_by: &[String], cut: usize, bytes: u64) -> Result<(Vec<u64>, String), RuleError> {
    let scratch = tempfile::tempdir().unwrap();
    let directory = scratch.path().join("unique");
    let mut rule = build(
        options,
        &batch.schema(),
        ordered_by,
        Scratch {
            directory: directory.clone(),
            bytes,
        },
    )?;
    let keys = KeyColumns::new(&batch.schema(), &["id".to_owned()])?;
    let mut violations = Violations::new("t", 1);
    for (start, length) in [(0, cut), (cut, batch.num_rows() - cut)] {
        let part = Batch {
            rows: batch.slice(start, length),
            first_row: start as u64 + 1,
        };
        let mut exclude = vec![false; length];
        rule.check(
            &part,
            &mut violations.in_batch(0, "R", Some(&keys), (&part.rows, part.first_row), Some(&mut exclude)),
        )?;
    }
    while rule.finish(&mut violations.at_end(0, "R"))? {}
    drop(rule);
    assert!(!directory.exists(), "the scratch directory is left clean");
    let lines = String::from_utf8(violations.take_lines()).unwrap();
    let mut found: Vec<u64> = lines
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap()["row"].as_u64().unwrap())
        .collect();
    found.sort_unstable();
    assert_eq!(violations.counts(), [found.len() as u64]);
    Ok((found, lines))
}

#[test]
fn rules_find_the_rows_they_must() {
    let batch = rows(
        &[Some("A1"), None, Some("b2"), Some("A1"), Some("A1x"), None],
        &[Some(1), Some(2), None, Some(1), Some(5), Some(2)],
    );
    let not_null = RuleOptions::NotNull(NotNullOptions {
        columns: vec!["id".into(), "n".into()],
    });
    let pattern = RuleOptions::Pattern(PatternOptions {
        column: "id".into(),
        regex: "[A-Z][0-9]".into(),
    });
    let unique = RuleOptions::Unique(UniqueOptions {
        columns: vec!["id".into(), "n".into()],
    });
    for cut in 0..=6 {
        assert_eq!(run(&not_null, &batch, &[], cut, 1 << 20).unwrap().0, [2, 3, 6]);
        // As a whole: `A1x` only begins well. An absent value passes.
        assert_eq!(run(&pattern, &batch, &[], cut, 1 << 20).unwrap().0, [3, 5]);
        // Two absent values are equal.
        assert_eq!(run(&unique, &batch, &[], cut, 1 << 20).unwrap().0, [4, 6]);
    }
}

/// Every row but the first is found: the lines must not pile up until the end.
#[test]
fn lines_are_handed_over_while_equal_rows_are_found() {
    const ROWS: usize = 20_000;
    let batch = rows(&vec![Some("the same"); ROWS], &vec![None; ROWS]);
    let unique = RuleOptions::Unique(UniqueOptions { columns: vec!["id".into()] });
    let scratch = tempfile::tempdir().unwrap();
    let scratch = Scratch {
        directory: scratch.path().join("unique"),
        bytes: 1 << 20,
    };
    let mut rule = build(&unique, &batch.schema(), &[], scratch).unwrap();
    let mut violations = Violations::new("t", 1);
    let part = Batch { rows: batch, first_row: 1 };
    rule.check(&part, &mut violations.in_batch(0, "R", None, (&part.rows, 1), None)).unwrap();
    let (mut lines, mut most, mut more) = (0, 0, true);
    while more {
        more = rule.finish(&mut violations.at_end(0, "R")).unwrap();
        let step = violations.take_lines();
        most = most.max(step.len());
        lines += step.iter().filter(|b| **b == b'\n').count();
    }
    assert_eq!((lines, violations.total()), (ROWS - 1, ROWS as u64 - 1));
    assert!(most < 300 << 10, "{most} bytes at once");
}

/// `1.0` and `1.00` are two texts and one number.
#[test]
fn numbers_without_a_precision_are_compared_as_numbers() {
    use arrow_schema::{DataType, Field, Schema};
    let metadata = std::collections::HashMap::from([(crate::source::NUMBER_AS_TEXT.to_owned(), "true".to_owned())]);
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["1.0", "1.00", "10", "1", "100", "-1.50", "-1.5"]));
    for (number, expected) in [(true, vec![2, 4, 7]), (false, vec![])] {
        let mut field = Field::new("id", DataType::Utf8, true);
        if number {
            field = field.with_metadata(metadata.clone());
        }
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![texts.clone()]).unwrap();
        let unique = RuleOptions::Unique(UniqueOptions { columns: vec!["id".into()] });
        assert_eq!(run(&unique, &batch, &[], 3, 1 << 20).unwrap().0, expected);
    }
}

#[test]
fn neighbours_are_compared_when_the_rows_are_ordered() {
    let batch = rows(&[Some("a"), Some("a"), Some("b"), Some("c"), Some("c"), Some("c")], &[None; 6]);
    let unique = RuleOptions::Unique(UniqueOptions { columns: vec!["id".into()] });
    for cut in 0..=6 {
        // No byte of scratch is needed.
        assert_eq!(run(&unique, &batch, &["id".to_owned()], cut, 0).unwrap().0, [2, 5, 6]);
    }
}

#[test]
fn a_line_says_where_and_which() {
    let batch = rows(&[Some("x\"y"), Some("z")], &[None, Some(1)]);
    let not_null = RuleOptions::NotNull(NotNullOptions { columns: vec!["n".into()] });
    assert_eq!(
        run(&not_null, &batch, &[], 0, 0).unwrap().1,
        "{\"rule\":\"R\",\"dataset\":\"t\",\"row\":1,\"columns\":[\"n\"],\"key\":{\"id\":\"x\\\"y\"}}\n"
    );
    let twice = rows(&[Some("a"), Some("a")], &[None, None]);
    let unique = RuleOptions::Unique(UniqueOptions {
        columns: vec!["id".into(), "n".into()],
    });
    assert_eq!(
        run(&unique, &twice, &[], 0, 1 << 20).unwrap().1,
        "{\"rule\":\"R\",\"dataset\":\"t\",\"row\":2,\"columns\":[\"id\",\"n\"],\"sameAs\":1,\"key\":[\"a\",null]}\n"
    );
}

#[test]
fn what_cannot_be_judged_says_why() {
    let batch = rows(&[Some("a"), Some("b")], &[Some(1), Some(2)]);
    let code = |options: RuleOptions, bytes| run(&options, &batch, &[], 0, bytes).map_err(|e| e.code()).unwrap_err();
    assert_eq!(code(RuleOptions::NotNull(NotNullOptions { columns: vec!["nope".into()] }), 0), "ColumnMissing");
    assert_eq!(
        code(
            RuleOptions::Pattern(PatternOptions {
                column: "n".into(),
                regex: "1".into()
            }),
            0
        ),
        "ColumnNotText"
    );
    assert_eq!(
        code(
            RuleOptions::Pattern(PatternOptions {
                column: "id".into(),
                regex: "(".into()
            }),
            0
        ),
        "RegexInvalid"
    );
    assert_eq!(code(RuleOptions::Unique(UniqueOptions { columns: vec!["id".into()] }), 20), "ScratchFull");
}

#[test]
fn a_dataset_out_of_order_is_refused() {
    let check = |ids: &[Option<&str>], cut: usize| {
        let batch = rows(ids, &vec![None; ids.len()]);
        let mut order = OrderCheck::new("t", &batch.schema(), &["id".to_owned()], false).unwrap();
        order
            .check(&batch.slice(0, cut), 1)
            .and_then(|()| order.check(&batch.slice(cut, ids.len() - cut), cut as u64 + 1))
            .map_err(|e| e.to_string())
    };
    for cut in 0..=3 {
        assert_eq!(check(&[Some("TX-2"), Some("TX1"), Some("TX1")], cut), Ok(()));
        // The order of a locale, not of bytes.
        let refused = check(&[Some("TX_1"), Some("TX-2"), Some("tx1")], cut).unwrap_err();
        assert_eq!(refused, "could not use dataset t: row 2 comes before row 1 in the byte order of id");
    }
}
