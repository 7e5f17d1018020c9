//! The tenants' stores: options from the Store object, credentials from the directory that the chart mounts for the
//! tenant's namespace. Opened for each use, so that a rotated key is used at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use openreg_parts::error::{Class, Classified};
use openreg_parts::secrets::SecretFiles;
use openreg_parts::store::{Store, StoreError};

use crate::cluster::{Cluster, ClusterError, Tenant};
use crate::error::ApiError;

/// Where the chart mounts the credentials: `<here>/<namespace>/{accessKeyId,secretAccessKey,allowedHosts}`.
pub const MOUNT: &str = "/stores";

/// The directory of the credentials for tenants without their own; no namespace can have this name.
const SHARED: &str = "_default";

/// What goes wrong on the way to a store.
#[derive(Debug, thiserror::Error)]
pub enum StoresError {
    /// The Store object cannot be read.
    #[error("could not find out where the store is")]
    Cluster(#[from] ClusterError),
    /// The tenant has no Store object.
    #[error("could not find the Store of namespace {0}")]
    Absent(String),
    /// The store does not do what it is asked.
    #[error("could not use the store")]
    Store(#[from] StoreError),
}

impl From<StoresError> for ApiError {
    fn from(error: StoresError) -> Self {
        let error = match error {
            StoresError::Absent(_) => return Self::Misconfigured(format!("{error}: it says where files lie")),
            StoresError::Cluster(error) => return error.into(),
            StoresError::Store(error) if error.class() == Class::Config => {
                let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
                return Self::Misconfigured(format!("{error}{hint}"));
            }
            other => other,
        };
        Self::Unavailable {
            action: "read the store",
            what: "the store",
            source: Box::new(error),
        }
    }
}

/// The tenants' stores.
#[derive(Clone)]
pub struct Stores {
    cluster: Arc<dyn Cluster>,
    credentials: Arc<Path>,
}

impl Stores {
    /// With the credentials under `credentials`.
    pub fn new(cluster: Arc<dyn Cluster>, credentials: PathBuf) -> Self {
        Self {
            cluster,
            credentials: credentials.into(),
        }
    }

    fn directory(&self, namespace: &str) -> PathBuf {
        let own = self.credentials.join(namespace);
        if own.is_dir() { own } else { self.credentials.join(SHARED) }
    }

    /// The store of `tenant`; every key begins with the tenant's id, as the runner writes them.
    pub async fn open(&self, tenant: &Tenant) -> Result<Store, StoresError> {
        let object = self
            .cluster
            .store(&tenant.namespace)
            .await?
            .ok_or_else(|| StoresError::Absent(tenant.namespace.clone()))?;
        let files = object
            .spec
            .credentials_ref
            .as_ref()
            .map(|r| SecretFiles::new(&r.secret, self.directory(&tenant.namespace)));
        Ok(Store::open(&object.spec.store, files.as_ref(), &format!("{}/", tenant.uid)).await?)
    }
}
