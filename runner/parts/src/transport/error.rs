//! What goes wrong with a transport, and who can mend it.

use std::error::Error;
use std::io;

use crate::error::{Class, Classified};
use crate::secrets::SecretError;

/// A cause of any type.
pub(crate) type Cause = Box<dyn Error + Send + Sync>;

/// What goes wrong with a transport.
#[derive(Debug, thiserror::Error)]
pub enum TransportError {
    /// The Secret does not give what is needed.
    #[error("could not read the destination's credentials")]
    Secret(#[from] SecretError),
    /// The receiver did not do what it was asked to.
    #[error("could not {action}: {fault}")]
    Failed {
        /// What was asked for: `upload /in/.x.csv`.
        action: String,
        /// What is the matter.
        fault: Fault,
        /// Why, as far as it is known.
        #[source]
        cause: Option<Cause>,
    },
}

/// What is the matter with a transport.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The host's name does not resolve.
    #[error("the host is unknown")]
    HostUnknown,
    /// Nothing listens there.
    #[error("connection refused")]
    ConnectionRefused,
    /// No way leads there.
    #[error("there is no way to the host")]
    HostUnreachable,
    /// No connection in time: a packet filter that drops, a host that is off, a server that hangs.
    #[error("no answer in time")]
    ConnectTimeout,
    /// A connection that stood broke.
    #[error("the connection broke")]
    ConnectionLost,
    /// The host key is none of those that the Destination pins. Nothing was sent.
    #[error("the server's host key {seen} is none of the pinned: {pinned}")]
    HostKeyUnknown {
        /// Fingerprint of the server's key, or the kinds of key it has.
        seen: String,
        /// Fingerprints of the pinned keys.
        pinned: String,
    },
    /// A pinned host key is no public key.
    #[error("a pinned host key is no public key")]
    HostKeyUnreadable,
    /// Both sides have no algorithm in common.
    #[error("the server offers no algorithm that is still safe")]
    NoCommonAlgorithm,
    /// A transport that needs credentials was given none.
    #[error("there are no credentials")]
    CredentialsMissing,
    /// The user's name or password is wrong.
    #[error("the user's name or password is refused")]
    PasswordRefused,
    /// The user's name or key is wrong.
    #[error("the user's name or key is refused")]
    KeyRefused,
    /// The private key cannot be read: no key, or another passphrase.
    #[error("the private key cannot be read")]
    KeyUnreadable,
    /// The server lets the user in, but not transfer files.
    #[error("the server does not offer SFTP to this user")]
    SftpUnavailable,
    /// There is no such directory.
    #[error("the directory does not exist")]
    DirectoryMissing,
    /// The user may not do that.
    #[error("permission denied")]
    PermissionDenied,
    /// There is no space left.
    #[error("no space is left")]
    DiskFull,
    /// The final name exists.
    #[error("the name is taken")]
    NameTaken,
    /// There is no file of that name.
    #[error("there is no such file")]
    Missing,
    /// What lies there is not what was sent.
    #[error("what lies there is not what was sent")]
    VerifyFailed,
    /// The body ended before its end.
    #[error("the file's bytes ended early")]
    BodyStopped,
    /// That is no name of a file in the directory.
    #[error("that is no plain file name of at most 1024 bytes with its directory")]
    BadName,
    /// The receiver failed without saying why.
    #[error("the receiver failed")]
    ReceiverFailed,
}

impl TransportError {
    /// A failure of `action`.
    pub fn new(action: impl Into<String>, fault: Fault, cause: impl Into<Option<Cause>>) -> Self {
        Self::Failed {
            action: action.into(),
            fault,
            cause: cause.into(),
        }
    }

    /// What is the matter; `None` when the Secret is.
    pub fn fault(&self) -> Option<&Fault> {
        match self {
            Self::Secret(_) => None,
            Self::Failed { fault, .. } => Some(fault),
        }
    }

    /// The error of a file operation; `missing` is what it means that something is not there.
    pub(super) fn io(action: impl Into<String>, error: io::Error, missing: Fault) -> Self {
        let fault = match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => missing,
            io::ErrorKind::AlreadyExists => Fault::NameTaken,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Fault::DiskFull,
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => Fault::PermissionDenied,
            _ => Fault::ReceiverFailed,
        };
        Self::new(action, fault, Some(Cause::from(error)))
    }
}

