#!/usr/bin/env bash
# compare.sh [--quick] [--record] [--peers NAMES] [OPTIONS OF compare.py...]
#
# wsecho beside other WebSocket servers, and a bare TCP echo as the floor: CPU per message, memory
# of idle connections, rooms, compressed messages, connections that come and go. Peers are installed
# below target/peers (see peers.sh). Server on CPU 0, generator on CPU 1, runs interleaved; figures
# are medians with their range. Needs a quiet machine; the full profile takes about two hours.
#
#   --quick        three loads, two rounds of a second: two minutes, when the peers are installed
#   --record       write benches/record/compare-DATE.csv, draw it, and renew the figures in
#                  docs/performance.md
#   --peers LIST   bun,fastwebsockets,tungstenite,lws,picows,ws,websockets by default, and
#                  uwebsockets if UWEBSOCKETS names a checkout of it
#
# --only TEXT chooses loads by name; --reps N and --seconds S say how much; see compare.py --help.
# The generator is `wsecho load`, also for the floor, which is sent the same frames.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

options=()
record=
names=bun,fastwebsockets,tungstenite,lws,picows,ws,websockets${UWEBSOCKETS:+,uwebsockets}
while [ $# -gt 0 ]; do
  case $1 in
    --help) usage; exit ;;
    --quick) options+=(--profile quick) ;;
    --record)
      mkdir -p "$root/benches/record"
      record=$root/benches/record/compare-$(date -I).csv
      options+=(--record "$record")
      ;;
    --peers) names=${2?--peers needs names}; shift ;;
    *) options+=("$1") ;;
  esac
  shift
done
[ "$(nproc)" -ge 2 ] || skip "needs two CPUs"
need_server
build_yardstick
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

# All connections of a load come at once, so none is to be turned away.
own="$wsecho --listen 127.0.0.1:0 --max-connections 40000 --max-message-size 0"
servers=(--server "floor:echo=$limit_tcp" --server "wsecho:echo=$own" --server "wsecho:room=$own"
  --server "wsecho:deflate=$own --deflate takeover"
  --version "wsecho=$("$wsecho" --version | awk '{ print $2 }')")
for peer in ${names//,/ }; do
  installed=
  for form in echo deflate room; do
    if command=$("$root/scripts/peers.sh" "$peer" "$form" 2>"$tmp/peers.log"); then
      servers+=(--server "$peer:$form=$command")
      installed=1
    elif [ -z "$installed" ]; then
      echo "SKIPPED $peer: $(tail -n 1 "$tmp/peers.log")" >&2
      break
    fi
  done
  [ -z "$installed" ] || servers+=(--version "$peer=$("$root/scripts/peers.sh" --version "$peer")")
done
python3 "$root/benches/yardstick/compare.py" --generator "$generator" "${servers[@]}" "${options[@]}"
[ -z "$record" ] || python3 "$root/benches/yardstick/draw.py" "$record"
