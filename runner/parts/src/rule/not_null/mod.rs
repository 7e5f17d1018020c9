//! notNull: every named column has a value in every row.

#[cfg(feature = "runtime")]
mod check;
mod options;

#[cfg(feature = "runtime")]
pub(super) use check::NotNull;
pub use options::NotNullOptions;
