"""Plant known faults in copies of the tree, one at a time, and see which tests catch them.

`python -m tests.faults` plants those of `faults.toml`; with names, those alone. A fault is caught
if one of the tests that it names fails. Where the source has moved on, its entry is named.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
TABLE = Path(__file__).with_suffix(".toml")
PYTEST = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-n", "0"]
LONGEST = 1200  # seconds for one run of pytest
PASSED, FAILED, NOTHING_COLLECTED = 0, 1, 5  # what pytest exits with


class TableError(Exception):
    """An entry of the table does not say what it must."""


@dataclass(frozen=True)
class Fault:
    """A slip in the source: what stands there, what is put in its place, and who must notice."""

    name: str
    file: str
    old: str
    new: str
    harm: str
    tests: list[str]

    def planted(self, tree: Path) -> str:
        """Return the text of the file with the fault in it."""
        path = tree / self.file
        if not path.is_file():
            raise TableError(f"{self.name!r}: there is no {self.file}")
        text = path.read_text(encoding="utf-8")
        if (times := text.count(self.old)) != 1:
            raise TableError(f"{self.name!r}: {self.file} has `old` {times} times, not once")
        return text.replace(self.old, self.new)


@dataclass(frozen=True)
class Finding:
    """What became of a fault: the test that caught it, and in which command."""

    fault: Fault
    test: str
    soak: bool
    seconds: float

    def __str__(self) -> str:
        found = f"caught by {self.test}{', marked soak' * self.soak}" if self.test else "MISSED"
        return f"{self.fault.name}: {found}, {self.seconds:.0f} s"


def read_table(names: list[str]) -> list[Fault]:
    """Return the faults of these names, or all of them; look at every entry's source first."""
    table = tomllib.loads(TABLE.read_text(encoding="utf-8"))
    if unknown := set(names) - set(table):
        raise TableError(f"no such fault: {', '.join(sorted(unknown))}")
    faults = [Fault(name, **entry) for name, entry in table.items()]
    wrong = []
    for fault in faults:
        try:
            fault.planted(ROOT)
        except TableError as error:
            wrong.append(str(error))
    if wrong:
        raise TableError("\n".join(wrong))
    return [fault for fault in faults if not names or fault.name in names]


def export(folder: Path) -> Path:
    """Copy the working tree's files that git knows into a new folder."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # git still lists what has just been removed
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def failing(tree: Path, tests: list[str], soak: bool, name: str) -> str | None:
    """Run tests in a copy of the tree, which kernels import too; return the output if one fails."""
    options = {"cwd": tree, "env": {**os.environ, "PYTHONPATH": str(tree)}, "timeout": LONGEST}
    command = [*PYTEST, *(["-m", "soak"] if soak else []), *tests]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, **options)
    except subprocess.TimeoutExpired as error:
        raise TableError(f"{name!r}: {' '.join(tests)} took more than {LONGEST} s") from error
    output = ran.stdout + ran.stderr
    if ran.returncode in (PASSED, NOTHING_COLLECTED if soak else PASSED):
        return None
    if ran.returncode != FAILED:
        raise TableError(f"{name!r}: pytest exits with {ran.returncode}:\n{output[-3000:]}")
    return output


def must_pass(faults: list[Fault], tree: Path, parts: list[bool]) -> None:
    """Raise if a test fails without any fault."""
    tests = list(dict.fromkeys(test for fault in faults for test in fault.tests))
    for soak in parts:
        if output := failing(tree, tests, soak, "no fault"):
            raise TableError(f"without a fault a test fails:\n{output[-3000:]}")


def look_for(fault: Fault, tree: Path, parts: list[bool]) -> Finding:
    """Run the tests of a fault that is planted, until one fails."""
    start = time.monotonic()
    for soak in parts:
        if output := failing(tree, fault.tests, soak, fault.name):
            return Finding(fault, first_failed(output), soak, time.monotonic() - start)
    return Finding(fault, "", False, time.monotonic() - start)


def first_failed(output: str) -> str:
    """Return the first failing test that pytest's summary names, without its parameters."""
    return re.search(r"^(?:FAILED|ERROR) (.*?)(?:\[| - |$)", output, re.M)[1]


def find(faults: list[Fault], parts: list[bool]) -> list[Finding]:
    """Plant each fault in a copy of its own, and tell what was found as it goes."""
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        unchanged = export(Path(folder, "unchanged"))
        must_pass(faults, unchanged, parts)
        for fault in faults:
            tree = Path(folder, "faulty")
            shutil.copytree(unchanged, tree)  # with its compiled modules, which start faster
            (tree / fault.file).write_text(fault.planted(unchanged), encoding="utf-8")
            findings.append(look_for(fault, tree, parts))
            print(findings[-1], flush=True)
            shutil.rmtree(tree)
    return findings


def summary(findings: list[Finding]) -> str:
    """Return how many faults were caught in the five minutes, and how many in the long command."""
    soon = sum(bool(one.test) and not one.soak for one in findings)
    late = sum(one.soak for one in findings)
    told = f"{soon} of {len(findings)} caught by the five-minute command"
    return f"{told}, {late} more by the long one" if late else told


def markdown(findings: list[Finding]) -> str:
    """Return a table of the files that caught faults, and which."""
    caught: dict[str, list[str]] = {}
    for one in findings:
        part = f"`{one.test.split('::')[0]}`" if one.test else "nothing"
        caught.setdefault(f"{part}{', marked soak' * one.soak}", []).append(one.fault.name)
    rows = (f"| {part} | {'; '.join(names)} |" for part, names in sorted(caught.items()))
    return "\n".join(["| caught by | faults |", "|---|---|", *rows])


def main() -> int:
    """Return 0 if every fault was caught, 1 if not, and 2 if the table is wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults")
    parser.add_argument("--all-parts", action="store_true", help="missed ones: tests marked soak")
    parser.add_argument("--markdown", action="store_true", help="print a table in the end")
    parser.add_argument("name", nargs="*", help="faults of faults.toml; none means all")
    asked = parser.parse_args()
    parts = [False, True] if asked.all_parts else [False]  # marked soak or not
    try:
        findings = find(read_table(asked.name), parts)
    except TableError as error:
        print(error, file=sys.stderr)
        return 2
    print(f"\n{summary(findings)}")
    if asked.markdown:
        print(f"\n{markdown(findings)}")
    return 0 if all(one.test for one in findings) else 1


if __name__ == "__main__":
    sys.exit(main())
