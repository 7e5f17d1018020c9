#!/usr/bin/env bash
# web.sh install: the packages of web/package-lock.json, unless they are there. web.sh test: lint, types, unit tests.
# web.sh e2e: the page in Chromium against the API at OPENREG_URL.
set -euo pipefail
source "$(dirname "$0")/lib.sh"
cd web
install() {
    # npm ci deletes and unpacks everything again; the stamp says which lock file the folder is of.
    local lock
    lock=$(sha256sum <package-lock.json)
    [ "$(cat node_modules/.openreg-lock 2>/dev/null)" = "$lock" ] && return
    command -v npm >/dev/null || fail "no npm: install Node 20.19 or newer"
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)' || fail "Node $(node --version) is too old: 20.19 or newer is needed"
    # The tests use Debian's Chromium: no browser is downloaded.
    PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD=1 npm ci --no-audit --no-fund --loglevel=error </dev/null
    echo "$lock" >node_modules/.openreg-lock
}
case ${1:-} in
    install) install ;;
    build) install; npm run build ;;
    dev) install; npm run dev ;;
    test) install; npm run lint; npm run typecheck; npm run test ;;
    e2e) install; npm run e2e -- "${@:2}" ;;
    *) fail "usage: web.sh install|build|dev|test|e2e" ;;
esac
