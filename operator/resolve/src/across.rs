//! What is wrong with an object beside the objects that it names.

use std::collections::BTreeMap;

use openreg_crds::{Connector, Destination, ReportRunSpec, ReportSpec, ScheduleSpec, Store};
use openreg_parts::error::Problem;

use crate::{check, parameters};

/// What a Report names, found or not.
pub struct Found<'a> {
    /// Looks a Connector up by name.
    pub connector: &'a dyn Fn(&str) -> Option<Connector>,
    /// Looks a Destination up by name.
    pub destination: &'a dyn Fn(&str) -> Option<Destination>,
    /// The tenant's Store.
    pub store: Option<&'a Store>,
}

/// What is wrong with a Report's references. An object that is there but wrong has its own Ready condition.
pub fn report(spec: &ReportSpec, found: &Found<'_>) -> Vec<Problem> {
    let mut problems = Vec::new();
    if found.store.is_none() {
        problems.push(Problem::new(
            "spec",
            "the namespace has no Store: create one named default, where artifacts are kept",
        ));
    }
    for (i, dataset) in spec.source.datasets.iter().enumerate() {
        if (found.connector)(&dataset.connector_ref).is_none() {
            problems.push(missing(format!("spec.source.datasets[{i}].connectorRef"), "Connector", &dataset.connector_ref));
        }
    }
    for (i, target) in spec.delivery.iter().flatten().enumerate() {
        if (found.destination)(&target.destination_ref).is_none() {
            problems.push(missing(format!("spec.delivery[{i}].destinationRef"), "Destination", &target.destination_ref));
        }
    }
    problems
}

/// What is wrong with a Schedule beside the Report that it names.
pub fn schedule(spec: &ScheduleSpec, report: Option<&ReportSpec>) -> Vec<Problem> {
    judged(&spec.report_ref, spec.parameters.as_ref(), report)
}

/// What is wrong with a ReportRun beside the Report that it names.
pub fn run(spec: &ReportRunSpec, report: Option<&ReportSpec>) -> Vec<Problem> {
    judged(&spec.report_ref, spec.parameters.as_ref(), report)
}

fn judged(name: &str, given: Option<&BTreeMap<String, String>>, report: Option<&ReportSpec>) -> Vec<Problem> {
    let Some(report) = report else {
        return vec![missing("spec.reportRef", "Report", name)];
    };
    let none = BTreeMap::new();
    parameters::values(report.parameters.as_deref().unwrap_or_default(), given.unwrap_or(&none), "spec.parameters")
        .err()
        .unwrap_or_default()
}

/// The words for an object that is not there; the same in a condition, in a plan's refusal and in `openreg lint`.
pub(crate) fn missing(field: impl Into<String>, kind: &str, name: &str) -> Problem {
    let near = match check::name(name) {
        Some(_) => format!("`{name}` cannot be the name of one: write the name of a {kind}"),
        None => format!("there is no {kind} `{name}` in this namespace: create it or name another"),
    };
    Problem::new(field, near)
}
