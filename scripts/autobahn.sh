#!/usr/bin/env bash
# autobahn.sh [--deflate] [--tls] [--quick] [--cases PATTERNS] [--out DIR] [-- SERVER ARGUMENTS...]
#
# Runs the Autobahn|Testsuite against target/release/wsecho (or $WSECHO), which it starts on a
# free port and stops with SIGTERM. Passes if every case is OK or INFORMATIONAL, none NON-STRICT,
# every close is clean, and the server ends with status 0.
#
#   --cases P    comma-separated patterns (default 1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*)
#   --deflate    adds 12.* and 13.* (compression)
#   --tls        over wss://, with a certificate made at start
#   --quick      leaves out the longest cases of 12 and 13
#   --out DIR    keeps the HTML and JSON reports
#
# The suite is set up once in target/autobahn (or $AUTOBAHN_DIR), from PyPI; see autobahn/.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

cases='1.*,2.*,3.*,4.*,5.*,6.*,7.*,9.*,10.*'
options=()
listen=127.0.0.1:0
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --cases) cases=${2?--cases needs patterns}; shift ;;
    --deflate) cases+=',12.*,13.*' ;;
    --tls) listen="wss://$listen --tls-self-signed" ;;
    --quick) options+=(--quick) ;;
    --out) options+=(--out "${2?--out needs a directory}"); shift ;;
    --) shift; break ;;
    *) die "cannot use $1; see --help" ;;
  esac
  shift
done
need_server

# The first interpreter that the port knows and that can make a virtual environment.
find_python() {
  local name
  for name in ${PYTHON:-python3 python3.13 python3.12 python3.11}; do
    "$name" -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
      2>/dev/null && { echo "$name"; return; }
  done
  return 1
}
python=$(find_python) || {
  apt_get python3-venv || true
  python=$(find_python) || skip "needs Python 3.11 to 3.13 with venv (Debian: python3-venv)"
}

suite=${AUTOBAHN_DIR:-$root/target/autobahn}
PYTHON=$python "$root/scripts/autobahn/setup.sh" "$suite"
# shellcheck disable=SC2086 # an address, and maybe an option
start_server "$wsecho" --listen $listen "$@"
status=0
"$python" "$root/scripts/autobahn/run.py" "$server_url" --suite "$suite" --cases "$cases" \
  "${options[@]}" || status=$?
stop_server || { echo "autobahn.sh: the server ended with status $?" >&2; status=1; }
exit "$status"
