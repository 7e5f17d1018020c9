//! The output directory: replaces what an earlier run left there, and nothing else.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use openreg_parts::store::manifest::Manifest;
use openreg_plan::RunPlan;

use super::Delivery;
use crate::failure::Failure;

/// Our own directory in it: the store, and the list of the files that were made.
const OWN: &str = ".openreg";
const LIST: &str = "files";

/// The output directory.
pub(crate) struct Output {
    root: PathBuf,
}

impl Output {
    /// Makes the directory and removes the files that an earlier run listed there.
    pub(super) fn prepare(root: &Path) -> Result<Self, Failure> {
        fs::create_dir_all(root).map_err(|e| Failure::io("make", root, &e))?;
        // Absolute, since a directory destination's names are looked for below it.
        let root = root.canonicalize().map_err(|e| Failure::io("find", root, &e))?;
        let own = root.join(OWN);
        match fs::read_to_string(own.join(LIST)) {
            Ok(list) => {
                for line in list
                    .lines()
                    .filter(|line| Path::new(line).components().all(|c| matches!(c, std::path::Component::Normal(_))))
                {
                    removed(fs::remove_file(root.join(line))).map_err(|e| Failure::io("remove", &root.join(line), &e))?;
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(e) => return Err(Failure::io("read", &own.join(LIST), &e)),
        }
        removed(fs::remove_dir_all(&own)).map_err(|e| Failure::io("remove", &own, &e))?;
        fs::create_dir_all(&own).map_err(|e| Failure::io("make", &own, &e))?;
        Ok(Self { root })
    }

    /// Where the store is.
    pub(super) fn store(&self) -> PathBuf {
        self.root.join(OWN).join("store")
    }

    /// Where a directory destination's files go.
    pub(super) fn delivered(&self, destination: &str) -> PathBuf {
        self.root.join("delivered").join(destination)
    }

    /// The path of a file in it.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Copies what the manifest names out of the store.
    pub(super) fn collect(&self, plan: &RunPlan, manifest: &Manifest, deliveries: &[Delivery]) -> Result<(), Failure> {
        let stored = |key: &str| self.store().join(&plan.store.prefix).join(key);
        let mut files = vec![(stored(&format!("runs/{}/manifest.json", plan.run.id)), "manifest.json".to_owned())];
        files.extend(manifest.violations.iter().map(|v| (stored(&v.key), "violations.jsonl".to_owned())));
        files.extend(manifest.artifacts.iter().map(|a| (stored(&a.key), a.name.clone())));
        if let Some(artifact) = manifest
            .artifacts
            .iter()
            .find(|a| matches!(a.name.as_str(), "manifest.json" | "violations.jsonl"))
        {
            return Err(Failure::config(format!(
                "could not write the report's file: {} is the name of a file of every run",
                artifact.name
            ))
            .hint("choose another spec.file.name"));
        }
        let mut list: Vec<String> = files.iter().map(|(_, name)| name.clone()).collect();
        let delivered = deliveries
            .iter()
            .filter_map(|d| Path::new(d.result.as_ref().ok()?).strip_prefix(&self.root).ok()?.to_str().map(str::to_owned));
        list.extend(delivered);
        // Listed before they are made: a file that is not listed is never replaced.
        let taken = files.iter().map(|(_, name)| self.path(name)).find(|path| path.exists());
        if let Some(path) = taken {
            return Err(
                Failure::config(format!("could not write {}: there is such a file, and no run made it", path.display()))
                    .hint("choose another --output, or move the file away"),
            );
        }
        let list_path = self.root.join(OWN).join(LIST);
        fs::write(&list_path, list.join("\n")).map_err(|e| Failure::io("write", &list_path, &e))?;
        for (from, name) in &files {
            fs::copy(from, self.path(name)).map_err(|e| Failure::io("write", &self.path(name), &e))?;
        }
        Ok(())
    }
}

fn removed(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
        other => other,
    }
}
