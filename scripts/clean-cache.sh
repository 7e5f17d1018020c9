#!/usr/bin/env bash
# clean-cache.sh: removes built programs, tools, images and cargo's targets of CI, of every checkout of this user.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
for CLUSTER in "$CLUSTER" "$WORK/test-cluster"; do ! cluster_runs || fail "the cluster in $CLUSTER runs: make down first"; done
# shellcheck source=tests/cluster/lib.sh
cache=$(source "$ROOT/tests/cluster/lib.sh" && echo "$CACHE")
du -sh "$cache" "$TOOLS" 2>/dev/null || true
rm -rf "$cache" "$TOOLS" "$WORK"
echo "removed; the next make demo builds everything again"
