//! What a user may write about unique.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// No two rows have the same values in the named columns. Two absent values are equal here.
///
/// When the dataset says that it is ordered by exactly these columns (`key`), neighbours are compared and the verdict
/// is per row; else keys are spilled to disk and the verdict comes at the end, and the rule may Block or Flag only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UniqueOptions {
    /// The columns.
    #[schemars(length(min = 1, max = 16), inner(length(min = 1, max = 63)))]
    pub columns: Vec<String>,
}

impl UniqueOptions {
    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }
}
