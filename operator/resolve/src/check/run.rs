//! What is wrong with a ReportRun alone.

use jiff::Timestamp;
use openreg_crds::ReportRunSpec;
use openreg_crds::report_run::Period;
use openreg_parts::error::Problem;

/// What is wrong with a ReportRun.
pub fn run(spec: &ReportRunSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if uuid::Uuid::try_parse(&spec.id).is_err() {
        problems.push(Problem::new("spec.id", format!("`{}` is not a UUID: write one of your own, such as uuidgen prints", spec.id)));
    }
    if let Some(version) = &spec.version {
        super::version(&mut problems, "spec.version", version);
    }
    period(&spec.period, &mut problems);
    problems
}

/// The instants of a period, if they are right.
pub(crate) fn period(period: &Period, problems: &mut Vec<Problem>) -> Option<(Timestamp, Timestamp)> {
    let mut instant = |field: &str, text: &str| {
        let wrong = |_| problems.push(Problem::new(format!("spec.period.{field}"), format!("`{text}` is not an instant: write for example 2026-03-02T00:00:00Z")));
        text.parse::<Timestamp>().map_err(wrong).ok()
    };
    let (start, end) = (instant("start", &period.start), instant("end", &period.end));
    let (start, end) = (start?, end?);
    if start >= end {
        problems.push(Problem::new("spec.period.end", "must be after period.start: the end is exclusive"));
        return None;
    }
    Some((start, end))
}
