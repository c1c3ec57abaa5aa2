"""What --workers gives, and how evenly the kernel spreads connections over them; see workers.sh."""

import json
import os
import re
import signal
import socket
import statistics
import subprocess
import sys
import time

PATIENCE = 30  # seconds
CONNECTIONS = 10_000
# A name, options of the server, and of wsecho load. To sign with RSA 4096 costs the server some ten times
# what the client does for a connection, so that one generator has work for two workers and more.
LOADS = [
    ("echo", "", "-c 64 -p 16 -s 5"),
    ("handshake", "--tls-cert {folder}/cert.pem --tls-key {folder}/key.pem", "-c 64 --churn 1 --insecure"),
]
# Without --workers, and with so many.
FLEETS = [None, 1, 2]

HEAD = f"""\
# A server without workers, with one and with two, under the same loads in turns: medians. CPU is that
# of all processes of the server; ratio is that of its messages a second to those without workers. Then the
# smallest and the largest share of a worker in percent, over all rounds, with {CONNECTIONS} connections.
# All on a virtual machine with {os.cpu_count()} cores, the generator among them.
date,what,workers,rounds,messages_per_second,ratio,cpu_us_per_message,server_cpu_percent,\
client_cpu_percent,p99_us,least_percent,most_percent
"""


class Server:
    """A wsecho on a port of the system's choice, which ends with this one."""

    def __init__(self, binary, workers, options=""):
        scheme = "wss://" if options else "ws://"
        command = [binary, "--listen", f"{scheme}127.0.0.1:0", *options.split()]
        command += ["--workers", str(workers)] if workers else []
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("WSECHO_", "RUST_LOG"))}
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                                      env=environment)
        line = self.child.stdout.readline().decode()
        found = re.fullmatch(r"wsecho listening on (wss?://127\.0\.0\.1:(\d+)/)\n", line)
        if not found:
            raise SystemExit(f"the server did not start: {line}")
        self.url, self.port = found[1], int(found[2])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.send_signal(signal.SIGTERM)
        try:
            self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()

    def metrics(self, query=""):
        """The text of whichever worker accepts."""
        with socket.create_connection(("127.0.0.1", self.port), PATIENCE) as asked:
            asked.sendall(f"GET /metrics{query} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
            return b"".join(iter(lambda: asked.recv(1 << 16), b"")).decode()

    def open(self):
        """Connections of all workers, the one that asks among them."""
        return sample(self.metrics("?all"))

    def shares(self, workers):
        """Connections of each worker."""
        shares, until = {}, time.monotonic() + PATIENCE
        while len(shares) < workers:
            if time.monotonic() > until:
                raise SystemExit(f"only workers {sorted(shares)} of {workers} have answered")
            text = self.metrics()
            shares[re.search(r'wsecho_worker\{id="(\d+)"\}', text)[1]] = sample(text) - 1
        return shares.values()


def sample(text):
    return int(re.search(r"^wsecho_connections_open (\d+)$", text, re.M)[1])


def load(generator, server, options):
    """One run: messages a second, CPU, and latency."""
    command = [generator, "load", server.url, *options.split(), "--server-pid", str(server.child.pid),
               "-d", "3s", "--warmup", "500ms", "--json", "--quiet"]
    report = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    if report["errors"]:
        raise SystemExit(f"not measured: {report['errors']}")
    of_server = report["server"]
    return [report["messages_per_second"], of_server["cpu_us_per_message"], of_server["cpu_percent"],
            report["client_cpu_percent"], report["latency_us"]["p99"]]


def balance(binary, generator, workers):
    """Shares of the workers with many connections, in percent."""
    with Server(binary, workers) as server:
        command = [generator, "load", server.url, "--idle", "-c", str(CONNECTIONS), "-d", f"{PATIENCE}s",
                   "--json", "--quiet"]
        held = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        try:
            until = time.monotonic() + PATIENCE
            while server.open() < CONNECTIONS + 1:
                if time.monotonic() > until or held.poll() is not None:
                    raise SystemExit(f"{CONNECTIONS} connections did not open")
                time.sleep(0.05)
            shares = server.shares(workers)
        finally:
            held.send_signal(signal.SIGINT)
            held.wait(PATIENCE)
    return [100 * share / CONNECTIONS for share in shares]


def main(binary, generator, folder, rounds, path):
    runs = {(name, workers): [] for name, *_ in LOADS for workers in FLEETS}
    for _ in range(int(rounds)):
        for name, of_server, options in LOADS:
            for workers in FLEETS:
                with Server(binary, workers, of_server.format(folder=folder)) as server:
                    runs[name, workers].append(load(generator, server, options))
    text, today = HEAD, time.strftime("%F")
    for (name, workers), measured in runs.items():
        per_second, cpu, busy, client, p99 = map(statistics.median, zip(*measured))
        alone = statistics.median(run[0] for run in runs[name, None])
        text += (f"{today},{name},{workers or 'none'},{rounds},{per_second:.0f},{per_second / alone:.2f},"
                 f"{cpu:.3f},{busy:.0f},{client:.0f},{p99:.0f},,\n")
    for workers in (2, 4):
        shares = [share for _ in range(int(rounds)) for share in balance(binary, generator, workers)]
        text += f"{today},balance,{workers},{rounds},,,,,,,{min(shares):.1f},{max(shares):.1f}\n"
    print(text, end="")
    if path:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)


if __name__ == "__main__":
    main(*sys.argv[1:])
