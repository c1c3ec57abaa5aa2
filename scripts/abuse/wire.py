"""A client that obeys no rule: sockets, handshakes, frames and compressed payloads.

`Peer` blocks with a timeout until `set_free` is called; `pour` drives many peers that have been.
"""

import os
import selectors
import socket
import struct
import time
import zlib

PATIENCE = 10  # seconds that anything which blocks may take
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
FIN, RSV1 = 0x80, 0x40
DEFLATE = "permessage-deflate"
# A window smaller than the client's own: once served by compressing anew.
NARROW = "permessage-deflate; server_max_window_bits=10"


class Gone(Exception):
    """The server has closed or reset the connection, or did not answer in time."""


def request(path="/", offer=None, padding=0):
    """An opening handshake, with `padding` bytes in fields that mean nothing."""
    lines = [
        f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade",
        "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    ]
    if offer:
        lines.append(f"Sec-WebSocket-Extensions: {offer}")
    while padding > 0:
        lines.append("X-Padding: " + "x" * min(padding, 1000))
        padding -= 1000
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def masked(payload, key):
    wide = (key * (len(payload) // 4 + 1))[:len(payload)]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(wide, "big")
    return mixed.to_bytes(len(payload), "big")


def head(first, length):
    """A client's frame head up to the masking key."""
    if length < 126:
        return bytes([first, 0x80 | length])
    if length < 1 << 16:
        return struct.pack("!BBH", first, 0x80 | 126, length)
    return struct.pack("!BBQ", first, 0x80 | 127, length)


def frame(opcode, payload=b"", fin=True, compressed=False):
    first = opcode | (FIN if fin else 0) | (RSV1 if compressed else 0)
    key = os.urandom(4)
    return head(first, len(payload)) + key + masked(payload, key)


def deflated(payload):
    """A whole message's payload, without the tail that RFC 7692 section 7.2.1 takes away."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    return (deflate.compress(payload) + deflate.flush(zlib.Z_SYNC_FLUSH))[:-4]


def inflated(payload):
    return zlib.decompressobj(-15).decompress(payload + b"\x00\x00\xff\xff")


class Peer:
    """A connection to the server at `port`, whose receive buffer is `window` bytes if given."""
    sources = 0

    def __init__(self, port, window=None, patience=PATIENCE):
        self.socket = socket.socket()
        self.socket.settimeout(patience)
        if window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        # Many connections a second would use up the ports of one source address.
        Peer.sources += 1
        self.socket.bind((f"127.0.{Peer.sources // 4000 % 200 + 1}.1", 0))
        self.at = 0
        try:
            self.socket.connect(("127.0.0.1", port))
        except OSError as error:
            raise Gone(f"connect: {error}") from error

    def open(self, path="/", offer=None, padding=0):
        """Shakes hands; returns the head of the response."""
        self.send(request(path, offer, padding))
        answer = self.read_head()
        if not answer.startswith(b"HTTP/1.1 101 "):
            raise Gone(answer.split(b"\r\n")[0].decode())
        return answer.decode()

    def read_head(self):
        answer = b""
        while not answer.endswith(b"\r\n\r\n"):
            answer += self.read(1)
        return answer

    def send(self, data):
        try:
            self.socket.sendall(data)
        except OSError as error:
            raise Gone(f"send: {error}") from error

    def read(self, count):
        """Exactly `count` bytes."""
        data = bytearray()
        while len(data) < count:
            data += self.read_some(count - len(data))
        return bytes(data)

    def read_some(self, most):
        try:
            piece = self.socket.recv(min(most, 1 << 20))
        except OSError as error:
            raise Gone(f"read: {error}") from error
        if not piece:
            raise Gone("the server closed the connection")
        return piece

    def read_frame(self):
        """The first byte and the payload of the next frame."""
        first, length = self.read(2)
        if length == 126:
            length = int.from_bytes(self.read(2), "big")
        elif length == 127:
            length = int.from_bytes(self.read(8), "big")
        return first, self.read(length)

    def rest(self, seconds):
        """What comes until the end of the stream, or within `seconds`."""
        data, end = bytearray(), time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                piece = self.socket.recv(1 << 16)
            except OSError:
                break
            if not piece:
                break
            data += piece
        return bytes(data)

    def set_free(self):
        """From here on nothing blocks."""
        self.socket.setblocking(False)
        return self

    def push(self, stream):
        """Sends of `stream`, which repeats for ever, as much as goes. False when it is over."""
        try:
            self.at = (self.at + self.socket.send(stream[self.at:])) % len(stream)
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def sip(self, count):
        """Reads up to `count` bytes if there are any; how many there were."""
        try:
            return len(self.socket.recv(count))
        except OSError:
            return 0

    def close(self):
        self.socket.close()

    def reset(self):
        """Ends with RST, so that nothing lingers on this machine."""
        if self.socket.fileno() < 0:
            return
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


def pour(peers, stream, seconds, sip=0, every=0.25):
    """Sends `stream` over and over on all `peers` for `seconds`, as far as the server takes it, and
    reads up to `sip` bytes of each `every` so many seconds. Returns how many peers are left."""
    selector = selectors.DefaultSelector()
    for peer in peers:
        selector.register(peer.set_free().socket, selectors.EVENT_WRITE, peer)
    end = time.monotonic() + seconds
    next_sip = time.monotonic() + every
    while (now := time.monotonic()) < end:
        if sip and now >= next_sip:
            next_sip = now + every
            for peer in peers:
                peer.sip(sip)
        if not selector.get_map():
            break
        for key, _ in selector.select(min(0.05, end - now)):
            if not key.data.push(stream):
                selector.unregister(key.fileobj)
    return len(selector.get_map())
