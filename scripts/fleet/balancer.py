"""HAProxy, and what is said to it while it runs."""

import csv
import os
import socket
import subprocess
import time

from machines import Process

PATHS = ("/run/haproxy/admin.sock", "/etc/haproxy/haproxy.cfg")


class Balancer(Process):
    """Debian's HAProxy with a configuration of examples/, at a port of the system's choice."""

    def __init__(self, folder, config, addresses):
        """The servers of the configuration stand at `addresses`, by the address there."""
        self.folder, self.addresses = folder, dict(addresses)
        self.admin = f"{folder}/admin.sock"
        self.config = f"{folder}/haproxy.cfg"
        # Handed over, so that nobody else can take it in between.
        listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self.port = listener.getsockname()[1]
        with open(config, encoding="utf-8") as file:
            text = self.here(file.read())
        bind = f"bind fd@{listener.fileno()}\n"
        assert text.count("bind :80\n") == 1, "one address for clients"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text.replace("bind :80\n", bind))
        with open(f"{folder}/haproxy.log", "wb") as log:
            super().__init__(["haproxy", "-db", "-f", self.config], stdout=log, stderr=log,
                             pass_fds=[listener.fileno()])
        listener.close()

    def here(self, text):
        """A text with the paths and addresses of this run."""
        for path, ours in zip(PATHS, (self.admin, self.config)):
            text = text.replace(path, ours)
        for there, ours in self.addresses.items():
            text = text.replace(there, ours)
        return text

    def log(self):
        with open(f"{self.folder}/haproxy.log", encoding="utf-8") as log:
            return log.read()

    def ask(self, command):
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(10)
            asked.connect(self.admin)
            asked.sendall(command.encode() + b"\n")
            return b"".join(iter(lambda: asked.recv(1 << 16), b"")).decode()

    def wait(self):
        until = time.monotonic() + 20
        while True:
            try:
                self.ask("show info")
                return self
            except OSError:
                assert self.child.poll() is None and time.monotonic() < until, self.log()
                time.sleep(0.05)

    def servers(self):
        """The statistics of each server, by its name."""
        lines = self.ask("show stat").removeprefix("# ").splitlines()
        rows = csv.DictReader(line for line in lines if line)
        return {row["svname"]: row for row in rows
                if row["pxname"] == "echo" and row["svname"] != "BACKEND"}

    def is_up(self, name):
        """All its checks say so; None if some do and some do not."""
        status = self.servers()[name]["status"]
        return None if "/" in status else status == "UP"

    def open_at(self, name):
        return int(self.servers()[name]["scur"])


def run_block(text, variables):
    """Runs a block of a document with bash; what it printed."""
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], capture_output=True, text=True,
                          timeout=30, env={**os.environ, **variables}, check=False)
    assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
    return done.stdout
