//! Why a command failed: exit code, text, hint. Printed once, in main.

use openreg_parts::error::Problem;
use openreg_plan::exit;
use openreg_runner::stage::StageError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code.
    pub(crate) code: i32,
    /// What happened; may have several lines.
    pub(crate) text: String,
    /// What to do next.
    pub(crate) hint: Option<String>,
}

impl Failure {
    /// Something that the user must change.
    pub(crate) fn config(text: impl Into<String>) -> Self {
        Self {
            code: exit::CONFIG,
            text: text.into(),
            hint: None,
        }
    }

    /// A file or directory that cannot be used.
    pub(crate) fn io(action: &str, path: &std::path::Path, error: &std::io::Error) -> Self {
        Self::config(format!("could not {action} {}: {error}", path.display()))
    }

    /// The same failure with what to do next.
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// What is wrong with the documents, one a line.
    pub(crate) fn problems(what: &str, problems: &[Problem]) -> Self {
        let lines: Vec<String> = problems.iter().map(|p| format!("  {p}")).collect();
        Self::config(format!("{what}\n{}", lines.join("\n")))
    }

    /// Says it on standard error.
    pub(crate) fn print(&self) {
        eprintln!("error: {}", self.text);
        if let Some(hint) = &self.hint {
            eprintln!("hint: {hint}");
        }
    }
}

impl From<StageError> for Failure {
    fn from(error: StageError) -> Self {
        Self {
            code: exit::code(error.class),
            text: format!("{:?} failed ({}, {}): {}", error.stage, error.class, error.code, error.message),
            hint: error.hint,
        }
    }
}
