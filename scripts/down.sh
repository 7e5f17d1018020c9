#!/usr/bin/env bash
# down.sh: removes what demo and tests made on this machine, or, with OPENREG_USE_KUBECONFIG=1, in KUBECONFIG's cluster.
# Looks afterwards whether a process, mount, interface, cgroup or iptables chain of it is left, and fails if one is.
# Built programs and images stay in the caches: make clean-cache.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
if external_cluster; then
    use_cluster
    # With the definitions go all objects of their kinds, of every tenant.
    ours "$SYSTEM_NAMESPACE" || fail "the OpenReg in the namespace $SYSTEM_NAMESPACE was not installed by the demo: nothing is removed"
    kinds=$(kubectl get crd -o name | sed -n 's|.*/\(.*\.openreg\.io\)$|\1|p')
    if [ -n "$kinds" ]; then
        others=$(kubectl get "$(paste -sd, <<<"$kinds")" -A -o jsonpath='{range .items[*]}{.metadata.namespace}{"\n"}{end}' | sort -u | grep -vxF "$TENANT" | paste -sd' ' || true)
        [ -z "$others" ] || fail "there are reports that are not the demo's, in: $others. Nothing is removed: delete them first"
    fi
    helm uninstall openreg -n "$SYSTEM_NAMESPACE" --ignore-not-found --wait
    # A finalizer holds a run until it is recorded; nobody is left who records. Then the definitions, and with them all.
    if [ -n "$kinds" ]; then
        for run in $(kubectl get reportruns -n "$TENANT" -o name); do
            kubectl patch -n "$TENANT" "$run" --type=merge -p '{"metadata":{"finalizers":null}}' >/dev/null || true # it may have gone by itself
        done
    fi
    kubectl delete namespace "$TENANT" "$DEV_NAMESPACE" --ignore-not-found --timeout=180s
    helm uninstall openreg-crds -n "$SYSTEM_NAMESPACE" --ignore-not-found
    for kind in $kinds; do kubectl delete crd "$kind" --ignore-not-found --timeout=60s; done
    kubectl delete namespace "$SYSTEM_NAMESPACE" --ignore-not-found --timeout=180s
    rm -rf "$WORK/samples"
    echo "down: OpenReg and its demo are gone from the cluster"
    exit
fi

# One that does not go must not keep the others.
failed=0
trouble() { echo "down.sh: $*" >&2; failed=1; }
for cluster in "$CLUSTER" "$WORK/test-cluster"; do
    [ -f "$cluster/index" ] || continue
    index=$(<"$cluster/index")
    [ "$(id -u)" = 0 ] || { trouble "removing the cluster in $cluster needs root"; continue; }
    tests/cluster/down.sh "$cluster" || { trouble "the cluster in $cluster did not go; its logs are in $cluster/log"; continue; }
    left=()
    # With its slash, so that .work/cluster-2 is not taken for .work/cluster; not this script's own look.
    ! grep -lsqF "$cluster/" /proc/[0-9]*/cmdline || left+=("a process: $(grep -lsF "$cluster/" /proc/[0-9]*/cmdline | tr '\n' ' ')")
    ! grep -qF " $cluster/" /proc/self/mounts || left+=("a mount below $cluster")
    [ ! -e "/sys/class/net/cluster$index" ] || left+=("the interface cluster$index")
    ! ls -d /sys/fs/cgroup/*/"test-cluster-$index" >/dev/null 2>&1 || left+=("the cgroup test-cluster-$index")
    ! ip route show | grep -q "^10\.$((200 + index))\." || left+=("a route to 10.$((200 + index)).0.0")
    ! { iptables-save 2>/dev/null || true; } | grep -q '^:KUBE-\|^:CNI-' || left+=("an iptables chain")
    [ ${#left[@]} -eq 0 ] || { trouble "the cluster in $cluster left behind: $(printf '%s; ' "${left[@]}")"; continue; }
    rm -rf "$cluster"
    echo "down: cluster $index is gone; no process, mount, interface, route, cgroup or iptables chain of it is left"
done
for service in "$WORK"/services/*/; do
    [ -d "$service" ] || continue
    name=$(basename "$service")
    "tests/services/${name%%-*}.sh" stop "$service" || trouble "the server in $service did not end"
done
[ $failed = 0 ] || fail "not all of it is gone: see above"
rm -rf "$WORK/services" "$WORK/samples"
echo "down: nothing of OpenReg runs (caches stay: make clean-cache)"
