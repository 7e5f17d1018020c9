//! Delivers a sealed run's files to one destination, each at most once. It retries nothing but what leaves no doubt
//! whether a file became visible; a failed delivery is tried again by a new pod.
//!
//! The records in the store (`deliver/record.rs`) say who may send; what follows from them is decided in
//! `deliver/decide.rs` and done in `deliver/effects.rs`.

mod body;
mod decide;
mod effects;
mod file;
mod gather;
mod link;
mod record;
mod stop;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::FutureExt;
use openreg_parts::error::Class;
use openreg_parts::secrets::SecretFiles;
use openreg_parts::store::Store;
use openreg_parts::store::key::Key;
use openreg_parts::store::manifest::{self, Manifest};
use openreg_parts::transport::{self, RemoteName};
use openreg_plan::RunPlan;
use openreg_plan::digest::Sha256;
use openreg_plan::plan::{Destination, SecretMount};
use openreg_plan::report::{Delivery, Outcome, Stage};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::stage::StageError;
use decide::Me;
use file::{End, File};
use link::{Connect, Link};
use stop::{Stop, Stopper};

/// The most bytes of a manifest.
const MAX_MANIFEST: usize = 4 << 20;

/// Which delivery.
#[derive(Clone, Debug)]
pub struct DeliverRequest {
    /// Index of the destination in the plan.
    pub destination: usize,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// UID of this pod.
    pub pod: String,
    /// UIDs of this run's pods that were seen to end.
    pub ended_pods: Vec<String>,
    /// SHA-256 of the manifest's bytes.
    pub manifest_sha256: Sha256,
}

/// What came of a delivery.
#[derive(Clone, Debug)]
pub struct Delivered {
    /// Delivered, Unknown, Cancelled or Failed.
    pub outcome: Outcome,
    /// How far it got.
    pub delivery: Delivery,
    /// What was the matter; absent when it was delivered or cancelled.
    pub failure: Option<StageError>,
}

/// What happens on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeliverEvent {
    /// The name at the receiver is this run's.
    Claimed {
        /// Path of the file at the receiver.
        remote: String,
    },
    /// Another tenth of the file has left.
    Sent {
        /// Path of the file at the receiver.
        remote: String,
        /// Bytes so far.
        bytes: u64,
        /// Bytes of the whole file.
        of: u64,
    },
    /// The file has its final name.
    Visible {
        /// Path of the file at the receiver.
        remote: String,
    },
    /// The receipt is written.
    Receipt {
        /// Path of the file at the receiver.
        remote: String,
    },
}

/// Delivers every artifact of the sealed manifest to one destination. Cancelled before a file's rename it stops and
/// cleans up; after that it finishes the file.
pub async fn deliver(plan: &RunPlan, request: DeliverRequest, cancel: CancellationToken, progress: &(dyn Fn(DeliverEvent) + Send + Sync)) -> Delivered {
    let Some(destination) = plan.destinations.get(request.destination) else {
        let message = format!(
            "could not deliver to destination {}: the plan has {}",
            request.destination,
            plan.destinations.len()
        );
        return failed(nothing_yet(), internal("DestinationUnknown", message, None));
    };
    let secret = |mount: &Option<SecretMount>| mount.as_ref().map(|m| SecretFiles::new(&m.name, &m.path));
    let (store_secret, secret) = (secret(&plan.store.credentials), secret(&destination.credentials));
    let store = match Store::open(&plan.store.options, store_secret.as_ref(), &plan.store.prefix).await {
        Ok(store) => store,
        Err(e) => return failed(nothing_yet(), StageError::new(Stage::Deliver, &e)),
    };
    let connect = || transport::open(&destination.transport, secret.as_ref()).boxed();
    let ground = Ground {
        store: &store,
        destination,
        connect: &connect,
        progress,
        pause: Duration::from_secs(1),
        dies: &|_, _| false,
    };
    deliver_on(&ground, &plan.run.id, &request, cancel).await
}

/// What a delivery stands on; tests bring their own.
struct Ground<'a> {
    store: &'a Store,
    destination: &'a Destination,
    connect: &'a Connect<'a>,
    progress: &'a (dyn Fn(DeliverEvent) + Send + Sync),
    pause: Duration,
    dies: &'a (dyn Fn(&decide::Step, file::When) -> bool + Send + Sync),
}

async fn deliver_on(ground: &Ground<'_>, run: &str, request: &DeliverRequest, cancel: CancellationToken) -> Delivered {
    let destination = ground.destination;
    let stopper = Stopper::new(cancel, Instant::now() + Duration::from_secs(destination.timeout_seconds));
    let mut delivery = nothing_yet();
    let manifest = match sealed(ground.store, run, &request.manifest_sha256).await {
        Ok(manifest) => manifest,
        Err(e) => return failed(delivery, e),
    };
    let mut link = Link::new(ground.connect);
    let mut result = Ok(End::Stopped(Stop::Cancelled));
    for artifact in &manifest.artifacts {
        let file = match file(ground, run, request, &stopper, artifact) {
            Ok(file) => file,
            Err(e) => return failed(delivery, e),
        };
        let ended = file.deliver(&mut link).await;
        delivery.begun |= ended.begun;
        delivery.unsettled |= ended.unsettled;
        if ended.begun {
            delivery.remote = Some(file.remote.to_string());
        }
        result = ended.end;
        let Ok(End::Delivered(receipt)) = &result else { break };
        delivery.receipts += 1;
        delivery.receipt_sha256 = Some(receipt.clone());
    }
    link.close().await;
    ended(destination, delivery, result)
}

