#!/usr/bin/env bash
# explain.sh DIR: says what is wrong with the cluster in DIR: which part has ended, and its log's end. Says nothing and
# succeeds when all its parts have run since the start and the API server answers.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
open_cluster "$1"
if ! init_pid >/dev/null; then
    echo "the cluster in $DIR does not run: its first process is gone (killed, or out of memory?)" >&2
    explain_failure "node"
    exit 1
fi
wrong=0
ended=$(sed -nE 's/^[^ ]+ ([a-z-]+) ended with .*/\1/p' "$DIR/log/node.log" | sort -u | tr '\n' ' ')
if [ -n "$ended" ]; then
    wrong=1
    explain_failure "$ended"
fi
if ! kubectl get --raw /readyz --request-timeout=5s >/dev/null 2>&1; then
    wrong=1
    echo "the API server does not answer" >&2
    [ -n "$ended" ] || explain_failure "kube-apiserver etcd"
elif ! kubectl wait --for=condition=Ready "node/$NODE" --timeout=1s >/dev/null 2>&1; then
    wrong=1
    echo "the node is not Ready" >&2
    [ -n "$ended" ] || explain_failure "kubelet containerd"
fi
exit $wrong
