"""Panels under abuse: events by the thousand from several threads, cut lines, dead kernels."""

from __future__ import annotations

import gc
import importlib
import os
import random
import subprocess
import sys
import threading
import time
from functools import partial
from itertools import count
from pathlib import Path

import comm
import ipykernel
import ipywidgets as widgets
import matplotlib
import matplotlib.pyplot as plt
import pytest
from comm.base_comm import BaseComm

from dlcourse import live, projector
from dlcourse.live import MOST_SEED, POSITIONS, Panel, whole_number
from dlcourse.retrain import TrainingPanel
from tests.lab import Delay
from tests.scenes import units_scene
from tests.test_browser import (
    SCREENSHOTS,
    ask,
    open_small,
    opened,  # noqa: F401 - a fixture, as is small
    picture,
    small,  # noqa: F401
    wait_for_picture,
)

ROOT = Path(__file__).parent.parent
SIZE = (300, 160)
SEEDS = [*range(10), MOST_SEED, -1, MOST_SEED + 1, 10**9]  # as typed, also out of range

# how many events each panel goes through; where a setting takes training, fewer
EVENTS = {
    "small": 3000,
    "small training": 1500,
    "start_here": 600,
    "masks": 600,
    "scaling": 600,
    "ensembles": 600,
    "coadaptation": 600,
    "walter": 600,
    "overfitting": 400,
    "choosing_p": 400,
    "regulariser": 600,
    "relatives": 600,
    "questions": 600,
}
TRAINING = {"overfitting", "choosing_p"}


def small_panel(**state):
    units = whole_number("units", 1, 20, state.pop("units", 16))
    return Panel(units_scene, {"units": units}, name="small", size=SIZE, **state)


def small_training_panel(**state):
    def train(seed, units, progress):
        for _ in progress(range(5)):
            time.sleep(0.002)

    units = whole_number("units", 1, 20, state.pop("units", 16))
    options = {"name": "small", "size": SIZE, **state}
    return TrainingPanel(units_scene, train, {"units": units}, **options)


def maker(name):
    own = {"small": small_panel, "small training": small_training_panel}
    return own.get(name) or importlib.import_module(f"dlcourse.{name}").panel


# --- a notebook without Jupyter


class Line(BaseComm):
    """A line from the kernel to a browser, and the state that the browser was told."""

    def __init__(self, **options):
        self.state, self.updated = {}, []
        super().__init__(**options)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
        if msg_type == "comm_open" or (data or {}).get("method") == "update":
            sent = [bytes(buffer) for buffer in buffers or []]
            paths = [path for (path,) in data["buffer_paths"]]
            self.state.update({**data["state"], **dict(zip(paths, sent, strict=True))})
            self.updated += data["state"] if msg_type == "comm_msg" else ()


class Cell:
    """A cell that makes a panel, and the shell that knows which run of which cell this is."""

    def __init__(self, make):
        self._make, self._runs, self._request = make, count(), {}

    def get_parent(self):
        return self._request

    def run(self, **state):
        run = f"{id(self)}-{next(self._runs)}"
        self._request = {"metadata": {"cellId": str(id(self))}, "header": {"msg_id": run}}
        self.panel = self._make(**state)
        self._request = {}


@pytest.fixture
def lost(monkeypatch, caplog):
    """What was raised where nobody hears it: in threads, finalisers, callbacks of widgets."""
    heard = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    monkeypatch.setattr(sys, "unraisablehook", heard.append)
    yield heard
    gc.collect()
    assert heard == []
    assert [record.getMessage() for record in caplog.records] == []


@pytest.fixture
def lines(monkeypatch):
    monkeypatch.setattr(comm, "create_comm", Line)


@pytest.fixture
def switched_off():
    yield
    projector.switch(False)


@pytest.fixture
def nothing_left(lost, lines, switched_off):
    """Threads, figures and widgets are after the test what they were before."""

    def taken():
        gc.collect()
        # tqdm keeps one of its own from the first bar on
        threads = [t for t in threading.enumerate() if type(t).__name__ != "TMonitor"]
        return threads, plt.get_fignums(), set(widgets.widget._instances)

    before = taken()
    yield
    after = taken()
    assert after[:2] == before[:2]
    assert after[2] <= before[2]


