"""Chat clients: as much of WebSocket as they need, and what they have heard."""

import json
import os
import select
import socket
import struct
import time

REQUEST = (
    "GET /chat/{} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


class Member:
    """Somebody in a room, at one process."""

    def __init__(self, port, room="den"):
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.sendall(REQUEST.format(room).encode())
        self.socket.setblocking(False)
        self.bytes = bytearray()
        self.head = True
        self.heard = []
        self.open = True

    def say(self, **fields):
        self.send(0x81, json.dumps(fields).encode())

    def send(self, first, payload):
        key = os.urandom(4)
        masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
        length = len(payload)
        size = bytes([0x80 | length]) if length < 126 else b"\xfe" + struct.pack(">H", length)
        self.socket.setblocking(True)
        self.socket.sendall(bytes([first]) + size + key + masked)
        self.socket.setblocking(False)

    def read(self):
        """Reads what has come. The server closes only when it is told to, or killed."""
        try:
            data = self.socket.recv(1 << 18)
        except BlockingIOError:
            return
        except ConnectionResetError:
            data = b""
        if not data:
            self.open = False
            return
        self.bytes += data
        if self.head:
            end = self.bytes.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self.bytes.startswith(b"HTTP/1.1 101 "), bytes(self.bytes[:end])
            del self.bytes[: end + 4]
            self.head = False
        at = 0
        while len(self.bytes) - at >= 2:
            first, size = self.bytes[at], self.bytes[at + 1]
            start = at + 2
            if size == 126:
                if len(self.bytes) < at + 4:
                    break
                size, start = struct.unpack_from(">H", self.bytes, at + 2)[0], at + 4
            if len(self.bytes) < start + size:
                break
            if first == 0x89:
                self.send(0x8A, bytes(self.bytes[start : start + size]))
            if first == 0x81:
                self.heard.append(json.loads(self.bytes[start : start + size]))
            at = start + size
        del self.bytes[:at]

    def messages(self):
        """All that was said, as (who, which)."""
        said = [heard["message"] for heard in self.heard if heard["type"] == "chat"]
        return [tuple(map(int, message.split("."))) for message in said]

    def notices(self):
        return [heard["message"] for heard in self.heard if heard["type"] == "system"]


class Crowd:
    """Members, read together."""

    def __init__(self):
        self.members = []

    def join(self, port, room="den"):
        member = Member(port, room)
        self.members.append(member)
        return member

    def read_until(self, done, seconds):
        """True if `done()` holds within so many seconds."""
        until = time.monotonic() + seconds
        poll = select.poll()
        for member in self.members:
            if member.open:
                poll.register(member.socket, select.POLLIN)
        by_number = {member.socket.fileno(): member for member in self.members}
        while not done():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for number, _ in poll.poll(min(left, 0.2) * 1000):
                by_number[number].read()
                if not by_number[number].open:
                    poll.unregister(number)
        return True

    def forget(self):
        for member in self.members:
            member.heard.clear()

    def leave(self):
        for member in self.members:
            member.socket.close()
        self.members.clear()
