#!/usr/bin/env bash
# tools.sh TOOL...: makes sure of cargo-nextest and cargo-deny, compiled once into the cache. Without optimisation: they
# compile in half the time, and their own speed does not show.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
declare -A versions=([cargo-nextest]=0.9.151 [cargo-deny]=0.20.2)
mkdir -p "$TOOLS"
exec 9>"$TOOLS/lock"
flock 9 # two checkouts at once
for tool in "$@"; do
    version=${versions[$tool]:?}
    stamp=$TOOLS/tools/$tool-$version
    [ -f "$stamp" ] && [ -x "$TOOLS/tools/bin/$tool" ] && continue
    echo "$tool $version: compiling it, once"
    begun=$SECONDS
    mkdir -p "$WORK/logs"
    # Outside the checkout, so that its settings do not apply; the compiler is the same.
    (cd "$TOOLS" && RUSTUP_TOOLCHAIN=$(sed -n 's/^channel = "\(.*\)"/\1/p' "$ROOT/rust-toolchain.toml") CARGO_TARGET_DIR=$TOOLS/tools-target cargo install --quiet --debug --locked --force --root "$TOOLS/tools" "$tool@$version") >"$WORK/logs/$tool.log" 2>&1 </dev/null ||
        { tail -n 20 "$WORK/logs/$tool.log" >&2; fail "could not install $tool"; }
    rm -rf "$TOOLS/tools-target"
    touch "$stamp"
    echo "$tool: $((SECONDS - begun)) s"
done
