#!/usr/bin/env bash
# compressed.sh [COUNT]
#
# Python's websockets, the npm package ws and headless Chromium each exchange COUNT (10 000)
# compressed messages with the release binary and verify every one; the server's own counters say
# that they were compressed. What a peer needs is installed below target/. A peer that cannot be
# had is skipped out loud; with CI=true that is a failure.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
count=${1:-10000}
need_server
home=$root/target/compressed
mkdir -p "$home"

counter() { # counter NAME: its value at the server
  python3 - "$server_port" "$1" <<'PY'
import sys, urllib.request
text = urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/metrics").read().decode()
print(next(line.split()[1] for line in text.splitlines() if line.startswith(sys.argv[2] + " ")))
PY
}

exchange() { # exchange PEER COMMAND...
  local peer=$1 compressed
  shift
  start_wsecho
  "$@" >"$tmp/peer.log" 2>&1 || { cat "$tmp/peer.log" >&2; die "$peer failed"; }
  compressed=$(counter wsecho_compressed_messages_total)
  [ "$compressed" -ge $((count / 2)) ] || die "$peer sent only $compressed compressed messages"
  printf '%-12s %s, %s of them compressed\n' "$peer" "$(tail -n 1 "$tmp/peer.log")" "$compressed"
  stop_server
}

missing() {
  echo "SKIPPED $*" >&2
  [ "${CI:-}" != true ] || exit 1
}

websockets='websockets==17.4'
python=$home/venv/bin/python3
if ! "$python" -m pip freeze 2>/dev/null | grep -qxF "$websockets"; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || apt_get python3 python3-venv || true
  { python3 -m venv --clear "$home/venv" &&
    "$python" -m pip install --quiet --disable-pip-version-check "$websockets"; } >&2 || true
fi
if "$python" -c 'import websockets' 2>/dev/null; then
  start() { "$python" "$root/scripts/compressed/client.py" "$server_url" "$count"; }
  exchange websockets start
else
  missing "Python websockets: cannot be installed"
fi

if have npm npm && cp "$root"/scripts/compressed/*.{json,mjs} "$home" &&
  npm install --prefix "$home" --no-audit --no-fund --silent >&2; then
  start() { node "$home/client.mjs" "$server_url" "$count"; }
  exchange ws start
else
  missing "npm ws: cannot be installed"
fi

start() { COUNT=$count WSECHO_URL=http://127.0.0.1:$server_port/ "$root/scripts/browser.sh" compressed; }
exchange chromium start
