//! What is wrong with a ReportRun alone.

use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use openreg_crds::ReportRunSpec;
use openreg_crds::report_run::Period;
use openreg_parts::error::Problem;

/// What is wrong with a ReportRun.
pub fn run(spec: &ReportRunSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if uuid::Uuid::try_parse(&spec.id).is_err() {
        problems.push(Problem::new(
            "spec.id",
            format!("`{}` is not a UUID: write one of your own, such as uuidgen prints", spec.id),
        ));
    }
    if let Some(version) = &spec.version {
        super::version(&mut problems, "spec.version", version);
    }
    period(&spec.period, &mut problems);
    problems
}

/// The instants of a period, each with the offset it is written with, if they are right.
pub(crate) fn period(period: &Period, problems: &mut Vec<Problem>) -> Option<(Zoned, Zoned)> {
    let mut both = |field: &str, text: &str| {
        let at = instant(text);
        if at.is_none() {
            problems.push(Problem::new(
                format!("spec.period.{field}"),
                format!("`{text}` is not an instant: write for example 2026-03-02T00:00:00Z"),
            ));
        }
        at
    };
    let (start, end) = (both("start", &period.start), both("end", &period.end));
    let (start, end) = (start?, end?);
    if start.timestamp() >= end.timestamp() {
        problems.push(Problem::new("spec.period.end", "must be after period.start: the end is exclusive"));
        return None;
    }
    Some((start, end))
}

fn instant(text: &str) -> Option<Zoned> {
    let at: Timestamp = text.parse().ok()?;
    let offset = Pieces::parse(text).ok()?.to_numeric_offset()?;
    Some(at.to_zoned(TimeZone::fixed(offset)))
}
