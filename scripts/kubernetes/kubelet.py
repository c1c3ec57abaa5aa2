"""kubelet.py WSECHO FOLDER: what becomes of a pod, with a process in its place.

FOLDER has the objects as objects.py puts them there.

The order is that of a kubelet: start, startup probe, readiness; then, for the pod's end, preStop,
SIGTERM, and SIGKILL when the grace period is over, which counts from before preStop. What a client
sees meanwhile is what the drain promises.
"""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from proxies import CLOSE, Client  # noqa: E402

wsecho, folder = sys.argv[1:]


def spec(kind):
    with open(os.path.join(folder, f"{kind}.json")) as file:
        return json.load(file)["spec"]


pod = spec("Deployment")["template"]["spec"]
[container] = pod["containers"]
environment = {one["name"]: one["value"] for one in container["env"]}
grace = pod["terminationGracePeriodSeconds"]
pre_stop = container["lifecycle"]["preStop"]["sleep"]["seconds"]
readiness = container["readinessProbe"]["httpGet"]["path"]


def seconds(name):
    return int(environment[name].removesuffix("s"))


drain = seconds("WSECHO_DRAIN_DELAY") + seconds("WSECHO_DRAIN_TIMEOUT")
assert pre_stop + drain < grace, "the times add up"

# The same port would be somebody else's here.
assert environment.pop("WSECHO_LISTEN") == str(container["ports"][0]["containerPort"])
environment["WSECHO_LISTEN"] = "127.0.0.1:0"
process = subprocess.Popen(
    [wsecho], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
try:
    ready = process.stdout.readline()
    url = ready.split()[-1]

    def probe():
        """Whether the readiness probe is content."""
        try:
            with urllib.request.urlopen("http" + url[2:-1] + readiness, timeout=1) as answer:
                return answer.status == 200
        except urllib.error.HTTPError as refused:
            assert refused.code == 503, refused.code
            return False

    startup = [wsecho, *container["startupProbe"]["exec"]["command"][1:], url]
    subprocess.run(startup, check=True, timeout=container["startupProbe"].get("timeoutSeconds", 1))
    assert probe(), "it is ready"
    [metric] = spec("HorizontalPodAutoscaler")["metrics"]
    [endpoint] = spec("ServiceMonitor")["endpoints"]
    with urllib.request.urlopen("http" + url[2:-1] + endpoint["path"], timeout=1) as answer:
        assert f"\n{metric['pods']['metric']['name']} " in answer.read().decode(), metric
    first = Client(url)
    first.echo(b"before")

    ending = time.monotonic()
    time.sleep(pre_stop)
    assert probe(), "preStop is not the end yet"
    late = Client(url)  # from somebody who has not heard of it
    late.echo(b"late")
    process.send_signal(signal.SIGTERM)
    while probe():
        pass
    for client in first, late:
        client.echo(b"while it drains")
    for client in first, late:
        opcode, payload = client.receive()
        assert (opcode, payload[:2]) == (CLOSE, b"\x03\xe9"), (opcode, payload)
        client.send(CLOSE, payload[:2])
    status = process.wait(timeout=grace)
    took = time.monotonic() - ending
    assert status == 0, status
    assert took < grace, "SIGKILL would have come"
    print(f"kubelet.py: 2 connections drained, {took:.1f} s of {grace} s after the end was asked for")
finally:
    if process.poll() is None:
        process.kill()
