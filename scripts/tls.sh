#!/usr/bin/env bash
# tls.sh [--seconds N]
#
# What TLS costs the server beside Bun, which has BoringSSL under uWebSockets: processor time for a
# message and for a handshake, full and resumed, with a P-256 certificate, and memory of a
# connection at rest. One line of JSON each; N seconds for each figure, 2 by default. Compare
# figures of one run only, on a quiet machine.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

seconds=2
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --seconds) seconds=${2?--seconds needs a number}; shift ;;
    *) die "cannot use $1; see --help" ;;
  esac
  shift
done
need_server
have openssl openssl || skip "needs openssl for a certificate"
have python3 python3 || skip "needs Python"
python3 -c 'import ssl' || skip "needs Python with ssl"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost \
  -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>"$tmp/openssl.log" || die "openssl makes no certificate"

measure() { # measure NAME: what the running server takes
  local figures
  figures=$(taskset -c 1 python3 "$root/benches/yardstick/tls_client.py" "$server_port" \
    "$server_pid" "$seconds") || die "$1 was not measured"
  echo "{\"server\": \"$1\", \"figures\": $figures}"
}

start_server taskset -c 0 "$wsecho" --listen wss://127.0.0.1:0 --tls-cert "$tmp/cert.pem" \
  --tls-key "$tmp/key.pem"
measure wsecho
stop_server

if ! command=$("$root/scripts/peers.sh" bun tls 2>>"$tmp/peers.log"); then
  echo "SKIPPED the comparison with Bun, which cannot be installed" >&2
  exit
fi
server_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# shellcheck disable=SC2086 # a command with its arguments
taskset -c 0 ${command//\{port\}/$server_port} "$tmp/cert.pem" "$tmp/key.pem" >"$tmp/bun.log" 2>&1 &
server_pid=$!
started+=("$server_pid")
python3 - "$server_port" <<'PY' || die "Bun does not listen"
import socket, sys, time
for _ in range(500):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        sys.exit()
    except OSError:
        time.sleep(0.02)
sys.exit(1)
PY
measure bun
