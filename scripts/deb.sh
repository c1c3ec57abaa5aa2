#!/usr/bin/env bash
# deb.sh [--no-install]
#
# Builds target/debian/wsecho_*.deb with cargo-deb (cargo install cargo-deb) and lets lintian and
# systemd-analyze judge it. Then installs it in a clean Debian 13 root folder in which systemd
# runs, with namespaces of its own: the service has to start, to answer, to reload, to be restarted
# when it hangs, to be started by its socket, to share its port with other instances, and to leave
# nothing behind; --no-install leaves that out. Where no systemd can be started the program is run as its service would.
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
  for unit in wsecho.service wsecho@.service; do
    systemd-analyze security --offline=yes --threshold=20 "packaging/systemd/$unit" \
      >"$tmp/exposure" || { tail -n 1 "$tmp/exposure" >&2; die "$unit is too exposed"; }
    tail -n 1 "$tmp/exposure"
  done
fi
$install || exit 0

[ "$(id -u)" = 0 ] || skip "only root can make another root folder"
have debootstrap debootstrap || skip "needs debootstrap"
debian=$root/target/debian-root
if [ ! -e "$debian/made-with-systemd" ]; then
  rm -rf --one-file-system "$debian"
  mirror=$(apt-get indextargets --format '$(SITE)' | grep -m 1 '/debian/*$')
  debootstrap --variant=minbase --include=systemd,systemd-sysv trixie "$debian" "$mirror" \
    >"$tmp/debootstrap.log" ||
    skip "debootstrap failed: $(tail -n 1 "$tmp/debootstrap.log")"
  touch "$debian/made-with-systemd"
fi
fresh=$tmp/debian
cp -a "$debian" "$fresh"
cp "$deb" "$fresh/wsecho.deb"
files() { (cd "$fresh" && find . -xdev -path ./var -prune -o -print | sort); }
installed='installed, run and removed'

in_root() { chroot "$fresh" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"; }
apply() { # apply dpkg ACTION...
  in_root "$@" >"$tmp/dpkg.log" 2>&1 || { cat "$tmp/dpkg.log" >&2; die "failed: $*"; }
}

# The first process of the folder: it has mounts, a network and control groups of its own.
cat >"$tmp/boot" <<'EOF'
set -e
echo $$ >"$2/cgroup.procs"
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs sysfs "$1/sys"
unshare --cgroup mount -t cgroup2 cgroup2 "$1/sys/fs/cgroup"
mount -t tmpfs tmpfs "$1/run"
mount -t tmpfs tmpfs "$1/tmp"
mount --rbind /dev "$1/dev"
cd "$1"
mkdir -p old
pivot_root . old
umount -l /old
rmdir /old
exec unshare --cgroup env -i container=wsecho PATH=/usr/sbin:/usr/bin:/sbin:/bin \
  /usr/lib/systemd/systemd --system --unit=multi-user.target --show-status=no
EOF
in_system() {
  nsenter --target "$init" --mount --pid --uts --ipc --net --cgroup \
    env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 "$@"
}
boot() {
  local try
  group=/sys/fs/cgroup/unified
  [ -d "$group" ] || group=/sys/fs/cgroup
  group=$group/wsecho-deb-$$
  mkdir "$group" 2>"$tmp/boot.log" || return 1
  unshare --pid --fork --kill-child --mount --uts --ipc --net sh "$tmp/boot" "$fresh" "$group" \
    </dev/null >"$tmp/boot.log" 2>&1 &
  started+=("$!")
  for try in $(seq 100); do
    init=$(cat "/proc/$!/task/$!/children" 2>/dev/null) || return 1
    init=${init% }
    # "degraded" is what it is where it may not load modules of the kernel.
    case $(in_system systemctl is-system-running 2>/dev/null) in
      running | degraded) return 0 ;;
    esac
    sleep 0.3 # until it has started, of which nobody tells
  done
  return 1
}
halt() {
  # The first process takes no signal from within, and ends all others with it.
  [ -z "${init:-}" ] || kill -KILL "$init" 2>/dev/null || true
  stop_all
  [ -z "${group:-}" ] || find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
}
trap halt EXIT