@pytest.fixture
def cell_of(monkeypatch):
    def new_cell(make):
        cell = Cell(make)
        monkeypatch.setattr(live, "get_ipython", lambda: cell)
        return cell

    return new_cell


def at_once(*acts, seconds=100):
    """Do several things in threads of their own, and raise what one of them raised."""
    raised = []

    def do(act):
        try:
            act()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=do, args=(act,), daemon=True) for act in acts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(seconds)
    if raised:
        raise raised[0]
    assert not any(thread.is_alive() for thread in threads), "threads wait for each other"


# --- events


def drag_to(panel, index):
    """Do what the browser does: the slider moves, and all that is linked to it."""
    for part in (panel._slider, panel._code, panel._words, panel._buttons):
        part.set_state({"index": index})
    if (stack := getattr(panel, "_stack", None)) is not None:  # the panel is not closed
        stack.set_state({"selected_index": index})


def values_of(control):
    """Return every value of a control, as the browser would send it."""
    if isinstance(control, widgets.Dropdown):
        return [{"index": i} for i in range(len(control.options))]
    return [{"value": value} for value in range(control.min, control.max + 1)]


def click(panel):
    (button,) = [part for part in panel._parts if isinstance(part, widgets.Button)] or [None]
    if button is not None:  # the panel is not closed
        button._handle_custom_msg({"event": "click"}, [])


def in_the_browser(cell, rng, trains):
    """Do one thing that a person does in the page."""
    panel, kind = cell.panel, rng.random()
    controls = [control for name, control in panel._controls.items() if name != "seed"]
    if kind < 0.7:
        drag_to(panel, rng.choice([0, 100, rng.randrange(POSITIONS)]))
    elif kind < 0.85:
        control = rng.choice(controls)
        control.set_state(rng.choice(values_of(control)))
    elif kind < 0.93:
        panel._seed.set_state({"value": rng.choice(SEEDS)})
    elif kind < 0.98:
        if rng.random() < trains:
            click(panel)
    else:
        panel._projector.set_state({"value": not panel._projector.value})


def in_a_cell(cell, rng, trains):
    """Do one thing that code in a notebook does."""
    panel, kind = cell.panel, rng.random()
    if kind < 0.8:
        panel.p = rng.randrange(POSITIONS) / 100
    elif kind < 0.85:
        panel._seed.value = rng.choice(SEEDS)
    elif kind < 0.9:
        if rng.random() < trains:
            panel.new_draw()
    elif kind < 0.92:
        assert panel.picture()[:4] == b"\x89PNG"
    elif kind < 0.94:
        assert repr(panel).startswith(f"{panel._name}(p=")
    elif kind < 0.96:
        projector.switch(rng.random() < 0.5)
    elif kind < 0.98:
        panel.wait(0.01)
    elif kind < 0.985:
        panel.close()
    elif kind < 0.99:
        cell.run()
    else:
        time.sleep(0.02)


def plot(rng):
    """Draw with pyplot as a notebook does, with other settings each time."""
    with plt.style.context(rng.choice(plt.style.available)):
        figure = plt.figure(figsize=(1, 1))
        plt.plot([0, 1])
        figure.canvas.draw()
        plt.close(figure)
    matplotlib.rcdefaults()


