//! Which objects a run refers to, and which of them are missing or not valid. Pure. Reachability never gates a run.

use std::collections::BTreeSet;

use kube::ResourceExt;
use openreg_crds::common::condition::{self, Condition, ConditionStatus};
use openreg_crds::report::ReportSpec;
use openreg_crds::report_run::{Mode, ReportRunSpec};
use openreg_crds::{Report, ReportVersion, STORE_NAME};

use super::facts::Facts;

/// The version that a run uses: the one it names, else the one that the Report's last accepted spec became.
pub fn choose<'a, V: AsRef<ReportVersion>>(run: &ReportRunSpec, report: Option<&Report>, versions: &'a [V]) -> Option<&'a V> {
    let current = report.and_then(|r| r.status.as_ref()?.version_name.clone());
    let is_current = |v: &&V| Some(v.as_ref().name_any()) == current;
    match &run.version {
        None => versions.iter().find(is_current),
        Some(wanted) => {
            // A Report that was deleted and made anew may have two contents of one version: its own wins, else the newest.
            let mut matching: Vec<_> = versions
                .iter()
                .filter(|v| v.as_ref().spec.report_ref == run.report_ref && &v.as_ref().spec.report.version == wanted)
                .collect();
            matching.sort_by_key(|v| {
                (
                    is_current(v),
                    v.as_ref().metadata.creation_timestamp.as_ref().map(|t| t.0),
                    v.as_ref().name_any(),
                )
            });
            matching.last().copied()
        }
    }
}

/// Names of the connectors that a version reads.
pub fn connectors(report: &ReportSpec) -> BTreeSet<String> {
    report.source.datasets.iter().map(|d| d.connector_ref.clone()).collect()
}

/// Names of the destinations that a version delivers to.
pub fn destinations(report: &ReportSpec) -> BTreeSet<String> {
    report.delivery.iter().flatten().map(|d| d.destination_ref.clone()).collect()
}

/// What is missing or not valid yet, in words.
pub fn missing(facts: &Facts, version: Option<&ReportVersion>) -> Vec<String> {
    let mut out = Vec::new();
    if facts.tenant.is_none() {
        out.push(format!("the namespace is no tenant: it has no label {}", openreg_crds::TENANT_LABEL));
    }
    let spec = &facts.run.spec;
    let Some(version) = version else {
        out.push(match (&spec.version, &facts.report) {
            (Some(wanted), _) => format!("version {wanted} of Report {} does not exist", spec.report_ref),
            (None, None) => format!("Report {} does not exist", spec.report_ref),
            (None, Some(report)) => not_ready(
                "Report",
                &spec.report_ref,
                report.status.as_ref().map(|s| s.conditions.as_slice()),
                report.metadata.generation,
            )
            .unwrap_or_else(|| format!("Report {} has no accepted version yet", spec.report_ref)),
        });
        return out;
    };
    match &facts.store {
        None => out.push(format!("Store {STORE_NAME} does not exist")),
        Some(s) => out.extend(not_ready(
            "Store",
            STORE_NAME,
            s.status.as_ref().map(|s| s.conditions.as_slice()),
            s.metadata.generation,
        )),
    }
    for name in connectors(&version.spec.report) {
        match facts.connectors.get(&name) {
            None => out.push(format!("Connector {name} does not exist")),
            Some(c) => out.extend(not_ready(
                "Connector",
                &name,
                c.status.as_ref().map(|s| s.conditions.as_slice()),
                c.metadata.generation,
            )),
        }
    }
    // A run that only generates needs no destination.
    let delivers = spec.mode != Some(Mode::GenerateOnly);
    for name in destinations(&version.spec.report).into_iter().filter(|_| delivers) {
        match facts.destinations.get(&name) {
            None => out.push(format!("Destination {name} does not exist")),
            Some(d) => out.extend(not_ready(
                "Destination",
                &name,
                d.status.as_ref().map(|s| s.conditions.as_slice()),
                d.metadata.generation,
            )),
        }
    }
    out
}

fn not_ready(kind: &str, name: &str, conditions: Option<&[Condition]>, generation: Option<i64>) -> Option<String> {
    let Some(ready) = conditions.and_then(|c| condition::find(c, "Ready")) else {
        return Some(format!("{kind} {name} has not been checked yet"));
    };
    if ready.observed_generation < generation {
        return Some(format!("{kind} {name} was changed and has not been checked yet"));
    }
    (ready.status != ConditionStatus::True).then(|| format!("{kind} {name} is not valid: {}", ready.message))
}
