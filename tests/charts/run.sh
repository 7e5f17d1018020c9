#!/usr/bin/env bash
# run.sh: everything about the charts that needs no cluster: lint, the values' schema, rendered manifests against
# Kubernetes' own schemas and checkov, the promises about rights and pods, and the alerts. What needs one is in cluster.sh.
# Prints a line for each check that failed, and at the end "N passed, M failed".
set -uo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
here=$ROOT/tests/charts
kubernetes=1.34
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED $*"; }
expect() { # expect WHAT COMMAND...: shows the end of what it said when it fails
    local what=$1; shift
    if "$@" >"$out/log" 2>&1; then ok; else bad "$what"; tail -n 30 "$out/log" | sed 's/^/    /'; fi
}
count() { # count WHAT COMMAND...: adds what the command's last line counts ("N passed, M failed")
    local what=$1 line; shift
    "$@" >"$out/log" 2>&1
    line=$(tail -n 1 "$out/log")
    if [[ $line =~ ^([0-9]+)\ passed,\ ([0-9]+)\ failed ]]; then
        passed=$((passed + BASH_REMATCH[1])) failed=$((failed + BASH_REMATCH[2]))
        [ "${BASH_REMATCH[2]}" = 0 ] || sed 's/^/    /' "$out/log"
    else bad "$what"; tail -n 30 "$out/log" | sed 's/^/    /'; fi
}
render() { helm template "$@" --kube-version $kubernetes.0; }

command -v helm >/dev/null || tests/cluster/build.sh helm || fail "could not build helm"
command -v promtool >/dev/null || fail "no promtool: run scripts/packages.sh"

# The Python tools, once for each content of requirements.txt: 70 s with an empty cache, nothing after that.
python=$TOOLS/charts-$(sha256sum "$here/requirements.txt" | cut -c1-12)
if [ ! -f "$python/done" ]; then
    echo "charts: installing kubernetes-validate and checkov (a minute, once)"
    rm -rf "$python"
    { python3 -m venv "$python" && "$python/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt"; } >"$out/log" 2>&1 \
        || { tail -n 20 "$out/log" >&2; fail "could not install $here/requirements.txt"; }
    touch "$python/done"
fi

expect "the charts are as generated" "$ROOT/scripts/crd-chart.sh" --check

for chart in openreg-crds openreg; do expect "lint of $chart" helm lint --strict --kube-version $kubernetes.0 "charts/$chart"; done
for values in "$here"/values/*.yaml; do expect "lint with $(basename "$values")" helm lint --strict --kube-version $kubernetes.0 charts/openreg -f "$values"; done

# Rendered: as it comes, with everything on, with everything off, and with the longest names.
long=$(printf 'a%.0s' {1..53})
tenant=$(printf 'b%.0s' {1..63})
expect "render crds" render openreg-crds charts/openreg-crds -n openreg-system
cp "$out/log" "$out/crds.yaml"
expect "render default" render openreg charts/openreg -n openreg-system; cp "$out/log" "$out/default.yaml"
for values in "$here"/values/*.yaml; do
    expect "render $(basename "$values")" render openreg charts/openreg -n openreg-system -f "$values"; cp "$out/log" "$out/$(basename "$values")"
done
expect "render long" render "$long" charts/openreg -n "$tenant" --set "tenants[0].name=$tenant,tenants[0].storeSecret=s"; cp "$out/log" "$out/long.yaml"

for file in crds default full bare long; do
    # Kinds of the Prometheus operator have no schema here; anything else without one is an error.
    expect "$file against the schemas of Kubernetes $kubernetes" "$python/bin/kubernetes-validate" -k $kubernetes --strict "$out/$file.yaml"
    unknown=$(grep "Couldn't find schema" "$out/log" | grep -v 'monitoring.coreos.com/v1' || true)
    if [ -z "$unknown" ]; then ok; else bad "$file: $unknown"; fi
    # Not what has its policies switched off.
    [[ $file = crds || $file = bare ]] || expect "$file by checkov" "$python/bin/checkov" --config-file "$here/checkov.yaml" -f "$out/$file.yaml"
done
count "promises" "$python/bin/python3" "$here/checks.py" "$out"/{crds,default,full,bare,long}.yaml

# What is switched on is there, what is switched off is not.
kinds() { grep -c "^kind: $2$" "$out/$1.yaml"; }
for want in "default PodMonitor 0" "full PodMonitor 1" "full PrometheusRule 1" "bare PrometheusRule 0" "bare NetworkPolicy 0" "bare ValidatingAdmissionPolicy 0" \
    "default ValidatingAdmissionPolicy 3" "default PodDisruptionBudget 3" "bare PodDisruptionBudget 0" "default RoleBinding 1" "full RoleBinding 10" \
    "full Namespace 1" "full Secret 0" "default Secret 1"; do
    read -r file kind number <<<"$want"
    if [ "$(kinds "$file" "$kind")" = "$number" ]; then ok; else bad "$file: $kind $(kinds "$file" "$kind") times, not $number"; fi
done
render openreg charts/openreg -n x --api-versions monitoring.coreos.com/v1 >"$out/auto.yaml" 2>&1
if [ "$(kinds auto PodMonitor)" = 1 ]; then ok; else bad "no PodMonitor where the cluster knows the kind"; fi

# Values that are wrong are refused, by name.
while IFS='|' read -r values word; do
    [[ $values =~ ^# || -z $values ]] && continue
    values=${values% } word=${word# }
    if render openreg charts/openreg --set "$values" >"$out/log" 2>&1; then bad "the schema takes $values"
    elif grep -q "schema" "$out/log" && grep -q "$word" "$out/log"; then ok
    else bad "$values: the message does not name $word"; tail -n 5 "$out/log" | sed 's/^/    /'; fi
done <"$here/rejected.txt"

# What a schema cannot say: two mounts at one path would be refused by the cluster, in words that name neither.
if render openreg charts/openreg --set 'tenants[0].name=acme,tenants[1].name=globex,tenants[2].name=acme' >"$out/log" 2>&1; then bad "a tenant may be named twice"
elif grep -q "acme is named twice" "$out/log"; then ok
else bad "a tenant named twice: the message does not say so"; tail -n 5 "$out/log" | sed 's/^/    /'; fi

# Alerts: rules that parse, one firing and one quiet each, and metrics that exist.
expect "alert rules" promtool check rules charts/openreg/files/alerts.yaml
mapfile -t alerts < <(sed -n 's/^ *- alert: //p' charts/openreg/files/alerts.yaml)
for alert in "${alerts[@]}"; do
    for kind in fires quiet; do
        test=$here/alerts/$alert.$kind.yaml
        if [ -f "$test" ]; then expect "$alert $kind" promtool test rules "$test"; else bad "$alert: no test $alert.$kind.yaml"; fi
    done
done
count "metric names" "$here/metrics.sh"

echo "charts: $passed passed, $failed failed"
[ $failed = 0 ]
