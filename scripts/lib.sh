# shellcheck shell=bash
# Read by the other scripts: where things are, how they speak, and which cluster is meant.
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT" || exit
# What the scripts make: cluster, images, logs. One place for each checkout, ignored by git.
WORK=${OPENREG_WORK:-$ROOT/.work}
# Built tools and, in CI, cargo's target: outside the checkout, kept between runs.
TOOLS=${XDG_CACHE_HOME:-$HOME/.cache}/openreg
CLUSTER=${OPENREG_CLUSTER:-$WORK/cluster}
# shellcheck disable=SC2034 # read by those who source this
SYSTEM_NAMESPACE=openreg-system TENANT=acme DEV_NAMESPACE=openreg-dev

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() { echo "$(basename "$0"): $*" >&2; exit 1; }
external_cluster() { [ "${OPENREG_USE_KUBECONFIG:-}" = 1 ]; }

# The programs that tests/cluster/build.sh made come first: they fit the cluster's version.
cluster_programs() {
    # shellcheck source=tests/cluster/lib.sh
    (source "$ROOT/tests/cluster/lib.sh" && echo "$(module_dir kubernetes):$(module_dir helm):$(module_dir versitygw)")
}
PATH=$(cluster_programs):$TOOLS/tools/bin:$PATH
export PATH

# shellcheck disable=SC2031 # the subshells here are for the names of tests/cluster/lib.sh, and set nothing that is read
use_cluster() { # sets KUBECONFIG to the cluster in use, or says how to get one
    if external_cluster; then
        [ -n "${KUBECONFIG:-}" ] || fail "OPENREG_USE_KUBECONFIG=1 needs KUBECONFIG"
    else
        [ -f "$CLUSTER/kubeconfig" ] || fail "no cluster: run make cluster (or set OPENREG_USE_KUBECONFIG=1 and KUBECONFIG)"
        export KUBECONFIG=$CLUSTER/kubeconfig
    fi
}

# cluster_runs: whether the cluster in $CLUSTER is there and its first process lives
cluster_runs() {
    # shellcheck source=tests/cluster/lib.sh
    (source "$ROOT/tests/cluster/lib.sh" && [ -f "$CLUSTER/index" ] && open_cluster "$CLUSTER" && init_pid >/dev/null)
}

until_true() { # until_true SECONDS COMMAND...
    local limit=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt "$limit" ] || return 1; sleep 0.5; done
}
