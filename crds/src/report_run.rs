//! ReportRun: one run of one version for one period.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::condition::Condition;

/// An instant as RFC 3339.
const INSTANT: &str = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:[0-9]{2})$";

/// One run. Its spec cannot be changed, but for `cancelled` and appended `approvals`.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "ReportRun",
    namespaced,
    derive = "PartialEq",
    status = "ReportRunStatus",
    category = "openreg",
    shortname = "orrn",
    printcolumn = r#"{"name": "Report", "type": "string", "jsonPath": ".spec.reportRef"}"#,
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".status.reportVersion"}"#,
    printcolumn = r#"{"name": "Period", "type": "string", "jsonPath": ".spec.period.start"}"#,
    printcolumn = r#"{"name": "Phase", "type": "string", "jsonPath": ".status.phase"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Complete')].reason"}"#,
    printcolumn = r#"{"name": "Records", "type": "integer", "jsonPath": ".status.counts.reported"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Until", "type": "string", "priority": 1, "jsonPath": ".spec.period.end"}"#,
    printcolumn = r#"{"name": "Trigger", "type": "string", "priority": 1, "jsonPath": ".spec.trigger"}"#,
    printcolumn = r#"{"name": "By", "type": "string", "priority": 1, "jsonPath": ".spec.requestedBy"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Complete')].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "self.id == oldSelf.id && self.reportRef == oldSelf.reportRef && self.period == oldSelf.period && self.trigger == oldSelf.trigger && has(self.version) == has(oldSelf.version) && (!has(self.version) || self.version == oldSelf.version) && has(self.parameters) == has(oldSelf.parameters) && (!has(self.parameters) || self.parameters == oldSelf.parameters) && has(self.requestedBy) == has(oldSelf.requestedBy) && (!has(self.requestedBy) || self.requestedBy == oldSelf.requestedBy) && has(self.mode) == has(oldSelf.mode) && (!has(self.mode) || self.mode == oldSelf.mode) && has(self.scheduled) == has(oldSelf.scheduled) && (!has(self.scheduled) || self.scheduled == oldSelf.scheduled)", "message": "a run cannot be changed: start another run; only cancelled and approvals may be added"},
    {"rule": "!has(oldSelf.cancelled) || (has(self.cancelled) && self.cancelled == oldSelf.cancelled)", "message": "a cancellation cannot be changed or taken back: start another run", "fieldPath": ".cancelled"},
    {"rule": "!has(oldSelf.approvals) || (has(self.approvals) && self.approvals.size() >= oldSelf.approvals.size() && oldSelf.approvals.all(i, a, self.approvals[i] == a))", "message": "approvals can only be added: write the earlier ones as they are, and the new one last", "fieldPath": ".approvals"}
]))]
pub struct ReportRunSpec {
    /// The run's identity everywhere: a UUID. UUIDv5 of namespace UID, schedule and slot, or a random one.
    #[schemars(length(min = 36, max = 36), regex(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"))]
    pub id: String,
    /// The Report.
    #[schemars(length(min = 1, max = 32))]
    pub report_ref: String,
    /// Its version; absent: the newest that is Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 5, max = 32))]
    pub version: Option<String>,
    /// What is reported on.
    pub period: Period,
    /// Parameters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "openreg_parts::schema::text_map::<32, 256>")]
    pub parameters: Option<BTreeMap<String, String>>,
    /// What started it.
    pub trigger: Trigger,
    /// Who asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub requested_by: Option<String>,
    /// What is done [Full].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
    /// For a scheduled run: the Schedule and its slot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled: Option<Scheduled>,
    /// Set to stop the run; cannot be unset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cancelled: Option<Cancelled>,
    /// Decisions on the manifest; entries can only be added.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 20))]
    pub approvals: Option<Vec<Approval>>,
}

// The rule is silent where an end is no instant: that end's own rule speaks.
/// A half-open period.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": format!("![self.start, self.end].all(t, t.matches(r'{INSTANT}')) || timestamp(self.start) < timestamp(self.end)"), "message": "period.start must be before period.end: the end is exclusive"}
]))]
pub struct Period {
    /// First instant, RFC 3339 with a zone or offset.
    #[schemars(
        length(min = 20, max = 35),
        regex(pattern = INSTANT)
    )]
    pub start: String,
    /// First instant after it.
    #[schemars(
        length(min = 20, max = 35),
        regex(pattern = INSTANT)
    )]
    pub end: String,
}

/// What started a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Trigger {
    /// A Schedule.
    Schedule,
    /// A person.
    Manual,
}

/// What a run does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Mode {
    /// Generates and delivers.
    Full,
    /// Generates only.
    GenerateOnly,
}

/// The Schedule and its slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Scheduled {
    /// Name of the Schedule.
    #[schemars(length(min = 1, max = 32))]
    pub schedule: String,
    /// The slot, RFC 3339, UTC.
    #[schemars(length(min = 20, max = 35))]
    pub slot: String,
}

/// Who stopped a run, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// Why.
    #[schemars(length(min = 1, max = 512))]
    pub reason: String,
    /// Who.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
}

/// A decision on a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Approval {
    /// Who decided.
    #[schemars(length(min = 1, max = 253))]
    pub by: String,
    /// What was decided on.
    #[schemars(length(min = 64, max = 64))]
    pub manifest_sha256: String,
    /// When, RFC 3339.
    #[schemars(length(min = 20, max = 35))]
    pub at: String,
    /// What was decided.
    pub decision: Decision,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 512))]
    pub reason: Option<String>,
}

/// What was decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Decision {
    /// It may be delivered.
    Approved,
    /// It may not.
    Rejected,
}

