//! An S3 server of a test's own, in the tenant's namespace, that the test stops and starts: its process is killed, its
//! data and its address stay, as when a server is restarted.

use anyhow::Result;
use serde_json::{Value, json};

use crate::proof::Bucket;
use crate::{Tenant, fixture, kubectl, services};

const NAME: &str = "own-s3";

/// Starts the server again whenever it ends, unless the file `stopped` is there. The server is not the pod's first process,
/// so it can be killed from within.
const KEEP_RUNNING: &str = "mkdir -p /data/s3/openreg /data/iam
while true; do
    while [ -e /data/stopped ]; do sleep 0.1; done
    versitygw --port :7070 --region us-east-1 --iam-dir /data/iam --quiet posix /data/s3 &
    echo $! >/data/pid
    wait $!
    sleep 0.1
done";

/// Waits for an object or a part of more than 1 MiB, then kills the server.
const STOP_IN_UPLOAD: &str = "for i in {1..1200}; do
    if [ -n \"$(find /data/s3 -type f -size +1024k -print -quit)\" ]; then
        touch /data/stopped
        kill -9 \"$(cat /data/pid)\"
        exit
    fi
    sleep 0.05
done
echo 'no upload began within 60 s' >&2
exit 1";

/// The server.
#[derive(Clone, Debug)]
pub struct OwnS3 {
    namespace: String,
    /// What lies in it.
    pub bucket: Bucket,
}

impl OwnS3 {
    /// Starts it and waits until it answers; makes its Service and its Secret.
    pub async fn start(tenant: &Tenant) -> Result<Self> {
        let known = services::credentials(&tenant.client).await?;
        let (access, secret) = (&known["s3AccessKey"], &known["s3SecretKey"]);
        let address = Self::address(&tenant.namespace);
        let key = |variable: &str, key: &str| json!({"name": variable, "valueFrom": {"secretKeyRef": {"name": NAME, "key": key}}});
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod", "metadata": {"name": NAME, "labels": {"app": NAME}},
            "spec": {
                "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1,
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "fsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "s3", "image": services::SHELL_IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["bash", "-c", KEEP_RUNNING],
                    "env": [key("ROOT_ACCESS_KEY", "accessKeyId"), key("ROOT_SECRET_KEY", "secretAccessKey")],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                    "resources": {"requests": {"cpu": "20m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}},
                    "volumeMounts": [{"name": "data", "mountPath": "/data"}],
                }],
                "volumes": [{"name": "data", "emptyDir": {}}],
            }
        });
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": NAME},
            "spec": {"selector": {"app": NAME}, "ports": [{"port": 7070}]}
        });
        let credentials = services::secret(NAME, &[("accessKeyId", access), ("secretAccessKey", secret), ("allowedHosts", &address)]);
        tenant.apply(&fixture::documents(&[credentials, pod, service])).await?;
        kubectl::run(&["wait", "-n", &tenant.namespace, "pod/own-s3", "--for=condition=Ready", "--timeout=60s"]).await?;
        let server = Self {
            namespace: tenant.namespace.clone(),
            bucket: Bucket::of(&tenant.namespace, "pod/own-s3"),
        };
        server.answers().await?;
        Ok(server)
    }

    fn address(namespace: &str) -> String {
        format!("{NAME}.{namespace}.svc:7070")
    }

    /// The Store in it.
    pub fn store(&self) -> Value {
        let store = fixture::with(
            fixture::store(),
            "/spec/s3/endpoint",
            json!(format!("http://{}", Self::address(&self.namespace))),
        );
        let store = fixture::with(store, "/spec/credentialsRef/secret", json!(NAME));
        let peer = json!({"pods": {"namespace": self.namespace, "matchLabels": {"app": NAME}}});
        fixture::with(store, "/spec/network", peer)
    }

    /// Waits until the first part of a file has come, then kills the server; it stays away until [`Self::resume`].
    pub async fn stop_in_upload(&self) -> Result<()> {
        self.bucket.bash(STOP_IN_UPLOAD, &[]).await?;
        Ok(())
    }

    /// Starts it again and waits until it answers.
    pub async fn resume(&self) -> Result<()> {
        self.bucket.bash("rm /data/stopped", &[]).await?;
        self.answers().await
    }

    async fn answers(&self) -> Result<()> {
        let script = "for i in {1..200}; do (exec 3<>/dev/tcp/127.0.0.1/7070) 2>/dev/null && exit; sleep 0.1; done; exit 1";
        self.bucket.bash(script, &[]).await?;
        Ok(())
    }
}
