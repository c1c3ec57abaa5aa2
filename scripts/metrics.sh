#!/usr/bin/env bash
# metrics.sh
#
# Has Prometheus' own Python client read /metrics of target/release/wsecho (or $WSECHO) after an
# exchange whose every count is known: each family has its HELP and TYPE, and each number is right.
# The client is set up once in target/metrics, from PyPI. See metrics.py, which talks and compares.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || { usage; exit; }
need_server
client='prometheus_client==0.26.0'
venv=$root/target/metrics
python=$venv/bin/python3

if ! "$python" -m pip freeze 2>/dev/null | grep -qxF "$client"; then
  python3 -c 'import venv, ensurepip' 2>/dev/null || apt_get python3 python3-venv ||
    skip "needs Python with venv (Debian: python3-venv)"
  python3 -m venv --clear "$venv"
  "$python" -m pip install --quiet --disable-pip-version-check --no-deps "$client" ||
    skip "cannot install $client"
fi

start_wsecho
"$python" "$root/scripts/metrics.py" "$server_port"
stop_server
