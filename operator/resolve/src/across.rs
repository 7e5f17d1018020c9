//! What is wrong with a Report beside the objects that it names.

use openreg_crds::{Connector, Destination, ReportSpec, Store};
use openreg_parts::error::Problem;

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
        problems.push(Problem::new("spec", "the namespace has no Store: create one named default, where artifacts are kept"));
    }
    for (i, dataset) in spec.source.datasets.iter().enumerate() {
        if (found.connector)(&dataset.connector_ref).is_none() {
            problems.push(Problem::new(format!("spec.source.datasets[{i}].connectorRef"), format!("there is no Connector `{}` in this namespace: create it or name another", dataset.connector_ref)));
        }
    }
    for (i, target) in spec.delivery.iter().flatten().enumerate() {
        if (found.destination)(&target.destination_ref).is_none() {
            problems.push(Problem::new(format!("spec.delivery[{i}].destinationRef"), format!("there is no Destination `{}` in this namespace: create it or name another", target.destination_ref)));
        }
    }
    problems
}
