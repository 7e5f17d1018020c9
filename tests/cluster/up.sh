#!/usr/bin/env bash
# up.sh DIR [--index N]: starts a single-node cluster that keeps everything in DIR, and waits until it is ready.
# Writes DIR/kubeconfig. Clusters with different N (0 to 55) run side by side.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
[ $# -eq 1 ] || { [ $# -eq 3 ] && [ "$2" = --index ]; } || fail "usage: up.sh DIR [--index N]"
start=$SECONDS
mkdir -p "$1"
DIR=$(cd "$1" && pwd)
[[ ${3:-0} =~ ^[0-9]+$ && ${3:-0} -le 55 ]] || fail "N is a number from 0 to 55"
derive "${3:-0}"

[ "$(id -u)" = 0 ] || fail "needs root"
[ ! -f /sys/fs/cgroup/cgroup.controllers ] || fail "was only tried with cgroup v1, and this machine has v2"
for need in "$(module_dir kubernetes)/kubelet" "$(module_dir etcd)/etcd" "$(module_dir coredns)/coredns" "$(module_dir policies)/policies" "$(module_dir pause)/pause.tar"; do
    [ -e "$need" ] || fail "$need is missing: run build.sh"
done
command -v nft >/dev/null || fail "nft is missing: install the package nftables"
# Inside, the node mounts its own over these.
for path in "$DIR" "$CACHE" "$HERE"; do
    case $path/ in /run/* | /var/lib/* | /var/log/*) fail "$path: cannot be in /run, /var/lib or /var/log" ;; esac
done
[ ! -e "$DIR/index" ] || fail "$DIR already holds a cluster: run down.sh"

for hierarchy in /sys/fs/cgroup/*/; do
    [ -f "$hierarchy/tasks" ] && [ ! -L "${hierarchy%/}" ] || continue # not version 1, or another's second name
    # Only one up.sh can make it, so this is also the claim on the index.
    mkdir "$hierarchy/$CGROUP" 2>/dev/null || fail "index $INDEX is in use on this machine"
    for file in cpuset.cpus cpuset.mems; do # empty in a new group, and then it takes no process
        [ ! -f "$hierarchy/$file" ] || cat "$hierarchy/$file" >"$hierarchy/$CGROUP/$file"
    done
done

mkdir -p "$DIR"/{config,lib,log}
touch "$DIR/hosts"
echo "$INDEX" >"$DIR/index"
open_cluster "$DIR"
"$HERE/certificates.sh" "$DIR"
"$HERE/config.sh" "$DIR"

modprobe -aq br_netfilter overlay veth || true # part of the kernel itself on some machines

# The kubelet sets these for the whole machine when it starts, and never looks again: put them back once it is up.
# The lock keeps a second up.sh from taking the kubelet's values for the machine's.
mkdir -p "$CACHE"
exec 9>"$CACHE/lock"
flock 9
tunables=$(sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys.root_maxkeys kernel.keys.root_maxbytes)
trap 'sysctl -q -p - <<<"$tunables"' EXIT

# A clean environment: no proxy and no token of the caller's shell gets into the cluster.
env -i PATH="$PATH" HOME="$DIR/config" CLUSTER_CACHE="$CACHE" setsid unshare --mount --pid --net --fork \
    "$HERE/node.sh" "$DIR" </dev/null >"$DIR/log/node.log" 2>&1 9>&- &
launcher=$!

# wait_until SECONDS WHAT PARTS COMMAND...: PARTS are those whose logs tell why it did not come, the likeliest first
wait_until() {
    local limit=$((SECONDS + $1)) what=$2 parts=$3; shift 3
    until "$@" >/dev/null 2>&1; do
        if ! kill -0 "$launcher" 2>/dev/null; then
            explain_failure "$parts"
            fail "$what: the node's first process has ended; the logs are in $DIR/log; run down.sh before the next try"
        fi
        if [ $SECONDS -ge $limit ]; then
            explain_failure "$parts"
            fail "$what: not there in time; the logs are in $DIR/log; run down.sh before the next try"
        fi
        sleep 0.3
    done
}
wait_until 10 "the node's first process" node init_pid
ip link add "$LINK" type veth peer name eth0 netns "$(init_pid)"
ip address add "$HOST_IP/24" dev "$LINK"
ip link set "$LINK" up
ip route add "$NET.0.0/16" via "$NODE_IP" # the machine reaches pods and services too

wait_until 120 "API server" "kube-apiserver etcd" kubectl get --raw /readyz
kubectl create clusterrole dns --verb=list,watch --resource=services,pods,namespaces,endpointslices.discovery.k8s.io >/dev/null
kubectl create clusterrolebinding dns --clusterrole=dns --user=dns >/dev/null
kubectl create clusterrole policies --verb=list,watch --resource=pods,namespaces,networkpolicies.networking.k8s.io >/dev/null
kubectl create clusterrolebinding policies --clusterrole=policies --user=policies >/dev/null
wait_until 120 "node" "kubelet containerd kube-apiserver" kubectl wait --for=condition=Ready "node/$NODE" --timeout=1s
wait_until 60 "default service account" kube-controller-manager kubectl get serviceaccount default
dns_ready() { (exec 3<>"/dev/tcp/$NODE_IP/8181" && printf 'GET /ready HTTP/1.0\r\n\r\n' >&3 && grep -q ' 200 ' <&3); }
wait_until 60 "DNS" coredns dns_ready
wait_until 60 "network policies" policies nsenter --target "$(init_pid)" --net nft list table inet policies
echo "cluster $INDEX ready after $((SECONDS - start)) s"
