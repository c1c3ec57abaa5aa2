#!/usr/bin/env bash
# ratios.sh [--quick] [--check] [--record] [--peers NAMES] [OPTIONS OF paired.py...]
#
# Server CPU per echoed message, beside a bare TCP echo, for each load of
# benches/yardstick/loads.txt: interleaved runs, server on CPU 0, generator on CPU 1, medians.
# Takes about ten minutes on a quiet machine. Not for CI: a busy neighbour bends it.
#
#   --quick        3 repetitions of 1 s: an impression, two minutes
#   --check        exit 1 if a ratio is above its bound
#   --record       append the medians to benches/record/ratios.csv
#   --peers LIST   measure other servers too, for instance bun,ws (see peers.sh)
#
# --only EXPRESSION chooses loads, --reps N and --duration S say how much; see paired.py --help.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

options=()
peers=
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --quick) options+=(--reps 3 --duration 1 --warmup 0.3 --patience 1) ;;
    --record)
      mkdir -p "$root/benches/record"
      options+=(--record "$root/benches/record/ratios.csv")
      ;;
    --peers) peers=${2?--peers needs names}; shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
need_server
build_yardstick

servers=(--server "floor=$limit_tcp" --server "wsecho=$wsecho --listen 127.0.0.1:0")
for peer in ${peers//,/ }; do
  if command=$("$root/scripts/peers.sh" "$peer"); then
    servers+=(--server "$peer=$command")
  else
    echo "SKIPPED peer $peer: cannot be installed here" >&2
  fi
done
python3 "$root/benches/yardstick/paired.py" --generator "$generator" "${servers[@]}" "${options[@]}"
