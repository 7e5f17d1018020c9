#!/usr/bin/env bash
# Looks at every shell script of the project; a line for each, and the warnings. (What shellcheck calls info is taste:
# unquoted words that hold no blank, functions that are called by name.)
set -euo pipefail
source "$(dirname "$0")/lib.sh"
command -v shellcheck >/dev/null || fail "no shellcheck: run scripts/packages.sh"
mapfile -t scripts < <(git ls-files -co --exclude-standard -- '*.sh' .ci/run)
failed=0
for script in "${scripts[@]}"; do
    if findings=$(shellcheck -x -S warning "$script"); then echo "PASS  $script"; else failed=1; echo "FAIL  $script"; echo "$findings"; fi
done
exit $failed
