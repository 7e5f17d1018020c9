//! What every handler may use.

use std::sync::Arc;

use axum::extract::FromRef;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::auth::token::Signer;
use crate::cluster::Cluster;
use crate::db::Db;
use crate::metrics::HttpMetrics;
use crate::stores::Stores;

/// A run changed in the history, or the channel was interrupted and anything may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// That run.
    Run {
        /// Its tenant.
        tenant: Uuid,
        /// Its id.
        run: Uuid,
    },
    /// Changes may have been missed.
    Gap,
    /// The server stops.
    Stop,
}

/// What every handler may use. Cheap to clone.
#[derive(Clone)]
pub struct App {
    /// History, users, audit.
    pub db: Db,
    /// Custom resources.
    pub cluster: Arc<dyn Cluster>,
    /// Artifacts.
    pub stores: Stores,
    /// Access tokens.
    pub signer: Signer,
    /// Whether cookies are for TLS only; off only where the page is served without.
    pub secure_cookies: bool,
    /// Counters of requests.
    pub metrics: HttpMetrics,
    /// Which runs change.
    pub changes: broadcast::Sender<Change>,
}

impl FromRef<App> for Signer {
    fn from_ref(app: &App) -> Self {
        app.signer.clone()
    }
}
