"""What a room over 1, 2 and 3 processes costs beside one without a bus; see scripts/bus.sh."""

import statistics
import time

from loads import Load, is_whole
from machines import Redis, Server, free_port

CLIENTS, RATE, SECONDS = 300, 100, 10

# A name, processes, whether there is a bus.
FLEETS = [("no bus", 1, False), ("bus", 1, True), ("bus", 2, True), ("bus", 3, True)]

HEAD = """\
# A room of 300 members, 125 B to all others, 30 000 deliveries a second, spread over processes that
# share it over Redis. Medians of so many runs of 10 s, in turns; CPU of all processes together.
date,bus,processes,runs,cpu_us_per_delivery,redis_cpu_us_per_delivery,p50_us,p99_us,ratio
"""


def run(binary, url, words, redis, folder, processes, with_bus):
    """One fleet under load: CPU of servers and of Redis for a delivery, and latencies."""
    options = ["--bus", url, "--bus-required"] if with_bus else []
    servers = [Server(binary, folder, *options, words=words[0]) for _ in range(processes)]
    watched = [*servers, redis]
    before = [process.cpu_seconds() for process in watched]
    load = Load(binary, servers, "/broadcast/figures", clients=CLIENTS, rate=RATE,
                seconds=SECONDS, words=words[1])
    report = load.report()
    used = [process.cpu_seconds() - at for process, at in zip(watched, before)]
    if not is_whole(report):
        raise SystemExit(f"not measured: {report['errors']}")
    for server in servers:
        server.end()
    # Joining and warming up are in it on both sides of the division.
    deliveries, latency = report["broadcast"]["delivered"], report["latency_us"]
    return [1e6 * sum(used[:-1]) / deliveries, 1e6 * used[-1] / deliveries,
            latency["p50"], latency["p99"]]


def figures(binary, folder, path, rounds, server_words, load_words):
    """Measures all fleets in turns, prints the medians and writes them to `path`."""
    port = free_port()
    words = server_words.split(), load_words.split()
    redis = Redis(folder, port, words=words[0]).wait()
    url = f"redis://127.0.0.1:{port}"
    runs = {fleet: [] for fleet in FLEETS}
    for _ in range(int(rounds)):
        for fleet in FLEETS:
            runs[fleet].append(run(binary, url, words, redis, folder, *fleet[1:]))
    rows = {fleet: [statistics.median(column) for column in zip(*runs[fleet])] for fleet in FLEETS}
    alone = rows[FLEETS[0]][0]
    text = HEAD
    for (name, processes, _), (cpu, redis_cpu, p50, p99) in rows.items():
        text += (f"{time.strftime('%F')},{name},{processes},{rounds},{cpu:.3f},{redis_cpu:.3f},"
                 f"{p50:.1f},{p99:.1f},{cpu / alone:.2f}\n")
    print(text, end="")
    if path:
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
