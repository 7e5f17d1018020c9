//! What is wrong with a Report alone.

use std::collections::BTreeMap;

use openreg_crds::report::{Dataset, Execution, ParameterType, ReportSpec, Validation};
use openreg_parts::error::{Problem, under};
use openreg_parts::rule::Verdict;
use openreg_parts::rule::pattern::{anchored, not_a_regex};
use openreg_parts::source::{ColumnType, placeholder_names};
use openreg_parts::template::{self, Context};
use openreg_parts::transform::mapping::FieldSource;
use openreg_plan::plan::OnViolation;

use super::{backoff, distinct, version, within};
use crate::parameters;

/// Names that every query may use.
pub(crate) const PERIOD: [&str; 2] = ["period_start", "period_end"];

/// What is wrong with a Report.
pub fn report(spec: &ReportSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    version(&mut problems, "spec.version", &spec.version);
    declared(spec, &mut problems);
    distinct(
        spec.source.datasets.iter().map(|d| d.name.as_str()),
        |i| format!("spec.source.datasets[{i}].name"),
        &mut problems,
    );
    for (i, dataset) in spec.source.datasets.iter().enumerate() {
        query(spec, dataset, &format!("spec.source.datasets[{i}]"), &mut problems);
    }
    rules(spec, &mut problems);
    mapping(spec, &mut problems);
    problems.extend(under("spec.output", spec.output.problems()));
    file(spec, &mut problems);
    distinct(
        spec.delivery.iter().flatten().map(|d| d.destination_ref.as_str()),
        |i| format!("spec.delivery[{i}].destinationRef"),
        &mut problems,
    );
    for (i, target) in spec.delivery.iter().flatten().enumerate() {
        if target
            .path
            .as_ref()
            .is_some_and(|p| !p.starts_with('/') || p.split('/').any(|part| part == ".."))
        {
            problems.push(Problem::new(
                format!("spec.delivery[{i}].path"),
                "must begin with a slash and not contain `..`: write for example /in",
            ));
        }
    }
    if let Some(execution) = &spec.execution {
        bounds(execution, &mut problems);
    }
    problems
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
            (ParameterType::Enum, Some(values)) => distinct(values.iter().map(String::as_str), |v| format!("spec.parameters[{i}].values[{v}]"), problems),
            (_, None) => {}
            (_, Some(_)) => problems.push(Problem::new(at("values"), "is for type Enum only: remove it or set type to Enum")),
        }
        if let Some(pattern) = &p.pattern {
            if p.type_ != ParameterType::String {
                problems.push(Problem::new(at("pattern"), "is for type String only: remove it"));
            } else if let Err(e) = anchored(pattern) {
                problems.push(Problem::new(at("pattern"), not_a_regex(&e)));
            }
        }
        if let Some(value) = &p.value {
            if p.required == Some(true) {
                problems.push(Problem::new(
                    at("value"),
                    "a required parameter has no value of its own: remove value or required",
                ));
            }
            // A pattern that is wrong itself has its own problem.
            if let Some(message) = parameters::wrong(p, value)
                && p.pattern.as_deref().is_none_or(|pattern| anchored(pattern).is_ok())
            {
                problems.push(Problem::new(at("value"), message));
            }
        }
    }
}

