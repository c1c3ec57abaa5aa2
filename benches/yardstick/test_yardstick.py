#!/usr/bin/env python3
"""Tests of what measures: figures are read, paired and drawn as they should be. No server is run."""
import contextlib
import csv
import io
import json
import os
import re
import tempfile
import types
import unittest
import xml.dom.minidom

import compare
import draw
import generator
import paired

HERE = os.path.dirname(os.path.abspath(__file__))
ECHO = generator.Load("5B-64-p16", "echo", 64, 5, 16, ["full"])
LOADS = os.path.join(HERE, "compare.txt")


def load(kind, size=125):
    return generator.Load(kind, kind, 100, size, 1, ["full"])


def result(cpu_us, **more):
    known = {"user_us": 0.1, "per_s": 1e5, "p50_us": 90.0, "p99_us": 900.0, "client_pct": 60.0,
             "rss_kib": 3000, "conn_bytes": 143.0, "others_pct": 1.0}
    return {**known, "cpu_us": cpu_us, **more}


class Commands(unittest.TestCase):
    def test_the_floor_gets_the_same_load_without_a_handshake(self):
        words = generator.WsechoLoad("wsecho", bare=True).command(ECHO, 80, 7, 1.0, 0.3)
        served = generator.WsechoLoad("wsecho").command(ECHO, 80, 7, 1.0, 0.3)
        self.assertEqual((words[2], served[2]), ("tcp://127.0.0.1:80", "ws://127.0.0.1:80/ws"))
        self.assertEqual(words[3:], served[3:])
        self.assertEqual(words[words.index("--pipeline") + 1], "16")
        self.assertEqual(words[words.index("--warmup") + 1], "300ms")
        self.assertNotIn("--binary", words)

    def test_all_kinds_have_a_command(self):
        told = {"idle": "--idle", "churn": "--churn", "json": "--deflate", "room": "--broadcast"}
        for kind in generator.FORMS:
            words = generator.WsechoLoad("wsecho").command(load(kind), 80, 7, 1.0, 0.3)
            self.assertEqual(words[:2], ["wsecho", "load"])
            self.assertIn("--json", words)
            self.assertIn(told.get(kind, "--pipeline"), words)

    def test_loads_are_all_of_a_known_kind(self):
        loads = generator.read_loads(LOADS)
        self.assertEqual(len({load.name for load in loads}), len(loads))
        self.assertTrue(all("full" in load.profiles for load in loads))
        self.assertEqual(sum("quick" in load.profiles for load in loads), 3)


class Figures(unittest.TestCase):
    report = {"messages": 1000, "messages_per_second": 500.0, "duration_s": 2.0, "errors": {},
              "latency_us": {"p50": 1.5, "p99": 9.5}, "handshake_us": {"p50": 150.0, "p99": 950.0},
              "client_cpu_percent": 70.0,
              "server": {"cpu_us_per_message": 2.0, "user_us_per_message": 0.5, "rss_kib": 3000}}

    def read(self, kind, **more):
        text = json.dumps({**self.report, **more})
        return generator.WsechoLoad("wsecho").figures(load(kind), text)

    def test_of_an_echo(self):
        figures = self.read("echo")
        self.assertEqual((figures["cpu_us"], figures["user_us"], figures["per_s"]), (2.0, 0.5, 500.0))
        self.assertEqual((figures["p99_us"], figures["conn_bytes"]), (9.5, None))

    def test_of_a_churn_are_about_connections(self):
        self.assertEqual(self.read("churn")["p99_us"], 950.0)

    def test_of_a_room_are_about_deliveries(self):
        figures = self.read("room", broadcast={"delivered": 4000})
        self.assertEqual((figures["count"], figures["cpu_us"], figures["per_s"]), (4000, 0.5, 2000.0))


class Paired(unittest.TestCase):
    def run_with(self, cpu_us_of_wsecho):
        calls, before = [], paired.run_once

        def run_once(command, options, bare, args):
            calls.append((command, options, bare))
            cpu_us = cpu_us_of_wsecho if command == "w" else 2.0
            return {"server": {"cpu_us_per_message": cpu_us, "user_us_per_message": 0.1},
                    "messages_per_second": 1e5, "latency_us": {"p50": 9.0, "p99": 90.0},
                    "others_pct": 1.0}

        paired.run_once = run_once
        try:
            args = types.SimpleNamespace(reps=2, dirty=20)
            runs = paired.measure({"floor": "f", "wsecho": "w"}, "--size 5", args)
        finally:
            paired.run_once = before
        return calls, runs

    def test_the_first_server_is_bare_and_the_second_judged_by_the_ratio_to_it(self):
        for cpu_us, good in [(2.1, True), (2.3, False)]:
            calls, runs = self.run_with(cpu_us)
            self.assertEqual(calls, [("f", "--size 5", True), ("w", "--size 5", False),
                                     ("w", "--size 5", False), ("f", "--size 5", True)])
            with contextlib.redirect_stdout(io.StringIO()):
                records, passed = paired.report(("5B", "--size 5", 1.1, None), runs)
            self.assertEqual((records[1]["ratio"], passed), (cpu_us / 2, good))


