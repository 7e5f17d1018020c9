//! What a user may write about CSV.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::Problem;

/// Comma-separated values after RFC 4180, in UTF-8. Absent means the default in brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct CsvOptions {
    /// The character between fields: one ASCII character [,].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1))]
    pub delimiter: Option<String>,
    /// Whether the first line names the columns [true].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<bool>,
    /// What ends a line [CrLf, as RFC 4180 says].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line_ending: Option<LineEnding>,
    /// Which fields are put in quotes [Needed].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quoting: Option<Quoting>,
    /// What stands for an absent value [nothing between the delimiters; an empty text is then written `""`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub null: Option<String>,
}

/// What ends a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum LineEnding {
    /// Carriage return and line feed.
    #[default]
    CrLf,
    /// Line feed.
    Lf,
}

/// Which fields are put in quotes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Quoting {
    /// Those with a delimiter, a quote or a line break, and empty texts.
    #[default]
    Needed,
    /// All but absent values.
    All,
}

impl CsvOptions {
    /// The character between fields.
    pub fn delimiter(&self) -> u8 {
        self.delimiter.as_ref().and_then(|d| d.bytes().next()).unwrap_or(b',')
    }

    /// Whether the first line names the columns.
    pub fn header(&self) -> bool {
        self.header.unwrap_or(true)
    }

    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(d) = &self.delimiter
            && (d.len() != 1
                || matches!(
                    d.as_bytes(),
                    [b'"' | b'\r' | b'\n' | b' '] | [b'0'..=b'9'] | [b'a'..=b'z'] | [b'A'..=b'Z'] | [b'-' | b'.']
                ))
        {
            problems.push(Problem::new(
                "delimiter",
                format!("`{d}` cannot separate fields: write one ASCII character such as , ; | or a tab"),
            ));
        }
        if let Some(n) = &self.null
            && n.contains(['"', '\r', '\n'])
        {
            problems.push(Problem::new("null", "must not contain a quote or a line break"));
        } else if let Some(n) = &self.null
            && n.as_bytes().contains(&self.delimiter())
        {
            problems.push(Problem::new("null", "must not contain the delimiter: an absent value would be two fields"));
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_shift_fields_is_refused() {
        for (delimiter, null, field) in [
            (None, None, None),
            (Some(";"), Some("NA"), None),
            (Some(":"), None, None),
            (Some("\t"), None, None),
            (Some(";"), Some("a;b"), Some("null")),
            (None, Some(","), Some("null")),
            (Some("|"), Some("\""), Some("null")),
            (Some("\""), None, Some("delimiter")),
            (Some("a"), None, Some("delimiter")),
            (Some("5"), None, Some("delimiter")),
            (Some("ü"), None, Some("delimiter")),
            (Some(",,"), None, Some("delimiter")),
            (Some(""), None, Some("delimiter")),
        ] {
            let options = CsvOptions {
                delimiter: delimiter.map(str::to_owned),
                null: null.map(str::to_owned),
                ..CsvOptions::default()
            };
            let found: Vec<String> = options.problems().into_iter().map(|p| p.field).collect();
            assert_eq!(found, field.map(str::to_owned).into_iter().collect::<Vec<_>>(), "{delimiter:?} {null:?}");
        }
    }
}
