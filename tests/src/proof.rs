//! What a store and a receiver really hold, read from behind: from the folders of their servers, not through OpenReg.

use anyhow::{Context, Result, ensure};
use openreg_crds::ReportRun;
use openreg_plan::digest::Sha256;
use serde_json::Value;

use crate::{Tenant, kubectl, services};

/// Where the S3 servers of the tests keep their bucket.
const FOLDER: &str = "/data/s3/openreg";

/// The bucket of an S3 server, as a folder in the server's pod.
#[derive(Clone, Debug)]
pub struct Bucket {
    namespace: String,
    pod: String,
}

impl Bucket {
    /// The bucket of the development S3 server.
    pub fn shared() -> Self {
        Self::of(services::NAMESPACE, "deployment/s3")
    }

    /// The bucket of the S3 server in that pod.
    pub fn of(namespace: &str, pod: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            pod: pod.to_owned(),
        }
    }

    /// Runs a bash script in the server's pod; `$1` and so on are `arguments`.
    pub async fn bash(&self, script: &str, arguments: &[&str]) -> Result<String> {
        kubectl::bash(&self.namespace, &self.pod, script, arguments).await
    }

    /// The keys of a run's objects, below `runs/<id>/`; parts of an unfinished upload are no objects.
    pub async fn objects(&self, run_id: &str) -> Result<Vec<String>> {
        let script = "find \"$1\" -path '*/.sgwtmp' -prune -o -type f -path \"*/runs/$2/*\" -print | sed \"s|.*/runs/$2/||\" | sort";
        let out = self.bash(script, &[FOLDER, run_id]).await?;
        Ok(out.lines().map(str::to_owned).collect())
    }

    /// The run's manifest, which must be the one that its status names.
    pub async fn manifest(&self, run: &ReportRun) -> Result<Value> {
        let sealed = run.status.as_ref().and_then(|s| s.manifest.as_ref()).context("the status names no manifest")?;
        let script = "cat \"$(find \"$1\" -path '*/.sgwtmp' -prune -o -type f -path \"*/$2\" -print)\"";
        let bytes = self.bash(script, &[FOLDER, &sealed.key]).await?;
        let digest = Sha256::of(bytes.as_bytes()).to_string();
        ensure!(digest == sealed.sha256, "the manifest has digest {digest}, the status says {}", sealed.sha256);
        Ok(serde_json::from_str(&bytes)?)
    }

    /// Removes what a run left there: a large file is not to stay as long as the server.
    pub async fn remove_run(&self, run_id: &str) {
        let script = "find \"$1\" -type d -path \"*/runs/$2\" -exec rm -rf {} +";
        let _ = self.bash(script, &[FOLDER, run_id]).await;
    }
}

/// A file that was made and delivered.
#[derive(Clone, Debug)]
pub struct Whole {
    /// Its name.
    pub name: String,
    /// Its bytes.
    pub size: u64,
    /// SHA-256 of what lies at the receiver, which is also what the manifest says.
    pub sha256: String,
}

/// Proves that a run's only file lies at the receiver once and as it was sealed, that nothing else lies there, and that
/// the store holds no other file of the run, whole or partial, than the one that the manifest names.
pub async fn delivered_once(tenant: &Tenant, bucket: &Bucket, run: &ReportRun) -> Result<Whole> {
    let manifest = bucket.manifest(run).await?;
    let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (name, key, sealed) = (text("/artifacts/0/name"), text("/artifacts/0/key"), text("/artifacts/0/sha256"));
    let size = manifest
        .pointer("/artifacts/0/size")
        .and_then(Value::as_u64)
        .context("the manifest names no file")?;

    let id = &run.spec.id;
    let objects = bucket.objects(id).await?;
    let files: Vec<_> = objects.iter().filter(|k| k.contains("/artifacts/")).map(|k| format!("runs/{id}/{k}")).collect();
    ensure!(files == [key.as_str()], "files in the store: {files:?}, in the manifest: {key}");

    let listed = services::sftp_listing(tenant).await?;
    ensure!(listed == [name.as_str()], "at the receiver lies {listed:?}, not {name} alone");
    let path = format!("/srv/sftp/in/{}/{name}", tenant.namespace);
    let told = services::sftp_bash("stat -c %s \"$1\" && sha256sum <\"$1\"", &[&path]).await?;
    let received: Vec<_> = told.split_whitespace().take(2).collect();
    ensure!(received == [size.to_string(), sealed.clone()], "received {received:?}, sealed {size} {sealed}");
    Ok(Whole { name, size, sha256: sealed })
}
