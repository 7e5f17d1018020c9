//! notNull: every named column has a value in every row.

mod options;

pub use options::NotNullOptions;
