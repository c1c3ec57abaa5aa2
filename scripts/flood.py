#!/usr/bin/env python3
"""flood.py PORT: a client that sends 64 KiB messages for ever and never reads.

Prints "blocked" once nothing more has gone out for half a second, "moved" if it ever does again,
and ends when it is told to (SIGTERM) or when the server closes the connection ("closed").
"""
import select
import socket
import sys

HEAD = (b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
KEY = bytes([0x37, 0xFA, 0x21, 0x3D])
FRAME = b"\x82\xff" + (65536).to_bytes(8, "big") + KEY + bytes(65536)


def say(word):
    print(word, flush=True)


def main():
    if len(sys.argv) != 2 or sys.argv[1] == "--help":
        sys.exit(__doc__)
    s = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    s.sendall(HEAD)
    if not s.recv(4096).startswith(b"HTTP/1.1 101"):
        sys.exit("flood.py: no 101")
    s.setblocking(False)
    at, blocked = 0, False
    while True:
        if not select.select([], [s], [], None if blocked else 0.5)[1]:
            blocked = True
            say("blocked")
            continue
        if blocked:
            blocked = False
            say("moved")
        try:
            at = (at + s.send(FRAME[at:])) % len(FRAME)
        except BlockingIOError:
            pass
        except OSError:
            return say("closed")


if __name__ == "__main__":
    main()
