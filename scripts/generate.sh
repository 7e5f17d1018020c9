#!/usr/bin/env bash
# generate.sh: writes what is generated from code: config/crd, the charts' templates, api/openapi.json and the page's types.
# generate.sh --check: writes it, then fails if that changed a file.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
generated=(config/crd charts/openreg-crds/templates charts/openreg/templates/admission.yaml api/openapi.json web/src/api/schema.gen.ts)
state() { for path in "${generated[@]}"; do [ ! -e "$path" ] || find "$path" -type f -print0; done | sort -z | xargs -0 sha256sum; }
before=$(state)

# What a kind that is gone left behind must go too; a generator that fails must not leave nothing.
made=$(mktemp -d)
trap 'rm -rf "$made"' EXIT
build_programs
programs=${CARGO_TARGET_DIR:-target}/debug
"$programs/crdgen" "$made"
mkdir -p config/crd
rm -f config/crd/*.yaml
cp "$made"/*.yaml config/crd/
scripts/crd-chart.sh
"$programs/openreg-api" openapi >"$made/openapi.json"
cp "$made/openapi.json" api/openapi.json
if [ -f web/package.json ]; then
    scripts/web.sh install
    (cd web && npm run --silent generate >/dev/null)
fi
if [ "${1:-}" = --check ]; then
    if [ "$before" != "$(state)" ]; then
        diff <(echo "$before") <(state) | sed -n 's/^[<>] [0-9a-f]*  /changed: /p' | sort -u >&2
        fail "generated files were not up to date; they are now: look at them and commit"
    fi
    # In a clone for CI nothing else is changed, so this also shows that what was committed is what is generated.
    [ -z "${CI:-}" ] || git diff --exit-code -- "${generated[@]}" || fail "the commit lacks generated files: run make generate"
    echo "generated files: up to date"
fi
