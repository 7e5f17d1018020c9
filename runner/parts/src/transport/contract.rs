//! What every transport promises: a file becomes visible under its final name whole or not at all, and never in place of
//! another. A transport does not retry, knows no claims and no receipts, and holds bounded memory.

use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;

use super::error::{Fault, TransportError};

/// The most bytes of a path; what servers commonly take.
const MAX_PATH: usize = 1024;

/// A file at the receiver: a path whose last part is a plain file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RemoteName(String);

impl RemoteName {
    /// The file `name` in `directory`; refused when that is no plain file name or leaves the directory.
    pub fn new(directory: &str, name: &str) -> Result<Self, TransportError> {
        let directory = match directory.trim_end_matches('/') {
            "" => {
                if directory.is_empty() {
                    "."
                } else {
                    ""
                }
            }
            trimmed => trimmed,
        };
        let path = format!("{directory}/{name}");
        let plain = !matches!(name, "" | "." | "..") && !name.contains('/') && !path.chars().any(char::is_control);
        let inside = !directory.split('/').any(|part| part == "..");
        if plain && inside && path.len() <= MAX_PATH {
            Ok(Self(path))
        } else {
            Err(TransportError::new("use the file's name", Fault::BadName, None))
        }
    }

    /// The whole path.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The directory; `/` for the root.
    pub fn directory(&self) -> &str {
        match self.0.rfind('/') {
            Some(0) | None => "/",
            Some(at) => &self.0[..at],
        }
    }
}

impl std::fmt::Display for RemoteName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a file at the receiver holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    /// Bytes.
    pub size: u64,
    /// SHA-256, 64 lower-case hexadecimal digits.
    pub sha256: String,
}

/// The body ended before its end, for a reason that whoever made the body knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stopped;

/// The bytes of a file, in pieces of any size.
pub type Body<'a> = BoxStream<'a, Result<Bytes, Stopped>>;

/// A receiver, logged in.
#[async_trait]
pub trait Transport: Send + Sync {
    /// The size of a file; `None` when nothing has that name.
    async fn inspect(&self, name: &RemoteName) -> Result<Option<u64>, TransportError>;

    /// What a file holds, by reading it back; `None` when nothing has that name.
    async fn digest(&self, name: &RemoteName) -> Result<Option<Digest>, TransportError>;

    /// Writes a file under a name that is the caller's own, replacing what an earlier try left there, and has it flushed
    /// to disk where the receiver can. Gives the bytes written. On an error a part may lie there.
    async fn upload(&self, temporary: &RemoteName, body: Body<'_>) -> Result<u64, TransportError>;

    /// Gives a whole file its final name, in one step, unless that is taken: [`Fault::NameTaken`], and nothing has
    /// changed. [`Fault::Missing`] when there is no such file.
    async fn commit(&self, temporary: &RemoteName, to: &RemoteName) -> Result<(), TransportError>;

    /// Removes a file; one that is not there is no error.
    async fn remove(&self, name: &RemoteName) -> Result<(), TransportError>;

    /// Looks at the directory into which files go.
    async fn probe(&self, directory: &str) -> Result<(), TransportError>;

    /// Says goodbye.
    async fn close(self: Box<Self>);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_in_their_directory() {
        for (directory, name, path, parent) in [
            ("/in", "a.csv", "/in/a.csv", "/in"),
            ("/in/", ".a.csv.pod", "/in/.a.csv.pod", "/in"),
            ("/", "a.csv", "/a.csv", "/"),
            ("out", "a b ü.csv", "out/a b ü.csv", "out"),
            ("", "a.csv", "./a.csv", "."),
        ] {
            let remote = RemoteName::new(directory, name).unwrap();
            assert_eq!((remote.as_str(), remote.directory()), (path, parent));
        }
        for (directory, name) in [
            ("/in", ""),
            ("/in", ".."),
            ("/in", "."),
            ("/in", "a/b"),
            ("/in", "a\nb"),
            ("/in/../etc", "a"),
            ("/in", &"x".repeat(1024)),
        ] {
            assert!(RemoteName::new(directory, name).is_err(), "{directory} {name}");
        }
    }
}
