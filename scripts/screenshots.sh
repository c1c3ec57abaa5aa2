#!/usr/bin/env bash
# Renews the pictures of the pages in docs/img/, of the release binary in headless Chromium.
#
#   scripts/screenshots.sh [PICTURE…]      all of browser/shots.mjs, or those named
#
# Environment: WSECHO and CHROMIUM as for browser.sh. Needs pngquant, which it installs as root on
# Debian: a picture may have 60 KiB.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
need_server
command -v npm >/dev/null || skip "no node with npm"
have "${CHROMIUM:-chromium}" chromium || skip "no chromium, and none could be installed"
have pngquant pngquant || skip "no pngquant, and none could be installed"
export WSECHO=$wsecho

(cd "$root/scripts/browser" && npm ci --no-audit --no-fund --silent && node shots.mjs "$tmp" "$@")
mkdir -p "$root/docs/img"
for picture in "$tmp"/*.png; do
  small=$root/docs/img/$(basename "$picture")
  pngquant --nofs --strip --force --output "$small" 48 "$picture"
  bytes=$(stat -c %s "$small")
  [ "$bytes" -le $((60 * 1024)) ] || die "$small has $bytes bytes"
done
