//! What every rule does: it sees batches in order and says which rows violate it. What follows from a violation is the
//! caller's to decide.

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::found::Found;
use super::{RuleOptions, Verdict, not_null, pattern, unique};
use crate::error::{Class, Classified};

/// Rows as they came from the source.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The rows.
    pub rows: RecordBatch,
    /// The number of the first one in its dataset, from 1.
    pub first_row: u64,
}

/// One rule over a stream of batches.
pub trait Rule: Send {
    /// When it knows.
    fn verdict(&self) -> Verdict;
    /// Judges the rows of a batch. May spill, so may fail.
    fn check(&mut self, batch: &Batch, found: &mut Found<'_>) -> Result<(), RuleError>;
    /// Judges what only the last row decides, in steps: `true` means that there is more. Between two steps the caller takes
    /// the lines away, so that memory does not grow with what is found.
    fn finish(&mut self, found: &mut Found<'_>) -> Result<bool, RuleError>;
}

/// Where a rule may keep what does not fit memory.
#[derive(Clone, Debug)]
pub struct Scratch {
    /// A directory of this rule alone; made when it is needed.
    pub directory: std::path::PathBuf,
    /// Bytes that may lie there.
    pub bytes: u64,
}

/// Makes the rule that `options` name for rows of `schema`, which are ordered by `ordered_by`.
pub fn build(options: &RuleOptions, schema: &Schema, ordered_by: &[String], scratch: Scratch) -> Result<Box<dyn Rule>, RuleError> {
    match options {
        RuleOptions::NotNull(o) => Ok(Box::new(not_null::NotNull::new(o, schema)?)),
        RuleOptions::Pattern(o) => Ok(Box::new(pattern::Pattern::new(o, schema)?)),
        RuleOptions::Unique(o) => match options.verdict(ordered_by) {
            Verdict::PerRow => Ok(Box::new(unique::Neighbours::new(o, schema)?)),
            Verdict::AtEnd => Ok(Box::new(unique::Spilled::new(o, schema, scratch)?)),
        },
    }
}

/// Why a rule could not judge. A violation is not an error.
#[derive(Debug, thiserror::Error)]
pub enum RuleError {
    /// A column is not there.
    #[error("could not check column {column}: the query's result has no such column")]
    ColumnMissing {
        /// The column.
        column: String,
    },
    /// A column has a type that the rule cannot judge.
    #[error("could not check column {column}: it is {found}, not text")]
    ColumnNotText {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// The expression is none.
    #[error("could not compile the regular expression for column {column}")]
    Regex {
        /// The column.
        column: String,
    },
    /// The scratch directory is full.
    #[error("could not check unique over {columns}: its keys need more than the {bytes} bytes of scratch space")]
    ScratchFull {
        /// The columns.
        columns: String,
        /// The bound.
        bytes: u64,
    },
    /// The scratch directory cannot be used.
    #[error("could not use the scratch directory")]
    Scratch(#[from] std::io::Error),
}

impl Classified for RuleError {
    fn class(&self) -> Class {
        match self {
            // A full or broken disk of the node: another pod may have a better one.
            Self::Scratch(_) => Class::Transient,
            _ => Class::Config,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::ColumnMissing { .. } => "ColumnMissing",
            Self::ColumnNotText { .. } => "ColumnNotText",
            Self::Regex { .. } => "RegexInvalid",
            Self::ScratchFull { .. } => "ScratchFull",
            Self::Scratch(_) => "ScratchFailed",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::ColumnMissing { column } => format!("add {column} to the query's columns, or correct the rule"),
            Self::ColumnNotText { column, .. } => format!("cast {column} to text in the query, or remove the rule"),
            Self::Regex { .. } => "correct the rule's regex".to_owned(),
            Self::ScratchFull { columns, .. } => {
                format!("order the query by {columns} and name these columns as the dataset's key: neighbours are then compared without scratch space")
            }
            Self::Scratch(_) => "it is tried again; if it stays so, check the nodes' disks".to_owned(),
        })
    }
}

/// Position of a column.
pub(super) fn position(schema: &Schema, column: &str) -> Result<usize, RuleError> {
    schema
        .fields()
        .iter()
        .position(|f| f.name() == column)
        .ok_or_else(|| RuleError::ColumnMissing { column: column.to_owned() })
}
