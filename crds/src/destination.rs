//! Destination: where files go, and how carefully.

use kube::CustomResource;
use openreg_parts::transport::TransportOptions;
use openreg_parts::units::Duration;
use openreg_plan::plan::Verify;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::reference::{Network, SecretRef};
use crate::common::status::EndpointStatus;
use crate::report::Backoff;

/// Where files go.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Destination",
    namespaced,
    derive = "PartialEq",
    status = "EndpointStatus",
    category = "openreg",
    shortname = "ords",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reachable", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].reason"}"#,
    printcolumn = r#"{"name": "Checked", "type": "date", "jsonPath": ".status.lastProbeTime"}"#,
    printcolumn = r#"{"name": "Suspended", "type": "boolean", "jsonPath": ".spec.suspend"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Reachable')].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.sftp), has(self.directory)].exists_one(x, x)", "message": "set exactly one of sftp, directory"},
    {"rule": "!has(self.sftp) || has(self.credentialsRef)", "message": "sftp needs credentialsRef: write secret, the name of a Secret with the keys username, allowedHosts and the one that auth names", "fieldPath": ".credentialsRef", "reason": "FieldValueRequired"}
]))]
pub struct DestinationSpec {
    /// The transport and its address.
    #[serde(flatten)]
    pub transport: TransportOptions,
    /// The Secret with the keys `username`, `allowedHosts` and what `auth` names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretRef>,
    /// How files are delivered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivery: Option<DeliveryOptions>,
    /// Which peers a delivery may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    /// A freeze: deliveries wait, nothing fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspend: Option<bool>,
}

/// How files are delivered. Absent means the default in brackets.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeliveryOptions {
    /// What a file's name begins with until it is whole [.].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 16), regex(pattern = "^[-._A-Za-z0-9]+$"))]
    pub temporary_prefix: Option<String>,
    /// The most attempts [8].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 20))]
    pub max_attempts: Option<u32>,
    /// The pause between attempts; doubles from `initial` to `max` [5s, 15m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff: Option<Backoff>,
    /// What is compared after the upload [SizeAndHash].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verify: Option<Verify>,
    /// How long one attempt may take [15m].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Duration>,
}
