"""The processes of the fleet, and what their logs tell."""

import json
import re
import signal
import subprocess

from balancer import Balancer, run_block
from clients import until
from machines import Process, Redis, Server, free_port

# A check each second, or each half of one; two of them count.
NOTICED = 10
VISITORS = 8


class Fleet:
    """Servers, HAProxy and Redis. Each server has a loopback address of its own, so that its port
    is still free when it is started again."""

    def __init__(self, binary, folder, root):
        self.binary, self.folder = binary, folder
        path = f"{root}/examples/haproxy/fleet.cfg"
        with open(path, encoding="utf-8") as file:
            config = file.read()
        # How the configuration says that a server is started.
        [words] = re.findall(r"^# {5}wsecho --listen [\d.:]+(.*)$", config, re.M)
        self.how, *self.options = words.split(" ")
        self.delay = int(re.search(r"--drain-delay (\d+)s", words)[1])
        # The commands of the document. Each has to be run.
        with open(f"{root}/docs/deployment.md", encoding="utf-8") as file:
            self.blocks = dict(re.findall(r"^```sh fleet (\w+)\n(.*?)^```$", file.read(), re.M | re.S))
        self.redis = Redis(folder, free_port()).wait()
        self.servers = {}
        addresses = []
        for name, address in re.findall(r"^  server (\w+) (\S+)$", config, re.M):
            self.start(name, f"127.0.0.{11 + len(self.servers)}:0")
            addresses.append((address, self.servers[name].address))
        self.balancer = Balancer(folder, path, addresses).wait()

    def start(self, name, address):
        """Starts a server, with a second address that is for this script alone, for metrics."""
        server = Server(self.binary, self.folder, "--listen", address + self.how, *self.options,
                        "--bus", f"redis://127.0.0.1:{self.redis.port}", "--room-history", "0",
                        "--log-format", "json", "-v")
        assert server.port, server.log()
        server.address = re.search(r"//(.*)/\n", server.child.stdout.readline().decode())[1]
        server.wait_for_bus(True)
        self.servers[name] = server
        return server

    def run(self, block, **variables):
        """Runs commands of the document, with the addresses of this run."""
        text = self.balancer.here(self.blocks.pop(block))
        return run_block(text, {name: str(value) for name, value in variables.items()})

    async def wait_for(self, name, up):
        """Until the checks of HAProxy have noticed; how long that took."""
        what = f"HAProxy sees that {name} is {'up' if up else 'down'}"
        return await until(lambda: self.balancer.is_up(name) == up, NOTICED, what)


def peers(server, ended=False):
    """The addresses of WebSockets at a server, as its log tells; those that have ended as well?"""
    found = set()
    for line in server.log().splitlines():
        event = json.loads(line)
        if event.get("event") == "opened":
            found.add(event["peer"])
        elif event.get("event") == "closed" and not ended:
            found.discard(event["peer"])
    return found


class Visitors(Process):
    """Others who come, say one thing and go, forty a second."""

    def __init__(self, binary, port):
        command = [binary, "load", f"ws://127.0.0.1:{port}/", "--churn", "1", "-c", str(VISITORS),
                   "--connect-rate", "40", "--duration", "10m", "--warmup", "0", "--json", "--quiet"]
        super().__init__(command, stdout=subprocess.PIPE, text=True)

    def report(self):
        """Ends them; what `wsecho load` has to say."""
        self.send(signal.SIGINT)
        return json.loads(self.child.communicate(timeout=30)[0])
