//! pattern: a text column matches a regular expression as a whole.

#[cfg(feature = "runtime")]
mod check;
mod options;

#[cfg(feature = "runtime")]
pub(super) use check::Pattern;
pub use options::PatternOptions;
#[cfg(feature = "check")]
pub use options::{anchored, not_a_regex};
