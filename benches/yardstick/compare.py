#!/usr/bin/env python3
"""Several servers side by side, interleaved: A B C, B C A, C A B.

    compare.py --profile quick --generator PROGRAM --server NAME:FORM=COMMAND ...

compare.sh installs the servers and calls this. FORM says what the command serves: echo, deflate
(an echo that compresses) or room; a load is given to those that have its form. The server called
wsecho is what all ratios are to; floor is a bare TCP echo, which is sent
the same frames. The generator is a wsecho, which has `load`.

Each run starts a fresh server pinned to one CPU and the generator pinned to another. A ratio is
taken within each round, of two runs that stand beside each other, and the median of the rounds is
shown with the lowest and the highest of them. A run during which other processes took more than
--dirty percent of a CPU is repeated once. A server that fails is left out of that load, and why is
recorded.
"""
import argparse
import csv
import os
import signal
import statistics
import sys

import generator
import paired

HERE = os.path.dirname(os.path.abspath(__file__))
PROFILES = {
    # Rounds, measured seconds, seconds of warm-up, seconds to wait for a quiet machine at most.
    "quick": (2, 1.0, 0.3, 0.5),
    "full": (5, 3.0, 0.5, 4.0),
}
FIELDS = ["date", "profile", "cpu", "kernel", "generator", "load", "server", "version", "runs",
          "cpu_us", "cpu_us_min", "cpu_us_max", "user_us", "per_s", "p50_us", "p99_us", "client_pct",
          "others_pct", "ratio", "ratio_min", "ratio_max", "rss_kib", "conn_bytes", "failed"]


def generator_for(server, args):
    """The floor speaks no WebSocket."""
    return generator.WsechoLoad(args.generator, bare=server == "floor")


def run_once(command, server, load, args):
    gen = generator_for(server, args)

    def drive(port, pid):
        return generator.drive(gen, load, port, pid, args.seconds, args.warmup, args.client_cpu)

    return paired.observed(command, args, drive)


def measure(commands, load, args):
    """Runs of each server under one load, round by round: {server: [result, ...]}."""
    names, runs = list(commands), {name: [] for name in commands}
    for rep in range(args.reps):
        k = rep % len(names)
        for name in names[k:] + names[:k]:
            if any("failed" in result for result in runs[name]):
                continue
            result = run_once(commands[name], name, load, args)
            if result.get("others_pct", 0) > args.dirty:
                result = run_once(commands[name], name, load, args)
            runs[name].append(result)
    return runs


def cost(load, result):
    """What a ratio is of: memory of idle connections, CPU otherwise."""
    return result["conn_bytes"] if load.kind == "idle" else result["cpu_us"]


def summary(load, results, own):
    """The row of one server under one load. `own` are the runs of wsecho."""
    failed = [r["failed"] for r in results if "failed" in r]
    if failed:
        return {"failed": failed[0]}

    def median(key):
        values = [r[key] for r in results if r[key] is not None]
        return statistics.median(values) if values else None

    row = {key: median(key) for key in
           ["user_us", "per_s", "p50_us", "p99_us", "client_pct", "rss_kib", "conn_bytes", "cpu_us"]}
    row.update(runs=len(results), others_pct=max(r["others_pct"] for r in results))
    if load.kind == "idle":
        row.update({key: None for key in ["cpu_us", "user_us", "per_s", "p50_us", "p99_us"]})
    else:
        row.update(conn_bytes=None, cpu_us_min=min(r["cpu_us"] for r in results),
                   cpu_us_max=max(r["cpu_us"] for r in results))
    pairs = [(cost(load, a), cost(load, b)) for a, b in zip(results, own) if "failed" not in b]
    ratios = [a / b for a, b in pairs if b]
    if ratios:
        row.update(ratio=statistics.median(ratios), ratio_min=min(ratios), ratio_max=max(ratios))
    return row


def show(load, server, row):
    if "failed" in row:
        print(f"{load.name:14s} {server:15s} failed: {row['failed']}", flush=True)
        return
    unit = "B/conn" if load.kind == "idle" else "us"
    ratio = "" if row.get("ratio") is None else (
        f"{row['ratio']:7.2f}  {row['ratio_min']:.2f} to {row['ratio_max']:.2f}")
    p99 = "" if row["p99_us"] is None else f"{row['p99_us']:10.1f}"
    busy = "  generator at its limit" if row["client_pct"] > 95 else ""
    print(f"{load.name:14s} {server:15s} {cost(load, row):11.3f} {unit:6s} {p99:10s} {ratio}{busy}",
          flush=True)


def rounded(value):
    return float(f"{value:.4g}") if isinstance(value, float) else value


def facts(args):
    host = paired.host()
    return {"date": host["date"], "cpu": host["cpu"], "kernel": host["kernel"], "profile": args.profile}


def read_servers(given, versions):
    """{form: {server: command}}, and the versions by server."""
    forms = {}
    for server in given:
        name, command = server.split("=", 1)
        name, form = name.split(":")
        forms.setdefault(form, {})[name] = command
    return forms, dict(version.split("=", 1) for version in versions)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--profile", choices=PROFILES, default="full")
    p.add_argument("--generator", required=True, metavar="PROGRAM")
    p.add_argument("--server", action="append", required=True, metavar="NAME:FORM=COMMAND")
    p.add_argument("--version", action="append", default=[], metavar="NAME=VERSION")
    p.add_argument("--loads", default=os.path.join(HERE, "compare.txt"))
    p.add_argument("--only", default="", help="only the loads whose name has this in it")
    p.add_argument("--reps", type=int, help="rounds, instead of the profile's")
    p.add_argument("--seconds", type=float, help="measured seconds, instead of the profile's")
    p.add_argument("--warmup", type=float)
    p.add_argument("--patience", type=float, help="seconds to wait for a quiet machine")
    p.add_argument("--dirty", type=float, default=20)
    p.add_argument("--server-cpu", default="0")
    p.add_argument("--client-cpu", default="1")
    p.add_argument("--record", metavar="CSV", help="write the rows to this file")
    args = p.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # so that the server goes too
    for name, usual in zip(("reps", "seconds", "warmup", "patience"), PROFILES[args.profile]):
        if getattr(args, name) is None:
            setattr(args, name, usual)
    forms, versions = read_servers(args.server, args.version)

    rows = []
    print(f"{'load':14s} {'server':15s} {'cost':>11s} {'':6s} {'p99 us':>10s}   ratio  range")
    for load in generator.read_loads(args.loads):
        if args.profile not in load.profiles or args.only not in load.name:
            continue
        commands = dict(forms.get(generator.FORMS[load.kind], {}))
        if load.kind != "echo":
            commands.pop("floor", None)
        runs = measure(commands, load, args)
        for server in commands:
            row = summary(load, runs[server], runs.get("wsecho", []))
            show(load, server, row)
            row.update(load=load.name, server=server, version=versions.get(server, ""),
                       generator=generator_for(server, args).name)
            rows.append({**facts(args), **{key: rounded(value) for key, value in row.items()}})
    if args.record and rows:
        with open(args.record, "w", newline="") as f:
            out = csv.DictWriter(f, FIELDS, lineterminator="\n")
            out.writeheader()
            out.writerows(rows)
    return 0 if rows else 1


if __name__ == "__main__":
    sys.exit(main())
