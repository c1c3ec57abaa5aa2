#!/usr/bin/env python3
"""syscalls.py talk PORT PID | count TRACE: the two halves of syscalls.sh.

talk   opens one connection, whose request is already there when the server (stopped meanwhile)
       accepts it, and sends one message, then sixteen at once.
count  reads the server's strace, and compares the calls of each phase with what it may cost.
"""
import os
import re
import signal
import socket
import sys
import time

HEAD = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
MESSAGE = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"  # "Hello", RFC 6455 section 5.7
ECHO = b"\x81\x05Hello"
BATCH = 16
# A phase ends with the write that answers it. Waiting is shared by all that are ready, and the
# accept4 that finds nobody more ends a burst of connections, however long: neither is counted.
SHARED = ("epoll_wait", "epoll_pwait", "epoll_pwait2", "restart_syscall")
PHASES = [("open", ["accept4", "epoll_ctl", "read", "write"]),
          ("echo of 1", ["read", "write"]),
          (f"echo of {BATCH}", ["read", "write"])]
ONE_NAME = {"recvfrom": "read", "sendto": "write"}


def receive(s, n):
    data = b""
    while len(data) < n:
        piece = s.recv(n - len(data))
        if not piece:
            sys.exit("syscalls.py: the server closed the connection")
        data += piece
    return data


def talk(port, pid):
    os.kill(pid, signal.SIGSTOP)
    try:
        deadline = time.time() + 10
        while open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1][0] not in "Tt":
            if time.time() > deadline:
                sys.exit("syscalls.py: the server does not stop")
            time.sleep(0.01)
        s = socket.create_connection(("127.0.0.1", port))
        s.sendall(HEAD)
    finally:
        os.kill(pid, signal.SIGCONT)
    s.settimeout(10)
    reply = b""
    while not reply.endswith(b"\r\n\r\n"):
        reply += receive(s, 1)
    if not reply.startswith(b"HTTP/1.1 101"):
        sys.exit("syscalls.py: no 101")
    for n in (1, BATCH):
        s.sendall(MESSAGE * n)
        if receive(s, len(ECHO) * n) != ECHO * n:
            sys.exit("syscalls.py: not an echo")
    s.close()


def calls(trace):
    """(thread, name, whole text, result) of each finished call, in the order of their ends."""
    begun = {}
    for line in open(trace, errors="replace"):
        thread, text = line.rstrip("\n").split(None, 1)
        if text.endswith("<unfinished ...>"):
            begun[thread] = text[:-len("<unfinished ...>")]
            continue
        resumed = re.match(r"<\.\.\. \w+ resumed>(.*)", text)
        if resumed:
            text = begun.pop(thread) + resumed[1]
        call = re.match(r"(\w+)\(.*\)?\s+= (-?\d+|\?)", text)
        if call:
            yield thread, ONE_NAME.get(call[1], call[1]), text, call[2]


def wait_complete(trace):
    """strace outlives the server by a moment; its last line says how the server ended."""
    deadline = time.time() + 10
    while "+++ exited with" not in open(trace, errors="replace").read():
        if time.time() > deadline:
            sys.exit("syscalls.py: the trace has no end")
        time.sleep(0.05)


def count(trace):
    wait_complete(trace)
    phases, current, server = [], None, None
    for thread, name, text, result in calls(trace):
        if current is None and name == "accept4" and result != "-1":
            current, server = [], thread
        if current is None or thread != server or name in SHARED:
            continue
        if name == "accept4" and result == "-1":
            continue
        current.append((name, text))
        if name == "write":
            phases.append(current)
            current = []
            if len(phases) == len(PHASES):
                break
    good = len(phases) == len(PHASES)
    for (what, allowed), done in zip(PHASES, phases):
        same = sorted(name for name, _ in done) == sorted(allowed)
        good = good and same
        print(f"{what:12s} {', '.join(name for name, _ in done):44s} {'PASS' if same else 'FAIL'}")
        for name, text in [] if same else done:
            print(f"    {text[:100]}")
    if len(phases) < len(PHASES):
        print(f"only {len(phases)} of {len(PHASES)} phases in the trace")
    return 0 if good else 1


def main():
    if len(sys.argv) == 4 and sys.argv[1] == "talk":
        return talk(int(sys.argv[2]), int(sys.argv[3]))
    if len(sys.argv) == 3 and sys.argv[1] == "count":
        return count(sys.argv[2])
    sys.exit(__doc__)


if __name__ == "__main__":
    sys.exit(main())