def abuse(cell, events, seed, trains=1.0):
    """Let a browser, a cell and a plotting thread loose on a panel; return how much they did.

    `trains` is the share of presses of the button that are done.
    """
    done, ended = [0, 0], threading.Event()

    def act(number, what):
        rng = random.Random(2 * seed + number)
        try:
            for _ in range(events // 2):
                what(cell, rng, trains)
                done[number] += 1
        finally:
            ended.set()

    def plot_meanwhile():
        rng = random.Random(seed)
        while not ended.wait(0.02):
            plot(rng)

    for control in cell.panel._controls.values():
        for value in values_of(control) if control is not cell.panel._seed else [{"value": 3}]:
            control.set_state(value)
    at_once(lambda: act(0, in_the_browser), lambda: act(1, in_a_cell), plot_meanwhile)
    return sum(done)


# --- what must be true afterwards


def come_to_rest(panel):
    if isinstance(panel, TrainingPanel):
        assert panel.wait_for_training(60)
    assert panel.wait(60)
    assert panel.error is None


def shown(panel):
    """Return what the browser has for each position: pictures, words, lines of code."""
    pictures = [frame.comm.state["value"] for frame in panel._frames]
    lines = [part.comm.state["_options_labels"] for part in (panel._words, panel._code)]
    assert [len(part) for part in (pictures, *lines)] == 3 * [POSITIONS]
    return pictures, *lines


def assert_as_fresh(panel, make):
    """Assert that the browser has what it has of a panel made in the same state."""
    come_to_rest(panel)
    assert panel._large == panel._projector.value == projector.is_on()
    for part, trait in ((panel._words, "index"), (panel._code, "index")):
        assert trait not in part.comm.updated  # the kernel is behind the browser
    for control in panel._controls.values():
        if isinstance(control, widgets.Dropdown):
            assert control.options[control.index][1] == control.value
    fresh = make(p=panel.p, **panel.settings)
    try:
        come_to_rest(fresh)
        assert repr(fresh) == repr(panel)
        assert shown(fresh) == shown(panel)
        assert fresh.picture() == panel.picture() == shown(panel)[0][round(100 * panel.p)]
    finally:
        fresh.close()


@pytest.mark.parametrize(
    ("name", "events"),
    [("small", 100), *(pytest.param(*row, marks=pytest.mark.soak) for row in EVENTS.items())],
)
def test_after_any_events_all_is_as_in_a_fresh_panel(name, events, cell_of, nothing_left):
    cell = cell_of(maker(name))
    cell.run()
    try:
        done = abuse(cell, events, seed=0, trains=0.2 if name in TRAINING else 1)
        assert done == events
        if cell.panel._closed:
            cell.run()
        assert_as_fresh(cell.panel, maker(name))
    finally:
        cell.panel.close()


def test_there_are_ten_thousand_events_and_every_lesson_has_its_share():
    from tests.test_notebooks import LESSONS

    assert sum(EVENTS.values()) >= 10_000
    assert {path.stem[3:] for path in LESSONS} == set(EVENTS) - {"small", "small training"}


# --- what may meet


@pytest.fixture
def quick_turns():
    """Threads take turns so often that what can meet does meet."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    yield
    sys.setswitchinterval(interval)


@pytest.fixture
def panel(nothing_left):
    panel = small_panel()
    assert panel.wait(60)
    yield panel
    panel.close()


def test_lines_of_text_stay_where_the_browser_put_them(panel, quick_turns):
    stop = threading.Event()

    def drag():
        for i in range(600):
            drag_to(panel, 37 * i % POSITIONS)
        stop.set()

    def draw():
        while not stop.is_set():
            panel.new_draw()

    at_once(drag, draw)
    assert panel._slider.index == panel._code.index == panel._words.index == 37 * 599 % POSITIONS
    assert_as_fresh(panel, small_panel)


def test_two_people_at_the_switch(panel, quick_turns):
    other = small_panel()

    def press_again_and_again(one):
        for _ in range(150):
            one._projector.value = not one._projector.value

    def switch():
        for i in range(150):
            projector.switch(i % 2 == 0)

    try:
        at_once(lambda: press_again_and_again(panel), lambda: press_again_and_again(other), switch)
        assert_as_fresh(panel, small_panel)
        assert_as_fresh(other, small_panel)
    finally:
        other.close()


def test_a_switch_does_not_stumble_over_a_panel_that_closes(nothing_left, quick_turns):
    stop = threading.Event()

    def switch():
        while not stop.is_set():
            projector.switch(not projector.is_on())

    def run():
        try:
            for _ in range(15):
                small_panel().close()
        finally:
            stop.set()

    at_once(switch, run)


def test_a_switch_while_the_first_picture_is_drawn_is_not_missed(nothing_left):
    def scene(figure, seed):
        projector.switch()
        return units_scene(figure, seed)

    panel = Panel(scene, {}, size=SIZE)
    try:
        come_to_rest(panel)
        assert panel._large and panel._projector.value
        assert shown(panel)[0][50] == panel.picture()
    finally:
        panel.close()


def test_an_error_of_settings_that_have_passed_is_forgotten(nothing_left):
    in_scene, go_on = threading.Event(), threading.Event()

    def scene(figure, seed):
        if seed == 1:
            in_scene.set()
            assert go_on.wait(60)
            raise ValueError("not this seed")
        return units_scene(figure, seed)

    panel = Panel(scene, {}, size=SIZE)
    try:
        panel.new_draw()
        assert in_scene.wait(60)
        panel.new_draw()
        go_on.set()
        come_to_rest(panel)
    finally:
        panel.close()


@pytest.mark.parametrize("part", ["_words", "_code"])
def test_a_line_that_cannot_be_sent_does_not_stop_the_film(panel, part):
    def refuse(change):
        raise OSError("the line is cut")

    getattr(panel, part).observe(refuse, "_options_labels")
    try:
        panel.new_draw()
    except OSError:
        assert part == "_code"  # whoever pressed hears of it
    assert panel.wait(60)
    getattr(panel, part).unobserve_all("_options_labels")
    panel.new_draw()
    assert_as_fresh(panel, small_panel)


class OneThreadLine(Line):
    """A line that carries nothing from another thread than the tests' own."""

    def publish_msg(self, *args, **more):
        if threading.current_thread() is not threading.main_thread():
            raise LookupError("shell_parent")
        super().publish_msg(*args, **more)


def notice(panel):
    """Return what the browser was told to show in the notice, None where that is hidden."""
    hidden = panel._notice.layout.comm.state["display"] == "none"
    return None if hidden else panel._notice.comm.state["value"]


@pytest.mark.parametrize(
    ("version", "cure"),
    [("7.0.1", '%pip install "ipykernel!=7.0.*"'), ("7.4.0", "Move p to another place and back")],
)
def test_where_threads_cannot_send_the_panel_says_so_and_p_moves(
    nothing_left, monkeypatch, version, cure
):
    monkeypatch.setattr(comm, "create_comm", OneThreadLine)
    monkeypatch.setattr(ipykernel, "__version__", version)
    panel = small_panel()
    try:
        assert "could not be sent: LookupError: shell_parent" in notice(panel)
        assert cure in notice(panel)
        assert panel.wait(60)
        panel.new_draw()
        assert panel.wait(60)
        drag_to(panel, 70)
        assert shown(panel)[0][70] == panel.picture()
        assert cure in notice(panel)
    finally:
        panel.close()


def test_a_notice_goes_when_all_is_sent_again(panel):
    assert notice(panel) is None

    def refuse(change):
        panel._frames[49].unobserve_all("value")
        raise OSError("the line is cut")

    panel._frames[49].observe(refuse, "value")
    panel.new_draw()
    assert panel.wait(60)
    assert "the line is cut" in notice(panel)
    panel.new_draw()
    assert panel.wait(60)
    assert notice(panel) is None


def test_where_threads_cannot_send_training_ends_and_can_be_started_again(
    nothing_left, monkeypatch
):
    monkeypatch.setattr(comm, "create_comm", OneThreadLine)
    panel = small_training_panel()
    try:
        for _ in range(2):
            panel.new_draw()
            assert panel.wait_for_training(60)
        assert "could not be sent" in notice(panel)
    finally:
        panel.close()


# --- closing


@pytest.mark.parametrize("make", [small_panel, small_training_panel])
def test_a_closed_panel_keeps_its_state_and_does_no_more_work(make, nothing_left):
    panel = make(p=0.3, seed=5)
    before = panel.picture()
    panel.close()
    threads = threading.enumerate()
    assert (panel.p, repr(panel)) == (0.3, "small(p=0.3, seed=5, units=16)")
    assert panel.picture() == before
    panel.p = 0.4
    panel.new_draw()
    panel._controls["units"].value = 3
    projector.switch()
    projector.switch(False)
    assert panel.wait() is False  # at once
    assert threading.enumerate() == threads
    shown = (0.4, 6, 3) if make is small_panel else (0.4, 5, 16)
    assert repr(panel) == "small(p={}, seed={}, units={})".format(*shown)
    fresh = make(p=shown[0], seed=shown[1], units=shown[2])
    assert panel.picture() == fresh.picture()
    fresh.close()
    assert panel.error is None


def test_two_threads_close_one_panel(nothing_left, quick_turns):
    for _ in range(10):
        panel = small_panel()
        panel.new_draw()
        at_once(panel.close, panel.close, partial(drag_to, panel, 7))


def test_closing_that_is_interrupted_still_gives_everything_back(panel, monkeypatch):
    def interrupted(timeout=None):
        raise KeyboardInterrupt

    monkeypatch.setattr(panel._worker, "join", interrupted)
    with pytest.raises(KeyboardInterrupt):
        panel.close()
    monkeypatch.undo()
    panel._worker.join(10)
    assert panel.children == ()


def test_training_that_is_started_while_the_panel_closes_stops_too(nothing_left, quick_turns):
    for _ in range(10):
        panel = small_training_panel()
        stop = threading.Event()

        def press_again_and_again(panel=panel, stop=stop):
            while not stop.is_set():
                panel.new_draw()

        def close(panel=panel, stop=stop):
            panel.close()
            stop.set()

        at_once(press_again_and_again, close)
        assert panel.wait_for_training(0)


def test_a_hint_about_training_does_not_outlast_it(nothing_left, monkeypatch):
    go_on = threading.Event()

    def train(seed, units, progress):
        assert go_on.wait(60)

    panel = TrainingPanel(units_scene, train, {"units": whole_number("units", 1, 20, 16)})
    try:
        panel.new_draw()
        hint = panel._hint

        def slow_hint():
            found = hint()
            go_on.set()
            panel.wait_for_training(0.5)
            return found

        monkeypatch.setattr(panel, "_hint", slow_hint)
        panel._controls["units"].value = 3
        assert panel.wait_for_training(60)
        assert panel._told.value == "press Train again for these settings"
    finally:
        panel.close()


# --- memory

GROWTH = """
import gc, sys, threading, psutil
import ipywidgets as widgets
from dlcourse import live, projector
from tests.test_abuse_panels import Cell, abuse, small_panel
cell = Cell(small_panel)
live.get_ipython = lambda: cell
def taken():
    gc.collect()
    rss = psutil.Process().memory_info().rss / 1e6
    return rss, threading.active_count(), len(widgets.widget._instances)
def after(seeds):
    for seed in seeds:
        cell.run()
        abuse(cell, 400, seed)
    cell.run()  # the same state each time
    projector.switch(False)
    cell.panel.wait()
    return taken()
warm, more = after(range(15)), after(range(15, 20))  # by then all words have been rasterised once
print(*(end - start for start, end in zip(warm, more)))
"""


@pytest.mark.soak
def test_two_thousand_events_add_less_than_five_megabytes_and_no_thread_and_no_widget():
    # glibc gives threads arenas of their own, each of which has to grow to its size once
    environment = {**os.environ, "MALLOC_ARENA_MAX": "1"}
    command = [sys.executable, "-c", GROWTH]
    answer = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    megabytes, threads, models = map(float, answer.stdout.split())
    print(f"grown by {megabytes:.1f} MB")
    assert megabytes < 5
    assert threads == models == 0


# --- a dead kernel, and lines that are slow or cut


def drag(notebook, start, end):
    """Drag p with the mouse, which is already down, in hundredths."""
    box = notebook.output(1).query_selector(".dlcourse-p .noUi-base").bounding_box()
    for i in range(start, end, 1 if end > start else -1):
        notebook.page.mouse.move(box["x"] + box["width"] * i / 100, box["y"] + box["height"] / 2)
        notebook.page.wait_for_timeout(5)
    place = box["x"] + box["width"] * end / 100
    notebook.page.mouse.move(place, box["y"] + box["height"] / 2)


@pytest.fixture
def held(request):
    """A notebook whose film is shot, with the mouse on the handle of p, at 0.5, and down."""
    notebook = request.getfixturevalue(request.param)
    assert ask(notebook, "print(panel.wait())") == "True"
    notebook.scroll_to(1)
    handle = notebook.output(1).query_selector(".dlcourse-p .noUi-handle").bounding_box()
    x, y = handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2
    notebook.page.mouse.move(x, y)
    notebook.page.mouse.down()
    return notebook


@pytest.fixture
def proxy(server):
    proxy = Delay(server.port, 0.1)
    yield proxy
    proxy.stop()


@pytest.fixture
def distant(browser, server, proxy):
    notebook = open_small(browser, server, proxy.address)
    yield notebook
    notebook.close()


@pytest.mark.soak
@pytest.mark.parametrize("held", ["small"], indirect=True)
def test_the_kernel_dies_in_the_middle_of_a_drag(held):
    drag(held, 50, 70)
    wait_for_picture(held, 1, picture(0.7))
    held.end_kernel()
    drag(held, 70, 20)
    wait_for_picture(held, 1, picture(0.2))
    held.page.mouse.up()
    assert held.slider_text(1) == "0.20"
    held.run_cell(0)  # which starts a kernel
    held.run_cell(1)
    held.wait_for_slider(1)
    held.click_button(1, "New draw")
    wait_for_picture(held, 1, picture(0.5, seed=1), seconds=20)


@pytest.mark.soak
@pytest.mark.parametrize("held", ["distant"], indirect=True)
def test_p_and_new_draw_over_a_slow_line(held):
    drag(held, 50, 80)
    held.page.mouse.up()
    wait_for_picture(held, 1, picture(0.8))
    for _ in range(3):
        held.click_button(1, "New draw")
    wait_for_picture(held, 1, picture(0.8, seed=3), seconds=20)
    held.press(1, "ArrowLeft", 10)
    wait_for_picture(held, 1, picture(0.7, seed=3), seconds=20)


_CONNECTED = """() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel
  .connectionStatus === 'connected'"""


def wait_until_all_agree(notebook, seed, seconds=30):
    """Wait until slider, picture and line of code stand at one p, and at this seed."""
    for _ in range(10 * seconds):
        p = float(notebook.slider_text(1))
        line = notebook.output(1).query_selector(".dlcourse-code .widget-readout").inner_text()
        if line == f"a.panel(p={p:g}, seed={seed})" and notebook.picture_of(1) == picture(p, seed):
            return
        notebook.page.wait_for_timeout(100)
    notebook.screenshot(SCREENSHOTS / "unexpected.png")
    raise AssertionError(f"slider {p}, line {line!r}: see screenshots/unexpected.png")


# JupyterLab says that there was no connection, and may say so more than once
_DISMISS = """() => {setInterval(() => {
  document.querySelectorAll('.jp-Dialog .jp-mod-reject').forEach(button => button.click());
}, 50);}"""


@pytest.mark.soak
@pytest.mark.parametrize("held", ["distant"], indirect=True)
@pytest.mark.parametrize("pressed", [False, True], ids=["drag", "drag after New draw"])
def test_the_line_is_cut_in_the_middle_of_a_drag(held, proxy, pressed):
    if pressed:
        held.page.mouse.up()
        held.click_button(1, "New draw")
        held.page.wait_for_timeout(400)  # while the film is shot and sent
        handle = held.output(1).query_selector(".dlcourse-p .noUi-handle")
        handle.hover(force=True)
        held.page.mouse.down()
    drag(held, 50, 65)
    proxy.cut()
    held.page.wait_for_function(f"() => !({_CONNECTED})()", timeout=30_000)
    drag(held, 65, 80)
    if not pressed:
        wait_for_picture(held, 1, picture(0.8))
    held.page.wait_for_timeout(2000)
    proxy.mend()
    held.page.wait_for_function(_CONNECTED, timeout=60_000)
    held.page.mouse.up()
    held.page.evaluate(_DISMISS)
    # JupyterLab brings back what the kernel knows: p may jump to where it was before the cut,
    # and the picture with it
    wait_until_all_agree(held, seed=int(pressed))
    held.click_button(1, "New draw")
    wait_until_all_agree(held, seed=1 + pressed)
    before = float(held.slider_text(1))
    held.press(1, "ArrowLeft", 10)
    assert float(held.slider_text(1)) == pytest.approx(before - 0.1)
    wait_until_all_agree(held, seed=1 + pressed)
