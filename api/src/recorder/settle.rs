//! One run: write what is to be written, in this order, and only then let the object go. Every step can be repeated.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use openreg_crds::ReportRun;
use openreg_crds::common::condition::find;

use super::manifest::{self, MAX_BYTES, ManifestContents, ManifestError};
use super::queue::View;
use super::record::{RecordError, RunRecord, is_held, is_recorded, record};
use crate::cluster::{Cluster, ClusterError, Tenant};
use crate::db::audit::NewEntry;
use crate::db::record::Written;
use crate::db::{Db, DbError};
use crate::stores::{Stores, StoresError};

/// How long an object that is to be deleted waits for a manifest that cannot be read. Then the run is recorded without,
/// and the history says so: a namespace that goes away takes its Store with it, and must not hang for ever.
pub const GRACE: SignedDuration = SignedDuration::from_hours(1);

/// What the recorder works with.
#[derive(Clone)]
pub struct Recorder {
    /// The history.
    pub db: Db,
    /// The objects.
    pub cluster: Arc<dyn Cluster>,
    /// The manifests.
    pub stores: Stores,
    /// How long a deleted object waits for its manifest.
    pub grace: SignedDuration,
    /// How often all runs are listed.
    pub relist: Duration,
}

/// Why a run is not settled. All are tried again.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// The database does not take it.
    #[error("could not write the run")]
    Db(#[from] DbError),
    /// The object cannot be changed.
    #[error("could not change the run's object")]
    Cluster(#[from] ClusterError),
    /// The tenants cannot be listed.
    #[error("could not find out which tenant's the run is")]
    Tenants(#[source] ClusterError),
    /// The object makes no sense.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The manifest cannot be read.
    #[error("could not read the run's manifest")]
    Store(#[from] StoresError),
    /// The manifest is not there.
    #[error("could not find the run's manifest {0} in the store")]
    ManifestMissing(String),
    /// The manifest is another one.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The history has another run of that id.
    #[error(
        "could not write the run: its spec.id is that of an earlier ReportRun {0}, whose history would be lost; delete this one and give the next an id of its own"
    )]
    IdTaken(String),
    /// It took too long.
    #[error("could not write the run within {} s", .0.as_secs())]
    Late(Duration),
    /// This process leads no longer, or stops.
    #[error("could not write the run to its end: this process writes no longer")]
    CutOff,
    /// A defect of this program; what it was stands in the log above.
    #[error("could not write the run: its writing panicked")]
    Panicked,
    /// Nobody knows whose it is.
    #[error("could not write the run: namespace {0} is no tenant, since it has no label openreg.io/tenant")]
    NoTenant(String),
}

impl Trouble {
    /// The reason of the condition Recorded, when the object itself can tell.
    fn reason(&self) -> Option<&'static str> {
        match self {
            Self::Store(_) => Some("StoreUnavailable"),
            Self::ManifestMissing(_) => Some("ManifestMissing"),
            Self::Manifest(_) => Some("ManifestChanged"),
            Self::IdTaken(_) => Some("IdTaken"),
            Self::Record(_) | Self::Db(_) | Self::Cluster(_) | Self::Tenants(_) | Self::Late(_) | Self::CutOff | Self::Panicked | Self::NoTenant(_) => None,
        }
    }
}

