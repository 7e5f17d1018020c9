//! Mapping: which value goes to which place of the file, as flat blocks that refer to each other by name.

mod options;

pub use options::{FieldMapping, FieldSource, MappingBlock};
