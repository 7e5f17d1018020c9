//! pattern: a text column matches a regular expression as a whole.

#[cfg(feature = "runtime")]
mod check;
mod options;

pub use options::PatternOptions;
#[cfg(feature = "runtime")]
pub(super) use check::Pattern;
