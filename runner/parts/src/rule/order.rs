//! Whether a dataset is in the order that it states. A database's locale order is not byte order, and would lose rows
//! silently wherever order is relied on; so it is checked while reading.

use arrow_array::RecordBatch;
use arrow_schema::Schema;

use super::engine::RuleError;
use super::key::KeyColumns;
use crate::error::{Class, Classified};

/// Compares each row's key with the one before it.
#[derive(Debug)]
pub struct OrderCheck {
    keys: KeyColumns,
    columns: String,
    dataset: String,
    nulls_first: bool,
    last: Vec<u8>,
    current: Vec<u8>,
}

/// A dataset that is not in its stated order.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// A row comes before the one before it.
    #[error("could not use dataset {dataset}: row {row} comes before row {} in the byte order of {columns}", row - 1)]
    Unordered {
        /// The dataset.
        dataset: String,
        /// The key's columns.
        columns: String,
        /// The row.
        row: u64,
    },
    /// The column's order is not that of its bytes.
    #[error("could not check the order of dataset {dataset}: key column {column} is a number without a declared precision")]
    NotComparable {
        /// The dataset.
        dataset: String,
        /// The column.
        column: String,
    },
    /// A column of the key is not there.
    #[error("could not find key column {column} in the result of dataset {dataset}")]
    ColumnMissing {
        /// The dataset.
        dataset: String,
        /// The column.
        column: String,
    },
}

impl Classified for OrderError {
    fn class(&self) -> Class {
        Class::Config
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Unordered { .. } => "DatasetUnordered",
            Self::NotComparable { .. } => "KeyNotComparable",
            Self::ColumnMissing { .. } => "ColumnMissing",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unordered { columns, .. } => format!("end the query with ORDER BY {columns}, each text column with COLLATE \"C\""),
            Self::NotComparable { column, .. } => format!("declare columns.{column}.decimal in the dataset, or cast it in the query"),
            Self::ColumnMissing { column, .. } => format!("add {column} to the query's columns, or correct the dataset's key"),
        })
    }
}

impl OrderCheck {
    /// For rows of `schema`, ordered by `key`.
    pub fn new(dataset: &str, schema: &Schema, key: &[String], nulls_first: bool) -> Result<Self, OrderError> {
        let keys = KeyColumns::new(schema, key).map_err(|e| match e {
            RuleError::ColumnMissing { column } => OrderError::ColumnMissing {
                dataset: dataset.to_owned(),
                column,
            },
            _ => OrderError::ColumnMissing {
                dataset: dataset.to_owned(),
                column: key.join(", "),
            },
        })?;
        if let Some(column) = keys.unordered(schema) {
            return Err(OrderError::NotComparable {
                dataset: dataset.to_owned(),
                column: column.to_owned(),
            });
        }
        Ok(Self {
            keys,
            columns: key.join(", "),
            dataset: dataset.to_owned(),
            nulls_first,
            last: Vec::new(),
            current: Vec::new(),
        })
    }

    /// Checks the rows of a batch that begins with row `first_row`.
    pub fn check(&mut self, batch: &RecordBatch, first_row: u64) -> Result<(), OrderError> {
        for row in 0..batch.num_rows() {
            self.current.clear();
            self.keys.write_ordered(batch, row, self.nulls_first, &mut self.current);
            // Before the first row `last` is empty, and smaller than any key.
            if self.current < self.last {
                return Err(OrderError::Unordered {
                    dataset: self.dataset.clone(),
                    columns: self.columns.clone(),
                    row: first_row + row as u64,
                });
            }
            std::mem::swap(&mut self.current, &mut self.last);
        }
        Ok(())
    }

    /// The key's columns.
    pub fn keys(&self) -> &KeyColumns {
        &self.keys
    }
}
