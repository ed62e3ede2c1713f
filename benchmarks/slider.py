"""The live panel against the other ways to put p under a slider, in a real JupyterLab."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import nbformat

from benchmarks.rows import Row
from tests.lab import NO_CHROMIUM, Delay, Notebook, Server, chromium, find_chromium

WAYS = {
    "interact": """
import ipywidgets as w
import matplotlib.pyplot as plt
def draw(index):
    figure = plt.figure(figsize=(8.4, 4), dpi=100)
    scene(figure, 0)(index / 100)
    plt.show()
_ = w.interact(draw, index=w.IntSlider(50, 0, 100))
""",
    "ipympl": """
%matplotlib widget
import ipywidgets as w
import matplotlib.pyplot as plt
with plt.ioff():
    figure = plt.figure(figsize=(8.4, 4), dpi=100)
figure.canvas.header_visible = figure.canvas.footer_visible = False
show = scene(figure, 0)
slider = w.IntSlider(50, 0, 100)
def moved(_):
    show(slider.value / 100)
    figure.canvas.draw_idle()
slider.observe(moved, 'value')
moved(None)
w.VBox([slider, figure.canvas])
""",
    "Image": """
import io
import ipywidgets as w
from matplotlib.figure import Figure
slider, image = w.IntSlider(50, 0, 100), w.Image(width=840, height=400)
def moved(_):
    figure = Figure(figsize=(8.4, 4), dpi=100)
    scene(figure, 0)(slider.value / 100)
    file = io.BytesIO()
    figure.savefig(file, dpi=100)
    image.value = file.getvalue()
slider.observe(moved, 'value')
moved(None)
w.VBox([slider, image])
""",
    "Panel": """
from dlcourse.live import Panel
panel = Panel(scene)
panel
""",
}
COUNT_CPU = """
import time
start = time.process_time()
panel.new_draw()
_ = panel.wait()
print(time.process_time() - start)
"""
PREPARE = """
from slider_scene import scene
%config InlineBackend.print_figure_kwargs = {'bbox_inches': None}
"""

KEY, DRAG = "key press to the right picture", "pictures in a one-second drag"
PATIENCE = 20_000  # milliseconds that are waited for a picture

# the milliseconds from an action to the first frame in which the wanted number is visible, or to
# the end of patience, and the number that is visible then
_WATCH = """
window.shown = index => window.barCode(window.visiblePicture(window.cellOutput(index)));
window.until = (index, wanted, act) => new Promise(resolve => {
  let start;
  const look = () => {
    const shown = window.shown(index), milliseconds = performance.now() - start;
    if (shown === wanted || milliseconds > PATIENCE) resolve([milliseconds, shown]);
    else requestAnimationFrame(look);
  };
  // a person presses at any moment between two frames
  setTimeout(() => {
    start = performance.now();
    act();
    requestAnimationFrame(look);
  }, 17 * Math.random());
});
window.drag = (index, steps, milliseconds) => new Promise(resolve => {
  const output = window.cellOutput(index);
  const box = output.querySelector('.noUi-base').getBoundingClientRect();
  const y = box.top + box.height / 2;
  const event = (type, step) => new MouseEvent(type, {bubbles: true, cancelable: true,
    clientX: box.left + box.width * step / steps, clientY: y, buttons: 1, view: window});
  const seen = new Set();
  const start = performance.now();
  let step = 0;
  output.querySelector('.noUi-touch-area').dispatchEvent(event('mousedown', 0));
  const look = () => {
    const number = window.shown(index);
    if (number !== null) seen.add(number);
    const due = Math.min(steps, Math.floor((performance.now() - start) / milliseconds * steps));
    if (due > step) document.body.dispatchEvent(event('mousemove', step = due));
    if (performance.now() - start < milliseconds) requestAnimationFrame(look);
    else { document.body.dispatchEvent(event('mouseup', steps)); resolve(seen.size); }
  };
  requestAnimationFrame(look);
});
null;  // a function would be called
""".replace("PATIENCE", str(PATIENCE))

_KEY = """([index, key, wanted]) => window.until(index, wanted, () =>
  window.cellOutput(index).querySelector('.noUi-handle').dispatchEvent(
    new KeyboardEvent('keydown', {key, bubbles: true, cancelable: true})))"""
_CLICK = """([index, wanted]) => window.until(index, wanted, () =>
  [...window.cellOutput(index).querySelectorAll('button')].find(
    button => button.textContent === 'New draw').click())"""
_WAIT = "([index, wanted]) => window.until(index, wanted, () => {})"


def _write_notebooks(folder: Path) -> None:
    shutil.copy(Path(__file__).with_name("slider_scene.py"), folder)
    for way, source in WAYS.items():
        notebook = nbformat.v4.new_notebook()
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        notebook.cells = [
            nbformat.v4.new_code_cell(PREPARE.strip()),
            nbformat.v4.new_code_cell(source.strip()),
            nbformat.v4.new_code_cell(COUNT_CPU.strip() if way == "Panel" else ""),
        ]
        nbformat.write(notebook, folder / f"{way}.ipynb")


def milliseconds_until(page, way: str, script: str, *arguments: Any) -> float:
    """Return how long a picture took, PATIENCE where a peer was late; the panel must not be."""
    milliseconds, shown = page.evaluate(script, [1, *arguments])
    if shown != arguments[-1] and way == "Panel":
        late = f"after {milliseconds:.0f} ms the panel showed {shown}, not {arguments[-1]}"
        raise RuntimeError(f"{late} (128 × the draw + 100 × p)")
    return min(milliseconds, PATIENCE)


def measure_way(browser, server: Server, way: str, address: str | None = None) -> dict[str, float]:
    """Measure one way: milliseconds per key press and after a drag, pictures in it, new draw."""
    notebook = Notebook(browser, server, f"{way}.ipynb", address)
    page = notebook.page
    notebook.run_cell(0)
    notebook.run_cell(1)
    notebook.scroll_to(1)
    page.evaluate(_WATCH)
    until = partial(milliseconds_until, page, way)
    until(_WAIT, 50)
    page.wait_for_timeout(4000)  # until the film is shot and sent, and the page is quiet
    keys = ["ArrowRight"] * 12 + ["ArrowLeft"] * 12
    index, times = 50, []
    for key in keys:
        index += 1 if key == "ArrowRight" else -1
        times.append(until(_KEY, key, index))
    until(_KEY, "Home", 0)  # a drag moves the handle from where it is
    pictures = page.evaluate("() => window.drag(1, 60, 1000)")
    measured = {"key": median(times), "drag": pictures, "after drag": until(_WAIT, 100)}
    if way == "Panel":
        draws = [until(_CLICK, 128 * seed + 100) for seed in range(1, 8)]
        measured["new draw"] = median(draws)
        notebook.run_cell(2)
        measured["film"] = 1000 * float(notebook.text_of(2))
    notebook.close()
    return measured


def measure(program: str) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Measure all ways in one browser and one server, and the panel from 100 ms away too."""
    with tempfile.TemporaryDirectory() as home, chromium(program) as browser:
        server = Server(Path(home))
        try:
            _write_notebooks(server.folder)
            near = {way: measure_way(browser, server, way) for way in WAYS}
            proxy = Delay(server.port, 0.05)
            far = measure_way(browser, server, "Panel", proxy.address)
            proxy.stop()
        finally:
            server.stop()
    return near, far


