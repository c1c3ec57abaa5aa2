#!/usr/bin/env bash
# agreement.sh [--quick] [--check] [OPTIONS OF agreement.py...]
#
# Whether benches/yardstick/wsload and `wsecho load` say the same of one release server: both under
# each load of benches/yardstick/loads.txt, interleaved, server on CPU 0, generator on CPU 1. Prints
# messages/s, server CPU per message, p50 and p99 with their ratios. Takes about ten minutes on a
# quiet machine. Not for CI: a busy neighbour bends it.
#
#   --quick        6 repetitions for 24: an impression, three minutes
#   --check        exit 1 if they differ by more than 2 % in messages/s or CPU per message
#
# --only EXPRESSION chooses loads, --reps N and --duration S say how much; see agreement.py --help.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

options=()
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --quick) options+=(--reps 6 --patience 1) ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
need_server
build_yardstick
python3 "$root/benches/yardstick/agreement.py" --wsload "$wsload" --wsecho "$wsecho" "${options[@]}"
