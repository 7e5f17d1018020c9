//! The bytes of CSV, row by row straight from Arrow's arrays.

use arrow_array::{Array as _, RecordBatch};
use arrow_buffer::NullBuffer;
use arrow_schema::SchemaRef;
use bytes::{BufMut as _, BytesMut};

use super::{CsvOptions, LineEnding, Quoting};
use crate::format::text::Cells;
use crate::format::{EncodeError, Encoder};

/// What stands in numbers, times and truth values: `-1.5e-7`, `2026-03-02T05:06:07Z`, `true`.
const NOTATION: &[u8] = b"0123456789+-.:TZaeflrstu";

/// Writes CSV.
pub(in crate::format) struct Csv {
    schema: SchemaRef,
    delimiter: u8,
    header: bool,
    line_end: &'static [u8],
    quote_all: bool,
    null: Vec<u8>,
    /// Whether numbers, times and truth values can be written as they are.
    plain: bool,
    /// Whether a text with that byte needs quotes.
    special: [bool; 256],
}

impl Csv {
    pub(in crate::format) fn new(options: &CsvOptions, schema: SchemaRef) -> Result<Self, EncodeError> {
        if let Some(field) = schema.fields().iter().find(|f| !Cells::knows(f.data_type())) {
            return Err(EncodeError::TypeUnsupported {
                column: field.name().clone(),
                found: field.data_type().to_string(),
            });
        }
        let delimiter = options.delimiter();
        let quote_all = options.quoting.unwrap_or_default() == Quoting::All;
        let null = options.null.clone().unwrap_or_default().into_bytes();
        // A number may equal the text for an absent value, and a time has colons.
        let plain = null.is_empty() && !quote_all && !NOTATION.contains(&delimiter);
        let mut special = [false; 256];
        for byte in [delimiter, b'"', b'\r', b'\n'] {
            special[usize::from(byte)] = true;
        }
        Ok(Self {
            schema,
            delimiter,
            header: options.header(),
            line_end: match options.line_ending.unwrap_or_default() {
                LineEnding::CrLf => b"\r\n",
                LineEnding::Lf => b"\n",
            },
            quote_all,
            null,
            plain,
            special,
        })
    }

    /// A text that is there; one that reads like an absent value is quoted, so that the two differ.
    fn text(&self, text: &[u8], out: &mut BytesMut) {
        if !self.quote_all && text != self.null.as_slice() && !text.iter().any(|b| self.special[usize::from(*b)]) {
            out.extend_from_slice(text);
            return;
        }
        out.put_u8(b'"');
        let mut rest = text;
        while let Some(at) = memchr::memchr(b'"', rest) {
            out.extend_from_slice(&rest[..=at]);
            out.put_u8(b'"');
            rest = &rest[at + 1..];
        }
        out.extend_from_slice(rest);
        out.put_u8(b'"');
    }

    fn cell(&self, cells: &Cells<'_>, row: usize, scratch: &mut BytesMut, out: &mut BytesMut) {
        match cells {
            Cells::Text(a) => self.text(a.value(row).as_bytes(), out),
            _ if self.plain => cells.write(row, out),
            _ => {
                scratch.clear();
                cells.write(row, scratch);
                self.text(scratch, out);
            }
        }
    }
}

impl Encoder for Csv {
    fn begin(&mut self, out: &mut BytesMut) -> Result<(), EncodeError> {
        if self.header {
            for (i, field) in self.schema.fields().iter().enumerate() {
                if i > 0 {
                    out.put_u8(self.delimiter);
                }
                self.text(field.name().as_bytes(), out);
            }
            out.extend_from_slice(self.line_end);
        }
        Ok(())
    }

    fn encode(&mut self, rows: &RecordBatch, out: &mut BytesMut) -> Result<(), EncodeError> {
        if rows.num_columns() != self.schema.fields().len() || rows.columns().iter().zip(self.schema.fields()).any(|(c, f)| c.data_type() != f.data_type()) {
            return Err(EncodeError::SchemaChanged);
        }
        let columns: Vec<(Cells<'_>, Option<&NullBuffer>)> = rows
            .columns()
            .iter()
            .map(|c| (Cells::new(c.as_ref()), c.nulls().filter(|n| n.null_count() > 0)))
            .collect();
        let mut scratch = BytesMut::new();
        for row in 0..rows.num_rows() {
            for (i, (cells, nulls)) in columns.iter().enumerate() {
                if i > 0 {
                    out.put_u8(self.delimiter);
                }
                if nulls.is_some_and(|n| n.is_null(row)) {
                    out.extend_from_slice(&self.null);
                } else {
                    self.cell(cells, row, &mut scratch, out);
                }
            }
            out.extend_from_slice(self.line_end);
        }
        Ok(())
    }

    fn finish(&mut self, _: &mut BytesMut) -> Result<(), EncodeError> {
        Ok(())
    }
}
