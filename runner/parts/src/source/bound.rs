//! The value behind a placeholder of a query. Bound, never pasted into the text.

use serde::{Deserialize, Serialize};

/// A typed value for a placeholder: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Bound {
    /// Text.
    String(String),
    /// A 64-bit integer, as text.
    Integer(String),
    /// An exact decimal, as text.
    Decimal(String),
    /// `true` or `false`.
    Boolean(bool),
    /// A date, `2026-03-02`.
    Date(String),
    /// An instant, RFC 3339.
    DateTime(String),
}

impl Bound {
    /// The value as text, in the notation that every source reads: ISO 8601 dates, RFC 3339 instants, `true` and `false`.
    pub fn text(&self) -> &str {
        match self {
            Self::String(t) | Self::Integer(t) | Self::Decimal(t) | Self::Date(t) | Self::DateTime(t) => t,
            Self::Boolean(true) => "true",
            Self::Boolean(false) => "false",
        }
    }
}
