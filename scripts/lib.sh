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

# need_rust: whether there is what compiles the workspace, before it is tried for minutes
need_rust() {
    local wanted have
    wanted=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml")
    command -v cargo >/dev/null && command -v rustc >/dev/null || fail "no Rust: install $wanted, best with rustup (https://rustup.rs), which takes the version from rust-toolchain.toml"
    command -v cc >/dev/null || fail "no C compiler, which parts of the libraries need: install gcc and libc6-dev"
    have=$(rustc --version | cut -d' ' -f2) # with rustup this also installs it, and shows how far it is
    [ "$(printf '%s\n' "$wanted" "$have" | sort -V | head -n 1)" = "$wanted" ] || fail "Rust $have is too old, $wanted is needed: install rustup (https://rustup.rs), which takes it from rust-toolchain.toml"
}

# The demo marks the namespace that it installs into: in somebody's own cluster nothing else is replaced or removed.
# shellcheck disable=SC2034 # read by those who source this
DEMO_LABEL=openreg.io/demo
# ours NAMESPACE: whether it is not there, or the demo made it
ours() {
    local found
    found=$(kubectl get namespace "$1" --ignore-not-found -o "jsonpath={.metadata.name} {.metadata.labels['openreg\.io/demo']}")
    [ -z "$found" ] || [ "$found" = "$1 true" ]
}

until_true() { # until_true SECONDS COMMAND...
    local limit=$((SECONDS + $1)); shift
    until "$@" >/dev/null 2>&1; do [ $SECONDS -lt "$limit" ] || return 1; sleep 0.5; done
}

# build_programs [PROFILE]: all programs in one invocation, with the features that the tests turn on (their conformance
# suite), so that nothing is compiled twice. That each crate also builds by itself is what `make arrows` looks after.
build_programs() {
    local profile=${1:-dev} features=()
    [ "$profile" != dev ] || features=(--features openreg-parts/conformance)
    compile --workspace --bins --profile "$profile" "${features[@]}"
}
# compile ARGUMENTS: cargo build. Whoever looks at it sees how far it is; a log is not filled with it.
compile() {
    local quiet=()
    [ -t 2 ] || quiet=(--quiet)
    cargo build --locked "${quiet[@]}" "$@"
}
