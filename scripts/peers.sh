#!/usr/bin/env bash
# peers.sh [--version] NAME [echo|deflate|room|tls]
#
# Installs one of the servers that wsecho is compared with, under target/peers, and prints the
# command that starts it, with {port} for the port: an echo, an echo that compresses, or a room in
# which each message goes to all others, or an echo over TLS, which takes the files of a certificate
# and its key behind the command. With --version it prints what was installed. Exit status
# 3: this server has no such form, or cannot be installed here.
#
#   bun              Bun's server (uWebSockets inside)      npm; deflate, room, tls
#   ws               the npm package ws, on Node            npm; deflate, room
#   tungstenite      tokio-tungstenite, flushed per batch   crates.io
#   fastwebsockets   fastwebsockets on hyper                crates.io
#   wtx, ws_rs       wtx; ws-rs, on mio                     crates.io
#   picows           picows on uvloop                       PyPI
#   websockets       Python's websockets on uvloop          PyPI; deflate
#   lws              libwebsockets                          Debian; deflate
#   uwebsockets      uWebSockets itself: a checkout with    deflate, room
#                    its submodules, at $UWEBSOCKETS
set -euo pipefail
source "$(dirname "$0")/lib.sh"

peers=$root/target/peers
rust=$root/benches/peers/rust
version=
[ "${1:-}" != --version ] || { version=1; shift; }
name=${1:---help} form=${2:-echo}

unable() {
  echo "peers.sh: $*" >&2
  exit 3
}

# answer COMMAND VERSION [FORM...]: prints one of the two, if the server has the form.
answer() {
  local command=$1 is=$2 known
  shift 2
  for known in echo "$@"; do
    [ "$known" = "$form" ] || continue
    if [ -n "$version" ]; then echo "$is"; else echo "$command"; fi
    return
  done
  unable "$name has no form \"$form\""
}

argument() { # the form as these programs take it, behind the port
  [ "$form" = echo ] || echo " $form"
}

install_node() {
  if [ ! -d "$peers/node/node_modules" ]; then
    have npm npm && mkdir -p "$peers/node" && cp "$root"/benches/peers/node/package.json "$peers/node/" &&
      npm install --prefix "$peers/node" --no-audit --no-fund --silent >&2 || unable "npm cannot install $name"
  fi
  cp "$root"/benches/peers/node/*.[tj]s "$peers/node/"
}

package_version() { node -p "require('$peers/node/node_modules/ws/package.json').version"; }

install_rust() {
  cargo build --quiet --release --locked --manifest-path "$rust/Cargo.toml" \
    --target-dir "$peers/rust" --bin "$1" >&2 || unable "$name does not build"
}

crate_version() { # crate_version CRATE: as Cargo.lock has it
  awk -v want="name = \"$1\"" '$0 == want { getline; gsub(/[^0-9.]/, ""); print }' "$rust/Cargo.lock"
}

install_python() {
  local wanted=$root/benches/peers/python/requirements.txt
  python=$peers/python/bin/python3
  if ! cmp -s "$wanted" "$peers/python/requirements.txt"; then
    python3 -c 'import venv, ensurepip' 2>/dev/null || apt_get python3 python3-venv || true
    { mkdir -p "$peers" && python3 -m venv --clear "$peers/python" &&
      "$python" -m pip install --quiet --disable-pip-version-check -r "$wanted" &&
      cp "$wanted" "$peers/python/requirements.txt"; } >&2 || unable "pip cannot install $name"
  fi
}

install_lws() {
  if [ ! -x "$peers/echo_lws" ]; then
    have cc gcc || unable "no C compiler"
    [ -e /usr/include/libwebsockets.h ] || apt_get libwebsockets-dev || unable "no libwebsockets-dev"
    mkdir -p "$peers"
    cc -O2 -o "$peers/echo_lws" "$root/benches/peers/c/echo_lws.c" -lwebsockets >&2 ||
      unable "libwebsockets: the echo does not build"
  fi
}

install_uwebsockets() {
  local folder=${UWEBSOCKETS:-}
  [ -n "$folder" ] || unable "uWebSockets comes from no registry: say in UWEBSOCKETS where it is"
  [ -e "$folder/src/App.h" ] && [ -e "$folder/uSockets/Makefile" ] ||
    unable "$folder is no checkout of uWebSockets with its submodules"
  mkdir -p "$peers"
  { make -s -C "$folder/uSockets" && c++ -std=c++20 -O3 -I"$folder/src" -I"$folder/uSockets/src" \
    -o "$peers/echo_uwebsockets" "$root/benches/peers/c/echo_uwebsockets.cpp" \
    "$folder/uSockets/uSockets.a" -lz; } >&2 || unable "uWebSockets does not build"
}

case $name in
  --help) usage ;;
  bun)
    install_node
    bun=$peers/node/node_modules/@oven/bun-linux-x64/bin/bun
    case $form in
      room) command="$bun $peers/node/room_bun.ts {port}" ;;
      tls) command="$bun $peers/node/bun_tls.ts {port}" ;;
      *) command="$bun $peers/node/bun.ts {port}$(argument)" ;;
    esac
    answer "$command" "$("$bun" --version)" deflate room tls
    ;;
  ws)
    install_node
    case $form in
      room) command="node $peers/node/room_ws.js {port}" ;;
      *) command="node $peers/node/ws.js {port}$(argument)" ;;
    esac
    answer "$command" "$(package_version) on Node $(node --version)" deflate room
    ;;
  tungstenite)
    install_rust tungstenite
    answer "$peers/rust/release/tungstenite {port} tuned" "$(crate_version tokio-tungstenite)"
    ;;
  fastwebsockets | wtx | ws_rs)
    install_rust "$name"
    answer "$peers/rust/release/$name {port}" "$(crate_version "${name/_rs/}")"
    ;;
  picows)
    install_python
    answer "$python $root/benches/peers/python/echo_picows.py {port}" \
      "$(sed -n 's/^picows==//p' "$peers/python/requirements.txt")"
    ;;
  websockets)
    install_python
    answer "$python $root/benches/peers/python/echo_websockets.py {port}$(argument)" \
      "$(sed -n 's/^websockets==//p' "$peers/python/requirements.txt")" deflate
    ;;
  lws)
    install_lws
    answer "$peers/echo_lws {port}$(argument)" \
      "$(dpkg-query -W -f '${Version}' libwebsockets-dev 2>/dev/null || echo unknown)" deflate
    ;;
  uwebsockets)
    install_uwebsockets
    answer "$peers/echo_uwebsockets {port}$(argument)" \
      "$(git -C "$UWEBSOCKETS" describe --tags --always 2>/dev/null || echo unknown)" deflate room
    ;;
  *) die "does not know $name; see --help" ;;
esac
