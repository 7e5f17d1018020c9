//! CSV after RFC 4180, UTF-8.

#[cfg(feature = "runtime")]
mod encoder;
mod options;
#[cfg(all(test, feature = "runtime"))]
mod tests;

#[cfg(feature = "runtime")]
pub(super) use encoder::Csv;
pub use options::{CsvOptions, LineEnding, Quoting};
