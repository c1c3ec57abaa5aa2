# shellcheck shell=bash
# Shared by the scripts beside it: `source "$(dirname "$0")/lib.sh"` under `set -euo pipefail`.
#
# Everything a script starts is stopped by its own process id when the script ends, however it
# ends. A script that needs nothing of this but `skip` and `root` may still source it.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
wsecho=${WSECHO:-$root/target/release/wsecho}
# What loads it, with `load`: so that two builds are measured by the same one.
generator=${GENERATOR:-$wsecho}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/wsecho-script.XXXXXX")
started=()

stop_all() {
  local pid
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do
    timeout 15 tail --pid="$pid" -f /dev/null || kill -KILL "$pid" 2>/dev/null || true
  done
  rm -rf "$tmp"
}
trap stop_all EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

die() {
  echo "$(basename "$0"): $*" >&2
  exit 2
}

# Prints the comment block at the head of the script, without the marks.
usage() {
  sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# A check that cannot be made here: said out loud on a desk, a failure in CI (CI=true).
skip() {
  echo "SKIPPED $(basename "$0"): $*" >&2
  [ "${CI:-}" != true ] || exit 1
  exit 0
}

# have PROGRAM PACKAGE: true if PROGRAM is there, if need be after installing Debian's PACKAGE.
have() {
  command -v "$1" >/dev/null || { apt_get "$2" && command -v "$1" >/dev/null; }
}

# Installs Debian packages where that is possible: as root, where there is apt-get.
apt_get() {
  [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
  { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"; } \
    >"$tmp/apt.log" 2>&1
}

need_server() {
  [ -x "$wsecho" ] || die "no $wsecho; run: cargo build --release (or set WSECHO)"
}

# start_server COMMAND...: starts it and waits for its ready line on standard output.
# Sets server_pid, server_url and server_port; its standard error goes to $tmp/server.log.
start_server() {
  local line='' fifo
  fifo=$(mktemp -u "$tmp/ready.XXXXXX")
  mkfifo "$fifo"
  "$@" >"$fifo" 2>>"$tmp/server.log" &
  server_pid=$!
  started+=("$server_pid")
  exec {server_out}<"$fifo" # stays open: a server must not meet a closed standard output
  read -r -t 20 line <&"$server_out" || true
  server_url=$(grep -oE 'wss?://[^ ]+' <<<"$line") || {
    tail -n 5 "$tmp/server.log" >&2
    die "no ready line from: $*"
  }
  server_port=${server_url%/}
  server_port=${server_port##*:}
}

# start_wsecho ARGUMENTS...: the binary on a free loopback port.
start_wsecho() {
  need_server
  start_server "$wsecho" --listen 127.0.0.1:0 "$@"
}

# Ends the server with SIGTERM; the status is the server's own, 137 if it took longer than 15 s.
stop_server() {
  local status=0
  kill -TERM "$server_pid"
  timeout 15 tail --pid="$server_pid" -f /dev/null || kill -KILL "$server_pid"
  wait "$server_pid" || status=$?
  exec {server_out}<&-
  forget "$server_pid"
  return "$status"
}

forget() {
  local pid kept=()
  for pid in "${started[@]}"; do [ "$pid" = "$1" ] || kept+=("$pid"); done
  started=("${kept[@]}")
}

# load_json OPTIONS...: what `wsecho load` says of the server that has been started, as JSON. A script
# may have it start by other words, such as taskset.
load_with=()
load_json() {
  "${load_with[@]}" "$generator" load "ws://127.0.0.1:$server_port/ws" --json --quiet --server-pid "$server_pid" "$@"
}

# The bare TCP echo, built into target/yardstick.
build_yardstick() {
  local out=$root/target/yardstick yard=$root/benches/yardstick
  command -v cc >/dev/null || skip "no C compiler"
  mkdir -p "$out"
  cc -O2 -Wall -o "$out/limit_tcp" "$yard/limit_tcp.c"
  limit_tcp=$out/limit_tcp
}
