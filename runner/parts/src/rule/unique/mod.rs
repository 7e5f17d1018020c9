//! unique: no two rows have the same values in the named columns.

#[cfg(feature = "runtime")]
mod check;
mod options;

pub use options::UniqueOptions;
#[cfg(feature = "runtime")]
pub(super) use check::{Neighbours, Spilled};
