#!/bin/bash
# setup.sh DIR - install the Autobahn|Testsuite fuzzing client, ported to Python 3, into DIR.
#
# Afterwards DIR/bin/wstest -m fuzzingclient -s spec.json works, without network.
# Running it again is a no-op unless one of the files next to this script changed.
# Everything pip says goes to DIR/setup.log; nothing of it is printed.
set -euo pipefail
umask 022

[ $# -eq 1 ] || { echo "usage: $0 DIR" >&2; exit 2; }
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$1"
dir=$(cd "$1" && pwd)
py=${PYTHON:-python3}

"$py" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null || {
  echo "setup.sh: needs Python 3.11, 3.12 or 3.13 (set PYTHON=...)" >&2; exit 1; }

key=$(cat "$here/setup.sh" "$here/port.py" "$here/requirements.txt" | sha256sum | cut -d' ' -f1)
if [ -f "$dir/.done" ] && [ "$(cat "$dir/.done")" = "$key" ] \
   && "$dir/bin/python3" -c 'import autobahntestsuite.case' 2>/dev/null; then
  echo "autobahn: already set up in $dir"
  exit 0
fi
if [ ! -f "$dir/pyvenv.cfg" ] && [ -n "$(ls -A "$dir" | grep -vx setup.log)" ]; then
  echo "setup.sh: $dir is neither empty nor a virtual environment" >&2; exit 1
fi
rm -f "$dir/.done"
log=$(mktemp)
trap 'mv -f "$log" "$dir/setup.log"' EXIT

step() {   # step WHAT CMD...
  local what=$1; shift
  if ! "$@" >> "$log" 2>&1; then
    echo "setup.sh: $what failed, see $dir/setup.log" >&2
    exit 1
  fi
}

export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
step "creating the virtual environment" "$py" -m venv --clear "$dir"
pip() { "$dir/bin/python3" -m pip "$@"; }
step "installing the dependencies" pip install --no-deps --only-binary=:all: -r "$here/requirements.txt"

dl=$dir/download
rm -rf "$dl"; mkdir -p "$dl"
# The suite itself: a wheel whose code is Python 2 (only unpacked, never installed).
step "downloading autobahntestsuite" pip download --no-deps --only-binary=:all: \
  --python-version 27 --implementation py --abi none -d "$dl" autobahntestsuite==25.10.1
# The library it drives, in the very versions upstream pins: source archives.
step "downloading autobahn and txaio" pip download --no-deps --no-build-isolation \
  --no-binary=autobahn,txaio -d "$dl" autobahn==0.10.9 txaio==2.1.0

if ! "$dir/bin/python3" "$here/port.py" "$dl" "$dir/suite" 2>&1 | tee -a "$log"; then
  echo "setup.sh: converting the suite failed, see $dir/setup.log" >&2
  exit 1
fi
rm -rf "$dl"

site=$("$dir/bin/python3" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')
echo "$dir/suite" > "$site/autobahntestsuite-port.pth"
cat > "$dir/bin/wstest" <<EOF
#!$dir/bin/python3
import sys
from autobahntestsuite.wstest import run
sys.exit(run())
EOF
chmod +x "$dir/bin/wstest"

"$dir/bin/python3" -m compileall -q "$dir/suite/autobahntestsuite" "$dir/suite/txaio" \
  "$dir/suite/autobahn/websocket" "$dir/suite/autobahn/twisted" >> "$log" 2>&1 || true
n=$("$dir/bin/python3" -c 'import autobahntestsuite.case as c; print(len(c.Cases))')
[ "$n" = 517 ] || { echo "setup.sh: the ported suite has $n cases, expected 517" >&2; exit 1; }
echo "$key" > "$dir/.done"
echo "autobahn: set up in $dir ($n cases)"
