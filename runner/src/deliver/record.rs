//! What a delivery writes into the store: claim, committing, receipt. Each names its pod, so that no two pods ever write
//! the same bytes to one key. It does no I/O.

use openreg_plan::digest::Sha256;
use openreg_plan::plan::Verify;
use serde::{Deserialize, Serialize};

/// The version of the records' layout.
pub(super) const VERSION: u32 = 1;

/// The most bytes of a record.
pub(super) const MAX_BYTES: usize = 16 << 10;

/// Who may send a file to a remote name. The claim with the highest number is the holder's; one that is released gives the
/// name back, and those before it no longer count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Claim {
    /// Layout version, 1.
    pub(super) version: u32,
    /// Run id.
    pub(super) run: String,
    /// SHA-256 of the manifest that names the artifact.
    pub(super) manifest_sha256: Sha256,
    /// SHA-256 of the artifact.
    pub(super) sha256: Sha256,
    /// Its bytes.
    pub(super) size: u64,
    /// UID of the pod that claims.
    pub(super) pod: String,
    /// The attempt it belongs to.
    pub(super) attempt: u32,
    /// The holder gave the name back before anything of it could become visible, and does nothing more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) released: bool,
}

/// Written before the rename: from here on the file may be visible.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Committing {
    /// Layout version, 1.
    pub(super) version: u32,
    /// Run id.
    pub(super) run: String,
    /// UID of the pod that renames.
    pub(super) pod: String,
    /// File name from which it renames, in the directory of the final one.
    pub(super) temporary: String,
    /// Path to which it renames.
    #[serde(rename = "final")]
    pub(super) last: String,
    /// Bytes of the file.
    pub(super) size: u64,
    /// SHA-256 of the file.
    pub(super) sha256: Sha256,
}

/// The proof of delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Receipt {
    /// Layout version, 1.
    pub(super) version: u32,
    /// Run id.
    pub(super) run: String,
    /// SHA-256 of the manifest that names the artifact.
    pub(super) manifest_sha256: Sha256,
    /// UID of the pod that wrote the receipt.
    pub(super) pod: String,
    /// The attempt it belongs to.
    pub(super) attempt: u32,
    /// Name of the Destination.
    pub(super) destination: String,
    /// Path of the file at the receiver.
    pub(super) remote: String,
    /// Bytes of the file.
    pub(super) size: u64,
    /// SHA-256 of the file.
    pub(super) sha256: Sha256,
    /// What was compared with what lay at the receiver.
    pub(super) verified: Verify,
    /// When the receipt was written, RFC 3339, UTC.
    pub(super) at: String,
}
