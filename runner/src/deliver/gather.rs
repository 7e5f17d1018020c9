//! Reads what the protocol decides on: the records in the store, and what lies at the receiver. It judges nothing but
//! whether a file is the one that was sent.

use bytes::Bytes;
use openreg_parts::error::{Class, Classified};
use openreg_parts::store::key::Key;
use openreg_parts::store::{Store, StoreError};
use openreg_parts::transport::{RemoteName, Transport, TransportError};
use openreg_plan::digest::Sha256;
use openreg_plan::plan::Verify;
use serde::de::DeserializeOwned;

use super::decide::{Lies, Seen};
use super::record::{Claim, MAX_BYTES};

/// A record that is none.
#[derive(Debug, thiserror::Error)]
pub(super) enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Not the JSON that a runner writes.
    #[error("could not understand {path}")]
    Syntax { path: String, source: serde_json::Error },
}

impl Classified for RecordError {
    fn class(&self) -> Class {
        match self {
            Self::Store(e) => e.class(),
            Self::Syntax { .. } => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(e) => e.code(),
            Self::Syntax { .. } => "RecordUnreadable",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(e) => e.hint(),
            Self::Syntax { .. } => Some("restore the object from a backup of the store; do not deliver the file by other means before".to_owned()),
        }
    }
}

/// The names of one file's records.
pub(super) struct Records<'a> {
    pub(super) store: &'a Store,
    pub(super) destination: &'a str,
    pub(super) remote: &'a RemoteName,
}

impl Records<'_> {
    pub(super) fn claim(&self, number: u32) -> Key {
        Key::Claim {
            destination: self.destination.to_owned(),
            remote: self.remote.to_string(),
            number,
        }
    }

    pub(super) fn committing(&self) -> Key {
        Key::Committing {
            destination: self.destination.to_owned(),
            remote: self.remote.to_string(),
        }
    }

    pub(super) fn receipt(&self) -> Key {
        Key::Receipt {
            destination: self.destination.to_owned(),
            remote: self.remote.to_string(),
        }
    }

    pub(super) async fn receipt_bytes(&self) -> Result<Option<Bytes>, RecordError> {
        Ok(self.store.get(&self.receipt().to_string(), MAX_BYTES).await?)
    }

    async fn read<T: DeserializeOwned>(&self, key: Key) -> Result<Option<T>, RecordError> {
        let path = key.to_string();
        let Some(bytes) = self.store.get(&path, MAX_BYTES).await? else {
            return Ok(None);
        };
        serde_json::from_slice(&bytes).map(Some).map_err(|source| RecordError::Syntax { path, source })
    }

    /// Whether there is a claim of that number.
    pub(super) async fn is_claimed(&self, number: u32) -> Result<bool, RecordError> {
        Ok(self.store.get(&self.claim(number).to_string(), MAX_BYTES).await?.is_some())
    }

    /// Everything about the file that the store holds. Of what was seen `before`, only what this process did itself is kept:
    /// what lies at the receiver is forgotten.
    pub(super) async fn gather(&self, before: &Seen) -> Result<Seen, RecordError> {
        let (receipt, committing) = futures::try_join!(self.read(self.receipt()), self.read(self.committing()))?;
        let mut claims: Vec<Claim> = Vec::new();
        while let Some(claim) = self.read(self.claim(u32::try_from(claims.len()).unwrap_or(u32::MAX).saturating_add(1))).await? {
            claims.push(claim);
        }
        Ok(Seen {
            receipt,
            committing,
            claims,
            remote: None,
            uploaded: before.uploaded,
            commit_asked: before.commit_asked,
            stop: false,
        })
    }
}

/// The file that must lie there.
pub(super) struct Wanted<'a> {
    pub(super) size: u64,
    pub(super) sha256: &'a Sha256,
    pub(super) verify: Verify,
}

impl Wanted<'_> {
    /// What lies under `name`.
    pub(super) async fn compare(&self, transport: &dyn Transport, name: &RemoteName) -> Result<Lies, TransportError> {
        match (transport.inspect(name).await?, self.verify) {
            (None, _) => Ok(Lies::Nothing),
            (Some(size), _) if size != self.size => Ok(Lies::Wrong),
            (Some(_), Verify::Size) => Ok(Lies::Right),
            (Some(_), Verify::SizeAndHash) => Ok(match transport.digest(name).await? {
                None => Lies::Nothing,
                Some(d) if d.size == self.size && d.sha256 == self.sha256.as_str() => Lies::Right,
                Some(_) => Lies::Wrong,
            }),
        }
    }
}
