//! One run, resolved: nothing is left to decide. Secrets appear as paths only.

use std::collections::BTreeMap;

use openreg_parts::format::FormatOptions;
use openreg_parts::rule::RuleOptions;
pub use openreg_parts::source::Bound;
use openreg_parts::source::{ColumnType, SourceLimits, SourceOptions};
use openreg_parts::store::StoreOptions;
use openreg_parts::transform::mapping::FieldSource;
use openreg_parts::transport::TransportOptions;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// The version of the plan's layout.
pub const VERSION: u32 = 1;

/// The most bytes of a plan. A ConfigMap holds 1 MiB; a plan that needs more should name assets.
pub const MAX_BYTES: usize = 256 * 1024;

/// Where the plan is mounted in a pod.
pub const MOUNT_PATH: &str = "/plan/plan.json";

/// One run, resolved. Byte-identical for the same inputs; unknown fields are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RunPlan {
    /// Layout version, 1.
    pub version: u32,
    /// Which run this is.
    pub run: Run,
    /// The connectors that the datasets use, by name.
    pub connectors: BTreeMap<String, Connector>,
    /// What is read, the main dataset first.
    pub datasets: Vec<Dataset>,
    /// What the rows must pass, in order.
    pub rules: Vec<Rule>,
    /// Which value goes where; empty: every column in order.
    pub fields: Vec<Field>,
    /// The file's format.
    pub output: FormatOptions,
    /// The file's name and how empty results are treated.
    pub file: File,
    /// Where artifacts are kept.
    pub store: Store,
    /// Where they are delivered, in order; a Job names its destination by index.
    pub destinations: Vec<Destination>,
    /// What the runner may use.
    pub limits: Limits,
}

/// Which run this is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// The run's identity everywhere, a UUID.
    pub id: String,
    /// Name of the ReportRun.
    pub name: String,
    /// Its namespace.
    pub namespace: String,
    /// The tenant's identity: the namespace's UID.
    pub tenant: String,
    /// The report's name.
    pub report: String,
    /// The report's version.
    pub report_version: String,
    /// The period, half-open, RFC 3339.
    pub period: Period,
    /// The only clock of a run, RFC 3339, UTC.
    pub planned_at: String,
    /// Parameters, validated.
    pub parameters: BTreeMap<String, String>,
}

/// A half-open period of time, RFC 3339.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Period {
    /// First instant.
    pub start: String,
    /// First instant after it.
    pub end: String,
}

/// A mounted Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SecretMount {
    /// Name of the Secret, for messages.
    pub name: String,
    /// The directory in which its keys are files.
    pub path: String,
}

/// A source, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Connector {
    /// The source and its address.
    pub source: SourceOptions,
    /// Its credentials, if it needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretMount>,
    /// What it may cost.
    pub limits: SourceLimits,
    /// The IANA time zone of its columns without a zone.
    pub time_zone: String,
}

/// One query.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// The connector's name.
    pub connector: String,
    /// One statement, with `:name` placeholders for `parameters`.
    pub query: String,
    /// What the placeholders stand for. Values are bound, never pasted into the text.
    pub parameters: BTreeMap<String, Bound>,
    /// The columns by which the rows are ordered and known; may be empty.
    pub key: Vec<String>,
    /// Declared types.
    pub columns: BTreeMap<String, ColumnType>,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Rule {
    /// Its id.
    pub id: String,
    /// How bad a violation is.
    pub severity: Severity,
    /// What happens to a row that violates it.
    pub on_violation: OnViolation,
    /// How many rows it may exclude before the run is blocked.
    pub tolerance: Tolerance,
    /// The rule itself.
    pub rule: RuleOptions,
}

/// How bad a violation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Severity {
    /// The record is wrong.
    Error,
    /// The record is suspicious.
    Warning,
}

/// What happens to a row that violates a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum OnViolation {
    /// It is left out of the file and stays an open exception.
    Exclude,
    /// Nothing is made at all.
    Block,
    /// It is reported, and the violation with it.
    Flag,
}

