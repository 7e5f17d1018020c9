//! unique: no two rows have the same values in the named columns.

mod options;

pub use options::UniqueOptions;
