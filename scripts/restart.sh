#!/usr/bin/env bash
# restart.sh
#
# Restarts target/release/wsecho (or $WSECHO) again and again while clients connect to it in tight
# loops, each with a handshake, an echo and a Close; about 20 seconds. Not one of them may fail where
# a new process takes over from an old one: on a port that both listen on (--reuse-port, alone and
# with --workers), also where the new one fails to start, and on a socket that both are started with
# (LISTEN_FDS), overlapping or one after the other. Where a worker is killed, nobody may fail to
# connect, and only those that it served at that moment may be cut off. Exit status 1 if somebody else
# fails. See restart.py.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || { usage; exit; }
need_server
command -v python3 >/dev/null || skip "needs python3"
status=0
python3 "$root/scripts/restart.py" "$wsecho" 2>"$tmp/server.log" || status=$?
[ "$status" = 0 ] || tail -n 20 "$tmp/server.log" >&2
exit "$status"
