//! One expression, compiled once, over the texts of a column.

use arrow_array::Array as _;
use arrow_array::cast::AsArray as _;
use arrow_schema::{DataType, Schema};
use regex::Regex;

use super::PatternOptions;
use crate::rule::engine::{Batch, Rule, RuleError, position};
use crate::rule::{Found, Verdict};

/// The rule at work.
pub(in crate::rule) struct Pattern {
    column: String,
    index: usize,
    regex: Regex,
}

impl Pattern {
    pub(in crate::rule) fn new(options: &PatternOptions, schema: &Schema) -> Result<Self, RuleError> {
        let column = options.column.clone();
        let index = position(schema, &column)?;
        let found = schema.field(index).data_type();
        if *found != DataType::Utf8 {
            return Err(RuleError::ColumnNotText {
                column,
                found: found.to_string(),
            });
        }
        let regex = options.compile().map_err(|_| RuleError::Regex { column: column.clone() })?;
        Ok(Self { column, index, regex })
    }
}

impl Rule for Pattern {
    fn verdict(&self) -> Verdict {
        Verdict::PerRow
    }

    fn check(&mut self, batch: &Batch, found: &mut Found<'_>) -> Result<(), RuleError> {
        let texts = batch.rows.column(self.index).as_string::<i32>();
        for row in 0..texts.len() {
            if texts.is_valid(row) && !self.regex.is_match(texts.value(row)) {
                found.row(row, &[&self.column]);
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Found<'_>) -> Result<bool, RuleError> {
        Ok(false)
    }
}
