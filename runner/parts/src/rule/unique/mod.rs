//! unique: no two rows have the same values in the named columns.

#[cfg(feature = "runtime")]
mod check;
mod options;

#[cfg(feature = "runtime")]
pub(super) use check::{Neighbours, Spilled};
pub use options::UniqueOptions;
