#!/usr/bin/env bash
# metrics.sh [SAMPLE...]: every metric that an alert names must exist: in the SAMPLEs (texts of /metrics) when given, else
# as a registered name in the source of operator and API, which leaves out prefix, unit and _total.
set -euo pipefail
cd "$(dirname "$0")/../.."
passed=0 failed=0
mapfile -t metrics < <(grep -oE '\bopenreg_[a-z_]+' charts/openreg/files/alerts.yaml | sort -u)
for metric in "${metrics[@]}"; do
    if [ $# -gt 0 ]; then found() { grep -qhE "^$metric(\{| )|^# TYPE ${metric%_total} " "$@"; }
    else found() { grep -rqE "\"$(sed -E 's/^openreg_/(openreg_)?/; s/_(total|seconds)$/(_\1)?/' <<<"$metric")\"" operator/src api/src; }; fi
    if found "$@"; then passed=$((passed + 1)); else failed=$((failed + 1)); echo "FAILED metric $metric is named by an alert and by nothing else"; fi
done
echo "$passed passed, $failed failed"
[ $failed = 0 ]
