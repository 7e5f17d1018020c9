//! Which peers the pods of a tenant may reach. Pure: objects come out, nothing is applied.
//!
//! Every pod of the operator is denied everything but DNS; each Store, Connector and Destination owns one policy that
//! opens its own port to pods that carry its label. A pod that reads from two connectors carries both labels.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{LabelSelector, ObjectMeta, OwnerReference};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use openreg_crds::common::reference::Network;

use crate::labels;

/// Name of the policy that denies everything but DNS.
pub const DEFAULT_DENY: &str = "openreg-default-deny";

/// Link-local addresses: cloud metadata (169.254.169.254), and node-local services.
const LINK_LOCAL_V4: &str = "169.254.0.0/16";
/// The same of IPv6, and the metadata address that lies in the range of unique local addresses.
const NEVER_V6: [&str; 2] = ["fe80::/10", "fd00:ec2::254/128"];

/// What a policy opens.
pub struct Opening<'a> {
    /// Name of the policy.
    pub name: String,
    /// Its namespace.
    pub namespace: &'a str,
    /// Whose it is.
    pub owner: OwnerReference,
    /// The label of the pods that it opens for.
    pub label: String,
    /// The TCP port.
    pub port: u16,
    /// The peers; absent: anywhere but the blocked ranges.
    pub network: Option<&'a Network>,
    /// Ranges that are closed unless named.
    pub blocked: &'a [String],
}

/// The policy that lets pods with a label reach one endpoint.
pub fn opening(opening: &Opening<'_>) -> NetworkPolicy {
    let mut selector: BTreeMap<String, String> = [(labels::MANAGED_BY.to_owned(), labels::OPENREG.to_owned())].into();
    selector.insert(opening.label.clone(), labels::YES.to_owned());
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(opening.name.clone()),
            namespace: Some(opening.namespace.to_owned()),
            labels: Some(labels::base()),
            owner_references: Some(vec![opening.owner.clone()]),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(selector),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Egress".to_owned()]),
            egress: Some(vec![NetworkPolicyEgressRule {
                ports: Some(vec![port("TCP", opening.port)]),
                to: Some(peers(opening)),
            }]),
            ingress: None,
        }),
    }
}

fn peers(opening: &Opening<'_>) -> Vec<NetworkPolicyPeer> {
    let block = |cidr: &str, except: Option<Vec<String>>| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except }),
        ..NetworkPolicyPeer::default()
    };
    match opening.network {
        Some(Network::Cidrs(cidrs)) => cidrs.iter().map(|cidr| block(cidr, None)).collect(),
        Some(Network::Pods(pods)) => vec![NetworkPolicyPeer {
            namespace_selector: pods.namespace.as_ref().map(|namespace| LabelSelector {
                match_labels: Some([("kubernetes.io/metadata.name".to_owned(), namespace.clone())].into()),
                ..LabelSelector::default()
            }),
            pod_selector: Some(LabelSelector {
                match_labels: Some(pods.match_labels.clone()),
                ..LabelSelector::default()
            }),
            ip_block: None,
        }],
        None => {
            let v4 = std::iter::once(LINK_LOCAL_V4.to_owned()).chain(opening.blocked.iter().filter(|c| !c.contains(':')).cloned());
            let v6 = NEVER_V6
                .iter()
                .map(|c| (*c).to_owned())
                .chain(opening.blocked.iter().filter(|c| c.contains(':')).cloned());
            vec![block("0.0.0.0/0", Some(v4.collect())), block("::/0", Some(v6.collect()))]
        }
    }
}

