//! The commit point: the manifest, written last and only if there is none.

use bytes::Bytes;
use openreg_parts::error::Class;
use openreg_parts::store::key::Key;
use openreg_parts::store::manifest::Manifest;
use openreg_parts::store::{Created, Store};
use openreg_plan::Sha256;
use openreg_plan::report::{SealedManifest, Stage};

use crate::stage::StageError;

/// The most bytes of a manifest.
const MAX_MANIFEST: usize = 4 << 20;

/// A manifest as it lies in the store.
#[derive(Clone, Debug)]
pub(crate) struct Sealed {
    pub(crate) manifest: Manifest,
    pub(crate) named: SealedManifest,
}

/// The run's sealed manifest, if there is one. It must be of the plan `plan_sha256`: a run has one plan, and whoever takes
/// another's file for this one's would deliver what nobody asked for.
pub(crate) async fn find(store: &Store, run: &str, plan_sha256: &str) -> Result<Option<Sealed>, StageError> {
    let key = Key::Manifest { run: run.to_owned() };
    let Some(bytes) = store.get(&key.to_string(), MAX_MANIFEST).await.map_err(StageError::at(Stage::Store))? else {
        return Ok(None);
    };
    let found = sealed(&key, &bytes)?;
    if found.manifest.plan_sha256 != plan_sha256 {
        let message = format!("could not use the sealed manifest of run {run}: it was made by another plan");
        return Err(StageError::plain(Stage::Store, Class::Config, "SealedByAnotherPlan", message).with_hint("a run's id is used once: start a new run"));
    }
    Ok(Some(found))
}

/// Seals `manifest`; when another attempt was faster, the answer is that attempt's manifest.
pub(crate) async fn seal(store: &Store, manifest: Manifest) -> Result<Sealed, StageError> {
    let key = Key::Manifest { run: manifest.run.clone() };
    let bytes = serde_json::to_vec(&manifest).map_err(|e| StageError::internal(Stage::Store, format!("could not write the manifest: {e}")))?;
    match store.create(&key, Bytes::from(bytes.clone())).await.map_err(StageError::at(Stage::Store))? {
        Created::New => sealed(&key, &bytes),
        Created::Existing => find(store, &manifest.run, &manifest.plan_sha256).await?.ok_or_else(|| {
            StageError::plain(
                Stage::Store,
                Class::Transient,
                "ManifestLost",
                "could not read the manifest that another attempt sealed",
            )
            .with_hint("it is tried again; if it stays so, find out who removes objects from the store")
        }),
    }
}

fn sealed(key: &Key, bytes: &[u8]) -> Result<Sealed, StageError> {
    let manifest: Manifest = serde_json::from_slice(bytes).map_err(|_| {
        StageError::plain(
            Stage::Store,
            Class::Internal,
            "ManifestUnreadable",
            format!("could not read the manifest {key}: it is not one of this version"),
        )
        .with_hint("operator and runner must be of one version")
    })?;
    let named = SealedManifest {
        key: key.to_string(),
        sha256: Sha256::of(bytes),
        outcome: manifest.outcome,
    };
    Ok(Sealed { manifest, named })
}