fn query(spec: &ReportSpec, dataset: &Dataset, at: &str, problems: &mut Vec<Problem>) {
    let declared: Vec<&str> = spec.parameters.iter().flatten().map(|p| p.name.as_str()).collect();
    for name in placeholder_names(&dataset.query) {
        if !PERIOD.contains(&name.as_str()) && !declared.contains(&name.as_str()) {
            problems.push(Problem::new(
                format!("{at}.query"),
                format!("`:{name}` is not known: use :period_start, :period_end or a parameter of the report, or declare it in spec.parameters"),
            ));
        }
    }
    for name in placeholder_names(&dataset.query).iter().filter(|name| optional(spec, name)) {
        problems.push(Problem::new(format!("{at}.query"), may_be_absent(name)));
    }
    if dataset.query.trim().is_empty() {
        problems.push(Problem::new(format!("{at}.query"), "is empty: write one statement that reads"));
    }
    let key = dataset.key.as_deref().unwrap_or_default();
    distinct(key.iter().map(String::as_str), |i| format!("{at}.key[{i}]"), problems);
    for (name, type_) in dataset.columns.iter().flatten() {
        let ColumnType::Decimal(shape) = type_;
        if !matches!(shape.as_slice(), [precision, scale] if (1..=38).contains(precision) && scale <= precision) {
            problems.push(Problem::new(
                format!("{at}.columns.{name}.decimal"),
                "write [precision, scale] with 1 to 38 digits and a scale that is not larger, such as [18, 5]",
            ));
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
        if rule.rule.columns().is_empty() {
            problems.push(Problem::new(
                format!("{at}.rule.{}.columns", rule.rule.kind()),
                "is empty: name at least one column",
            ));
        }
        distinct(
            rule.rule.columns().into_iter(),
            |c| format!("{at}.rule.{}.columns[{c}]", rule.rule.kind()),
            problems,
        );
        if rule.on_violation == OnViolation::Exclude && rule.rule.verdict(&ordered_by) == Verdict::AtEnd {
            let message = format!(
                "{} knows only after the last row, too late to exclude one: use Block or Flag, or set the dataset's key to exactly its columns",
                rule.rule.kind()
            );
            problems.push(Problem::new(format!("{at}.onViolation"), message));
        }
        tolerance(rule, &at, problems);
    }
}

fn tolerance(rule: &Validation, at: &str, problems: &mut Vec<Problem>) {
    match (&rule.tolerance, rule.on_violation) {
        (None, OnViolation::Exclude) => problems.push(Problem::new(
            format!("{at}.tolerance"),
            "is required for onViolation Exclude: how many rows may be left out, as rows or as fraction",
        )),
        (Some(_), OnViolation::Block | OnViolation::Flag) => {
            problems.push(Problem::new(format!("{at}.tolerance"), "is for onViolation Exclude only: remove it"))
        }
        (Some(t), OnViolation::Exclude) => {
            if t.rows.is_none() && t.fraction.is_none() {
                problems.push(Problem::new(format!("{at}.tolerance"), "set rows, fraction or both"));
            }
            if t.rows.is_some_and(|n| n < 0) {
                problems.push(Problem::new(format!("{at}.tolerance.rows"), "must not be negative: write 0 or more"));
            }
            if let Some(text) = &t.fraction
                && !is_fraction(text)
            {
                problems.push(Problem::new(
                    format!("{at}.tolerance.fraction"),
                    format!("`{text}` is not a fraction: write a decimal from 0 to 1 as text, such as \"0.001\""),
                ));
            }
        }
        (None, _) => {}
    }
}

/// A decimal from 0 to 1 with at most nine digits after the point, so that it is compared exactly.
fn is_fraction(text: &str) -> bool {
    match text.split_once('.') {
        None => matches!(text, "0" | "1"),
        Some((whole, digits)) => {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit()) && (whole == "0" || whole == "1" && digits.bytes().all(|b| b == b'0'))
        }
    }
}

