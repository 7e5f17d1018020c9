#!/usr/bin/env bash
# down.sh: removes what demo and tests made on this machine, or, with OPENREG_USE_KUBECONFIG=1, in KUBECONFIG's cluster.
# Looks afterwards whether a process, mount, interface, cgroup or iptables chain of it is left, and fails if one is.
# Built programs and images stay in the caches: make clean-cache.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
if external_cluster; then
    use_cluster
    helm uninstall openreg -n "$SYSTEM_NAMESPACE" --ignore-not-found --wait
    # A finalizer holds a run until it is recorded; nobody is left who records. Then the definitions, and with them all.
    if kubectl get crd reportruns.openreg.io >/dev/null 2>&1; then
        kubectl get reportruns -A -o name --no-headers 2>/dev/null | grep -q . &&
            kubectl get reportruns -A -o jsonpath='{range .items[*]}{.metadata.namespace}{" "}{.metadata.name}{"\n"}{end}' | while read -r namespace name; do
                kubectl patch reportrun -n "$namespace" "$name" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null
            done
    fi
    kubectl delete namespace "$TENANT" "$DEV_NAMESPACE" --ignore-not-found
    helm uninstall openreg-crds -n "$SYSTEM_NAMESPACE" --ignore-not-found
    kubectl get crd -o name | grep '\.openreg\.io$' | xargs -r "$(command -v kubectl)" delete
    kubectl delete namespace "$SYSTEM_NAMESPACE" --ignore-not-found
    echo "down: OpenReg and its demo are gone from the cluster"
    exit
fi

for cluster in "$CLUSTER" "$WORK/test-cluster"; do
    [ -f "$cluster/index" ] || continue
    index=$(<"$cluster/index")
    tests/cluster/down.sh "$cluster"
    left=()
    ! grep -lsq "$cluster" /proc/[0-9]*/cmdline || left+=("a process: $(grep -ls "$cluster" /proc/[0-9]*/cmdline | tr '\n' ' ')")
    ! grep -q " $cluster" /proc/self/mounts || left+=("a mount below $cluster")
    [ ! -e "/sys/class/net/cluster$index" ] || left+=("the interface cluster$index")
    ! ls -d /sys/fs/cgroup/*/"test-cluster-$index" >/dev/null 2>&1 || left+=("the cgroup test-cluster-$index")
    ! ip route show | grep -q "^10.$((200 + index))\." || left+=("a route to 10.$((200 + index)).0.0")
    ! { iptables-save 2>/dev/null || true; } | grep -q '^:KUBE-\|^:CNI-' || left+=("an iptables chain")
    [ ${#left[@]} -eq 0 ] || fail "the cluster in $cluster left behind: $(printf '%s; ' "${left[@]}")"
    rm -rf "$cluster"
    echo "down: cluster $index is gone; no process, mount, interface, route, cgroup or iptables chain of it is left"
done
for service in "$WORK"/services/*/; do
    [ -d "$service" ] || continue
    name=$(basename "$service")
    "tests/services/${name%%-*}.sh" stop "$service"
done
rm -rf "$WORK/services" "$WORK/samples"
echo "down: nothing of OpenReg runs (caches stay: make clean-cache)"
