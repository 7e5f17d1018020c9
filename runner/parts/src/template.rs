//! Texts with placeholders: `A26_{param.lei}_{run.plannedAt:%Y%m%d}.csv`.
//!
//! | placeholder | value |
//! |---|---|
//! | `{param.NAME}` | a parameter of the run |
//! | `{run.id}`, `{run.name}` | the run's id and name |
//! | `{run.plannedAt:FORMAT}` | when the run was planned, UTC; FORMAT as in strftime |
//! | `{period.start:FORMAT}`, `{period.end:FORMAT}` | the period, with the offset it is written with; its end is exclusive |
//! | `{report.name}`, `{report.version}` | the report |
//! | `{{`, `}}` | a brace |
//!
//! Rendered when the plan is made, never later: a plan leaves nothing to decide.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

/// What a template may name.
#[derive(Clone, Debug)]
pub struct Context<'a> {
    /// The run's id.
    pub run_id: &'a str,
    /// The run's name.
    pub run_name: &'a str,
    /// When the run was planned.
    pub planned_at: Timestamp,
    /// Start of the period, inclusive. Its zone counts: the day of a bank in Berlin begins on the evening before in UTC.
    pub period_start: Zoned,
    /// End of the period, exclusive.
    pub period_end: Zoned,
    /// The report's name.
    pub report: &'a str,
    /// The report's version.
    pub version: &'a str,
    /// The run's parameters.
    pub parameters: &'a BTreeMap<String, String>,
}

/// The text with every placeholder replaced; the error says which placeholder is wrong and what may stand there.
pub fn render(template: &str, context: &Context<'_>) -> Result<String, String> {
    let mut out = String::with_capacity(template.len() + 16);
    let mut rest = template;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        if brace == "}" {
            return Err("a closing brace without an opening one: write `}}` for a brace".to_owned());
        }
        let end = rest.find('}').ok_or("an opening brace without a closing one: write `{{` for a brace")?;
        out.push_str(&value(&rest[..end], context)?);
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn value(placeholder: &str, context: &Context<'_>) -> Result<String, String> {
    let (name, format) = placeholder.split_once(':').map_or((placeholder, None), |(n, f)| (n, Some(f)));
    let time = |at: &Zoned| {
        let format = format.ok_or_else(|| format!("`{{{placeholder}}}` needs a format: write for example `{{{name}:%Y%m%d}}`"))?;
        jiff::fmt::strtime::format(format, at).map_err(|e| format!("`{{{placeholder}}}`: {e}"))
    };
    match name {
        "run.plannedAt" => return time(&context.planned_at.to_zoned(TimeZone::UTC)),
        "period.start" => return time(&context.period_start),
        "period.end" => return time(&context.period_end),
        _ => {}
    }
    if format.is_some() {
        return Err(format!("`{{{placeholder}}}`: only times take a format"));
    }
    match name {
        "run.id" => Ok(context.run_id.to_owned()),
        "run.name" => Ok(context.run_name.to_owned()),
        "report.name" => Ok(context.report.to_owned()),
        "report.version" => Ok(context.version.to_owned()),
        _ => match name.strip_prefix("param.") {
            Some(parameter) => context
                .parameters
                .get(parameter)
                .cloned()
                .ok_or_else(|| format!("`{{{placeholder}}}`: the report has no parameter `{parameter}`")),
            None => Err(format!(
                "`{{{placeholder}}}` is not known: write param.NAME, run.id, run.name, run.plannedAt, period.start, period.end, report.name or report.version"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a timestamp")
    }

    #[test]
    fn placeholders_are_replaced_or_refused() {
        let parameters = BTreeMap::from([("lei".to_owned(), "5299".to_owned())]);
        let context = Context {
            run_id: "id",
            run_name: "trades-1",
            planned_at: at("2026-03-02T05:06:07Z"),
            period_start: at("2026-02-28T23:00:00Z").to_zoned(TimeZone::fixed(jiff::tz::offset(1))),
            period_end: at("2026-03-01T23:00:00Z").to_zoned(TimeZone::fixed(jiff::tz::offset(1))),
            report: "trades",
            version: "1.0.0",
            parameters: &parameters,
        };
        for (template, expected) in [
            ("a_{param.lei}_{run.plannedAt:%Y%m%d}.csv", Ok("a_5299_20260302.csv")),
            ("{{x}}", Ok("{x}")),
            ("{report.name}-{report.version}-{period.start:%d}-{period.end:%d}", Ok("trades-1.0.0-01-02")),
            ("{param.x}", Err("no parameter `x`")),
            ("{period.start}", Err("needs a format")),
            ("{run.id:%Y}", Err("only times")),
            ("{nope}", Err("is not known")),
            ("{", Err("without a closing")),
            ("}", Err("without an opening")),
        ] {
            match (render(template, &context), expected) {
                (Ok(got), Ok(want)) => assert_eq!(got, want),
                (Err(got), Err(want)) => assert!(got.contains(want), "{template}: {got}"),
                (got, want) => panic!("{template}: {got:?}, not {want:?}"),
            }
        }
    }
}
