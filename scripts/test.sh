#!/usr/bin/env bash
# test.sh: every test there is, stage by stage, on a cluster of its own that is taken down at the end, also on failure.
# test.sh check: what needs neither a cluster nor the web page. test.sh STAGE...: only these (test.sh list names them).
#
# A line per stage with its seconds and what its tools counted; a stage's output is in .work/logs/STAGE.log, its end is
# printed when it fails. A failed stage does not stop those that can do without it. Last line: "N passed, N failed", summed
# by scripts/count.py over the tools' own words; a stage that failed without a failed test counts as one failed.
set -uo pipefail
source "$(dirname "$0")/lib.sh"
export OPENREG_CLUSTER=$WORK/test-cluster CLUSTER=$WORK/test-cluster
unset KUBECONFIG OPENREG_USE_KUBECONFIG # never on somebody's cluster
logs=$WORK/logs
services=$WORK/services
mkdir -p "$logs"
all=(packages tools self format shellcheck arrows deny build lint generated servers unit web charts cluster-programs policies cluster cluster-check images services install cluster-charts e2e browser)
checks=(packages tools self format shellcheck arrows deny lint generated servers unit)

if [ -n "${CI:-}" ] && [ -z "${CARGO_TARGET_DIR:-}" ]; then
    # A fresh clone finds what an earlier one compiled of the same lock file with the same compiler.
    CARGO_TARGET_DIR=$TOOLS/target-$(cat Cargo.lock rust-toolchain.toml | sha256sum | cut -c1-12)
    export CARGO_TARGET_DIR
    mkdir -p "$CARGO_TARGET_DIR"
    find "$TOOLS" -maxdepth 1 -name 'target-*' ! -path "$CARGO_TARGET_DIR" -mtime +2 -exec rm -rf {} +
fi
# Nothing here is built twice for being looked at incrementally, and the cache stays small.
[ -z "${CI:-}" ] || export CARGO_INCREMENTAL=0

