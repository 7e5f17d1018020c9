//! What a user may write about notNull.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// Every named column has a value in every row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotNullOptions {
    /// The columns.
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 63)))]
    pub columns: Vec<String>,
}

impl NotNullOptions {
    /// What is wrong with the options; structural bounds are the schema's.
    pub fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
