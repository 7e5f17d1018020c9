//! What the recorder takes out of a sealed manifest, once its bytes are those that the run's status names. Pure.

use openreg_parts::store::manifest::{Manifest, StoredObject, VERSION};
use sha2::{Digest, Sha256};

use crate::model::{Artifact, DatasetCounts, RuleCounts};

/// The most bytes of a manifest: eight files, sixty-four rules, one dataset come to about 20 KB.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// What the history keeps of a manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestContents {
    /// The files.
    pub artifacts: Vec<Artifact>,
    /// Rows per dataset.
    pub datasets: Vec<DatasetCounts>,
    /// Violations per rule.
    pub rules: Vec<RuleCounts>,
    /// Where all violations are.
    pub violations: Option<StoredObject>,
}

/// Why a manifest is not taken.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// The bytes are others than those that the run sealed.
    #[error("could not take the manifest: its SHA-256 is {found}, the run sealed {sealed}")]
    Changed {
        /// The digest of the bytes.
        found: String,
        /// The digest in the run's status.
        sealed: String,
    },
    /// It is of another run.
    #[error("could not take the manifest: it is of run {0}")]
    Foreign(String),
    /// It is of a layout that this program does not know.
    #[error("could not read the manifest")]
    Unreadable(#[source] serde_json::Error),
    /// The same.
    #[error("could not read the manifest: its layout version is {0}")]
    Version(u32),
}

/// Reads the manifest of run `id` whose digest is `sealed`.
pub fn read(bytes: &[u8], sealed: &str, id: &str) -> Result<ManifestContents, ManifestError> {
    let found = hex::encode(Sha256::digest(bytes));
    if !found.eq_ignore_ascii_case(sealed) {
        return Err(ManifestError::Changed {
            found,
            sealed: sealed.to_owned(),
        });
    }
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(ManifestError::Unreadable)?;
    if manifest.version != VERSION {
        return Err(ManifestError::Version(manifest.version));
    }
    if manifest.run != id {
        return Err(ManifestError::Foreign(manifest.run));
    }
    let signed = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(ManifestContents {
        artifacts: manifest
            .artifacts
            .into_iter()
            .map(|a| Artifact {
                name: a.name,
                key: a.key,
                size: signed(a.size),
                sha256: a.sha256,
                records: signed(a.records),
                media_type: a.media_type,
            })
            .collect(),
        datasets: manifest
            .datasets
            .into_iter()
            .map(|d| DatasetCounts {
                dataset: d.dataset,
                read: d.read,
                reported: d.reported,
                excluded: d.excluded,
                dropped: d.dropped,
            })
            .collect(),
        rules: manifest
            .rules
            .into_iter()
            .map(|r| RuleCounts {
                rule: r.rule,
                violations: r.violations,
            })
            .collect(),
        violations: manifest.violations,
    })
}
