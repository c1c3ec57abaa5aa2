#!/usr/bin/env bash
# icount.sh [PART OF A NAME]
#
# Counts the instructions of the scenarios in benches/support/scenarios.rs under valgrind and
# compares them with their budget. Exit status 1 if one is more than 2 % off, be it above (a cost)
# or below (a gain to be kept). UPDATE=1 writes the budget instead.
#
# A count is the difference between a run of N steps and one of 2N, so that start-up cancels out.
# It depends on compiler, C library and processor family, so each set of them has its file in
# benches/budget. Where there is none for this one, the comparison with the newest only informs.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
part=${1:-}
have valgrind valgrind || skip "needs valgrind"

cd "$root"
libc=$(getconf GNU_LIBC_VERSION 2>/dev/null || echo "another libc")
here=$(printf '%s-%s-%s' "$(rustc --version | cut -d' ' -f1,2)" "$libc" "$(uname -m)" | tr ' ' -)
budget=$root/benches/budget/$here.txt
program=$(cargo bench --locked --no-run --bench icount 2>&1 | tee "$tmp/build.log" |
  sed -n 's/.*Executable.*(\(.*\))$/\1/p')
[ -x "$program" ] || { cat "$tmp/build.log"; die "benches/icount.rs does not build"; }

# Where memcpy uses "rep movsb", valgrind counts each byte of a long copy as an instruction.
export GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1073741824

# instructions NAME STEPS
instructions() {
  valgrind --tool=callgrind --callgrind-out-file=/dev/null "$program" "$1" "$2" \
    >"$tmp/count.log" 2>&1 || { cat "$tmp/count.log" >&2; die "$1 failed"; }
  sed -n 's/.*Collected : *\([0-9]*\).*/\1/p' "$tmp/count.log"
}

# What was counted: instructions of one unit, a tabulator, the name.
"$program" | grep -F -- "$part" >"$tmp/scenarios" || die "no scenario is named *$part*"
while read -r steps units name; do
  once=$(instructions "$name" "$steps")
  twice=$(instructions "$name" $((2 * steps)))
  printf '%s\t%s\n' $(((twice - once) / (steps * units))) "$name"
done <"$tmp/scenarios" >"$tmp/counts"

if [ -n "${UPDATE:-}" ]; then
  [ -z "$part" ] || die "the budget is written as a whole"
  {
    echo "# Instructions of one message or call; written by: UPDATE=1 scripts/icount.sh"
    cat "$tmp/counts"
  } | tee "$budget"
  exit
fi

own=true
if [ ! -f "$budget" ]; then
  own=false
  budget=$(printf '%s\n' "$root"/benches/budget/*.txt | sort -V | tail -n 1)
fi
awk -F '\t' -v part="$part" '
  FNR == NR { if (!/^#/ && index($2, part)) allowed[$2] = $1; next }
  {
    off = $2 in allowed ? 100 * ($1 - allowed[$2]) / allowed[$2] : 100
    verdict = off > 2 ? "  TOO MANY" : off < -2 ? "  fewer: write the budget" : ""
    if (!($2 in allowed)) verdict = "  not in the budget"
    printf "%10d  %+6.1f %%  %s%s\n", $1, off, $2, verdict
    if (verdict != "") wrong = 1
    delete allowed[$2]
  }
  END {
    for (name in allowed) { print "not counted: " name; wrong = 1 }
    exit wrong
  }' "$budget" "$tmp/counts" && { echo "icount.sh: within the budget"; exit; }
$own && exit 1
echo "icount.sh: counted with $here, which has no budget; beside $(basename "$budget" .txt) this" \
  "only informs" >&2
