//! What is wrong with one object alone. Structural bounds are the CRD's; what it cannot say is here.

mod report;
mod schedule;

use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::{ConnectorSpec, DestinationSpec, StoreSpec};
use openreg_parts::error::{Problem, under};

pub use report::report;
pub(crate) use report::wrong_file_name;
pub use schedule::{cron, schedule};

/// What is wrong with a Store.
pub fn store(spec: &StoreSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.store.problems());
    needs_secret(&mut problems, spec.store.kind(), spec.store.endpoint().is_some(), spec.credentials_ref.as_ref(), "accessKeyId, secretAccessKey and allowedHosts");
    network(&mut problems, spec.network.as_ref());
    problems
}

/// What is wrong with a Connector.
pub fn connector(spec: &ConnectorSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.source.problems());
    needs_secret(&mut problems, spec.source.kind(), spec.source.needs_credentials(), spec.credentials_ref.as_ref(), "username, password and allowedHosts");
    network(&mut problems, spec.network.as_ref());
    if let Some(timestamps) = &spec.timestamps {
        time_zone(&mut problems, "spec.timestamps.timeZone", &timestamps.time_zone);
    }
    if let Some(limits) = &spec.limits {
        let zero = |d: &Option<openreg_parts::units::Duration>| d.as_ref().is_some_and(|d| d.get().is_zero());
        for (name, value) in [("connectTimeout", &limits.connect_timeout), ("firstRowTimeout", &limits.first_row_timeout), ("statementTimeout", &limits.statement_timeout)] {
            if zero(value) {
                problems.push(Problem::new(format!("spec.limits.{name}"), "must be longer than zero, such as 30s"));
            }
        }
    }
    problems
}

/// What is wrong with a Destination.
pub fn destination(spec: &DestinationSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.transport.problems());
    needs_secret(&mut problems, spec.transport.kind(), spec.transport.needs_credentials(), spec.credentials_ref.as_ref(), "username, allowedHosts and the password or private key");
    network(&mut problems, spec.network.as_ref());
    problems
}

fn needs_secret(problems: &mut Vec<Problem>, kind: &str, needed: bool, given: Option<&SecretRef>, keys: &str) {
    if needed && given.is_none() {
        problems.push(Problem::new("spec.credentialsRef", format!("is required for {kind}: name the Secret with the keys {keys}")));
    }
}

fn network(problems: &mut Vec<Problem>, network: Option<&Network>) {
    let Some(Network::Cidrs(cidrs)) = network else { return };
    for (i, cidr) in cidrs.iter().enumerate() {
        let right = cidr.split_once('/').is_some_and(|(address, bits)| match (address.parse::<std::net::IpAddr>(), bits.parse::<u8>()) {
            (Ok(std::net::IpAddr::V4(_)), Ok(bits)) => bits <= 32,
            (Ok(std::net::IpAddr::V6(_)), Ok(bits)) => bits <= 128,
            _ => false,
        });
        if !right {
            problems.push(Problem::new(format!("spec.network.cidrs[{i}]"), format!("`{cidr}` is not an address range: write for example 10.1.0.0/16")));
        }
    }
}

pub(crate) fn time_zone(problems: &mut Vec<Problem>, field: &str, name: &str) {
    if jiff::tz::TimeZone::get(name).is_err() {
        problems.push(Problem::new(field, format!("`{name}` is not an IANA time zone: write for example Europe/Berlin or UTC")));
    }
}
