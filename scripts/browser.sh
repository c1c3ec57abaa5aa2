#!/bin/sh
# Does with the pages, in headless Chromium, what a person would do.
#
#   scripts/browser.sh [SCENARIO…]     all of browser/test.mjs, or those named
#
# Environment: WSECHO (binary; default target/release/wsecho, which must have been built),
# WSECHO_URL (a running server instead), CHROMIUM (browser; default: chromium on the PATH),
# SHOTS (directory for screenshots). As root on Debian it installs chromium if there is none.
# Without browser or node it says so and skips; with CI=true that is a failure.
set -eu
cd "$(dirname "$0")/browser"

skip() {
    echo "browser.sh: SKIPPED: $1" >&2
    [ "${CI:-}" = true ] && exit 1
    exit 0
}

find_browser() {
    command -v chromium || command -v chromium-browser || command -v google-chrome || true
}

command -v npm >/dev/null || skip "no node with npm"
node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)' || skip "node is older than 20"
: "${CHROMIUM:=$(find_browser)}"
if [ -z "$CHROMIUM" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    export DEBIAN_FRONTEND=noninteractive
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends chromium; } >&2 || true
    CHROMIUM=$(find_browser)
fi
command -v "${CHROMIUM:-chromium}" >/dev/null || skip "no chromium, and none could be installed"
export CHROMIUM

# WSECHO and SHOTS are meant from where the script was called, not from here.
for name in WSECHO SHOTS; do
    eval "value=\${$name:-}"
    case $value in
        "" | /*) ;;
        *) export "$name=$OLDPWD/$value" ;;
    esac
done

npm ci --no-audit --no-fund --silent
exec node test.mjs "$@"
