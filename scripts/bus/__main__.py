"""Rooms over three processes on a real Redis; see scripts/bus.sh."""

import signal
import subprocess
import sys
import time

from figures import figures
from loads import Load, delivered, is_honest, is_whole
from machines import Process, Redis, Server, free_port
from members import Crowd

CLIENTS = 300
MESSAGES = 3
LOCAL = "This room is local for now: the other servers cannot be reached"
WHOLE = "This room is whole again: the other servers are back"


def check(what, holds, more=""):
    print(f"{'ok  ' if holds else 'FAIL'} {what}{f' ({more})' if more else ''}", flush=True)
    if not holds:
        raise SystemExit(1)


def talk(crowd, what, messages=MESSAGES, first=0):
    """All speak, and all hear all of it once, each speaker's messages in order."""
    crowd.forget()
    speakers = range(len(crowd.members))
    for which in range(first, first + messages):
        for number, member in enumerate(crowd.members):
            member.say(type="chat", message=f"{number}.{which}")
    expected = len(crowd.members) * messages
    began = time.monotonic()
    crowd.read_until(lambda: all(len(m.messages()) >= expected for m in crowd.members), 60)
    took = time.monotonic() - began
    wrong = 0
    for member in crowd.members:
        heard = member.messages()
        order = {number: [w for n, w in heard if n == number] for number in speakers}
        right = list(range(first, first + messages))
        wrong += any(order[number] != right for number in speakers)
    check(what, wrong == 0, f"{expected * len(crowd.members)} deliveries in {took:.1f} s")


def count_of(crowd, member):
    """How many a member sees in its room."""
    member.heard.clear()
    member.say(type="who")
    answers = lambda: [heard for heard in member.heard if heard["type"] == "who"]
    crowd.read_until(answers, 20)
    return answers()[0]["count"]


def settle(crowd, count, seconds=15):
    """Waits until one of each process sees so many."""
    until = time.monotonic() + seconds
    while True:
        seen = [count_of(crowd, member) for member in crowd.members[:3]]
        if all(one == count for one in seen):
            return True
        if time.monotonic() > until:
            print(f"     they see {seen}, not {count}")
            return False
        crowd.read_until(lambda: False, 0.2)


def spread(servers, count):
    crowd = Crowd()
    for at in range(count):
        crowd.join(servers[at % len(servers)].port)
    crowd.read_until(lambda: all(m.notices() for m in crowd.members), 20)
    return crowd


def whole_load(binary, servers, what):
    """`wsecho load` finds that each message of a room has come to all, once and in order."""
    report = Load(binary, servers, "/chat/load", clients=CLIENTS).report()
    check(f"{what}: wsecho load finds all of it whole", is_whole(report), delivered(report))


def late_load(binary, servers, crowd, what, least, fault):
    """The same while something makes the bus late, by `least` at the worst."""
    load = Load(binary, servers, "/chat/load", clients=CLIENTS, seconds=5)
    crowd.read_until(lambda: False, 2)
    fault()
    report = load.report()
    late = report["latency_us"]["max"] / 1e6
    holds = is_whole(report) and late > least
    check(f"{what}: all of it comes late, and whole", holds,
          f"{delivered(report)}, max {late:.1f} s")


