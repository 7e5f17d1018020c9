#!/usr/bin/env bash
# dev-services.sh: makes the servers of config/dev in the cluster of KUBECONFIG: random passwords and a host key once a
# cluster, then the manifests; waits until all are ready. Can be repeated.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
use_cluster
namespace=openreg-dev

kubectl apply -f - <<END >/dev/null
apiVersion: v1
kind: Namespace
metadata: {name: $namespace, labels: {pod-security.kubernetes.io/enforce: privileged}}
END
if ! kubectl get secret -n $namespace credentials >/dev/null 2>&1; then
    keys=$(mktemp -d)
    trap 'rm -rf "$keys"' EXIT
    ssh-keygen -q -t ed25519 -N '' -C sftp.$namespace -f "$keys/host"
    ssh-keygen -q -t ed25519 -N '' -C bank -f "$keys/client"
    secret() { openssl rand -hex 16; }
    kubectl create secret generic credentials -n $namespace \
        --from-literal=reporterPassword="$(secret)" --from-literal=openregPassword="$(secret)" \
        --from-literal=s3AccessKey="$(openssl rand -hex 8)" --from-literal=s3SecretKey="$(secret)" \
        --from-literal=sftpPassword="$(secret)" \
        --from-file=sftpClientKey="$keys/client" --from-literal=sftpClientKeyPublic="$(cat "$keys/client.pub")" \
        --from-file=sshHostKey="$keys/host" --from-literal=sshHostKeyPublic="$(cut -d' ' -f1,2 "$keys/host.pub")" >/dev/null
fi
kubectl create configmap postgres-seed -n $namespace --from-file="$ROOT/config/dev/seed.sql" --dry-run=client -o yaml | kubectl apply -f - >/dev/null
kubectl apply -f "$ROOT/config/dev/services.yaml" >/dev/null
for server in postgres s3 sftp; do
    kubectl rollout status -n $namespace deployment/$server --timeout=120s >/dev/null || {
        kubectl get pods -n $namespace -o wide >&2
        kubectl logs -n $namespace deployment/$server --tail=20 >&2 || true
        fail "server $server did not become ready"
    }
    echo "$server: ready at $server.$namespace.svc"
done
