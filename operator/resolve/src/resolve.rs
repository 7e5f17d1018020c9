//! Which plan a run has: the only place where custom resources become a plan. Equal inputs give equal bytes.

use std::borrow::Borrow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use openreg_crds::common::reference::SecretRef;
use openreg_crds::report::{ReportSpec, Validation};
use openreg_crds::report_run::Mode;
use openreg_crds::{Connector, Destination, ReportRun, ReportVersion, Store};
use openreg_parts::error::Problem;
use openreg_parts::source::{Bound, placeholder_names};
use openreg_parts::template::{self, Context};
use openreg_parts::transform::mapping::FieldSource;
use openreg_plan::plan::{self, RunPlan, SecretMount, Tolerance, Verify, WhenEmpty};

use crate::check::wrong_file_name;
use crate::{across, check, parameters};

/// Where Secrets are mounted in a pod.
pub const SECRETS: &str = "/secrets";
/// The scratch volume of a pod.
pub const SCRATCH: &str = "/scratch";
/// The size of the scratch volume in bytes: 1 GiB.
pub const SCRATCH_BYTES: u64 = 1 << 30;
/// Seconds of one generate attempt when the report says nothing: 1 hour.
pub const TIMEOUT_SECONDS: u64 = 3600;
/// Seconds of one deliver attempt when the destination says nothing: 15 minutes.
pub const DELIVER_TIMEOUT_SECONDS: u64 = 900;

/// What a plan is made of. References may be held in any pointer.
pub struct Inputs<'a, C: Borrow<Connector>, D: Borrow<Destination>> {
    /// The run; its creation time is the plan's only clock.
    pub run: &'a ReportRun,
    /// The version that runs.
    pub version: &'a ReportVersion,
    /// The namespace's UID.
    pub tenant: &'a str,
    /// The tenant's Store.
    pub store: &'a Store,
    /// The Connectors that the version names, by name.
    pub connectors: &'a BTreeMap<String, C>,
    /// The Destinations that the version names, by name.
    pub destinations: &'a BTreeMap<String, D>,
}

/// The plan of a run, or what is wrong with the run and what it refers to.
pub fn resolve<C: Borrow<Connector>, D: Borrow<Destination>>(inputs: &Inputs<'_, C, D>) -> Result<RunPlan, Vec<Problem>> {
    let report = &inputs.version.spec.report;
    let mut problems = check::report(report);
    let given = inputs.run.spec.parameters.clone().unwrap_or_default();
    let values = parameters::values(report.parameters.as_deref().unwrap_or_default(), &given, "spec.parameters").unwrap_or_else(|p| {
        problems.extend(p);
        BTreeMap::new()
    });
    let period = check::period(&inputs.run.spec.period, &mut problems);
    problems.extend(named("Store", "default", check::store(&inputs.store.spec)));
    let connectors = connectors(inputs, &mut problems);
    let destinations = destinations(inputs, &mut problems);
    let (Some((start, end)), true) = (period, problems.is_empty()) else {
        return Err(problems);
    };

    let (from, to) = (start.timestamp(), end.timestamp());
    let planned_at = inputs.run.metadata.creation_timestamp.as_ref().map_or(Timestamp::UNIX_EPOCH, |t| t.0);
    let name = inputs.run.metadata.name.clone().unwrap_or_default();
    let context = Context {
        run_id: &inputs.run.spec.id,
        run_name: &name,
        planned_at,
        period_start: start.clone(),
        period_end: end.clone(),
        report: &inputs.version.spec.report_ref,
        version: &report.version,
        parameters: &values,
    };
    let file_name = render(&report.file.name, &context, "spec.file.name")?;
    if let Some(message) = wrong_file_name(&file_name) {
        return Err(vec![Problem::new("spec.file.name", format!("`{file_name}` {message}"))]);
    }
    let timeout = report
        .execution
        .as_ref()
        .and_then(|e| e.timeout.as_ref())
        .map_or(TIMEOUT_SECONDS, |d| d.get().as_secs().max(1));
    Ok(RunPlan {
        version: plan::VERSION,
        run: plan::Run {
            id: inputs.run.spec.id.clone(),
            name: name.clone(),
            namespace: inputs.run.metadata.namespace.clone().unwrap_or_default(),
            tenant: inputs.tenant.to_owned(),
            report: inputs.version.spec.report_ref.clone(),
            report_version: report.version.clone(),
            period: plan::Period {
                start: from.to_string(),
                end: to.to_string(),
            },
            planned_at: planned_at.to_string(),
            parameters: values.clone(),
        },
        connectors,
        datasets: datasets(report, &values, from, to),
        rules: report.validation.iter().flatten().map(rule).collect(),
        fields: fields(report, &values, &context)?,
        output: report.output.clone(),
        file: plan::File {
            name: file_name,
            when_empty: report.when_empty.unwrap_or(WhenEmpty::Nothing),
        },
        store: plan::Store {
            options: inputs.store.spec.store.clone(),
            credentials: mount(inputs.store.spec.credentials_ref.as_ref(), "store"),
            prefix: format!("{}/", inputs.tenant),
        },
        destinations,
        limits: plan::Limits {
            timeout_seconds: timeout,
            scratch: SCRATCH.to_owned(),
            scratch_bytes: SCRATCH_BYTES,
        },
    })
}

/// The same problems, said of another object.
fn named(kind: &str, name: &str, problems: Vec<Problem>) -> Vec<Problem> {
    problems
        .into_iter()
        .map(|p| Problem::new(format!("{kind} {name}: {}", p.field), p.message))
        .collect()
}

