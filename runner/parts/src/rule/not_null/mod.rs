//! notNull: every named column has a value in every row.

#[cfg(feature = "runtime")]
mod check;
mod options;

pub use options::NotNullOptions;
#[cfg(feature = "runtime")]
pub(super) use check::NotNull;
