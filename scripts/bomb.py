"""Sends messages of 1 GiB of zeros, a thousand times smaller when compressed, again and again.

bomb.py PORT: says "sending" before the first and "echoed" when 5 seconds have passed and the last
has come back as it went.
"""

import os
import socket
import struct
import sys
import time
import zlib

GIB = 1 << 30
SECONDS = 5


def bomb():
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = bytes(1 << 20)
    parts = [deflate.compress(zeros) for _ in range(GIB // len(zeros))]
    parts.append(deflate.flush(zlib.Z_SYNC_FLUSH))
    return b"".join(parts)[:-4]


def read_exactly(connection, count):
    data = bytearray()
    while len(data) < count:
        data += connection.recv(min(count - len(data), 1 << 16)) or sys.exit("closed")
    return bytes(data)


def main(port):
    payload = bomb()
    key = os.urandom(4)
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    head = struct.pack("!BBQ", 0xC2, 0x80 | 127, len(payload))
    connection = socket.create_connection(("127.0.0.1", port))
    connection.sendall(
        b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    answer = b""
    while not answer.endswith(b"\r\n\r\n"):
        answer += connection.recv(4096) or sys.exit("closed")
    assert b"permessage-deflate" in answer, answer
    print("sending", flush=True)
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        connection.sendall(head + key + masked)
        echo = read_exactly(connection, 10 + len(payload))
        assert echo == struct.pack("!BBQ", 0xC2, 127, len(payload)) + payload
    print("echoed", flush=True)


main(int(sys.argv[1]))
