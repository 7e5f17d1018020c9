//! What the data must pass. The registry of rules is the enum below; with feature `runtime`, [`build`] makes the member.

#[cfg(feature = "runtime")]
mod engine;
#[cfg(feature = "runtime")]
mod found;
#[cfg(feature = "runtime")]
mod key;
pub mod not_null;
#[cfg(feature = "runtime")]
mod order;
pub mod pattern;
#[cfg(all(test, feature = "runtime"))]
mod tests;
pub mod unique;

#[cfg(feature = "runtime")]
pub use engine::{Batch, Rule, RuleError, Scratch, build};
#[cfg(feature = "runtime")]
pub use found::{Found, SAMPLE, Violations};
#[cfg(feature = "runtime")]
pub use key::KeyColumns;
#[cfg(feature = "runtime")]
pub use order::{OrderCheck, OrderError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Problem, under};

/// One rule: exactly one kind.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum RuleOptions {
    /// Every named column has a value in every row.
    NotNull(not_null::NotNullOptions),
    /// A text column matches a regular expression as a whole.
    Pattern(pattern::PatternOptions),
    /// No two rows have the same values in the named columns.
    Unique(unique::UniqueOptions),
}

/// When a rule knows: for each row, or only when all rows were seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Each row is judged as it passes.
    PerRow,
    /// The verdict comes after the last row, so rows can no longer be excluded.
    AtEnd,
}

impl RuleOptions {
    /// The member's name as users write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotNull(_) => "notNull",
            Self::Pattern(_) => "pattern",
            Self::Unique(_) => "unique",
        }
    }

    /// When the rule knows. `ordered_by` are the columns by which the dataset says it is ordered.
    pub fn verdict(&self, ordered_by: &[String]) -> Verdict {
        match self {
            Self::NotNull(_) | Self::Pattern(_) => Verdict::PerRow,
            // Ordered by exactly these columns, equal rows are neighbours.
            Self::Unique(o) if o.columns == ordered_by => Verdict::PerRow,
            Self::Unique(_) => Verdict::AtEnd,
        }
    }

    /// The columns that the rule reads.
    pub fn columns(&self) -> Vec<&str> {
        match self {
            Self::NotNull(o) => o.columns.iter().map(String::as_str).collect(),
            Self::Pattern(o) => vec![o.column.as_str()],
            Self::Unique(o) => o.columns.iter().map(String::as_str).collect(),
        }
    }

    /// What is wrong with the options; needs `check` for what must be compiled.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::NotNull(o) => under("notNull", o.problems()),
            Self::Pattern(o) => under("pattern", o.problems()),
            Self::Unique(o) => under("unique", o.problems()),
        }
    }
}
