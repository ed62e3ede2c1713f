"""``python -m dlcourse execute [notebook …]``: run notebooks and save them, tidy."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from dlcourse.notebooks import execute


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m dlcourse")
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("execute", help="run notebooks in fresh kernels and save them")
    run.add_argument(
        "notebooks", nargs="*", type=Path, help="all of the folder notebooks by default"
    )
    paths = parser.parse_args().notebooks or sorted(Path("notebooks").glob("*.ipynb"))
    if not paths:
        parser.error("no notebook named, and none in a folder notebooks here")
    for path in paths:
        if not path.is_file():
            parser.error(f"no such notebook: {path}")
    for path in paths:
        start = time.perf_counter()
        execute(path)
        print(f"{path}: {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
