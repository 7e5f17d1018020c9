//! Report: what is made.

use std::collections::BTreeMap;

use kube::CustomResource;
use openreg_parts::error::Problem;
use openreg_parts::format::FormatOptions;
use openreg_parts::rule::RuleOptions;
use openreg_parts::source::ColumnType;
use openreg_parts::transform::mapping::MappingBlock;
use openreg_parts::units::{ByteSize, Duration};
use openreg_plan::plan::{OnViolation, Severity, WhenEmpty};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::condition::Condition;

/// What is made: which data, which checks, which file, where to.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Report",
    namespaced,
    derive = "PartialEq",
    status = "ReportStatus",
    category = "openreg",
    shortname = "orrp",
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".spec.version"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Last Run", "type": "date", "jsonPath": ".status.lastRun.finishedAt"}"#,
    printcolumn = r#"{"name": "Outcome", "type": "string", "jsonPath": ".status.lastRun.outcome"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Run", "type": "string", "priority": 1, "jsonPath": ".status.lastRun.name"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Ready')].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.version != oldSelf.version || self == oldSelf", "message": "the spec changed but version did not: raise version, since a version stands for one content", "fieldPath": ".version"}
]))]
pub struct ReportSpec {
    /// MAJOR.MINOR.PATCH. A changed spec needs another version; going back to an earlier version is fine when the spec is
    /// that version's.
    #[schemars(length(min = 5, max = 32), regex(pattern = r"^(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)$"))]
    pub version: String,
    /// A name for people.
    #[schemars(length(min = 1, max = 200))]
    pub title: String,
    /// Which regulation asks for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regulation: Option<Regulation>,
    /// What a run must or may be given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub parameters: Option<Vec<Parameter>>,
    /// What is read.
    pub source: ReportSource,
    /// What the rows must pass, in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub validation: Option<Vec<Validation>>,
    /// Which value goes where. Absent: every column in order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 16))]
    pub mapping: Option<Vec<MappingBlock>>,
    /// The file's format.
    pub output: FormatOptions,
    /// The file's name.
    pub file: FileOptions,
    /// What happens when there is no record [Nothing].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_empty: Option<WhenEmpty>,
    /// Where the files go. Absent: they stay in the store.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 8))]
    pub delivery: Option<Vec<DeliveryTarget>>,
    /// How a run is executed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub execution: Option<Execution>,
    /// What is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
}

/// Which regulation asks for a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Regulation {
    /// The authority, such as `BaFin`.
    #[schemars(length(min = 1, max = 64))]
    pub authority: String,
    /// The regulation, such as `MiFIR RTS 22`.
    #[schemars(length(min = 1, max = 128))]
    pub name: String,
}

/// What a run must or may be given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Parameter {
    /// Its name; `period_start` and `period_end` are taken.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z][a-z0-9_]*$"))]
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub type_: ParameterType,
    /// What a String must match as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256))]
    pub pattern: Option<String>,
    /// What an Enum may be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), inner(length(min = 1, max = 128)))]
    pub values: Option<Vec<String>>,
    /// Whether a run must give it [false].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub required: Option<bool>,
    /// What it is when a run does not give it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub value: Option<String>,
}

/// The type of a parameter. Values are always text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ParameterType {
    /// `2026-03-02`.
    Date,
    /// `2026-03-02T18:30:00Z`.
    DateTime,
    /// Any text.
    String,
    /// A 64-bit integer.
    Integer,
    /// An exact decimal.
    Decimal,
    /// `true` or `false`.
    Boolean,
    /// One of `values`.
    Enum,
}

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportSource {
    /// The queries; the first is the main one.
    #[schemars(length(min = 1, max = 1))]
    pub datasets: Vec<Dataset>,
}

/// One query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Dataset {
    /// Its name.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z][a-z0-9_]*$"))]
    pub name: String,
    /// The Connector.
    #[schemars(length(min = 1, max = 32))]
    pub connector_ref: String,
    /// One statement that reads. `:period_start`, `:period_end` (instants; the end is exclusive) and `:NAME` of a parameter
    /// are bound as values.
    #[schemars(length(min = 1, max = 16384))]
    pub query: String,
    /// The columns that identify a row. The query must order by them, in byte order (`COLLATE "C"`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 8), inner(length(min = 1, max = 63)))]
    pub key: Option<Vec<String>>,
    /// Types that the database does not tell: `{net: {decimal: [18, 5]}}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(extend("maxProperties" = 256))]
    pub columns: Option<BTreeMap<String, ColumnType>>,
}

