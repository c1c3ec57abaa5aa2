"""Redis and servers as processes, each ended by its own id."""

import os
import re
import signal
import socket
import subprocess
import time

WSECHO_VARIABLES = ("WSECHO_", "RUST_LOG")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith(WSECHO_VARIABLES)}


class Process:
    """A child that does not outlive this one."""

    all = []

    def __init__(self, command, **options):
        self.child = subprocess.Popen(command, **options)
        Process.all.append(self)

    def send(self, number):
        os.kill(self.child.pid, number)

    def end(self, number=signal.SIGKILL):
        if self.child.poll() is None:
            self.send(signal.SIGCONT)
            self.send(number)
        return self.child.wait(20)

    def cpu_seconds(self):
        """What all of its threads have used of a CPU."""
        tasks = f"/proc/{self.child.pid}/task"
        used = 0
        for task in os.listdir(tasks):
            with open(f"{tasks}/{task}/schedstat", encoding="ascii") as file:
                used += int(file.read().split()[0])
        return used / 1e9

    @classmethod
    def end_all(cls):
        for process in cls.all:
            process.end()


class Redis(Process):
    """Debian's server, with nothing on disk."""

    def __init__(self, folder, port, *options, words=()):
        self.port, self.socket = port, f"{folder}/redis-{port}.sock"
        command = [*words, "redis-server", "--port", str(port), "--save", "", "--dir", folder]
        command += ["--bind", "127.0.0.1", "--unixsocket", self.socket, *options]
        log = open(f"{folder}/redis.log", "ab")
        super().__init__(command, stdout=log, stderr=log)

    def ask(self, command, password=None):
        """Says something to it as an administrator would; what it answers."""
        greeting = f"AUTH {password}\r\n" if password else ""
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(20)
            asked.connect(self.socket)
            asked.sendall(f"{greeting}{command}\r\n".encode())
            answer = b""
            while answer.count(b"\r\n") < 1 + bool(greeting):
                answer += asked.recv(1000)
        return answer

    def wait(self):
        until = time.monotonic() + 20
        while True:
            try:
                with socket.socket(socket.AF_UNIX) as probe:
                    probe.connect(self.socket)
                    probe.sendall(b"PING\r\n")
                    if probe.recv(100):
                        return self
            except OSError:
                assert time.monotonic() < until, "redis-server does not answer"
                time.sleep(0.05)


class Server(Process):
    """A wsecho on a port of the system's choice."""

    def __init__(self, binary, folder, *options, words=()):
        self.log_path = f"{folder}/wsecho-{len(Process.all)}.log"
        with open(self.log_path, "wb") as log:
            command = [*words, binary, "--listen", "127.0.0.1:0", *options]
            super().__init__(command, stdout=subprocess.PIPE, stderr=log, env=clean_environment())
        line = self.child.stdout.readline().decode()
        found = re.fullmatch(r"wsecho listening on ws://127.0.0.1:(\d+)/\n", line)
        self.port = int(found[1]) if found else None

    def log(self):
        with open(self.log_path, encoding="utf-8") as log:
            return log.read()

    def metric(self, name):
        with socket.create_connection(("127.0.0.1", self.port), 10) as asked:
            asked.sendall(b"GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: asked.recv(1 << 16), b"")).decode()
        return int(re.search(rf"^wsecho_{name} (\d+)$", answer, re.M)[1])

    def resident_kib(self):
        with open(f"/proc/{self.child.pid}/status", encoding="ascii") as status:
            return int(re.search(r"^VmRSS:\s+(\d+) kB$", status.read(), re.M)[1])

    def wait_for_bus(self, connected, seconds=20):
        until = time.monotonic() + seconds
        while self.metric("bus_connected") != int(connected):
            assert time.monotonic() < until, f"bus_connected is not {int(connected)}: {self.log()}"
            time.sleep(0.05)
