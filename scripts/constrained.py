"""constrained.py PORT PID USAGE: the part of constrained.sh that talks to the server.

Opens connections until one is refused, has some of them flood without reading, and prints what
was seen, a figure a line. USAGE is the file with the group's memory in bytes.
"""

import select
import socket
import sys
import time

PORT, PID, USAGE = int(sys.argv[1]), sys.argv[2], sys.argv[3]
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
MOST = 4000
FLOODERS = 64
FLOOD_SECONDS = 10


def connect():
    peer = socket.create_connection(("127.0.0.1", PORT), timeout=60)
    peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return peer


def status_of(peer):
    head = b""
    while b"\r\n\r\n" not in head:
        chunk = peer.recv(4096)
        if not chunk:
            break
        head += chunk
    return head[9:12].decode()


def ask(path):
    with connect() as peer:
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n\r\n".encode())
        return status_of(peer)


def group_bytes():
    with open(USAGE, encoding="ascii") as file:
        return int(file.read())


def own_bytes():
    with open(f"/proc/{PID}/status", encoding="ascii") as file:
        lines = dict(line.split(":", 1) for line in file)
    return int(lines["RssAnon"].split()[0]) * 1024


def open_all():
    """Connections until one is refused; how it was."""
    peers = []
    while len(peers) < MOST:
        peer = connect()
        peer.sendall(REQUEST)
        status = status_of(peer)
        if status != "101":
            return peers, status
        peers.append(peer)
    return peers, "nobody"


def flood(peers):
    """Messages that nobody reads the echo of, for a while."""
    frame = b"\x82\xff" + (1 << 20).to_bytes(8, "big") + bytes(4) + bytes(1 << 20)
    for peer in peers:
        peer.setblocking(False)
    sent = 0
    until = time.monotonic() + FLOOD_SECONDS
    while time.monotonic() < until:
        _, writable, _ = select.select([], peers, [], 0.5)
        for peer in writable:
            try:
                sent += peer.send(frame)
            except BlockingIOError:
                pass
            except OSError:
                peers.remove(peer)
    return sent


def main():
    group, own = group_bytes(), own_bytes()
    peers, refused = open_all()
    count = max(len(peers), 1)
    print(f"connections: {len(peers)}")
    print(f"refused with: {refused}")
    print(f"own bytes per idle connection: {(own_bytes() - own) // count}")
    print(f"all bytes per idle connection: {(group_bytes() - group) // count}")
    flooders, rest = peers[:FLOODERS], peers[FLOODERS:]
    sent = flood(flooders)
    print(f"flood of MiB: {sent >> 20}")
    print(f"group with the flood of MiB: {group_bytes() >> 20}")
    for peer in rest[:200]:
        peer.close()
    for peer in flooders:
        peer.close()
    deadline = time.monotonic() + 60
    while (health := ask("/healthz")) != "200" and time.monotonic() < deadline:
        pass
    print(f"health after the flood: {health}")


main()
