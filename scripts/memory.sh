#!/usr/bin/env bash
# memory.sh [--check] [--no-timing] [--record] [--bare]
#
# What wsecho holds, each figure beside its bound:
#
#   binary         size of the release binary; with --bare also of one without any feature, which
#                  is built for that
#   start          resident memory of a server that nobody has spoken to; most of it are pages of the
#                  binary and the C library, which other processes share
#   idle           anonymous bytes per idle connection that has echoed one message, at 10 000
#                  and at 50 000 connections (fewer where the descriptor limit says so)
#   one 16 MiB     growth of the resident peak while one client echoes 16 MiB messages
#   100 x 1 MiB    the same while 100 clients echo 1 MiB messages
#   flood          the same for a client that floods and never reads, with 5 000 echoes a second
#                  beside it; the CPU the server takes while that client is blocked and nobody
#                  else speaks; the p99 of the echoes beside it, against their p99 without it
#
# Growth counts from a server that has echoed small messages before, so that its code is resident.
# --check exits 1 on a figure above its bound; --no-timing leaves out the p99, which a busy machine
# bends; --record appends the figures to benches/record/memory.csv.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

check='' timing=1 record='' bare=''
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --check) check=1 ;;
    --no-timing) timing= ;;
    --bare) bare=1 ;;
    --record) record=$root/benches/record/memory.csv ;;
    *) die "cannot use $option; see --help" ;;
  esac
done
need_server
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

failed=0
row() { # row NAME FIGURE BOUND UNIT
  local verdict=PASS
  awk "BEGIN { exit !($2 <= $3) }" || { verdict=FAIL; failed=1; }
  printf '%-28s %12s %-8s <= %-9s %s\n' "$1" "$2" "$4" "$3" "$verdict"
  [ -z "$record" ] || echo "$(date -I),\"$1\",$2,$4,$3" >>"$record"
}

# json EXPRESSION: a value of the report on standard input, which is called r.
json() { python3 -c "import json, sys; r = json.load(sys.stdin); print($1)"; }
status_kib() { awk -v key="$1:" '$1 == key { print $2 }' "/proc/$server_pid/status"; }
reset_peak() { echo 5 >"/proc/$server_pid/clear_refs"; }
cpu_ns() { cat /proc/"$server_pid"/task/*/schedstat | awk '{ sum += $1 } END { printf "%.0f", sum }'; }
warm() { load_json --connections 8 --size 5 --duration 200ms --warmup 0 >/dev/null; }

idle() { # idle CONNECTIONS: the server and the generator need a descriptor for each
  local want=$1 count=$1 most=$(($(ulimit -n) - 200))
  if [ "$most" -lt "$want" ]; then
    count=$most
    echo "REDUCED: $want idle connections to $count, the limit of open files is $(ulimit -n)" >&2
  fi
  start_wsecho
  load_json --idle --touch 1 --size 5 --connections "$count" --warmup 0 --duration 1s |
    json 'round((r["server"]["anon_kib"] - r["server"]["anon_start_kib"]) * 1024
      / r["connections"]["opened"], 1)' >"$tmp/idle"
  row "idle, $count connections" "$(<"$tmp/idle")" 160 B
  stop_server
}

# Bytes in the kernel's caches for sockets, files and who waits for them.
socket_caches() {
  awk '$1 ~ /^(TCP|sock_inode_cache|filp|dentry|eventpoll_epi|eventpoll_pwq|ep_head|lsm_.*)$/ {
    sum += $2 * $4 } END { printf "%.0f", sum }' /proc/slabinfo
}
tcp_sockets() { awk '$1 == "TCP:" { print $3 }' /proc/net/sockstat; }

kernel() { # kernel CONNECTIONS: half of what they add, since both ends are here
  local count=$1 most=$(($(ulimit -n) - 200)) before sockets load
  [ "$most" -ge "$count" ] || count=$most
  [ -r /proc/slabinfo ] || { echo "SKIPPED kernel: /proc/slabinfo is for root" >&2; return; }
  start_wsecho
  warm
  before=$(socket_caches) sockets=$(tcp_sockets)
  load_json --idle --touch 1 --size 5 --connections "$count" --warmup 0 --duration 3s >/dev/null &
  load=$!
  while [ "$(tcp_sockets)" -lt $((sockets + 2 * $count)) ]; do
    kill -0 "$load" 2>/dev/null || die "there were no $count connections"
    sleep 0.1
  done
  row "kernel, $count connections" "$((($(socket_caches) - before) / 2 / count))" 8192 B
  wait "$load"
  stop_server
}

growth() { # growth NAME BOUND_KIB OPTIONS OF LOAD...
  local name=$1 bound=$2
  shift 2
  start_wsecho
  warm
  reset_peak
  load_json --binary --duration 2s --warmup 0 "$@" |
    json 'r["server"]["rss_peak_kib"] - r["server"]["rss_start_kib"]' >"$tmp/growth"
  row "$name" "$(<"$tmp/growth")" "$bound" KiB
  stop_server
}

# The p99 of 5 000 echoes a second, the median of three runs, in us.
p99() {
  local run
  for run in 1 2 3; do
    load_json --connections 50 --size 5 --rate 5000 --duration 2s --warmup 500ms |
      json 'r["latency_us"]["p99"]'
  done | sort -n | sed -n 2p
}

flood() {
  local word before after alone beside resident
  start_wsecho
  warm
  alone=$(p99)
  reset_peak
  resident=$(status_kib VmRSS)
  mkfifo "$tmp/flood"
  python3 "$root/scripts/flood.py" "$server_port" >"$tmp/flood" &
  started+=("$!")
  exec {flood_out}<"$tmp/flood"
  read -r -t 30 word <&"$flood_out" || true
  [ "$word" = blocked ] || die "the flooding client was not blocked but: $word"
  before=$(cpu_ns)
  sleep 2 # the window that is measured
  after=$(cpu_ns)
  beside=$(p99)
  row "flood, resident growth" "$(($(status_kib VmHWM) - resident))" 1024 KiB
  row "flood, CPU while blocked" "$(awk "BEGIN { print ($after - $before) / 2e7 }")" 1 %
  [ -z "$timing" ] || row "flood, p99 beside it ($alone)" "$beside" "$(awk "BEGIN { print 2 * $alone }")" us
  stop_server
}

if [ -n "$record" ]; then
  mkdir -p "${record%/*}"
  [ -e "$record" ] || echo 'date,what,figure,unit,bound' >"$record"
fi
row binary "$(($(stat -Lc %s "$wsecho") / 1024))" 3584 KiB
if [ -n "$bare" ]; then
  cargo build --quiet --locked --release --no-default-features --target-dir "$root/target/bare" \
    --manifest-path "$root/Cargo.toml"
  row "bare binary" "$(($(stat -c %s "$root/target/bare/release/wsecho") / 1024))" 1228 KiB
fi
start_wsecho
# Of the file as many pages as the kernel chose to map around those that were asked for.
row "resident at start" "$(status_kib VmRSS)" 5120 KiB
row "of that, memory of its own" "$(status_kib RssAnon)" 384 KiB
stop_server
idle 10000
idle 50000
kernel 10000
# With the pages of the file that are asked for here first: the kernel maps more around them, or less.
growth "one 16 MiB" 640 --connections 1 --size 16777216
growth "100 x 1 MiB" 8192 --connections 100 --size 1048576
flood
[ -z "$check" ] || exit "$failed"
