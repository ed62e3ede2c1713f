"""How soon there is something to see: a lesson's panel after "run all"."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from benchmarks.lessons import LESSONS
from benchmarks.rows import Row
from tests.lab import NO_CHROMIUM, Notebook, Server, chromium, find_chromium, panel_cell

# what only draws, and what trains networks before there is something to draw
CHOSEN = [path for path in LESSONS if path.name[:2] in ("00", "01", "04", "06", "07")]

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
    found = []
    with tempfile.TemporaryDirectory() as home, chromium(program) as browser:
        server = Server(Path(home))
        try:
            for path in CHOSEN:
                seconds = panel_seconds(browser, server, path)
                name = f"{path.stem}, panel after run all"
                found.append(Row(name, seconds, None, seconds, "<= 3", "s", " s"))
        finally:
            server.stop()
    return found
