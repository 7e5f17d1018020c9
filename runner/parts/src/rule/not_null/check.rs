//! Absent values are counted by Arrow: a column without any costs nothing.

use arrow_array::Array as _;
use arrow_schema::Schema;

use super::NotNullOptions;
use crate::rule::engine::{Batch, Rule, RuleError, position};
use crate::rule::{Found, Verdict};

/// The rule at work.
pub(in crate::rule) struct NotNull {
    columns: Vec<(usize, String)>,
}

impl NotNull {
    pub(in crate::rule) fn new(options: &NotNullOptions, schema: &Schema) -> Result<Self, RuleError> {
        let columns = options
            .columns
            .iter()
            .map(|c| Ok((position(schema, c)?, c.clone())))
            .collect::<Result<_, RuleError>>()?;
        Ok(Self { columns })
    }
}

impl Rule for NotNull {
    fn verdict(&self) -> Verdict {
        Verdict::PerRow
    }

    fn check(&mut self, batch: &Batch, found: &mut Found<'_>) -> Result<(), RuleError> {
        let suspects: Vec<_> = self
            .columns
            .iter()
            .map(|(i, name)| (batch.rows.column(*i), name))
            .filter(|(column, _)| column.null_count() > 0)
            .collect();
        if suspects.is_empty() {
            return Ok(());
        }
        let mut absent: Vec<&str> = Vec::new();
        for row in 0..batch.rows.num_rows() {
            absent.clear();
            absent.extend(suspects.iter().filter(|(column, _)| column.is_null(row)).map(|(_, name)| name.as_str()));
            if !absent.is_empty() {
                found.row(row, &absent);
            }
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut Found<'_>) -> Result<bool, RuleError> {
        Ok(false)
    }
}
