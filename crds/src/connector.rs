//! Connector: where data comes from, and what it may cost there.

use kube::CustomResource;
use openreg_parts::source::{SourceLimits, SourceOptions};
use openreg_parts::units::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::reference::{Network, SecretRef};
use crate::common::status::EndpointStatus;

/// Where data comes from. Read-only: the session is set read-only and exactly one prepared statement runs.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Connector",
    namespaced,
    derive = "PartialEq",
    status = "EndpointStatus",
    category = "openreg",
    shortname = "orcn",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reachable", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].reason"}"#,
    printcolumn = r#"{"name": "Checked", "type": "date", "jsonPath": ".status.lastProbeTime"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Reachable')].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.postgres), has(self.sqlite)].exists_one(x, x)", "message": "set exactly one of postgres, sqlite"},
    {"rule": "!has(self.postgres) || has(self.credentialsRef)", "message": "postgres needs credentialsRef: write secret, the name of a Secret with the keys username, password and allowedHosts", "fieldPath": ".credentialsRef", "reason": "FieldValueRequired"}
]))]
pub struct ConnectorSpec {
    /// The source and its address.
    #[serde(flatten)]
    pub source: SourceOptions,
    /// The Secret with the keys `username`, `password`, `allowedHosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretRef>,
    /// What it may cost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<SourceLimits>,
    /// How times without a zone are read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamps: Option<Timestamps>,
    /// Which peers a run may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// How often the connector is probed [6h], with jitter; skipped after a recent good run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check_interval: Option<Duration>,
}

/// How times without a zone are read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Timestamps {
    /// IANA name, such as `Europe/Berlin` [UTC].
    #[schemars(length(min = 1, max = 64), regex(pattern = "^[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)*$"))]
    pub time_zone: String,
}
