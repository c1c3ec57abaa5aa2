#!/usr/bin/env python3
"""licenses.py [--check]: the licences of the packages that the program is made of.

Writes packaging/third-party, which the Debian package brings along: who has written what is linked
into a build with the default features, and the notices that have to go with it. Where a package may be
had under one of several licences, MIT is taken if it is among them. --check: exit status 1 if the
file is not what would be written.
"""

import json
import os
import re
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.realpath(__file__)), "..")
FILE = os.path.join(ROOT, "packaging", "third-party")
HEAD = """\
wsecho is made of packages of this list, and of the standard library of Rust (MIT or
Apache-2.0). The static binary has parts of the GNU C library in it (LGPL-2.1-or-later).
Below the list stand the notices, each once. Made by scripts/licenses.py.
"""
# The first of these that a package may be had under is taken.
WANTED = ("MIT", "Apache-2.0", "ISC", "BSD-3-Clause", "Zlib")


def linked():
    """Packages that end up in the program."""
    command = ["cargo", "metadata", "--format-version", "1", "--locked",
               "--filter-platform", "x86_64-unknown-linux-gnu"]
    metadata = json.loads(subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout)
    packages = {package["id"]: package for package in metadata["packages"]}
    nodes = {node["id"]: node for node in metadata["resolve"]["nodes"]}
    own = metadata["resolve"]["root"]
    found, left = set(), [own]
    while left:
        identity = left.pop()
        kinds = [kind for target in packages[identity]["targets"] for kind in target["kind"]]
        if identity in found or "proc-macro" in kinds:
            continue
        found.add(identity)
        left += [needed["pkg"] for needed in nodes[identity]["deps"]
                 if any(kind["kind"] is None for kind in needed["dep_kinds"])]
    found.discard(own)
    return sorted((packages[identity] for identity in found),
                  key=lambda package: (package["name"], package["version"]))


def notices(package):
    """The texts that go with the licence that is taken."""
    expression = package["license"].replace("/", " OR ")
    # Who asks for several at once gets all of them.
    alternatives = [] if "AND" in expression else re.findall(r"[\w.-]+", expression)
    taken = next((name for name in WANTED if name in alternatives), None)
    folder = os.path.dirname(package["manifest_path"])
    files = sorted(name for name in os.listdir(folder)
                   if re.match(r"(?i)(un)?licen[cs]e|copying|notice", name)
                   and os.path.isfile(os.path.join(folder, name)))
    named = [name for name in files if taken and taken.split("-")[0].lower() in name.lower()]
    for name in named or files:
        with open(os.path.join(folder, name), encoding="utf-8") as file:
            yield "\n".join(line.rstrip() for line in file.read().strip().splitlines())
    if not files:
        yield f"Copyright {', '.join(package['authors'])}. Its package has no text of a licence."


def text():
    packages, users = linked(), {}
    lines = [HEAD]
    for package in packages:
        name = f"{package['name']} {package['version']}"
        lines.append(f"{name}: {package['license'].replace('/', ' OR ')}")
        for notice in notices(package):
            users.setdefault(notice, []).append(name)
    for notice, names in users.items():
        lines += ["", "-" * 72, ", ".join(names), "", notice]
    return "\n".join(lines) + "\n"


def main(arguments):
    if arguments not in ([], ["--check"]):
        sys.exit(__doc__)
    now = text()
    if not arguments:
        with open(FILE, "w", encoding="utf-8") as file:
            file.write(now)
        return
    with open(FILE, encoding="utf-8") as file:
        if file.read() != now:
            sys.exit("packaging/third-party is not that of Cargo.lock: scripts/licenses.py")


if __name__ == "__main__":
    main(sys.argv[1:])
