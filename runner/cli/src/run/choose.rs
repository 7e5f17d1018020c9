//! Which report, which period, which parameters; then the plan, by the operator's own rules.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use openreg_crds::report_run::{Period, Trigger};
use openreg_crds::report_version::ReportVersionSpec;
use openreg_crds::{Connector, Destination, Report, ReportRun, ReportRunSpec, ReportVersion};
use openreg_plan::RunPlan;
use openreg_resolve::{Inputs, digest, resolve};
use uuid::Uuid;

use crate::cli::RunArguments;
use crate::failure::Failure;
use crate::lint::stand_in;
use crate::objects::Objects;

/// The annotation of a Report that says for which period it can be tried out: `START/END`.
const EXAMPLE_PERIOD: &str = "openreg.io/example-period";

/// The tenant of this machine, in paths.
const TENANT: &str = "local";

/// The name space of run ids made here (UUIDv5).
const RUNS: Uuid = Uuid::from_u128(0x6f70_656e_7265_4572_b567_6c61_7074_6f70);

/// What is run.
pub(super) struct Chosen<'a> {
    report: &'a Report,
    name: &'a str,
    period: Period,
    parameters: BTreeMap<String, String>,
    planned_at: Timestamp,
}

/// Chooses by the arguments, then by what stands in the files.
pub(super) fn choose<'a>(objects: &'a Objects, arguments: &RunArguments) -> Result<Chosen<'a>, Failure> {
    let names: Vec<&str> = objects.reports.keys().map(String::as_str).collect();
    let name = match (&arguments.report, names.as_slice()) {
        (Some(name), _) => objects
            .reports
            .get_key_value(name)
            .map(|(n, _)| n.as_str())
            .ok_or_else(|| Failure::config(format!("could not find report {name} in the files: they hold {}", list(&names))))?,
        (None, [only]) => only,
        (None, []) => return Err(Failure::config("could not find a Report in the files").hint("give the file that holds it with -f")),
        (None, _) => return Err(Failure::config(format!("could not choose between the reports {}", list(&names))).hint("name one with --report")),
    };
    let report = &objects.reports[name].object;
    let prepared = objects.runs.values().map(|r| &r.object.spec).find(|r| r.report_ref == name);
    let period = match (&arguments.period_start, &arguments.period_end) {
        (Some(start), Some(end)) => Period {
            start: start.clone(),
            end: end.clone(),
        },
        _ => prepared.map(|r| r.period.clone()).or_else(|| example(report)).ok_or_else(|| {
            Failure::config(format!("could not tell the period of report {name}"))
                .hint("write for example --period-start 2026-03-02T00:00:00Z --period-end 2026-03-03T00:00:00Z")
        })?,
    };
    let mut parameters = prepared.and_then(|r| r.parameters.clone()).unwrap_or_default();
    parameters.extend(arguments.set.iter().cloned());
    // A period that is no period is refused with its field's name when the plan is made.
    let planned_at = arguments.planned_at.or_else(|| period.end.parse().ok()).unwrap_or(Timestamp::UNIX_EPOCH);
    Ok(Chosen {
        report,
        name,
        period,
        parameters,
        planned_at,
    })
}

fn example(report: &Report) -> Option<Period> {
    let (start, end) = report.metadata.annotations.as_ref()?.get(EXAMPLE_PERIOD)?.split_once('/')?;
    Some(Period {
        start: start.to_owned(),
        end: end.to_owned(),
    })
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// The plan, with places as they are in a cluster, so that its digest does not depend on this machine.
pub(super) fn plan(objects: &Objects, chosen: &Chosen<'_>) -> Result<RunPlan, Failure> {
    let sha256 = digest::spec_sha256(&chosen.report.spec);
    let spec = ReportVersionSpec {
        report_ref: chosen.name.to_owned(),
        sha256: sha256.as_str().to_owned(),
        report: chosen.report.spec.clone(),
    };
    let version = ReportVersion::new(&digest::version_name(chosen.name, &chosen.report.spec.version, &sha256), spec);
    let mut run = ReportRun::new(
        chosen.name,
        ReportRunSpec {
            id: run_id(chosen, sha256.as_str()).to_string(),
            report_ref: chosen.name.to_owned(),
            version: None,
            period: chosen.period.clone(),
            parameters: Some(chosen.parameters.clone()),
            trigger: Trigger::Manual,
            requested_by: None,
            mode: None,
            scheduled: None,
            cancelled: None,
            approvals: None,
        },
    );
    run.metadata.creation_timestamp = Some(Time(chosen.planned_at));
    run.metadata.namespace = chosen.report.metadata.namespace.clone();
    let connectors: BTreeMap<String, &Connector> = objects.connectors.iter().map(|(n, c)| (n.clone(), &c.object)).collect();
    let destinations: BTreeMap<String, &Destination> = objects.destinations.iter().map(|(n, d)| (n.clone(), &d.object)).collect();
    let store = stand_in();
    let inputs = Inputs {
        run: &run,
        version: &version,
        tenant: TENANT,
        store: &store,
        connectors: &connectors,
        destinations: &destinations,
    };
    resolve(&inputs).map_err(|problems| Failure::problems(&format!("could not make a plan for report {}", chosen.name), &problems))
}

/// The same for the same report, period, parameters and time.
fn run_id(chosen: &Chosen<'_>, sha256: &str) -> Uuid {
    let mut text = format!(
        "{}\n{sha256}\n{}\n{}\n{}\n",
        chosen.name, chosen.period.start, chosen.period.end, chosen.planned_at
    );
    for (name, value) in &chosen.parameters {
        text.push_str(&format!("{name}={}:{value}\n", value.len()));
    }
    Uuid::new_v5(&RUNS, text.as_bytes())
}
