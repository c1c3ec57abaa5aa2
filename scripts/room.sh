#!/usr/bin/env bash
# room.sh [--check] [--record] [CLIENTS] [SECONDS]
#
# A crowd in one chat room of target/release/wsecho: CLIENTS (1000) say something once a second
# for SECONDS (10), and each hears all. Prints deliveries, latencies from saying to hearing (both
# ends on one machine), server CPU and the growth of its resident peak beside its bound, 64 MiB.
# Fails if a delivery is lost or two clients hear different orders; with --check also above the
# bound. --record appends the line to benches/record/room.jsonl.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

check='' record=''
numbers=()
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --check) check=1 ;;
    --record) record=$root/benches/record/room.jsonl ;;
    *[!0-9]*) die "cannot use $option; see --help" ;;
    *) numbers+=("$option") ;;
  esac
done
clients=${numbers[0]:-1000} seconds=${numbers[1]:-10}

cd "$root"
room=$(cargo bench --locked --no-run --bench room 2>&1 | tee "$tmp/build.log" |
  sed -n 's/.*Executable.*(\(.*\))$/\1/p')
[ -x "$room" ] || { cat "$tmp/build.log"; die "benches/room.rs does not build"; }
ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -Hn)"

start_wsecho
before=$(awk '$1 == "VmRSS:" { print $2 }' "/proc/$server_pid/status")
line=$("$room" "$server_port" "$clients" "$seconds")
after=$(awk '$1 == "VmHWM:" { print $2 }' "/proc/$server_pid/status")
cpu_ms=$(cat /proc/"$server_pid"/task/*/schedstat | awk '{ ns += $1 } END { printf "%d", ns / 1e6 }')
line="${line%\}},\"date\":\"$(date -I)\",\"server_cpu_ms\":$cpu_ms,\"growth_kib\":$((after - before))}"
echo "$line"
if [ -n "$record" ]; then
  mkdir -p "${record%/*}"
  echo "$line" >>"$record"
fi
stop_server
[ -z "$check" ] || [ $((after - before)) -le 65536 ] || die "the resident peak grew by more than 64 MiB"
