//! What a user may write about a store.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Problem, under};

/// Where artifacts live: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum StoreOptions {
    /// An S3 bucket, or a server that speaks S3 with conditional writes.
    S3(S3Options),
    /// A directory; for a laptop and for tests.
    Directory(DirectoryStoreOptions),
}

/// An S3 bucket.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct S3Options {
    /// URL of the server, `https://…`; absent: AWS's own for the region. `http://` must be written out to be used, and
    /// raises a Warning condition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = "^https?://[^/?#@ ]+/?$"))]
    pub endpoint: Option<String>,
    /// Region, also part of the signature.
    #[schemars(length(min = 1, max = 64))]
    pub region: String,
    /// The bucket; it must exist.
    #[schemars(length(min = 3, max = 63), regex(pattern = "^[a-z0-9][-.a-z0-9]+[a-z0-9]$"))]
    pub bucket: String,
    /// What every key begins with; ends with a slash, or absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 256), regex(pattern = "^([-_.a-zA-Z0-9]+/)+$"))]
    pub prefix: Option<String>,
    /// Bucket name in the path instead of the host name [false].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path_style: Option<bool>,
    /// The key of the credentials' Secret that holds the PEM certificates of the authority to trust. Absent: the
    /// system's own list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[-._a-zA-Z0-9]+$"))]
    pub ca_key: Option<String>,
}

/// A directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DirectoryStoreOptions {
    /// Path of the directory, as the runner sees it.
    #[schemars(length(min = 1, max = 1024))]
    pub path: String,
}

impl StoreOptions {
    /// The member's name as users write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::S3(_) => "s3",
            Self::Directory(_) => "directory",
        }
    }

    /// The network address that a run must reach, if there is one: host and port.
    pub fn endpoint(&self) -> Option<(String, u16)> {
        match self {
            Self::S3(o) => Some(o.host_and_port()),
            Self::Directory(_) => None,
        }
    }

    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::S3(_) => Vec::new(),
            Self::Directory(o) if o.path.split('/').any(|part| part == "..") => under("directory", vec![Problem::new("path", "must not contain `..`")]),
            Self::Directory(_) => Vec::new(),
        }
    }
}

impl S3Options {
    /// Host and port of the server.
    pub fn host_and_port(&self) -> (String, u16) {
        let Some(url) = &self.endpoint else {
            return (format!("s3.{}.amazonaws.com", self.region), 443);
        };
        let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
        let authority = rest.trim_end_matches('/');
        let default = if scheme == "http" { 80 } else { 443 };
        match authority.rsplit_once(':') {
            Some((host, port)) if !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()) => (host.to_owned(), port.parse().unwrap_or(default)),
            _ => (authority.to_owned(), default),
        }
    }
}
