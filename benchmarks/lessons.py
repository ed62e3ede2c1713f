"""How long each lesson runs from top to bottom, and how much memory its kernel takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from time import perf_counter, process_time

import nbformat
import psutil
from nbclient import NotebookClient

from benchmarks.rows import Row
from dlcourse.film import Camera
from dlcourse.live import POSITIONS, SIZE

LESSONS = sorted((Path(__file__).parent.parent / "notebooks").glob("[0-9][0-9]_*.ipynb"))
MANY_NETWORKS = ("06_overfitting", "07_choosing_p")  # whose subject is training


class Peak:
    """The most that a function returned while the block ran, asked every so many seconds."""

    def __init__(self, ask: Callable[[], float], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self.value = 0.0
        self._error: Exception | None = None

    def __enter__(self) -> Peak:
        """Start to ask."""
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop asking, and raise what the function raised meanwhile."""
        self._over.set()
        self._thread.join()
        if self._error is not None:
            raise self._error

    def _look(self) -> None:
        try:
            while not self._over.wait(self._seconds):
                self.value = max(self.value, self._ask())
        except Exception as error:  # nobody hears it in this thread
            self._error = error


def megabytes_of_children() -> float:
    """Return the memory that this process's children take now."""
    taken = 0
    for child in psutil.Process().children(recursive=True):
        try:
            taken += child.memory_info().rss
        except psutil.NoSuchProcess:  # it ended between the two lines
            continue
    return taken / 1e6


def film_seconds(path: Path) -> float:
    """Return the CPU seconds of a whole film of the lesson's panel, its messages left out."""
    lesson = import_module(f"dlcourse.{path.stem[3:]}")
    panel = lesson.panel()
    settings = panel.settings
    panel.close()
    camera, start = Camera(lesson.scene, SIZE), process_time()
    for position in range(POSITIONS):
        camera.shoot(position / 100, **settings)
    return process_time() - start


def lesson_rows(path: Path) -> list[Row]:
    """Run one lesson in a fresh kernel."""
    notebook = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    client = NotebookClient(
        notebook,
        timeout=120,
        kernel_name="python3",
        resources=folder,
        extra_arguments=["--log-level=ERROR"],  # a kernel's warnings would stand between the rows
    )
    start = perf_counter()
    with Peak(megabytes_of_children, 0.05) as peak:
        client.execute()
    most = 30 if path.stem in MANY_NETWORKS else 20
    seconds, memory, film = perf_counter() - start, peak.value, film_seconds(path)
    return [
        Row(f"{path.stem}, run all", seconds, None, seconds, f"<= {most}", "s", " s"),
        Row(f"{path.stem}, peak memory", memory, None, memory, "<= 700", "MB", " MB"),
        Row(f"{path.stem}, a whole film, CPU", film, None, film, "<= 2", "s", " s"),
    ]


def rows() -> list[Row]:
    """Measure every lesson."""
    found = [row for path in LESSONS for row in lesson_rows(path)]
    course = sum(row.ours for row in found if row.what.endswith("run all"))
    return [*found, Row("all lessons, run all", course, None, course, "<= 120", "s", " s")]
