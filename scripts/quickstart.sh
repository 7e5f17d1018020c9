#!/usr/bin/env bash
# quickstart.sh: builds the command line and runs the report of config/samples/quickstart.yaml from SQLite to out/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
sample=config/samples/quickstart.yaml
[ -f $sample ] || fail "$sample is not there"
command -v cargo >/dev/null || fail "no cargo: install Rust (rust-toolchain.toml names the version)"
cargo build --quiet -p openreg-cli --bin openreg
exec "${CARGO_TARGET_DIR:-target}/debug/openreg" run -f $sample --output out/
