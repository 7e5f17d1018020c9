//! What is wrong with a Schedule alone.

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use openreg_crds::ScheduleSpec;
use openreg_parts::error::Problem;

/// A cron expression of five fields; the error says what is wrong.
pub fn cron(text: &str) -> Result<Cron, String> {
    if text.split_whitespace().count() != 5 {
        return Err(format!("`{text}` is not a cron expression: write five fields, minute hour day month weekday, such as 30 18 * * MON-FRI"));
    }
    CronParser::builder().seconds(Seconds::Disallowed).build().parse(text).map_err(|e| format!("`{text}` is not a cron expression: {e}"))
}

/// What is wrong with a Schedule.
pub fn schedule(spec: &ScheduleSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, text) in spec.cron.iter().enumerate() {
        if let Err(message) = cron(text) {
            problems.push(Problem::new(format!("spec.cron[{i}]"), message));
        }
    }
    if let Some(zone) = &spec.time_zone {
        super::time_zone(&mut problems, "spec.timeZone", zone);
    }
    if let Some(version) = &spec.version
        && semver::Version::parse(version).is_err()
    {
        problems.push(Problem::new("spec.version", format!("`{version}` is not a version: write MAJOR.MINOR.PATCH, such as 1.4.0")));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cron_expressions_have_five_fields() {
        for right in ["30 18 * * MON-FRI", "* * * * *", "0 7 L * *", "*/5 8-17 * * 1-5"] {
            assert!(cron(right).is_ok(), "{right}: {:?}", cron(right).err());
        }
        for wrong in ["", "* * * *", "0 0 0 * * *", "61 * * * *", "a b c d e", "@daily"] {
            assert!(cron(wrong).is_err(), "{wrong}");
        }
    }
}
