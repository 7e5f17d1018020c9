#!/usr/bin/env bash
# denied.sh AUDIT-LOG [NAMESPACE]: which calls of OpenReg's own accounts (of the release in NAMESPACE [openreg-system]) the
# API server refused, counted; fails if there is one. The audit log of the test cluster is .work/cluster/log/audit.log.
# What a test asks in an account's name (impersonation) does not count: that is meant to be refused.
set -euo pipefail
if [ $# -lt 1 ] || [ ! -r "$1" ]; then echo "usage: denied.sh AUDIT-LOG [NAMESPACE]" >&2; exit 2; fi
python3 - "$1" "system:serviceaccount:${2:-openreg-system}:" <<'END'
import collections
import json
import sys

path, accounts = sys.argv[1:]
refused, seen = collections.Counter(), 0
with open(path, encoding="utf-8") as log:
    for line in log:
        if accounts not in line:
            continue
        try:
            event = json.loads(line)
        except ValueError:  # the last line may be half written
            continue
        user = event["user"]["username"]
        if not user.startswith(accounts) or "impersonatedUser" in event:
            continue
        seen += 1
        if event.get("responseStatus", {}).get("code") == 403:
            of = event.get("objectRef", {})
            what = "/".join(part for part in (of.get("resource"), of.get("subresource")) if part)
            refused[user.removeprefix(accounts), event["verb"], what, of.get("namespace", ""), event["responseStatus"].get("message", "")[:160]] += 1
for call, times in refused.most_common():
    print(f"REFUSED {times} times:", *call)
print(f"{seen} calls, {sum(refused.values())} refused")
sys.exit(1 if refused or not seen else 0)
END
