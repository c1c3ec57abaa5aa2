#!/usr/bin/env bash
# static.sh [--no-check]
#
# Builds target/static/wsecho: one file that needs no library, for images that hold nothing else
# and for machines with another C library. Then starts it in an empty root folder and has it
# checked from within, where there is neither a resolver nor a shell; --no-check leaves that out.
#
# It is linked with glibc's static library (Debian: libc6-dev), which needs no further toolchain.
# STATIC_TARGET=TRIPLE builds for another target, if its linker and its standard library are there.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

check=true
case ${1:-} in
  '') ;;
  --no-check) check=false ;;
  *) usage; exit ;;
esac

target=${STATIC_TARGET:-$(rustc -vV | sed -n 's/^host: //p')}
cd "$root"
# A target that is named keeps the flags away from build scripts, which are not static.
RUSTFLAGS='-D warnings -C target-feature=+crt-static' \
  cargo build --quiet --locked --release --target "$target" --target-dir target/static-build
mkdir -p target/static
cp "target/static-build/$target/release/wsecho" target/static/wsecho
echo "target/static/wsecho: $(($(stat -c %s target/static/wsecho) / 1024)) KiB"
! readelf -d target/static/wsecho 2>/dev/null | grep NEEDED || die "it needs libraries"
$check || exit 0

empty=$tmp/root
mkdir "$empty"
cp target/static/wsecho "$empty/"
inside=(unshare --map-root-user --root="$empty")
[ "$(id -u)" != 0 ] || inside=(chroot "$empty")
"${inside[@]}" /wsecho --version >/dev/null || skip "no empty root folder can be made here"

start_server "${inside[@]}" /wsecho --listen 127.0.0.1:0
"${inside[@]}" /wsecho healthcheck "ws://localhost:$server_port"
stop_server
echo "in an empty root: PASS"
