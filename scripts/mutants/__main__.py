"""See mutants.sh."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from entries import Wrong, apply, read

ROOT = Path(__file__).parents[2]
HOME = Path(os.environ.get("MUTANTS_DIR", ROOT / "target/mutants"))
TREE = HOME / "tree"
# Many times what the slowest test takes here.
BUILD_SECONDS, TEST_SECONDS = 900, 150
# The whole of `cargo test`.
EVERYTHING = ["--no-fail-fast"]
BROWSER = "browser"


def options():
    parser = argparse.ArgumentParser(prog="mutants.sh")
    parser.add_argument("--log", required=True, type=Path)
    parser.add_argument("--faults", action="store_true")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--named", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*", metavar="NAME")
    return parser.parse_args()


def copy_tree():
    """Brings the copy up to date; files that are the same keep their time, and so their build."""
    said = subprocess.run(["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT,
                          stdout=subprocess.PIPE, check=True).stdout
    wanted = {Path(os.fsdecode(name)) for name in said.split(b"\0") if name}
    wanted = {path for path in wanted if (ROOT / path).is_file()}
    for path in wanted:
        source, to = ROOT / path, TREE / path
        if not to.exists() or to.read_bytes() != source.read_bytes():
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, to)
    for path in TREE.rglob("*"):
        if path.is_file() and path.relative_to(TREE) not in wanted:
            path.unlink()


def run(command, seconds, log, **environment):
    """The status of a command; None if it took too long. Whatever it started ends with it."""
    environment = os.environ | {"CARGO_TARGET_DIR": str(HOME / "target")} | environment
    with log.open("wb") as out:
        child = subprocess.Popen(command, cwd=TREE, env=environment, stdout=out, stderr=out,
                                 stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            return child.wait(seconds)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if child.poll() is None:
                os.killpg(child.pid, signal.SIGKILL)
                child.wait()


def show_end(log):
    print("    " + "\n    ".join(log.read_text(errors="replace").splitlines()[-25:]))


def browser_sees(scenarios, log):
    if run(["cargo", "build"], BUILD_SECONDS, log) != 0:
        raise Wrong("does not build")
    server = str(HOME / "target/debug/wsecho")
    status = run([str(ROOT / "scripts/browser.sh"), *scenarios], TEST_SECONDS, log, WSECHO=server)
    if b"SKIPPED" in log.read_bytes():
        return "skipped: no browser"
    return None if status == 0 else "browser.sh " + " ".join(scenarios)


def seen_by(tests, log):
    """What turned red first; None if nothing did."""
    for arguments in tests:
        if arguments[0] == BROWSER:
            seen = browser_sees(arguments[1:], log)
        else:
            seen = cargo_sees(arguments, log)
        if seen:
            return seen
    return None


def cargo_sees(arguments, log):
    named = " ".join(arguments) if arguments != EVERYTHING else "another test"
    before = [word for word in arguments if "=" in word and not word.startswith("-")]
    rest = [word for word in arguments if word not in before]
    command = ["cargo", "test", *rest]
    split = command.index("--") if "--" in command else len(command)
    build = [*command[:split], "--no-run"]
    if run(build, BUILD_SECONDS, log) != 0:
        show_end(log)
        raise Wrong("does not build")
    status = run(command, TEST_SECONDS, log, **dict(word.split("=", 1) for word in before))
    if status is None:
        return f"{named}, which hangs"
    return named if status != 0 else None


def judge(mutant, only_named, known_green, log):
    """A word on what became of the mutant."""
    for arguments in mutant.tests:
        # A test that is red anyway would see every mutant.
        seen = tuple(arguments) not in known_green and seen_by([arguments], log)
        if seen and not seen.startswith("skipped"):
            show_end(log)
            raise Wrong(f"{' '.join(arguments)} is red without it")
        known_green.add(tuple(arguments))
    files = apply(mutant, TREE)
    try:
        for path, (_, after) in files.items():
            path.write_text(after)
        seen = seen_by(mutant.tests, log)
        if not seen and not only_named:
            seen = seen_by([EVERYTHING], log)
        return seen
    finally:
        for path, (before, _) in files.items():
            path.write_text(before)


def main():
    chosen = options()
    file = Path(__file__).parent / ("faults.txt" if chosen.faults else "list.txt")
    mutants = read(file)
    mutants = [mutant for mutant in mutants
               if not chosen.names or any(name in mutant.name for name in chosen.names)]
    if chosen.list:
        print("\n".join(mutant.name for mutant in mutants))
        return 0
    broken = 0
    for mutant in mutants:
        try:
            apply(mutant, ROOT)
        except Wrong as wrong:
            broken += 1
            print(f"{file.name}:{mutant.line}: {mutant.name}: {wrong}")
    if broken or chosen.check:
        print(f"{len(mutants)} mutants, {broken} that do not apply")
        return int(broken > 0)
    copy_tree()
    survivors, known_green, start = [], set(), time.monotonic()
    for at, mutant in enumerate(mutants, 1):
        begun = time.monotonic()
        try:
            only_named = chosen.faults or chosen.named
            verdict = judge(mutant, only_named, known_green, chosen.log)
        except Wrong as wrong:
            verdict = None
            print(f"    {wrong}")
        seconds = time.monotonic() - begun
        if not verdict:
            survivors.append(mutant.name)
        print(f"{at:3}/{len(mutants)} {seconds:5.0f} s  {mutant.name}: {verdict or 'SURVIVED'}",
              flush=True)
    seconds = time.monotonic() - start
    print(f"{len(mutants)} mutants in {seconds:.0f} s, {len(survivors)} not seen")
    for name in survivors:
        print(f"  {name}")
    return int(bool(survivors))


sys.exit(main())
