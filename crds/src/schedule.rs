//! Schedule: when a report runs, and for which period.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::condition::Condition;

/// When a report runs, and for which period.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Schedule",
    namespaced,
    derive = "PartialEq",
    status = "ScheduleStatus",
    category = "openreg",
    shortname = "orsc",
    printcolumn = r#"{"name": "Report", "type": "string", "jsonPath": ".spec.reportRef"}"#,
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend"}"#,
    printcolumn = r#"{"name": "Last", "type": "date", "jsonPath": ".status.lastSlot"}"#,
    printcolumn = r#"{"name": "Next", "type": "string", "jsonPath": ".status.nextSlot"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Cron", "type": "string", "priority": 1, "jsonPath": ".spec.cron"}"#,
    printcolumn = r#"{"name": "Time Zone", "type": "string", "priority": 1, "jsonPath": ".spec.timeZone"}"#,
    printcolumn = r#"{"name": "Run", "type": "string", "priority": 1, "jsonPath": ".status.lastRun"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Ready')].message"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleSpec {
    /// The Report.
    #[schemars(length(min = 1, max = 32))]
    pub report_ref: String,
    /// Its version; absent: the newest that is Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 32))]
    pub version: Option<String>,
    /// IANA name, such as `Europe/Berlin` [UTC].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"))]
    pub time_zone: Option<String>,
    /// When, as cron expressions with five fields: `30 18 * * MON-FRI`.
    #[schemars(length(min = 1, max = 8), inner(length(min = 9, max = 128)))]
    pub cron: Vec<String>,
    /// Which period a run reports on [the day before].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period: Option<SchedulePeriod>,
    /// Parameters of the runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "openreg_parts::schema::text_map::<32, 256>")]
    pub parameters: Option<BTreeMap<String, String>>,
    /// What happens when the run before has not ended [Forbid].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub overlap: Option<Overlap>,
    /// Stops it; time spent suspended is not missed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// Which period a run reports on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SchedulePeriod {
    /// Its length.
    pub length: PeriodLength,
    /// Which one, counted from the one that holds the slot: -1 is the one before [-1].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -400, max = 0))]
    pub offset: Option<i32>,
}

/// The length of a period, in the schedule's time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PeriodLength {
    /// A calendar day.
    Day,
    /// Monday to Sunday (ISO 8601).
    Week,
    /// A calendar month.
    Month,
    /// Three calendar months from January, April, July or October.
    Quarter,
    /// A calendar year.
    Year,
}

/// What happens when the run before has not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Overlap {
    /// The slot is skipped, and recorded so.
    Forbid,
    /// Both run.
    Allow,
}

/// Status of a Schedule.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleStatus {
    /// `Ready`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that the conditions judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Every slot up to here is decided; a change of the spec moves it on, so that nothing fires retroactively.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_until: Option<Time>,
    /// The slot decided last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_slot: Option<Time>,
    /// The next slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_slot: Option<Time>,
    /// Name of the run started last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub last_run: Option<String>,
    /// Slots that were not run, newest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 20))]
    pub skipped: Vec<SkippedSlot>,
    /// Since when it is suspended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspended_since: Option<Time>,
}

/// A slot that was not run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SkippedSlot {
    /// The slot.
    pub slot: Time,
    /// Why.
    #[schemars(length(max = 256))]
    pub reason: String,
}
