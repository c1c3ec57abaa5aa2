#!/usr/bin/env bash
# arch.sh {amd64|i386|arm64|armhf|riscv64} [--build|--tests|--icount] [--record]
#
# Builds wsecho for an architecture and runs all its tests, in a Debian 13 root folder with Debian's
# own rustc (1.85) and C compiler; --build leaves the tests out, --tests the release binary. amd64
# and i386 run natively in a root of their own; the others are cross-built in the one for amd64, with
# Debian's libstd-rust-dev of that architecture, and their tests run under qemu-user. SIM_SEEDS says
# how many seeds of the simulation are tried.
#
# --icount counts instructions there instead, on amd64 alone (scripts/icount.sh); UPDATE=1 writes the
# budget for that compiler and C library.
#
# The roots are made with debootstrap and kept in target/arch. Needs to be root on an amd64 machine
# with debootstrap, and qemu-user-static for the foreign ones. Prints its result as two lines of
# CSV; --record appends it to benches/record/arch.csv.
set -euo pipefail
# With mounts of its own: however this ends, nothing stays mounted in a folder that may be deleted.
if [ "$(id -u)" = 0 ] && [ -z "${OWN_MOUNTS:-}" ] && unshare --mount true 2>/dev/null; then
  OWN_MOUNTS=1 exec unshare --mount "$0" "$@"
fi
source "$(dirname "$0")/lib.sh"

# Debian's name, the compiler's triple, gcc's triple, qemu's name.
case ${1:-} in
  amd64) triple=x86_64-unknown-linux-gnu gcc=x86_64-linux-gnu qemu='' ;;
  i386) triple=i686-unknown-linux-gnu gcc=i686-linux-gnu qemu='' ;;
  arm64) triple=aarch64-unknown-linux-gnu gcc=aarch64-linux-gnu qemu=aarch64 ;;
  armhf) triple=armv7-unknown-linux-gnueabihf gcc=arm-linux-gnueabihf qemu=arm ;;
  riscv64) triple=riscv64gc-unknown-linux-gnu gcc=riscv64-linux-gnu qemu=riscv64 ;;
  *) usage; exit ;;
esac
arch=$1
release=true tests=true icount=false record=''
for option in "${@:2}"; do
  case $option in
    --build) tests=false ;;
    --tests) release=false ;;
    --icount)
      [ "$arch" = amd64 ] || die "only amd64 has an instruction budget"
      release=false tests=false icount=true
      ;;
    --record) record=$root/benches/record/arch.csv ;;
    *) die "cannot use $option; see --help" ;;
  esac
done

# Not a failure in CI either: not every machine lets a root folder be made.
unable() {
  echo "SKIPPED arch.sh $arch: $*" >&2
  exit 0
}

[ "$(id -u)" = 0 ] || unable "only root can make another root folder"
[ "$(uname -m)" = x86_64 ] || unable "needs an amd64 machine"
[ -n "${OWN_MOUNTS:-}" ] || unable "nothing can be mounted here"
have debootstrap debootstrap || unable "needs debootstrap"
[ -z "$qemu" ] || ! $tests || have "qemu-$qemu-static" qemu-user-static ||
  unable "needs qemu-user-static"

# The machine that builds: its own architecture where that runs here.
builder=amd64
[ "$arch" != i386 ] || builder=i386
debian=$root/target/arch/$builder
started_at=$(date +%s)

in_root() {
  chroot "$debian" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME=/root \
    DEBIAN_FRONTEND=noninteractive ${SIM_SEEDS:+"SIM_SEEDS=$SIM_SEEDS"} ${qemu:+EMULATED=1} "$@"
}

quietly() {
  "$@" >"$tmp/step.log" 2>&1 || { tail -n 15 "$tmp/step.log" >&2; die "failed: $*"; }
}

if [ ! -e "$debian/made" ]; then
  echo "making a Debian 13 root for $builder"
  rm -rf --one-file-system "$debian"
  mkdir -p "$debian"
  mirror=$(apt-get indextargets --format '$(SITE)' | grep -m 1 '/debian/*$') || true
  debootstrap --variant=minbase --arch="$builder" trixie "$debian" ${mirror:+"$mirror"} \
    >"$tmp/step.log" 2>&1 ||
    unable "no root folder can be made: $(tail -n 1 "$tmp/step.log")"
  quietly in_root apt-get install -y --no-install-recommends cargo gcc libc6-dev python3 openssl
  touch "$debian/made"
