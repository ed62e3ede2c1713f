"""``python -m dlcourse execute``: run notebooks, save them tidy; ``… links``; ``… site``."""

from __future__ import annotations

import argparse
import time
from pathlib import Path


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(prog="python -m dlcourse")
    commands = parser.add_subparsers(required=True, metavar="command")

    run = commands.add_parser("execute", help="run notebooks in fresh kernels and save them")
    run.add_argument(
        "notebooks", nargs="*", type=Path, help="all of the folder notebooks by default"
    )
    run.set_defaults(do=execute, parser=run)

    links = commands.add_parser("links", help="print links that open the lessons elsewhere")
    links.add_argument("address", help="of your repository: https://github.com/ORG/REPO")
    links.add_argument("--branch", default="main", help="main by default")
    links.add_argument("--hub", default="", help="address of your JupyterHub: https://…")
    links.set_defaults(do=print_links, parser=links)

    site = commands.add_parser("site", help="write the lessons as pages that need no kernel")
    site.add_argument(
        "folder", nargs="?", type=Path, default=Path("_site"), help="_site by default"
    )
    site.set_defaults(do=build_site, parser=site)

    chosen = parser.parse_args()
    chosen.do(chosen)


LESSON = "[0-9][0-9]_*.ipynb"


def found(chosen: argparse.Namespace, pattern: str = LESSON) -> list[Path]:
    """Return notebooks of the folder notebooks, or end with a sentence if there is none."""
    paths = sorted(Path("notebooks").glob(pattern))
    if not paths:
        chosen.parser.error("no notebook named, and none in a folder notebooks here")
    return paths


def execute(chosen: argparse.Namespace) -> None:
    """Execute notebooks, one after the other."""
    from dlcourse import notebooks

    paths = chosen.notebooks or found(chosen, "*.ipynb")
    for path in paths:
        if not path.is_file():
            chosen.parser.error(f"no such notebook: {path}")
    for path in paths:
        start = time.perf_counter()
        notebooks.execute(path)
        print(f"{path}: {time.perf_counter() - start:.1f} s")


def print_links(chosen: argparse.Namespace) -> None:
    """Print the links of all lessons as Markdown."""
    from dlcourse.links import repository, table

    try:
        print(table(repository(chosen.address, chosen.branch), found(chosen), chosen.hub))
    except ValueError as error:
        chosen.parser.error(str(error))


def build_site(chosen: argparse.Namespace) -> None:
    """Write the pages of all lessons and say how large they are."""
    from dlcourse import site

    try:
        pages = site.build(found(chosen), chosen.folder)
    except ValueError as error:
        chosen.parser.error(str(error))
    sizes = [page.stat().st_size / 1e6 for page in pages]
    for page, size in zip(pages, sizes, strict=True):
        print(f"{page}: {size:.1f} MB")
    print(f"{len(pages)} pages, {sum(sizes):.1f} MB; open {pages[0]}")


if __name__ == "__main__":
    main()
