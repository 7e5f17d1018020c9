//! SIGKILL from the node: a process that is the first of its pod cannot be killed from within, and deleting a pod, even
//! with no grace, first tells the process.

use std::time::Duration;

use anyhow::{Result, bail};
use serde_json::json;

use crate::{kubectl, services};

const POD: &str = "killer";

/// Starts a pod that sees the node's processes. It stays in the services' namespace, which allows it.
pub async fn start() -> Result<()> {
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD, "namespace": services::NAMESPACE},
        "spec": {
            "hostPID": true, "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 0,
            "containers": [{
                "name": "shell", "image": services::SHELL_IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "3600"],
                "securityContext": {"privileged": true},
            }],
        }
    });
    kubectl::apply(services::NAMESPACE, &pod.to_string()).await?;
    kubectl::run(&["wait", "-n", services::NAMESPACE, "--for=condition=Ready", "--timeout=60s", "pod/killer"]).await?;
    Ok(())
}

/// Removes that pod.
pub async fn stop() {
    let _ = kubectl::raw(&["delete", "pod", "-n", services::NAMESPACE, POD, "--ignore-not-found", "--wait=false"], None).await;
}

/// Sends SIGKILL to each process of a program (its file's name); how many there were.
pub async fn kill(program: &str) -> Result<usize> {
    // No pkill in the image; a program's name is cut to 15 characters in `comm`, so its command line is read.
    let script = "n=0; for p in /proc/[0-9]*; do
        IFS= read -r -d '' name <$p/cmdline 2>/dev/null || continue
        if [ \"${name##*/}\" = \"$1\" ]; then kill -9 ${p#/proc/} && n=$((n + 1)); fi
      done; echo $n";
    let out = kubectl::run(&["exec", "-n", services::NAMESPACE, POD, "--", "bash", "-c", script, "kill", program]).await?;
    match out.trim().parse() {
        Ok(n) => Ok(n),
        Err(_) => bail!("the killer said: {out}"),
    }
}

/// Kills the operator and gives it a new pod: the kubelet lets a container wait the longer the more often it died.
pub async fn kill_operator() -> Result<usize> {
    let killed = kill("openreg-operator").await?;
    let select = ["-l", "app.kubernetes.io/component=operator", "--grace-period=0", "--force", "--wait=false"];
    kubectl::run(&[&["delete", "pod", "-n", services::SYSTEM_NAMESPACE][..], &select[..]].concat()).await?;
    tokio::time::sleep(Duration::from_millis(200)).await;
    Ok(killed)
}
