# shellcheck shell=bash disable=SC2034
# Read by the other scripts: where things are, and what is derived from a cluster's index.
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# Built programs and images; outside the checkout, kept between runs, shared by all clusters.
CACHE=${CLUSTER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/test-cluster}

fail() { echo "$(basename "$0"): $*" >&2; exit 1; }

module_dir() { # module_dir MODULE: where build.sh puts the module's programs, named after the hash of its files
    echo "$CACHE/$1-$(cat "$HERE/build/$1"/* | sha256sum | cut -c1-12)"
}

derive() { # derive INDEX: every name and number that must differ between two clusters on one machine
    INDEX=$1
    NODE=node-$INDEX
    CGROUP=test-cluster-$INDEX  # one cgroup of this name in every hierarchy
    LINK=cluster$INDEX          # the machine's end of the cable to the cluster
    NET=10.$((200 + INDEX))
    HOST_IP=$NET.0.1            # the machine, as the cluster sees it
    NODE_IP=$NET.0.2            # the node, its API server, its DNS and its NodePorts
    POD_RANGE=$NET.1.0/24
    SERVICE_RANGE=$NET.2.0/24
    SERVICE_IP=$NET.2.1         # the `kubernetes` Service always takes the first address
}

open_cluster() { # open_cluster DIR: a cluster that up.sh made
    DIR=$(cd "$1" 2>/dev/null && pwd) || fail "$1 is not there"
    [ -f "$DIR/index" ] || fail "$DIR holds no cluster"
    derive "$(<"$DIR/index")"
    export KUBECONFIG=$DIR/kubeconfig
}

init_pid() { # the node's first process, if it runs; a number that another process has since got is not taken for it
    local pid
    [ -f "$DIR/pid" ] && pid=$(<"$DIR/pid") && tr '\0' ' ' 2>/dev/null <"/proc/$pid/cmdline" | grep -qF "node.sh $DIR " && echo "$pid"
}

explain_failure() { # explain_failure PARTS: which part has ended since the start, and the ends of the logs that tell why
    local part ended
    ended=$(sed -nE 's/^[^ ]+ ([a-z-]+) ended with .*/\1/p' "$DIR/log/node.log" 2>/dev/null | sort | uniq -c | awk '{printf "%s%s (%d times)", sep, $2, $1; sep = ", "}')
    [ -z "$ended" ] || echo "ended and started again: $ended" >&2
    for part in $1; do
        [ -s "$DIR/log/$part.log" ] || continue
        echo "--- the end of $DIR/log/$part.log" >&2
        tail -n 10 "$DIR/log/$part.log" >&2
    done
}

kubectl() { "$(module_dir kubernetes)/kubectl" "$@"; }
images() { buildah --root "$CACHE/images" --runroot "$CACHE/images-run" "$@"; } # never the machine's own image store