def rows_beside(way: str, panel: dict[str, float], peer: dict[str, float]) -> list[Row]:
    """Return the rows of the panel beside a peer, which may have been late."""
    key, after = peer["key"], peer["after drag"]
    return [
        Row(
            f"{KEY}, {way}",
            panel["key"],
            key,
            key / panel["key"],
            ">= 2",
            peer_is_late=key >= PATIENCE,
        ),
        Row(f"{DRAG}, {way}", panel["drag"], peer["drag"], panel["drag"], ">= 30", "", ""),
        Row(
            f"end of the drag to its last picture, {way}",
            panel["after drag"],
            after,
            panel["after drag"],
            "<= 100",
            "ms",
            " ms",
            peer_is_late=after >= PATIENCE,
        ),
    ]


def rows() -> list[Row]:
    """Measure everything in this file."""
    program = find_chromium()
    if program is None:
        raise SystemExit(NO_CHROMIUM)
    near, far = measure(program)
    panel = near.pop("Panel")
    draw, film = panel["new draw"], panel["film"]
    film_of = "a whole film with its messages, CPU of the kernel"
    return [
        *(row for way, peer in near.items() for row in rows_beside(way, panel, peer)),
        Row(f"{KEY}, median", panel["key"], None, panel["key"], "<= 40", "ms", " ms"),
        Row(f"{KEY}, 100 ms away", far["key"], panel["key"], far["key"], "<= 50", "ms", " ms"),
        Row(f"{DRAG}, 100 ms away", far["drag"], panel["drag"], far["drag"], ">= 30", "", ""),
        Row("New draw to the new picture", draw, None, draw, "<= 120", "ms", " ms"),
        Row(film_of, film, None, film, "<= 1200", "ms", " ms"),
    ]