healthy() { in_system wsecho healthcheck --quiet; }
property() { in_system systemctl show "$1" --property "$2" --value; }
expect() { # expect UNIT PROPERTY VALUE
  local value
  value=$(property "$1" "$2")
  [ "$value" = "$3" ] || die "$1: $2 is $value, not $3"
}
until_true() { # until_true SECONDS COMMAND...
  local deadline=$(($(date +%s) + $1))
  shift
  until "$@" 2>/dev/null; do
    [ "$(date +%s)" -lt "$deadline" ] || die "in vain: $*"
    sleep 0.2
  done
}
was_restarted() { [ "$(property wsecho.service NRestarts)" = 1 ]; }

as_a_service() {
  local first
  in_root() { in_system "$@"; }
  files >"$tmp/before"
  apply dpkg -i /wsecho.deb
  expect wsecho.service ActiveState active
  expect wsecho.service UnitFileState enabled
  healthy
  first=$(property wsecho.service MainPID)
  in_system systemctl reload wsecho
  expect wsecho.service MainPID "$first"
  # Its loop no longer turns, which the watchdog notices.
  in_system sh -c "kill -STOP $first"
  until_true 60 was_restarted
  until_true 30 healthy
  in_system systemctl stop wsecho
  expect wsecho.service Result success
  in_system sed -i 's/^WSECHO_LISTEN=.*/WSECHO_LISTEN=systemd/' /etc/default/wsecho
  in_system systemctl start wsecho.socket
  expect wsecho.service ActiveState inactive
  healthy
  expect wsecho.service ActiveState active
  in_system systemctl stop wsecho.socket wsecho.service
  instances
  installed='installed, started, reloaded, watched, started by its socket, as instances, and removed'
}

# Two services on one port, of which the second is two processes: whichever is there answers.
instances() {
  local supervisor
  in_system sed -i 's/^WSECHO_LISTEN=.*/WSECHO_LISTEN=:8080/' /etc/default/wsecho
  in_system sh -c 'echo WSECHO_WORKERS=2 >/etc/default/wsecho-2'
  in_system systemctl start wsecho@1 wsecho@2
  expect wsecho@1.service ActiveState active
  expect wsecho@2.service ActiveState active
  in_system systemctl stop wsecho@2
  expect wsecho@2.service Result success
  healthy
  in_system systemctl start wsecho@2
  in_system systemctl stop wsecho@1
  expect wsecho@1.service Result success
  healthy
  supervisor=$(property wsecho@2.service MainPID)
  [ "$(in_system cat "/proc/$supervisor/task/$supervisor/children" | wc -w)" = 2 ] ||
    die "wsecho@2 has not started two workers"
  in_system systemctl reload wsecho@2
  expect wsecho@2.service MainPID "$supervisor"
  healthy
  in_system systemctl stop wsecho@2
  expect wsecho@2.service Result success
  in_system rm /etc/default/wsecho-2
}

# What its ExecStart and EnvironmentFile say, as nobody.
as_a_program() {
  echo "no systemd can be started here: $(tail -n 1 "$tmp/boot.log")" >&2
  files >"$tmp/before"
  apply dpkg -i /wsecho.deb
  # shellcheck disable=SC2016
  start_server chroot --userspec=65534:65534 "$fresh" env -i /bin/sh -c \
    'set -a; . /etc/default/wsecho; WSECHO_LISTEN=127.0.0.1:0 exec /usr/bin/wsecho'
  in_root /usr/bin/wsecho healthcheck --quiet "ws://127.0.0.1:$server_port"
  stop_server
}

if boot; then as_a_service; else as_a_program; fi
in_root test -e /usr/share/man/man1/wsecho.1.gz
apply dpkg --purge wsecho
files >"$tmp/after"
diff "$tmp/before" "$tmp/after" >&2 || die "something stays after its removal"
echo "$installed in Debian $(cat "$fresh/etc/debian_version"): PASS"
