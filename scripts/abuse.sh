#!/usr/bin/env bash
# abuse.sh [--check] [--record] [--list] [--only NAME]...
#
# Attacks target/release/wsecho (or $WSECHO), one way after the other, each against a server of its
# own; three minutes. Beside each attack a bystander demands an echo every few milliseconds, and a
# prober opens a connection ten times a second for a handshake, /healthz or /metrics. A row says
# the 99th percentile and the longest wait for an echo, the longest wait for a new connection, how
# many of those there were, and the server's resident peak beside the promise: what it held at
# start, the buffer budget and 16 MiB. FAIL means that one of them was beyond its bound, or that
# the server answered the attack itself wrongly.
#
#   --check      exit 1 if an attack succeeds
#   --record     append the rows to benches/record/abuse.csv, under $BUILD or the commit
#   --list       name the attacks
#   --only NAME  only this one, may be repeated
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
need_server
command -v python3 >/dev/null || skip "needs python3"
build=${BUILD:-$(git -C "$root" describe --always --dirty 2>/dev/null || echo unknown)}
status=0
python3 "$root/scripts/abuse" --program "$wsecho" --build "$build" --log "$tmp/server.log" "$@" ||
  status=$?
exit "$status"