fi
if [ "$arch" != "$builder" ] && [ ! -e "$debian/made-$arch" ]; then
  echo "adding what $arch is built with"
  in_root dpkg --add-architecture "$arch"
  quietly in_root apt-get update
  quietly in_root apt-get install -y --no-install-recommends \
    "gcc-$gcc" "libc6-dev:$arch" "libstd-rust-dev:$arch"
  touch "$debian/made-$arch"
fi

# The source as it stands, and what it depends on: no registry is asked from within.
mkdir -p "$debian/src"
find "$debian/src" -mindepth 1 -maxdepth 1 ! -name target -exec rm -rf {} +
(cd "$root" && git ls-files -z | tar --null --files-from=- -cf -) | tar -xf - -C "$debian/src"
quietly cargo vendor --quiet --locked --versioned-dirs --manifest-path "$root/Cargo.toml" \
  "$debian/src/vendor"
mkdir -p "$debian/src/.cargo"
cat >"$debian/src/.cargo/config.toml" <<EOF
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "vendor"
[target.$triple]
linker = "$gcc-gcc"
EOF

# The kernel starts foreign programs through qemu, also those that a test starts.
foreign_programs() {
  local magic
  [ -e /proc/sys/fs/binfmt_misc/register ] ||
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc || unable "the kernel has no binfmt_misc"
  [ ! -e "/proc/sys/fs/binfmt_misc/qemu-$qemu" ] || return 0
  # The head of an ELF file: class, order, and the machine's number.
  case $qemu in
    aarch64) magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00' ;;
    arm) magic='\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00' ;;
    riscv64) magic='\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xf3\x00' ;;
  esac
  local mask='\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff'
  # F: the interpreter is opened now, so that it is there in another root too.
  printf '%s\n' ":qemu-$qemu:M::\\x7fELF$magic:$mask:$(command -v "qemu-$qemu-static"):OCF" \
    >/proc/sys/fs/binfmt_misc/register
}

mount -t proc proc "$debian/proc"
mount --rbind /dev "$debian/dev"
mount -t tmpfs tmpfs "$debian/tmp"

cargo_in_root() {
  # shellcheck disable=SC2016
  in_root sh -c 'cd /src && exec cargo "$@"' cargo "$@" --offline --locked --target "$triple"
}

rustc=$(in_root rustc --version | cut -d' ' -f2)
echo "building with Debian's rustc $rustc"
if $icount; then
  quietly in_root apt-get install -y --no-install-recommends valgrind
  # shellcheck disable=SC2016
  in_root sh -c 'cd /src && UPDATE=$1 scripts/icount.sh' sh "${UPDATE:-}"
  [ -z "${UPDATE:-}" ] || cp "$debian"/src/benches/budget/*.txt "$root/benches/budget/"
  exit
fi
size='not built'
if $release; then
  cargo_in_root build --quiet --release
  size=$(($(stat -c %s "$debian/src/target/$triple/release/wsecho") / 1024))
fi
result='not run'
if $tests; then
  [ -z "$qemu" ] || foreign_programs
  cargo_in_root test --no-fail-fast >"$tmp/tests.log" 2>&1 || true
  grep -E '^test result|FAILED|failed|^error' "$tmp/tests.log" || true
  passed=$(grep -oE '[0-9]+ passed' "$tmp/tests.log" | awk '{ n += $1 } END { print n + 0 }')
  failed=$(grep -oE '[0-9]+ failed' "$tmp/tests.log" | awk '{ n += $1 } END { print n + 0 }')
  [ "$passed" -gt 0 ] || { tail -n 15 "$tmp/tests.log" >&2; die "no test has passed on $arch"; }
  result="$passed passed $failed failed"
fi
head='architecture,date,commit,rustc,binary_kib,tests,seconds'
commit=$(git -C "$root" rev-parse --short HEAD)
row="$arch,$(date +%F),$commit,$rustc,$size,$result,$(($(date +%s) - started_at))"
printf '%s\n%s\n' "$head" "$row"
if [ -n "$record" ]; then
  [ -e "$record" ] || echo "$head" >"$record"
  echo "$row" >>"$record"
fi
[ "${failed:-0}" = 0 ] || {
  grep -A 20 '^failures:' "$tmp/tests.log" >&2
  die "tests failed on $arch"
}
