#!/usr/bin/env python3
"""metrics.py PORT: the part of metrics.sh that talks to a fresh server and reads its /metrics.

One client opens, sends a text, a binary in two frames and a ping, and closes; one agrees to
permessage-deflate, sends a compressed text and stays; one asks for what is not there. Then all
counts are known, down to the bytes.
"""
import socket
import sys
import time
import zlib

from prometheus_client.parser import text_string_to_metric_families

PATIENCE = 20  # seconds
FIN, RSV1 = 0x80, 0x40
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
KEY = bytes([0x37, 0xFA, 0x21, 0x3D])
NORMAL_CLOSURE = (1000).to_bytes(2, "big")
UPGRADE = ("Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n")


class Peer:
    """A connection that counts its bytes together with all others."""
    sent = received = 0

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)

    def ask(self, path, fields=""):
        self.send(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n".encode())

    def open(self, fields=""):
        self.ask("/", UPGRADE + fields)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += self.receive(1)
        expect(head.startswith(b"HTTP/1.1 101 "), f"no 101: {head}")
        return head.decode()

    def send(self, data):
        self.socket.sendall(data)
        Peer.sent += len(data)

    def say(self, first, payload, answer_first=None):
        """Sends a frame of up to 125 bytes, and expects it back."""
        masked = bytes(byte ^ KEY[at % 4] for at, byte in enumerate(payload))
        self.send(bytes([first, 0x80 | len(payload)]) + KEY + masked)
        answer = bytes([answer_first or first, len(payload)]) + payload
        heard = self.receive(len(answer))
        expect(heard == answer, f"{heard} instead of {answer}")

    def receive(self, count):
        data = b""
        while len(data) < count:
            piece = self.socket.recv(count - len(data))
            expect(piece, "the server closed the connection")
            data += piece
        Peer.received += len(data)
        return data

    def rest(self):
        """All up to the end of the stream."""
        data = b""
        while piece := self.socket.recv(65536):
            data += piece
        Peer.received += len(data)
        self.socket.close()
        return data.decode()


def expect(true, wrong):
    if not true:
        sys.exit(f"metrics.py: {wrong}")


def exchange(port):
    """Returns the client that stays, and the length of its compressed message."""
    plain = Peer(port)
    plain.open()
    plain.say(FIN | TEXT, b"hello")
    plain.say(BINARY, b"\x00\xff")
    plain.say(FIN | PING, b"?", FIN | PONG)
    plain.say(FIN | CONTINUATION, b"")
    plain.say(FIN | CLOSE, NORMAL_CLOSURE)
    expect(plain.rest() == "", "something came after the Close")

    lost = Peer(port)
    lost.ask("/nowhere")
    expect(lost.rest().startswith("HTTP/1.1 404 "), "no 404")

    deflating = Peer(port)
    head = deflating.open("Sec-WebSocket-Extensions: permessage-deflate\r\n")
    expect("permessage-deflate" in head, f"not agreed to: {head}")
    deflate = zlib.compressobj(wbits=-15)
    compressed = deflate.compress(b"hello " * 100) + deflate.flush(zlib.Z_SYNC_FLUSH)
    compressed = compressed.removesuffix(b"\x00\x00\xff\xff")  # RFC 7692 section 7.2.1
    deflating.say(FIN | RSV1 | TEXT, compressed)
    return deflating, len(compressed)


def scrape(port):
    """The text of /metrics, and how many bytes had been received before it was."""
    peer = Peer(port)
    peer.ask("/metrics")
    before = Peer.received
    head, text = peer.rest().split("\r\n\r\n", 1)
    expect("\r\nContent-Type: text/plain; version=0.0.4" in head, f"the type is wrong: {head}")
    return text, before


def parse(text):
    """Samples by name and label."""
    samples = {}
    names = []
    for family in text_string_to_metric_families(text):
        exposed = family.name + ("_total" if family.type == "counter" else "")
        names.append(exposed)
        expect(family.type in ("counter", "gauge"), f"{family.name} is of type {family.type}")
        expect(family.samples, f"{exposed} has no sample")
        for mark, words in (("TYPE", family.type), ("HELP", family.documentation)):
            line = f"# {mark} {exposed} {words}\n"
            expect(words and text.count(line) == 1, f"not once: {line}")
        for sample in family.samples:
            key = (sample.name.removeprefix("wsecho_"), *sample.labels.values())
            expect(sample.name == exposed and key not in samples, f"{sample} is out of place")
            samples[key] = sample.value
    expect(len(names) == len(set(names)), "a family is there twice")
    expect(all(name.startswith("wsecho_") for name in names), f"a name is foreign: {names}")
    return samples, len(names)


def known(scrapes, received, compressed):
    """What the counts are in the answer to the last of some scrapes."""
    return {
        ("connections_accepted_total",): 3 + scrapes,
        ("connections_open",): 2,
        ("opens_total",): 2,
        ("frames_received_total",): 6,
        ("messages_received_total",): 3,
        ("received_bytes_total",): Peer.sent,
        ("sent_bytes_total",): received,
        ("pings_received_total",): 1,
        ("pings_sent_total",): 0,
        ("buffered_bytes",): 0,
        ("budget_waits_total",): 0,
        ("deflate_opens_total",): 1,
        ("compressed_messages_total",): 1,
        ("compressed_bytes_total",): compressed,
        ("inflated_bytes_total",): len(b"hello " * 100),
        ("inflaters_in_use",): 0,
        ("accept_errors_total",): 0,
        ("shed_total",): 0,
        ("endings_total", "closed"): 1,
        ("endings_total", "refused"): 1,
        ("endings_total", "answered"): scrapes - 1,
        ("endings_total", "internal"): 0,
        ("http_answers_total", "404"): 1,
        ("http_answers_total", "200"): scrapes,
    }


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    port = int(sys.argv[1])
    stays, compressed = exchange(port)
    # A connection counts as open until the server has seen that its peer is gone too.
    deadline = time.monotonic() + PATIENCE
    scrapes, samples = 0, {}
    while samples.get(("connections_open",)) != 2:
        expect(time.monotonic() < deadline, "connections stay open")
        text, received = scrape(port)
        scrapes += 1
        samples, families = parse(text)
    stays.socket.close()
    wrong = [f"{' '.join(key)} is {samples.get(key)}, not {value}"
             for key, value in known(scrapes, received, compressed).items()
             if samples.get(key) != value]
    for line in wrong:
        print(f"metrics.py: {line}")
    print(f"{families} families, {len(samples)} samples: {'FAIL' if wrong else 'PASS'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