impl Classified for TransportError {
    fn class(&self) -> Class {
        match self {
            Self::Secret(e) => e.class(),
            Self::Failed { fault, .. } => match fault {
                // A name that does not exist looks like a name server that is away, and a try more costs little.
                Fault::HostUnknown
                | Fault::ConnectionRefused
                | Fault::HostUnreachable
                | Fault::ConnectTimeout
                | Fault::ConnectionLost
                | Fault::DiskFull
                | Fault::VerifyFailed
                | Fault::ReceiverFailed => Class::Transient,
                Fault::HostKeyUnknown { .. }
                | Fault::HostKeyUnreadable
                | Fault::NoCommonAlgorithm
                | Fault::CredentialsMissing
                | Fault::PasswordRefused
                | Fault::KeyRefused
                | Fault::KeyUnreadable
                | Fault::SftpUnavailable
                | Fault::DirectoryMissing
                | Fault::PermissionDenied
                | Fault::NameTaken
                | Fault::BadName => Class::Config,
                Fault::Missing | Fault::BodyStopped => Class::Internal,
            },
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Secret(e) => e.code(),
            Self::Failed { fault, .. } => match fault {
                Fault::HostUnknown => "HostUnknown",
                Fault::ConnectionRefused => "ConnectionRefused",
                Fault::HostUnreachable => "HostUnreachable",
                Fault::ConnectTimeout => "ConnectTimeout",
                Fault::ConnectionLost => "ConnectionLost",
                Fault::HostKeyUnknown { .. } => "HostKeyUnknown",
                Fault::HostKeyUnreadable => "HostKeyUnreadable",
                Fault::NoCommonAlgorithm => "NoCommonAlgorithm",
                Fault::CredentialsMissing => "CredentialsMissing",
                Fault::PasswordRefused => "PasswordRefused",
                Fault::KeyRefused => "KeyRefused",
                Fault::KeyUnreadable => "KeyUnreadable",
                Fault::SftpUnavailable => "SftpUnavailable",
                Fault::DirectoryMissing => "DirectoryMissing",
                Fault::PermissionDenied => "PermissionDenied",
                Fault::DiskFull => "DiskFull",
                Fault::NameTaken => "NameTaken",
                Fault::Missing => "FileMissing",
                Fault::VerifyFailed => "VerifyFailed",
                Fault::BodyStopped => "BodyStopped",
                Fault::BadName => "BadFileName",
                Fault::ReceiverFailed => "ReceiverFailed",
            },
        }
    }

    fn hint(&self) -> Option<String> {
        let fault = match self {
            Self::Secret(e) => return e.hint(),
            Self::Failed { fault, .. } => fault,
        };
        let hint = match fault {
            Fault::HostUnknown => {
                "check the host's name in the Destination: it does not resolve from where the run runs; if it is right, check the cluster's DNS"
            }
            Fault::ConnectionRefused => "check host and port in the Destination, and that the receiver's server runs",
            Fault::HostUnreachable => "check the routes to the receiver, and the Destination's network settings",
            Fault::ConnectTimeout => "check that the receiver lets this cluster's addresses in, and the Destination's network settings",
            Fault::ConnectionLost | Fault::ReceiverFailed => "if it goes on, ask the receiver to look into their server's log",
            Fault::HostKeyUnknown { .. } => {
                "ask the receiver whether their host key changed; only if they confirm the fingerprint, put the new key into the Destination's hostKeys"
            }
            Fault::HostKeyUnreadable => "write each of the Destination's hostKeys as `ssh-ed25519 AAAA…`, as ssh-keyscan prints it after the host's name",
            Fault::NoCommonAlgorithm => "ask the receiver to enable current SSH algorithms",
            Fault::CredentialsMissing => "name a Secret in the Destination's credentialsRef",
            Fault::PasswordRefused => "check username and password in the Destination's Secret",
            Fault::KeyRefused => "check username and private key in the Destination's Secret, and that the receiver installed its public key",
            Fault::KeyUnreadable => {
                "put the private key in OpenSSH or PEM format into the Destination's Secret, and its passphrase, if it has one, under the key passphrase"
            }
            Fault::SftpUnavailable => "ask the receiver to enable SFTP for this user",
            Fault::DirectoryMissing => "create the directory at the receiver, or correct it in the Destination or in the report's delivery",
            Fault::PermissionDenied => "ask the receiver for the right to write and rename files in the directory",
            Fault::DiskFull => "ask the receiver to free some space",
            Fault::NameTaken => "a file of that name lies at the receiver and OpenReg never replaces one: remove it there, or change the report's file name",
            Fault::BadName => "change the report's file name",
            Fault::VerifyFailed => "if it goes on, ask the receiver what changes files while they are written",
            Fault::Missing | Fault::BodyStopped => return None,
        };
        Some(hint.to_owned())
    }
}
