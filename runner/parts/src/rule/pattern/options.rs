//! What a user may write about pattern.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// A text column matches a regular expression as a whole. An absent value passes: that is notNull's question.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PatternOptions {
    /// The column; its type must be text.
    #[schemars(length(min = 1, max = 63))]
    pub column: String,
    /// The regular expression, in the syntax of the Rust crate `regex`: linear time, no back references.
    #[schemars(length(min = 1, max = 1024))]
    pub regex: String,
}

/// The most memory that one compiled expression may take, in bytes: a hostile one is refused, not compiled.
#[cfg(feature = "check")]
const COMPILED_BYTES: usize = 1 << 20;

impl PatternOptions {
    /// What is wrong with the options. Compiles the expression only with feature `check`.
    pub fn problems(&self) -> Vec<Problem> {
        #[cfg(feature = "check")]
        if let Err(e) = self.compile() {
            return vec![Problem::new("regex", not_a_regex(&e))];
        }
        Vec::new()
    }

    /// The expression, anchored at both ends.
    #[cfg(feature = "check")]
    pub fn compile(&self) -> Result<regex::Regex, regex::Error> {
        anchored(&self.regex)
    }
}

/// A regular expression that a user wrote, anchored at both ends.
#[cfg(feature = "check")]
pub fn anchored(pattern: &str) -> Result<regex::Regex, regex::Error> {
    // Alone first: `a)(b` is wrong by itself and would be right inside the group.
    regex::RegexBuilder::new(pattern).size_limit(COMPILED_BYTES).build()?;
    regex::RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(COMPILED_BYTES).build()
}

/// What is wrong with such an expression, in one sentence: the last line of what the crate says, which points at the place
/// with several lines.
#[cfg(feature = "check")]
pub fn not_a_regex(error: &regex::Error) -> String {
    let reason = error.to_string();
    let last = reason.lines().last().unwrap_or_default().trim();
    format!("is not a regular expression: {}", last.trim_start_matches("error: ").trim_end_matches('.'))
}
