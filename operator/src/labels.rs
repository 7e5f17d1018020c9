//! The labels of the objects that the operator makes: the only place where they are spelled.

use std::collections::BTreeMap;

/// Label that every object of the operator carries; the default-deny policy selects pods by it.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Its value.
pub const OPENREG: &str = "openreg";
/// Selects the Jobs and pods that the operator made.
pub const SELECTOR: &str = "app.kubernetes.io/managed-by=openreg";
/// Name of the ReportRun.
pub const RUN: &str = "openreg.io/run";
/// Name of the Report.
pub const REPORT: &str = "openreg.io/report";
/// `generate`, `deliver` or `probe`.
pub const STAGE: &str = "openreg.io/stage";
/// What a probe Job probes: `connector.trades`, `store.default`, `destination.bafin`.
pub const PROBE_OF: &str = "openreg.io/probe-of";
/// On pods that may reach the store.
pub const STORE: &str = "openreg.io/store";
/// The label that the Job controller puts on its pods.
pub const JOB_NAME: &str = "batch.kubernetes.io/job-name";
/// The value of the labels that open a network policy.
pub const YES: &str = "true";

/// The label of pods that may reach the connector.
pub fn connector(name: &str) -> String {
    format!("openreg.io/connector-{name}")
}

/// The label of pods that may reach the destination.
pub fn destination(name: &str) -> String {
    format!("openreg.io/destination-{name}")
}

/// The labels that every object of the operator carries.
pub fn base() -> BTreeMap<String, String> {
    [(MANAGED_BY, OPENREG), ("app.kubernetes.io/name", "openreg-runner")]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}
