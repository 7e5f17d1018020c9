//! The values by which a row is known: as bytes that compare like the values, and as JSON for people.

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Date32Type, Decimal128Type, Float32Type, Float64Type, Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::{DataType, Schema};

use super::engine::{RuleError, position};
use crate::format::text::Cells;
use crate::source::NUMBER_AS_TEXT;

/// Some columns of a schema.
#[derive(Clone, Debug)]
pub struct KeyColumns {
    columns: Vec<(usize, String)>,
}

impl KeyColumns {
    /// The columns `names` of `schema`.
    pub fn new(schema: &Schema, names: &[String]) -> Result<Self, RuleError> {
        let columns = names
            .iter()
            .map(|name| Ok((position(schema, name)?, name.clone())))
            .collect::<Result<_, RuleError>>()?;
        Ok(Self { columns })
    }

    /// The first column whose values are not ordered as their bytes are: a number kept as text.
    pub fn unordered<'a>(&'a self, schema: &Schema) -> Option<&'a str> {
        self.columns
            .iter()
            .find(|(i, _)| schema.field(*i).metadata().contains_key(NUMBER_AS_TEXT))
            .map(|(_, name)| name.as_str())
    }

    /// Appends the values of a row as bytes; such bytes compare as the values do, column by column, text by its bytes.
    pub fn write_ordered(&self, batch: &RecordBatch, row: usize, nulls_first: bool, out: &mut Vec<u8>) {
        for (index, _) in &self.columns {
            let column = batch.column(*index);
            if column.is_null(row) {
                out.push(if nulls_first { 0 } else { 2 });
                continue;
            }
            out.push(1);
            match column.data_type() {
                DataType::Boolean => out.push(u8::from(column.as_boolean().value(row))),
                DataType::Int64 => signed(column.as_primitive::<Int64Type>().value(row), out),
                DataType::Date32 => signed(i64::from(column.as_primitive::<Date32Type>().value(row)), out),
                DataType::Timestamp(..) => signed(column.as_primitive::<TimestampMicrosecondType>().value(row), out),
                DataType::Decimal128(..) => {
                    out.extend_from_slice(&(column.as_primitive::<Decimal128Type>().value(row).cast_unsigned() ^ (1 << 127)).to_be_bytes())
                }
                DataType::Float32 => float(f64::from(column.as_primitive::<Float32Type>().value(row)), out),
                DataType::Float64 => float(column.as_primitive::<Float64Type>().value(row), out),
                // Sources give no other type.
                _ => {
                    for byte in column.as_string::<i32>().value(row).bytes() {
                        out.push(byte);
                        if byte == 0 {
                            out.push(0xff);
                        }
                    }
                    out.extend_from_slice(&[0, 0]);
                }
            }
        }
    }

    /// Appends the values of a row as a JSON object of texts: `{"trade_ref":"T-7"}`.
    pub fn write_json_object(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>) {
        self.write_json(batch, row, out, b'{', b'}');
    }

    /// Appends the values of a row as a JSON array of texts: `["T-7",null]`. Different values give different bytes, and equal
    /// ones equal bytes: a number that is kept as text is written without the zeros at its end.
    pub fn write_json_array(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>) {
        self.write_json(batch, row, out, b'[', b']');
    }

    fn write_json(&self, batch: &RecordBatch, row: usize, out: &mut Vec<u8>, open: u8, close: u8) {
        let mut value = bytes::BytesMut::new();
        out.push(open);
        for (i, (index, name)) in self.columns.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            if open == b'{' {
                json_text(name, out);
                out.push(b':');
            }
            let column = batch.column(*index);
            if column.is_null(row) {
                out.extend_from_slice(b"null");
                continue;
            }
            match column.as_string_opt::<i32>() {
                Some(texts) if open == b'[' && batch.schema_ref().field(*index).metadata().contains_key(NUMBER_AS_TEXT) => {
                    json_text(shortest(texts.value(row)), out)
                }
                Some(texts) => json_text(texts.value(row), out),
                None => {
                    value.clear();
                    Cells::new(column.as_ref()).write(row, &mut value);
                    json_text(std::str::from_utf8(&value).unwrap_or_default(), out);
                }
            }
        }
        out.push(close);
    }
}

/// A decimal without the zeros at its end that say nothing.
fn shortest(number: &str) -> &str {
    if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        number
    }
}

fn signed(value: i64, out: &mut Vec<u8>) {
    out.extend_from_slice(&(value.cast_unsigned() ^ (1 << 63)).to_be_bytes());
}

/// IEEE 754's total order; sources give no NaN.
fn float(value: f64, out: &mut Vec<u8>) {
    // Minus zero equals zero.
    let bits = if value == 0.0 { 0 } else { value.to_bits() };
    let ordered = if bits >> 63 == 1 { !bits } else { bits ^ (1 << 63) };
    out.extend_from_slice(&ordered.to_be_bytes());
}

/// Appends a text as JSON.
pub(super) fn json_text(text: &str, out: &mut Vec<u8>) {
    // Writing a text into memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Decimal128Array, Float64Array, Int64Array, StringArray};

    use super::*;

    fn ordered(column: ArrayRef, nulls_first: bool) -> Vec<Vec<u8>> {
        let batch = RecordBatch::try_from_iter([("k", column)]).unwrap();
        let keys = KeyColumns::new(&batch.schema(), &["k".to_owned()]).unwrap();
        (0..batch.num_rows())
            .map(|row| {
                let mut out = Vec::new();
                keys.write_ordered(&batch, row, nulls_first, &mut out);
                out
            })
            .collect()
    }

    #[test]
    fn bytes_compare_as_values_do() {
        let columns: [ArrayRef; 4] = [
            Arc::new(Int64Array::from(vec![i64::MIN, -1, 0, 1, i64::MAX])),
            Arc::new(Decimal128Array::from(vec![-10_i128.pow(30), -1, 0, 5, 10_i128.pow(30)])),
            // Byte order, as COLLATE "C" gives it.
            Arc::new(StringArray::from(vec!["", "\0", "TX-2", "TX1", "TX10", "TX_1", "tx1", "ä"])),
            Arc::new(Float64Array::from(vec![-1e300, -1.5, 0.0, 2.25, 1e300])),
        ];
        for column in columns {
            let keys = ordered(column, false);
            assert!(keys.windows(2).all(|w| w[0] < w[1]), "{keys:?}");
        }
    }

    #[test]
    fn absent_values_stand_where_the_source_puts_them() {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![None, Some(1)]));
        let first = ordered(column.clone(), true);
        assert!(first[0] < first[1]);
        let last = ordered(column, false);
        assert!(last[0] > last[1]);
    }

    #[test]
    fn a_text_border_is_part_of_the_key() {
        let batch = RecordBatch::try_from_iter([
            ("a", Arc::new(StringArray::from(vec!["x", "xy"])) as ArrayRef),
            ("b", Arc::new(StringArray::from(vec!["yz", "z"])) as ArrayRef),
        ])
        .unwrap();
        let keys = KeyColumns::new(&batch.schema(), &["a".to_owned(), "b".to_owned()]).unwrap();
        let (mut one, mut two) = (Vec::new(), Vec::new());
        keys.write_ordered(&batch, 0, false, &mut one);
        keys.write_ordered(&batch, 1, false, &mut two);
        assert_ne!(one, two);
        one.clear();
        keys.write_json_object(&batch, 0, &mut one);
        assert_eq!(String::from_utf8(one).unwrap(), r#"{"a":"x","b":"yz"}"#);
    }
}
