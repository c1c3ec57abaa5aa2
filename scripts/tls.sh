#!/usr/bin/env bash
# tls.sh [--seconds N]
#
# What TLS costs the server beside Bun, which has BoringSSL under uWebSockets: processor time for a
# message and for a handshake, full and resumed, with a P-256 certificate and an RSA one, and memory
# of a connection at rest; and the 99th percentile of 5000 echoes a second, alone and beside 500 full
# handshakes a second. One line of JSON each; N seconds for each figure, 2 by default. Compare figures
# of one run only, on a quiet machine.
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

certificate() { # certificate NAME KIND_OF_KEY...
  openssl req -x509 -newkey "${@:2}" -nodes -days 2 -subj /CN=localhost \
    -addext basicConstraints=critical,CA:FALSE -addext subjectAltName=DNS:localhost \
    -keyout "$tmp/$1.key.pem" -out "$tmp/$1.pem" 2>"$tmp/openssl.log" || die "openssl makes no certificate"
}

certificate ecdsa ec -pkeyopt ec_paramgen_curve:P-256
certificate rsa rsa:2048

measure() { # measure NAME [--handshakes]: what the running server takes
  local figures
  figures=$(taskset -c 1 python3 "$root/benches/yardstick/tls_client.py" "$server_port" \
    "$server_pid" "$seconds" "${@:2}") || die "$1 was not measured"
  echo "{\"server\": \"$1\", \"figures\": $figures}"
}

serve() { # serve CERTIFICATE: starts wsecho on CPU 0
  start_server taskset -c 0 "$wsecho" --listen wss://127.0.0.1:0 --tls-cert "$tmp/$1.pem" \
    --tls-key "$tmp/$1.key.pem"
}

echoes() { # echoes: the 99th percentile of 5000 echoes a second, in microseconds
  taskset -c 1 "$wsecho" load "wss://127.0.0.1:$server_port/" --insecure --connections 50 --rate 5000 \
    --duration "$((seconds * 2))s" --json 2>"$tmp/load.log" | figure p99
}

figure() { # figure NAME: the first number of that name in JSON
  python3 -c 'import re, sys
print(re.search(r"\"%s\": ?([0-9.]+)" % sys.argv[1], sys.stdin.read()).group(1))' "$1"
}

beside() { # beside: echoes, alone and while others connect
  local alone crowded crowd
  alone=$(echoes)
  taskset -c 1 "$wsecho" load "wss://127.0.0.1:$server_port/" --insecure --connections 20 --churn 0 \
    --connect-rate 500 --duration "$((seconds * 2 + 2))s" --json >"$tmp/crowd.json" 2>"$tmp/crowd.log" &
  crowd=$!
  started+=("$crowd")
  crowded=$(echoes)
  wait "$crowd" || die "nobody connected: $(tail -n 1 "$tmp/crowd.log")"
  echo "{\"server\": \"wsecho\", \"us_p99_alone\": $alone, \"us_p99_beside_handshakes\": $crowded," \
    "\"handshakes\": $(figure opened <"$tmp/crowd.json")}"
}

serve ecdsa
measure wsecho
beside
stop_server
serve rsa
measure 'wsecho, RSA 2048' --handshakes
stop_server

if ! command=$("$root/scripts/peers.sh" bun tls 2>>"$tmp/peers.log"); then
  echo "SKIPPED the comparison with Bun, which cannot be installed" >&2
  exit
fi
server_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
# shellcheck disable=SC2086 # a command with its arguments
taskset -c 0 ${command//\{port\}/$server_port} "$tmp/ecdsa.pem" "$tmp/ecdsa.key.pem" >"$tmp/bun.log" 2>&1 &
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
