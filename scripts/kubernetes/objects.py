"""objects.py FOLDER OUT: checks what the schemas cannot, and puts each object into a file of OUT.

That is: what one object names is there in another. OUT has KIND.json then.
"""

import json
import sys
from pathlib import Path

import yaml

folder, out = map(Path, sys.argv[1:])
objects = {}
for file in sorted(folder.glob("*.yaml")):
    for one in yaml.safe_load_all(file.read_text()):
        assert objects.setdefault(one["kind"], one) is one, f"two of {one['kind']}"
        (out / f"{one['kind']}.json").write_text(json.dumps(one))


def spec(kind):
    return objects[kind]["spec"]


pod = spec("Deployment")["template"]
labels = pod["metadata"]["labels"]
[container] = pod["spec"]["containers"]
ports = {port["name"] for port in container["ports"]}
[service_port] = spec("Service")["ports"]
[endpoint] = spec("ServiceMonitor")["endpoints"]
[rule] = spec("Ingress")["rules"]
[path] = rule["http"]["paths"]
[policy] = spec("NetworkPolicy")["ingress"]
backend = path["backend"]["service"]
name = objects["Deployment"]["metadata"]["name"]

for kind in ("Deployment", "PodDisruptionBudget", "ServiceMonitor"):
    assert spec(kind)["selector"] == {"matchLabels": labels}, kind
assert spec("Service")["selector"] == labels
assert spec("NetworkPolicy")["podSelector"] == {"matchLabels": labels}
assert objects["Service"]["metadata"]["labels"] == labels, "the monitor looks for them"
assert service_port["targetPort"] in ports and policy["ports"] == [{"port": service_port["targetPort"]}]
assert container["readinessProbe"]["httpGet"]["port"] in ports
assert endpoint["port"] == service_port["name"] == backend["port"]["name"]
assert backend["name"] == objects["Service"]["metadata"]["name"]
assert spec("HorizontalPodAutoscaler")["scaleTargetRef"]["name"] == name
