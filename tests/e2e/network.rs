//! A run's pod reaches its own source and store and nothing else.

use std::time::Duration;

use openreg_e2e::tenant::with_tenant;
use openreg_e2e::{kubectl, services};
use serde_json::json;

#[test]
#[ignore = "needs a cluster: make test"]
fn network_a_run_reaches_its_own_peers_only() {
    with_tenant("network", |tenant| async move {
        services::small_report(&tenant, 10).await?;
        tenant.wait_condition("Connector", "trades", "Ready", "True", Duration::from_secs(20)).await?;
        // A pod with the labels of a generate pod, and a shell.
        let pod = json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {"name": "asker", "labels": {"app.kubernetes.io/managed-by": "openreg", "openreg.io/connector-trades": "true", "openreg.io/store": "true"}},
            "spec": {
                "automountServiceAccountToken": false, "restartPolicy": "Never",
                "securityContext": {"runAsNonRoot": true, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{
                    "name": "asker", "image": services::SHELL_IMAGE, "imagePullPolicy": "IfNotPresent", "command": ["sleep", "600"],
                    "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                }],
            }
        });
        tenant.apply(&pod.to_string()).await?;
        kubectl::run(&["wait", "-n", &tenant.namespace, "pod/asker", "--for=condition=Ready", "--timeout=60s"]).await?;
        // A policy engine may need a moment to learn a new pod's address.
        tokio::time::sleep(Duration::from_secs(4)).await;
        for (host, port, reachable) in [
            ("postgres.openreg-dev.svc", "5432", true),
            ("s3.openreg-dev.svc", "7070", true),
            ("sftp.openreg-dev.svc", "22", false),
            ("kubernetes.default.svc", "443", false),
            ("openreg-api.openreg-system.svc", "80", false),
        ] {
            let script = format!("timeout 3 bash -c 'exec 3<>/dev/tcp/{host}/{port}'");
            let output = kubectl::raw(&["exec", "-n", &tenant.namespace, "asker", "--", "bash", "-c", &script], None).await?;
            assert_eq!(output.status.success(), reachable, "{host}:{port}: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(())
    });
}
