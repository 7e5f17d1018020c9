//! What every format does: batches in, bytes out. No I/O, no clock, no randomness; the same rows give the same bytes
//! however they are cut into batches.

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use bytes::BytesMut;

use super::{FormatOptions, csv};
use crate::error::{Class, Classified};

/// Turns batches into the bytes of one file. Appends to `out`.
pub trait Encoder: Send {
    /// What stands before the first record.
    fn begin(&mut self, out: &mut BytesMut) -> Result<(), EncodeError>;
    /// The records of a batch.
    fn encode(&mut self, rows: &RecordBatch, out: &mut BytesMut) -> Result<(), EncodeError>;
    /// What stands after the last.
    fn finish(&mut self, out: &mut BytesMut) -> Result<(), EncodeError>;
}

/// Makes the encoder that `options` name for rows of `schema`.
pub fn encoder(options: &FormatOptions, schema: SchemaRef) -> Result<Box<dyn Encoder>, EncodeError> {
    match options {
        FormatOptions::Csv(o) => Ok(Box::new(csv::Csv::new(o, schema)?)),
    }
}

/// Why rows could not be written.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// The format has no text for a type.
    #[error("could not write column {column}: the format has no notation for {found}")]
    TypeUnsupported {
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A batch of another schema.
    #[error("could not write a batch: its columns are not those that were announced")]
    SchemaChanged,
}

impl Classified for EncodeError {
    fn class(&self) -> Class {
        match self {
            Self::TypeUnsupported { .. } => Class::Config,
            Self::SchemaChanged => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::TypeUnsupported { .. } => "TypeUnsupported",
            Self::SchemaChanged => "SchemaChanged",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::TypeUnsupported { column, .. } => Some(format!("cast {column} to text in the query")),
            Self::SchemaChanged => None,
        }
    }
}
