#!/usr/bin/env python3
"""scale.py CONNECTIONS [MESSAGES [BYTES]]: what so many WebSockets take.

    scale.py 50000          silent, but for pings
    scale.py 50000 0.2 125  each says 0.2 messages of 125 bytes a second
    scale.py --check        exit status 1 unless the tables of docs/scale.md are those of the records
    scale.py --write        makes them so

The figures are those of benches/record/, and the formulas those of docs/scale.md, which says what
has been measured and what has not.
"""

import csv
import json
import os
import re
import sys
from dataclasses import dataclass

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..")
RECORDS = os.path.join(ROOT, "benches", "record")
PAGE = os.path.join(ROOT, "docs", "scale.md")

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
# What a process takes beside connections: what it has at start, and the tables and buffers of the
# promise in docs/deployment.md.
PROCESS = 20 * MIB
BUDGET = 64 * MIB
# For each connection in a control group, from what the server takes on by itself.
ASSUMED = 8 * KIB
# LimitNOFILE= of packaging/systemd/wsecho.service.
DESCRIPTORS = 65536
PING_SECONDS = 25
# A segment on Ethernet: preamble 8, head 14, check 4, gap 12; IPv4 20; TCP 20 and its timestamps 12.
SEGMENT = 90
# net.ipv4.ip_local_port_range as Linux has it.
PORTS = 60999 - 32768 + 1
BUSY = 0.5