fn mount(secret: Option<&SecretRef>, directory: &str) -> Option<SecretMount> {
    secret.map(|s| SecretMount {
        name: s.secret.clone(),
        path: format!("{SECRETS}/{directory}"),
    })
}

fn connectors<C: Borrow<Connector>, D: Borrow<Destination>>(inputs: &Inputs<'_, C, D>, problems: &mut Vec<Problem>) -> BTreeMap<String, plan::Connector> {
    let mut out = BTreeMap::new();
    for (i, dataset) in inputs.version.spec.report.source.datasets.iter().enumerate() {
        let name = &dataset.connector_ref;
        let Some(connector) = inputs.connectors.get(name).map(Borrow::borrow) else {
            problems.push(across::missing(format!("spec.source.datasets[{i}].connectorRef"), "Connector", name));
            continue;
        };
        let spec = &connector.spec;
        problems.extend(named("Connector", name, check::connector(spec)));
        out.insert(
            name.clone(),
            plan::Connector {
                source: spec.source.clone(),
                credentials: mount(spec.credentials_ref.as_ref(), &format!("connector-{name}")),
                limits: spec.limits.clone().unwrap_or_default(),
                time_zone: spec.timestamps.as_ref().map_or_else(|| "UTC".to_owned(), |t| t.time_zone.clone()),
            },
        );
    }
    out
}

fn destinations<C: Borrow<Connector>, D: Borrow<Destination>>(inputs: &Inputs<'_, C, D>, problems: &mut Vec<Problem>) -> Vec<plan::Destination> {
    let mut out = Vec::new();
    if inputs.run.spec.mode == Some(Mode::GenerateOnly) {
        return out;
    }
    for (i, target) in inputs.version.spec.report.delivery.iter().flatten().enumerate() {
        let name = &target.destination_ref;
        let Some(destination) = inputs.destinations.get(name).map(Borrow::borrow) else {
            problems.push(across::missing(format!("spec.delivery[{i}].destinationRef"), "Destination", name));
            continue;
        };
        let spec = &destination.spec;
        problems.extend(named("Destination", name, check::destination(spec)));
        let options = spec.delivery.clone().unwrap_or_default();
        out.push(plan::Destination {
            name: name.clone(),
            id: destination.metadata.uid.clone().unwrap_or_else(|| name.clone()),
            transport: spec.transport.clone(),
            credentials: mount(spec.credentials_ref.as_ref(), &format!("destination-{name}")),
            directory: target.path.clone().unwrap_or_else(|| spec.transport.directory().to_owned()),
            temporary_prefix: options.temporary_prefix.unwrap_or_else(|| ".".to_owned()),
            verify: options.verify.unwrap_or(Verify::SizeAndHash),
            timeout_seconds: options.timeout.map_or(DELIVER_TIMEOUT_SECONDS, |d| d.get().as_secs().max(1)),
        });
    }
    out
}

fn datasets(report: &ReportSpec, values: &BTreeMap<String, String>, start: Timestamp, end: Timestamp) -> Vec<plan::Dataset> {
    let bound = |name: &str| match name {
        "period_start" => Some(Bound::DateTime(start.to_string())),
        "period_end" => Some(Bound::DateTime(end.to_string())),
        _ => {
            let declared = report.parameters.iter().flatten().find(|p| p.name == name)?;
            values.get(name).map(|text| parameters::bound(declared.type_, text))
        }
    };
    report
        .source
        .datasets
        .iter()
        .map(|d| plan::Dataset {
            name: d.name.clone(),
            connector: d.connector_ref.clone(),
            query: d.query.clone(),
            // Only what the query uses: the plan is not changed by a parameter that is nobody's.
            parameters: placeholder_names(&d.query).into_iter().filter_map(|n| bound(&n).map(|b| (n, b))).collect(),
            key: d.key.clone().unwrap_or_default(),
            columns: d.columns.clone().unwrap_or_default(),
        })
        .collect()
}

fn rule(v: &Validation) -> plan::Rule {
    plan::Rule {
        id: v.id.clone(),
        severity: v.severity,
        on_violation: v.on_violation,
        tolerance: v.tolerance.as_ref().map_or_else(Tolerance::default, |t| Tolerance {
            rows: t.rows.and_then(|n| u64::try_from(n).ok()),
            fraction: t.fraction.clone(),
        }),
        rule: v.rule.clone(),
    }
}

fn fields(report: &ReportSpec, values: &BTreeMap<String, String>, context: &Context<'_>) -> Result<Vec<plan::Field>, Vec<Problem>> {
    let mut out = Vec::new();
    for (b, block) in report.mapping.iter().flatten().enumerate() {
        for (i, field) in block.fields.iter().enumerate() {
            let from = match &field.from {
                FieldSource::Column(_) | FieldSource::Constant(_) => field.from.clone(),
                // Checked above: a parameter that a field names is always given.
                FieldSource::Parameter(name) => FieldSource::Constant(values.get(name).cloned().unwrap_or_default()),
                FieldSource::Template(text) => FieldSource::Constant(render(text, context, &format!("spec.mapping[{b}].fields[{i}].from.template"))?),
            };
            out.push(plan::Field { to: field.to.clone(), from });
        }
    }
    Ok(out)
}

fn render(text: &str, context: &Context<'_>, field: &str) -> Result<String, Vec<Problem>> {
    template::render(text, context).map_err(|message| vec![Problem::new(field, message)])
}
