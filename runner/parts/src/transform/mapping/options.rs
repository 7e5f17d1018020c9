//! What a user may write about the mapping.
//!
//! Blocks nest by name (`in`), never by structure: a custom resource definition cannot recurse. A flat format such as
//! CSV has one block, without `in`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A block of fields.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MappingBlock {
    /// The block's name, unique in the report.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"))]
    pub name: String,
    /// The fields, in the order in which they are written.
    #[schemars(length(min = 1, max = 256))]
    pub fields: Vec<FieldMapping>,
}

/// One field of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FieldMapping {
    /// The place in the file: a column's name in CSV.
    #[schemars(length(min = 1, max = 256))]
    pub to: String,
    /// Where the value comes from.
    pub from: FieldSource,
}

/// Where a value comes from: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum FieldSource {
    /// A column of the main dataset.
    Column(#[schemars(length(min = 1, max = 63))] String),
    /// The same text in every record.
    Constant(#[schemars(length(max = 1024))] String),
    /// A parameter of the run.
    Parameter(#[schemars(length(min = 1, max = 32))] String),
    /// A text with placeholders such as `{run.plannedAt:%Y-%m-%d}`, the same in every record.
    Template(#[schemars(length(min = 1, max = 1024))] String),
}
