#!/usr/bin/env bash
# arrows.sh: proves with `cargo tree` that no crate has in its tree what it must never see (ARCHITECTURE.md). Each crate is
# looked at alone, as it would be built alone; dependencies of tests are not counted. A line per crate.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
drivers="tokio-postgres sqlx sqlx-core rusqlite russh russh-sftp"
store="aws-sdk-s3 aws-config"
cluster="kube kube-client kube-core kube-runtime k8s-openapi"
http="axum hyper reqwest tower-http"
runtime="tokio mio"
ours() { printf 'openreg-%s ' "$@"; }
failed=0

arrows() { # arrows CRATE FORBIDDEN...
    local crate=$1 tree name found=; shift
    tree=$(cargo tree --quiet --locked -e normal -p "openreg-$crate" --prefix none --format '{p}' | cut -d' ' -f1 | sort -u)
    for name in "$@"; do
        grep -qxF "$name" <<<"$tree" || continue
        found+=" $name"
        echo "openreg-$crate must not depend on $name, and does: cargo tree -e normal -p openreg-$crate -i $name" >&2
    done
    if [ -z "$found" ]; then echo "PASS  openreg-$crate: $(wc -l <<<"$tree") crates, none of $# forbidden"; else failed=1; echo "FAIL  openreg-$crate:$found"; fi
}
# shellcheck disable=SC2046,SC2086 # lists of names
{
    arrows parts    $drivers $store $cluster $http $runtime $(ours plan crds resolve runner cli operator audit api e2e)
    arrows plan     $drivers $store $cluster $http $runtime $(ours crds resolve runner cli operator audit api e2e)
    arrows crds     $drivers $store kube-client kube-runtime $http $runtime $(ours resolve runner cli operator audit api e2e)
    arrows resolve  $drivers $store kube-client kube-runtime $http $runtime $(ours runner cli operator audit api e2e)
    arrows audit    $drivers $store $cluster $http $runtime $(ours parts plan crds resolve runner cli operator api e2e)
    arrows runner   sqlx sqlx-core $cluster axum $(ours crds resolve cli operator audit api e2e)
    arrows cli      sqlx sqlx-core kube-client kube-runtime axum $(ours operator api e2e)
    arrows operator $drivers $store $(ours runner cli audit api e2e)
    arrows api      tokio-postgres rusqlite russh russh-sftp $(ours runner cli operator e2e)
    arrows e2e      sqlx rusqlite $(ours resolve runner cli operator audit api)
}
exit $failed
