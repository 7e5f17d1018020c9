#!/usr/bin/env bash
# demo.sh: from nothing to a delivered report: a cluster (or KUBECONFIG's, with OPENREG_USE_KUBECONFIG=1), real servers,
# OpenReg, the samples, and one run of the report trades-csv. Prints what came of it and how to look further. Each time it
# is called it starts one more run; what is there already is left as it is.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
begun=$SECONDS
report=trades-csv
total=7
number=0
step() { number=$((number + 1)); say "[$number/$total] $* ($((SECONDS - begun)) s)"; }
for tool in cargo go npm; do command -v $tool >/dev/null || fail "no $tool: the README says what a machine needs"; done
if external_cluster; then
    # Nothing is installed on the machine then: all that is missing, in one sentence.
    missing=
    for tool in kubectl helm buildah debootstrap openssl ssh-keygen python3 column strip; do command -v $tool >/dev/null || missing+=" $tool"; done
    [ -z "$missing" ] || fail "not there:$missing (scripts/packages.sh installs what Debian has, as root; tests/cluster/build.sh kubectl helm builds these two)"
    use_cluster
    ours "$SYSTEM_NAMESPACE" || fail "the cluster of KUBECONFIG has a namespace $SYSTEM_NAMESPACE that the demo did not make: an OpenReg in it would be replaced. Use another cluster"
fi

step "Debian packages"
external_cluster || scripts/packages.sh
need_rust # before the cluster's programs are built, after the C compiler is there
step "Cluster (the first time its programs are built: 7 minutes on 2 cores)"
scripts/cluster.sh
use_cluster
step "Images (the first time all is compiled: 11 minutes on 2 cores)"
scripts/images.sh
step "Servers: PostgreSQL with 2,000 trades, an S3 store, an SFTP receiver"
scripts/dev-services.sh
step "OpenReg, with Helm"
scripts/install.sh

step "Samples, applied to the namespace $TENANT"
folder=$(scripts/samples.sh)
kubectl apply -n "$TENANT" -f "$folder"
kubectl wait -n "$TENANT" --for=condition=Ready --timeout=60s "report/$report" >/dev/null || {
    kubectl get report -n "$TENANT" $report -o jsonpath='{range .status.conditions[*]}{.type}={.status} {.reason}: {.message}{"\n"}{end}' >&2
    fail "the report $report is not Ready"
}

step "A run of $report"
run=demo-$(date -u +%Y%m%d-%H%M%S)
kubectl create -n "$TENANT" -f - >/dev/null <<END
apiVersion: openreg.io/v1alpha1
kind: ReportRun
metadata: {name: $run}
spec:
  id: $(cat /proc/sys/kernel/random/uuid)
  reportRef: $report
  trigger: Manual
  period: {start: "2026-03-06T00:00:00Z", end: "2026-03-07T00:00:00Z"} # one trade of that day has no buyer
END
conditions() { # as a table, in the order in which a run goes through them
    { echo 'CONDITION|STATUS|REASON|MESSAGE'
      for type in Resolved SourceReady Started Generated Approved Delivered Recorded Complete; do
          kubectl get reportrun -n "$TENANT" "$run" -o jsonpath="{range .status.conditions[?(@.type=='$type')]}{.type}{'|'}{.status}{'|'}{.reason}{'|'}{.message}{'\n'}{end}"
      done; } | column -t -s '|' | sed 's/^/  /'
}
if ! kubectl wait -n "$TENANT" --for=condition=Complete --timeout=180s "reportrun/$run" >/dev/null; then
    conditions >&2
    kubectl get jobs,pods -n "$TENANT" >&2
    kubectl logs -n "$SYSTEM_NAMESPACE" deployment/openreg-operator --tail=20 >&2
    fail "the run $run is not complete after 3 minutes"
fi
echo
conditions
field() { kubectl get reportrun -n "$TENANT" "$run" -o "jsonpath={$1}"; }
in_pod() { kubectl exec -n "$DEV_NAMESPACE" "deployment/$1" -- "${@:2}"; }

say "The artifact, as the sealed manifest names it, and as it lies on the SFTP server"
tenant=$(kubectl get namespace "$TENANT" -o 'jsonpath={.metadata.uid}') # a tenant's objects lie under the UID of its namespace
in_pod s3 cat "/data/s3/openreg/$tenant/$(field .status.manifest.key)" | python3 -c '
import json, sys
for artifact in json.load(sys.stdin)["artifacts"]:
    print("  manifest   SHA-256", artifact["sha256"], artifact["name"])'
remote=$(field '.status.deliveries[0].remote')
in_pod sftp sha256sum "/srv/sftp$remote" | sed 's/^\([0-9a-f]*\) */  receiver   SHA-256 \1 /'
echo
{ in_pod sftp ls -l "/srv/sftp$remote"; in_pod sftp head -n 3 "/srv/sftp$remote"; } | sed 's/^/  /'

# A user of the web page, with a password for one log-in. Made anew each time: the last one may be used up.
api() { kubectl exec -n "$SYSTEM_NAMESPACE" deployment/openreg-api -c api -- openreg-api --log error user "$@"; }
password=$(api create --tenant "$TENANT" --name demo --role tenant-admin --one-time 2>/dev/null) ||
    password=$(api reset --tenant "$TENANT" --name demo --one-time) || password="(none: $(api list --tenant "$TENANT" 2>&1 | tail -n 1))"
if external_cluster; then
    address="http://127.0.0.1:8080 after: kubectl -n $SYSTEM_NAMESPACE port-forward service/openreg-api 8080:80"
else
    node=$(kubectl get nodes -o jsonpath='{.items[0].status.addresses[?(@.type=="InternalIP")].address}')
    address=http://$node:$(kubectl get service -n "$SYSTEM_NAMESPACE" openreg-api -o jsonpath='{.spec.ports[0].nodePort}')
fi
say "Look further"
cat <<END
  web page   $address
             tenant $TENANT, user demo, password for one log-in: $password
  kubectl    export KUBECONFIG=$KUBECONFIG PATH=$(cluster_programs):\$PATH
             kubectl get -n $TENANT reports,schedules,reportruns
             kubectl describe -n $TENANT reportrun $run
             kubectl get -n $TENANT jobs -l openreg.io/run=$run -o yaml
  again      make demo       one more run
  remove     make down       all of it$(external_cluster || echo ", the cluster included")

END
echo "demo: done after $((SECONDS - begun)) s"
