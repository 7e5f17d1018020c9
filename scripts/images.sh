#!/usr/bin/env bash
# images.sh [PROFILE]: builds the programs and the web page, makes the images, and loads them into the cluster if one is
# there. PROFILE is cargo's: dev (what the tests use too) or release. An image whose inputs have not changed is left alone.
# images.sh --context [PROFILE]: only puts what the Containerfile copies into .work/images/context.
#
# The archives lie in .work/images; the images' tag, which names their content, in .work/images/tag.
# With OPENREG_USE_KUBECONFIG=1 the images get into the cluster by the command OPENREG_LOAD_IMAGE, for example
# "kind load image-archive": it is called with the path of an archive.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
context_only=no
if [ "${1:-}" = --context ]; then context_only=yes; shift; fi
profile=${1:-dev}
case $profile in dev) folder=debug ;; *) folder=$profile ;; esac
out=$WORK/images
context=$out/context
target=${CARGO_TARGET_DIR:-$ROOT/target}/$folder
components=(runner operator api)
mkdir -p "$context/bin" "$context/web"

need_rust
begun=$SECONDS
build_programs "$profile"
echo "programs: $((SECONDS - begun)) s"
for component in "${components[@]}"; do
    # Without debug information: it is most of the size, and loading is what takes the time.
    strip --strip-debug -o "$context/bin/openreg-$component" "$target/openreg-$component"
done

if [ -f web/package.json ]; then
    # Built anew only when something that goes into it has changed.
    inputs=$(git ls-files -co --exclude-standard -- web/src web/public web/index.html web/package.json web/package-lock.json web/vite.config.ts 'web/tsconfig*.json' | sort | xargs -d '\n' sha256sum | sha256sum)
    if [ ! -f web/dist/index.html ] || [ "$inputs" != "$(cat "$out/web.inputs" 2>/dev/null)" ]; then
        begun=$SECONDS
        mkdir -p "$WORK/logs"
        { "$ROOT/scripts/web.sh" install && (cd web && npm run build); } >"$WORK/logs/web-build.log" 2>&1 </dev/null || { tail -n 30 "$WORK/logs/web-build.log" >&2; fail "the web page does not build"; }
        echo "$inputs" >"$out/web.inputs"
        echo "web page: $((SECONDS - begun)) s"
    fi
    rm -rf "$context/web"
    cp -r web/dist "$context/web"
else
    echo "<!doctype html><title>OpenReg</title><p>No page yet." >"$context/web/index.html"
fi
[ $context_only = no ] || { echo "$context"; exit; }

command -v buildah >/dev/null || fail "no buildah: run scripts/packages.sh"
# shellcheck source=tests/cluster/lib.sh
images() { (source "$ROOT/tests/cluster/lib.sh" && images "$@"); }
archive() { # archive IMAGE INPUTS COMMAND...: makes the image and its archive unless both are there, of these inputs
    local image=$1 inputs=$2 begun=$SECONDS file; shift 2
    file=$out/${image##*/}
    file=${file%%:*}.tar
    if [ "$(cat "$file.inputs" 2>/dev/null)" = "$image $inputs" ] && [ -f "$file" ]; then
        echo "$image: unchanged, $(du -m "$file" | cut -f1) MB"
        return
    fi
    "$@" || fail "could not make $image"
    rm -f "$file" "$file.inputs"
    # Without a name in the archive an import brings in nothing, and does not say so.
    images push --quiet "$image" "oci-archive:$file:$image"
    images rmi "$image" >/dev/null # the archive is what is used; the store, which all checkouts share, keeps the bases
    echo "$image $inputs" >"$file.inputs"
    echo "$image: made in $((SECONDS - begun)) s, $(du -m "$file" | cut -f1) MB"
}
build() { # build IMAGE FILE CONTEXT [TARGET]
    images bud --quiet --isolation chroot --pull-never --layers=false -t "$1" -f "$2" ${4:+--target "$4"} "$3" >"$out/bud.log" 2>&1 || { tail -n 20 "$out/bud.log" >&2; return 1; }
}

production=(ca-certificates tzdata)
tests/cluster/base-image.sh "${production[@]}"
tag=$profile-$(cd "$context" && find . -type f -print0 | sort -z | xargs -0 sha256sum | cat - "$ROOT"/{Containerfile,tests/cluster/base-image.sh} | sha256sum | cut -c1-12)
echo "$tag" >"$out/tag"
made=()
for component in "${components[@]}"; do
    image=localhost/openreg-$component:$tag
    archive "$image" "$tag" build "$image" Containerfile "$context" "$component"
    made+=("$out/openreg-$component.tar")
done

# The servers of the demo and the cluster tests, on a base of their own, so that the production base stays small.
tests/cluster/build.sh versitygw >/dev/null
dev=(postgresql-15 openssh-server)
dev_context=$out/dev-context
mkdir -p "$dev_context"
cp config/dev/Containerfile config/dev/*.sh "$dev_context"
cp "$(command -v versitygw)" "$dev_context"
tests/cluster/base-image.sh --tag localhost/openreg-dev-base:bookworm "${dev[@]}"
dev_inputs=$({ cat tests/cluster/base-image.sh; echo "${dev[@]}"; find "$dev_context" -type f -print0 | sort -z | xargs -0 cat; } | sha256sum | cut -c1-12)
archive localhost/openreg-dev:dev "$dev_inputs" build localhost/openreg-dev:dev "$dev_context/Containerfile" "$dev_context"
made+=("$out/openreg-dev.tar")
images rmi --prune >/dev/null 2>&1 || true # what lost its name to a newer one

# Into the cluster.
if external_cluster; then
    [ -n "${OPENREG_LOAD_IMAGE:-}" ] || fail "OPENREG_USE_KUBECONFIG=1 needs OPENREG_LOAD_IMAGE, the command that brings an archive into your cluster, for example 'kind load image-archive'"
    # shellcheck disable=SC2086 # a command with its arguments
    for file in "${made[@]}"; do $OPENREG_LOAD_IMAGE "$file"; done
elif cluster_runs; then
    for file in "${made[@]}"; do
        loaded=$CLUSTER/config/loaded-$(basename "$file") # goes with the cluster
        ! cmp -s "$file.inputs" "$loaded" || continue
        tests/cluster/load-image.sh "$CLUSTER" "$file"
        cp "$file.inputs" "$loaded"
    done
else
    echo "no cluster runs: nothing loaded"
fi
