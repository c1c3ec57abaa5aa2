"""Reads lists of mutants, and applies one.

    == what it breaks, in words
    file src/budget.rs
     a line that stays, where the next is not the only one of its kind
    - a line that goes
    + a line that comes
    test --lib budget
    test --test regressions who_

Lines are compared without the spaces around them, and must stand in the file exactly once, next to
each other. Another `file`, or a `-` after a `+`, begins another place. A `test` line holds
arguments of `cargo test`, with environment variables before them; `test browser NAME` is a scenario
of browser.sh. Lines that begin with `#` are notes.
"""

import dataclasses


class Wrong(Exception):
    """A mutant that cannot be used."""


@dataclasses.dataclass
class Place:
    file: str
    old: list = dataclasses.field(default_factory=list)
    new: list = dataclasses.field(default_factory=list)
    replaced: bool = False


@dataclasses.dataclass
class Mutant:
    name: str
    line: int
    places: list = dataclasses.field(default_factory=list)
    tests: list = dataclasses.field(default_factory=list)


def read(file):
    mutants = []
    for number, line in enumerate(file.read_text().splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        mark, rest = line[0], line[1:].strip()
        if line.startswith("== "):
            mutants.append(Mutant(line[3:].strip(), number))
        elif line.startswith("file "):
            mutants[-1].places.append(Place(line[5:].strip()))
        elif line.startswith("test "):
            mutants[-1].tests.append(line[5:].split())
        elif mark in "-+ ":
            place = mutants[-1].places[-1]
            if mark != "+" and place.replaced and mark == "-":
                place = Place(place.file)
                mutants[-1].places.append(place)
            if mark in "- ":
                place.old.append(rest)
            if mark in "+ ":
                place.new.append(rest)
            place.replaced |= mark == "+"
        else:
            raise SystemExit(f"{file.name}:{number}: what is this?")
    for mutant in mutants:
        if not mutant.places or not mutant.tests:
            raise SystemExit(f"{file.name}:{mutant.line}: without a place or a test")
    return mutants


def apply(mutant, root):
    """The files that the mutant changes, each with its text before and after."""
    files = {}
    for place in mutant.places:
        path = root / place.file
        if not path.is_file():
            raise Wrong(f"no {place.file}")
        before, text = files.get(path, [path.read_text()] * 2)
        files[path] = (before, replaced(text, place))
    return files


def replaced(text, place):
    lines = text.splitlines(keepends=True)
    plain = [line.strip() for line in lines]
    count = len(place.old)
    found = [at for at in range(len(lines)) if plain[at:at + count] == place.old]
    if len(found) != 1 or not count:
        raise Wrong(f"stands {len(found)} times in {place.file}: {' / '.join(place.old)}")
    at = found[0]
    indent = lines[at][:len(lines[at]) - len(lines[at].lstrip())]
    new = [f"{indent}{line}\n" for line in place.new]
    return "".join(lines[:at] + new + lines[at + count:])