stage_packages() { scripts/packages.sh; }
stage_tools() { scripts/tools.sh cargo-nextest cargo-deny; }
stage_self() { scripts/count.py --self-test; }
stage_format() { cargo fmt --all --check; }
stage_shellcheck() { scripts/shellcheck.sh; }
stage_arrows() { scripts/arrows.sh; }
stage_deny() { cargo deny --locked check --hide-inclusion-graph bans licenses sources; }
stage_build() { cargo build --locked --workspace --all-targets; }
stage_lint() { cargo clippy --locked --workspace --all-targets -- -D warnings; }
stage_generated() { scripts/generate.sh --check; }
stage_servers() { tests/services/check.sh; }
stage_unit() {
    # One server for all of them; each test makes a database of its own.
    OPENREG_SERVICE_OWNER=$$ tests/services/postgres.sh start "$services/postgres-test" || return 1
    # shellcheck disable=SC1091 # written by the line above
    source "$services/postgres-test/env"
    export OPENREG_TEST_DATABASE_URL=$DATABASE_URL
    tests/services/versitygw.sh path || return 1
    local result=0
    # success-output: a test that says SKIPPED must be seen to say so.
    # Of the cluster tests only the one that proves that each admission rule has its cases: it needs no cluster.
    cargo nextest run --locked --workspace -E 'not package(openreg-e2e) or test(/^admit::coverage::/)' --profile ci --success-output final || result=1
    tests/services/postgres.sh stop "$services/postgres-test"
    return $result
}
stage_web() {
    [ -f web/package.json ] || { echo "no web page yet"; return; }
    scripts/web.sh test
}
stage_charts() { tests/charts/run.sh; }
stage_cluster-programs() { tests/cluster/build.sh; }
# With the flags of tests/cluster/build.sh, so that what that compiled is found again; vet would look at all dependencies.
stage_policies() { (cd tests/cluster/build/policies && CGO_ENABLED=0 go test -trimpath -buildvcs=false -vet=off -v ./...); }
stage_cluster() {
    [ ! -f "$CLUSTER/index" ] || tests/cluster/down.sh "$CLUSTER" || return 1
    rm -rf "$CLUSTER"
    scripts/cluster.sh
}
stage_cluster-check() { tests/cluster/check.sh "$CLUSTER"; }
stage_images() { scripts/images.sh; }
stage_services() { scripts/dev-services.sh; }
stage_install() { scripts/install.sh; }
stage_cluster-charts() { KUBECONFIG=$CLUSTER/kubeconfig tests/charts/cluster.sh; }
# The whole workspace is named and then filtered: with -p cargo would choose other features and compile most of it again.
stage_e2e() { KUBECONFIG=$CLUSTER/kubeconfig OPENREG_E2E=1 cargo nextest run --locked --workspace -E 'package(openreg-e2e) & not test(/^chaos::/)' --profile cluster --run-ignored all; }
# Long proofs; not part of `make test`: make chaos.
stage_chaos() { KUBECONFIG=$CLUSTER/kubeconfig OPENREG_E2E=1 cargo nextest run --locked --workspace -E 'package(openreg-e2e) & test(/^chaos::/)' --profile cluster --run-ignored all; }
stage_browser() {
    ls web/e2e/*.ts >/dev/null 2>&1 || { echo "no browser tests yet"; return; }
    # OPENREG_URL, OPENREG_TENANT, OPENREG_USER and OPENREG_PASSWORD are what web/e2e logs in with.
    KUBECONFIG=$CLUSTER/kubeconfig scripts/browser.sh
}

needs() { # needs STAGE: the stages without which it makes no sense
    case $1 in
        cluster) echo cluster-programs ;;
        cluster-check | services) echo cluster ;;
        install) echo cluster images services ;;
        cluster-charts | e2e | browser | chaos) echo install ;;
        deny | unit) echo tools ;;
    esac
}

case ${1:-} in
    list) printf '%s\n' "${all[@]}"; exit ;;
    "") stages=("${all[@]}") ;;
    check) stages=("${checks[@]}") ;;
    *) stages=("$@") ;;
esac
for stage in "${stages[@]}"; do declare -F "stage_$stage" >/dev/null || fail "no stage $stage; there are: ${all[*]}"; done

clean() {
    trap - EXIT
    trap "" INT TERM # a second Ctrl-C must not leave half a cluster
    # A stage that was interrupted, or the build of the cluster's programs, with all that it started.
    for process in $(jobs -pr); do kill -- "-$process" 2>/dev/null; done
    for service in "$services"/*-test; do [ ! -d "$service" ] || "tests/services/$(basename "$service" -test).sh" stop "$service"; done
    if [ -f "$CLUSTER/index" ] && [ "${OPENREG_KEEP_CLUSTER:-}" != 1 ]; then
        mkdir -p "$logs/cluster"
        cp "$CLUSTER"/log/*.log "$logs/cluster/" 2>/dev/null
        tests/cluster/down.sh "$CLUSTER" && rm -rf "$CLUSTER"
    fi
}
trap clean EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

set -m # each stage is a process group of its own
passed=0 failed=0 skipped=0 broken=()
for stage in "${stages[@]}"; do
    log=$logs/$stage.log
    missing=
    for need in $(needs "$stage"); do [[ " ${broken[*]} " != *" $need "* ]] || missing=$need; done
    if [ -n "$missing" ]; then
        printf '%-17s not run: it needs %s\n' "$stage" "$missing"
        broken+=("$stage") failed=$((failed + 1))
        continue
    fi
    # The Go programs beside the Rust ones: each leaves a core idle now and then, and together they take 14 minutes on 2
    # cores instead of 18. The stage cluster-programs waits for them.
    if [ "$stage" = build ] && [[ " ${stages[*]} " == *" cluster-programs "* ]]; then
        tests/cluster/build.sh >"$logs/cluster-programs-early.log" 2>&1 </dev/null &
    fi
    begun=$SECONDS result=ok
    # In a process of its own with -e, which is without effect in a function called by `if` or `||`.
    (set -e; "stage_$stage") >"$log" 2>&1 </dev/null &
    wait $! || result=FAILED
    read -r p f s < <(scripts/count.py "$log")
    counted=
    [ "$((p + f + s))" = 0 ] || counted="$p passed, $f failed, $s skipped"
    printf '%-17s %-6s %5d s  %s\n' "$stage" "$result" $((SECONDS - begun)) "$counted"
    if [ $result = FAILED ]; then
        broken+=("$stage")
        [ "$f" -gt 0 ] || f=1
        echo "--- the end of $log"
        tail -n 40 "$log" | sed 's/^/    /'
        # Was it the cluster?
        [ ! -f "$CLUSTER/index" ] || tests/cluster/explain.sh "$CLUSTER" 2>&1 | sed 's/^/    /' || true
        echo "---"
    elif [ "$f" -gt 0 ]; then
        broken+=("$stage") # a tool that counts failures and ends well
        echo "    its log counts failures though it ended well: $log"
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
    # Whatever a log says was not tried here is repeated where a person sees it.
    grep -h 'SKIPPED: ' "$log" | sort | uniq -c | sed 's/^ */    /' || true
done
clean
echo
[ ${#broken[@]} -eq 0 ] || echo "failed stages: ${broken[*]}"
if [ "$skipped" -gt 0 ]; then echo "$passed passed, $failed failed, $skipped skipped"; else echo "$passed passed, $failed failed"; fi
echo "$SECONDS s" >"$logs/total"
[ ${#broken[@]} -eq 0 ]
