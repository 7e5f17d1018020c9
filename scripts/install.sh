#!/usr/bin/env bash
# install.sh: installs OpenReg of the images last made (scripts/images.sh) in the cluster, with Helm, beside the servers of
# scripts/dev-services.sh: the definitions, a database Secret, the tenant `acme` with its Secrets. Can be repeated.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
use_cluster
[ -f "$WORK/images/tag" ] || fail "no images: run make images"
tag=$(<"$WORK/images/tag")
of() { kubectl get secret -n $DEV_NAMESPACE credentials -o "jsonpath={.data.$1}" | base64 -d; }
! external_cluster || ours "$SYSTEM_NAMESPACE" || fail "the namespace $SYSTEM_NAMESPACE is there, and the demo did not make it: an OpenReg in it would be replaced by the demo's. Delete that namespace, or use another cluster"
namespace() { # namespace NAME LABEL...
    kubectl get namespace "$1" >/dev/null 2>&1 || kubectl create namespace "$1" >/dev/null
    kubectl label namespace "$@" --overwrite >/dev/null
}

namespace "$SYSTEM_NAMESPACE" $DEMO_LABEL=true pod-security.kubernetes.io/enforce=restricted
namespace "$TENANT" openreg.io/tenant=true pod-security.kubernetes.io/enforce=restricted
scripts/tenant-secrets.sh | kubectl apply -n "$TENANT" -f - >/dev/null
# API and recorder read artifacts with a copy of the store's Secret: a pod cannot mount another namespace's.
scripts/tenant-secrets.sh | sed -n '/name: store-s3/,/^---/p' | sed '/^---/d' | sed '1i apiVersion: v1\nkind: Secret' | sed "s/name: store-s3/name: $TENANT-store/" |
    kubectl apply -n "$SYSTEM_NAMESPACE" -f - >/dev/null
kubectl create secret generic openreg-database -n "$SYSTEM_NAMESPACE" --dry-run=client -o yaml \
    --from-literal=url="postgres://openreg:$(of openregPassword)@postgres.$DEV_NAMESPACE.svc:5432/openreg" | kubectl apply -f - >/dev/null

helm_log=$WORK/logs/helm.log
mkdir -p "$WORK/logs"
release() { # release NAME [SETTINGS...]
    # An earlier call that was broken off leaves a release on which Helm does nothing more.
    case $(helm status "$1" -n "$SYSTEM_NAMESPACE" -o json 2>/dev/null | sed -n 's/.*"status":"\([a-z-]*\)".*/\1/p') in
        pending-install | uninstalling) helm uninstall "$1" -n "$SYSTEM_NAMESPACE" --no-hooks >"$helm_log" 2>&1 || { cat "$helm_log" >&2; fail "helm could not remove the half-installed $1"; } ;;
        pending-upgrade | pending-rollback) helm rollback "$1" -n "$SYSTEM_NAMESPACE" >"$helm_log" 2>&1 || { cat "$helm_log" >&2; fail "helm could not bring back the half-upgraded $1"; } ;;
    esac
    helm upgrade --install "$1" "charts/$1" -n "$SYSTEM_NAMESPACE" "${@:2}" >"$helm_log" 2>&1 || { cat "$helm_log" >&2; fail "helm could not install $1"; }
}
release openreg-crds
kubectl wait --for=condition=Established --timeout=30s crd/reportruns.openreg.io >/dev/null
# insecureCookies: the demo's page is served without TLS. stores.ports: the development store does not listen on 443.
release openreg --set image.registry=localhost/ --set image.tag="$tag" --set "tenants[0].name=$TENANT,tenants[0].storeSecret=$TENANT-store" \
    --set defaultStoreSecret="$TENANT-store" \
    --set api.insecureCookies=true,api.service.type=NodePort --set networkPolicies.egress.stores.ports='{7070}'
for component in operator api recorder; do
    kubectl rollout status -n "$SYSTEM_NAMESPACE" "deployment/openreg-$component" --timeout=180s >/dev/null 2>&1 || {
        kubectl get pods -n "$SYSTEM_NAMESPACE" -o wide >&2
        kubectl get events -n "$SYSTEM_NAMESPACE" --sort-by=.lastTimestamp 2>/dev/null | tail -n 8 >&2
        kubectl logs -n "$SYSTEM_NAMESPACE" "deployment/openreg-$component" --all-containers --tail=20 >&2 || true
        fail "openreg-$component did not become ready"
    }
    echo "openreg-$component: ready"
done
