#!/usr/bin/env bash
# bus.sh [--figures [--record] [ROUNDS]]
#
# Rooms over three processes on a real Redis, with 300 chat clients spread over them. Prints one line
# for each check: what everybody has heard, how often and in which order, by clients of its own
# and by `wsecho load --broadcast`; the same while Redis is killed and started again, stopped, slow;
# who is told that a process has died; a wrong password; a bus on a Unix socket, and with TLS.
# It takes a minute and a half.
#
# With --figures it measures instead what a delivery costs with 1, 2 and 3 processes beside a single one
# without a bus: CPU and latency, medians of ROUNDS (3). --record writes benches/record/bus.csv.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

what=everything record='' rounds=3
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --figures) what=figures ;;
    --record) record=$root/benches/record/bus.csv ;;
    *[!0-9]* | '') die "cannot use $option; see --help" ;;
    *) rounds=$option ;;
  esac
done
have redis-server redis-server || skip "no redis-server"
have python3 python3 || skip "no python3"
have openssl openssl || skip "no openssl"
need_server
"$wsecho" --help | grep -q -e '--bus ' || die "$wsecho is without the feature bus"
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"
if [ "$what" = everything ]; then
  python3 "$root/scripts/bus" everything "$wsecho" "$tmp"
  exit
fi
# Servers and Redis have one CPU, the load the other, where there are two.
servers='' load=''
if have taskset util-linux && [ "$(nproc)" -gt 1 ]; then servers='taskset -c 0' load='taskset -c 1'; fi
python3 "$root/scripts/bus" figures "$wsecho" "$tmp" "$record" "$rounds" "$servers" "$load"
