//! ReportVersion: one accepted content of a Report, immutable; made by the operator, as a Deployment makes ReplicaSets.

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::ReportSpec;

/// One accepted version of a Report. It has no owner, so that history survives the Report.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "ReportVersion",
    namespaced,
    derive = "PartialEq",
    category = "openreg",
    shortname = "orrv",
    printcolumn = r#"{"name": "Report", "type": "string", "jsonPath": ".spec.reportRef"}"#,
    printcolumn = r#"{"name": "Version", "type": "string", "jsonPath": ".spec.report.version"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Digest", "type": "string", "priority": 1, "jsonPath": ".spec.sha256"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [{"rule": "self == oldSelf", "message": "a ReportVersion cannot be changed: change the Report and raise its version"}]))]
pub struct ReportVersionSpec {
    /// The Report.
    #[schemars(length(min = 1, max = 32))]
    pub report_ref: String,
    /// SHA-256 of the Report's spec as JSON, 64 hexadecimal digits.
    #[schemars(length(min = 64, max = 64), regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// The Report's spec at that version.
    pub report: ReportSpec,
}