/// The policy that denies the operator's pods in a namespace everything but DNS.
pub fn default_deny(namespace: &str) -> NetworkPolicy {
    NetworkPolicy {
        metadata: ObjectMeta {
            name: Some(DEFAULT_DENY.to_owned()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels::base()),
            ..ObjectMeta::default()
        },
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some([(labels::MANAGED_BY.to_owned(), labels::OPENREG.to_owned())].into()),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned(), "Egress".to_owned()]),
            // DNS servers stand in different places (pods, node-local addresses), so the port alone is named.
            egress: Some(vec![NetworkPolicyEgressRule {
                ports: Some(vec![port("UDP", 53), port("TCP", 53)]),
                to: None,
            }]),
            ingress: None,
        }),
    }
}

fn port(protocol: &str, number: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        protocol: Some(protocol.to_owned()),
        port: Some(IntOrString::Int(i32::from(number))),
        end_port: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use openreg_crds::common::reference::PodPeer;
    use serde_json::{Value, json};

    fn policy(network: Option<&Network>, blocked: &[String]) -> Value {
        let owner = OwnerReference {
            api_version: "openreg.io/v1alpha1".to_owned(),
            kind: "Connector".to_owned(),
            name: "trades".to_owned(),
            uid: "u".to_owned(),
            ..OwnerReference::default()
        };
        serde_json::to_value(opening(&Opening {
            name: "openreg-connector-trades".to_owned(),
            namespace: "acme",
            owner,
            label: labels::connector("trades"),
            port: 5432,
            network,
            blocked,
        }))
        .unwrap()
    }

    #[test]
    fn opening_is_one_port_for_one_label() {
        let value = policy(
            Some(&Network::Cidrs(vec!["10.1.0.0/16".to_owned(), "fd01::/64".to_owned()])),
            &["10.1.2.3/32".to_owned()],
        );
        assert_eq!(
            value,
            json!({
                "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy",
                "metadata": {
                    "name": "openreg-connector-trades", "namespace": "acme",
                    "labels": {"app.kubernetes.io/managed-by": "openreg", "app.kubernetes.io/name": "openreg-runner"},
                    "ownerReferences": [{"apiVersion": "openreg.io/v1alpha1", "kind": "Connector", "name": "trades", "uid": "u"}]
                },
                "spec": {
                    "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "openreg", "openreg.io/connector-trades": "true"}},
                    "policyTypes": ["Egress"],
                    "egress": [{"ports": [{"protocol": "TCP", "port": 5432}], "to": [{"ipBlock": {"cidr": "10.1.0.0/16"}}, {"ipBlock": {"cidr": "fd01::/64"}}]}]
                }
            })
        );
    }

    #[test]
    fn without_peers_everything_but_the_blocked_is_open() {
        let value = policy(None, &["10.0.0.1/32".to_owned(), "fd02::1/128".to_owned()]);
        assert_eq!(
            value["spec"]["egress"][0]["to"],
            json!([
                {"ipBlock": {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16", "10.0.0.1/32"]}},
                {"ipBlock": {"cidr": "::/0", "except": ["fe80::/10", "fd00:ec2::254/128", "fd02::1/128"]}}
            ])
        );
    }

    #[test]
    fn pods_are_named_by_labels() {
        for (namespace, expected) in [
            (None, json!([{"podSelector": {"matchLabels": {"app": "db"}}}])),
            (
                Some("data".to_owned()),
                json!([{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "data"}}, "podSelector": {"matchLabels": {"app": "db"}}}]),
            ),
        ] {
            let network = Network::Pods(PodPeer {
                namespace,
                match_labels: [("app".to_owned(), "db".to_owned())].into(),
            });
            assert_eq!(policy(Some(&network), &[])["spec"]["egress"][0]["to"], expected);
        }
    }

    #[test]
    fn default_is_dns_only() {
        let value = serde_json::to_value(default_deny("acme")).unwrap();
        assert_eq!(
            value["spec"],
            json!({
                "podSelector": {"matchLabels": {"app.kubernetes.io/managed-by": "openreg"}},
                "policyTypes": ["Ingress", "Egress"],
                "egress": [{"ports": [{"protocol": "UDP", "port": 53}, {"protocol": "TCP", "port": 53}]}]
            })
        );
    }
}
