//! What the API says about runs: the shapes of its JSON, which are also those of the JSON columns. From custom resources
//! they are made in `recorder/record.rs`; nothing is decided here.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// A half-open period, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Period {
    /// First instant.
    #[schema(example = "2026-03-02T00:00:00Z")]
    pub start: String,
    /// First instant after it.
    #[schema(example = "2026-03-03T00:00:00Z")]
    pub end: String,
}

/// One aspect of a run's state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Resolved, Started, Generated, Delivered, Recorded, Complete.
    #[serde(rename = "type")]
    pub type_: String,
    /// True, False or Unknown.
    #[schema(example = "True")]
    pub status: String,
    /// Why, as one CamelCase word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
    /// When the status changed last.
    pub last_transition_time: String,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Where: Plan, Start, Read, Check, Transform, Encode, Store, Deliver, Probe.
    pub stage: String,
    /// Who can mend it: Config, Data, Transient, Internal.
    pub class: String,
    /// A stable CamelCase word.
    pub code: String,
    /// What happened.
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// Rows and violations of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Counts {
    /// Rows read.
    pub read: i64,
    /// Rows reported.
    pub reported: i64,
    /// Rows excluded by rules.
    pub excluded: i64,
    /// Rows dropped by the transform.
    pub dropped: i64,
    /// Violations.
    pub violations: i64,
    /// Files.
    pub artifacts: i64,
    /// Their bytes.
    pub bytes: i64,
}

/// Rows of one dataset: read = reported + excluded + dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DatasetCounts {
    /// The dataset.
    pub dataset: String,
    /// Rows that the source gave.
    pub read: u64,
    /// Rows that became records.
    pub reported: u64,
    /// Rows that a rule excluded.
    pub excluded: u64,
    /// Rows that the transform dropped.
    pub dropped: u64,
}

/// Violations of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RuleCounts {
    /// The rule's id.
    pub rule: String,
    /// Violations found.
    pub violations: u64,
}

/// Who stopped a run, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// Why.
    pub reason: String,
    /// Who.
    pub by: String,
}

/// The generate attempt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number from 1.
    pub number: u32,
    /// Name of its Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// When the next attempt may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<String>,
}

/// What the generate Job used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Wall-clock milliseconds.
    pub duration_ms: i64,
    /// Peak resident memory in bytes (VmHWM).
    pub vm_hwm_bytes: i64,
    /// Peak of the cgroup in bytes, page cache included.
    pub cgroup_peak_bytes: i64,
}

/// The sealed manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Manifest {
    /// Key in the store.
    pub key: String,
    /// SHA-256 of its bytes.
    pub sha256: String,
}

/// A file for the regulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// Key in the store.
    pub key: String,
    /// Bytes.
    pub size: i64,
    /// SHA-256 of the bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Records in it.
    pub records: i64,
    /// IANA media type.
    pub media_type: String,
}

/// The delivery to one destination.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// The Destination.
    pub destination: String,
    /// Pending, Delivering, Delivered, NotDelivered, Unknown.
    pub state: String,
    /// Attempts so far.
    pub attempts: i32,
    /// Whether a byte may have been sent.
    pub begun: bool,
    /// Path of the last file at the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// SHA-256 of the last receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_sha256: Option<String>,
    /// When it reached a final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// Why it failed, or failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// The Schedule and its slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Scheduled {
    /// Name of the Schedule.
    pub schedule: String,
    /// The slot, RFC 3339, UTC.
    pub slot: String,
}

/// A run as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunSummary {
    /// Identity.
    pub id: Uuid,
    /// Name of the ReportRun.
    pub name: String,
    /// The report.
    pub report: String,
    /// Its version, once resolved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// What is reported on.
    pub period: Period,
    /// Schedule or Manual.
    pub trigger: String,
    /// Full or GenerateOnly.
    pub mode: String,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub requested_by: Option<String>,
    /// Queued, Generating, Delivering, Succeeded, Failed, Cancelled, Unknown; absent: not seen by the operator yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// Delivered, DeliveredWithExclusions, Generated, NothingToReport, DataRejected, Rejected, Failed, Cancelled,
    /// NotDelivered, Unknown; absent: not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<String>,
    /// Rows and violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// Why it failed, or failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// When it was made.
    pub created_at: String,
    /// When its first Job was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<String>,
    /// When its object was seen to be gone although it had not ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lost_at: Option<String>,
}

/// All that is known about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunDetail {
    /// What lists show.
    pub run: RunSummary,
    /// For a scheduled run: the Schedule and its slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Scheduled>,
    /// Parameters.
    pub parameters: BTreeMap<String, String>,
    /// Who stopped it, and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancelled>,
    /// Resolved, Started, Generated, Delivered, Recorded, Complete.
    pub conditions: Vec<Condition>,
    /// The generate attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// What the generate Job used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    /// Digest of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan_sha256: Option<String>,
    /// The sealed manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<Manifest>,
    /// Whether what the manifest says is in the history yet: artifacts, datasets, rules.
    pub manifest_read: bool,
    /// Rows per dataset.
    pub datasets: Vec<DatasetCounts>,
    /// Violations per rule.
    pub rules: Vec<RuleCounts>,
    /// The files.
    pub artifacts: Vec<Artifact>,
    /// One state a destination.
    pub deliveries: Vec<Delivery>,
}
