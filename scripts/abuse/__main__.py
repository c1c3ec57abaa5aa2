"""See abuse.sh."""

import argparse
import csv
import datetime
import resource
import signal
import sys
from pathlib import Path

import compressed
import crowds
import slow
from arena import ATTACKS, stage

RECORD = Path(__file__).parents[2] / "benches/record/abuse.csv"
FIELDS = ["date", "build", "attack", "echoes", "echo_p99_ms", "echo_max_ms", "probes",
          "probe_max_ms", "peak_kib", "promise_kib", "verdict", "faults"]
MODULES = [compressed, slow, crowds]


def options():
    parser = argparse.ArgumentParser(prog="abuse.sh")
    parser.add_argument("--program", required=True)
    parser.add_argument("--build", required=True)
    parser.add_argument("--log", required=True)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--only", action="append", choices=sorted(ATTACKS), metavar="NAME")
    return parser.parse_args()


def show(name, result):
    print(f"{name:22} {result.p99:8.1f} {result.worst:8.0f} {result.worst_probe:8.0f} "
          f"{result.probes:6} {result.peak / 1024:7.1f} {result.promise / 1024:7.1f} "
          f"{result.seconds:5.1f}  {result.verdict}  {'; '.join(result.faults)}", flush=True)


def record(build, name, result):
    new = not RECORD.exists()
    with RECORD.open("a", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        if new:
            rows.writerow(FIELDS)
        rows.writerow([datetime.date.today(), build, name, result.echoes, f"{result.p99:.1f}",
                       f"{result.worst:.0f}", result.probes, f"{result.worst_probe:.0f}",
                       result.peak, result.promise, result.verdict, "; ".join(result.faults)])


def main():
    chosen = options()
    if chosen.list:
        for attack in ATTACKS.values():
            print(f"{attack.name:22} {attack.about}")
        return
    # As an exception, so that what was started is stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    print(f"{'attack':22} {'p99 ms':>8} {'max ms':>8} {'new ms':>8} {'new':>6} {'MiB':>7} "
          f"{'promise':>7} {'s':>5}")
    failed = []
    with open(chosen.log, "a", encoding="utf-8") as log:
        for name in chosen.only or ATTACKS:
            result = stage(ATTACKS[name], chosen.program, log)
            show(name, result)
            if chosen.record:
                record(chosen.build, name, result)
            if result.faults:
                failed.append(name)
    if failed:
        print(f"abuse: {len(failed)} failed: {' '.join(failed)}")
    sys.exit(1 if failed and chosen.check else 0)


main()
