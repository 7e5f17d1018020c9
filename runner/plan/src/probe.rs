//! One real check of a connector, a destination or the store, as a small Job.

use openreg_parts::source::{SourceLimits, SourceOptions};
use openreg_parts::store::StoreOptions;
use openreg_parts::transport::TransportOptions;
use serde::{Deserialize, Serialize};

use crate::plan::SecretMount;

/// What to probe; mounted like a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProbePlan {
    /// Layout version, 1.
    pub version: u32,
    /// What is probed.
    pub target: ProbeTarget,
    /// Its credentials, if it needs any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials: Option<SecretMount>,
    /// Wall-clock seconds.
    pub timeout_seconds: u64,
}

/// What is probed: exactly one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeTarget {
    /// Log in, begin a read-only transaction, select 1.
    Source {
        /// The source.
        options: SourceOptions,
        /// Its limits.
        limits: SourceLimits,
    },
    /// Log in, look at the directory.
    Transport(TransportOptions),
    /// Two conditional writes of one key: exactly one may win.
    Store {
        /// The store.
        options: StoreOptions,
        /// What every key begins with.
        prefix: String,
    },
}
