"""`wsecho load --broadcast` over several servers: who was sent what, who has got it, in which order."""

import json
import subprocess
import sys

from machines import Process, clean_environment

# What a room of /chat is said, and hands on with more around it.
TEMPLATE = '{"message":"{message}"}'


class Load(Process):
    """A load of one room that all servers share, which has begun."""

    def __init__(self, binary, servers, path, *options, clients=300, rate=100, seconds=3, words=()):
        urls = [f"ws://127.0.0.1:{server.port}{path}" for server in servers]
        if path.startswith("/chat"):
            options = ("--broadcast", "all", "--template", TEMPLATE, *options)
        else:
            options = ("--broadcast", "others", *options)
        command = [*words, binary, "load", *urls, "--json", "--quiet", "-c", str(clients)]
        # A room is whole once the first member of each process has heard its own hello.
        command += ["--rate", str(rate), "--duration", f"{seconds}s", "--ramp", "1s", *options]
        self.seconds = seconds
        super().__init__(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_environment()
        )

    def report(self):
        """What it has found, once it is over. Its exit status is left to who looks at the errors."""
        out, err = self.child.communicate(timeout=self.seconds + 60)
        try:
            return json.loads(out)
        except json.JSONDecodeError:
            sys.exit(f"wsecho load says: {err.decode()}")


def delivered(report):
    """How much of what all were to get they have got, in words."""
    room, latency = report["broadcast"], report["latency_us"]
    return (f"{room['delivered']} of {room['expected']} deliveries, "
            f"p99 {latency['p99'] / 1000:.1f} ms, errors {report['errors'] or 'none'}")


def is_whole(report):
    """Everybody has got everything once, in order, as it was sent."""
    room = report["broadcast"]
    return not report["errors"] and room["delivered"] == room["expected"] > 0


def is_honest(report, share):
    """Deliveries may be lost, but no more than this share, and nothing else is wrong."""
    room = report["broadcast"]
    enough = room["delivered"] >= (1 - share) * room["expected"] > 0
    return enough and set(report["errors"]) <= {"lost"}
