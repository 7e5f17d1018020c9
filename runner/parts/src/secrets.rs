//! Secrets as files: a mounted Secret is a directory with one file a key. Values never reach a log or a `Debug`.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::error::{Class, Classified};

/// The key that lists the hosts to which a Secret may be sent, one `host:port` a line.
pub const ALLOWED_HOSTS: &str = "allowedHosts";

/// A mounted Secret.
#[derive(Clone, Debug)]
pub struct SecretFiles {
    name: String,
    directory: PathBuf,
}

/// A value out of a Secret; `Debug` prints nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretValue(String);

impl SecretValue {
    /// The value itself; for the call that needs it, nothing else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(secret)")
    }
}

/// What is wrong with a Secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The Secret is not there: the mount is empty.
    #[error("could not find secret {name}")]
    Missing {
        /// The Secret's name.
        name: String,
    },
    /// The Secret lacks a key.
    #[error("could not find key {key} in secret {name}")]
    KeyMissing {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
    },
    /// The Secret may not be sent to that host.
    #[error("could not use secret {name} for {host}:{port}: its key allowedHosts does not list that address")]
    HostNotAllowed {
        /// The Secret's name.
        name: String,
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// The file cannot be read.
    #[error("could not read key {key} of secret {name}")]
    Unreadable {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// Why.
        source: std::io::Error,
    },
}

impl Classified for SecretError {
    fn class(&self) -> Class {
        Class::Config
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Missing { .. } => "SecretMissing",
            Self::KeyMissing { .. } => "SecretKeyMissing",
            Self::HostNotAllowed { .. } => "SecretHostNotAllowed",
            Self::Unreadable { .. } => "SecretUnreadable",
        }
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Missing { name } => format!("create Secret {name} in the report's namespace, then run again"),
            Self::KeyMissing { name, key } => format!("add key {key} to Secret {name}, then run again"),
            Self::HostNotAllowed { host, port, .. } => format!("if this Secret may be sent there, add the line {host}:{port} to its key {ALLOWED_HOSTS}"),
            Self::Unreadable { name, .. } => format!("check that Secret {name} holds UTF-8 text"),
        })
    }
}

impl SecretFiles {
    /// The Secret `name`, mounted at `directory`.
    pub fn new(name: impl Into<String>, directory: impl AsRef<Path>) -> Self {
        Self {
            name: name.into(),
            directory: directory.as_ref().to_owned(),
        }
    }

    /// The value of `key`, without a trailing line break.
    pub fn get(&self, key: &str) -> Result<SecretValue, SecretError> {
        match std::fs::read_to_string(self.directory.join(key)) {
            Ok(text) => Ok(SecretValue(text.trim_end_matches(['\r', '\n']).to_owned())),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(if self.is_empty() {
                SecretError::Missing { name: self.name.clone() }
            } else {
                SecretError::KeyMissing {
                    name: self.name.clone(),
                    key: key.to_owned(),
                }
            }),
            Err(source) => Err(SecretError::Unreadable {
                name: self.name.clone(),
                key: key.to_owned(),
                source,
            }),
        }
    }

    /// Like [`Self::get`], and `None` when the Secret is there and lacks the key.
    pub fn find(&self, key: &str) -> Result<Option<SecretValue>, SecretError> {
        match self.get(key) {
            Err(SecretError::KeyMissing { .. }) => Ok(None),
            other => other.map(Some),
        }
    }

    /// Refuses a host that the Secret's owner did not list. Call it before the first value is read.
    pub fn allow(&self, host: &str, port: u16) -> Result<(), SecretError> {
        let list = self.get(ALLOWED_HOSTS)?;
        let host = bracketed(host);
        if list.expose().lines().any(|line| is_address(line.trim(), &host, port)) {
            return Ok(());
        }
        Err(SecretError::HostNotAllowed {
            name: self.name.clone(),
            host,
            port,
        })
    }

    fn is_empty(&self) -> bool {
        // Kubernetes mounts an optional, absent Secret as a directory without keys: only its own `..data` is there.
        std::fs::read_dir(&self.directory).map_or(true, |mut entries| {
            !entries.any(|entry| entry.is_ok_and(|e| !e.file_name().to_string_lossy().starts_with("..")))
        })
    }
}

/// The host as it stands before a port: an IPv6 address in brackets, else its own groups look like ports.
fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// Whether `line` is exactly that host, in letters of any case, and that port. Nothing is matched in part, and a trailing
/// dot is another name: it is not looked up in the same way.
fn is_address(line: &str, host: &str, port: u16) -> bool {
    line.rsplit_once(':')
        .is_some_and(|(listed, number)| listed.eq_ignore_ascii_case(host) && number == port.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_listed_address_may_have_a_secret() {
        let directory = std::env::temp_dir().join(format!("openreg-secrets-{}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let list = "db.acme.svc:5432\r\n  DB2.acme.svc:6432 \n[2001:db8::1]:22\n10.1.0.7:22\nnoport\n";
        std::fs::write(directory.join(ALLOWED_HOSTS), list).unwrap();
        let secret = SecretFiles::new("s", &directory);
        for (host, port, allowed) in [
            ("db.acme.svc", 5432, true),
            ("Db.Acme.SVC", 5432, true),
            ("db2.acme.svc", 6432, true),
            ("db.acme.svc", 5433, false),
            ("db.acme.svc", 543, false),
            ("db.acme.svc.", 5432, false),
            ("b.acme.svc", 5432, false),
            ("db.acme.svc.evil.example", 5432, false),
            ("db.acme.svc:5432\nevil", 5432, false),
            ("2001:db8::1", 22, true),
            ("[2001:db8::1]", 22, true),
            ("2001:db8::1:22", 22, false),
            ("10.1.0.7", 22, true),
            ("10.1.0.70", 22, false),
            ("noport", 5432, false),
        ] {
            let answer = secret.allow(host, port);
            assert_eq!(answer.is_ok(), allowed, "{host}:{port}");
            if let Err(error) = answer {
                assert_eq!(error.code(), "SecretHostNotAllowed");
                assert!(error.hint().is_some());
            }
        }
        std::fs::remove_dir_all(&directory).unwrap();
    }
}
