#!/usr/bin/env bash
# deflate_figures.sh [--check] [--no-timing] [--record]
#
# What permessage-deflate costs, each figure beside its bound:
#
#   1 KiB, 16 KiB   server CPU per compressed JSON message (level 6 at the client) beside Bun with
#                   perMessageDeflate and npm ws, interleaved, server on CPU 0 and generator on 1
#   idle            anonymous bytes per idle connection that has exchanged compressed messages,
#                   beside one that has not
#   bomb            growth of the resident peak while one client sends 1 GiB, a thousand times
#                   smaller when compressed; the p99 of another client's echoes beside it
#
# --check exits 1 on a figure above its bound; --no-timing leaves out what a busy machine bends;
# --record appends the figures to benches/record/deflate.csv.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

check='' timing=1 record=''
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --check) check=1 ;;
    --no-timing) timing= ;;
    --record) record=$root/benches/record/deflate.csv ;;
    *) die "cannot use $option; see --help" ;;
  esac
done
need_server

failed=0
row() { # row NAME FIGURE BOUND UNIT
  local verdict=PASS
  awk "BEGIN { exit !($2 <= $3) }" || { verdict=FAIL; failed=1; }
  printf '%-34s %10s %-6s <= %-9s %s\n' "$1" "$2" "$4" "$3" "$verdict"
  [ -z "$record" ] || echo "$(date -I),\"$1\",$2,$4,$3" >>"$record"
}

json() { python3 -c "import json, sys; r = json.load(sys.stdin); print($1)"; }
status_kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$server_pid/status"; }
# A generator that waits for its CPU measures the scheduler: where that is allowed, it goes first.
load_with=(taskset -c 1)
chrt --fifo 1 true 2>/dev/null && load_with=(chrt --fifo 1 taskset -c 1)
load() { load_json "$@" 2>>"$tmp/load.log"; }
median() { sort -n | awk '{ all[NR] = $1 } END { print all[int((NR + 1) / 2)] }'; }

free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# cost COMMAND SIZE: us of server CPU per message; {port} in the command stands for a free port.
cost() {
  local command=$1 port
  if [ "$command" = wsecho ]; then
    start_server taskset -c 0 "$wsecho" --listen 127.0.0.1:0
  else
    port=$(free_port)
    # shellcheck disable=SC2086 # the command is words
    taskset -c 0 ${command//\{port\}/$port} deflate >/dev/null 2>&1 &
    server_pid=$! server_port=$port
    started+=("$server_pid")
    python3 - "$port" <<'PY'
import socket, sys, time
for _ in range(500):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), 1).close()
        break
    except OSError:
        time.sleep(0.02)
PY
  fi
  load --records --size "$2" --deflate takeover --connections 16 --pipeline 4 \
    --duration 1500ms --warmup 500ms | json 'round(r["server"]["cpu_us_per_message"], 4)'
  kill "$server_pid" 2>/dev/null || true
  timeout 15 tail --pid="$server_pid" -f /dev/null || kill -KILL "$server_pid"
  forget "$server_pid"
}

costs() {
  local peers=() command peer size bound ours theirs
  for peer in bun ws; do
    if command=$("$root/scripts/peers.sh" "$peer" 2>>"$tmp/peers.log") &&
      [ -x "$(command -v "${command%% *}")" ]; then
      peers+=("$peer" "$command")
    else
      echo "SKIPPED the comparison with $peer, which cannot be installed" >&2
    fi
  done
  for size in 1024 16384; do
    : >"$tmp/wsecho" >"$tmp/bun" >"$tmp/ws"
    for _ in 1 2 3; do
      cost wsecho "$size" >>"$tmp/wsecho"
      for ((at = 0; at < ${#peers[@]}; at += 2)); do
        cost "${peers[at + 1]}" "$size" >>"$tmp/${peers[at]}"
      done
    done
    ours=$(median <"$tmp/wsecho")
    [ "$size" = 1024 ] && bound=0.35 || bound=0.2
    for ((at = 0; at < ${#peers[@]}; at += 2)); do
      theirs=$(median <"$tmp/${peers[at]}")
      row "$size B beside ${peers[at]} ($ours, $theirs us)" \
        "$(awk "BEGIN { print int(1000 * $ours / $theirs + 0.5) / 1000 }")" "$bound" x
    done
  done
}

idle() { # idle OPTIONS OF LOAD...: anonymous bytes per connection
  start_wsecho
  load --idle --touch 1 --size 5 --connections 10000 --warmup 0 --duration 1s "$@" |
    json 'round((r["server"]["anon_kib"] - r["server"]["anon_start_kib"]) * 1024
      / r["connections"]["opened"], 1)'
  stop_server
}

# The p99 of 1 000 echoes a second, the median of three runs, in us.
p99() {
  local run
  for run in 1 2 3; do
    load --connections 4 --size 5 --rate 1000 --duration 1500ms --warmup 300ms |
      json 'r["latency_us"]["p99"]'
  done | median
}

bomb() {
  local alone beside resident word
  start_server taskset -c 0 "$wsecho" --listen 127.0.0.1:0 --max-message-size 0
  alone=$(p99)
  load --connections 4 --deflate takeover --records --size 1024 --duration 500ms --warmup 0 >/dev/null
  resident=$(status_kib VmRSS)
  echo 5 >"/proc/$server_pid/clear_refs"
  mkfifo "$tmp/bomb"
  # What its client takes of the machine is not the server's doing: it stands behind the others.
  taskset -c 1 chrt --idle 0 python3 "$root/scripts/bomb.py" "$server_port" >"$tmp/bomb" &
  started+=("$!")
  exec {bomb_out}<"$tmp/bomb"
  read -r -t 60 word <&"$bomb_out" || true
  [ "$word" = sending ] || die "the bomb did not start: $word"
  beside=$(p99)
  read -r -t 120 word <&"$bomb_out" || true
  [ "$word" = echoed ] || die "the bomb was not echoed: $word"
  row "bomb, resident growth" "$(($(status_kib VmHWM) - resident))" 1024 KiB
  [ -z "$timing" ] || row "bomb, p99 beside it ($alone)" "$beside" "$(awk "BEGIN { print 2 * $alone }")" us
  stop_server
}

if [ -n "$record" ]; then
  mkdir -p "${record%/*}"
  [ -e "$record" ] || echo 'date,what,figure,unit,bound' >"$record"
fi
[ -z "$timing" ] || costs
plain=$(idle)
row "idle after compressed ($plain plain)" "$(idle --deflate takeover)" "$(awk "BEGIN { print 1.1 * $plain }")" B
bomb
[ -z "$check" ] || exit "$failed"
