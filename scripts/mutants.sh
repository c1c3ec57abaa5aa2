#!/usr/bin/env bash
# mutants.sh [--faults] [--named] [--check] [--list] [NAME]...
#
# Breaks the code on purpose, one mutant after the other, and demands that the tests see it. Each
# mutant of mutants/list.txt is one line that is wrong; it names the tests that should turn red.
# If those stay green the whole `cargo test` runs, and if that is green too the mutant has
# survived. A test that hangs has seen it. NAME runs only mutants with that in their name.
#
#   --faults   those of mutants/faults.txt instead: mistakes that the server once had, put back.
#              They must be found by the simulation or by replayed fuzz inputs, as CI runs them
#   --named    only the tests that each mutant names, not all
#   --check    only looks whether the old text of each mutant stands exactly once in its file
#   --list     only names them
#
# Works in a copy of the tree, below target/mutants (or $MUTANTS_DIR), with build directories of its
# own. Exits with 1 if a mutant survived, did not build, or does not apply. Mutants of the pages need
# a browser (see browser.sh) and are skipped out loud without one.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
command -v python3 >/dev/null || skip "needs python3"
status=0
python3 "$root/scripts/mutants" --log "$tmp/test.log" "$@" || status=$?
exit "$status"
