//! The objects of a run, from its plan. Pure: they are made here and applied by `act`.

pub mod job;
pub mod plan;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Resource;
use openreg_crds::ReportRun;

/// Annotation with the whole digest of the plan.
pub const PLAN_SHA256: &str = "openreg.io/plan-sha256";
/// Annotation of a deliver Job with the digest of what it delivers.
pub const MANIFEST_SHA256: &str = "openreg.io/manifest-sha256";

/// The owner of a run's objects: deleted with the run, and never taken for another run's of the same name.
pub fn owner(run: &ReportRun) -> Option<OwnerReference> {
    run.controller_owner_ref(&())
}

/// Whether an object belongs to that very run.
pub fn is_ours<K: Resource>(object: &K, run: &ReportRun) -> bool {
    let uid = run.metadata.uid.as_deref();
    uid.is_some()
        && object
            .meta()
            .owner_references
            .iter()
            .flatten()
            .any(|o| o.controller == Some(true) && Some(o.uid.as_str()) == uid)
}
