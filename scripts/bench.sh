#!/usr/bin/env bash
# bench.sh [--name csv|csv-s3] [--rows N] [--runs N]: builds the runner as it is published, starts PostgreSQL and S3 on
# loopback, and measures (bench/bench.py); writes bench/results/latest.json and the table in bench/README.md.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
scripts/packages.sh
services=$WORK/services
work=$(mktemp -d)
clean() {
    for service in postgres s3; do tests/services/$service.sh stop "$services/$service-bench"; done
    rm -rf "$work"
}
trap clean EXIT
need_rust
echo "runner as it is published (the first time its libraries are optimised: 15 minutes on 2 cores)"
compile --release -p openreg-runner
for service in postgres s3; do
    OPENREG_SERVICE_OWNER=$$ tests/services/$service.sh start "$services/$service-bench"
    # shellcheck disable=SC1090 # written by the line above
    source "$services/$service-bench/env"
done
PATH=$(dirname "$(ls -d /usr/lib/postgresql/*/bin/psql | sort -V | tail -n 1)"):$PATH
export PATH
python3 bench/bench.py --work "$work" --runner "${CARGO_TARGET_DIR:-target}/release/openreg-runner" "$@"
