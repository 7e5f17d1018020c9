//! The files that regulators want. The registry of formats is the enum below; with feature
//! `runtime`, [`encoder`] makes the member.

#[cfg(feature = "runtime")]
mod contract;
pub mod csv;
#[cfg(feature = "runtime")]
pub(crate) mod text;

#[cfg(feature = "runtime")]
pub use contract::{EncodeError, Encoder, encoder};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Problem, under};

/// The file's format: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum FormatOptions {
    /// Comma-separated values, RFC 4180.
    Csv(csv::CsvOptions),
}

impl FormatOptions {
    /// The member's name as users write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Csv(_) => "csv",
        }
    }

    /// The IANA media type of the file.
    pub fn media_type(&self) -> &'static str {
        match self {
            Self::Csv(_) => "text/csv; charset=utf-8",
        }
    }

    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Csv(o) => under("csv", o.problems()),
        }
    }
}
