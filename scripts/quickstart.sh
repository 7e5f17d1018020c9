#!/usr/bin/env bash
# quickstart.sh: builds the command line and runs the report of config/samples/quickstart.yaml from SQLite to out/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
sample=config/samples/quickstart.yaml
[ -f $sample ] || fail "$sample is not there"
need_rust
[ -x "${CARGO_TARGET_DIR:-target}/debug/openreg" ] || echo "the first time the command line is compiled: 5 to 10 minutes on 2 cores"
compile -p openreg-cli --bin openreg
exec "${CARGO_TARGET_DIR:-target}/debug/openreg" run -f $sample --output out/
