//! The development services in the cluster (`config/dev`): where they are, and what tests ask of them.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use base64::Engine as _;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use serde_json::{Value, json};

use crate::{Tenant, fixture, kubectl};

/// Namespace of the services.
pub const NAMESPACE: &str = "openreg-dev";
/// Namespace of OpenReg itself.
pub const SYSTEM_NAMESPACE: &str = "openreg-system";
/// The S3 server.
pub const S3_ENDPOINT: &str = "http://s3.openreg-dev.svc:7070";
/// Its bucket.
pub const S3_BUCKET: &str = "openreg";
/// The PostgreSQL server.
pub const POSTGRES_HOST: &str = "postgres.openreg-dev.svc";
/// The PostgreSQL server, as `allowedHosts` names it.
pub const POSTGRES_ADDRESS: &str = "postgres.openreg-dev.svc:5432";
/// The SFTP server.
pub const SFTP_HOST: &str = "sftp.openreg-dev.svc";
/// The SFTP server, as `allowedHosts` names it.
pub const SFTP_ADDRESS: &str = "sftp.openreg-dev.svc:22";
/// An image with a shell.
pub const SHELL_IMAGE: &str = "localhost/openreg-dev:dev";

/// The network peers of a service.
pub fn peer(app: &str) -> Value {
    json!({"pods": {"namespace": NAMESPACE, "matchLabels": {"app": app}}})
}

/// A Secret. Its values are written as `data`: `kubectl apply` takes a key away that an earlier apply had set only there.
pub fn secret(name: &str, values: &[(&str, &str)]) -> Value {
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let values: BTreeMap<_, _> = values.iter().map(|(key, value)| (*key, encode(value))).collect();
    json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "data": values})
}

/// The passwords and keys of the services.
pub async fn credentials(client: &Client) -> Result<BTreeMap<String, String>> {
    let secret = Api::<Secret>::namespaced(client.clone(), NAMESPACE)
        .get("credentials")
        .await
        .context("the development services are not there: run scripts/dev-services.sh")?;
    Ok(secret
        .data
        .unwrap_or_default()
        .into_iter()
        .map(|(k, v)| (k, String::from_utf8_lossy(&v.0).into_owned()))
        .collect())
}

/// What a namespace needs before its first run: Secrets, and the RoleBindings of OpenReg's accounts.
pub async fn tenant_setup(client: &Client, namespace: &str) -> Result<String> {
    let known = credentials(client).await?;
    let get = |key: &str| known.get(key).map(String::as_str).unwrap_or_default();
    let mut objects = vec![
        secret(
            "trades-db",
            &[
                ("username", "reporter"),
                ("password", get("reporterPassword")),
                ("allowedHosts", POSTGRES_ADDRESS),
            ],
        ),
        secret(
            "store-s3",
            &[
                ("accessKeyId", get("s3AccessKey")),
                ("secretAccessKey", get("s3SecretKey")),
                ("allowedHosts", "s3.openreg-dev.svc:7070"),
            ],
        ),
        secret(
            "bank-sftp",
            &[
                ("username", "bank"),
                ("password", get("sftpPassword")),
                ("id_ed25519", get("sftpClientKey")),
                ("allowedHosts", SFTP_ADDRESS),
            ],
        ),
    ];
    for component in ["operator", "api", "recorder"] {
        objects.push(json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": {"name": format!("openreg-{component}"), "namespace": namespace},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": format!("openreg-{component}-tenant")},
            "subjects": [{"kind": "ServiceAccount", "name": format!("openreg-{component}"), "namespace": SYSTEM_NAMESPACE}],
        }));
    }
    Ok(fixture::documents(&objects))
}

/// The SFTP server's host key.
pub async fn host_key(tenant: &Tenant) -> Result<String> {
    credentials(&tenant.client)
        .await?
        .remove("sshHostKeyPublic")
        .context("the development services have no host key")
}

