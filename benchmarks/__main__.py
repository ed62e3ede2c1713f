"""``python -m benchmarks [part …]``: print the table of ratios, all parts by default."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable

from benchmarks import classroom, ensembles, lessons, operation, slider, training, walter
from benchmarks.rows import Row

PARTS: dict[str, Callable[[], list[Row]]] = {
    "operation": operation.rows,
    "ensembles": ensembles.rows,
    "walter": walter.rows,
    "training": training.rows,
    "lessons": lessons.rows,
    "slider": slider.rows,  # the last two stop where there is no Chromium
    "classroom": classroom.rows,
}


def number(value: float | None, unit: str = "") -> str:
    """Return a number of three digits with its unit; a dash for None."""
    return "–" if value is None else f"{value:.3g} {unit}".strip()


def table(rows: Iterable[Row]) -> str:
    """Return the rows as a table in plain text."""
    head = ("what, beside what", "ours", "peer", "measured", "target", "")
    lines = [head] + [
        (
            row.what,
            number(row.ours, row.unit),
            number(row.peer, row.unit),
            number(row.measured) + row.measured_in,
            row.target,
            "met" if row.met else "NOT MET",
        )
        for row in rows
    ]
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
    chosen = parser.parse_args().parts or list(PARTS)
    for unknown in set(chosen) - set(PARTS):
        parser.error(f"no such part: {unknown!r}; there are {', '.join(PARTS)}")
    for part in chosen:
        print(table(PARTS[part]()), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
