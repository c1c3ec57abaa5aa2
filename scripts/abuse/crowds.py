"""Attacks by numbers: rooms, floods of connections, too few descriptors."""

import time

from arena import STARVING, attack
from wire import BINARY, TEXT, Gone, Peer, frame, pour, request

LONG = request(padding=7000)
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n"


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def tiny_messages(arena):
    """A member of each of 40 rooms sends messages of two bytes without end to one who does not
    read."""
    rooms = [f"/broadcast/{number}" for number in range(40)]
    for room in rooms:
        arena.open(room, window=4096)
    speakers = [arena.open(room) for room in rooms]
    pour(speakers, frame(BINARY, b"hi") * 4000, 6)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def deaf_members(arena):
    """20 members of a chat room speak as fast as they may to 200 who do not read."""
    arena.crowd(200, "/chat/den", window=4096)
    said = frame(TEXT, b'{"type":"chat","message":"%s"}' % (b"x" * 400))
    speakers = arena.crowd(20, "/chat/den")
    end = time.monotonic() + 5
    while time.monotonic() < end:
        for speaker in speakers:
            speaker.set_free().push(said)
            speaker.sip(1 << 20)
        arena.hold(0.1)


@attack(budget=4, p99_ms=500)
def room_exodus(arena):
    """3000 members of a chat room end at the same moment."""
    with arena.at_once():
        members = [arena.peer() for _ in range(3000)]
        for member in members:
            member.send(request("/chat/den"))
    everybody_in(members)
    with arena.at_once():
        for member in members:
            member.reset()
    arena.hold(1)


def everybody_in(members):
    """Waits until the last to come has been welcomed and nobody has anything left to read."""
    for member in members:
        member.read(1)
        member.set_free()
    quiet = 0
    while quiet < 3:
        quiet = 0 if any([member.sip(1 << 20) for member in members]) else quiet + 1
        time.sleep(0.05)


@attack("--handshake-timeout", "3s")
def slow_loris(arena):
    """1000 peers send a request head by one byte ten times a second."""
    peers = [arena.peer().set_free() for _ in range(1000)]
    end = time.monotonic() + 5
    while time.monotonic() < end:
        peers = [peer for peer in peers if drip(peer)]
        arena.hold(0.1)
    arena.expect(not peers, f"{len(peers)} are still there after the handshake timeout")


def drip(peer):
    """One byte more; false when the server has ended it."""
    try:
        if peer.socket.recv(1000) is not None:
            return False
    except BlockingIOError:
        pass
    except OSError:
        return False
    peer.at += 1
    try:
        return peer.socket.send(LONG[peer.at - 1:peer.at]) == 1
    except OSError:
        return False


@attack("--handshake-timeout", "2s")
def half_open(arena):
    """8000 peers connect; half of them say nothing, half send half of a request head."""
    start = request()[:70]
    for at in range(8000):
        arena.peer().send(start if at % 2 else b"")
    arena.hold(4)


@attack()
def rst_storm(arena):
    """Peers connect, shake hands, send half of a frame and reset, without a pause."""
    said = request() + frame(BINARY, bytes(5000))[:3000]
    end = time.monotonic() + 4
    while time.monotonic() < end:
        storm = [Peer(arena.port) for _ in range(100)]
        for at, peer in enumerate(storm):
            if at % 3:
                peer.send(said)
        for peer in storm:
            peer.reset()


@attack()
def ten_thousand(arena):
    """10 000 connections open, have a message echoed, and go."""
    for at in range(0, 10_000, 500):
        some = [Peer(arena.port) for _ in range(500)]
        for peer in some:
            peer.send(request() + frame(TEXT, b"hello"))
        for peer in some:
            peer.read_head()
            arena.expect(peer.read_frame()[1] == b"hello", "an echo was wrong")
        for number, peer in enumerate(some):
            peer.close() if number % 2 and at < 5000 else peer.reset()


@attack(descriptors=64)
def few_descriptors(arena):
    """200 peers want to connect where 64 files may be open; there has to be room for ten, the rest
    must be told, and the first to come served all along."""
    first = [arena.peer() for _ in range(10)]
    served = 0
    for peer in first:
        try:
            peer.open()
            peer.send(frame(TEXT, b"hello"))
            served += peer.read_frame()[1] == b"hello"
        except Gone:
            continue
    arena.expect(served >= 8, f"only {served} of 10 were served")
    end = time.monotonic() + 3
    while time.monotonic() < end:
        crowd = [Peer(arena.port) for _ in range(200)]
        for peer in crowd:
            try:
                peer.send(HEALTH)
            except Gone:
                continue
        arena.hold(0.2)
        for peer in crowd:
            peer.reset()
    arena.hold(0.5)