fn mapping(spec: &ReportSpec, problems: &mut Vec<Problem>) {
    let blocks = spec.mapping.as_deref().unwrap_or_default();
    if let [_, second, ..] = blocks {
        problems.push(Problem::new(
            "spec.mapping[1]",
            format!(
                "{} is a flat format and has one block: move the fields of `{}` into the first",
                spec.output.kind(),
                second.name
            ),
        ));
    }
    distinct(blocks.iter().map(|b| b.name.as_str()), |i| format!("spec.mapping[{i}].name"), problems);
    for (b, block) in blocks.iter().enumerate() {
        distinct(
            block.fields.iter().map(|f| f.to.as_str()),
            |i| format!("spec.mapping[{b}].fields[{i}].to"),
            problems,
        );
        for (i, field) in block.fields.iter().enumerate() {
            let at = format!("spec.mapping[{b}].fields[{i}].from");
            match &field.from {
                FieldSource::Column(_) | FieldSource::Constant(_) => {}
                FieldSource::Parameter(name) => {
                    if !spec.parameters.iter().flatten().any(|p| &p.name == name) {
                        problems.push(Problem::new(
                            format!("{at}.parameter"),
                            format!("the report has no parameter `{name}`: declare it in spec.parameters"),
                        ));
                    } else if optional(spec, name) {
                        problems.push(Problem::new(format!("{at}.parameter"), may_be_absent(name)));
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
        "" | "." | ".." => "is not a file name: write for example trades_{period.start:%Y%m%d}.csv",
        n if n.contains(['/', '\\']) => "must not contain a slash: the directory is the delivery's path",
        n if n.chars().any(char::is_control) => "must not contain control characters: write printable ones only",
        n if n.starts_with('.') => "must not begin with a dot: receivers hide such files",
        n if n.len() > 200 => "has more than 200 bytes: make it shorter",
        _ => return None,
    };
    Some(message.to_owned())
}

/// The text with stand-ins for what only a run knows. A parameter that a run may leave out is refused.
fn rendered(spec: &ReportSpec, text: &str) -> Result<String, String> {
    let all: BTreeMap<String, String> = spec
        .parameters
        .iter()
        .flatten()
        .map(|p| (p.name.clone(), p.value.clone().unwrap_or_else(|| "X".to_owned())))
        .collect();
    let render = |parameters: &BTreeMap<String, String>| {
        let start = jiff::Timestamp::UNIX_EPOCH;
        template::render(
            text,
            &Context {
                run_id: "00000000-0000-4000-8000-000000000000",
                run_name: "run",
                planned_at: start,
                period_start: start.to_zoned(jiff::tz::TimeZone::UTC),
                period_end: start.to_zoned(jiff::tz::TimeZone::UTC),
                report: "report",
                version: &spec.version,
                parameters,
            },
        )
    };
    let text = render(&all)?;
    for name in all.keys().filter(|name| optional(spec, name)) {
        let mut without = all.clone();
        without.remove(name);
        if render(&without).is_err() {
            return Err(may_be_absent(name));
        }
    }
    Ok(text)
}

/// Whether the parameter is declared, and a run may leave it out.
fn optional(spec: &ReportSpec, name: &str) -> bool {
    spec.parameters
        .iter()
        .flatten()
        .any(|p| p.name == name && p.required != Some(true) && p.value.is_none())
}

fn may_be_absent(name: &str) -> String {
    format!("uses parameter `{name}`, which a run may leave out: set required or value on it")
}

fn bounds(execution: &Execution, problems: &mut Vec<Problem>) {
    within(problems, "spec.execution.timeout", execution.timeout.as_ref(), 1, 24 * 3600, "1s to 24h");
    within(
        problems,
        "spec.execution.startupDeadline",
        execution.startup_deadline.as_ref(),
        10,
        3600,
        "10s to 1h",
    );
    if execution.memory.as_ref().is_some_and(|m| m.get() < 64 << 20 || m.get() > 4 << 30) {
        problems.push(Problem::new("spec.execution.memory", "must be from 64Mi to 4Gi"));
    }
    if let Some(cpu) = &execution.cpu
        && !cpu_millis(cpu).is_some_and(|m| (10..=2000).contains(&m))
    {
        problems.push(Problem::new(
            "spec.execution.cpu",
            format!("`{cpu}` is not possible: write from 10m to 2, such as 500m or 1.5"),
        ));
    }
    backoff(
        problems,
        "spec.execution.retry.backoff",
        execution.retry.as_ref().and_then(|r| r.backoff.as_ref()),
    );
}

/// Thousandths of a CPU: `500m`, `1.5`, `2`.
fn cpu_millis(text: &str) -> Option<u32> {
    if let Some(millis) = text.strip_suffix('m') {
        return millis.parse().ok();
    }
    let (whole, tenths) = text.split_once('.').unwrap_or((text, "0"));
    if tenths.len() != 1 {
        return None;
    }
    whole.parse::<u32>().ok()?.checked_mul(1000)?.checked_add(tenths.parse::<u32>().ok()? * 100)
}
