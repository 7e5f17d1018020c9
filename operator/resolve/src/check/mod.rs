//! What is wrong with one object alone. Structural bounds are the CRD's; what it cannot say is here.

mod report;
mod run;
pub mod schedule;

use std::collections::BTreeSet;
use std::time::Duration;

use openreg_crds::common::reference::{Network, SecretRef};
use openreg_crds::{ConnectorSpec, DestinationSpec, StoreSpec};
use openreg_parts::error::{Problem, under};

pub use report::report;
pub(crate) use report::wrong_file_name;
pub(crate) use run::period;
pub use run::run;
pub use schedule::{calendar, cron, schedule};

/// What is wrong with a Store.
pub fn store(spec: &StoreSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.store.problems());
    needs_secret(
        &mut problems,
        spec.store.kind(),
        spec.store.endpoint().is_some(),
        spec.credentials_ref.as_ref(),
        "accessKeyId, secretAccessKey and allowedHosts",
    );
    network(&mut problems, spec.network.as_ref());
    problems
}

/// What is wrong with a Connector.
pub fn connector(spec: &ConnectorSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.source.problems());
    needs_secret(
        &mut problems,
        spec.source.kind(),
        spec.source.needs_credentials(),
        spec.credentials_ref.as_ref(),
        "username, password and allowedHosts",
    );
    network(&mut problems, spec.network.as_ref());
    if let Some(timestamps) = &spec.timestamps {
        time_zone(&mut problems, "spec.timestamps.timeZone", &timestamps.time_zone);
    }
    if let Some(limits) = &spec.limits {
        let zero = |d: &Option<openreg_parts::units::Duration>| d.as_ref().is_some_and(|d| d.get().is_zero());
        for (name, value) in [
            ("connectTimeout", &limits.connect_timeout),
            ("firstRowTimeout", &limits.first_row_timeout),
            ("statementTimeout", &limits.statement_timeout),
        ] {
            if zero(value) {
                problems.push(Problem::new(format!("spec.limits.{name}"), "must be longer than zero, such as 30s"));
            }
        }
        // A batch is in memory several times over: as rows, as text, as what waits for the store.
        if limits.batch_bytes.as_ref().is_some_and(|b| b.get() < 64 << 10 || b.get() > 64 << 20) {
            problems.push(Problem::new("spec.limits.batchBytes", "must be from 64Ki to 64Mi"));
        }
    }
    problems
}

/// What is wrong with a Destination.
pub fn destination(spec: &DestinationSpec) -> Vec<Problem> {
    let mut problems = under("spec", spec.transport.problems());
    needs_secret(
        &mut problems,
        spec.transport.kind(),
        spec.transport.needs_credentials(),
        spec.credentials_ref.as_ref(),
        "username, allowedHosts and the password or private key",
    );
    network(&mut problems, spec.network.as_ref());
    if let Some(delivery) = &spec.delivery {
        within(&mut problems, "spec.delivery.timeout", delivery.timeout.as_ref(), 1, 24 * 3600, "1s to 24h");
        backoff(&mut problems, "spec.delivery.backoff", delivery.backoff.as_ref());
    }
    problems
}

/// Why a text cannot be the name of an object.
pub fn name(text: &str) -> Option<String> {
    let inner = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
    let outer = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    let right = text.bytes().all(inner) && outer(text.as_bytes().first()) && outer(text.as_bytes().last());
    (!right).then(|| format!("`{text}` is not a name: write lower-case letters, digits and hyphens, such as trades-daily"))
}

/// A name may be used once.
pub(crate) fn distinct<'a>(names: impl Iterator<Item = &'a str>, field: impl Fn(usize) -> String, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            problems.push(Problem::new(field(i), format!("`{name}` is there already: write each name once")));
        }
    }
}

pub(crate) fn version(problems: &mut Vec<Problem>, field: &str, text: &str) {
    if !semver::Version::parse(text).is_ok_and(|v| v.pre.is_empty() && v.build.is_empty()) {
        problems.push(Problem::new(
            field,
            format!("`{text}` is not a version: write MAJOR.MINOR.PATCH, such as 1.4.0"),
        ));
    }
}

pub(crate) fn within(problems: &mut Vec<Problem>, field: &str, value: Option<&openreg_parts::units::Duration>, min: u64, max: u64, words: &str) {
    if value.is_some_and(|v| v.get() < Duration::from_secs(min) || v.get() > Duration::from_secs(max)) {
        problems.push(Problem::new(field, format!("must be from {words}")));
    }
}

pub(crate) fn backoff(problems: &mut Vec<Problem>, field: &str, backoff: Option<&openreg_crds::report::Backoff>) {
    let Some(backoff) = backoff else { return };
    within(problems, &format!("{field}.initial"), backoff.initial.as_ref(), 1, 3600, "1s to 1h");
    within(problems, &format!("{field}.max"), backoff.max.as_ref(), 1, 24 * 3600, "1s to 24h");
    if let (Some(initial), Some(max)) = (&backoff.initial, &backoff.max)
        && initial.get() > max.get()
    {
        problems.push(Problem::new(format!("{field}.max"), format!("must not be shorter than initial, {initial}")));
    }
}

fn needs_secret(problems: &mut Vec<Problem>, kind: &str, needed: bool, given: Option<&SecretRef>, keys: &str) {
    if needed && given.is_none() {
        problems.push(Problem::new(
            "spec.credentialsRef",
            format!("is required for {kind}: name the Secret with the keys {keys}"),
        ));
    }
}

fn network(problems: &mut Vec<Problem>, network: Option<&Network>) {
    let Some(Network::Cidrs(cidrs)) = network else { return };
    for (i, cidr) in cidrs.iter().enumerate() {
        let right = cidr
            .split_once('/')
            .is_some_and(|(address, bits)| match (address.parse::<std::net::IpAddr>(), bits.parse::<u8>()) {
                (Ok(std::net::IpAddr::V4(_)), Ok(bits)) => bits <= 32,
                (Ok(std::net::IpAddr::V6(_)), Ok(bits)) => bits <= 128,
                _ => false,
            });
        if !right {
            problems.push(Problem::new(
                format!("spec.network.cidrs[{i}]"),
                format!("`{cidr}` is not an address range: write for example 10.1.0.0/16"),
            ));
        }
    }
}

pub(crate) fn time_zone(problems: &mut Vec<Problem>, field: &str, name: &str) {
    if jiff::tz::TimeZone::get(name).is_err() {
        problems.push(Problem::new(
            field,
            format!("`{name}` is not an IANA time zone: write for example Europe/Berlin or UTC"),
        ));
    }
}
