//! Reads files of YAML documents; judges nothing but their syntax.

use std::path::{Path, PathBuf};

use serde_json::Value;
use serde_saphyr::Spanned;

use crate::failure::Failure;
use crate::node::{Node, Position, position};

/// One document.
pub(crate) struct Document {
    /// The file that it stands in.
    pub(crate) file: PathBuf,
    /// The document.
    pub(crate) value: Value,
    root: Spanned<Node>,
}

/// A file that is no YAML.
#[derive(Debug)]
pub(crate) struct SyntaxError {
    pub(crate) file: PathBuf,
    pub(crate) position: Position,
    pub(crate) message: String,
}

impl Document {
    fn text(&self, pointer: &str) -> &str {
        self.value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn api_version(&self) -> &str {
        self.text("/apiVersion")
    }

    pub(crate) fn kind(&self) -> &str {
        self.text("/kind")
    }

    pub(crate) fn name(&self) -> &str {
        self.text("/metadata/name")
    }

    /// Whether it is of our group, in any version.
    pub(crate) fn is_ours(&self) -> bool {
        self.api_version().split('/').next() == Some(openreg_crds::GROUP)
    }

    /// Where a field stands.
    pub(crate) fn position(&self, field: &str) -> Position {
        position(&self.root, field)
    }
}

/// The documents of a file.
pub(crate) fn read(file: &Path) -> Result<Result<Vec<Document>, SyntaxError>, Failure> {
    let text = std::fs::read_to_string(file).map_err(|e| Failure::io("read", file, &e))?;
    Ok(parse(file, &text))
}

/// The documents in `text`.
pub(crate) fn parse(file: &Path, text: &str) -> Result<Vec<Document>, SyntaxError> {
    let options = serde_saphyr::options! { with_snippet: false };
    let roots: Vec<Spanned<Node>> = serde_saphyr::from_multiple_with_options(text, options).map_err(|e| {
        let position = e.location().map_or((1, 1), |l| (l.line(), l.column()));
        SyntaxError {
            file: file.to_owned(),
            position,
            message: e.to_string().lines().next().unwrap_or_default().to_owned(),
        }
    })?;
    Ok(roots
        .into_iter()
        .map(|root| Document {
            file: file.to_owned(),
            value: root.value.value(),
            root,
        })
        .collect())
}

/// The files that `paths` name: a directory stands for the .yaml and .yml files in it, in the order of their names.
pub(crate) fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in paths {
        if !path.is_dir() {
            files.push(path.clone());
            continue;
        }
        let entries = std::fs::read_dir(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|e| Failure::io("read", path, &e))?;
        let mut inside: Vec<PathBuf> = entries
            .into_iter()
            .map(|entry| entry.path())
            .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "yaml" || e == "yml"))
            .collect();
        inside.sort();
        if inside.is_empty() {
            return Err(Failure::config(format!("could not find a .yaml or .yml file in {}", path.display())));
        }
        files.append(&mut inside);
    }
    Ok(files)
}