/// Status of a ReportRun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "!has(oldSelf.conditions) || !oldSelf.conditions.exists(c, c.type == 'Complete' && c.status == 'True') || (has(self.conditions) && self.conditions.exists(c, c.type == 'Complete' && c.status == 'True') && has(self.outcome) == has(oldSelf.outcome) && (!has(self.outcome) || self.outcome == oldSelf.outcome) && has(self.planSha256) == has(oldSelf.planSha256) && (!has(self.planSha256) || self.planSha256 == oldSelf.planSha256) && has(self.manifest) == has(oldSelf.manifest) && (!has(self.manifest) || self.manifest == oldSelf.manifest) && has(self.deliveries) == has(oldSelf.deliveries) && (!has(self.deliveries) || self.deliveries == oldSelf.deliveries))", "message": "a complete run's outcome, digests and deliveries cannot be changed: start another run"}
]))]
pub struct ReportRunStatus {
    /// Resolved, Started, Generated, Delivered, Recorded, Complete.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
    /// The generation that the conditions judge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// For display only; the conditions are the truth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// How it ended; set with Complete=True and never changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<RunOutcome>,
    /// The version that runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32))]
    pub report_version: Option<String>,
    /// Digest of the plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 64, max = 64))]
    pub plan_sha256: Option<String>,
    /// The generate attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generate: Option<Attempt>,
    /// Rows and violations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
    /// The sealed manifest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<ManifestRef>,
    /// One state a destination, in the report's order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8), extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["destination"]))]
    pub deliveries: Vec<DeliveryStatus>,
    /// Why it failed, or failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
    /// What the generate Job used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<RunUsage>,
    /// When the first Job was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
}

/// Where a run is, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Waits for a reference, a place or data.
    Queued,
    /// A generate Job is under way, or will be again.
    Generating,
    /// Deliver Jobs are under way, or will be again.
    Delivering,
    /// Ended well.
    Succeeded,
    /// Ended with an error, or blocked by rules.
    Failed,
    /// Stopped by a person.
    Cancelled,
    /// A file may or may not have become visible at a destination: a person decides.
    Unknown,
}

/// How a run ended: the reason of Complete=True.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RunOutcome {
    /// Every file lies at every destination.
    Delivered,
    /// The same, and rows were excluded.
    DeliveredWithExclusions,
    /// The files are sealed; the report names no destination, or the run was to generate only.
    Generated,
    /// There was nothing to report.
    NothingToReport,
    /// Rules blocked it.
    DataRejected,
    /// The spec could not be made into a plan.
    Rejected,
    /// It failed; `failure` says how.
    Failed,
    /// It was cancelled before a byte was sent.
    Cancelled,
    /// It was cancelled or failed after the first byte was sent, and no file became visible at some destination.
    NotDelivered,
    /// A file may or may not have become visible at a destination.
    Unknown,
}

impl RunOutcome {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "Delivered",
            Self::DeliveredWithExclusions => "DeliveredWithExclusions",
            Self::Generated => "Generated",
            Self::NothingToReport => "NothingToReport",
            Self::DataRejected => "DataRejected",
            Self::Rejected => "Rejected",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
            Self::NotDelivered => "NotDelivered",
            Self::Unknown => "Unknown",
        }
    }
}

/// An attempt and its Job.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Attempt {
    /// Number from 1.
    pub number: u32,
    /// Name of its Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub job: Option<String>,
    /// UID of its Job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 63))]
    pub job_uid: Option<String>,
    /// Whether the Job's end is accounted for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<bool>,
    /// When its Job was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Time>,
    /// When the next attempt may start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_at: Option<Time>,
    /// UIDs of pods of earlier attempts that were seen to end, newest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 40), inner(length(max = 63)))]
    pub ended_pods: Vec<String>,
}

/// Rows and violations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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

/// The sealed manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ManifestRef {
    /// Key in the store.
    #[schemars(length(max = 512))]
    pub key: String,
    /// SHA-256 of its bytes.
    #[schemars(length(min = 64, max = 64))]
    pub sha256: String,
}

/// The state of the delivery to one destination.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryStatus {
    /// The Destination.
    #[schemars(length(min = 1, max = 32))]
    pub destination: String,
    /// Where it is.
    pub state: DeliveryState,
    /// The attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<Attempt>,
    /// Whether a byte may have been sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub begun: Option<bool>,
    /// Path of the last file at the receiver.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub remote: Option<String>,
    /// SHA-256 of the last receipt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 64, max = 64))]
    pub receipt_sha256: Option<String>,
    /// When it reached a final state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finished_at: Option<Time>,
    /// Why it failed, or failed last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<RunFailure>,
}

/// Where a delivery is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum DeliveryState {
    /// Not begun.
    Pending,
    /// A Job is under way, or will be again.
    Delivering,
    /// Every file has its receipt.
    Delivered,
    /// No file became visible.
    NotDelivered,
    /// A file may or may not have become visible: a person decides.
    Unknown,
}

/// Why something failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunFailure {
    /// Where: Plan, Start, Read, Check, Transform, Encode, Store, Deliver, Probe.
    #[schemars(length(max = 32))]
    pub stage: String,
    /// Who can mend it: Config, Data, Transient, Internal.
    #[schemars(length(max = 32))]
    pub class: String,
    /// A stable CamelCase word.
    #[schemars(length(max = 64))]
    pub code: String,
    /// What happened.
    #[schemars(length(max = 1024))]
    pub message: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub hint: Option<String>,
}

/// What a Job used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RunUsage {
    /// Wall-clock milliseconds.
    pub duration_ms: i64,
    /// Peak resident memory in bytes (VmHWM).
    pub vm_hwm_bytes: i64,
    /// Peak of the cgroup in bytes, page cache included.
    pub cgroup_peak_bytes: i64,
}
