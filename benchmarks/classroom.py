"""How much memory a student takes: JupyterLab's server and the kernel of one lesson.

Each student has a server of their own, as on a JupyterHub, and runs all cells of a lesson in a
browser, whose memory is not counted: it is the student's. Linux only.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path

import psutil

from benchmarks.lessons import LESSONS, Peak
from benchmarks.rows import Row
from tests.lab import NO_CHROMIUM, Notebook, Server, chromium, find_chromium

ALONE = ("00_start_here", "02_scaling", "06_overfitting", "10_questions")  # least memory to most
TOGETHER = ("02_scaling",)
LIMIT = 1000  # MB for one student: half of what Binder gives


def taken(processes: Iterable[psutil.Process]) -> float:
    """Return the MB that processes hold, with the files that several of them map counted once.

    That is the sum of their PSS, but for one thing: PSS also counts programs outside the group
    that map the same files, such as another JupyterLab on this machine, and gets smaller.
    """
    own, files = 0, Counter[str]()
    for process in processes:
        try:
            maps = process.memory_maps(grouped=True)
        except psutil.NoSuchProcess:  # it ended while we looked
            continue
        for each in maps:
            own += each.anonymous
            files[each.path] = max(files[each.path], each.rss - each.anonymous)
    return (own + files.total()) / 1e6


class Watch(Peak):
    """The most MB that the servers and their kernels took while the block ran."""

    def __init__(self, servers: Iterable[Server]) -> None:
        self._servers = [psutil.Process(server.process.pid) for server in servers]
        super().__init__(lambda: taken(self.processes()), seconds=0.25)

    def processes(self) -> list[psutil.Process]:
        """Return the servers and all that they started."""
        kernels = [child for one in self._servers for child in one.children(recursive=True)]
        return self._servers + kernels

    def cpu(self) -> float:
        """Return the CPU seconds that all of them have used so far."""
        used = 0.0
        for process in self.processes():
            try:
                times = process.cpu_times()
            except psutil.NoSuchProcess:  # it ended while we looked
                continue
            used += times.user + times.system
        return used


def measure(program: str, lesson: str, students: int) -> dict[str, float]:
    """Let some students run all cells of one lesson at the same time."""
    with ExitStack() as stack:
        browser = stack.enter_context(chromium(program))
        servers = []
        for _ in range(students):
            home = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            servers.append(Server(home))
            stack.callback(servers[-1].stop)
            name = f"{lesson}.ipynb"
            (servers[-1].folder / name).write_bytes((LESSONS[0].parent / name).read_bytes())
        watch = Watch(servers)
        empty = taken(watch.processes())
        pages = [Notebook(browser, server, f"{lesson}.ipynb") for server in servers]
        opened, used = taken(watch.processes()), watch.cpu()
        with watch:
            for page in pages:
                page.start_all()
            for page in pages:
                page.wait_for_all(300)
            used = watch.cpu() - used
        found = {"empty": empty, "opened": opened, "peak": watch.value, "cpu": used}
        for page in pages:
            page.close()
    return found


def rows() -> list[Row]:
    """Measure four lessons for one student, and one of them for three students at once."""
    program = find_chromium()
    if program is None:
        raise SystemExit(NO_CHROMIUM)
    found, alone = [], {}
    for lesson in ALONE:
        alone[lesson] = one = measure(program, lesson, students=1)
        most, what = one["peak"], f"{lesson}, one student"
        found.append(Row(f"{what}, most memory", most, None, most, f"<= {LIMIT}", "MB", " MB"))
        found.append(Row(f"{what}, CPU", one["cpu"], None, one["cpu"], "<= 60", "s", " s"))
    for what, key in (("the server alone", "empty"), ("a lesson open, nothing run", "opened")):
        most = max(one[key] for one in alone.values())
        found.append(Row(what, most, None, most, f"<= {LIMIT // 2}", "MB", " MB"))
    for lesson in TOGETHER:
        three, one = measure(program, lesson, students=3), alone[lesson]
        what = f"{lesson}, each of three at once, beside one"
        for name, key, most, unit in (("most memory", "peak", 1, "MB"), ("CPU", "cpu", 2, "s")):
            each = three[key] / 3
            ratio = each / one[key]
            found.append(Row(f"{what}, {name}", each, one[key], ratio, f"<= {most}", unit))
    return found
