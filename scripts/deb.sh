#!/usr/bin/env bash
# deb.sh [--no-install]
#
# Builds target/debian/wsecho_*.deb with cargo-deb (cargo install cargo-deb) and lets lintian and
# systemd-analyze judge it. Then installs it in a clean Debian 13 root folder, runs it there as its
# service would, removes it and looks that nothing stays; --no-install leaves that out.
# The root is made with debootstrap, once, in target/debian-root, and needs to be root itself.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

install=true
case ${1:-} in
  '') ;;
  --no-install) install=false ;;
  *) usage; exit ;;
esac
cargo deb --version >/dev/null 2>&1 || skip "needs cargo-deb (cargo install cargo-deb)"

cd "$root"
cargo deb --quiet --locked
deb=$(ls -t target/debian/wsecho_*.deb | head -n 1)
echo "$deb: $(($(stat -c %s "$deb") / 1024)) KiB"

if have lintian lintian; then
  lintian --allow-root --fail-on error,warning --tag-display-limit 0 "$deb"
  echo "lintian: PASS"
else
  echo "no lintian: not judged" >&2
fi
if command -v systemd-analyze >/dev/null; then
  # Exposure, times ten; the units are what the package installs.
  systemd-analyze security --offline=yes --threshold=20 packaging/systemd/wsecho.service \
    >"$tmp/exposure" || { tail -n 1 "$tmp/exposure" >&2; die "the service is too exposed"; }
  tail -n 1 "$tmp/exposure"
fi
$install || exit 0

[ "$(id -u)" = 0 ] || skip "only root can make another root folder"
have debootstrap debootstrap || skip "needs debootstrap"
debian=$root/target/debian-root
if [ ! -e "$debian/made" ]; then
  rm -rf "$debian"
  mirror=$(apt-get indextargets --format '$(SITE)' | grep -m 1 '/debian/*$')
  debootstrap --variant=minbase trixie "$debian" "$mirror" >"$tmp/debootstrap.log" ||
    skip "debootstrap failed: $(tail -n 1 "$tmp/debootstrap.log")"
  touch "$debian/made"
fi
fresh=$tmp/debian
cp -a "$debian" "$fresh"
cp "$deb" "$fresh/wsecho.deb"
files() { (cd "$fresh" && find . -xdev -path ./var -prune -o -print | sort); }
files >"$tmp/before"

in_root() { chroot "$fresh" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
in_root dpkg -i /wsecho.deb >"$tmp/install.log" 2>&1 || { cat "$tmp/install.log" >&2; die "not installed"; }
in_root test -e /usr/share/man/man1/wsecho.1.gz
in_root test -e /etc/systemd/system/multi-user.target.wants/wsecho.service ||
  in_root test -e /var/lib/systemd/deb-systemd-helper-enabled/wsecho.service.dsh-also ||
  echo "not enabled: the root has no systemd" >&2

# There is no service manager in the folder: what its ExecStart and EnvironmentFile say, as nobody.
# shellcheck disable=SC2016
start_server chroot --userspec=65534:65534 "$fresh" env -i /bin/sh -c \
  'set -a; . /etc/default/wsecho; WSECHO_LISTEN=127.0.0.1:0 exec /usr/bin/wsecho'
in_root /usr/bin/wsecho healthcheck --quiet "ws://127.0.0.1:$server_port"
stop_server
in_root dpkg --purge wsecho >"$tmp/purge.log" 2>&1 || { cat "$tmp/purge.log" >&2; die "not removed"; }
files >"$tmp/after"
diff "$tmp/before" "$tmp/after" >&2 || die "something stays after its removal"
echo "installed, run and removed in Debian $(cat "$fresh/etc/debian_version"): PASS"
