//! CSV after RFC 4180, UTF-8.

mod options;

pub use options::{CsvOptions, LineEnding, Quoting};
