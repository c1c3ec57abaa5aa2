#!/usr/bin/env python3
"""Paired runs: every server under every load of loads.txt, interleaved, against the first server.

    paired.py --generator wsecho --server floor='limit_tcp' --server wsecho='wsecho --listen 127.0.0.1:0'

The generator is a wsecho, which has `load`. The first server is the floor, a bare TCP echo, which
is sent the very frames that the others are sent. The second is the one whose
ratios are judged by the bounds in loads.txt; any others are measured beside them and not judged.
A command that contains {port} is given a free port and is ready when that port accepts; any other
prints a line that ends in "ws://127.0.0.1:PORT/" on standard output.

Each run starts a fresh server pinned to one CPU and the generator pinned to another. The order of
the servers rotates from repetition to repetition, so that a slow drift of the machine hits all
alike. A run that other processes disturbed by more than --dirty percent of a CPU is repeated once.
Figures are medians; a ratio is one median over another. Exit status with --check: 1 if a bound is
exceeded or a run failed.
"""
import argparse
import csv
import datetime
import json
import os
import platform
import re
import resource
import shlex
import signal
import socket
import statistics
import subprocess
import sys
import time

import generator

HERE = os.path.dirname(os.path.abspath(__file__))
FIELDS = ["date", "cpu", "kernel", "rustc", "load", "server", "runs", "us_per_msg", "user_us",
          "msg_per_s", "p50_us", "p99_us", "others_pct", "ratio", "bound"]


def read_loads(path, only):
    loads = []
    for line in open(path):
        if line.strip() and not line.startswith("#"):
            name, options, ratio, user = (field.strip() for field in line.split("|"))
            if only and not re.search(only, name):
                continue
            loads.append((name, options, float(ratio), float(user) if user else None))
    return loads