/// Applies the small report with its store, connector and destination, and waits until it is Ready.
pub async fn small_report(tenant: &Tenant, rows: u64) -> Result<()> {
    full_report(tenant, fixture::store(), fixture::report(rows)).await
}

/// Applies a report and a store, with the connector and a destination that is a directory of the tenant's own; waits until
/// the report is Ready.
pub async fn full_report(tenant: &Tenant, store: Value, report: Value) -> Result<()> {
    let host_key = host_key(tenant).await?;
    let directory = own_directory(tenant).await?;
    let objects = [store, fixture::connector(), fixture::destination(&host_key, &directory), report];
    tenant.apply(&fixture::documents(&objects)).await?;
    tenant
        .wait_condition("Report", "small", "Ready", "True", std::time::Duration::from_secs(30))
        .await?;
    Ok(())
}

/// Makes the tenant's directory at the receiver, as a Destination names it.
pub async fn own_directory(tenant: &Tenant) -> Result<String> {
    let directory = format!("/in/{}", tenant.namespace);
    sftp(&["install", "-d", "-o", "bank", "-g", "bank", &format!("/srv/sftp{directory}")]).await?;
    Ok(directory)
}

/// The Destination with another directory; its host key is a placeholder that the test replaces.
pub fn destination_in(directory: &str) -> Value {
    fixture::destination(HOST_KEY_PLACEHOLDER, directory)
}

/// Stands for the server's host key until the test knows it.
pub const HOST_KEY_PLACEHOLDER: &str = "${SFTP_HOST_KEY}";

/// Runs a command in the PostgreSQL server's container, as the account that owns the server.
pub async fn postgres(command: &[&str]) -> Result<String> {
    let exec = ["exec", "-n", NAMESPACE, "deployment/postgres", "--"];
    let owner = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"];
    kubectl::run(&[&exec[..], &owner[..], command].concat()).await
}

/// Runs a command in the SFTP server's container.
pub async fn sftp(command: &[&str]) -> Result<String> {
    let mut args = vec!["exec", "-n", NAMESPACE, "deployment/sftp", "--"];
    args.extend(command);
    kubectl::run(&args).await
}

/// Runs a bash script there; `$1` and so on are `arguments`.
pub async fn sftp_bash(script: &str, arguments: &[&str]) -> Result<String> {
    kubectl::bash(NAMESPACE, "deployment/sftp", script, arguments).await
}

/// The names of all files in the tenant's directory at the receiver, hidden and temporary ones included.
pub async fn sftp_listing(tenant: &Tenant) -> Result<Vec<String>> {
    let out = sftp(&["ls", "-1A", &format!("/srv/sftp/in/{}", tenant.namespace)]).await?;
    Ok(out.lines().map(str::to_owned).collect())
}

/// A file in the tenant's directory at the receiver.
pub async fn sftp_content(tenant: &Tenant, name: &str) -> Result<String> {
    sftp(&["cat", &format!("/srv/sftp/in/{}/{name}", tenant.namespace)]).await
}

/// Where a file of that name lies at the receiver, in whichever directory.
pub async fn sftp_find(name: &str) -> Result<Vec<String>> {
    let out = sftp(&["find", "/srv/sftp", "-name", name]).await?;
    Ok(out.lines().map(str::to_owned).collect())
}

/// The address of a server's pod: behind a Service a port that nobody listens on drops what comes, at a pod it refuses.
pub async fn pod_address(app: &str) -> Result<String> {
    let select = format!("app={app}");
    let path = "jsonpath={.items[0].status.podIP}";
    let address = kubectl::run(&[
        "get",
        "pods",
        "-n",
        NAMESPACE,
        "-l",
        &select,
        "--field-selector=status.phase=Running",
        "-o",
        path,
    ])
    .await?;
    anyhow::ensure!(!address.is_empty(), "no pod of {app} runs");
    Ok(address)
}
