#!/usr/bin/env bash
# versitygw.sh path: prints where the S3 server's program is; builds it first if it is not there.
set -euo pipefail
source "$(dirname "$0")/../../scripts/lib.sh"
[ "${1:-}" = path ] || fail "usage: versitygw.sh path"
"$ROOT/tests/cluster/build.sh" versitygw >&2
command -v versitygw
