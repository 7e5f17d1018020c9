//! A plan's places on this machine: where the store, the scratch directory, the secrets and SQLite files are.

use std::path::{Path, PathBuf};

use openreg_parts::source::SourceOptions;
use openreg_parts::store::{DirectoryStoreOptions, StoreOptions};
use openreg_parts::transport::TransportOptions;
use openreg_plan::RunPlan;
use openreg_plan::plan::SecretMount;

use super::Delivery;
use super::output::Output;
use crate::failure::Failure;
use crate::objects::Objects;

/// This machine.
pub(super) struct Here<'a> {
    pub(super) objects: &'a Objects,
    pub(super) output: &'a Output,
    pub(super) scratch: &'a Path,
    pub(super) secrets: Option<&'a Path>,
}

/// The plan with the places of this machine, and the destinations that are not delivered to from here.
pub(super) fn localised(mut plan: RunPlan, here: &Here<'_>) -> Result<(RunPlan, Vec<Delivery>), Failure> {
    plan.store.options = StoreOptions::Directory(DirectoryStoreOptions {
        path: text(&here.output.store())?,
    });
    plan.limits.scratch = text(here.scratch)?;
    for (name, connector) in &mut plan.connectors {
        if let SourceOptions::Sqlite(options) = &mut connector.source {
            let file = here.objects.connectors.get(name).map(|c| c.file.as_path()).unwrap_or(Path::new(""));
            // Relative to the file that names it.
            let path = file.parent().unwrap_or(Path::new("")).join(&options.path);
            let path = if path.extension().is_some_and(|e| e == "sql") {
                built(name, &path, here.scratch)?
            } else {
                path
            };
            if !path.is_file() {
                return Err(Failure::config(format!("could not find the database {} of connector {name}", path.display()))
                    .hint(format!("the path is read from the directory of {}", file.display())));
            }
            options.path = text(&path)?;
        }
        if let Some(mount) = &mut connector.credentials {
            place(mount, &format!("connector {name}"), here)?;
        }
    }
    let mut left_alone = Vec::new();
    let mut destinations = Vec::new();
    for mut destination in std::mem::take(&mut plan.destinations) {
        if let TransportOptions::Directory(options) = &mut destination.transport {
            // Below the output directory, wherever it would be elsewhere: trying a report out must not leave files around.
            options.path = text(&here.output.delivered(&destination.name))?;
            destination.directory = options.path.clone();
            destinations.push(destination);
        } else {
            left_alone.push(Delivery {
                destination: destination.name,
                result: Err("not delivered from here: openreg run delivers to directories only".to_owned()),
            });
        }
    }
    plan.destinations = destinations;
    Ok((plan, left_alone))
}

/// A database made by the statements in a file: text can be reviewed and merged, a database cannot.
fn built(connector: &str, statements: &Path, scratch: &Path) -> Result<PathBuf, Failure> {
    let text = std::fs::read_to_string(statements).map_err(|e| Failure::io("read", statements, &e))?;
    let path = scratch.join(format!("{connector}.sqlite"));
    let made = rusqlite::Connection::open(&path).and_then(|database| {
        // Nothing here must survive a crash.
        database.execute_batch("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;")?;
        database.execute_batch(&text)
    });
    made.map_err(|e| {
        Failure::config(format!(
            "could not make the database of connector {connector} by the statements in {}: {e}",
            statements.display()
        ))
    })?;
    Ok(path)
}

fn place(mount: &mut SecretMount, user: &str, here: &Here<'_>) -> Result<(), Failure> {
    let Some(secrets) = here.secrets else {
        let hint = format!("give --secrets DIR, with the Secret's keys as files in DIR/{}/", mount.name);
        return Err(Failure::config(format!("could not find Secret {} for {user}", mount.name)).hint(hint));
    };
    mount.path = text(&secrets.join(&mount.name))?;
    Ok(())
}

fn text(path: &Path) -> Result<String, Failure> {
    path.to_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::config(format!("could not use {}: its name is not UTF-8", path.display())))
}
