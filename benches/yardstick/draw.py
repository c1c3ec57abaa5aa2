#!/usr/bin/env python3
"""Draws a record of compare.py, and renews the figures in docs/performance.md and README.md.

    draw.py benches/record/compare-DATE.csv [--docs FOLDER]

Writes FOLDER/figures/compare-cpu.svg and compare-memory.svg, each light or dark as its reader
prefers, and what stands between the marks in FOLDER/performance.md and FOLDER/../README.md: there a
table of a few loads. The standard library is enough for that: a row of dots needs no plotting package, and nobody has to build one to draw a record.
"""
import argparse
import csv
import html
import math
import os
import sys

import generator

HERE = os.path.dirname(os.path.abspath(__file__))
BEGIN, END = "<!-- figures: made by scripts/compare.sh --record -->", "<!-- end of figures -->"
SUMMARY = ["5B-512-p1", "5B-64-p16", "1KiB-64-p4", "64KiB-8-p1", "1MiB-4-p1", "json-1KiB", "churn-64"]
NAMES = {"floor": "bare TCP echo", "bun": "Bun", "fastwebsockets": "fastwebsockets", "ws": "npm ws",
         "tungstenite": "tungstenite", "lws": "libwebsockets", "picows": "picows",
         "websockets": "websockets", "uwebsockets": "uWebSockets", "wsecho": "wsecho",
         "wtx": "wtx", "ws_rs": "ws-rs"}
SYSTEM = {"bun": "TypeScript", "ws": "Node", "picows": "Cython", "websockets": "Python", "lws": "C",
          "uwebsockets": "C++", "floor": "C"}
STYLE = """
svg { color-scheme: light dark; --paper: #fff; --ink: #1c2427; --soft: #58646a; --edge: #b4bfbd; --more: #b0622a; --less: #0a6b64; --band: #f5f7f6 }
@media (prefers-color-scheme: dark) { svg { --paper: #192023; --ink: #e2e8e9; --soft: #9aa8ad; --edge: #5a686d; --more: #e0a070; --less: #62cec2; --band: #1e2629 } }
text { font: 13px system-ui, sans-serif; fill: var(--ink); font-variant-numeric: tabular-nums }
.soft { fill: var(--soft); font-size: 12px } .head { font-weight: 600 } .title { font-size: 16px; font-weight: 600 }
.end { text-anchor: end }
.one { stroke: var(--edge); stroke-width: 1.5 } .small { fill: var(--soft); font-size: 10.5px }
.more { fill: var(--more) } .less { fill: var(--less) } .even { fill: var(--soft) }
.paper { fill: var(--paper) } .band { fill: var(--band) }
"""


