#!/usr/bin/env bash
# browser.sh: the page's tests in Chromium against the OpenReg that is installed in the cluster in use. Makes a user and
# gives the tests what they log in with: OPENREG_URL OPENREG_TENANT OPENREG_USER OPENREG_PASSWORD.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[ -n "${KUBECONFIG:-}" ] || use_cluster
# What the pages show: the samples.
kubectl apply -n "$TENANT" -f "$(scripts/samples.sh)" >/dev/null
kubectl wait -n "$TENANT" --for=condition=Ready --timeout=60s report/trades-csv >/dev/null
api=(kubectl exec -i -n "$SYSTEM_NAMESPACE" deployment/openreg-api -c api -- openreg-api --log error user)
OPENREG_PASSWORD=$(openssl rand -hex 12)
"${api[@]}" create --tenant "$TENANT" --name browser --role tenant-admin --password-stdin <<<"$OPENREG_PASSWORD" 2>/dev/null ||
    "${api[@]}" reset --tenant "$TENANT" --name browser --password-stdin <<<"$OPENREG_PASSWORD"
node=$(kubectl get nodes -o 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
OPENREG_URL=http://$node:$(kubectl get service -n "$SYSTEM_NAMESPACE" openreg-api -o 'jsonpath={.spec.ports[0].nodePort}')
export OPENREG_URL OPENREG_PASSWORD OPENREG_TENANT=$TENANT OPENREG_USER=browser KUBECONFIG
scripts/web.sh e2e "$@"
