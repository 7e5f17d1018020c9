#!/usr/bin/env bash
# cluster.sh: what only a real API server can say about the charts: it takes every object, each account may do what it
# must and no more, and the admission policies let pass and refuse what they should, with their own words.
# Works on the project's cluster (or that of KUBECONFIG with OPENREG_USE_KUBECONFIG=1), beside an installed OpenReg if there is one; takes away what it made.
# Prints a line for each check that failed, and at the end "N passed, M failed".
set -uo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/../../scripts/lib.sh"
use_cluster
release=openreg-charts-test
tenant=openreg-charts-tenant
out=$(mktemp -d)
passed=0 failed=0
ok() { passed=$((passed + 1)); }
bad() { failed=$((failed + 1)); echo "FAILED $*"; tail -n 12 "$out/log" | sed 's/^/    /'; }
own_policies=no
clean() {
    [ $own_policies = no ] || kubectl delete --ignore-not-found -f "$out/policies.yaml" >/dev/null 2>&1
    kubectl delete --ignore-not-found reportruns,reportversions --all -n $tenant >/dev/null 2>&1
    helm uninstall $release -n $release >/dev/null 2>&1
    kubectl delete --ignore-not-found clusterrole/$release-everything >/dev/null 2>&1
    kubectl delete --ignore-not-found --wait=false namespace/$tenant namespace/$release >/dev/null 2>&1
}
trap 'clean; rm -rf "$out"' EXIT

# What an earlier run left may still be on its way out.
for namespace in $tenant $release; do
    [ -z "$(kubectl get namespace "$namespace" -o 'jsonpath={.metadata.deletionTimestamp}' 2>/dev/null)" ] || kubectl wait --for=delete "namespace/$namespace" --timeout=60s >/dev/null
done

# 1. The API server takes the definitions and everything the chart can render.
helm template openreg-crds charts/openreg-crds -n openreg-system --kube-version 1.34.0 >"$out/crds.yaml"
if kubectl apply --server-side --force-conflicts --dry-run=server -f "$out/crds.yaml" >"$out/log" 2>&1; then ok; else bad "the definitions"; fi
if ! kubectl get crd reportruns.openreg.io >/dev/null 2>&1; then
    kubectl apply --server-side -f "$out/crds.yaml" >"$out/log" 2>&1 || bad "could not install the definitions"
    kubectl wait --for=condition=Established crd -l '!never' --timeout=30s >/dev/null 2>&1
fi
kubectl create namespace $tenant --dry-run=client -o yaml | kubectl apply -f - >/dev/null
# Without the label of a tenant: an OpenReg that is installed beside this must leave the namespace alone.
# Without its policies: they would judge an OpenReg that is installed beside it. They are tried below, in one namespace.
if helm upgrade --install $release charts/openreg -n $release --create-namespace --set "admission.enabled=false,operator.replicas=0,api.replicas=0,recorder.replicas=0" \
    --set "tenants[0].name=$tenant,tenants[0].storeSecret=store" >"$out/log" 2>&1; then ok; else bad "helm install"; fi
if helm upgrade $release charts/openreg -n $release --dry-run=server -f tests/charts/values/full.yaml --set monitoring.podMonitor=Never,monitoring.prometheusRule=Never \
    --set "tenants=null" >"$out/log" 2>&1; then ok; else bad "server-side dry run with everything on"; fi
# The signing key is made once: an upgrade keeps it.
key() { kubectl -n $release get secret $release-jwt -o 'jsonpath={.data.key}'; }
before=$(key)
helm upgrade $release charts/openreg -n $release --reuse-values >"$out/log" 2>&1
if [ -n "$before" ] && [ "$before" = "$(key)" ]; then ok; else bad "an upgrade changed the key that signs tokens"; fi