/// How many rows a rule may exclude before the run is blocked; the smaller bound wins. Zero of all rows for Block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tolerance {
    /// Rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// A part of the rows read, an exact decimal from 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction: Option<String>,
}

/// One field of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Field {
    /// The place in the file.
    pub to: String,
    /// Where the value comes from; templates and parameters are rendered already, so this is a column or a constant.
    pub from: FieldSource,
}

/// The file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct File {
    /// Its name, rendered.
    pub name: String,
    /// What happens when there is no record.
    pub when_empty: WhenEmpty,
}

/// What happens when there is no record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum WhenEmpty {
    /// No file is made, and the run ends well.
    Nothing,
    /// A file without records is made and delivered.
    NilReport,
    /// The run is blocked.
    Block,
}

/// Where artifacts are kept, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Store {
    /// The store and its address.
    pub options: StoreOptions,
    /// Its credentials, if it needs any: keys `accessKeyId`, `secretAccessKey`, `allowedHosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretMount>,
    /// What every key begins with after the store's own prefix: the tenant's id and a slash.
    pub prefix: String,
}

/// Where artifacts are delivered, resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Destination {
    /// Name of the Destination.
    pub name: String,
    /// Its identity in claims: its UID, so that a new Destination of the same name starts afresh.
    pub id: String,
    /// The transport and its address.
    pub transport: TransportOptions,
    /// Its credentials, if it needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretMount>,
    /// The directory at the receiver.
    pub directory: String,
    /// What a file's name begins with until it is whole.
    pub temporary_prefix: String,
    /// What is compared after the upload.
    pub verify: Verify,
    /// Seconds one attempt may take.
    pub timeout_seconds: u64,
}

/// What is compared after the upload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Verify {
    /// The size.
    Size,
    /// The size, and the SHA-256 of what is read back.
    SizeAndHash,
}

/// What the runner may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Limits {
    /// Wall-clock seconds of one generate attempt; the runner keeps it itself.
    pub timeout_seconds: u64,
    /// Directory for what must be spilled.
    pub scratch: String,
    /// Bytes that may lie there.
    pub scratch_bytes: u64,
}

/// A text that is no plan for this runner.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Not a plan's JSON.
    #[error("could not read the plan")]
    Syntax(#[from] serde_json::Error),
    /// A plan of another layout.
    #[error("could not use a plan of version {found}: this runner reads version {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// Not the plan that the Job was told to run.
    #[error("could not use the plan: its SHA-256 is {found}, not {expected}")]
    Digest {
        /// The digest of the bytes.
        found: Sha256,
        /// The digest that was asked for.
        expected: Sha256,
    },
    /// Too large.
    #[error("could not use the plan: it has {found} bytes, at most {MAX_BYTES} are allowed")]
    Size {
        /// Its size in bytes.
        found: usize,
    },
}

impl RunPlan {
    /// The plan's bytes; the same for equal plans.
    pub fn to_bytes(&self) -> Result<Vec<u8>, PlanError> {
        let bytes = serde_json::to_vec(self)?;
        if bytes.len() > MAX_BYTES {
            return Err(PlanError::Size { found: bytes.len() });
        }
        Ok(bytes)
    }

    /// The plan in `bytes`, if it is the one with digest `expected`.
    pub fn from_bytes(bytes: &[u8], expected: Option<&Sha256>) -> Result<Self, PlanError> {
        if bytes.len() > MAX_BYTES {
            return Err(PlanError::Size { found: bytes.len() });
        }
        if let Some(expected) = expected {
            let found = Sha256::of(bytes);
            if &found != expected {
                return Err(PlanError::Digest {
                    found,
                    expected: expected.clone(),
                });
            }
        }
        // The version is judged first: an unknown layout has unknown fields.
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let Version { version } = serde_json::from_slice(bytes)?;
        if version != VERSION {
            return Err(PlanError::Version { found: version });
        }
        Ok(serde_json::from_slice(bytes)?)
    }
}
