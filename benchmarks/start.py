"""How soon there is something to see: the import, and a lesson's panel after "run all"."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.lessons import LESSONS
from benchmarks.rows import Row
from tests.lab import NO_CHROMIUM, Notebook, Server, chromium, find_chromium
from tests.test_notebooks import panel_cell

# counted from the command to the frame in which the lesson's slider and picture are there
_UNTIL_LIVE = """index => new Promise((resolve, reject) => {
  const start = performance.now();
  const look = () => {
    const output = window.cellOutput(index);
    if (output && output.querySelector('.noUi-handle') && window.visiblePicture(output))
      resolve(performance.now() - start);
    else if (performance.now() - start > 100000) reject(new Error('no panel came'));
    else requestAnimationFrame(look);
  };
  window.jupyterapp.commands.execute('notebook:run-all-cells');
  requestAnimationFrame(look);
})"""


def import_seconds(module: str) -> float:
    """Return the seconds that a new Python takes to import a module: the median of nine."""
    times = []
    for _ in range(9):
        start = perf_counter()
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)
        times.append(perf_counter() - start)
    return median(times)


def panel_seconds(browser, server: Server, path: Path) -> float:
    """Return the seconds from "run all" to the live panel, with a kernel that is ready."""
    shutil.copy(path, server.folder)
    notebook, cell = Notebook(browser, server, path.name), panel_cell(path)
    notebook.scroll_to(cell)  # the saved picture is there before the first run
    milliseconds = notebook.page.evaluate(_UNTIL_LIVE, cell)
    notebook.end_kernel()
    notebook.close()
    return milliseconds / 1000


def rows() -> list[Row]:
    """Measure everything in this file."""
    program = find_chromium()
    if program is None:
        raise SystemExit(NO_CHROMIUM)
    ours, peer = import_seconds("dlcourse"), import_seconds("numpy")
    found = [Row("import dlcourse, import numpy", ours, peer, ours / peer, "<= 1.2", "s")]
    with tempfile.TemporaryDirectory() as home, chromium(program) as browser:
        server = Server(Path(home))
        try:
            for path in LESSONS:
                seconds = panel_seconds(browser, server, path)
                name = f"{path.stem}, panel after run all"
                found.append(Row(name, seconds, None, seconds, "<= 3", "s", " s"))
        finally:
            server.stop()
    return found
