"""Attacks by way of permessage-deflate."""

import os

from arena import STARVING, attack
from wire import (BINARY, CONTINUATION, DEFLATE, NARROW, PONG, RSV1, TEXT, Gone, deflated,
                  frame, inflated, pour)

MIB = 1 << 20
EITHER = f"{NARROW}, {DEFLATE}"
PONGS = frame(PONG) * 12
# 30 KiB that inflate to 30 MiB.
BOMB = frame(BINARY, deflated(bytes(30 * MIB)), compressed=True)


@attack("--max-message-size", "1m")
def foreign_plaintext(arena):
    """One client's compressed text is cut off by an error; the next must hear only itself. Errors
    are bad text, corrupt data and a message that is too long."""
    secret = os.urandom(2000).hex().encode()
    corrupt = deflated(secret)[:-20] + b"\xff" * 20
    too_long = deflated(secret * 300)
    for wrong in (deflated(secret + b"\xff"), deflated(secret + b"\xc3"), corrupt, too_long):
        for offer in (NARROW, DEFLATE):
            author = arena.peer()
            author.open(offer=offer)
            author.send(frame(TEXT, wrong, compressed=True))
            author.rest(0.2)
            reader = arena.peer()
            compress = DEFLATE in reader.open(offer=offer)
            reader.send(frame(TEXT, deflated(b"mine") if compress else b"mine",
                              compressed=compress))
            first, payload = reader.read_frame()
            heard = inflated(payload) if first & RSV1 else payload
            arena.expect(heard == b"mine", f"a reader of its own echo got {len(heard)} bytes")


@attack("--stall-timeout", "3s", **STARVING)
def ten_sockets(arena):
    """Twelve peers that offer a small window send empty pongs and 30 MiB of zeros as 30 KiB, and
    hardly read."""
    peers = arena.crowd(12, offer=EITHER, window=4096)
    pour(peers, PONGS + BOMB, 8, sip=200)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def two_hundred_bombs(arena):
    """200 peers begin a message and then send 5.4 MiB of zeros as 5.4 KiB each, without reading."""
    bomb = deflated(bytes(int(5.4 * MIB)))
    begun = frame(BINARY, bomb[:10], fin=False, compressed=True)
    peers = arena.crowd(200, offer=EITHER, window=4096, said=begun)
    arena.hold(0.5)
    for peer in peers:
        peer.send(PONGS + frame(CONTINUATION, bomb[10:]))
    arena.hold(4)


@attack("--stall-timeout", "2s")
def hoarded_inflaters(arena):
    """400 peers begin a compressed message in fragments and stop. Others that negotiated
    compression must go on, uncompressed at once and compressed when the hoarders' time is over."""
    part = deflated(os.urandom(300))[:100]
    arena.crowd(400, offer=DEFLATE, said=frame(BINARY, part, fin=False, compressed=True))
    arena.hold(0.5)
    for payload, compressed, seconds in ((b"plain", False, 2), (deflated(b"packed"), True, 10)):
        other = arena.open(offer=DEFLATE)
        other.socket.settimeout(seconds)
        try:
            other.send(frame(BINARY, payload, compressed=compressed))
            first, heard = other.read_frame()
            arena.expect(heard == payload, f"instead of an echo: {bytes([first])} {heard[:60]}")
        except Gone as gone:
            kind = "compressed" if compressed else "uncompressed"
            arena.faults.append(f"no {kind} echo within {seconds} s: {gone}")


@attack()
def bombs_of_pongs(arena):
    """20 peers send empty pongs between bombs, so that each slice of inflating looks paid for."""
    small = frame(BINARY, deflated(bytes(MIB)), compressed=True)
    peers = arena.crowd(20, offer=DEFLATE)
    pour(peers, (frame(PONG) * 500 + small) * 8, 4, sip=MIB, every=0.01)


@attack()
def empty_blocks(arena):
    """20 peers send compressed messages of nothing but empty blocks, in thousands of fragments."""
    blocks = b"\x00\x00\x00\xff\xff" * 200
    middle = frame(CONTINUATION, blocks, fin=False) * 50
    message = frame(BINARY, blocks, fin=False, compressed=True) + middle
    peers = arena.crowd(20, offer=DEFLATE)
    pour(peers, message + frame(CONTINUATION, b"\x00"), 4, sip=MIB, every=0.01)


@attack()
def resets(arena):
    """20 peers send the shortest compressed messages, each of which resets an inflater."""
    peers = arena.crowd(20, offer=DEFLATE)
    pour(peers, frame(TEXT, deflated(b"a"), compressed=True) * 2000, 4, sip=MIB, every=0.01)


@attack("--deflate", "takeover", budget=4)
def takeover_inflaters(arena):
    """1000 peers send one compressed message each where contexts are kept, and stay."""
    said = frame(TEXT, deflated(b"hello " * 20), compressed=True)
    arena.crowd(1000, offer=DEFLATE, said=said)
    arena.hold(1)


@attack("--deflate", "takeover", budget=4)
def takeover_halves(arena):
    """500 peers keep a context and begin one more message each, half of which stays away."""
    first = frame(TEXT, deflated(b"first"), compressed=True)
    second = frame(BINARY, deflated(os.urandom(600)), compressed=True)
    arena.crowd(500, offer=DEFLATE, said=first + second[:300])
    arena.hold(1)
