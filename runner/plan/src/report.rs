//! What a runner says at its end, in the pod's termination message: fixed fields, three texts of at most 512 bytes, and so
//! always less than the 4096 bytes that Kubernetes keeps.

use openreg_parts::error::Class;
use openreg_parts::store::manifest;
use serde::{Deserialize, Serialize};

use crate::digest::Sha256;

/// The most bytes of a message, a hint or a remote path, as JSON writes it.
pub const MAX_TEXT: usize = 512;

/// Where the message is written in a pod.
pub const TERMINATION_PATH: &str = "/dev/termination-log";

/// What a runner says at its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RunReport {
    /// Layout version, 1.
    pub version: u32,
    /// What came of it.
    pub outcome: Outcome,
    /// Why it failed; absent on success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The sealed manifest; absent when nothing was sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<SealedManifest>,
    /// Rows and violations, summed over datasets and rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub totals: Option<Totals>,
    /// What a deliver Job did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<Delivery>,
    /// What it used.
    pub usage: Usage,
}

/// What came of one Job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// A manifest with artifacts is sealed.
    Generated,
    /// A manifest without artifacts is sealed: there was nothing to report.
    Empty,
    /// A manifest without artifacts is sealed: rules stopped the run.
    Blocked,
    /// Every artifact lies at the destination under its final name, and has its receipt.
    Delivered,
    /// The probe succeeded.
    Reachable,
    /// It failed; `failure` says how.
    Failed,
    /// It was told to stop and did.
    Cancelled,
    /// A file may or may not have become visible at the destination; a person decides.
    Unknown,
}

/// Why a Job failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// Where it failed.
    pub stage: Stage,
    /// Who can mend it.
    pub class: Class,
    /// A stable CamelCase word.
    pub code: String,
    /// What happened, at most 512 bytes.
    pub message: String,
    /// What to do next, at most 512 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// The stages of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Before anything is read.
    Plan,
    /// Getting the pod to run.
    Start,
    /// Reading rows.
    Read,
    /// Checking them.
    Check,
    /// Mapping them.
    Transform,
    /// Writing the format.
    Encode,
    /// Storing artifacts and the manifest.
    Store,
    /// Delivering.
    Deliver,
    /// Probing.
    Probe,
}

/// The sealed manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SealedManifest {
    /// Key in the store, below its prefix.
    pub key: String,
    /// SHA-256 of the manifest's bytes.
    pub sha256: Sha256,
    /// What the manifest says.
    pub outcome: manifest::Outcome,
}

/// Rows and violations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Totals {
    /// Rows that the sources gave.
    pub read: u64,
    /// Rows that became records.
    pub reported: u64,
    /// Rows that rules excluded.
    pub excluded: u64,
    /// Rows that the transform dropped.
    pub dropped: u64,
    /// Violations.
    pub violations: u64,
    /// Files.
    pub artifacts: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What a deliver Job did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// Whether the first byte was sent, so that cancelling can no longer mean that nothing left.
    pub begun: bool,
    /// Files that have a receipt.
    pub receipts: u32,
    /// Whether a file may be visible that `receipts` does not count: it was to be renamed, and what came of that is not known
    /// here. Then no failure means that it was not delivered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unsettled: bool,
    /// Path of the last file at the receiver, shortened to 512 bytes in the termination message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// SHA-256 of the last receipt's bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_sha256: Option<Sha256>,
}

/// What a Job used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Usage {
    /// Wall-clock milliseconds.
    pub duration_ms: u64,
    /// Peak resident memory in bytes (VmHWM of proc(5)).
    pub vm_hwm_bytes: u64,
    /// Peak of the cgroup in bytes, page cache included; 0 when it cannot be read.
    pub cgroup_peak_bytes: u64,
}

impl RunReport {
    /// The report as JSON, texts shortened so that it fits.
    pub fn to_json(&self) -> String {
        let mut short = self.clone();
        if let Some(f) = &mut short.failure {
            f.message = shortened(&f.message);
            f.hint = f.hint.as_deref().map(shortened);
        }
        if let Some(d) = &mut short.delivery {
            d.remote = d.remote.as_deref().map(shortened);
        }
        // Only strings and integers: cannot fail.
        serde_json::to_string(&short).unwrap_or_default()
    }
}

/// `text` as one line of at most [`MAX_TEXT`] bytes of JSON, cut between characters, with an ellipsis where it was cut.
/// Control characters become spaces: six bytes each in JSON, they would push the message over what Kubernetes keeps, and
/// half a message is none.
pub fn shortened(text: &str) -> String {
    let room = MAX_TEXT - '…'.len_utf8();
    let mut out = String::new();
    let (mut length, mut fits) = (0, 0);
    for c in text.chars() {
        let c = if c.is_control() { ' ' } else { c };
        length += c.len_utf8() + usize::from(matches!(c, '"' | '\\'));
        if length > MAX_TEXT {
            out.truncate(fits);
            out.push('…');
            return out;
        }
        out.push(c);
        if length <= room {
            fits = out.len();
        }
    }
    out
}