def rows(name):
    with open(os.path.join(RECORDS, name), encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def newest(name, **columns):
    """The last row that has these."""
    return [row for row in rows(name) if all(row[key] == value for key, value in columns.items())][-1]


COMPARE = "compare-2026-11-22.csv"


def compared(load):
    return float(newest(COMPARE, load=load, server="wsecho")["cpu_us"]) / 1e6


class Figures:
    """Bytes, and seconds of one core, with what they are and where they stand."""

    def __init__(self):
        with open(os.path.join(RECORDS, "tls.jsonl"), encoding="utf-8") as file:
            tls = [one["figures"] for one in map(json.loads, file)
                   if one["server"] == "wsecho" and "figures" in one][-1]
        memory = {row["what"]: float(row["figure"]) for row in rows("memory.csv")}
        self.own = memory["idle, 19800 connections"]
        self.kernel = memory["kernel, 10000 connections"]
        self.tls = tls["idle_bytes"] - self.own
        self.relay = memory["HAProxy, 4000 idle WebSockets"]
        self.message = compared("5B-16384-p1")
        self.batched = compared("5B-16384-p16")
        self.byte = (compared("16KiB-16-p4") - compared("125B-64-p4")) / (16384 - 125)
        self.opening = compared("churn-64")
        self.handshake = tls["us_handshake_tls13"] / 1e6
        self.delivery = float(newest("rooms.csv", load="room-1000", server="wsecho")
                              ["cpu_us_per_delivery"]) / 1e6

    def table(self):
        """Sign, meaning, figure, record."""
        memory, compare, tls, rooms = (f"[{name}](../benches/record/{name})" for name in
                                       ("memory.csv", COMPARE, "tls.jsonl", "rooms.csv"))
        return [
            ("sign", "what", "figure", "record"),
            ("`own`", "memory of the process for a connection at rest", show_bytes(self.own), memory),
            ("`kernel`", "memory of the kernel for it, without what waits in its buffers",
             show_bytes(self.kernel), memory),
            ("`tls`", "memory of the process for its TLS session", show_bytes(self.tls), tls),
            ("`message`", "CPU for a message, one at a time on each of 16 384 connections",
             show_time(self.message), f"{compare}, `5B-16384-p1`"),
            ("`batched`", "the same with 16 of them in flight", show_time(self.batched),
             f"{compare}, `5B-16384-p16`"),
            ("`byte`", "CPU for each further byte of a message", f"{self.byte * 1e9:.2f} ns",
             f"{compare}, `16KiB-16-p4` less `125B-64-p4`"),
            ("`opening`", "CPU for a connection: accept, handshake, one message, close",
             show_time(self.opening), f"{compare}, `churn-64`"),
            ("`handshake`", "the same with a full handshake of TLS 1.3, P-256",
             show_time(self.handshake), tls),
            ("`delivery`", "CPU for a message of a room to one of 1000 members",
             show_time(self.delivery), f"{rooms}, `room-1000`"),
            ("`relay`", "memory of HAProxy for a WebSocket at rest; its two sockets come to that",
             show_bytes(self.relay), memory),
        ]


def show_bytes(count):
    for unit, name in ((GIB, "GiB"), (MIB, "MiB"), (KIB, "KiB")):
        if count >= unit * 0.95:
            return f"{digits(count / unit)} {name}"
    return f"{digits(count)} B"


def show_time(seconds):
    for unit, name in ((1, "s"), (1e-3, "ms"), (1e-6, "us")):
        if seconds >= unit * 0.95:
            return f"{digits(seconds / unit)} {name}"
    return f"{digits(seconds * 1e9)} ns"


def show_rate(bits):
    for unit, name in ((1e9, "Gbit/s"), (1e6, "Mbit/s")):
        if bits >= unit * 0.95:
            return f"{digits(bits / unit)} {name}"
    return f"{digits(bits / 1e3)} kbit/s"


def digits(number):
    """Two of them that count, and thousands apart."""
    if number >= 100:
        size = 10 ** (len(str(int(number))) - 2)
        return f"{round(number / size) * size:,}".replace(",", " ")
    return f"{number:.2g}" if number < 10 else f"{number:.0f}"


def segments(size):
    """Segments of TCP for so many bytes; each two of them are answered with an ACK."""
    return -(-size // (1500 - 20 - 32))


@dataclass
class Load:
    """So many clients that each say so much."""

    figures: Figures
    connections: int
    # Messages a second, of each.
    rate: float = 0
    size: int = 0

    def pings(self):
        """A second, of all: who says something in time gets none."""
        return self.connections / PING_SECONDS if self.rate < 1 / PING_SECONDS else 0

    def messages(self):
        return self.connections * self.rate

    def processes(self):
        return -(-self.connections // DESCRIPTORS)

    def memory(self, tls):
        each = self.figures.own + self.figures.kernel + (self.figures.tls if tls else 0)
        return self.processes() * (PROCESS + BUDGET) + self.connections * each

    def cpu(self):
        """Cores."""
        each = self.figures.message + self.size * self.figures.byte
        return self.messages() * each + self.pings() * self.figures.message

    def bits_in(self):
        """The message with its head and masking key, and an ACK of its echo; a pong."""
        size = self.size + (6 if self.size < 126 else 8)
        message = size + (segments(size) + -(-segments(size) // 2)) * SEGMENT
        return 8 * (self.messages() * message + self.pings() * (6 + SEGMENT))

    def bits_out(self):
        """The echo, which has the ACK in it; a ping, and an ACK of its pong."""
        size = self.size + (2 if self.size < 126 else 4)
        echo = size + segments(size) * SEGMENT
        return 8 * (self.messages() * echo + self.pings() * (2 + 2 * SEGMENT))

    def return_seconds(self, tls):
        """Of one core, until all have come back."""
        return self.connections * (self.figures.handshake if tls else self.figures.opening)

    def lines(self):
        said = f", {self.rate:g} messages of {self.size} bytes a second each" if self.rate else ", silent"
        return [
            (f"{self.connections} connections{said}", ""),
            ("memory", f"{show_bytes(self.memory(False))}, with TLS {show_bytes(self.memory(True))}"),
            ("processes", str(self.processes())),
            ("CPU", f"{digits(self.cpu() * 100)} % of a core"),
            ("network", f"{show_rate(self.bits_in())} in, {show_rate(self.bits_out())} out"),
            ("all come back", f"{show_time(self.return_seconds(False))} of one core, "
                              f"with TLS {show_time(self.return_seconds(True))}"),
            ("balancer", f"{show_bytes(self.connections * relayed(self.figures))} of memory, "
                         f"{-(-self.connections // PORTS)} times all ports of an address"),
        ]


def relayed(figures):
    """What a WebSocket takes at a balancer."""
    return figures.relay + 2 * figures.kernel


@dataclass
class Place:
    """Where servers run."""

    name: str
    machines: int
    # Of each machine: bytes for servers, cores as those that were measured, bits a second.
    memory: int
    cores: float
    network: float
    processes: int
    budget: int = BUDGET

    def fit(self, figures, tls):
        """Connections that there is memory for."""
        left = self.machines * (self.memory - self.processes * (PROCESS + self.budget))
        return int(left / (figures.own + figures.kernel + (figures.tls if tls else 0)))

    def by_itself(self):
        """What the server takes on in a control group of that size."""
        left = self.memory / self.processes - PROCESS
        budget = min(left / 2, BUDGET)
        return self.machines * self.processes * min(int((left - budget) / ASSUMED), DESCRIPTORS)


PLACES = (
    Place("board of 64 MiB", 1, 40 * MIB, 0.1, 100e6, 1, 4 * MIB),
    Place("machine of 1 GiB", 1, 800 * MIB, 1, 1e9, 1),
    Place("rack", 40, 60 * GIB, 16, 25e9, 16),
)


def places(figures):
    size = 125
    each = figures.message + size * figures.byte
    one = Load(figures, 1, 1, size)
    table = [["", *(place.name for place in PLACES)]]

    def line(what, value):
        table.append([what, *(value(place) for place in PLACES)])

    line("machines", lambda place: str(place.machines))
    line("of each, for servers", lambda place: show_bytes(place.memory))
    line("cores of each", lambda place: f"{place.cores:g}")
    line("network of each", lambda place: show_rate(place.network))
    line("processes on each", lambda place: str(place.processes))
    line("connections that a control group of that size leads to",
         lambda place: digits(place.by_itself()))
    line("connections that there is memory for, if asked for", lambda place: digits(place.fit(figures, False)))
    line("the same with TLS", lambda place: digits(place.fit(figures, True)))
    line("messages a second of 125 B, with half of the CPU",
         lambda place: digits(place.machines * place.cores * BUSY / each))
    line("the same with half of the network",
         lambda place: digits(place.machines * place.network * BUSY / one.bits_in()))
    line("silent connections whose pings take half of the CPU",
         lambda place: digits(place.machines * place.cores * BUSY / figures.message * PING_SECONDS))
    line("openings a second, with half of the CPU",
         lambda place: digits(place.machines * place.cores * BUSY / figures.opening))
    line("the same with TLS",
         lambda place: digits(place.machines * place.cores * BUSY / figures.handshake))
    return table


def many(figures):
    """Ten million clients."""
    count = 10_000_000
    silent, chatty = Load(figures, count), Load(figures, count, 1 / 60, 125)
    processes = silent.processes()
    table = [
        ("ten million clients", "silent", "a message of 125 B a minute each"),
        ("memory of all servers", *2 * (show_bytes(silent.memory(False)),)),
        ("the same with TLS", *2 * (show_bytes(silent.memory(True)),)),
        ("memory of all balancers", *2 * (show_bytes(count * relayed(figures)),)),
        ("pings a second", *(digits(load.pings()) for load in (silent, chatty))),
        ("messages a second", *(digits(load.messages()) if load.rate else "" for load in (silent, chatty))),
        ("cores, pings and messages", *(digits(load.cpu()) for load in (silent, chatty))),
        ("network in", *(show_rate(load.bits_in()) for load in (silent, chatty))),
        ("network out", *(show_rate(load.bits_out()) for load in (silent, chatty))),
        ("processes, by descriptors", *2 * (str(processes),)),
        ("all come back, with a core for each process",
         *2 * (show_time(silent.return_seconds(False) / processes),)),
        ("the same with TLS", *2 * (show_time(silent.return_seconds(True) / processes),)),
        ("pairs of addresses between balancers and servers, by ports", *2 * (str(-(-count // PORTS)),)),
    ]
    return table


def cores():
    """What one machine gains from workers."""
    names = {"echo": "echoes of 5 B, 16 in flight on each of 64 connections",
             "handshake": "openings with TLS, RSA 4096"}
    table = [("load", "processes", "a second", "beside one without `--workers`", "CPU for each",
              "the server's CPU", "the generator's")]
    for row in rows("workers.csv"):
        if row["what"] in names:
            what = names[row["what"]] if row["workers"] == "none" else ""
            processes = "1" if row["workers"] == "none" else f"`--workers {row['workers']}`"
            table.append((what, processes, digits(float(row["messages_per_second"])), f"{row['ratio']}x",
                          show_time(float(row["cpu_us_per_message"]) / 1e6),
                          f"{row['server_cpu_percent']} %", f"{row['client_cpu_percent']} %"))
    return table


def spread():
    """The smallest and largest share of a worker, by workers."""
    return {row["workers"]: (row["least_percent"], row["most_percent"])
            for row in rows("workers.csv") if row["what"] == "balance"}


def bus():
    """What a room over several processes costs."""
    table = [("a room of 300", "CPU for a delivery", "beside one without a bus", "of Redis, for each",
              "p50", "p99")]
    for row in rows("bus.csv"):
        what = "one process, no bus" if row["bus"] == "no bus" else f"{row['processes']} on a bus"
        table.append((what, f"{row['cpu_us_per_delivery']} us", f"{row['ratio']}x",
                      "" if row["bus"] == "no bus" else f"{row['redis_cpu_us_per_delivery']} us",
                      *(show_time(float(row[key]) / 1e6) for key in ("p50_us", "p99_us"))))
    return table


def statements(figures):
    """What the text of the page says of its tables."""
    process, all_ = Load(figures, DESCRIPTORS), Load(figures, 10_000_000)
    percent = round(100 * 10 * 10_000 * figures.delivery)
    packaged = int((256 * MIB - PROCESS - BUDGET) / ASSUMED)
    gain = next(row["ratio"] for row in rows("workers.csv")
                if (row["what"], row["workers"]) == ("handshake", "2"))
    two, four = (" to ".join(spread()[workers]) for workers in ("2", "4"))
    return [
        f"two workers do {gain} times as much as one process",
        f"each of two workers had {two} %, and each of four {four} %",
        f"An opening costs as much as {['four', 'five', 'six'][round(figures.opening / figures.message) - 4]} messages",
        f"one with TLS as much as {round(figures.handshake / figures.message)}.",
        f"take {show_time(process.return_seconds(False))} of a core in all, with TLS "
        f"{show_time(process.return_seconds(True))};",
        f"`MemoryMax=256M`, good for {digits(packaged)} connections",
        f"their pings take {digits(all_.cpu())} cores",
        f"ten million are {all_.processes()} drains",
        f"takes {percent} % of a core in all",
        f"each message would take {show_time(1e7 * figures.delivery)} of a core",
        f"{digits(4 * DESCRIPTORS * 4 * KIB / GIB)} GiB for 65 536 of them",
        f"{PORTS // 1000} {PORTS % 1000} for each address of a balancer",
    ]


def markdown(table):
    head, *body = (f"| {' | '.join(cells)} |" for cells in table)
    return "\n".join([head, "|" + "---|" * len(table[0]), *body])


def made(page, figures):
    """The page with its tables made anew."""
    tables = {"figures": figures.table(), "places": places(figures), "many": many(figures),
              "cores": cores(), "bus": bus()}
    for name, table in tables.items():
        begin, end = f"<!-- {name}: made by scripts/scale.py --write -->", f"<!-- end of {name} -->"
        pattern = re.escape(begin) + ".*?" + re.escape(end)
        found = re.findall(pattern, page, re.S)
        assert len(found) == 1, f"docs/scale.md has {len(found)} times {begin}"
        text = f"{begin}\n\n{markdown(table)}\n\n{end}"
        page = re.sub(pattern, lambda _: text, page, flags=re.S)
    example = r"(```sh\npython3 scripts/scale.py (\d[^\n]*)\n```\n\n```text\n)[^`]*(```)"
    assert re.search(example, page), "docs/scale.md has an example"
    return re.sub(example, lambda it: it[1] + asked(figures, it[2].split()) + it[3], page)


def asked(figures, arguments):
    """What there is to say of a load."""
    load = Load(figures, int(arguments[0]), *map(float, arguments[1:2]), *map(int, arguments[2:3]))
    if load.connections < 1 or load.rate < 0 or load.size < 0 or len(arguments) > 3:
        raise ValueError
    return "".join(f"{what:15}{value}".rstrip() + "\n" for what, value in load.lines())


def main(arguments):
    figures = Figures()
    if arguments in (["--check"], ["--write"]):
        with open(PAGE, encoding="utf-8") as file:
            page = file.read()
        new = made(page, figures)
        if arguments == ["--write"]:
            with open(PAGE, "w", encoding="utf-8") as file:
                file.write(new)
        elif new != page:
            sys.exit("the tables of docs/scale.md are not what the records say: scripts/scale.py --write")
        words = " ".join(new.split())
        for statement in statements(figures):
            if statement not in words:
                sys.exit(f"docs/scale.md does not say: {statement}")
        return
    try:
        print(asked(figures, arguments), end="")
    except (IndexError, ValueError):
        sys.exit(__doc__)


if __name__ == "__main__":
    main(sys.argv[1:])
