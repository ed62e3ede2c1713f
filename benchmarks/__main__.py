"""``python -m benchmarks [--save] [part …]``: print the table of ratios, all parts by default.

Beside each row stands how many times the last saved figure it is; ``--save`` makes this run's
figures the last ones.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict
from functools import partialmethod
from pathlib import Path
from time import perf_counter
from typing import Any

from tqdm.auto import tqdm

from benchmarks import classroom, ensembles, lessons, operation, slider, start, training, walter
from benchmarks.rows import Row

PARTS: dict[str, Callable[[], list[Row]]] = {
    "operation": operation.rows,
    "ensembles": ensembles.rows,
    "walter": walter.rows,
    "training": training.rows,
    "lessons": lessons.rows,
    "start": start.rows,  # this and what follows stop where there is no Chromium
    "slider": slider.rows,
    "classroom": classroom.rows,
}
LAST = Path(__file__).with_name("last.json")


def number(value: float | None, unit: str = "") -> str:
    """Return a number of three digits with its unit; a dash for None."""
    return "–" if value is None else f"{float(f'{value:.3g}'):,g} {unit}".strip()


def saved() -> dict[str, dict[str, Any]]:
    """Return the rows of the last saved run, by what was measured."""
    return json.loads(LAST.read_text(encoding="utf-8")) if LAST.exists() else {}


def save(rows: Iterable[Row]) -> None:
    """Make these rows the last ones; rows of other parts stay."""
    kept = saved() | {row.what: asdict(row) for row in rows}
    LAST.write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def against(row: Row, last: dict[str, dict[str, Any]]) -> str:
    """Return how many times the last figure a row's figure is."""
    before = last.get(row.what, {}).get("measured")
    return number(row.measured / before, "×") if before else "new"


def cells(row: Row, last: dict[str, dict[str, Any]]) -> tuple[str, ...]:
    """Return a row as it is shown."""
    bound = "> " if row.peer_is_late else ""
    is_ratio = row.measured_in == "×"
    return (
        row.what,
        number(row.ours, row.unit),
        bound + number(row.peer, row.unit),
        bound * is_ratio + number(row.measured) + row.measured_in,
        against(row, last),
        row.target,
        "met" if row.met else "NOT MET",
    )


def table(rows: Iterable[Row], last: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a table in plain text."""
    head = ("what, beside what", "ours", "peer", "measured", "last", "target", "")
    lines = [head, *(cells(row, last) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in lines
    )


def main() -> None:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks")
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}; all by default")
    parser.add_argument("--save", action="store_true", help=f"write {LAST.name}: the last figures")
    arguments = parser.parse_args()
    chosen = arguments.parts or list(PARTS)
    for unknown in set(chosen) - set(PARTS):
        parser.error(f"no such part: {unknown!r}; there are {', '.join(PARTS)}")
    # No bars between the rows; in the environment it would be said to lessons' kernels too.
    tqdm.__init__ = partialmethod(tqdm.__init__, disable=True)
    start = perf_counter()
    for part in chosen:
        start_of_part = perf_counter()
        rows = PARTS[part]()
        print(table(rows, saved()))
        print(f"{part}: {perf_counter() - start_of_part:.0f} s", end="\n\n", flush=True)
        if arguments.save:
            save(rows)
    print(f"all: {perf_counter() - start:.0f} s")


if __name__ == "__main__":
    main()
