//! What a user may write about a SQLite source.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// A SQLite database file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SqliteOptions {
    /// Path of the file, as the runner sees it. `openreg run` reads it relative to the file that names it.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

impl SqliteOptions {
    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        if self.path.split('/').any(|part| part == "..") {
            return vec![Problem::new("path", "must not contain `..`")];
        }
        Vec::new()
    }
}
