#!/usr/bin/env bash
# workers.sh [--record] [ROUNDS]
#
# What --workers gives: messages a second and CPU per message of one server, of one worker and of two,
# under the same loads, in turns; and how evenly 10 000 connections are spread over two and four.
# Prints medians of ROUNDS (5) as CSV; --record writes benches/record/workers.csv. Takes two minutes.
#
# The load generator needs a core as well. With two cores, messages a second can grow only where a message
# costs the generator less than the server, as in the load `handshake`, which is TLS with RSA 4096.
# `echo` shows what a second worker costs where there is no core for it. See workers.py.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

record='' rounds=5
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --record) record=$root/benches/record/workers.csv ;;
    *[!0-9]* | '') die "cannot use $option; see --help" ;;
    *) rounds=$option ;;
  esac
done
have python3 python3 || skip "no python3"
have openssl openssl || skip "no openssl"
need_server
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
openssl req -x509 -newkey rsa:4096 -nodes -keyout "$tmp/key.pem" -out "$tmp/cert.pem" -days 2 \
  -subj /CN=localhost 2>"$tmp/openssl.log" || die "openssl: $(tail -n 1 "$tmp/openssl.log")"
python3 "$root/scripts/workers.py" "$wsecho" "$generator" "$tmp" "$rounds" "$record"
