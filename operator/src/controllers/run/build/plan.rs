//! The immutable ConfigMap that carries a run's plan and what its Jobs get beside it. Pure.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ConfigMap;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use openreg_crds::ReportRun;
use openreg_plan::{RunPlan, Sha256};

use super::super::launch::Launch;
use super::super::planning::Prepared;
use super::{PLAN_SHA256, is_ours, owner};
use crate::labels;

/// The key with the plan: the file that the runner reads.
pub const PLAN_KEY: &str = "plan.json";
/// The key with what the Jobs get beside it: for the operator only.
pub const LAUNCH_KEY: &str = "launch.json";
/// The label with the first digits of the plan's digest; a label holds 63 characters, a digest has 64.
pub const DIGEST_LABEL: &str = "openreg.io/plan";

/// Name of a run's plan.
pub fn name(run: &str) -> String {
    format!("{run}-plan")
}

/// The ConfigMap of a plan.
pub fn config_map(run: &ReportRun, prepared: &Prepared) -> ConfigMap {
    let mut labels = labels::base();
    labels.insert(labels::RUN.to_owned(), run.name_any());
    labels.insert(labels::REPORT.to_owned(), run.spec.report_ref.clone());
    labels.insert(DIGEST_LABEL.to_owned(), prepared.sha256.as_str().chars().take(16).collect());
    let data: BTreeMap<_, _> = [
        // A plan is JSON: always UTF-8.
        (PLAN_KEY.to_owned(), String::from_utf8_lossy(&prepared.plan).into_owned()),
        (LAUNCH_KEY.to_owned(), serde_json::to_string(&prepared.launch).unwrap_or_default()),
    ]
    .into();
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(name(&run.name_any())),
            namespace: run.namespace(),
            labels: Some(labels),
            annotations: Some([(PLAN_SHA256.to_owned(), prepared.sha256.to_string())].into()),
            owner_references: owner(run).map(|o| vec![o]),
            ..ObjectMeta::default()
        },
        immutable: Some(true),
        data: Some(data),
        binary_data: None,
    }
}

/// What the Jobs of a run get, out of the ConfigMap that its status names; nothing when it is another's or another plan. The
/// status vouches for the plan by its digest; what lies beside it counts as far as it agrees with the plan.
pub fn read(config_map: &ConfigMap, run: &ReportRun, sha256: &str) -> Option<Launch> {
    let data = config_map.data.as_ref()?;
    let plan = data.get(PLAN_KEY)?;
    if !is_ours(config_map, run) || Sha256::of(plan.as_bytes()).as_str() != sha256 {
        return None;
    }
    let launch: Launch = serde_json::from_str(data.get(LAUNCH_KEY)?).ok()?;
    let plan = RunPlan::from_bytes(plan.as_bytes(), None).ok()?;
    launch.agrees_with(&plan).then_some(launch)
}
