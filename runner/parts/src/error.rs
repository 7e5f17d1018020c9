//! How things go wrong: the class of an error, the judgement beside it, and what is wrong with a spec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who can mend an error. The operator retries `Transient` only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Class {
    /// The report, a connector, a destination or a Secret must be changed.
    Config,
    /// The data must be corrected.
    Data,
    /// The same run may succeed when it is tried again.
    Transient,
    /// OpenReg itself is at fault, or the platform did something nobody planned for.
    Internal,
}

impl Class {
    /// The word used in conditions, metrics and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Config => "Config",
            Self::Data => "Data",
            Self::Transient => "Transient",
            Self::Internal => "Internal",
        }
    }
}

impl std::fmt::Display for Class {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error that says who can mend it. Implemented beside each error type, so that nobody guesses from its text.
pub trait Classified: std::error::Error {
    /// Who can mend it.
    fn class(&self) -> Class;
    /// A stable CamelCase word for conditions and metrics: `PasswordRefused`, `HostKeyChanged`.
    fn code(&self) -> &'static str;
    /// What to do next, in one sentence, for the person who reads the condition.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// One thing that is wrong with a spec: the same struct at admission, in a Ready condition, in the API's 422 answer and
/// beside the form field.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Problem {
    /// Where, as a path from the object's root: `spec.validation[2].rule.pattern.regex`.
    pub field: String,
    /// What is wrong and what to write instead, in one sentence, without a full stop.
    pub message: String,
}

impl Problem {
    /// A problem at `field`.
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
        }
    }

    /// The same problem, seen from the object that holds this one at `parent`.
    pub fn under(mut self, parent: &str) -> Self {
        self.field = match (parent.is_empty(), self.field.is_empty()) {
            (true, _) => self.field,
            (_, true) => parent.to_owned(),
            _ => format!("{parent}.{}", self.field),
        };
        self
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.field, self.message)
    }
}

/// Moves every problem under `parent`.
pub fn under(parent: &str, problems: Vec<Problem>) -> Vec<Problem> {
    problems.into_iter().map(|p| p.under(parent)).collect()
}
