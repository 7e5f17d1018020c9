//! Columns and constants in the order of the file. Columns are shared, not copied.

use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef, RecordBatch, RecordBatchOptions, StringArray};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::FieldSource;
use crate::error::{Class, Classified};

/// A mapping at work.
#[derive(Debug)]
pub struct Mapping {
    output: SchemaRef,
    fields: Vec<Value>,
}

#[derive(Debug)]
enum Value {
    Column(usize),
    /// The text, and an array of it that is at least as long as the longest batch so far.
    Constant(String, ArrayRef),
}

/// Why rows could not be mapped.
#[derive(Debug, thiserror::Error)]
pub enum MappingError {
    /// A column is not there.
    #[error("could not fill field {field}: the query's result has no column {column}")]
    ColumnMissing {
        /// The field.
        field: String,
        /// The column.
        column: String,
    },
    /// The plan still has a template or a parameter.
    #[error("could not fill field {field}: the plan leaves its value open")]
    NotRendered {
        /// The field.
        field: String,
    },
    /// Arrow refused the columns.
    #[error("could not put the mapped columns together")]
    Batch(#[from] arrow_schema::ArrowError),
}

impl Classified for MappingError {
    fn class(&self) -> Class {
        match self {
            Self::ColumnMissing { .. } => Class::Config,
            Self::NotRendered { .. } | Self::Batch(_) => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::ColumnMissing { .. } => "ColumnMissing",
            Self::NotRendered { .. } => "PlanInvalid",
            Self::Batch(_) => "MappingFailed",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ColumnMissing { column, .. } => Some(format!("add {column} to the query's columns, or correct the mapping")),
            _ => None,
        }
    }
}

impl Mapping {
    /// From rows of `input` to `fields` (name and source); no fields: every column in order.
    pub fn new<'a>(input: &SchemaRef, fields: impl IntoIterator<Item = (&'a str, &'a FieldSource)>) -> Result<Self, MappingError> {
        let mut output = Vec::new();
        let mut values = Vec::new();
        for (to, from) in fields {
            match from {
                FieldSource::Column(column) => {
                    let index = input.fields().iter().position(|f| f.name() == column);
                    let index = index.ok_or_else(|| MappingError::ColumnMissing {
                        field: to.to_owned(),
                        column: column.clone(),
                    })?;
                    output.push(Field::new(to, input.field(index).data_type().clone(), true));
                    values.push(Value::Column(index));
                }
                FieldSource::Constant(text) => {
                    output.push(Field::new(to, DataType::Utf8, true));
                    values.push(Value::Constant(text.clone(), Arc::new(StringArray::from(Vec::<&str>::new()))));
                }
                FieldSource::Parameter(_) | FieldSource::Template(_) => return Err(MappingError::NotRendered { field: to.to_owned() }),
            }
        }
        if values.is_empty() {
            return Ok(Self {
                output: input.clone(),
                fields: (0..input.fields().len()).map(Value::Column).collect(),
            });
        }
        Ok(Self {
            output: Arc::new(Schema::new(output)),
            fields: values,
        })
    }

    /// The columns of the file.
    pub fn output(&self) -> SchemaRef {
        self.output.clone()
    }

    /// The batch as the file wants it.
    pub fn apply(&mut self, batch: &RecordBatch) -> Result<RecordBatch, MappingError> {
        let rows = batch.num_rows();
        let columns = self
            .fields
            .iter_mut()
            .map(|value| match value {
                Value::Column(index) => batch.column(*index).clone(),
                Value::Constant(text, array) => {
                    if array.len() < rows {
                        *array = Arc::new(StringArray::from_iter_values(std::iter::repeat_n(&*text, rows)));
                    }
                    array.slice(0, rows)
                }
            })
            .collect();
        let options = RecordBatchOptions::new().with_row_count(Some(rows));
        Ok(RecordBatch::try_new_with_options(self.output.clone(), columns, &options)?)
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::Int64Array;
    use arrow_array::cast::AsArray as _;

    use super::*;

    fn batch(rows: i64) -> RecordBatch {
        RecordBatch::try_from_iter([
            ("a", Arc::new(Int64Array::from_iter_values(0..rows)) as ArrayRef),
            ("b", Arc::new(Int64Array::from_iter_values(10..10 + rows)) as ArrayRef),
        ])
        .unwrap()
    }

    #[test]
    fn fields_are_filled_in_order() {
        let fields = [
            ("X", FieldSource::Column("b".into())),
            ("Y", FieldSource::Constant("k".into())),
            ("Z", FieldSource::Column("b".into())),
        ];
        let mut mapping = Mapping::new(&batch(1).schema(), fields.iter().map(|(to, from)| (*to, from))).unwrap();
        for rows in [3, 1, 5, 0] {
            let got = mapping.apply(&batch(rows)).unwrap();
            assert_eq!(got.num_rows(), usize::try_from(rows).unwrap());
            assert_eq!(got.schema().fields().iter().map(|f| f.name().as_str()).collect::<Vec<_>>(), ["X", "Y", "Z"]);
            assert_eq!(got.column(0), batch(rows).column(1));
            assert!(got.column(1).as_string::<i32>().iter().all(|v| v == Some("k")));
        }
    }

    #[test]
    fn no_fields_mean_every_column() {
        let mut mapping = Mapping::new(&batch(1).schema(), []).unwrap();
        assert_eq!(mapping.apply(&batch(2)).unwrap(), batch(2));
    }

    #[test]
    fn what_cannot_be_filled_says_why() {
        let code = |from: FieldSource| Mapping::new(&batch(1).schema(), [("X", &from)]).map_err(|e| e.code()).unwrap_err();
        assert_eq!(code(FieldSource::Column("c".into())), "ColumnMissing");
        assert_eq!(code(FieldSource::Template("{run.id}".into())), "PlanInvalid");
        assert_eq!(code(FieldSource::Parameter("p".into())), "PlanInvalid");
    }
}
