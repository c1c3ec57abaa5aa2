"""Clients that come back when their connection ends, and remember how it ended."""

import asyncio
import json
import os
import random
import struct
import time
from collections import deque
from dataclasses import dataclass

TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
CLOSE_GOING_AWAY = 1001
SAY_INTERVAL = 0.25
PATIENCE = 10


@dataclass
class Life:
    """One connection of a client."""

    address: str
    opened: float
    ended: float | None = None
    # Of the server's Close; None if the connection was cut.
    code: int | None = None
    # Messages that did not come back.
    lost: int = 0

    def covers(self, begin, end):
        return self.opened <= begin and (self.ended is None or self.ended >= end)


def frame(opcode, payload):
    key = os.urandom(4)
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(payload))
    assert len(payload) < 126, "short frames only"
    return bytes([0x80 | opcode, 0x80 | len(payload)]) + key + masked


class Client:
    """Says `number.sequence` to an echo for ever, and expects it back."""

    path = "/"

    def __init__(self, number, port):
        self.number, self.port = number, port
        self.source = f"127.1.{number // 250}.{number % 250 + 1}"
        self.lives = []
        # What was more than a reconnect: handshakes that failed.
        self.refusals = []
        # What no fault of a server excuses.
        self.faults = []
        self.speaks = True
        self.said = 0
        self.pending = deque()
        self.writer = None
        self.leaving = False
        self.task = asyncio.create_task(self.live())

    @property
    def life(self):
        """The connection that is open."""
        return self.lives[-1] if self.lives and self.lives[-1].ended is None else None

    def endings_since(self, moment):
        return [life for life in self.lives if life.ended is not None and life.ended >= moment]

    async def live(self):
        while not self.leaving:
            try:
                reader = await asyncio.wait_for(self.open(), PATIENCE)
            except (OSError, EOFError, AssertionError) as error:
                self.refusals.append((time.monotonic(), str(error) or repr(error)))
                await asyncio.sleep(random.uniform(0.1, 0.3))
                continue
            speaker = asyncio.create_task(self.speak())
            code = None
            try:
                code = await self.listen(reader)
            except (OSError, EOFError):
                pass
            speaker.cancel()
            self.lives[-1].code = code
            self.lives[-1].ended = time.monotonic()
            self.lives[-1].lost = 0 if self.leaving else len(self.pending)
            self.pending.clear()
            self.writer.close()

    async def open(self):
        reader, self.writer = await asyncio.open_connection(
            "127.0.0.1", self.port, local_addr=(self.source, 0))
        self.writer.write(
            f"GET {self.path} HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            .encode())
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 101 "), head.split(b"\r\n")[0].decode()
        address, port = self.writer.get_extra_info("sockname")
        self.lives.append(Life(f"{address}:{port}", time.monotonic()))
        return reader

    async def listen(self, reader):
        """Until the end; the code of the server's Close."""
        while True:
            first, length = await reader.readexactly(2)
            if length == 126:
                [length] = struct.unpack(">H", await reader.readexactly(2))
            payload = await reader.readexactly(length)
            opcode = first & 0xF
            if opcode == TEXT:
                self.hear(payload.decode())
            elif opcode == PING:
                self.writer.write(frame(PONG, payload))
            elif opcode == CLOSE:
                if not self.leaving:
                    self.writer.write(frame(CLOSE, payload[:2]))
                await reader.read()
                return struct.unpack(">H", payload[:2])[0]

    async def speak(self):
        await asyncio.sleep(random.uniform(0, SAY_INTERVAL))
        while self.speaks:
            self.said += 1
            text = f"{self.number}.{self.said}"
            self.pending.append(text)
            self.say(text)
            await asyncio.sleep(SAY_INTERVAL)

    def say(self, text):
        self.writer.write(frame(TEXT, text.encode()))

    def hear(self, text):
        if not self.pending or self.pending.popleft() != text:
            self.faults.append(f"echo of {text} out of order, or of somebody else's message")

    async def leave(self):
        self.leaving = True
        if self.life:
            self.writer.write(frame(CLOSE, struct.pack(">H", 1000)))
        await self.task


@dataclass
class Said:
    """A message of a room."""

    speaker: "Member"
    at: float
    # Whether its speaker has heard it.
    back: bool = False


class Member(Client):
    """A member of one chat room, who checks what is said there."""

    path = "/chat/fleet"

    def __init__(self, number, port, room, speaks):
        super().__init__(number, port)
        self.speaks = speaks
        self.room = room
        # The last sequence heard of each speaker, and all that was heard.
        self.last = {}
        self.heard = set()
        self.count = None

    def say(self, text):
        self.room[text] = Said(self, time.monotonic())
        super().say(json.dumps({"message": text}))

    def ask_who(self):
        self.count = None
        super().say(json.dumps({"type": "who"}))

    def hear(self, text):
        heard = json.loads(text)
        if heard["type"] == "who":
            self.count = heard["count"]
        if heard["type"] != "chat":
            return
        text = heard["message"]
        speaker, sequence = map(int, text.split("."))
        if sequence <= self.last.get(speaker, 0):
            self.faults.append(f"{text} twice, or behind {self.last[speaker]}")
        self.last[speaker] = sequence
        self.heard.add(text)
        if speaker == self.number:
            self.room[text].back = True
            if text in self.pending:
                self.pending.remove(text)


class Crowd:
    """All clients, and what has become of them."""

    def __init__(self, port):
        self.port = port
        self.clients = []
        self.room = {}

    async def join(self, echoes, members, speakers=0):
        """More clients; returns them when all are open."""
        new = []
        for at in range(echoes + members):
            number = len(self.clients)
            if at < members:
                client = Member(number, self.port, self.room, at < speakers)
            else:
                client = Client(number, self.port)
            self.clients.append(client)
            new.append(client)
            # One after the other, as people come.
            await until(lambda client=client: client.lives, 20, f"client {number} gets in")
        return new

    @property
    def members(self):
        return [client for client in self.clients if isinstance(client, Member)]

    async def settled(self, seconds=20):
        """All are open."""
        await until(lambda: all(client.life for client in self.clients), seconds, "all come back")

    async def leave(self):
        for client in self.clients:
            client.speaks = False
        await asyncio.gather(*(client.leave() for client in self.clients))

    def unheard(self, begin, end, margin):
        """How many messages of the room, said in that time, somebody who was there has not heard.

        Whoever came or went within `margin` of one may have missed it, and all may if its speaker
        went, or has not heard it back."""
        count = 0
        for text, said in self.room.items():
            span = said.at - margin, said.at + margin
            stays = any(life.covers(said.at, span[1]) for life in said.speaker.lives)
            if begin <= said.at < end and said.back and stays:
                count += any(text not in member.heard for member in self.members
                             if any(life.covers(*span) for life in member.lives))
        return count


async def until(holds, seconds, what):
    """Waits until it holds; how long that took."""
    began = time.monotonic()
    while not holds():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"not within {seconds} s: {what}")
        await asyncio.sleep(0.005)
    return time.monotonic() - began
