//! Store: where a tenant's artifacts live. One a namespace, named `default`.

use kube::CustomResource;
use openreg_parts::store::StoreOptions;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::reference::{Network, SecretRef};
use crate::common::status::EndpointStatus;

/// Where a tenant's artifacts live.
#[derive(CustomResource, Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[kube(
    group = "openreg.io",
    version = "v1alpha1",
    kind = "Store",
    namespaced,
    derive = "PartialEq",
    status = "EndpointStatus",
    category = "openreg",
    shortname = "orst",
    printcolumn = r#"{"name": "Ready", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Ready')].status"}"#,
    printcolumn = r#"{"name": "Reachable", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].status"}"#,
    printcolumn = r#"{"name": "Reason", "type": "string", "jsonPath": ".status.conditions[?(@.type=='Reachable')].reason"}"#,
    printcolumn = r#"{"name": "Checked", "type": "date", "jsonPath": ".status.lastProbeTime"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#,
    printcolumn = r#"{"name": "Message", "type": "string", "priority": 1, "jsonPath": ".status.conditions[?(@.type=='Reachable')].message"}"#
)]
#[serde(rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [
    {"rule": "[has(self.s3), has(self.directory)].exists_one(x, x)", "message": "set exactly one of s3, directory"},
    {"rule": "!has(self.s3) || has(self.credentialsRef)", "message": "s3 needs credentialsRef: write secret, the name of a Secret with the keys accessKeyId, secretAccessKey and allowedHosts", "fieldPath": ".credentialsRef", "reason": "FieldValueRequired"}
]))]
pub struct StoreSpec {
    /// The store and its address.
    #[serde(flatten)]
    pub store: StoreOptions,
    /// The Secret with the keys `accessKeyId`, `secretAccessKey`, `allowedHosts`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credentials_ref: Option<SecretRef>,
    /// Which peers the store's traffic may reach.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
}