impl Recorder {
    /// Writes what `view` says of a run, and lets the object go when the run has ended and all of it is stored.
    pub async fn settle(&self, tenant: &Tenant, view: &View, now: Timestamp) -> Result<(), Trouble> {
        let run = &view.run;
        let mut record = record(tenant, run)?;
        // Asked even when the object says so: a database that was restored from a backup may not have it any more.
        let recorded = record.terminal && is_recorded(run);
        if recorded && self.db.has_ended(tenant.uid, record.detail.run.id).await? {
            return if is_held(run) && !view.gone { self.release(run).await } else { Ok(()) };
        }
        let manifest = self.manifest(tenant, &record).await;
        let given_up = manifest.is_err() && self.is_overdue(view, now);
        if let (true, Err(e)) = (given_up, &manifest) {
            let subject = format!("run/{}", record.detail.run.id);
            record.entries.push(NewEntry::by_recorder(
                "run.recordedWithoutManifest",
                subject,
                serde_json::json!({"reason": e.to_string(), "manifest": record.detail.manifest}),
            ));
        }
        let written = self.db.record(&record, manifest.as_ref().ok().and_then(Option::as_ref)).await?;
        if let Written::IdTaken { by, gone } = written {
            if gone {
                // Nobody else may ever say so: the queue keeps the newest view of a name.
                self.db.mark_lost(tenant.uid, &[record.detail.run.id]).await?;
            }
            // The audit trail has it; nothing more can be done, and nothing is gained by holding it.
            return match (view.gone, run.metadata.deletion_timestamp.is_some() && is_held(run)) {
                (true, _) => Ok(()),
                (false, true) => self.release(run).await,
                (false, false) => self.explain(run, &Trouble::IdTaken(by)).await,
            };
        }
        if view.gone {
            if !record.terminal {
                self.db.mark_lost(tenant.uid, &[record.detail.run.id]).await?;
            }
            return match manifest {
                // Its finalizer was taken off by somebody else. What it sealed may still come back.
                Err(trouble) if !given_up => Err(trouble),
                _ => Ok(()),
            };
        }
        if let Err(trouble) = manifest
            && !given_up
        {
            self.explain(run, &trouble).await?;
            return Err(trouble);
        }
        if recorded {
            return if is_held(run) { self.release(run).await } else { Ok(()) };
        }
        if record.terminal {
            match self.cluster.mark_run(run, Ok(())).await {
                // It went meanwhile; all that is known of it is stored.
                Err(ClusterError::Missing { .. }) => return Ok(()),
                other => other?,
            }
            // The object that the mark made arrives by the watch, and is released then: its version is the one to change.
        }
        Ok(())
    }

    /// The contents of the sealed manifest, when there is one and the history does not have it.
    async fn manifest(&self, tenant: &Tenant, record: &RunRecord) -> Result<Option<ManifestContents>, Trouble> {
        let Some(sealed) = &record.detail.manifest else { return Ok(None) };
        let id = record.detail.run.id;
        if self.db.has_manifest(tenant.uid, id).await? {
            return Ok(None);
        }
        let store = self.stores.open(tenant).await?;
        let bytes = store
            .get(&sealed.key, MAX_BYTES)
            .await
            .map_err(StoresError::from)?
            .ok_or_else(|| Trouble::ManifestMissing(sealed.key.clone()))?;
        Ok(Some(manifest::read(&bytes, &sealed.sha256, &id.to_string())?))
    }

    /// Whether an object that goes, or is gone, has waited for its manifest for long enough.
    fn is_overdue(&self, view: &View, now: Timestamp) -> bool {
        let (metadata, status) = (&view.run.metadata, view.run.status.as_ref());
        let ended = || status.and_then(|s| s.finished_at.as_ref()).or(metadata.creation_timestamp.as_ref());
        let since = metadata.deletion_timestamp.as_ref().or_else(|| if view.gone { ended() } else { None });
        since.is_some_and(|t| now.duration_since(t.0) > self.grace)
    }

    /// Writes into the object what it waits for, once for each reason: a write makes the watch speak again.
    async fn explain(&self, run: &ReportRun, trouble: &Trouble) -> Result<(), Trouble> {
        let Some(reason) = trouble.reason() else { return Ok(()) };
        let said = run
            .status
            .as_ref()
            .and_then(|s| find(&s.conditions, "Recorded"))
            .is_some_and(|c| c.reason == reason);
        if !said {
            self.cluster.mark_run(run, Err((reason, &crate::error::chain(trouble)))).await?;
        }
        Ok(())
    }

    async fn release(&self, run: &ReportRun) -> Result<(), Trouble> {
        match self.cluster.release_run(run).await {
            Err(ClusterError::Missing { .. }) => Ok(()),
            other => Ok(other?),
        }
    }
}
