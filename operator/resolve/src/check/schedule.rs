//! What is wrong with a Schedule or a Calendar alone.

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use openreg_crds::{CalendarSpec, ScheduleSpec};
use openreg_parts::error::Problem;

/// A cron expression of five fields; the error says what is wrong.
pub fn cron(text: &str) -> Result<Cron, String> {
    if text.split_whitespace().count() != 5 {
        return Err(format!(
            "`{text}` is not a cron expression: write five fields, minute hour day month weekday, such as 30 18 * * MON-FRI"
        ));
    }
    CronParser::builder().seconds(Seconds::Disallowed).build().parse(text).map_err(|e| {
        let reason = e.to_string();
        let reason = reason.trim_start_matches("Component error: ").trim_end_matches('.');
        format!("`{text}` is not a cron expression ({reason}): write five fields, minute hour day month weekday, such as 30 18 * * MON-FRI")
    })
}

/// What is wrong with a Schedule.
pub fn schedule(spec: &ScheduleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.cron.is_empty() {
        problems.push(Problem::new(
            "spec.cron",
            "is empty: write at least one cron expression, such as 30 18 * * MON-FRI",
        ));
    }
    for (i, text) in spec.cron.iter().enumerate() {
        if let Err(message) = cron(text) {
            problems.push(Problem::new(format!("spec.cron[{i}]"), message));
        }
    }
    if let Some(zone) = &spec.time_zone {
        super::time_zone(&mut problems, "spec.timeZone", zone);
    }
    if let Some(version) = &spec.version {
        super::version(&mut problems, "spec.version", version);
    }
    problems
}

/// What is wrong with a Calendar.
pub fn calendar(spec: &CalendarSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, holiday) in spec.holidays.iter().flatten().enumerate() {
        if holiday.date.len() != 10 || holiday.date.parse::<jiff::civil::Date>().is_err() {
            problems.push(Problem::new(
                format!("spec.holidays[{i}].date"),
                format!("`{}` is not a date: write for example 2026-12-25", holiday.date),
            ));
        }
        if let Some(closes) = &holiday.closes
            && (closes.len() != 5 || closes.parse::<jiff::civil::Time>().is_err())
        {
            problems.push(Problem::new(
                format!("spec.holidays[{i}].closes"),
                format!("`{closes}` is not a time of day: write for example 12:00"),
            ));
        }
    }
    super::distinct(
        spec.holidays.iter().flatten().map(|h| h.date.as_str()),
        |i| format!("spec.holidays[{i}].date"),
        &mut problems,
    );
    if spec.weekend.as_ref().is_some_and(|days| days.len() == 7) {
        problems.push(Problem::new(
            "spec.weekend",
            "names every day of the week, so that no day would count: leave one out",
        ));
    }
    problems
}
