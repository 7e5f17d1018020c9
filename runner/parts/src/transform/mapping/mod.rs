//! Mapping: which value goes to which place of the file, as flat blocks that refer to each other by name.

#[cfg(feature = "runtime")]
mod apply;
mod options;

#[cfg(feature = "runtime")]
pub use apply::{Mapping, MappingError};
pub use options::{FieldMapping, FieldSource, MappingBlock};
