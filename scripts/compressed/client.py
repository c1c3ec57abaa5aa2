"""Exchanges compressed messages with a server through the Python package websockets.

client.py URL COUNT: exit status 0 if every message came back as it went, compressed.
"""

import asyncio
import json
import random
import sys

from websockets.asyncio.client import connect

BATCH = 100


def messages(count):
    """Texts and bytes of many lengths, the same in each run."""
    dice = random.Random(7692)
    for number in range(count):
        words = dice.choices(["alpha", "βeta", "γ", "0", '{"key": 17}'], k=dice.choice([0, 3, 40, 800]))
        text = json.dumps({"number": number, "words": words}, ensure_ascii=False)
        yield text if number % 3 else text.encode()


async def main(url, count):
    async with connect(url, compression="deflate", max_size=None) as socket:
        extensions = socket.response.headers.get("Sec-WebSocket-Extensions", "")
        if "permessage-deflate" not in extensions:
            sys.exit(f"not negotiated: {extensions!r}")
        batch = []
        for message in messages(count):
            await socket.send(message)
            batch.append(message)
            if len(batch) == BATCH:
                for sent in batch:
                    if await socket.recv() != sent:
                        sys.exit("a message came back changed")
                batch.clear()
        for sent in batch:
            if await socket.recv() != sent:
                sys.exit("a message came back changed")
    print(f"{count} messages exchanged, {extensions}")


asyncio.run(main(sys.argv[1], int(sys.argv[2])))
