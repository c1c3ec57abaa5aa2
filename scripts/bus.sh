#!/usr/bin/env bash
# Rooms over three processes on a real Redis: 300 chat clients spread over them. Prints one line for
# each check: what everybody has heard, how often and in which order; the same after Redis was
# killed and started again, and stopped for a while; who is told that a process has died; a wrong
# password; the same bus with TLS and on a Unix socket.
#
# The binary needs the feature bus; without WSECHO one is built into target/bus.
#
# usage: scripts/bus.sh    (WSECHO=... for another binary; half a minute)
set -euo pipefail
source "$(dirname "$0")/lib.sh"
case ${1:-} in '') ;; *) usage; exit 2 ;; esac
have redis-server redis-server || skip "no redis-server"
have python3 python3 || skip "no python3"
have openssl openssl || skip "no openssl"
if [ -z "${WSECHO:-}" ]; then
  wsecho=$root/target/bus/release/wsecho
  (cd "$root" && cargo build --quiet --release --locked --features bus --target-dir target/bus)
fi
need_server
"$wsecho" --help | grep -q -e '--bus ' || die "$wsecho is without the feature bus"
python3 "$root/scripts/bus" "$wsecho" "$tmp"
