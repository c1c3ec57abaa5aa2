"""A client for proxies.sh: echo, silence and drain through whatever stands in front of wsecho.

    proxies.py echo URL             one short and one long echo, and a closing handshake
    proxies.py idle URL SECONDS     silent for so long, but for pongs, then an echo
    proxies.py drain URL PID        ends the server PID, and expects Close 1001
    proxies.py known URL ADDRESS    comes from ADDRESS, and expects the server to know

URL is ws:// or wss://; certificates are not verified. Exit status 1 says what went wrong.
"""

import http.client
import os
import signal
import socket
import ssl
import struct
import sys
import time
from urllib.parse import urlsplit

PATIENCE = 15  # seconds that anything which blocks may take
TEXT, BINARY, CLOSE, PING, PONG = 0x1, 0x2, 0x8, 0x9, 0xA


def unverified():
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Client:
    def __init__(self, url):
        parts = urlsplit(url)
        self.socket = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
        if parts.scheme == "wss":
            self.socket = unverified().wrap_socket(self.socket, server_hostname=parts.hostname)
        self.rest = b""
        self.deadline = None
        lines = [
            f"GET {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", "Upgrade: websocket",
            "Connection: Upgrade", "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        ]
        self.socket.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        while b"\r\n\r\n" not in self.rest:
            self.more()
        head, self.rest = self.rest.split(b"\r\n\r\n", 1)
        status = head.split(b"\r\n", 1)[0].decode()
        assert status.split(" ")[1] == "101", status
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head, "the answer to another key"

    def more(self):
        if self.deadline:
            self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
        received = self.socket.recv(1 << 16)
        assert received, "the connection ended"
        self.rest += received

    def take(self, length):
        while len(self.rest) < length:
            self.more()
        taken, self.rest = self.rest[:length], self.rest[length:]
        return taken

    def send(self, opcode, payload=b""):
        key = os.urandom(4)
        wide = (key * (len(payload) // 4 + 1))[:len(payload)]
        mixed = int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")
        length = len(payload)
        first = 0x80 | opcode
        if length < 126:
            head = bytes([first, 0x80 | length])
        elif length < 1 << 16:
            head = struct.pack("!BBH", first, 0x80 | 126, length)
        else:
            head = struct.pack("!BBQ", first, 0x80 | 127, length)
        self.socket.sendall(head + key + mixed.to_bytes(length, "big"))

    def receive(self):
        """The next frame that is not a ping: opcode and payload."""
        while True:
            first, length = self.take(2)
            if length == 126:
                length = struct.unpack("!H", self.take(2))[0]
            elif length == 127:
                length = struct.unpack("!Q", self.take(8))[0]
            opcode, payload = first & 0xF, self.take(length)
            if opcode != PING:
                return opcode, payload
            self.send(PONG, payload)

    def echo(self, payload):
        self.send(BINARY, payload)
        assert self.receive() == (BINARY, payload), "something else came back"

    def close(self):
        self.send(CLOSE, struct.pack("!H", 1000))
        opcode, payload = self.receive()
        assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1000)), (opcode, payload)


def echo(url):
    client = Client(url)
    client.echo(b"hello")
    client.echo(os.urandom(300_000))
    client.close()


def idle(url, seconds):
    client = Client(url)
    client.deadline = time.monotonic() + float(seconds)
    try:
        raise AssertionError(f"{client.receive()} out of silence")
    except TimeoutError:
        client.deadline = None
    client.socket.settimeout(PATIENCE)
    client.echo(b"still here")
    client.close()


def drain(url, pid):
    client = Client(url)
    client.echo(b"hello")
    os.kill(int(pid), signal.SIGTERM)
    opcode, payload = client.receive()
    assert (opcode, payload[:2]) == (CLOSE, struct.pack("!H", 1001)), (opcode, payload)
    client.send(CLOSE, payload[:2])


def known(url, address):
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(
        parts.hostname, parts.port, timeout=PATIENCE, source_address=(address, 0))
    connection.request("GET", "/info")
    said = connection.getresponse().read().decode()
    assert f'"{address}:' in said or f'"peer":"{address}"' in said, said


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    actions = {"echo": echo, "idle": idle, "drain": drain, "known": known}
    try:
        actions[sys.argv[1]](*sys.argv[2:])
    except (AssertionError, OSError) as error:
        sys.exit(f"{sys.argv[1]} {sys.argv[2]}: {error}")
