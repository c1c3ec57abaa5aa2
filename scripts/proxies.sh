#!/usr/bin/env bash
# proxies.sh [nginx|haproxy|stunnel]...
#
# Puts Debian's nginx, HAProxy and stunnel in front of target/release/wsecho (or $WSECHO) with the
# configurations of examples/, on free ports of the loopback and with short timeouts, and shows for
# each: echoes over ws and wss, silence for longer than the proxy's timeout, a drain, and that nginx
# and HAProxy say who the client is. A proxy that is not there is installed where that is possible,
# or said to be skipped.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ "${1:-}" != --help ] || { usage; exit; }
[ $# -gt 0 ] || set -- nginx haproxy stunnel
need_server
have openssl openssl || skip "needs openssl"

missing() { echo "SKIPPED proxies.sh: no $1" >&2; }

client() { python3 "$root/scripts/proxies.py" "$@"; }

free_port() {
  python3 -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
  -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
cat "$tmp/cert.pem" "$tmp/key.pem" >"$tmp/both.pem"

# start_proxy COMMAND...: starts it, and waits until its ports $plain and $secure answer.
start_proxy() {
  "$@" >"$tmp/proxy.log" 2>&1 &
  proxy_pid=$!
  started+=("$proxy_pid")
  local port tries
  for port in $plain $secure; do
    tries=0
    until (: >"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
      tries=$((tries + 1))
      [ $tries -lt 100 ] && kill -0 "$proxy_pid" 2>/dev/null ||
        { tail -n 5 "$tmp/proxy.log" >&2; die "$1 does not listen"; }
      read -r -t 0.1 <> <(:) || true
    done
  done
}

stop_proxy() {
  kill -TERM "$proxy_pid"
  wait "$proxy_pid" || true
  forget "$proxy_pid"
}

try_nginx() {
  have nginx nginx-light || { missing nginx; return; }
  plain=$(free_port) secure=$(free_port)
  start_wsecho --listen "unix:$tmp/echo.sock" --trust-proxy unix --ping-interval 1s
  sed -e "s#listen 80;#listen 127.0.0.1:$plain;#; s#listen 443 ssl;#listen 127.0.0.1:$secure ssl;#" \
    -e "s#/etc/ssl/certs/wsecho.pem#$tmp/cert.pem#; s#/etc/ssl/private/wsecho.key#$tmp/key.pem#" \
    -e "s#/run/wsecho/echo.sock#$tmp/echo.sock#; s#proxy_read_timeout 60s#proxy_read_timeout 4s#" \
    "$root/examples/nginx/wsecho.conf" >"$tmp/wsecho.conf"
  cat >"$tmp/nginx.conf" <<EOF
daemon off;
pid $tmp/nginx.pid;
error_log stderr;
events {}
http {
  access_log off;
  client_body_temp_path $tmp/body;
  proxy_temp_path $tmp/proxy;
  fastcgi_temp_path $tmp/fastcgi;
  uwsgi_temp_path $tmp/uwsgi;
  scgi_temp_path $tmp/scgi;
  include $tmp/wsecho.conf;
}
EOF
  # Workers of another user must reach the socket.
  chmod 755 "$tmp"
  [ "$(id -u)" != 0 ] || chmod 777 "$tmp/echo.sock"
  start_proxy nginx -p "$tmp" -e stderr -c "$tmp/nginx.conf"
  client known "ws://127.0.0.1:$plain/" 127.0.0.9
  everything
  wait "$server_pid"
  forget "$server_pid"
  exec {server_out}<&-
  stop_proxy
  echo 'nginx on a Unix socket: PASS'
}

try_haproxy() {
  have haproxy haproxy || { missing haproxy; return; }
  plain=$(free_port) secure=$(free_port)
  local two_pid two_port two_out
  start_server "$wsecho" --listen 127.0.0.1:0,proxy-protocol --drain-delay 3s
  two_pid=$server_pid two_port=$server_port two_out=$server_out
  start_server "$wsecho" --listen 127.0.0.1:0,proxy-protocol --ping-interval 1s --drain-delay 3s
  sed -e "s#bind :80\$#bind 127.0.0.1:$plain#; s#bind :443 ssl crt .*#bind 127.0.0.1:$secure ssl crt $tmp/both.pem#" \
    -e "s#127.0.0.1:8081#127.0.0.1:$server_port#; s#127.0.0.1:8082#127.0.0.1:$two_port#" \
    -e 's#timeout tunnel 1h#timeout tunnel 4s#' -e 's#server two .*#& backup#' \
    "$root/examples/haproxy/haproxy.cfg" >"$tmp/haproxy.cfg"
  start_proxy haproxy -db -f "$tmp/haproxy.cfg"
  client known "ws://127.0.0.1:$plain/" 127.0.0.9
  everything
  # The other one has taken over.
  client echo "ws://127.0.0.1:$plain/"
  wait "$server_pid"
  forget "$server_pid"
  exec {server_out}<&-
  server_pid=$two_pid server_out=$two_out
  stop_server
  stop_proxy
  echo 'haproxy before two: PASS'
}

try_stunnel() {
  have stunnel stunnel4 || { missing stunnel; return; }
  plain='' secure=$(free_port)
  start_wsecho --ping-interval 1s
  {
    echo 'foreground = yes'
    echo 'pid ='
    sed -e "s#accept = 443#accept = 127.0.0.1:$secure#; s#127.0.0.1:8080#127.0.0.1:$server_port#" \
      -e "s#/etc/stunnel/wsecho.pem#$tmp/both.pem#; s#TIMEOUTidle = 43200#TIMEOUTidle = 4#" \
      "$root/examples/stunnel/wsecho.conf"
  } >"$tmp/stunnel.conf"
  start_proxy stunnel "$tmp/stunnel.conf"
  everything
  wait "$server_pid"
  forget "$server_pid"
  exec {server_out}<&-
  stop_proxy
  echo 'stunnel: PASS'
}

# What a proxy must let through. It ends the server.
everything() {
  local url urls=("wss://127.0.0.1:$secure/")
  [ -z "$plain" ] || urls+=("ws://127.0.0.1:$plain/")
  for url in "${urls[@]}"; do
    client echo "$url"
  done
  client idle "${urls[-1]}" 9
  client drain "${urls[0]}" "$server_pid"
}

for proxy in "$@"; do
  case $proxy in nginx | haproxy | stunnel) ;; *) die "no such proxy: $proxy" ;; esac
  "try_$proxy"
done