fn ended(destination: &Destination, delivery: Delivery, result: Result<End, StageError>) -> Delivered {
    match result {
        Err(e) => failed(delivery, e),
        Ok(End::Delivered(_)) => Delivered {
            outcome: Outcome::Delivered,
            delivery,
            failure: None,
        },
        Ok(End::Stopped(Stop::Cancelled)) | Ok(End::Died) => Delivered {
            outcome: Outcome::Cancelled,
            delivery,
            failure: None,
        },
        Ok(End::Stopped(Stop::TimedOut)) => {
            let error = StageError {
                stage: Stage::Deliver,
                class: Class::Transient,
                code: "DeliverTimeout".to_owned(),
                message: format!("could not deliver to {} within {} s", destination.name, destination.timeout_seconds),
                hint: Some("check how fast the receiver takes files, and give the Destination more time".to_owned()),
            };
            failed(delivery, error)
        }
        Ok(End::Unknown) => {
            let remote = delivery.remote.clone().unwrap_or_default();
            let message = format!(
                "could not tell whether {remote} was delivered to {}: the rename was begun, and neither store nor receiver says how it ended",
                destination.name
            );
            let hint = "ask the receiver whether they have the file, then record the answer; it is never sent again by itself".to_owned();
            Delivered {
                outcome: Outcome::Unknown,
                delivery,
                failure: Some(internal("DeliveryUnknown", message, Some(hint))),
            }
        }
    }
}

fn failed(delivery: Delivery, error: StageError) -> Delivered {
    Delivered {
        outcome: Outcome::Failed,
        delivery,
        failure: Some(error),
    }
}

fn internal(code: &str, message: String, hint: Option<String>) -> StageError {
    let fault = StageError::internal(Stage::Deliver, message);
    StageError {
        code: code.to_owned(),
        hint: hint.or(fault.hint.clone()),
        ..fault
    }
}

/// The sealed manifest, if it is the one that was asked for and there is something to deliver.
async fn sealed(store: &Store, run: &str, expected: &Sha256) -> Result<Manifest, StageError> {
    let key = Key::Manifest { run: run.to_owned() }.to_string();
    let bytes = store.get(&key, MAX_MANIFEST).await.map_err(StageError::at(Stage::Deliver))?;
    let Some(bytes) = bytes else {
        let hint = "find out who removed the object from the store; restore it, or start a new run".to_owned();
        return Err(internal("ManifestMissing", format!("could not find {key} in the store"), Some(hint)));
    };
    let found = Sha256::of(&bytes);
    if &found != expected {
        let hint = "find out who changed the object in the store and restore it".to_owned();
        return Err(internal(
            "ManifestChanged",
            format!("could not use {key}: its SHA-256 is {found}, not {expected}"),
            Some(hint),
        ));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes).map_err(|e| internal("ManifestUnreadable", format!("could not understand {key}: {e}"), None))?;
    if manifest.run != run || manifest.outcome != manifest::Outcome::Complete || manifest.artifacts.is_empty() {
        return Err(internal(
            "NothingToDeliver",
            format!("could not deliver {key}: it names no artifact of run {run}"),
            None,
        ));
    }
    Ok(manifest)
}

fn file<'a>(
    ground: &'a Ground<'_>,
    run: &str,
    request: &DeliverRequest,
    stopper: &'a Stopper,
    artifact: &'a manifest::Artifact,
) -> Result<File<'a>, StageError> {
    let remote = RemoteName::new(&ground.destination.directory, &artifact.name).map_err(StageError::at(Stage::Deliver))?;
    let sha256 =
        Sha256::try_from(artifact.sha256.clone()).map_err(|e| internal("ManifestUnreadable", format!("could not understand the manifest: {e}"), None))?;
    Ok(File {
        store: ground.store,
        destination: ground.destination,
        me: Me {
            run: run.to_owned(),
            manifest_sha256: request.manifest_sha256.clone(),
            sha256,
            size: artifact.size,
            pod: request.pod.clone(),
            ended_pods: request.ended_pods.clone(),
        },
        attempt: request.attempt,
        key: &artifact.key,
        remote,
        name: &artifact.name,
        stopper,
        progress: ground.progress,
        pause: ground.pause,
        dies: ground.dies,
    })
}

fn nothing_yet() -> Delivery {
    Delivery {
        begun: false,
        receipts: 0,
        unsettled: false,
        remote: None,
        receipt_sha256: None,
    }
}