def everything(binary, folder):
    port = free_port()
    url = f"redis://:secret@127.0.0.1:{port}"
    options = ("--requirepass", "secret")

    refused = subprocess.run(
        [binary, "--listen", "127.0.0.1:0", "--bus", url, "--bus-required"],
        capture_output=True, timeout=20, text=True, check=False,
    )
    line = refused.stderr.strip()
    check("a bus that is required and not there: one line and no start",
          refused.returncode != 0 and "Connection refused" in line and "\n" not in line, line)

    redis = Redis(folder, port, *options)
    servers = [Server(binary, folder, "--bus", url) for _ in range(3)]
    for server in servers:
        server.wait_for_bus(True)
    check("three processes on the bus, whichever was there first", True)
    wrong = subprocess.run(
        [binary, "--listen", "127.0.0.1:0", "--bus", url.replace("secret", "wrong"),
         "--bus-required"],
        capture_output=True, timeout=20, text=True, check=False,
    )
    line = wrong.stderr.strip()
    check("a wrong password is one clear line without it",
          wrong.returncode != 0 and "password is wrong" in line and ":wrong@" not in line
          and "\n" not in line, line)

    crowd = spread(servers, CLIENTS)
    check(f"all see all {CLIENTS}", settle(crowd, CLIENTS))
    talk(crowd, "everybody hears each message once, in its speaker's order")
    whole_load(binary, servers, "three processes")

    load = Load(binary, servers, "/chat/load", clients=CLIENTS, seconds=8)
    crowd.read_until(lambda: False, 2)
    redis.end()
    for server in servers:
        server.wait_for_bus(False)
    late = crowd.join(servers[0].port)
    crowd.read_until(lambda: LOCAL in late.notices(), 10)
    check("Redis killed: who comes now is told that the room is local", LOCAL in late.notices())
    crowd.forget()
    crowd.members[0].say(type="chat", message="0.100")
    crowd.read_until(lambda: all(m.messages() for m in crowd.members[0:CLIENTS:3]), 10)
    here = all(m.messages() == [(0, 100)] for m in crowd.members[0:CLIENTS:3])
    redis = Redis(folder, port, *options)
    crowd.read_until(lambda: WHOLE in late.notices(), 20)
    check("started again: it is told that the room is whole", WHOLE in late.notices())
    there = any(m.messages() for m in crowd.members[1:CLIENTS:3] + crowd.members[2:CLIENTS:3])
    check("what was said meanwhile was heard here, and is not said again there", here and not there)
    check("all see all again", settle(crowd, CLIENTS + 1))
    report = load.report()
    check("a load that went on all the while: what is lost is what was said elsewhere; "
          "nothing comes twice, late or damaged", is_honest(report, 2 / 3), delivered(report))
    talk(crowd, "and hear all", first=200)
    whole_load(binary, servers, "after it")

    def stop():
        redis.send(signal.SIGSTOP)
        crowd.read_until(lambda: False, 1.5)
        redis.send(signal.SIGCONT)

    late_load(binary, servers, crowd, "Redis stopped for 1.5 s", 1.0, stop)

    def pause():
        for _ in range(5):
            redis.ask("CLIENT PAUSE 400 ALL", "secret")
            crowd.read_until(lambda: False, 0.6)

    late_load(binary, servers, crowd, "Redis slow, it works 0.2 s of each 0.6", 0.3, pause)

    load = Load(binary, servers, "/chat/load", clients=CLIENTS, seconds=9)
    crowd.read_until(lambda: False, 2)
    redis.send(signal.SIGSTOP)
    for server in servers:
        server.wait_for_bus(False)
    redis.send(signal.SIGCONT)
    for server in servers:
        server.wait_for_bus(True)
    check("Redis stopped for longer, and continued: all see all", settle(crowd, CLIENTS + 1))
    report = load.report()
    check("a load that went on all the while", is_honest(report, 2 / 3), delivered(report))
    talk(crowd, "and hear all", first=300)
    whole_load(binary, servers, "after it")

    gone = sum(1 for at in range(CLIENTS) if at % 3 == 2)
    crowd.forget()
    servers[2].end()
    began = time.monotonic()
    left = f"left, {CLIENTS + 1 - gone} user(s) online"
    told = lambda: all(any(left in n for n in m.notices()) for m in crowd.members[:2])
    crowd.read_until(told, 15)
    took = time.monotonic() - began
    check("a process killed: the others hear that its members left, within 10 s",
          told() and took < 10, f"{took:.1f} s")
    crowd.members = [m for at, m in enumerate(crowd.members) if at % 3 != 2]
    talk(crowd, "and hear all that is left", first=400)
    crowd.leave()
    whole_load(binary, servers[:2], "two processes")
    for server in servers[:2]:
        check("a drained process ends with 0", server.end(signal.SIGTERM) == 0)

    unix = f"redis+unix://:secret@{redis.socket}"
    others(binary, folder, "a Unix socket", ["--bus", unix, "--bus-required"], redis)
    redis.end()
    secure(binary, folder)


def others(binary, folder, what, options, redis=None):
    """Two processes by another way, and with `redis` what happens when it takes nothing."""
    servers = [Server(binary, folder, *options) for _ in range(2)]
    check(f"{what}: two processes start", all(server.port for server in servers),
          "".join(server.log() for server in servers if not server.port))
    crowd = spread(servers, 10)
    check(f"{what}: all see all", settle(crowd, 10))
    talk(crowd, f"{what}: and hear all")
    crowd.leave()
    if redis:
        overflow(binary, what, servers, redis)
    for server in servers:
        server.end(signal.SIGTERM)


def overflow(binary, what, servers, redis):
    """More is said than a bus that takes nothing may have waiting: the link goes, the server stays."""
    before = servers[0].resident_kib()
    redis.send(signal.SIGSTOP)
    # A short time, so that it is not the silence of the bus that ends the link.
    options = ("--warmup", "0ms", "-s", "16k")
    load = Load(binary, servers[:1], "/broadcast/hall", *options, clients=4, rate=200, seconds=2)
    report = load.report()
    slow = "it does not take what it is sent" in servers[0].log()
    grown = servers[0].resident_kib() - before
    check(f"{what}: Redis takes nothing: the link goes, members here hear all, nothing piles up",
          slow and is_whole(report) and grown < 16 * 1024, f"{delivered(report)}, {grown} KiB more")
    redis.send(signal.SIGCONT)
    for server in servers:
        server.wait_for_bus(True)


def secure(binary, folder):
    key, certificate, port = f"{folder}/key.pem", f"{folder}/cert.pem", free_port()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1",
         "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    redis = Redis(folder, free_port(), "--tls-port", str(port), "--tls-cert-file", certificate,
                  "--tls-key-file", key, "--tls-ca-cert-file", certificate,
                  "--tls-auth-clients", "no").wait()
    url = f"rediss://127.0.0.1:{port}"
    others(binary, folder, "TLS", ["--bus", url, "--bus-ca", certificate, "--bus-required"])
    plain = subprocess.run(
        [binary, "--listen", "127.0.0.1:0", "--bus", f"redis://127.0.0.1:{port}", "--bus-required"],
        capture_output=True, timeout=20, text=True, check=False,
    )
    check("TLS: without it there is one line and no start", plain.returncode != 0, plain.stderr.strip())
    redis.end()


if __name__ == "__main__":
    try:
        (figures if sys.argv[1] == "figures" else everything)(*sys.argv[2:])
    finally:
        Process.end_all()
