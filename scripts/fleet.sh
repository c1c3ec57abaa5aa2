#!/usr/bin/env bash
# fleet.sh [--record]
#
# Three servers behind Debian's HAProxy, with the configuration of examples/haproxy/fleet.cfg, and
# their rooms on Debian's Redis. Clients echo and chat, and come back when their connection ends,
# while a server is killed, one drains, a fourth is added and taken out again by the commands of
# docs/deployment.md, and Redis is lost. Says who had to come back and whether that is as promised,
# and prints a table. Half a minute. --record adds the table to benches/record/fleet.csv, and what
# HAProxy takes for a WebSocket at rest to memory.csv there. The binary needs the feature bus.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

record=''
case ${1:-} in
  '') ;;
  --record) record=$root/benches/record/fleet.csv ;;
  *) usage; exit ;;
esac
have haproxy haproxy || skip "no haproxy"
have redis-server redis-server || skip "no redis-server"
have socat socat || skip "no socat"
have python3 python3 || skip "no python3"
need_server
"$wsecho" --help | grep -q -e '--bus ' || die "$wsecho is without the feature bus; set WSECHO"
PYTHONPATH=$root/scripts/bus python3 "$root/scripts/fleet" "$wsecho" "$tmp" "$root" "$record"