def text(x, y, words, classes=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{classes}">{html.escape(words)}</text>'


def line(x1, y1, x2, y2, classes):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{classes}"/>'


def rect(x, y, width, height, classes, more=""):
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" class="{classes}"{more}/>'


def picture(width, height, title, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
            f'height="{height}" role="img" aria-label="{html.escape(title)}">\n<style>{STYLE}</style>\n'
            + rect(0, 0, width, height, "paper", ' rx="8"') + "\n" + "\n".join(body) + "\n</svg>\n")


def size(count):
    for unit, worth in ("MiB", 1 << 20), ("KiB", 1 << 10):
        if count >= worth:
            return f"{count // worth} {unit}"
    return f"{count} B"


def described(load):
    """A load in words, and the rest of it in smaller ones."""
    many = f"{load.connections:,}".replace(",", " ") + (" connections" if load.connections > 1 else " connection")
    if load.kind == "churn":
        return "connect, close, again", f"{load.connections} at a time"
    if load.kind == "idle":
        return "idle", many
    if load.kind == "room":
        return f"room of {load.connections}", f"{size(load.size)}, CPU per delivery"
    compressed = "JSON, compressed" if load.kind == "json" else ""
    flight = f", {load.pipeline} in flight each" if load.pipeline > 1 else ""
    return f"{size(load.size)} {compressed}".strip(), many + flight


def micros(us):
    for unit, worth in ("s", 1e6), ("ms", 1e3):
        if us >= worth:
            return f"{us / worth:.3g} {unit}"
    return f"{us:.3g} us"


def times(ratio):
    return f"{ratio:.2f}" if ratio < 9.995 else f"{ratio:.3g}"


def caption(rows):
    first = rows[0]
    return f"{first['cpu']}, Linux {first['kernel']}, {first['date']}; {first['profile']} profile"


def heading(server, versions):
    version = versions.get(server, "").split(" ")[0]
    return NAMES.get(server, server), " ".join(filter(None, [SYSTEM.get(server, "Rust"), version]))


def draw_cpu(rows, loads):
    """CPU per message as a multiple of wsecho's: a column for each server, a row for each load."""
    cells = {(row["load"], row["server"]): row for row in rows}
    loads = [load for load in loads if load.kind != "idle" and (load.name, "wsecho") in cells]
    servers = list(dict.fromkeys(row["server"] for row in rows if row["server"] != "wsecho"))
    versions = {row["server"]: row["version"] for row in rows}
    known = [float(row[key]) for row in rows if row["ratio"] and row["load"] != "idle-10000"
             for key in ("ratio_min", "ratio_max")]
    low, high = min(known + [0.8]) * 0.9, max(known + [2]) * 1.05
    left, top, step, column = 344, 104, 34, 124
    width, height = left + column * len(servers) + 24, top + step * len(loads) + 40

    def place(at, ratio):
        share = math.log(ratio / low) / math.log(high / low)
        return left + column * at + 6 + share * (column - 62)

    title = "Server CPU for each message, as a multiple of wsecho's"
    body = [text(20, 30, title, "title"), text(20, 50, caption(rows), "soft"),
            text(left - 20, 90, "wsecho", "head end")]
    for at, server in enumerate(servers):
        name, further = heading(server, versions)
        body += [text(place(at, low), 78, name, "head"), text(place(at, low), 94, further, "soft")]
    for number, load in enumerate(loads):
        y = top + step * number
        if number % 2 == 0:
            body.append(rect(8, y, width - 16, step, "band", ' rx="4"'))
    for at in range(len(servers)):
        body.append(line(place(at, 1), top, place(at, 1), top + step * len(loads), "one"))
    for number, load in enumerate(loads):
        y = top + step * number
        words, further = described(load)
        own = cells[load.name, "wsecho"]
        body += [text(20, y + 15, words), text(20, y + 29, further, "soft"),
                 text(left - 20, y + 22, micros(float(own["cpu_us"])) if own["cpu_us"] else "failed", "end")]
        for at, server in enumerate(servers):
            row = cells.get((load.name, server))
            if row is None:
                continue
            if not row["ratio"]:
                body.append(text(place(at, low), y + 21, "failed" if row["failed"] else "", "soft"))
                continue
            ratio, low_end, high_end = (float(row[key]) for key in ("ratio", "ratio_min", "ratio_max"))
            kind = "more" if low_end > 1 else "less" if high_end < 1 else "even"
            x = place(at, ratio)
            body += [f'<circle cx="{x:.1f}" cy="{y + 17}" r="4.5" class="{kind}"/>',
                     text(x + 9, y + 16, times(ratio))]
            if low_end < high_end:
                body.append(text(x + 9, y + 28, f"{times(low_end)}–{times(high_end)}", "small"))
    note = ("Medians of paired runs, with their range below. Each column is logarithmic, and its line is wsecho: "
            "a dot at its right takes more CPU.")
    body.append(text(20, height - 16, note, "soft"))
    return picture(width, height, title, body)


def draw_memory(rows, loads):
    """Resident memory for each idle connection."""
    idle = [load.name for load in loads if load.kind == "idle"]
    rows = [row for row in rows if row["load"] in idle and row["conn_bytes"]]
    if not rows:
        return None
    rows.sort(key=lambda row: float(row["conn_bytes"]))
    versions = {row["server"]: row["version"] for row in rows}
    left, top, step, room = 210, 74, 34, 480
    width, height = left + room + 110, top + step * len(rows) + 20
    most = max(float(row["conn_bytes"]) for row in rows)
    count = next(load.connections for load in loads if load.name == rows[0]["load"])
    title = "Memory of the server for each idle connection"
    many = f"{count:,}".replace(",", " ")
    body = [text(20, 30, title, "title"), text(20, 50, f"{many} of them; {caption(rows)}", "soft")]
    for number, row in enumerate(rows):
        y, used = top + step * number, float(row["conn_bytes"])
        name, further = heading(row["server"], versions)
        kind = "less" if row["server"] == "wsecho" else "more"
        long = max(2, room * used / most)
        body += [text(left - 14, y + 14, name, "end"), text(left - 14, y + 28, further, "soft end"),
                 rect(left, y + 6, long, 18, kind, ' rx="3"'),
                 text(left + long + 8, y + 20, bytes_of(used))]
    return picture(width, height, title, body)


def table(rows, loads):
    """The figures in words, for who cannot see the pictures."""
    names = {load.name: ", ".join(described(load)) for load in loads}
    lines = ["| load | server | cost | beside wsecho | range | p99 |", "|---|---|---|---|---|---|"]
    for row in rows:
        server = NAMES.get(row["server"], row["server"])
        if row["failed"]:
            lines.append(f"| {names[row['load']]} | {server} | failed | | | |")
            continue
        cost = micros(float(row["cpu_us"])) if row["cpu_us"] else f"{float(row['conn_bytes']):.0f} B"
        ratio = times(float(row["ratio"])) if row["ratio"] else ""
        span = f"{times(float(row['ratio_min']))} to {times(float(row['ratio_max']))}" if ratio else ""
        p99 = micros(float(row["p99_us"])) if row["p99_us"] else ""
        lines.append(f"| {names[row['load']]} | {server} | {cost} | {ratio} | {span} | {p99} |")
    return lines


def missing(rows, loads):
    """What the record does not say, in words."""
    done = {row["load"] for row in rows if not row["failed"]}
    left_out = [", ".join(described(load)) for load in loads if load.name not in done]
    failed = [f"{NAMES.get(row['server'], row['server'])} under {row['load']} (`{row['failed']}`)"
              for row in rows if row["failed"] and row["load"] in done]
    busy = [f"{NAMES.get(row['server'], row['server'])} under {row['load']}"
            for row in rows if row["client_pct"] and float(row["client_pct"]) > 95]
    lines = []
    for words, what in (("Not measured in this record", left_out), ("Failed", failed),
                        ("With a generator at its own limit", busy)):
        if what:
            lines += [f"{words}: " + "; ".join(what) + ".", ""]
    return lines


def bytes_of(number):
    return f"{number:.0f} B" if number < 1024 else f"{number / 1024:.1f} KiB"


def summary(rows, loads):
    """A few loads in one table, for the README: the cost of wsecho, and of others as a multiple."""
    cells = {(row["load"], row["server"]): row for row in rows if not row["failed"]}
    shown = [load for load in loads if load.name in SUMMARY and (load.name, "wsecho") in cells]
    servers = list(dict.fromkeys(row["server"] for row in rows if row["server"] != "wsecho"))
    lines = [f"| load | wsecho | {' | '.join(NAMES.get(server, server) for server in servers)} |",
             "|---" * (len(servers) + 2) + "|"]
    for load in shown:
        ratios = [cells.get((load.name, server), {}).get("ratio") for server in servers]
        words = [times(float(ratio)) if ratio else "" for ratio in ratios]
        own = micros(float(cells[load.name, "wsecho"]["cpu_us"]))
        lines.append(f"| {', '.join(described(load))} | {own} | {' | '.join(words)} |")
    for load in loads:
        held = [cells.get((load.name, server), {}).get("conn_bytes") for server in ["wsecho", *servers]]
        if load.kind == "idle" and held[0]:
            words = [bytes_of(float(number)) if number else "" for number in held]
            lines.append(f"| memory of one of {described(load)[1]} | {' | '.join(words)} |")
    return lines


def renew_summary(path, rows, loads, record):
    lines = [BEGIN, "", "Server CPU for each message: of wsecho as a time, of others as a multiple of it.", ""]
    lines += summary(rows, loads)
    name = os.path.basename(record)
    lines += ["", f"Medians of paired runs; {caption(rows)}; record: [{name}](benches/record/{name}).", "", END]
    put(path, lines)


def put(path, lines):
    """Puts lines in the place of what stands between the marks of a page."""
    with open(path) as f:
        page = f.read()
    before, rest = page.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    with open(path, "w") as f:
        f.write(before + "\n".join(lines) + after)


def renew(path, rows, loads, record, pictures):
    versions = {row["server"]: row["version"] for row in rows if row["version"]}
    named = ", ".join(f"{NAMES.get(server, server)} {version}" for server, version in versions.items())
    lines = [BEGIN, "", f"Record: `benches/record/{os.path.basename(record)}`. {caption(rows)}. {named}.", ""]
    for alt, name in pictures:
        lines += [f"![{alt}](figures/{name})", ""]
    lines += missing(rows, loads)
    lines += ["<details><summary>All figures</summary>", ""] + table(rows, loads) + ["", "</details>", "", END]
    put(path, lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("record")
    p.add_argument("--docs", default=os.path.join(HERE, "..", "..", "docs"))
    args = p.parse_args()
    with open(args.record, newline="") as f:
        rows = list(csv.DictReader(f))
    if not rows or "ratio_min" not in rows[0]:
        print(f"draw.py: {args.record} is no record of compare.py", file=sys.stderr)
        return 1
    loads = generator.read_loads(os.path.join(HERE, "compare.txt"))
    folder = os.path.join(args.docs, "figures")
    os.makedirs(folder, exist_ok=True)
    pictures = []
    for name, alt, drawn in (
            ("compare-cpu.svg", "CPU for each message beside wsecho", draw_cpu(rows, loads)),
            ("compare-memory.svg", "Memory for each idle connection", draw_memory(rows, loads))):
        path = os.path.join(folder, name)
        if drawn is None:
            if os.path.exists(path):
                os.remove(path)
            continue
        with open(path, "w") as f:
            f.write(drawn)
        pictures.append((alt, name))
    renew(os.path.join(args.docs, "performance.md"), rows, loads, args.record, pictures)
    renew_summary(os.path.join(args.docs, "..", "README.md"), rows, loads, args.record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
