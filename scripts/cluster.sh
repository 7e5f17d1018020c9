#!/usr/bin/env bash
# cluster.sh: makes sure that there is a cluster: builds its programs if they are missing and starts it, or uses the one
# that runs. Prints how to use it. With OPENREG_USE_KUBECONFIG=1 it only looks whether KUBECONFIG's cluster answers.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
if external_cluster; then
    use_cluster
    kubectl get --raw /readyz >/dev/null || fail "the cluster of KUBECONFIG=$KUBECONFIG does not answer"
    echo "cluster: the one of KUBECONFIG, $(kubectl version -o json 2>/dev/null | sed -n '/serverVersion/,$ s/.*"gitVersion": "\(.*\)".*/\1/p')"
    exit
fi
[ "$(id -u)" = 0 ] || fail "making a cluster needs root; with one of your own set OPENREG_USE_KUBECONFIG=1 and KUBECONFIG"
[ ! -f /sys/fs/cgroup/cgroup.controllers ] || fail "this machine has cgroup v2, where the test cluster was never tried. Start it with the kernel option
    systemd.unified_cgroup_hierarchy=0, or make a cluster with kind and set
    OPENREG_USE_KUBECONFIG=1 KUBECONFIG=… OPENREG_LOAD_IMAGE='kind load image-archive'"
cd tests/cluster
if cluster_runs; then
    echo "cluster: it runs already"
    kubectl --kubeconfig "$CLUSTER/kubeconfig" get --raw /readyz --request-timeout=10s >/dev/null 2>&1 || { ./explain.sh "$CLUSTER" || true; fail "but it is broken: make down, then try again"; }
else
    ./build.sh
    [ ! -f "$CLUSTER/index" ] || { echo "cluster: an earlier one has ended; removing what it left"; ./down.sh "$CLUSTER"; }
    # The first free number. Another checkout may take it in between: up.sh claims it or says so, and the next is tried.
    for index in 0 1 2 3 4 5 6 7 8 9; do
        [ ! -d "/sys/fs/cgroup/memory/test-cluster-$index" ] || continue
        if ./up.sh "$CLUSTER" --index "$index"; then break; fi
        [ ! -f "$CLUSTER/index" ] || exit 1 # it was ours, and it did not come up
    done
    [ -f "$CLUSTER/index" ] || fail "the numbers 0 to 9 are all in use on this machine (ls -d /sys/fs/cgroup/memory/test-cluster-*)"
fi
echo "kubectl: export KUBECONFIG=$CLUSTER/kubeconfig PATH=$(cluster_programs):\$PATH"
