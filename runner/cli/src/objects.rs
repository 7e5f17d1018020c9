//! Documents as objects of our kinds: by name, with the file that each stands in. Problems are collected, not fatal.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use openreg_crds::definition::{MAX_NAME, MAX_RUN_NAME};
use openreg_crds::{Calendar, Connector, Destination, Report, ReportRun, ReportVersion, Schedule, Store};
use openreg_parts::error::Problem;
use openreg_resolve::check;
use serde::de::DeserializeOwned;

use crate::documents::Document;
use crate::schema::Schemas;

/// An object and the document that it stands in.
pub(crate) struct Placed<K> {
    /// The object.
    pub(crate) object: K,
    /// Index of its document.
    pub(crate) document: usize,
    /// The file of its document.
    pub(crate) file: PathBuf,
}

/// The objects by name. A namespace is not looked at: there is one here.
#[derive(Default)]
pub(crate) struct Objects {
    pub(crate) connectors: BTreeMap<String, Placed<Connector>>,
    pub(crate) destinations: BTreeMap<String, Placed<Destination>>,
    pub(crate) reports: BTreeMap<String, Placed<Report>>,
    pub(crate) schedules: BTreeMap<String, Placed<Schedule>>,
    pub(crate) runs: BTreeMap<String, Placed<ReportRun>>,
    /// Documents of other groups.
    pub(crate) foreign: usize,
}

/// Problems, each with the index of its document.
pub(crate) type Found = Vec<(usize, Problem)>;

/// The objects in `documents`, and what is wrong with each alone.
pub(crate) fn objects(documents: &[Document]) -> (Objects, Found) {
    let schemas = Schemas::new();
    let (mut objects, mut found) = (Objects::default(), Found::new());
    let mut names: BTreeMap<(String, String, String), &Path> = BTreeMap::new();
    for (index, document) in documents.iter().enumerate() {
        if document.api_version().is_empty() || document.kind().is_empty() {
            found.push((index, Problem::new("", "is no Kubernetes object: write apiVersion, kind, metadata and spec")));
            continue;
        }
        if !document.is_ours() {
            objects.foreign += 1;
            continue;
        }
        let mut problems = head(document, &schemas);
        if problems.is_empty() {
            let namespace = document
                .value
                .pointer("/metadata/namespace")
                .and_then(|n| n.as_str())
                .unwrap_or_default()
                .to_owned();
            if let Some(before) = names.insert((document.kind().to_owned(), namespace, document.name().to_owned()), &document.file) {
                problems.push(Problem::new(
                    "metadata.name",
                    format!(
                        "there is a {} `{}` already, in {}: choose another name",
                        document.kind(),
                        document.name(),
                        before.display()
                    ),
                ));
            }
        }
        let structure = schemas.problems(document.kind(), &document.value).unwrap_or_default();
        let own = typed(&mut objects, document, index, structure.is_empty());
        // Of two words about one field those of the check are the better ones.
        problems.extend(structure.into_iter().filter(|p| !own.iter().any(|o| o.field == p.field)));
        problems.extend(own);
        found.extend(problems.into_iter().map(|p| (index, p)));
    }
    (objects, found)
}

fn head(document: &Document, schemas: &Schemas) -> Vec<Problem> {
    let mut problems = Vec::new();
    if document.api_version() != "openreg.io/v1alpha1" {
        problems.push(Problem::new(
            "apiVersion",
            format!("`{}` is not known: write openreg.io/v1alpha1", document.api_version()),
        ));
    }
    if !schemas.kinds().contains(&document.kind()) {
        problems.push(Problem::new(
            "kind",
            format!("`{}` is not known: write one of {}", document.kind(), schemas.kinds().join(", ")),
        ));
        return problems;
    }
    let (name, max) = (document.name(), if document.kind() == "ReportRun" { MAX_RUN_NAME } else { MAX_NAME });
    if name.is_empty() {
        problems.push(Problem::new("metadata.name", "is missing: write a name"));
    } else if let Some(message) = check::name(name) {
        problems.push(Problem::new("metadata.name", message));
    } else if document.kind() == "Store" && name != openreg_crds::STORE_NAME {
        problems.push(Problem::new(
            "metadata.name",
            format!("a namespace has one Store, and its name is {}", openreg_crds::STORE_NAME),
        ));
    } else if document.kind() != "ReportVersion" && name.len() > max {
        problems.push(Problem::new("metadata.name", format!("has {} characters: write at most {max}", name.len())));
    }
    problems
}

/// Puts the object where it belongs, and says what is wrong with it. `whole`: its structure is that of its schema.
fn typed(objects: &mut Objects, document: &Document, index: usize, whole: bool) -> Vec<Problem> {
    macro_rules! place {
        ($kind:ty, $check:expr, $map:expr) => {
            match read::<$kind>(document) {
                Ok(object) => {
                    let problems = $check(&object.spec);
                    $map.insert(
                        document.name().to_owned(),
                        Placed {
                            object,
                            document: index,
                            file: document.file.clone(),
                        },
                    );
                    problems
                }
                // The schema has said it with its place; what serde says has none.
                Err(_) if !whole => Vec::new(),
                Err(message) => vec![Problem::new("spec", message)],
            }
        };
    }
    let mut unused = BTreeMap::new();
    let (mut calendars, mut versions) = (BTreeMap::new(), BTreeMap::new());
    match document.kind() {
        "Connector" => place!(Connector, check::connector, objects.connectors),
        "Destination" => place!(Destination, check::destination, objects.destinations),
        "Report" => place!(Report, check::report, objects.reports),
        "Schedule" => place!(Schedule, check::schedule, objects.schedules),
        "ReportRun" => place!(ReportRun, check::run, objects.runs),
        "Store" => place!(Store, check::store, unused),
        "Calendar" => place!(Calendar, check::calendar, calendars),
        "ReportVersion" => place!(
            ReportVersion,
            |_: &_| vec![Problem::new("kind", "only the operator makes ReportVersions: write a Report")],
            versions
        ),
        _ => Vec::new(),
    }
}

fn read<K: DeserializeOwned>(document: &Document) -> Result<K, String> {
    serde_json::from_value(document.value.clone()).map_err(|e| e.to_string())
}