/// A rule and what follows from it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.onViolation != 'Exclude' || has(self.tolerance)", "message": "onViolation Exclude needs tolerance: write how many rows may be left out, such as {rows: 5}", "fieldPath": ".tolerance", "reason": "FieldValueRequired"},
    {"rule": "self.onViolation == 'Exclude' || !has(self.tolerance)", "message": "tolerance is for onViolation Exclude only: remove it", "fieldPath": ".tolerance", "reason": "FieldValueForbidden"}
]))]
pub struct Validation {
    /// Its id, unique in the report.
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[A-Za-z0-9][-._A-Za-z0-9]*$"))]
    pub id: String,
    /// What is judged [Rows].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<RuleStage>,
    /// How bad a violation is.
    pub severity: Severity,
    /// What happens to a row that violates it.
    pub on_violation: OnViolation,
    /// How many rows it may exclude before the run is blocked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerance: Option<Tolerance>,
    /// The rule itself.
    pub rule: RuleOptions,
}

/// What a rule judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum RuleStage {
    /// Rows as they come from the source.
    Rows,
}

/// How many rows a rule may exclude before the run is blocked; with both, the smaller wins.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "has(self.rows) || has(self.fraction)", "message": "set rows, fraction or both"}]))]
pub struct Tolerance {
    /// Rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0))]
    pub rows: Option<i64>,
    /// A part of the rows read, from `0` to `1`, as text: `"0.001"`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 12), regex(pattern = r"^(0(\.[0-9]{1,9})?|1(\.0{1,9})?)$"))]
    pub fraction: Option<String>,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct FileOptions {
    /// Its name, with placeholders such as `{param.lei}` and `{period.start:%Y%m%d}`.
    #[schemars(length(min = 1, max = 256))]
    pub name: String,
}

/// Where files go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryTarget {
    /// The Destination.
    #[schemars(length(min = 1, max = 32))]
    pub destination_ref: String,
    /// The directory at the receiver; absent: the Destination's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^/"))]
    pub path: Option<String>,
}

/// How a run is executed. Absent means the default in brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Execution {
    /// Wall-clock time of one attempt [1h].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
    /// CPUs, at most 2 [2].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 5), regex(pattern = r"^(2|1(\.[0-9])?|0\.[1-9]|[1-9][0-9]{1,2}m|1[0-9]{3}m|2000m)$"))]
    pub cpu: Option<String>,
    /// Memory, at most 4Gi [4Gi].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<ByteSize>,
    /// How long a pod may take to start [2m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub startup_deadline: Option<Duration>,
    /// What happens after a transient error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry: Option<Retry>,
}

/// What happens after a transient error.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retry {
    /// The most attempts, the first included [3].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: Option<u32>,
    /// The pause between attempts [30s, 10m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
}

/// A pause that doubles from `initial` to `max`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Backoff {
    /// The first pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<Duration>,
    /// The longest pause.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Duration>,
}

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Retention {
    /// How many finished ReportRun objects stay in Kubernetes, at most 50 [10]; history stays in the database.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 50))]
    pub runs: Option<u32>,
}

/// Status of a Report.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReportStatus {
    /// `Ready`: the spec is right and its version exists.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that the conditions judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// What is wrong, the first 20.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub problems: Vec<StatusProblem>,
    /// Name of the ReportVersion made of this spec.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 253))]
    pub version_name: Option<String>,
    /// The run that ended last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_run: Option<LastRun>,
}

/// A problem with bounds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusProblem {
    /// Where.
    #[schemars(length(max = 256))]
    pub field: String,
    /// What is wrong and what to write instead.
    #[schemars(length(max = 1024))]
    pub message: String,
}

impl From<Problem> for StatusProblem {
    fn from(p: Problem) -> Self {
        let cut = |text: &str, max: usize| text.chars().take(max).collect();
        Self {
            field: cut(&p.field, 256),
            message: cut(&p.message, 1024),
        }
    }
}

/// The run that ended last.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LastRun {
    /// Its name.
    #[schemars(length(max = 63))]
    pub name: String,
    /// How it ended.
    #[schemars(length(max = 64))]
    pub outcome: String,
    /// When.
    pub finished_at: k8s_openapi::apimachinery::pkg::apis::meta::v1::Time,
}
