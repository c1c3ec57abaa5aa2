#!/usr/bin/env bash
# fuzz.sh [SECONDS]
#
# Runs each cargo-fuzz target of fuzz/ for SECONDS (default 60). New inputs go to
# target/fuzz-corpus, a crash to fuzz/artifacts; a crash worth keeping becomes a test.
# Needs cargo-fuzz and a compiler that takes unstable flags: nightly if installed, else the
# stable one told to (RUSTC_BOOTSTRAP). In CI (CI=true) cargo-fuzz is installed from crates.io and
# the seed is fixed: what a change must pass is what the change before it passed.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

case ${1:-60} in
  --help) usage; exit ;;
  *[!0-9]* | '') die "needs a number of seconds; see --help" ;;
  *) seconds=${1:-60} ;;
esac
[ -f "$root/fuzz/Cargo.toml" ] || die "no fuzz/Cargo.toml"
if [ "${CI:-}" = true ] && ! cargo fuzz --version >/dev/null 2>&1; then
  # The newest that builds with Rust 1.85.
  cargo install --quiet --locked cargo-fuzz --version 0.13.1 || true
fi
if ! cargo fuzz --version >/dev/null 2>&1; then
  # Not a failure in CI either: cargo test has replayed the corpus.
  echo "SKIPPED fuzz.sh: needs cargo-fuzz (cargo install cargo-fuzz)" >&2
  exit 0
fi
if cargo +nightly --version >/dev/null 2>&1; then
  export RUSTUP_TOOLCHAIN=nightly
else
  export RUSTC_BOOTSTRAP=1
fi

seed=()
[ "${CI:-}" != true ] || seed=(-seed=1)

cd "$root"
for target in $(cargo fuzz list); do
  echo "fuzz: $target, $seconds s"
  # libFuzzer reads both folders and writes to the first: the committed corpus stays as it is.
  mkdir -p "target/fuzz-corpus/$target" "fuzz/corpus/$target"
  cargo fuzz run "$target" "target/fuzz-corpus/$target" "fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=16384 -timeout=10 -print_final_stats=1 \
    "${seed[@]}" \
    >"$tmp/$target.log" 2>&1 || { tail -n 60 "$tmp/$target.log"; die "$target failed"; }
  grep -E 'stat::number_of_executed_units|^#[0-9]+.*DONE' "$tmp/$target.log" || true
done
