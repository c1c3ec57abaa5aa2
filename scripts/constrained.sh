#!/usr/bin/env bash
# constrained.sh [--check] [--record]
#
# Runs wsecho in a real control group of 32 MiB and a tenth of a core, with the defaults that it
# chooses there, and does its worst: connections are opened until they are refused, then some of
# them send without reading. It has to refuse with 503, to answer /healthz after all that, and the
# kernel must not have had to end it. Shown are the memory that an idle connection takes of the
# process, and of the group, in which the kernel's part is most.
#
# --check exits 1 if one of these does not hold; --record appends the figures to
# benches/record/constrained.csv. Where no control group can be made it says so and exits 0.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

check='' record=''
for option in "$@"; do
  case $option in
    --help) usage; exit ;;
    --check) check=1 ;;
    --record) record=$root/benches/record/constrained.csv ;;
    *) die "cannot use $option; see --help" ;;
  esac
done
need_server

memory_bytes=$((32 << 20))
group=wsecho-constrained-$$
groups=()

# Not `skip`, which CI takes for a failure: a container may not make control groups.
no_group() {
  echo "SKIPPED $(basename "$0"): $*" >&2
  exit 0
}

leave_groups() {
  stop_all
  local folder
  for folder in "${groups[@]}"; do rmdir "$folder" 2>/dev/null || true; done
}
trap leave_groups EXIT

make_group() { # make_group FOLDER: empty, and ours to remove
  mkdir "$1" 2>/dev/null || return 1
  groups+=("$1")
}

set_limits() {
  local v2=/sys/fs/cgroup/$group v1=/sys/fs/cgroup/memory/$group cpu=/sys/fs/cgroup/cpu/$group
  if [ -e /sys/fs/cgroup/cgroup.controllers ]; then
    make_group "$v2" && echo "$memory_bytes" 2>/dev/null >"$v2/memory.max" &&
      echo '10000 100000' 2>/dev/null >"$v2/cpu.max" || return 1
    { echo 0 >"$v2/memory.swap.max"; } 2>/dev/null || true
    usage=$v2/memory.current kills="$v2/memory.events"
  else
    make_group "$v1" && echo "$memory_bytes" 2>/dev/null >"$v1/memory.limit_in_bytes" &&
      make_group "$cpu" && echo 10000 2>/dev/null >"$cpu/cpu.cfs_quota_us" || return 1
    usage=$v1/memory.usage_in_bytes kills="$v1/memory.oom_control"
  fi
}
set_limits || no_group 'no control group with memory and cpu can be made here'

# The shell joins the groups, and the server starts as its child; so its own limits are read right.
cat >"$tmp/run" <<'EOF'
#!/bin/bash
for folder in $GROUPS_TO_JOIN; do echo $$ >"$folder/cgroup.procs" || exit 1; done
exec "$@"
EOF
chmod +x "$tmp/run"
export GROUPS_TO_JOIN="${groups[*]}"
start_server "$tmp/run" "$wsecho" --listen 127.0.0.1:0
grep -F 'control group' "$tmp/server.log" || die 'the server has not noticed its limit'

figures=$(python3 "$root/scripts/constrained.py" "$server_port" "$server_pid" "$usage")
echo "$figures"
killed=$(awk '$1 == "oom_kill" { print $2 }' "$kills")
alive=yes
kill -0 "$server_pid" 2>/dev/null || alive=no
echo "ended by the kernel: ${killed:-0} times; alive: $alive"
if [ -n "$record" ]; then
  awk -v date="$(date -I)" -F': ' '{ print date "," $1 "," $2 }' <<<"$figures" >>"$record"
fi
if [ -n "$check" ]; then
  [ "${killed:-0}" = 0 ] && [ "$alive" = yes ] && grep -q '^refused with: 503$' <<<"$figures" &&
    grep -q '^health after the flood: 200$' <<<"$figures" || exit 1
fi