def busy_s():
    """CPU seconds for which the whole machine was not idle."""
    v = [int(x) for x in open("/proc/stat").readline().split()[1:8]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / os.sysconf("SC_CLK_TCK")


def used_s(pid):
    w = open(f"/proc/{pid}/stat").read().rsplit(") ", 1)[1].split()
    return (int(w[11]) + int(w[12])) / os.sysconf("SC_CLK_TCK")


def wait_quiet(patience):
    """Waits until others leave the machine alone, for at most `patience` seconds."""
    end = time.time() + patience
    while time.time() < end:
        busy, began = busy_s(), time.time()
        time.sleep(0.25)
        if (busy_s() - busy) / (time.time() - began) < 0.06:
            return


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def accepts(port, server):
    end = time.time() + 20
    while time.time() < end and server.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            time.sleep(0.02)
    return False


def start(command, cpu):
    """Starts a pinned server. Returns it and its port, or None for the port if it did not come up."""
    given = free_port() if "{port}" in command else None
    words = shlex.split(command.replace("{port}", str(given)))
    server = subprocess.Popen(["taskset", "-c", cpu] + words, text=True, stderr=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL if given else subprocess.PIPE)
    if given:
        return server, given if accepts(given, server) else None
    ready = re.search(r":(\d+)/$", server.stdout.readline().strip())
    return server, int(ready[1]) if ready else None


def observed(command, args, drive):
    """What `drive(port, pid)` measures of a fresh server, and how much CPU others took meanwhile.
    With "failed" in it, the reason why there is nothing else."""
    server, port = start(command, args.server_cpu)
    try:
        if port is None:
            return {"failed": "the server did not start"}
        return beside(drive, port, server.pid, args.patience)
    finally:
        stop(server)


def beside(drive, port, pid, patience):
    """What `drive(port, pid)` measures of a server that runs, and what others took meanwhile."""
    wait_quiet(patience)
    busy, own, began = busy_s(), used_s(pid), time.time()
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    try:
        result = drive(port, pid)
    except subprocess.TimeoutExpired:
        return {"failed": "no end after 120 s"}
    if "failed" in result:
        return result
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    mine = used_s(pid) - own + after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    result["others_pct"] = 100 * (busy_s() - busy - mine) / (time.time() - began)
    return result


def stop(server):
    """Ends a server."""
    server.terminate()
    try:
        server.wait(5)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()


def run_once(command, options, bare, args):
    def drive(port, pid):
        line = ["taskset", "-c", args.client_cpu]
        line += generator.WsechoLoad(args.generator, bare).beginning(
            port, pid, args.duration, args.warmup)
        out = subprocess.run(line + shlex.split(options), capture_output=True, text=True, timeout=120)
        if not out.stdout.startswith("{"):
            return {"failed": out.stderr.strip()[-200:]}
        result = json.loads(out.stdout)
        return {"failed": json.dumps(result["errors"])} if result["errors"] else result

    return observed(command, args, drive)


def measure(servers, options, args):
    """Runs of each server under one load: {server: [result, ...]}."""
    names, runs = list(servers), {name: [] for name in servers}
    for rep in range(args.reps):
        k = rep % len(names)
        for name in names[k:] + names[:k]:
            bare = name == names[0]
            result = run_once(servers[name], options, bare, args)
            if result.get("others_pct", 0) > args.dirty:
                result = run_once(servers[name], options, bare, args)
            runs[name].append(result)
    return runs


def summary(results):
    """Medians of the runs, or the reason why there are none."""
    failed = [r["failed"] for r in results if "failed" in r]
    if failed:
        return {"failed": failed[0]}

    def median(pick):
        return statistics.median(pick(r) for r in results)

    return {"runs": len(results), "us_per_msg": median(lambda r: r["server"]["cpu_us_per_message"]),
            "user_us": median(lambda r: r["server"]["user_us_per_message"]),
            "msg_per_s": median(lambda r: r["messages_per_second"]),
            "p50_us": median(lambda r: r["latency_us"]["p50"]),
            "p99_us": median(lambda r: r["latency_us"]["p99"]),
            "others_pct": max(r["others_pct"] for r in results)}


def report(load, runs):
    """Prints one load's lines. Returns the records, and whether the judged server passed."""
    name, _, bound, user_bound = load
    names, passed, records = list(runs), True, []
    rows = {n: summary(runs[n]) for n in names}
    floor = rows[names[0]].get("us_per_msg")
    for n in names:
        row = rows[n]
        if "failed" in row:
            print(f"{name:12s} {n:10s} failed: {row['failed']}", flush=True)
            passed = passed and n not in names[:2]
            continue
        row.update(load=name, server=n)
        verdict = ""
        if floor and n != names[0]:
            row["ratio"] = round(row["us_per_msg"] / floor, 3)
            verdict = f"{row['ratio']:6.3f}"
        if floor and n == names[1]:
            good = row["ratio"] <= bound and (user_bound is None or row["user_us"] <= user_bound)
            row["bound"], passed = bound, passed and good
            user = f", user <= {user_bound}" if user_bound else ""
            verdict += f"  <= {bound}{user}  {'PASS' if good else 'FAIL'}"
        print(f"{name:12s} {n:10s} {row['us_per_msg']:10.3f} {row['user_us']:9.3f} "
              f"{row['p99_us']:10.1f} {verdict}", flush=True)
        records.append(row)
    return records, passed


def host():
    cpu = next((line.split(":", 1)[1].strip() for line in open("/proc/cpuinfo")
                if line.startswith("model name")), platform.machine())
    rustc = subprocess.run(["rustc", "--version"], capture_output=True, text=True).stdout.strip()
    return {"date": datetime.date.today().isoformat(), "cpu": cpu, "kernel": platform.release(),
            "rustc": rustc}


def append(path, records):
    new = not os.path.exists(path)
    with open(path, "a", newline="") as f:
        out = csv.DictWriter(f, FIELDS, lineterminator="\n")
        if new:
            out.writeheader()
        facts = host()
        for record in records:
            rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in record.items()}
            out.writerow({**facts, **rounded})


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--generator", required=True, metavar="PROGRAM")
    p.add_argument("--server", action="append", required=True, metavar="NAME=COMMAND")
    p.add_argument("--loads", default=os.path.join(HERE, "loads.txt"))
    p.add_argument("--only", help="only the loads whose name matches this expression")
    p.add_argument("--reps", type=int, default=5)
    p.add_argument("--duration", type=float, default=3, help="measured seconds")
    p.add_argument("--warmup", type=float, default=0.5, help="seconds of traffic before that")
    p.add_argument("--patience", type=float, default=4, help="seconds to wait for a quiet machine")
    p.add_argument("--dirty", type=float, default=20)
    p.add_argument("--server-cpu", default="0")
    p.add_argument("--client-cpu", default="1")
    p.add_argument("--check", action="store_true")
    p.add_argument("--record", metavar="CSV", help="append the medians to this file")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server goes too
    servers = dict(s.split("=", 1) for s in args.server)
    if len(servers) < 2:
        p.error("needs a floor and a server")
    print(f"{'load':12s} {'server':10s} {'us/message':>10s} {'user us':>9s} {'p99 us':>10s}  ratio")
    passed = True
    for load in read_loads(args.loads, args.only):
        records, good = report(load, measure(servers, load[1], args))
        passed = passed and good
        if args.record:
            append(args.record, records)
    return 1 if args.check and not passed else 0


if __name__ == "__main__":
    sys.exit(main())
