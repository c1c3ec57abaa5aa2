#!/usr/bin/env bash
# kubernetes.sh
#
# Holds examples/kubernetes/ to the schemas of the API (kubernetes-validate, from PyPI) and of the
# service monitor (@kubernetes-models/prometheus-operator, from npm), and acts out what a kubelet
# does with a pod of that deployment, with target/release/wsecho (or $WSECHO) as a plain process:
# start, probes, preStop, SIGTERM, and the end in time. About half a minute.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || { usage; exit; }
need_server
have python3 python3 || skip "needs Python"
have npm npm || skip "needs node with npm"

venv=$root/target/kubernetes/venv
[ -x "$venv/bin/kubernetes-validate" ] || {
  python3 -m venv "$venv" && "$venv/bin/pip" install --quiet 'kubernetes-validate==1.37.0'
} || skip "kubernetes-validate cannot be installed"
"$venv/bin/python" "$root/scripts/kubernetes/objects.py" "$root/examples/kubernetes" "$tmp"
for object in "$tmp"/*.json; do
  case $object in */ServiceMonitor.json) continue ;; esac
  "$venv/bin/kubernetes-validate" --strict --no-warn --quiet -k 1.33.0 "$object"
done
(cd "$root/scripts/kubernetes" && npm ci --no-audit --no-fund --silent) ||
  skip "the schema of the service monitor cannot be installed"
(cd "$root/scripts/kubernetes" && node monitor.mjs "$tmp/ServiceMonitor.json")

"$venv/bin/python" "$root/scripts/kubernetes/kubelet.py" "$wsecho" "$tmp"
echo 'kubernetes.sh: PASS'
