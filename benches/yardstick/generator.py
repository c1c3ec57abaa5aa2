"""The load generator as two functions: the command for a load, and the figures in its report.

Whoever measures sees these figures:

    errors        {kind: count}; empty if nothing went wrong
    count         messages, connections of a churn, or deliveries of a room
    per_s         the same for each second
    cpu_us        CPU time of the server for each of them
    user_us       the part of it in user mode
    p50_us p99_us latency, of a handshake with a churn
    client_pct    CPU of the generator in percent of one
    rss_kib       resident memory of the server at the end
    conn_bytes    growth of it for each connection, of idle ones only
"""
import collections
import json
import subprocess

Load = collections.namedtuple("Load", "name kind connections size pipeline profiles")

# What the server has to do for each kind of load, as peers.sh calls it.
FORMS = {"echo": "echo", "churn": "echo", "idle": "echo", "json": "deflate", "room": "room"}

# Messages a second that are said in a room of so many, so that deliveries are about as many.
ROOM_DELIVERIES = 100_000


def read_loads(path):
    """The loads of a file with one line for each: name | kind | connections | size | pipeline | profiles."""
    loads = []
    with open(path) as f:
        lines = f.readlines()
    for line in lines:
        if line.strip() and not line.startswith("#"):
            name, kind, connections, size, pipeline, profiles = (w.strip() for w in line.split("|"))
            assert kind in FORMS, f"{path}: {name}: no load is called {kind}"
            loads.append(Load(name, kind, int(connections), int(size), int(pipeline), profiles.split()))
    return loads


def milliseconds(seconds):
    """A time as `wsecho load` takes it."""
    return f"{round(seconds * 1000)}ms"


class WsechoLoad:
    """`wsecho load --json`. `bare` is for the bare TCP echo."""
    name = "wsecho load"

    def __init__(self, program, bare=False):
        self.program, self.bare = program, bare

    def beginning(self, port, pid, seconds, warmup, path="ws"):
        """The part of a command that every load has."""
        url = f"tcp://127.0.0.1:{port}" if self.bare else f"ws://127.0.0.1:{port}/{path}"
        return [self.program, "load", url, "--json", "--quiet", "--server-pid", str(pid),
                "--duration", milliseconds(seconds), "--warmup", milliseconds(warmup)]

    def command(self, load, port, pid, seconds, warmup):
        path = "broadcast/crowd" if load.kind == "room" else "ws"
        line = self.beginning(port, pid, seconds, warmup, path)
        line += ["--connections", str(load.connections)]
        if load.kind == "idle":
            return line + ["--idle"]
        if load.kind == "churn":
            return line + ["--churn", "1", "--size", str(load.size)]
        line += ["--size", str(load.size)]
        if load.kind == "room":
            rate = max(1, ROOM_DELIVERIES // load.connections)
            return line + ["--broadcast", "others", "--rate", str(rate)]
        line += ["--pipeline", str(load.pipeline)]
        if load.kind == "json":
            return line + ["--records", "--deflate", "takeover"]
        return line + ([] if load.size < 16 else ["--binary"])

    def figures(self, load, text):
        r = json.loads(text)
        server, churn = r["server"], load.kind == "churn"
        latency = r["handshake_us"] if churn else r["latency_us"]
        # A room's messages are its deliveries, and a churn has one message for each connection.
        count = r["broadcast"]["delivered"] if load.kind == "room" else r["messages"]
        used_us = server["cpu_us_per_message"] * r["messages"]
        user_us = server["user_us_per_message"] * r["messages"]
        return {"errors": r["errors"], "count": count, "per_s": count / r["duration_s"],
                "cpu_us": used_us / max(count, 1), "user_us": user_us / max(count, 1),
                "p50_us": latency["p50"], "p99_us": latency["p99"],
                "client_pct": r["client_cpu_percent"], "rss_kib": server["rss_kib"],
                "conn_bytes": server.get("rss_bytes_per_connection")}


def drive(generator, load, port, pid, seconds, warmup, cpu, patience=120):
    """Loads a server, and returns its figures, or {"failed": why}."""
    line = generator.command(load, port, pid, seconds, warmup)
    out = subprocess.run(["taskset", "-c", cpu] + line, capture_output=True, text=True,
                         timeout=patience)
    if not out.stdout.startswith("{"):
        words = (out.stderr.strip() or "no report").splitlines()
        return {"failed": words[-1][-200:]}
    figures = generator.figures(load, out.stdout)
    if figures["errors"]:
        return {"failed": json.dumps(figures["errors"])}
    if not figures["count"] and load.kind != "idle":
        return {"failed": "nothing came back in time"}
    return figures
