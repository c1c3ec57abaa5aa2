"""bystander.py PORT: somebody who only wants an echo, and somebody who comes anew.

Runs beside an attack, in a process of its own. One connection sends a message every few
milliseconds and demands the same bytes back. A prober opens a connection ten times a second and
asks for /healthz, /metrics or a handshake. Says "ready" after the first echo, and when standard
input ends one line of JSON.
"""

import json
import os
import select
import sys
import threading
import time

from wire import BINARY, FIN, TEXT, Gone, Peer, frame, request

INTERVAL = 0.005
PROBE_INTERVAL = 0.1
LONGEST = 30  # seconds that an answer is waited for
PROBES = [b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", request(),
          b"GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", request()]
GOOD = [b"HTTP/1.1 200", b"HTTP/1.1 101"]


class Echo:
    """The connection that has been there all along."""

    def __init__(self, port):
        self.peer = Peer(port)
        self.peer.open()
        self.seconds, self.fault, self.count = [], None, 0
        self.message(None)

    def message(self, stop):
        """One message there and back; its time is counted even if `stop` ends the wait."""
        payload = os.urandom(1500) if self.count % 8 == 7 else b"%016d" % self.count
        opcode = BINARY if self.count % 8 == 7 else TEXT
        start = time.monotonic()
        self.peer.send(frame(opcode, payload))
        want = bytes([FIN | opcode])
        want += bytes([len(payload)]) if len(payload) < 126 else b"\x7e\x05\xdc"
        want += payload
        heard = b""
        while len(heard) < len(want) and not (stop and stop.is_set()):
            if time.monotonic() - start > LONGEST:
                raise Gone(f"no echo within {LONGEST} s")
            if select.select([self.peer.socket], [], [], 0.05)[0]:
                heard += self.peer.read_some(len(want) - len(heard))
        self.seconds.append(time.monotonic() - start)
        self.count += 1
        if not want.startswith(heard):
            raise Gone(f"{heard[:20]!r} instead of {want[:20]!r}")

    def run(self, stop):
        try:
            while not stop.is_set():
                self.message(stop)
                time.sleep(INTERVAL)
        except Gone as gone:
            self.fault = f"echo: {gone}"

    def report(self):
        """While an answer is late, messages that would have been sent are late as well."""
        waits = []
        for second in self.seconds[1:]:
            waits.extend(second - late * INTERVAL for late in range(int(second / INTERVAL) + 1))
        waits = sorted(waits) or [0]
        p99 = waits[len(waits) * 99 // 100]
        return {"echoes": self.count, "p99": 1000 * p99, "max": 1000 * waits[-1],
                "fault": self.fault}


class Prober:
    """Whoever comes anew."""

    def __init__(self, port):
        self.port = port
        self.seconds, self.refused, self.fault = [], 0, None

    def probe(self, stop):
        start = time.monotonic()
        try:
            peer = Peer(self.port, patience=LONGEST)
            try:
                peer.send(PROBES[len(self.seconds) % len(PROBES)])
                answer = self.answer(peer, start, stop)
            finally:
                peer.close()
        except Gone as gone:
            self.fault = f"handshake: {gone}"
            answer = None
        self.seconds.append(time.monotonic() - start)
        if answer is not None and answer not in GOOD:
            self.refused += 1

    def answer(self, peer, start, stop):
        """The start of the answer; None if `stop` ended the wait."""
        heard = b""
        while len(heard) < len(GOOD[0]):
            if stop.is_set():
                return None
            if time.monotonic() - start > LONGEST:
                raise Gone(f"no answer within {LONGEST} s")
            if select.select([peer.socket], [], [], 0.05)[0]:
                heard += peer.read_some(len(GOOD[0]) - len(heard))
        return heard

    def run(self, stop):
        while not stop.is_set():
            self.probe(stop)
            time.sleep(PROBE_INTERVAL)

    def report(self):
        worst = 1000 * max(self.seconds, default=0)
        return {"probes": len(self.seconds), "max": worst, "refused": self.refused,
                "fault": self.fault}


def main(port):
    echo, prober, stop = Echo(port), Prober(port), threading.Event()
    threads = [threading.Thread(target=some.run, args=[stop]) for some in (echo, prober)]
    for thread in threads:
        thread.start()
    print("ready", flush=True)
    sys.stdin.read()
    stop.set()
    for thread in threads:
        thread.join()
    print(json.dumps({"echo": echo.report(), "prober": prober.report()}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
