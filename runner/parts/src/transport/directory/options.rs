//! What a user may write about a directory destination.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryOptions {
    /// Path of the directory, as the runner sees it.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

impl DirectoryOptions {
    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        if self.path.split('/').any(|part| part == "..") {
            return vec![Problem::new("path", "must not contain `..`")];
        }
        Vec::new()
    }
}
