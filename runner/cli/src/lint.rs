//! `openreg lint`: what is wrong with documents, each problem on a line of its own.

use std::path::PathBuf;

use openreg_crds::store::StoreSpec;
use openreg_crds::{STORE_NAME, Store};
use openreg_parts::store::{DirectoryStoreOptions, StoreOptions};
use openreg_plan::exit;
use openreg_resolve::across;

use crate::Answer;
use crate::cli::LintArguments;
use crate::documents::{self, Document};
use crate::objects::{Found, Objects, objects};

/// One line of the answer, in the order in which they are printed.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    file: PathBuf,
    position: (u64, u64),
    text: String,
}

/// Says what is wrong with the documents.
pub(crate) fn lint(arguments: &LintArguments) -> Answer {
    let files = documents::files(&arguments.files)?;
    let (mut all, mut lines) = (Vec::new(), Vec::new());
    for file in &files {
        match documents::read(file)? {
            Ok(mut found) => all.append(&mut found),
            Err(e) => lines.push(Line {
                file: e.file,
                position: e.position,
                text: format!("is no YAML: {}", e.message),
            }),
        }
    }
    let (objects, mut found) = objects(&all);
    if !arguments.alone {
        found.extend(references(&objects));
    }
    lines.extend(found.into_iter().map(|(index, problem)| line(&all[index], &problem.field, &problem.message)));
    lines.sort();
    for Line {
        file,
        position: (line, column),
        text,
    } in &lines
    {
        println!("{}:{line}:{column} {text}", file.display());
    }
    let judged = all.len() - objects.foreign;
    let skipped = if objects.foreign > 0 {
        format!(", {} of other groups skipped", objects.foreign)
    } else {
        String::new()
    };
    eprintln!("{} in {judged} documents of {} files{skipped}", plural(lines.len(), "problem"), files.len());
    Ok(if lines.is_empty() { exit::OK } else { exit::CONFIG })
}

fn line(document: &Document, field: &str, message: &str) -> Line {
    let text = if field.is_empty() {
        message.to_owned()
    } else {
        format!("{field}: {message}")
    };
    Line {
        file: document.file.clone(),
        position: document.position(field),
        text,
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// What is wrong between the objects.
fn references(objects: &Objects) -> Found {
    let mut found = Found::new();
    // Whether there is a Store is a matter of the namespace, not of a file.
    let store = stand_in();
    let lookup = across::Found {
        connector: &|name| objects.connectors.get(name).map(|c| c.object.clone()),
        destination: &|name| objects.destinations.get(name).map(|d| d.object.clone()),
        store: Some(&store),
    };
    for report in objects.reports.values() {
        found.extend(across::report(&report.object.spec, &lookup).into_iter().map(|p| (report.document, p)));
    }
    let named = |name: &str| objects.reports.get(name).map(|r| &r.object.spec);
    for schedule in objects.schedules.values() {
        let spec = &schedule.object.spec;
        found.extend(across::schedule(spec, named(&spec.report_ref)).into_iter().map(|p| (schedule.document, p)));
    }
    for run in objects.runs.values() {
        let spec = &run.object.spec;
        found.extend(across::run(spec, named(&spec.report_ref)).into_iter().map(|p| (run.document, p)));
    }
    found
}

/// The Store of this machine: a directory.
pub(crate) fn stand_in() -> Store {
    let store = StoreOptions::Directory(DirectoryStoreOptions { path: "store".to_owned() });
    Store::new(
        STORE_NAME,
        StoreSpec {
            store,
            credentials_ref: None,
            network: None,
        },
    )
}
