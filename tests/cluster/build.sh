#!/usr/bin/env bash
# build.sh [PROGRAM...]: builds the cluster's programs, kubectl, helm and versitygw (an S3 server), or only those named;
# what is there already is left alone. One line per program, with its number, time and size.
#
# Each folder under build/ pins one set of versions and checksums. Its programs go to CACHE/FOLDER-KEY/, where KEY is
# the hash of the folder's files: another version never finds the old programs, and two checkouts share them. CACHE is
# $CLUSTER_CACHE, or test-cluster in the user's cache folder.
#
# Needs Go, and gcc and buildah for the pause image (tests/packages.txt).
set -euo pipefail
source "$(dirname "$0")/lib.sh"
wanted=("$@")
all=(kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl etcd coredns policies helm versitygw pause)
[ ${#wanted[@]} -gt 0 ] || wanted=("${all[@]}")
number=0

step() { # step PROGRAM: whether it is wanted; then its line begins
    [[ " ${wanted[*]} " == *" $1 "* ]] || return 1
    number=$((number + 1))
    printf '[%d/%d] %s: ' $number ${#wanted[@]} "$1"
}
build() { # build FOLDER PROGRAM PACKAGE [LDFLAGS]
    local dir start=$SECONDS
    step "$2" || return 0
    dir=$(module_dir "$1")
    if [ -x "$dir/$2" ]; then echo "there already"; return; fi
    printf 'building ... '
    mkdir -p "$dir"
    # Renamed when finished, so that a broken-off build is not taken for a program.
    if ! (cd "$HERE/build/$1" && CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w ${4:-}" -o "$dir/.$2" "$3") >"$dir/$2.log" 2>&1; then
        echo "FAILED"
        tail -n 20 "$dir/$2.log" >&2
        fail "could not build $2; its log is $dir/$2.log"
    fi
    mv "$dir/.$2" "$dir/$2"
    echo "$((SECONDS - start)) s, $(du -m "$dir/$2" | cut -f1) MB"
}
build_pause() { # the process that holds a pod's namespaces; in C, since its memory counts against the pod's limit
    local dir container
    step pause || return 0
    dir=$(module_dir pause)
    if [ -e "$dir/pause.tar" ]; then echo "there already"; return; fi
    mkdir -p "$dir"
    gcc -static -Os -o "$dir/pause" "$HERE/build/pause/pause.c"
    container=$(images from scratch)
    images copy --quiet "$container" "$dir/pause" /pause >/dev/null
    images config --entrypoint '["/pause"]' --user 65535:65535 "$container"
    images commit --quiet --rm "$container" localhost/pause:1 >/dev/null
    images push --quiet localhost/pause:1 "oci-archive:$dir/.pause.tar:localhost/pause:1"
    mv "$dir/.pause.tar" "$dir/pause.tar"
    echo built
}

for program in "${wanted[@]}"; do
    [[ " ${all[*]} " == *" $program "* ]] || fail "no program $program; there are: ${all[*]}"
done
# Two checkouts that start at once: the second waits, then finds everything there.
mkdir -p "$CACHE"
exec 9>"$CACHE/build.lock"
flock --nonblock 9 || { echo "another build is under way, waiting for it"; flock 9; }

source "$HERE/build/kubernetes/versions"
for program in kube-apiserver kube-controller-manager kube-scheduler kubelet kube-proxy kubectl; do
    build kubernetes $program k8s.io/kubernetes/cmd/$program "$KUBERNETES_LDFLAGS"
done
build etcd etcd go.etcd.io/etcd/server/v3
build coredns coredns .
build policies policies .
build helm helm helm.sh/helm/v3/cmd/helm
build versitygw versitygw github.com/versity/versitygw/cmd/versitygw
build_pause
