//! What a sealed run consists of. The manifest is the commit point: what it does not name does not exist.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the manifest's layout.
pub const VERSION: u32 = 1;

/// What a run made, or why it made nothing. Serialized once, hashed, and stored create-if-absent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Layout version, 1.
    pub version: u32,
    /// Run id.
    pub run: String,
    /// SHA-256 of the plan, 64 hexadecimal digits.
    pub plan_sha256: String,
    /// UID of the pod that sealed it.
    pub pod: String,
    /// What came of it.
    pub outcome: Outcome,
    /// The files, in the order in which they are delivered.
    pub artifacts: Vec<Artifact>,
    /// Rows, per dataset.
    pub datasets: Vec<DatasetCounts>,
    /// Violations, per rule, in the plan's order.
    pub rules: Vec<RuleCounts>,
    /// Where all violations are, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub violations: Option<StoredObject>,
}

/// What came of a run's data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Outcome {
    /// There are artifacts to deliver.
    Complete,
    /// There was nothing to report, and the report says that then nothing is made.
    Empty,
    /// Rules stopped it: violations, and no artifact.
    Blocked,
}

/// A file for the regulator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Artifact {
    /// File name.
    pub name: String,
    /// Key in the store, below its prefix.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Records in it.
    pub records: u64,
    /// IANA media type.
    pub media_type: String,
}

/// An object beside the artifacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StoredObject {
    /// Key in the store, below its prefix.
    pub key: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of the bytes, 64 hexadecimal digits.
    pub sha256: String,
}

/// Rows of one dataset: read = reported + excluded + dropped.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DatasetCounts {
    /// The dataset's name.
    pub dataset: String,
    /// Rows that the source gave.
    pub read: u64,
    /// Rows that became records of a file.
    pub reported: u64,
    /// Rows that a rule excluded.
    pub excluded: u64,
    /// Rows that the transform dropped.
    pub dropped: u64,
}

/// Violations of one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RuleCounts {
    /// The rule's id.
    pub rule: String,
    /// Violations found.
    pub violations: u64,
}
