#!/usr/bin/env python3
"""wsload and `wsecho load` beside each other: do they say the same of one server?

    agreement.py --wsload PROGRAM --wsecho PROGRAM

For each load of loads.txt one server is started, pinned to one CPU, and both generators drive it in
turn, pinned to another: A B, then B A, so that a slow drift of the machine hits both alike. A run
that other processes disturbed by more than --dirty percent of a CPU is repeated once. A figure is
the mean of the best third of many short runs: neighbours, also those that a virtual machine does
not see, only ever make a run worse. A ratio is that of `wsecho load` over that of wsload; behind it
stands the ratio of wsload to itself, of its even runs to its odd ones: what the measure is good
for. They agree under a load if messages a second and server CPU per message differ by no more than
--within percent. Latencies are shown and not judged: a percentile of so short a run is as noisy as
the machine. Exit status with --check: 1 if they do not agree, or a run failed.
"""
import argparse
import os
import shlex
import statistics
import sys

import generator
import paired

HERE = os.path.dirname(os.path.abspath(__file__))
FIGURES = [("messages/s", "per_s"), ("CPU/message", "cpu_us"), ("p50", "p50_us"), ("p99", "p99_us")]
JUDGED = ("per_s", "cpu_us")


def load_of(name, options):
    """A line of loads.txt as both generators take it."""
    words = shlex.split(options)

    def number(flag, usual):
        return int(words[words.index(flag) + 1]) if flag in words else usual

    load = generator.Load(name, "echo", number("--connections", 1), number("--size", 5),
                          number("--pipeline", 1), [])
    # What cannot be said in this form must not be left out in silence.
    told = generator.Wsload("").command(load, 0, 0, 0, 0)
    assert set(words) <= set(told), f"{name}: {options}: not all of it is known here"
    return load


def best(rows, key):
    """The mean of the best third."""
    values = sorted((row[key] for row in rows), reverse=key == "per_s")
    return statistics.mean(values[:-(-len(values) // 3)])


def compare(rows):
    """Of [(of wsload, of wsecho load), ...]: both figures, their ratio, and wsload's to itself."""
    olds, news = [old for old, _ in rows], [new for _, new in rows]
    compared = {}
    for _, key in FIGURES:
        old, new = best(olds, key), best(news, key)
        itself = best(olds[::2], key) / best(olds[1::2], key)
        compared[key] = (old, new, new / old, itself)
    return compared


def agrees(compared, within):
    return all(abs(compared[key][2] - 1) * 100 <= within for key in JUDGED)


def run_load(load, args):
    """Pairs of figures, or the reason why there are none."""
    generators = [generator.Wsload(args.wsload), generator.WsechoLoad(args.wsecho)]
    rows = []

    def once(which):
        return paired.beside(lambda port, pid: generator.drive(
            generators[which], load, port, pid, args.duration, args.warmup, args.client_cpu),
            port, server.pid, args.patience)

    server, port = paired.start(args.server, args.server_cpu)
    try:
        if port is None:
            return "the server did not start"
        for rep in range(max(args.reps, 2)):
            pair = [None, None]
            for which in (0, 1) if rep % 2 == 0 else (1, 0):
                pair[which] = once(which)
                if pair[which].get("others_pct", 0) > args.dirty:
                    pair[which] = once(which)
                if "failed" in pair[which]:
                    return f"{generators[which].name}: {pair[which]['failed']}"
            rows.append(tuple(pair))
        return rows
    finally:
        paired.stop(server)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("--wsload", required=True)
    p.add_argument("--wsecho", required=True)
    p.add_argument("--server", help="another server; it prints a line that ends in ws://127.0.0.1:PORT/")
    p.add_argument("--loads", default=os.path.join(HERE, "loads.txt"))
    p.add_argument("--only", help="only the loads whose name matches this expression")
    p.add_argument("--reps", type=int, default=24)
    p.add_argument("--duration", type=float, default=0.7)
    p.add_argument("--warmup", type=float, default=0.3)
    p.add_argument("--patience", type=float, default=20, help="seconds to wait for a quiet machine")
    p.add_argument("--dirty", type=float, default=5)
    p.add_argument("--within", type=float, default=2)
    p.add_argument("--server-cpu", default="0")
    p.add_argument("--client-cpu", default="1")
    p.add_argument("--check", action="store_true")
    args = p.parse_args()
    args.server = args.server or f"{shlex.quote(args.wsecho)} --listen 127.0.0.1:0 --max-connections 10000"
    print("load         figure            wsload  wsecho load   ratio  wsload to itself")
    agreed = True
    for name, options, *_ in paired.read_loads(args.loads, args.only):
        rows = run_load(load_of(name, options), args)
        if isinstance(rows, str):
            print(f"{name:12s} failed: {rows}", flush=True)
            agreed = False
            continue
        compared = compare(rows)
        for title, key in FIGURES:
            old, new, ratio, itself = compared[key]
            print(f"{name:12s} {title:12s} {old:12.3f} {new:12.3f}  {ratio:6.3f}  {itself:6.3f}",
                  flush=True)
        good = agrees(compared, args.within)
        agreed = agreed and good
        print(f"{name:12s} {'agree' if good else 'DIFFER'} within {args.within:g} %", flush=True)
    return 0 if agreed or not args.check else 1


if __name__ == "__main__":
    sys.exit(main())
