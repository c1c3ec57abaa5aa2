"""Attacks by peers that say half of something, or do not listen."""

import os
import time

from arena import STARVING, attack
from wire import (BINARY, CLOSE, CONTINUATION, FIN, PING, TEXT, Gone, frame, pour,
                  request)

MIB = 1 << 20


def echo_of(payload):
    return bytes([FIN | BINARY, 126]) + len(payload).to_bytes(2, "big") + payload


@attack("--stall-timeout", "1s", "--close-timeout", "1s")
def close_in_payload(arena):
    """Half of a binary frame, then silence for longer than the stall timeout. No Close may stand in
    the payload that is being echoed."""
    payload = os.urandom(30_000)
    for path in ("/", "/?welcome=x", "/info", "/?no-pong"):
        peer = arena.open(path)
        peer.send(frame(BINARY, payload)[:15_000])
        heard = peer.rest(2)
        echo = echo_of(payload)
        at = heard.find(echo[:4])  # behind a welcome message, or the mirrored request
        arena.expect(at < 0 or echo.startswith(heard[at:]),
                     f"{path}: {heard[-12:].hex()} stands in the payload")


@attack("--ping-interval", "500ms", "--stall-timeout", "4s")
def ping_in_payload(arena):
    """A reply goes out by a byte a second while keep-alive pings fall due. No ping may stand in
    it."""
    for path in ("/?rate=1", "/?rate=1&ping=300"):
        payload = os.urandom(1000)
        peer = arena.open(path)
        peer.send(frame(BINARY, payload))
        heard = peer.rest(2.5)
        while heard.startswith(b"\x89\x00"):
            heard = heard[2:]
        arena.expect(echo_of(payload).startswith(heard), f"{path}: {heard.hex()} is no echo")


@attack("--handshake-timeout", "3s", budget=4)
def partial_heads(arena):
    """4000 peers send 7.5 KiB of a request head each and stop."""
    start = request(padding=7400)[:7500]
    for _ in range(4000):
        arena.peer().send(start)
    arena.hold(4)


@attack(budget=4)
def mirrored_requests(arena):
    """2000 peers have a head of 8 KiB mirrored a minute later."""
    arena.crowd(2000, "/?mirror&delay=60000", padding=7000)
    arena.hold(1)


@attack(budget=4)
def delayed_replies(arena):
    """1000 peers have replies of 60 KiB delayed by a minute."""
    pour(arena.crowd(1000, "/?delay=60000"), frame(BINARY, bytes(60 * 1024)), 3)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def held_texts(arena):
    """2000 peers send all but the end of a text of 16 KiB, which is held until it is whole."""
    arena.crowd(2000, said=frame(TEXT, b"a" * 16_000)[:-100])
    arena.hold(4)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def deaf_floods(arena):
    """200 peers send without end and never read."""
    peers = arena.crowd(200, window=4096)
    pour(peers, frame(BINARY, bytes(64 * 1024)), 5)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def slow_readers(arena):
    """The same, but each takes 200 bytes now and then, so that it never stalls."""
    peers = arena.crowd(200, window=4096)
    pour(peers, frame(BINARY, bytes(64 * 1024)), 8, sip=200)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def ping_floods(arena):
    """200 peers send pings without end and never read."""
    peers = arena.crowd(200, window=4096)
    pour(peers, frame(PING, b"?" * 125) * 500, 5)


@attack("--stall-timeout", "3s", budget=4, **STARVING)
def single_byte_replies(arena):
    """50 peers have their messages taken apart into frames of one byte, and do not read."""
    peers = arena.crowd(50, "/?fragment=1", window=4096)
    pour(peers, frame(BINARY, bytes(30_000)), 5)


@attack()
def empty_fragments(arena):
    """10 peers send nothing but empty fragments, and come again when they are ended."""
    end = time.monotonic() + 4
    while (left := end - time.monotonic()) > 0:
        peers = arena.crowd(10, said=frame(TEXT, fin=False))
        pour(peers, frame(CONTINUATION, fin=False) * 5000, min(1, left), sip=MIB, every=0.01)
        for peer in peers:
            peer.reset()


@attack()
def finish_before_reading(arena):
    """A client sends 12 MiB as one message before it reads the first byte of the reply."""
    payload = os.urandom(12 * MIB)
    for opcode in (BINARY, TEXT):
        said = payload if opcode == BINARY else payload[:6 * MIB].hex().encode()
        client = arena.open()
        client.socket.settimeout(5)
        try:
            client.send(frame(opcode, said))
            first, heard = client.read_frame()
            arena.expect((first, heard) == (FIN | opcode, said), "the echo was wrong")
        except Gone as gone:
            arena.faults.append(f"12 MiB were not echoed to a client that reads last: {gone}")


@attack()
def closing_floods(arena):
    """100 peers send a Close and go on sending behind it, unread."""
    peers = arena.crowd(100, window=4096, said=frame(CLOSE, b"\x03\xe8"))
    pour(peers, frame(BINARY, bytes(64 * 1024)), 3)
