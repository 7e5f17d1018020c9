//! References to Secrets and to pods.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A Secret in the same namespace. It must carry a key `allowedHosts` (`db.acme.svc:5432`, one a line): its contents are
/// sent nowhere else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRef {
    /// The Secret's name.
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[a-z0-9]([-.a-z0-9]*[a-z0-9])?$"))]
    pub secret: String,
}

/// Which peers a pod may reach on the port of the connector or destination. Absent: that port anywhere but the node, the
/// API server and the metadata addresses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(transform = openreg_parts::schema::exactly_one)]
pub enum Network {
    /// Address ranges, such as `10.1.0.0/16`.
    Cidrs(#[schemars(length(min = 1, max = 32), inner(length(min = 9, max = 43)))] Vec<String>),
    /// Pods of the cluster.
    Pods(PodPeer),
}

/// Pods of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PodPeer {
    /// Their namespace; absent: the same one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 63))]
    pub namespace: Option<String>,
    /// Their labels.
    #[schemars(schema_with = "openreg_parts::schema::text_map::<8, 63>", extend("minProperties" = 1))]
    pub match_labels: BTreeMap<String, String>,
}
