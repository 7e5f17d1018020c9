//! What stops a stage: an error with its stage, or the word to stop. The chain of causes is printed here, once.

use std::error::Error;

use openreg_parts::error::{Class, Classified};
use openreg_plan::report::{Failure, Stage, shortened};

/// What to do about an error that nobody planned for.
const FAULT: &str = "this is a fault in OpenReg: report it with the run's log";

/// Why a stage could not do its work.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StageError {
    /// Where it failed.
    pub stage: Stage,
    /// Who can mend it.
    pub class: Class,
    /// A stable CamelCase word.
    pub code: String,
    /// What happened, the causes included.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
}

impl StageError {
    /// `error`, as it stopped `stage`.
    pub fn new(stage: Stage, error: &(impl Classified + 'static)) -> Self {
        let hint = error.hint().or_else(|| (error.class() == Class::Internal).then(|| FAULT.to_owned()));
        Self {
            stage,
            class: error.class(),
            code: error.code().to_owned(),
            message: chain(error),
            hint,
        }
    }

    /// Puts the name of `stage` on an error; for `map_err`.
    pub fn at<E: Classified + 'static>(stage: Stage) -> impl Fn(E) -> Self {
        move |error| Self::new(stage, &error)
    }

    /// An error that has no type of its own.
    pub fn plain(stage: Stage, class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            stage,
            class,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
        }
    }

    /// The same error with what to do next.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// A fault of OpenReg itself.
    pub fn internal(stage: Stage, message: impl Into<String>) -> Self {
        Self::plain(stage, Class::Internal, "Internal", message).with_hint(FAULT)
    }

    /// As the termination message says it.
    pub fn failure(&self) -> Failure {
        Failure {
            stage: self.stage,
            class: self.class,
            code: self.code.clone(),
            message: shortened(&self.message),
            hint: self.hint.as_deref().map(shortened),
        }
    }
}

/// Why a job ended before its end.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Stop {
    /// It was told to stop.
    #[error("cancelled")]
    Cancelled,
    /// It failed.
    #[error(transparent)]
    Failed(#[from] StageError),
}

/// The error's text and those of its causes, each once.
pub fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let own = next.to_string();
        // Some libraries repeat their cause in their own text.
        if !text.contains(&own) {
            text.push_str(": ");
            text.push_str(&own);
        }
        cause = next.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("could not open the door")]
    struct Outer(#[source] std::io::Error);

    impl Classified for Outer {
        fn class(&self) -> Class {
            Class::Transient
        }
        fn code(&self) -> &'static str {
            "DoorShut"
        }
    }

    #[test]
    fn the_chain_is_printed_once() {
        let error = StageError::at(Stage::Read)(Outer(std::io::Error::other("it is locked")));
        assert_eq!(error.message, "could not open the door: it is locked");
        assert_eq!((error.class, error.code.as_str(), error.stage), (Class::Transient, "DoorShut", Stage::Read));
    }
}
