//! How a file gets to its receiver. The registry of transports is the enum below, and [`open`]; what every member
//! promises is in [`contract`].

pub mod directory;
pub mod sftp;

#[cfg(feature = "runtime")]
pub mod contract;
#[cfg(feature = "runtime")]
mod error;

#[cfg(feature = "runtime")]
pub use contract::{Body, Digest, RemoteName, Stopped, Transport};
#[cfg(feature = "runtime")]
pub use error::{Fault, TransportError};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{Problem, under};

/// How a file gets to its receiver: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = crate::schema::exactly_one)]
pub enum TransportOptions {
    /// SFTP over SSH, with a pinned host key.
    Sftp(sftp::SftpOptions),
    /// A directory; for a laptop and for tests.
    Directory(directory::DirectoryOptions),
}

impl TransportOptions {
    /// The member's name as users write it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Sftp(_) => "sftp",
            Self::Directory(_) => "directory",
        }
    }

    /// The network address that a delivery must reach, if there is one: host and port.
    pub fn endpoint(&self) -> Option<(String, u16)> {
        match self {
            Self::Sftp(o) => Some((o.host.clone(), o.port())),
            Self::Directory(_) => None,
        }
    }

    /// The directory at the receiver in which files are put when the report names none.
    pub fn directory(&self) -> &str {
        match self {
            Self::Sftp(o) => &o.directory,
            Self::Directory(o) => &o.path,
        }
    }

    /// Whether the transport needs a Secret.
    pub fn needs_credentials(&self) -> bool {
        matches!(self, Self::Sftp(_))
    }

    /// What is wrong with the options.
    pub fn problems(&self) -> Vec<Problem> {
        match self {
            Self::Sftp(o) => under("sftp", o.problems()),
            Self::Directory(o) => under("directory", o.problems()),
        }
    }
}

/// Connects to the receiver and logs in. Credentials go nowhere but to the address that `options` name, and only if
/// their Secret allows it.
#[cfg(feature = "runtime")]
pub async fn open(options: &TransportOptions, credentials: Option<&crate::secrets::SecretFiles>) -> Result<Box<dyn Transport>, TransportError> {
    Ok(match options {
        TransportOptions::Sftp(o) => Box::new(sftp::Sftp::connect(o, credentials).await?),
        TransportOptions::Directory(o) => Box::new(directory::Directory::new(o)),
    })
}
