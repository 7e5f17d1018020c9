#!/usr/bin/env bash
# packages.sh: installs what tests/packages.txt lists and this machine lacks. Says nothing new, and needs no network,
# when all is there.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
mapfile -t wanted < <(sed 's/#.*//; s/[[:space:]]//g; /^$/d' "$ROOT/tests/packages.txt")
missing=()
for package in "${wanted[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
done
if [ ${#missing[@]} -eq 0 ]; then echo "packages: all ${#wanted[@]} are there"; exit; fi
command -v apt-get >/dev/null || fail "not a Debian machine; install what corresponds to: ${missing[*]}"
[ "$(id -u)" = 0 ] || fail "needs root to install: ${missing[*]}"
echo "packages: installing ${missing[*]}"

# Only the programs are wanted: no server of the machine's own may start (exit code 101 is Debian's word for "not here").
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ]; then
    trap 'rm -f $policy' EXIT
    printf '#!/bin/sh\nexit 101\n' >$policy
    chmod 755 $policy
fi
# The same for the database that postgresql-15 would make for itself.
if [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.conf
fi
mkdir -p "$WORK/logs"
log=$WORK/logs/apt.log
export DEBIAN_FRONTEND=noninteractive
# A new machine brings itself up to date and holds the lock meanwhile; an earlier call may have been broken off.
waiting=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
if ! { dpkg --configure -a && apt-get "${waiting[@]}" update && apt-get "${waiting[@]}" install -y --no-install-recommends -o Dpkg::Options::=--force-confold "${missing[@]}"; } >"$log" 2>&1 </dev/null; then
    tail -n 20 "$log" >&2
    fail "apt-get failed; its log is $log"
fi
echo "packages: ${#missing[@]} installed"
