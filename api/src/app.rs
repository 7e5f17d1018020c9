//! What every handler may use.

use std::sync::Arc;

use axum::extract::FromRef;
use openreg_parts::store::Store;
use tokio::sync::broadcast;
use uuid::Uuid;

use crate::auth::token::Session;
use crate::auth::token::Signer;
use crate::cluster::current::{Current, Purpose};
use crate::cluster::{Cluster, Tenant};
use crate::db::Db;
use crate::error::ApiError;
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
    /// Which namespaces are tenants.
    pub tenants: Current,
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

impl App {
    /// The namespace in which `session` may ask the cluster. Its access token names one; ask here all the same, each time.
    pub async fn namespace<'s>(&self, session: &'s Session) -> Result<&'s str, ApiError> {
        self.namespace_for(session, Purpose::Read).await
    }

    /// The same, of who is going to change something in it.
    pub async fn namespace_to_change<'s>(&self, session: &'s Session) -> Result<&'s str, ApiError> {
        self.namespace_for(session, Purpose::Change).await
    }

    async fn namespace_for<'s>(&self, session: &'s Session, purpose: Purpose) -> Result<&'s str, ApiError> {
        if self.tenants.is_tenant(&tenant(session), purpose).await? {
            Ok(&session.namespace)
        } else {
            Err(ApiError::NotFound(format!(
                "namespace {} of this tenant: it was deleted, or made anew as another tenant",
                session.namespace
            )))
        }
    }

    /// The store of the tenant of `session`: what its namespace says, while it is that tenant's.
    pub async fn store(&self, session: &Session) -> Result<Store, ApiError> {
        self.namespace(session).await?;
        Ok(self.stores.open(&tenant(session)).await?)
    }
}

fn tenant(session: &Session) -> Tenant {
    Tenant {
        uid: session.tenant,
        namespace: session.namespace.clone(),
    }
}

impl FromRef<App> for Signer {
    fn from_ref(app: &App) -> Self {
        app.signer.clone()
    }
}
