//! Which content a version stands for: the digest of a Report's spec, and the name of its ReportVersion.

use openreg_crds::ReportSpec;
use openreg_plan::Sha256;

/// SHA-256 of the spec as JSON. Struct fields are written in the order of their declaration and maps by key, absent fields
/// not at all, so equal specs have equal digests.
pub fn spec_sha256(spec: &ReportSpec) -> Sha256 {
    // Plain data: cannot fail.
    Sha256::of(&serde_json::to_vec(spec).unwrap_or_default())
}

/// The name of a ReportVersion: `<report>-<version>-<first 8 digits of the digest>`. At most 32 + 1 + 32 + 1 + 8
/// characters, within the 253 of a Kubernetes name.
pub fn version_name(report: &str, version: &str, sha256: &Sha256) -> String {
    format!("{report}-{version}-{}", &sha256.as_str()[..8])
}
