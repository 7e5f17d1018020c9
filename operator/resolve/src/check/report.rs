//! What is wrong with a Report alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use openreg_crds::report::{Dataset, Execution, ParameterType, ReportSpec, Validation};
use openreg_parts::error::{Problem, under};
use openreg_parts::rule::Verdict;
use openreg_parts::source::{ColumnType, placeholder_names};
use openreg_parts::template::{self, Context};
use openreg_parts::transform::mapping::FieldSource;
use openreg_plan::plan::OnViolation;

use crate::parameters;

/// Names that every query may use.
pub(crate) const PERIOD: [&str; 2] = ["period_start", "period_end"];

/// What is wrong with a Report.
pub fn report(spec: &ReportSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if semver::Version::parse(&spec.version).is_err() {
        problems.push(Problem::new("spec.version", format!("`{}` is not a version: write MAJOR.MINOR.PATCH, such as 1.4.0", spec.version)));
    }
    declared(spec, &mut problems);
    for (i, dataset) in spec.source.datasets.iter().enumerate() {
        query(spec, dataset, &format!("spec.source.datasets[{i}]"), &mut problems);
    }
    rules(spec, &mut problems);
    mapping(spec, &mut problems);
    problems.extend(under("spec.output", spec.output.problems()));
    file(spec, &mut problems);
    distinct(spec.delivery.iter().flatten().map(|d| d.destination_ref.as_str()), |i| format!("spec.delivery[{i}].destinationRef"), &mut problems);
    if let Some(execution) = &spec.execution {
        bounds(execution, &mut problems);
    }
    problems
}

/// A name may be used once.
fn distinct<'a>(names: impl Iterator<Item = &'a str>, field: impl Fn(usize) -> String, problems: &mut Vec<Problem>) {
    let mut seen = BTreeSet::new();
    for (i, name) in names.enumerate() {
        if !seen.insert(name) {
            problems.push(Problem::new(field(i), format!("`{name}` is there already: each name may be used once")));
        }
    }
}

fn declared(spec: &ReportSpec, problems: &mut Vec<Problem>) {
    let declared = spec.parameters.as_deref().unwrap_or_default();
    distinct(declared.iter().map(|p| p.name.as_str()), |i| format!("spec.parameters[{i}].name"), problems);
    for (i, p) in declared.iter().enumerate() {
        let at = |field: &str| format!("spec.parameters[{i}].{field}");
        if PERIOD.contains(&p.name.as_str()) {
            problems.push(Problem::new(at("name"), format!("`{}` is given to every query: choose another name", p.name)));
        }
        match (p.type_, &p.values) {
            (ParameterType::Enum, None) => problems.push(Problem::new(at("values"), "is required for type Enum: list what it may be")),
            (ParameterType::Enum, Some(_)) | (_, None) => {}
            (_, Some(_)) => problems.push(Problem::new(at("values"), "is for type Enum only: remove it or set type to Enum")),
        }
        if let Some(pattern) = &p.pattern {
            if p.type_ != ParameterType::String {
                problems.push(Problem::new(at("pattern"), "is for type String only: remove it"));
            } else if let Err(e) = regex::Regex::new(pattern) {
                problems.push(Problem::new(at("pattern"), format!("is not a regular expression: {}", e.to_string().lines().last().unwrap_or_default().trim())));
            }
        }
        if let Some(value) = &p.value {
            if p.required == Some(true) {
                problems.push(Problem::new(at("value"), "a required parameter has no value of its own: remove value or required"));
            }
            if let Some(message) = parameters::wrong(p, value) {
                problems.push(Problem::new(at("value"), message));
            }
        }
    }
}

fn query(spec: &ReportSpec, dataset: &Dataset, at: &str, problems: &mut Vec<Problem>) {
    let declared: Vec<&str> = spec.parameters.iter().flatten().map(|p| p.name.as_str()).collect();
    for name in placeholder_names(&dataset.query) {
        if !PERIOD.contains(&name.as_str()) && !declared.contains(&name.as_str()) {
            problems.push(Problem::new(format!("{at}.query"), format!("`:{name}` is not known: use :period_start, :period_end or a parameter of the report, or declare it in spec.parameters")));
        }
    }
    for p in spec.parameters.iter().flatten().filter(|p| p.required != Some(true) && p.value.is_none()) {
        if placeholder_names(&dataset.query).contains(&p.name) {
            problems.push(Problem::new(format!("{at}.query"), format!("uses parameter `{}`, which a run may leave out: set required or value on it", p.name)));
        }
    }
    if dataset.query.trim().is_empty() {
        problems.push(Problem::new(format!("{at}.query"), "is empty: write one statement that reads"));
    }
    let key = dataset.key.as_deref().unwrap_or_default();
    distinct(key.iter().map(String::as_str), |i| format!("{at}.key[{i}]"), problems);
    for (name, type_) in dataset.columns.iter().flatten() {
        let ColumnType::Decimal(shape) = type_;
        if !matches!(shape.as_slice(), [precision, scale] if (1..=38).contains(precision) && scale <= precision) {
            problems.push(Problem::new(format!("{at}.columns.{name}.decimal"), "write [precision, scale] with 1 to 38 digits and a scale that is not larger, such as [18, 5]"));
        }
    }
}

