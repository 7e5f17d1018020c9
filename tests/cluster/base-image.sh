#!/usr/bin/env bash
# base-image.sh [--tag IMAGE] [PACKAGE...]: makes docker.io/library/debian:bookworm-slim (or IMAGE) out of Debian
# packages, in the cache's image store, so that `buildah bud` builds OpenReg's Containerfile unchanged where no registry
# is reachable. PACKAGEs are what the Containerfile's RUN apt-get would install: RUN has no network. Made anew only when
# the list of packages changes.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
image=docker.io/library/debian:bookworm-slim
if [ "${1:-}" = --tag ]; then image=$2; shift 2; fi
packages=$(IFS=,; echo "$*")
label=test-cluster.packages
mkdir -p "$CACHE"
exec 9>"$CACHE/base.lock"
flock 9 # two checkouts at once: the second finds it made
if [ "$(images inspect --type image --format "{{index .OCIv1.Config.Labels \"$label\"}}" "$image" 2>/dev/null)" = "-$packages" ]; then
    echo "$image: there already"; exit
fi
start=$SECONDS
root=$(mktemp -d "$CACHE/base.XXXX")
trap 'rm -rf "$root"' EXIT
# The mirror that this machine's apt sources name, whichever of the two formats they are in.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' | sed -n 's/ bookworm main$//p' | sort -u | sed -n 1p)
[ -n "$mirror" ] || fail "no Debian mirror in the apt sources"
log=$CACHE/debootstrap.log
echo "$image: making it from Debian packages"
debootstrap --variant=minbase ${packages:+--include="$packages"} bookworm "$root" "$mirror" >"$log" 2>&1 || { tail -n 10 "$log" >&2; fail "debootstrap failed; its log is $log"; }
# What no program in an image reads, as in the slim image of the same name: manuals, translations, apt's own caches;
# licences stay.
rm -rf "$root"/var/cache/apt/* "$root"/var/cache/debconf/*-old "$root"/var/lib/apt/lists/* "$root"/var/log/{apt,bootstrap.log,dpkg.log} \
    "$root"/usr/share/{man,locale,info,groff,lintian}/* "${root:?}"/{dev,proc,sys,tmp}/*
find "$root/usr/share/doc" -type f ! -name copyright -delete
container=$(images from scratch)
images add --quiet "$container" "$root" / >/dev/null
images config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin --label "$label=-$packages" "$container"
images commit --quiet --rm "$container" "$image" >/dev/null
echo "$image: made in $((SECONDS - start)) s"
