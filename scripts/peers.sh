#!/usr/bin/env bash
# peers.sh NAME
#
# Installs one of the servers that wsecho is compared with, under target/peers, and prints the
# command that starts it, with {port} for the port. They come from npm or crates.io.
#
#   bun              Bun's server (uWebSockets inside)      npm
#   ws               the npm package ws, on Node            npm
#   tungstenite      tokio-tungstenite, flushed per batch   crates.io
#   fastwebsockets   fastwebsockets on hyper                crates.io
#   wtx, ws_rs       wtx; ws-rs, on mio                     crates.io
set -euo pipefail
source "$(dirname "$0")/lib.sh"

peers=$root/target/peers
install_node() {
  [ -d "$peers/node/node_modules" ] && return
  have npm npm && mkdir -p "$peers/node" && cp "$root"/benches/peers/node/* "$peers/node/" &&
    npm install --prefix "$peers/node" --no-audit --no-fund --silent >&2
}
install_rust() {
  cargo build --quiet --release --locked --manifest-path "$root/benches/peers/rust/Cargo.toml" \
    --target-dir "$peers/rust" --bin "$1" >&2
}

case ${1:---help} in
  --help) usage ;;
  bun)
    install_node
    echo "$peers/node/node_modules/@oven/bun-linux-x64/bin/bun $peers/node/bun.ts {port}"
    ;;
  ws)
    install_node
    echo "node $peers/node/ws.js {port}"
    ;;
  tungstenite)
    install_rust tungstenite
    echo "$peers/rust/release/tungstenite {port} tuned"
    ;;
  fastwebsockets | wtx | ws_rs)
    install_rust "$1"
    echo "$peers/rust/release/$1 {port}"
    ;;
  *) die "does not know $1; see --help" ;;
esac
