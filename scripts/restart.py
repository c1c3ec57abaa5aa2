"""Restarts a server under clients that connect in tight loops; see restart.sh."""

import collections
import os
import signal
import socket
import subprocess
import sys
import threading
import time

CLIENTS = 4
PATIENCE = 20  # seconds until a client gives up
REQUEST = (b"GET /ws HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
           b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n")
HELLO, CLOSE = b"\x81\x85\0\0\0\0hello", b"\x88\x82\0\0\0\0\x03\xe8"
ECHO = b"\x81\x05hello"
# Clients that are served when the old process is asked to end have this long to finish.
DELAY = "--drain-delay=300ms"


class Clients:
    """Loops that connect, and what becomes of each connection."""

    def __init__(self, port):
        self.port = port
        self.counts = collections.Counter()
        self.longest = 0.0
        self.lock = threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self.loop, daemon=True) for _ in range(CLIENTS)]
        for thread in self.threads:
            thread.start()

    def loop(self):
        while not self.stopped.is_set():
            begin = time.monotonic()
            outcome = self.talk()
            with self.lock:
                self.counts[outcome] += 1
                self.longest = max(self.longest, time.monotonic() - begin)

    def talk(self):
        try:
            client = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        except OSError as error:
            return f"not connected: {error}"
        with client:
            try:
                client.sendall(REQUEST)
                head = receive(client, lambda data: data.endswith(b"\r\n\r\n"))
                if not head.startswith(b"HTTP/1.1 101 "):
                    return "not opened: " + head.split(b"\r\n")[0].decode(errors="replace")
                client.sendall(HELLO)
                echo = receive(client, lambda data: len(data) >= len(ECHO))
                if echo != ECHO:
                    return f"no echo: {echo!r}"
                client.sendall(CLOSE)
                receive(client, lambda data: False)
            except OSError as error:
                return f"cut off: {error}"
        return "well"

    def wait_for(self, count):
        """Waits until so many more connections have gone well."""
        goal, deadline = self.counts["well"] + count, time.monotonic() + PATIENCE
        while self.counts["well"] < goal:
            if time.monotonic() > deadline:
                raise SystemExit(f"nobody is served any more: {dict(self.counts)}")
            time.sleep(0.01)

    def end(self, what, cut_off_max=0):
        """Prints what became of all, and says whether that is as it should be."""
        self.stopped.set()
        for thread in self.threads:
            thread.join()
        failures = self.counts.copy()
        well = failures.pop("well", 0)
        cut_off = sum(count for how, count in failures.items()
                      if how.startswith(("cut off", "not opened: ", "no echo: b''")))
        passed = well > 0 and sum(failures.values()) == cut_off <= cut_off_max
        detail = "".join(f"; {count} {how}" for how, count in sorted(failures.items()))
        print(f"{'PASS' if passed else 'FAIL'} {what}: {well} connections, the longest took "
              f"{self.longest:.2f} s{detail}", flush=True)
        return passed


def receive(client, done):
    data = b""
    while not done(data):
        more = client.recv(4096)
        if not more:
            break
        data += more
    return data


class Server:
    """A process that serves, from its ready line on."""

    def __init__(self, *arguments, descriptor=None):
        environment = {name: value for name, value in os.environ.items()
                       if not name.startswith("WSECHO_")}
        command = [program, *arguments, DELAY]
        passed = {}
        if descriptor is not None:
            # At 3, where the protocol wants it.
            command = ["sh", "-c", f'exec 3<&{descriptor} && exec "$0" "$@"', *command]
            environment["LISTEN_FDS"] = "1"
            passed["pass_fds"] = [descriptor]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment,
                                        stdout=subprocess.PIPE, text=True, **passed)
        running.append(self.process)
        line = self.process.stdout.readline()
        if "listening on" not in line:
            raise SystemExit(f"no ready line from {command}")
        self.port = int(line.rstrip("/\n").rsplit(":", 1)[1])

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.wait()

    def wait(self):
        status = self.process.wait(PATIENCE)
        if status:
            raise SystemExit(f"exit status {status}")

    def workers(self):
        pid = self.process.pid
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return [int(word) for word in file.read().split()]


def shared_port(*options):
    """Each new process listens beside the old one, which is then asked to end."""
    server = Server("--listen=127.0.0.1:0", "--reuse-port", *options)
    clients = Clients(server.port)
    for _ in range(4):
        clients.wait_for(200)
        new = Server(f"--listen=127.0.0.1:{server.port}", "--reuse-port", *options)
        server.end()
        server = new
    clients.wait_for(200)
    passed = clients.end(" ".join(["--reuse-port, 4 restarts", *options]))
    server.end()
    return passed


def failed_starts():
    """New processes that lack a file they want, beside one that goes on."""
    server = Server("--listen=127.0.0.1:0", "--reuse-port")
    clients = Clients(server.port)
    command = [program, f"--listen=127.0.0.1:{server.port}", "--reuse-port", "--auth-tokens=/none/such"]
    starts = 20
    for at in range(starts):
        clients.wait_for(20)
        workers = ["--workers=2"] if at % 2 else []
        status = subprocess.run(command + workers, stderr=subprocess.DEVNULL, timeout=PATIENCE).returncode
        if status != 1:
            raise SystemExit(f"exit status {status} without a file")
    passed = clients.end(f"--reuse-port, {starts} starts that fail")
    server.end()
    return passed


def passed_socket(overlap):
    """The socket stays with this script, as it would with systemd."""
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
        start = lambda: Server("--listen=systemd", descriptor=listener.fileno())
        server = start()
        clients = Clients(server.port)
        for _ in range(3):
            clients.wait_for(200)
            if overlap:
                new = start()
                server.end()
            else:
                server.end()
                new = start()
            server = new
        clients.wait_for(200)
        passed = clients.end(f"LISTEN_FDS, 3 restarts {'beside' if overlap else 'after'} the old one")
        server.end()
    return passed


def killed_workers():
    server = Server("--listen=127.0.0.1:0", "--workers=2")
    clients = Clients(server.port)
    kills = 4
    for at in range(kills):
        clients.wait_for(200)
        before = server.workers()
        os.kill(before[at % 2], signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while len(server.workers()) < 2 or server.workers() == before:
            if time.monotonic() > deadline:
                raise SystemExit("a worker is not restarted")
            time.sleep(0.01)
    clients.wait_for(200)
    passed = clients.end(f"--workers=2, {kills} of them killed", cut_off_max=kills * CLIENTS)
    server.end()
    return passed


program = sys.argv[1]
running = []
try:
    results = [
        shared_port(),
        shared_port("--workers=2"),
        failed_starts(),
        passed_socket(overlap=True),
        passed_socket(overlap=False),
        killed_workers(),
    ]
finally:
    for process in running:
        if process.poll() is None:
            process.kill()
sys.exit(0 if all(results) else 1)
