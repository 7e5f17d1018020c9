//! An artifact as it leaves the store, hashed on its way: its end is reached only if every byte was the sealed one.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use futures::StreamExt;
use openreg_parts::error::{Class, Classified};
use openreg_parts::store::{ObjectStream, Store, StoreError};
use openreg_parts::transport::{Body, Stopped};
use openreg_plan::digest::Sha256;
use sha2::Digest;

/// What is the matter with an artifact.
#[derive(Debug, thiserror::Error)]
pub(super) enum ArtifactError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The sealed artifact is gone.
    #[error("could not find artifact {key} in the store")]
    Missing { key: String },
    /// It is no longer what was sealed.
    #[error("could not send artifact {key}: it is no longer what was sealed")]
    Changed { key: String },
}

impl Classified for ArtifactError {
    fn class(&self) -> Class {
        match self {
            Self::Store(e) => e.class(),
            Self::Missing { .. } | Self::Changed { .. } => Class::Internal,
        }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::Store(e) => e.code(),
            Self::Missing { .. } => "ArtifactMissing",
            Self::Changed { .. } => "ArtifactChanged",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Store(e) => e.hint(),
            Self::Missing { .. } => Some("restore the object, or start a new run".to_owned()),
            Self::Changed { .. } => Some("find out who changed the object in the store; restore it, or start a new run".to_owned()),
        }
    }
}

/// Where the body leaves the reason for which it stopped.
#[derive(Clone, Default)]
pub(super) struct Reason(Arc<Mutex<Option<ArtifactError>>>);

impl Reason {
    pub(super) fn take(&self) -> Option<ArtifactError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn stop(&self, error: ArtifactError) -> Stopped {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        Stopped
    }
}

/// The artifact's bytes. `sent` hears how many have left.
pub(super) async fn open<'a>(
    store: &Store,
    key: &str,
    size: u64,
    sha256: &Sha256,
    reason: Reason,
    sent: impl FnMut(u64) + Send + 'a,
) -> Result<Body<'a>, ArtifactError> {
    let Some(object) = store.stream(key, 0).await? else {
        return Err(ArtifactError::Missing { key: key.to_owned() });
    };
    if object.size != size {
        return Err(ArtifactError::Changed { key: key.to_owned() });
    }
    let state = State {
        object,
        hash: sha2::Sha256::new(),
        left: size,
        size,
        key: key.to_owned(),
        sha256: sha256.clone(),
        reason,
        sent,
    };
    Ok(futures::stream::try_unfold(state, State::next).boxed())
}

struct State<F> {
    object: ObjectStream,
    hash: sha2::Sha256,
    left: u64,
    size: u64,
    key: String,
    sha256: Sha256,
    reason: Reason,
    sent: F,
}

impl<F: FnMut(u64)> State<F> {
    async fn next(mut self) -> Result<Option<(Bytes, Self)>, Stopped> {
        let changed = |key: &str| ArtifactError::Changed { key: key.to_owned() };
        match self.object.body.next().await {
            Some(Ok(chunk)) => {
                let Some(left) = self.left.checked_sub(chunk.len() as u64) else {
                    return Err(self.reason.stop(changed(&self.key)));
                };
                self.left = left;
                self.hash.update(&chunk);
                (self.sent)(self.size - left);
                Ok(Some((chunk, self)))
            }
            Some(Err(e)) => Err(self.reason.stop(e.into())),
            None => {
                let found = hex::encode(std::mem::take(&mut self.hash).finalize());
                if self.left == 0 && found == self.sha256.as_str() {
                    Ok(None)
                } else {
                    Err(self.reason.stop(changed(&self.key)))
                }
            }
        }
    }
}