fn rules(spec: &ReportSpec, problems: &mut Vec<Problem>) {
    let rules = spec.validation.as_deref().unwrap_or_default();
    distinct(rules.iter().map(|r| r.id.as_str()), |i| format!("spec.validation[{i}].id"), problems);
    let ordered_by = spec.source.datasets.first().and_then(|d| d.key.clone()).unwrap_or_default();
    for (i, rule) in rules.iter().enumerate() {
        let at = format!("spec.validation[{i}]");
        problems.extend(under(&format!("{at}.rule"), rule.rule.problems()));
        if rule.on_violation == OnViolation::Exclude && rule.rule.verdict(&ordered_by) == Verdict::AtEnd {
            let message = format!("{} knows only after the last row, too late to exclude one: use Block or Flag, or set the dataset's key to exactly its columns", rule.rule.kind());
            problems.push(Problem::new(format!("{at}.onViolation"), message));
        }
        tolerance(rule, &at, problems);
    }
}

fn tolerance(rule: &Validation, at: &str, problems: &mut Vec<Problem>) {
    match (&rule.tolerance, rule.on_violation) {
        (None, OnViolation::Exclude) => problems.push(Problem::new(format!("{at}.tolerance"), "is required for onViolation Exclude: how many rows may be left out, as rows or as fraction")),
        (Some(_), OnViolation::Block | OnViolation::Flag) => problems.push(Problem::new(format!("{at}.tolerance"), "is for onViolation Exclude only: remove it")),
        (Some(t), OnViolation::Exclude) => {
            if t.rows.is_none() && t.fraction.is_none() {
                problems.push(Problem::new(format!("{at}.tolerance"), "set rows, fraction or both"));
            }
            if t.rows.is_some_and(|n| n < 0) {
                problems.push(Problem::new(format!("{at}.tolerance.rows"), "must not be negative"));
            }
        }
        (None, _) => {}
    }
}

fn mapping(spec: &ReportSpec, problems: &mut Vec<Problem>) {
    let blocks = spec.mapping.as_deref().unwrap_or_default();
    if let [_, second, ..] = blocks {
        problems.push(Problem::new("spec.mapping[1]", format!("{} is a flat format and has one block: move the fields of `{}` into the first", spec.output.kind(), second.name)));
    }
    for (b, block) in blocks.iter().enumerate() {
        distinct(block.fields.iter().map(|f| f.to.as_str()), |i| format!("spec.mapping[{b}].fields[{i}].to"), problems);
        for (i, field) in block.fields.iter().enumerate() {
            let at = format!("spec.mapping[{b}].fields[{i}].from");
            match &field.from {
                FieldSource::Column(_) | FieldSource::Constant(_) => {}
                FieldSource::Parameter(name) => {
                    if !spec.parameters.iter().flatten().any(|p| &p.name == name) {
                        problems.push(Problem::new(format!("{at}.parameter"), format!("the report has no parameter `{name}`: declare it in spec.parameters")));
                    }
                }
                FieldSource::Template(text) => {
                    if let Err(message) = rendered(spec, text) {
                        problems.push(Problem::new(format!("{at}.template"), message));
                    }
                }
            }
        }
    }
}

fn file(spec: &ReportSpec, problems: &mut Vec<Problem>) {
    match rendered(spec, &spec.file.name) {
        Err(message) => problems.push(Problem::new("spec.file.name", message)),
        Ok(name) => {
            if let Some(message) = wrong_file_name(&name) {
                problems.push(Problem::new("spec.file.name", message));
            }
        }
    }
}

/// Why a name cannot be a file's.
pub(crate) fn wrong_file_name(name: &str) -> Option<String> {
    let message = match name {
        "" | "." | ".." => "is not a file name",
        n if n.contains(['/', '\\']) => "must not contain a slash: the directory is the delivery's path",
        n if n.chars().any(char::is_control) => "must not contain control characters",
        n if n.starts_with('.') => "must not begin with a dot: receivers hide such files",
        n if n.len() > 200 => "has more than 200 bytes",
        _ => return None,
    };
    Some(message.to_owned())
}

/// The text with stand-ins for what only a run knows.
fn rendered(spec: &ReportSpec, text: &str) -> Result<String, String> {
    let parameters: BTreeMap<String, String> = spec.parameters.iter().flatten().map(|p| (p.name.clone(), p.value.clone().unwrap_or_else(|| "X".to_owned()))).collect();
    let start = jiff::Timestamp::UNIX_EPOCH;
    let context = Context {
        run_id: "00000000-0000-4000-8000-000000000000",
        run_name: "run",
        planned_at: start,
        period_start: start,
        period_end: start,
        report: "report",
        version: &spec.version,
        parameters: &parameters,
    };
    template::render(text, &context)
}

fn bounds(execution: &Execution, problems: &mut Vec<Problem>) {
    let mut within = |field: &str, value: Option<Duration>, min: Duration, max: Duration, words: &str| {
        if value.is_some_and(|v| v < min || v > max) {
            problems.push(Problem::new(format!("spec.execution.{field}"), format!("must be from {words}")));
        }
    };
    let get = |d: &Option<openreg_parts::units::Duration>| d.as_ref().map(openreg_parts::units::Duration::get);
    within("timeout", get(&execution.timeout), Duration::from_secs(1), Duration::from_secs(24 * 3600), "1s to 24h");
    within("startupDeadline", get(&execution.startup_deadline), Duration::from_secs(10), Duration::from_secs(3600), "10s to 1h");
    if execution.memory.as_ref().is_some_and(|m| m.get() < 64 << 20 || m.get() > 4 << 30) {
        problems.push(Problem::new("spec.execution.memory", "must be from 64Mi to 4Gi"));
    }
}
