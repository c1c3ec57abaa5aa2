#!/usr/bin/env bash
# syscalls.sh
#
# Counts the system calls of target/release/wsecho (or $WSECHO) with strace: a connection whose
# request head is there when it is accepted costs accept4, one read, one write and one epoll_ctl;
# a batch of echoes that arrives at once, of 1 message or of 16, costs one read and one write.
# Exit status 1 if anything else is called. See syscalls.py, which talks and counts.
set -euo pipefail
source "$(dirname "$0")/lib.sh"

[ $# -eq 0 ] || { usage; exit; }
need_server
have strace strace || skip "needs strace"
strace -o /dev/null true 2>/dev/null || skip "tracing is not allowed here"

# -D: strace steps aside as a grandchild, so that the server keeps the id that is signalled.
start_server strace -D -f -o "$tmp/trace" "$wsecho" --listen 127.0.0.1:0
python3 "$root/scripts/syscalls.py" talk "$server_port" "$server_pid"
stop_server
python3 "$root/scripts/syscalls.py" count "$tmp/trace"