# 2. Rights. account | yes or no | verb | resource[/subresource][:name] | where (tenant, own, or a namespace that is no tenant)
while read -r account want verb resource where; do
    [[ -n $account && $account != \#* ]] || continue
    case $where in tenant) namespace=$tenant ;; own) namespace=$release ;; *) namespace=default ;; esac
    # To kubectl what follows a slash is an object's name.
    sub=${resource#*/}
    [ "$sub" != "$resource" ] || sub=
    resource=${resource%/*}
    got=$(kubectl auth can-i "$verb" "${resource/:/\/}" --subresource="$sub" -n $namespace --as "system:serviceaccount:$release:$release-$account" 2>"$out/log")
    if [ "$got" = "$want" ]; then ok; else bad "$account: may it $verb $resource in $where? $got, not $want"; fi
done <<'END'
operator yes create jobs.batch tenant
operator yes delete jobs.batch tenant
operator no create jobs.batch elsewhere
operator yes watch jobs.batch elsewhere
operator yes list reportruns.openreg.io elsewhere
operator yes create configmaps tenant
operator yes get configmaps tenant
operator no get configmaps elsewhere
operator yes create networkpolicies.networking.k8s.io tenant
operator yes patch networkpolicies.networking.k8s.io tenant
operator no create networkpolicies.networking.k8s.io elsewhere
operator yes delete pods tenant
operator no delete pods elsewhere
operator no create pods tenant
operator no create pods/exec tenant
operator yes create reportversions.openreg.io tenant
operator no patch reportversions.openreg.io tenant
operator no delete reportversions.openreg.io tenant
operator yes create reportruns.openreg.io tenant
operator yes delete reportruns.openreg.io tenant
operator yes patch reportruns.openreg.io/status tenant
operator no patch reportruns.openreg.io/status elsewhere
operator no patch reports.openreg.io tenant
operator yes list events tenant
operator yes create events.events.k8s.io tenant
operator no get secrets tenant
operator no list secrets tenant
operator no get secrets own
operator yes create leases.coordination.k8s.io own
operator yes update leases.coordination.k8s.io:openreg-charts-test-operator own
operator no update leases.coordination.k8s.io:another own
operator no update leases.coordination.k8s.io tenant
api yes create reportruns.openreg.io tenant
api yes patch reportruns.openreg.io tenant
api no create reportruns.openreg.io elsewhere
api no patch reportruns.openreg.io/status tenant
api no delete reportruns.openreg.io tenant
api no create jobs.batch tenant
api no list pods tenant
api no get secrets tenant
api no get secrets own
api yes watch reports.openreg.io elsewhere
recorder yes patch reportruns.openreg.io tenant
recorder yes patch reportruns.openreg.io/status tenant
recorder no create reportruns.openreg.io tenant
recorder no delete reportruns.openreg.io tenant
recorder no patch reports.openreg.io tenant
recorder no get secrets tenant
recorder no get secrets own
recorder no update leases.coordination.k8s.io own
END

# 3. Admission. Everybody here may do everything with our kinds, so that the policies alone decide.
kubectl apply -f - >/dev/null <<END
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: $release-everything}
rules: [{apiGroups: [openreg.io], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: everything, namespace: $tenant}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: $release-everything}
subjects:
- {kind: User, apiGroup: rbac.authorization.k8s.io, name: engineer}
- {kind: ServiceAccount, namespace: openreg-system, name: openreg-operator}
- {kind: ServiceAccount, namespace: openreg-system, name: openreg-api}
- {kind: ServiceAccount, namespace: openreg-system, name: openreg-recorder}
END
if ! kubectl get validatingadmissionpolicy openreg-report-runs >/dev/null 2>&1; then
    own_policies=yes
    # Only for the namespace of this test.
    sed "s/^  validationActions: \[Deny\]/&\n  matchResources: {namespaceSelector: {matchLabels: {kubernetes.io\/metadata.name: $tenant}}}/" config/admission/policies.yaml >"$out/policies.yaml"
    if kubectl apply -f "$out/policies.yaml" >"$out/log" 2>&1; then ok; else bad "the policies"; fi
fi
as() { # as WHO ARGUMENTS...: kubectl in the tenant's namespace in somebody's name
    local who=$1; shift
    case $who in engineer) ;; *) who=system:serviceaccount:openreg-system:openreg-$who ;; esac
    kubectl -n $tenant --as "$who" "$@"
}
run() { # run NAME SPEC...: a ReportRun, with lines added to its spec
    printf 'apiVersion: openreg.io/v1alpha1\nkind: ReportRun\nmetadata: {name: %s}\nspec:\n  id: 00000000-0000-4000-8000-000000000001\n  reportRef: trades\n' "$1"
    printf '  period: {start: "2026-03-02T00:00:00Z", end: "2026-03-03T00:00:00Z"}\n'
    shift
    printf '  %s\n' "$@"
}
version() {
    local digest
    digest=$(printf 'a%.0s' {1..64})
    printf 'apiVersion: openreg.io/v1alpha1\nkind: ReportVersion\nmetadata: {name: trades-1.0.0-aaaaaaaa}\nspec:\n  reportRef: trades\n  sha256: %s\n' "$digest"
    printf '  report: {version: 1.0.0, title: t, source: {datasets: [{name: a, connectorRef: a, query: select 1}]}, output: {csv: {}}, file: {name: a.csv}}\n'
}
refused() { # refused WHAT WORDS COMMAND...: the answer must contain the words
    local what=$1 words=$2; shift 2
    if "$@" >"$out/log" 2>&1; then bad "was not refused: $what"
    elif grep -qF "$words" "$out/log"; then ok
    else bad "$what: refused in other words than '$words'"; fi
}
taken() { local what=$1; shift; if "$@" >"$out/log" 2>&1; then ok; else bad "was refused: $what"; fi; }
create() { local who=$1; shift; as "$who" create --dry-run=server -f <("$@"); }
patch() { as "$1" patch reportrun "$2" --type=merge "${@:4}" --dry-run=server -p "$3"; }

# A new policy is in force a moment after it was made.
in_force() { ! create engineer version && ! create engineer run x 'trigger: Schedule' && ! patch engineer none '{}' --subresource=status; }
until_true 30 in_force || bad "the policies did not come into force"

refused "a ReportVersion by a person" "only the operator makes ReportVersions" create engineer version
refused "a ReportVersion by the API" "only the operator makes ReportVersions" create api version
taken "a ReportVersion by the operator" create operator version

taken "a manual run that names nobody" create engineer run a 'trigger: Manual'
taken "a manual run in one's own name" create engineer run a 'trigger: Manual' 'requestedBy: engineer'
refused "a run in another's name" "spec.requestedBy must be the user who asks: write engineer or leave it out" create engineer run a 'trigger: Manual' 'requestedBy: officer'
taken "a run by the API in another's name" create api run a 'trigger: Manual' 'requestedBy: officer'
refused "the trigger Schedule by a person" "only the operator sets Schedule; write Manual" create engineer run a 'trigger: Schedule'
refused "the trigger Schedule by the API" "only the operator sets Schedule; write Manual" create api run a 'trigger: Schedule'
taken "the trigger Schedule by the operator" create operator run a 'trigger: Schedule' 'scheduled: {schedule: daily, slot: "2026-03-03T01:00:00Z"}'
refused "a slot by a person" "spec.scheduled: only the operator sets it" create engineer run a 'trigger: Manual' 'scheduled: {schedule: daily, slot: "2026-03-03T01:00:00Z"}'
refused "a run that begins cancelled by another" "spec.cancelled.by must be the user who asks" create engineer run a 'trigger: Manual' 'cancelled: {reason: r, by: officer}'

kubectl -n $tenant delete --ignore-not-found reportrun/kept >/dev/null 2>&1
as engineer create -f <(run kept 'trigger: Manual') >"$out/log" 2>&1 || bad "could not make a run"
digest=$(printf 'b%.0s' {1..64})
refused "a cancel in another's name" "spec.cancelled.by must be the user who asks: write engineer" patch engineer kept '{"spec":{"cancelled":{"reason":"r","by":"officer"}}}'
taken "a cancel in one's own name" patch engineer kept '{"spec":{"cancelled":{"reason":"r","by":"engineer"}}}'
taken "a cancel by the API for another" patch api kept '{"spec":{"cancelled":{"reason":"r","by":"officer"}}}'
refused "a cancel by the recorder" "never its spec" patch recorder kept '{"spec":{"cancelled":{"reason":"r","by":"system:serviceaccount:openreg-system:openreg-recorder"}}}'
approval() { printf '{"by":"%s","manifestSha256":"%s","at":"2026-03-03T10:00:00Z","decision":"Approved"}' "$1" "$digest"; }
refused "an approval in another's name" "spec.approvals: by must be the user who asks: write engineer" patch engineer kept "{\"spec\":{\"approvals\":[$(approval officer)]}}"
taken "an approval by the API for another" patch api kept "{\"spec\":{\"approvals\":[$(approval officer)]}}"
as api patch reportrun kept --type=merge -p "{\"spec\":{\"approvals\":[$(approval officer)]}}" >"$out/log" 2>&1 || bad "could not approve"
taken "a second approval, in one's own name" patch engineer kept "{\"spec\":{\"approvals\":[$(approval officer),$(approval engineer)]}}"
refused "a second approval in the first one's name" "spec.approvals: by must be the user who asks" patch engineer kept "{\"spec\":{\"approvals\":[$(approval officer),$(approval officer)]}}"

taken "the finalizer by the recorder" patch recorder kept '{"metadata":{"finalizers":["openreg.io/recorded"]}}'
condition() { printf '{"status":{"phase":"%s","conditions":[{"type":"%s","status":"True","reason":"R","message":"m","lastTransitionTime":"2026-03-03T10:00:00Z"}]}}' "$2" "$1"; }
refused "status by a person" "status is written by the operator only" patch engineer kept "$(condition Complete Succeeded)" --subresource=status
refused "status by the API" "status is written by the operator only" patch api kept "$(condition Complete Succeeded)" --subresource=status
taken "status by the operator" patch operator kept "$(condition Started Generating)" --subresource=status
as operator patch reportrun kept --type=merge --subresource=status -p "$(condition Started Generating)" >"$out/log" 2>&1 || bad "could not write status"
# As the recorder does it: its one entry of the list, whatever an operator that runs here wrote meanwhile.
recorded() {
    printf 'apiVersion: openreg.io/v1alpha1\nkind: ReportRun\nmetadata: {name: kept}\nstatus:\n  conditions:\n'
    printf '  - {type: Recorded, status: "True", reason: R, message: m, lastTransitionTime: "2026-03-03T10:00:00Z"}\n'
}
taken "the condition Recorded by the recorder" as recorder apply --server-side --field-manager=recorder --subresource=status --dry-run=server -f <(recorded)
refused "another condition by the recorder" "the recorder sets the condition Recorded and nothing else" patch recorder kept "$(condition Complete Generating)" --subresource=status
refused "the phase by the recorder" "the recorder sets the condition Recorded and nothing else" patch recorder kept '{"status":{"phase":"Succeeded"}}' --subresource=status
refused "an outcome by the recorder" "the recorder sets the condition Recorded and nothing else" patch recorder kept '{"status":{"outcome":"Delivered"}}' --subresource=status

echo "charts on the cluster: $passed passed, $failed failed"
[ $failed = 0 ]
