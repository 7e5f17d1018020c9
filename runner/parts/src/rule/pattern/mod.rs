//! pattern: a text column matches a regular expression as a whole.

mod options;

pub use options::PatternOptions;
