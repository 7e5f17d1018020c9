//! From what is known to a plan, or to what is missing or wrong. Pure; the plan itself is made by `openreg-resolve`.

use openreg_crds::ReportVersion;
use openreg_crds::report_run::RunFailure;
use openreg_parts::error::{Class, Problem};
use openreg_plan::{RunPlan, Sha256};

use super::facts::Facts;
use super::launch::Launch;
use super::outcome::failure;
use super::references;

/// What came of planning.
#[derive(Clone, Debug, PartialEq)]
pub enum Planned {
    /// Here is the plan.
    Ready(Box<Prepared>),
    /// No plan can be made.
    Wrong(RunFailure),
    /// Something that the run refers to is missing or not valid yet.
    Missing(String),
}

/// A plan and what goes with it.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// The report's version.
    pub version: String,
    /// The plan's bytes.
    pub plan: Vec<u8>,
    /// Their digest.
    pub sha256: Sha256,
    /// What the Jobs get beside it.
    pub launch: Launch,
}

/// The plan of a run that has none.
pub fn plan(facts: &Facts) -> Planned {
    let version = references::choose(&facts.run.spec, facts.report.as_deref(), &facts.versions);
    let missing = references::missing(facts, version.map(AsRef::as_ref));
    match version {
        Some(version) if missing.is_empty() => prepare(facts, version),
        _ => Planned::Missing(missing.join("; ")),
    }
}

fn prepare(facts: &Facts, version: &ReportVersion) -> Planned {
    let plan = match resolved(facts, version) {
        Ok(plan) => plan,
        Err(problems) => return Planned::Wrong(invalid(&problems)),
    };
    let report = &version.spec.report;
    let launch = Launch::of(&plan, report.execution.as_ref(), &facts.destinations);
    match plan.to_bytes() {
        Ok(bytes) => Planned::Ready(Box::new(Prepared {
            version: report.version.clone(),
            sha256: Sha256::of(&bytes),
            plan: bytes,
            launch,
        })),
        Err(error) => Planned::Wrong(failure(
            "Plan",
            Class::Config,
            "PlanTooLarge",
            error.to_string(),
            Some("shorten the queries or the mapping"),
        )),
    }
}

/// The plan by the rules that the command line and the API use too.
fn resolved(facts: &Facts, version: &ReportVersion) -> Result<RunPlan, Vec<Problem>> {
    let (Some(tenant), Some(store)) = (&facts.tenant, &facts.store) else {
        return Err(Vec::new());
    };
    openreg_resolve::resolve(&openreg_resolve::Inputs {
        run: &facts.run,
        version,
        tenant,
        store,
        connectors: &facts.connectors,
        destinations: &facts.destinations,
    })
}

/// The first problem in full, and how many more there are.
fn invalid(problems: &[Problem]) -> RunFailure {
    let message = match problems {
        [] => "the spec is not valid".to_owned(),
        [only] => only.to_string(),
        [first, rest @ ..] => format!("{first} (and {} more)", rest.len()),
    };
    failure(
        "Plan",
        Class::Config,
        "Invalid",
        message,
        Some("mend the Report, Connector or Destination that is named, then start the run again"),
    )
}
