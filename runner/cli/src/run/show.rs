//! What a run says at its end: counts, violations, files, what to do next. On standard output.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};

use openreg_parts::store::manifest::{Manifest, Outcome};
use openreg_plan::RunPlan;
use openreg_plan::plan::OnViolation;
use openreg_runner::generate::Generated;
use serde_json::Value;

use super::Delivery;
use super::output::Output;
use crate::failure::Failure;
use crate::table::table;

/// Rows that are shown of each rule's violations.
const SHOWN: usize = 3;

/// Says what came of the run.
pub(super) fn show(plan: &RunPlan, generated: &Generated, deliveries: &[Delivery], output: &Output) -> Result<(), Failure> {
    let manifest = &generated.manifest;
    let run = &plan.run;
    println!("{} {}, {} to {}", run.report, run.report_version, run.period.start, run.period.end);
    println!("\nrows");
    print!("{}", counts(manifest));
    if manifest.rules.iter().any(|r| r.violations > 0) {
        println!("\nviolations");
        print!("{}", violations(plan, manifest, output)?);
    }
    if !manifest.artifacts.is_empty() {
        println!("\nfiles");
        print!("{}", files(manifest));
    }
    if !deliveries.is_empty() {
        println!("\ndeliveries");
        let rows: Vec<Vec<String>> = deliveries
            .iter()
            .map(|d| match &d.result {
                Ok(path) => vec![d.destination.clone(), "delivered".to_owned(), path.clone()],
                Err(why) => vec![d.destination.clone(), "no".to_owned(), why.clone()],
            })
            .collect();
        print!("{}", table(&rows, &[]));
    }
    if let Some(sealed) = &generated.done.manifest {
        println!("\nmanifest\n  {}\n  SHA-256 {}", output.path("manifest.json").display(), sealed.sha256);
    }
    println!("\n{}", next(plan, manifest, output));
    Ok(())
}

fn counts(manifest: &Manifest) -> String {
    let mut rows = vec![["dataset", "read", "reported", "excluded", "dropped"].map(str::to_owned).to_vec()];
    rows.extend(manifest.datasets.iter().map(|d| {
        vec![
            d.dataset.clone(),
            d.read.to_string(),
            d.reported.to_string(),
            d.excluded.to_string(),
            d.dropped.to_string(),
        ]
    }));
    table(&rows, &[false, true, true, true, true])
}

fn files(manifest: &Manifest) -> String {
    let mut rows = vec![["name", "records", "bytes", "SHA-256"].map(str::to_owned).to_vec()];
    rows.extend(
        manifest
            .artifacts
            .iter()
            .map(|a| vec![a.name.clone(), a.records.to_string(), a.size.to_string(), a.sha256.clone()]),
    );
    table(&rows, &[false, true, true, false])
}

fn violations(plan: &RunPlan, manifest: &Manifest, output: &Output) -> Result<String, Failure> {
    let first = first_rows(manifest, output)?;
    let mut rows = vec![["rule", "severity", "then", "found", "first rows"].map(str::to_owned).to_vec()];
    for (rule, counted) in plan.rules.iter().zip(&manifest.rules).filter(|(_, counted)| counted.violations > 0) {
        let mut shown = first.get(&rule.id).map(|rows| rows.join(", ")).unwrap_or_default();
        if counted.violations > SHOWN as u64 {
            shown.push_str(", …");
        }
        rows.push(vec![
            rule.id.clone(),
            format!("{:?}", rule.severity),
            format!("{:?}", rule.on_violation),
            counted.violations.to_string(),
            shown,
        ]);
    }
    Ok(table(&rows, &[false, false, false, true, false]))
}

/// The first rows of each rule's violations, by number and key.
fn first_rows(manifest: &Manifest, output: &Output) -> Result<BTreeMap<String, Vec<String>>, Failure> {
    let mut first: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if manifest.violations.is_none() {
        return Ok(first);
    }
    let path = output.path("violations.jsonl");
    let file = File::open(&path).map_err(|e| Failure::io("read", &path, &e))?;
    for line in BufReader::new(file).lines() {
        let line = line.map_err(|e| Failure::io("read", &path, &e))?;
        let Ok(violation) = serde_json::from_str::<Value>(&line) else { continue };
        let rows = first.entry(violation["rule"].as_str().unwrap_or_default().to_owned()).or_default();
        if rows.len() < SHOWN {
            let key = match &violation["key"] {
                Value::Object(key) => key.values().map(plain).collect::<Vec<_>>().join(" "),
                Value::Array(key) => key.iter().map(plain).collect::<Vec<_>>().join(" "),
                _ => String::new(),
            };
            let number = violation["row"].to_string();
            rows.push(if key.is_empty() { format!("row {number}") } else { key });
        }
    }
    Ok(first)
}

/// A value as text. Control characters are not sent to the terminal: data must not be able to steer it.
fn plain(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn next(plan: &RunPlan, manifest: &Manifest, output: &Output) -> String {
    let details = output.path("violations.jsonl");
    let look = if manifest.violations.is_some() {
        format!("; every violation is in {}", details.display())
    } else {
        String::new()
    };
    match manifest.outcome {
        Outcome::Complete => match manifest.artifacts.first() {
            Some(artifact) => format!("next: look at {}{look}", output.path(&artifact.name).display()),
            None => "next: nothing was made".to_owned(),
        },
        Outcome::Empty => "nothing to report: no row was left, and whenEmpty is Nothing, so no file was made".to_owned(),
        Outcome::Blocked => {
            let blocking: Vec<&str> = plan
                .rules
                .iter()
                .zip(&manifest.rules)
                .filter(|(rule, counted)| counted.violations > 0 && rule.on_violation != OnViolation::Flag)
                .map(|(rule, _)| rule.id.as_str())
                .collect();
            if blocking.is_empty() {
                return "blocked: no row was left, and whenEmpty is Block, so no file was made".to_owned();
            }
            format!(
                "blocked: rules {} found more than they tolerate, so no file was made; correct the rows and run again{look}",
                blocking.join(", ")
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_does_not_steer_the_terminal() {
        for (value, text) in [
            (Value::from("T-1"), "T-1"),
            (Value::from("\u{1b}[2Jx\n"), "\u{fffd}[2Jx\u{fffd}"),
            (Value::from("\u{9b}31m"), "\u{fffd}31m"),
            (Value::Null, "null"),
            (Value::from(7), "7"),
        ] {
            assert_eq!(plain(&value), text);
        }
    }
}
