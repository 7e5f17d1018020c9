//! Calendar: which days count.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which days count.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Calendar",
    namespaced,
    derive = "PartialEq",
    category = "openreg",
    shortname = "orcl",
    printcolumn = r#"{"name": "Built-in", "type": "string", "jsonPath": ".spec.builtIn"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct CalendarSpec {
    /// A calendar computed by rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub built_in: Option<BuiltIn>,
    /// Days of the week that never count [Saturday, Sunday].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 7))]
    pub weekend: Option<Vec<Weekday>>,
    /// Days that do not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 2000))]
    pub holidays: Option<Vec<Holiday>>,
}

/// A calendar computed by rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum BuiltIn {
    /// The closing days of TARGET services.
    #[serde(rename = "TARGET2")]
    Target2,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[expect(missing_docs, reason = "the names say all")]
pub enum Weekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// A day that does not count, wholly or from some time on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Holiday {
    /// The day, `2026-12-25`.
    #[schemars(length(min = 10, max = 10), regex(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$"))]
    pub date: String,
    /// Its name.
    #[schemars(length(min = 1, max = 64))]
    pub name: String,
    /// For a half day: when business ends, `12:00`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 5), regex(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$"))]
    pub closes: Option<String>,
}
