"""Where an attack takes place: a server of its own, a bystander, and what is measured."""

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

from wire import Gone, Peer

CROWD_SECONDS = 15
LEAVE_SECONDS = 5
SLACK_KIB = 16 * 1024
DEFAULT_BUDGET_KIB = 64 * 1024
ATTACKS = {}
# Where peers may use up the budget until a stall timeout of 3 s has told that they do not read.
# Those who come anew are answered from a reserve meanwhile.
STARVING = {"echo_ms": 8000, "p99_ms": 8000, "probe_ms": 1500}


@dataclasses.dataclass
class Attack:
    """A function that misbehaves in an arena, and what has to hold beside it."""
    name: str
    run: object
    serve: list
    budget_kib: int
    echo_ms: int
    p99_ms: int
    probe_ms: int
    descriptors: int

    @property
    def about(self):
        return re.split(r"\.\s|\.$", self.run.__doc__.replace("\n    ", " "))[0]


def attack(*serve, budget=None, echo_ms=2000, p99_ms=250, probe_ms=3000, descriptors=0):
    """Registers an attack against a server with the options `serve` and a buffer budget of `budget`
    MiB. Echoes must come within `echo_ms`, 99 % of them within `p99_ms`, answers to new
    connections within `probe_ms`: many times what a quiet machine needs."""
    def register(run):
        name = run.__name__.replace("_", "-")
        options = list(serve) + (["--buffer-budget", f"{budget}m"] if budget else [])
        kib = budget * 1024 if budget else DEFAULT_BUDGET_KIB
        ATTACKS[name] = Attack(name, run, options, kib, echo_ms, p99_ms, probe_ms, descriptors)
        return run
    return register


class Server:
    """The program, on a free port of the loopback interface."""

    def __init__(self, program, options, descriptors, log):
        command = [program, "--listen", "127.0.0.1:0", *options]
        if descriptors:
            command = ["sh", "-c", f'ulimit -n {descriptors}; exec "$@"', "sh", *command]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        line = self.process.stdout.readline()
        if "ws://" not in line:
            sys.exit(f"abuse: no ready line from {' '.join(command)}")
        self.port = int(line.split("ws://")[1].split()[0].rstrip("/").rsplit(":", 1)[1])
        self.start_kib, self.start_descriptors = self.status("VmRSS"), self.descriptors()

    def status(self, key):
        """A figure of /proc/PID/status, in KiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        raise Gone("the server has ended")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def descriptors_beyond(self, count, seconds):
        """How many more than `count` are open when `seconds` have passed; 0 as soon as none is."""
        end = time.monotonic() + seconds
        while (more := self.descriptors() - count) > 0 and time.monotonic() < end:
            time.sleep(0.02)
        return max(0, more)

    def stop(self):
        """Ends it; the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(15)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return "none within 15 s"
        finally:
            self.process.stdout.close()


class Bystander:
    """See bystander.py."""

    def __init__(self, port):
        script = Path(__file__).with_name("bystander.py")
        self.process = subprocess.Popen([sys.executable, script, str(port)], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != "ready\n":
            raise Gone("the bystander could not begin")

    def report(self):
        out, _ = self.process.communicate(timeout=60)
        return json.loads(out.splitlines()[-1])

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Arena:
    """What an attack is given."""

    def __init__(self, server):
        self.server, self.port = server, server.port
        self.peers, self.faults = [], []

    def peer(self, window=None):
        """A connection that has said nothing; kept until the attack is over."""
        self.peers.append(Peer(self.port, window))
        return self.peers[-1]

    def open(self, path="/", offer=None, window=None, padding=0):
        """A connection that has shaken hands."""
        peer = self.peer(window)
        peer.open(path, offer, padding)
        return peer

    def crowd(self, count, *how, said=b"", **more):
        """`count` connections that have shaken hands as `open` does and `said` something. Whoever
        is turned away is left out, which is a good answer to a crowd."""
        crowd, end = [], time.monotonic() + CROWD_SECONDS
        while count and time.monotonic() < end:
            count -= 1
            try:
                crowd.append(self.open(*how, **more))
                crowd[-1].send(said)
            except Gone:
                continue
        return crowd

    def expect(self, true, wrong):
        if not true:
            self.faults.append(wrong)

    def hold(self, seconds):
        """Leaves everything as it is, for the bystander to be measured beside it."""
        time.sleep(seconds)

    @contextlib.contextmanager
    def at_once(self):
        """What is done in here, the server finds all at the same time."""
        self.server.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.server.process.send_signal(signal.SIGCONT)

    def leave(self):
        for peer in self.peers:
            peer.reset()


@dataclasses.dataclass
class Result:
    """What came of it; times in milliseconds, memory in KiB."""
    echoes: int = 0
    p99: float = 0
    worst: float = 0
    probes: int = 0
    worst_probe: float = 0
    peak: int = 0
    promise: int = 0
    seconds: float = 0
    faults: list = dataclasses.field(default_factory=list)

    @property
    def verdict(self):
        return "FAIL" if self.faults else "PASS"


def stage(attack, program, log):
    """One attack from the start of its server to its end."""
    begun = time.monotonic()
    server = Server(program, attack.serve, attack.descriptors, log)
    arena, bystander, report = Arena(server), None, None
    try:
        bystander = Bystander(server.port)
        try:
            attack.run(arena)
        except Gone as gone:
            arena.faults.append(f"the attack was interrupted: {gone}")
        report = bystander.report()
        arena.leave()
        left = server.descriptors_beyond(server.start_descriptors, LEAVE_SECONDS)
        arena.expect(not left, f"{left} descriptors are left")
        peak = server.status("VmHWM")
    except (Gone, OSError, subprocess.TimeoutExpired) as gone:
        arena.faults.append(f"{type(gone).__name__}: {gone}")
        peak = 0
    finally:
        if bystander:
            bystander.stop()
        status = server.stop()
    arena.expect(status == 0, f"exit status {status}")
    result = Result(peak=peak, promise=server.start_kib + attack.budget_kib + SLACK_KIB,
                    seconds=time.monotonic() - begun, faults=arena.faults)
    judge(attack, result, report)
    return result


def judge(attack, result, report):
    if report:
        echo, prober = report["echo"], report["prober"]
        result.echoes, result.p99, result.worst = echo["echoes"], echo["p99"], echo["max"]
        result.probes, result.worst_probe = prober["probes"], prober["max"]
        result.faults += [part["fault"] for part in (echo, prober) if part["fault"]]
        if prober["refused"] and not attack.descriptors:
            result.faults.append(f"{prober['refused']} handshakes refused")
    for what, figure, bound in [("slowest echo", result.worst, attack.echo_ms),
                                ("p99 of echoes", result.p99, attack.p99_ms),
                                ("slowest handshake", result.worst_probe, attack.probe_ms)]:
        if figure > bound:
            result.faults.append(f"{what} {figure:.0f} ms > {bound}")
    if result.peak > result.promise:
        result.faults.append(f"resident {result.peak} KiB > {result.promise}")