class Summary(unittest.TestCase):
    def test_a_ratio_is_of_two_runs_that_stand_beside_each_other(self):
        row = compare.summary(ECHO, [result(3.0), result(8.0), result(5.0)],
                              [result(1.0), result(4.0), result(2.0)])
        self.assertEqual((row["ratio"], row["ratio_min"], row["ratio_max"]), (2.5, 2.0, 3.0))
        self.assertEqual((row["cpu_us"], row["cpu_us_min"], row["cpu_us_max"]), (5.0, 3.0, 8.0))

    def test_idle_connections_are_compared_by_memory(self):
        own = [result(0.0, conn_bytes=100.0)]
        row = compare.summary(load("idle"), [result(0.0, conn_bytes=250.0)], own)
        self.assertEqual((row["ratio"], row["cpu_us"]), (2.5, None))

    def test_one_failed_run_is_a_failure(self):
        row = compare.summary(ECHO, [result(3.0), {"failed": "closed"}], [result(1.0), result(1.0)])
        self.assertEqual(row, {"failed": "closed"})

    def test_without_wsecho_there_is_no_ratio(self):
        row = compare.summary(ECHO, [result(3.0)], [{"failed": "closed"}])
        self.assertEqual((row.get("ratio"), row["cpu_us"]), (None, 3.0))

    def test_who_failed_is_not_run_again(self):
        calls, before = [], compare.run_once

        def run_once(command, server, load, args):
            calls.append(server)
            return {"failed": "gone"} if server == "b" else result(1.0)

        compare.run_once = run_once
        try:
            args = types.SimpleNamespace(reps=3, dirty=20)
            compare.measure({"a": "", "b": "", "c": ""}, ECHO, args)
        finally:
            compare.run_once = before
        self.assertEqual(calls, ["a", "b", "c", "c", "a", "c", "a"])


class Drawing(unittest.TestCase):
    def record(self, folder):
        facts = {"date": "2026-11-21", "profile": "full", "cpu": "<a chip>", "kernel": "6.1"}
        own = {"server": "wsecho", "version": "0.1.0", "client_pct": 60.0}
        peer = {"server": "bun", "version": "1.4.5", "client_pct": 99.0}
        rows = [
            {**own, "load": "5B-64-p16", "cpu_us": 0.19, "ratio": 1, "ratio_min": 1, "ratio_max": 1,
             "p99_us": 900},
            {**peer, "load": "5B-64-p16", "cpu_us": 0.34, "ratio": 1.8, "ratio_min": 1.7,
             "ratio_max": 1.9, "p99_us": 990},
            {**own, "load": "json-1KiB", "cpu_us": 3.1, "ratio": 1, "ratio_min": 1, "ratio_max": 1},
            {"server": "bun", "load": "json-1KiB", "failed": "{\"closed\": 1}"},
            {**own, "load": "idle-10000", "conn_bytes": 143, "ratio": 1, "ratio_min": 1, "ratio_max": 1},
            {**peer, "load": "idle-10000", "conn_bytes": 1900, "ratio": 13.3, "ratio_min": 13,
             "ratio_max": 14},
        ]
        path = os.path.join(folder, "compare-2026-11-21.csv")
        with open(path, "w", newline="") as f:
            out = csv.DictWriter(f, compare.FIELDS)
            out.writeheader()
            out.writerows({**facts, **row} for row in rows)
        return path

    def test_a_record_becomes_pictures_and_a_table(self):
        with tempfile.TemporaryDirectory() as folder:
            with open(self.record(folder), newline="") as f:
                rows = list(csv.DictReader(f))
            loads = generator.read_loads(LOADS)
            cpu, memory = draw.draw_cpu(rows, loads), draw.draw_memory(rows, loads)
            for picture in cpu, memory:
                xml.dom.minidom.parseString(picture)
                self.assertIn("prefers-color-scheme: dark", picture)
                used = set(re.findall(r"var\((--\w+)\)", picture))
                for name in used:
                    self.assertEqual(picture.count(f"{name}:"), 2, f"{name} in light and in dark")
            self.assertIn(">1.80<", cpu)
            self.assertIn(">1.70–1.90<", cpu)
            self.assertIn(">failed<", cpu)
            self.assertIn(">1.9 KiB<", memory)
            page = os.path.join(folder, "page.md")
            with open(page, "w") as f:
                f.write(f"before\n{draw.BEGIN}\nold\n{draw.END}\nafter\n")
            for _ in range(2):
                draw.renew(page, rows, loads, "x/compare.csv", [("alt", "a.svg")])
            with open(page) as f:
                text = f.read()
            self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))
            self.assertNotIn("old", text)
            self.assertEqual(text.count("![alt](figures/a.svg)"), 1)
            self.assertIn("Failed: Bun under json-1KiB", text)
            self.assertIn("With a generator at its own limit: Bun under 5B-64-p16", text)
            self.assertIn("Not measured in this record: 5 B, 1 connection;", text)
            with open(page, "w") as f:
                f.write(f"before\n{draw.BEGIN}\nold\n{draw.END}\nafter\n")
            for _ in range(2):
                draw.renew_summary(page, rows, loads, "x/compare.csv")
            with open(page) as f:
                text = f.read()
            self.assertTrue(text.startswith("before\n") and text.endswith("\nafter\n"))
            self.assertNotIn("old", text)
            self.assertIn("| load | wsecho | Bun |\n|---|---|---|\n", text)
            self.assertIn("| 5 B, 64 connections, 16 in flight each | 0.19 us | 1.80 |", text)
            self.assertIn("| 1 KiB JSON, compressed, 64 connections | 3.1 us |  |", text)
            self.assertIn("| memory of one of 10 000 connections | 143 B | 1.9 KiB |", text)
            self.assertIn("[compare.csv](benches/record/compare.csv)", text)

    def test_pages_have_a_place_for_figures(self):
        for name in "docs/performance.md", "README.md":
            with open(os.path.join(HERE, "..", "..", name)) as f:
                page = f.read()
            self.assertEqual((page.count(draw.BEGIN), page.count(draw.END)), (1, 1), name)

    def test_the_summary_names_loads_that_are_measured(self):
        self.assertLessEqual(set(draw.SUMMARY), {load.name for load in generator.read_loads(LOADS)})


if __name__ == "__main__":
    unittest.main()
