#!/usr/bin/env python3
"""What a server takes for TLS: processor time for each message and handshake, memory at rest.

tls_client.py PORT PID SECONDS [--handshakes]    prints one JSON object; only the handshakes if asked

The figures are those of the server's process, from /proc, so this client may be slow: it only has
to keep the server from being idle for most of what it counts, which is work and not time. Client
and server should have a core each. Python's ssl is OpenSSL.
"""

import json
import os
import socket
import ssl
import sys
import time

REQUEST = (b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
TICKS = os.sysconf("SC_CLK_TCK")
IDLE = 1000


class Server:
    def __init__(self, port, pid):
        self.port, self.pid = port, pid
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.context.check_hostname, self.context.verify_mode = False, ssl.CERT_NONE

    def processor(self):
        """Seconds of processor time so far; nanoseconds are kept for each task."""
        total = 0
        for task in os.listdir("/proc/%d/task" % self.pid):
            with open("/proc/%d/task/%s/schedstat" % (self.pid, task)) as stat:
                total += int(stat.read().split()[0])
        return total / 1e9

    def resident(self):
        with open("/proc/%d/status" % self.pid) as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmRSS")) * 1024

    def speak(self, version):
        """From now on this version of TLS."""
        self.context.minimum_version = self.context.maximum_version = version

    def connect(self, session=None):
        plain = socket.create_connection(("127.0.0.1", self.port), 20)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return self.context.wrap_socket(plain, server_hostname="localhost", session=session)

    def open(self, session=None):
        tls = self.connect(session)
        tls.sendall(REQUEST)
        head = b""
        while b"\r\n\r\n" not in head:
            head += tls.recv(4096) or sys.exit("no handshake")
        return tls

    def message(self, length, pipeline, seconds):
        """Microseconds for a message, on eight connections that are served in turn."""
        size = (bytes([length]) if length < 126 else b"\x7e" + length.to_bytes(2, "big"))
        frame = b"\x82" + bytes([size[0] | 128]) + size[1:] + bytes(4) + bytes(length)
        batch, echo = frame * pipeline, (1 + len(size) + length) * pipeline
        peers = [self.open() for _ in range(8)]
        for warm in (True, False):
            count, start, until = 0, self.processor(), time.monotonic() + seconds
            while time.monotonic() < until and (count < 64 or not warm):
                for peer in peers:
                    peer.sendall(batch)
                for peer in peers:
                    left = echo
                    while left:
                        left -= len(peer.recv(left)) or sys.exit("the server has closed")
                count += len(peers) * pipeline
        spent = self.processor() - start
        for peer in peers:
            peer.close()
        return spent / count * 1e6

    def handshake(self, seconds, resume):
        """Microseconds for a handshake, the request and the end included."""
        session = None
        if resume:
            with self.open() as first:
                session = first.session
        start, count, until = self.processor(), 0, time.monotonic() + seconds
        while time.monotonic() < until:
            with self.open(session) as tls:
                assert tls.session_reused == resume, "not resumed" if resume else "resumed"
                session = tls.session if resume else None
            count += 1
        return (self.processor() - start) / count * 1e6

    def idle(self):
        """Bytes of memory for a connection at rest that has echoed something."""
        before = self.resident()
        peers = []
        for _ in range(IDLE):
            peer = self.open()
            peer.sendall(b"\x81\x85" + bytes(4) + b"hello")
            peer.recv(100)
            peers.append(peer)
        after = self.resident()
        for peer in peers:
            peer.close()
        return (after - before) / IDLE


def main():
    server, seconds = Server(int(sys.argv[1]), int(sys.argv[2])), float(sys.argv[3])
    # Whatever grows with the first connections has grown then.
    for _ in range(20):
        server.open().close()
    figures = {} if "--handshakes" in sys.argv else messages(server, seconds)
    for version, name in ((ssl.TLSVersion.TLSv1_2, "tls12"), (ssl.TLSVersion.TLSv1_3, "tls13")):
        server.speak(version)
        figures["us_handshake_" + name] = round(server.handshake(seconds, False), 1)
        figures["us_resumed_" + name] = round(server.handshake(seconds, True), 1)
    json.dump(figures, sys.stdout)
    print()


def messages(server, seconds):
    figures = {"idle_bytes": round(server.idle())}
    for length, pipeline in ((5, 1), (5, 16), (1024, 4), (16384, 4)):
        name = "us_%d_bytes_pipeline_%d" % (length, pipeline)
        figures[name] = round(server.message(length, pipeline, seconds), 3)
    return figures


if __name__ == "__main__":
    main()
