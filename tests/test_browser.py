"""The lessons and the panel as a person has them: JupyterLab in Chromium."""

import base64
import copy
import importlib
import shutil
from importlib.metadata import version
from pathlib import Path

import nbformat
import pytest
import torch

from dlcourse.film import Camera, shoot_text
from dlcourse.live import SIZE
from dlcourse.notebooks import tidy
from dlcourse.retrain import TrainingPanel
from tests.lab import Notebook, panel_cell
from tests.test_notebooks import LESSONS, cells

SCREENSHOTS = Path(__file__).parent.parent / "screenshots"

# notebook: the control's name, its values from end to end, and how a person sets it
CONTROLS = {
    "00_start_here": ("units", [25, 100, 400], "menu"),
    "01_masks": ("digit", [0, 9], "slider"),
    "03_ensembles": ("network", ["linear", "softmax", "relu"], "menu"),
    "04_coadaptation": ("trained", [0.2, 0.5, 0.8], "menu"),
    "05_walter": ("fan_in", [10, 30, 100, 300, 1000], "menu"),
    "06_overfitting": ("wrong", [0.0, 0.2, 0.4], "menu"),
    "07_choosing_p": ("width", [8, 32, 128], "menu"),
    "08_regulariser": ("model", ["linear", "logistic"], "menu"),
    "09_relatives": ("shown", ["digit", "maps", "normal"], "menu"),
    "10_questions": ("units", [4, 8, 16], "menu"),
    "02_scaling": ("kind", ["inverted", "vanilla", "unscaled"], "menu"),
}
SCENE = """\
from tests.scenes import units_scene
from dlcourse.live import Panel
"""
PANEL = """\
panel = Panel(units_scene, name="a.panel")
panel"""


WHOLE = {"01_masks", "02_scaling"}  # no training
RUN_ALL = [pytest.param(p, marks=[] if p.stem in WHOLE else pytest.mark.soak) for p in LESSONS]


def test_every_lesson_is_tried_here():
    assert set(CONTROLS) == {path.stem for path in LESSONS}


def wait_for_picture(notebook, cell, expected, seconds=5):
    """Wait until the cell shows exactly this picture."""
    for _ in range(20 * seconds):
        if notebook.picture_of(cell) == expected:
            return
        notebook.page.wait_for_timeout(50)
    notebook.screenshot(SCREENSHOTS / "unexpected.png")
    raise AssertionError("the picture wanted never showed: see screenshots/unexpected.png")


def printed(notebook):
    """Return {cell: its text} of the cells whose text is the same everywhere."""
    notebook = copy.deepcopy(notebook)
    tidy(notebook)
    texts = {}
    for cell in notebook.cells:
        if cell.cell_type == "code" and "nbval-ignore-output" not in cell.metadata.get("tags", []):
            outputs = cell.outputs
            texts[cell.id] = [o.get("text") or o.data.get("text/plain") for o in outputs]
    return texts


@pytest.fixture
def one_thread():
    """Train here with one thread, as the server's kernels do: the pictures are to be equal."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


class Shown:
    """A lesson's panel in a cell of an open notebook, and what it must show."""

    def __init__(self, notebook, cell, path):
        self.notebook, self.cell, self.path = notebook, cell, path
        module = importlib.import_module(f"dlcourse.{path.stem[3:]}")
        panel = module.panel()
        self.settings, self.trains = panel.settings, isinstance(panel, TrainingPanel)
        panel.close()
        self._camera = Camera(module.scene, SIZE)

    def wait_until_live(self):
        self.notebook.scroll_to(self.cell)
        self.notebook.wait_for_slider(self.cell)
        self.expect(0.5)
        self._place = self.notebook.output(self.cell).bounding_box()

    def expect(self, p, **changed):
        self.settings.update(changed)
        picture = self._camera.shoot(p, **self.settings)
        wait_for_picture(self.notebook, self.cell, picture, seconds=60 if self.trains else 5)

    def move_p(self, *keys):
        for key, times, p in keys:
            self.notebook.press(self.cell, key, times)
            assert self.notebook.slider_text(self.cell) == f"{p:.2f}"
            self.expect(p)
            self.capture(f"p-{p:g}")

    def draw_again(self):
        self.notebook.click_button(self.cell, "Train again" if self.trains else "New draw")

    def capture(self, name):
        self.notebook.screenshot(SCREENSHOTS / f"{self.path.stem}-{name}.png")

    def is_where_it_was(self):
        return self.notebook.output(self.cell).bounding_box() == self._place


@pytest.fixture(scope="module")
def two_cells(browser, server):
    """A notebook with the first code cell and the panel's cell of each lesson, and nothing else."""
    notebook = nbformat.read(LESSONS[0], as_version=4)
    pairs = [(cells(path, "code")[0], cells(path)[panel_cell(path)]) for path in LESSONS]
    notebook.cells = [nbformat.v4.new_code_cell(one.source) for pair in pairs for one in pair]
    nbformat.write(notebook, server.folder / "two_cells.ipynb")
    opened = Notebook(browser, server, "two_cells.ipynb")
    yield opened
    assert opened.messages == []
    opened.close()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_p_moves_in_a_lesson_of_which_two_cells_have_run(two_cells, path):
    cell = 2 * LESSONS.index(path) + 1
    two_cells.run_cell(cell - 1)
    two_cells.run_cell(cell)
    panel = Shown(two_cells, cell, path)
    panel.wait_until_live()
    panel.move_p(("ArrowRight", 7, 0.57))
    if not panel.trains:
        panel.draw_again()
        panel.expect(0.57, seed=1)
    assert panel.is_where_it_was()


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("path", RUN_ALL, ids=lambda path: path.stem)
def test_a_lesson_runs_and_every_control_acts(browser, server, path):
    name, values, kind = CONTROLS[path.stem]
    shutil.copy(path, server.folder)
    notebook, cell = Notebook(browser, server, path.name), panel_cell(path)
    panel = Shown(notebook, cell, path)
    notebook.scroll_to(cell)
    panel.capture("before-the-first-run")
    (saved,) = cells(path)[cell].outputs
    wait_for_picture(notebook, cell, base64.b64decode(saved.data["image/png"]))

    notebook.run_all()
    assert notebook.page.query_selector_all(".jp-RenderedText[data-mime-type*='error']") == []
    assert printed(notebook.content()) == printed(nbformat.read(path, as_version=4))
    panel.wait_until_live()
    panel.move_p(("End", 1, 1.0), ("Home", 1, 0.0), ("PageUp", 1, 0.05), ("PageUp", 6, 0.35))
    panel.draw_again()
    panel.expect(0.35, seed=1)
    for position, value in enumerate(values):
        set_control(notebook, cell, position, kind)
        if panel.trains and value != panel.settings[name]:
            panel.draw_again()
        panel.expect(0.35, **{name: value})
        panel.capture(f"{name}-{value}")
    assert panel.is_where_it_was()
    assert notebook.messages == []
    notebook.close()


def set_control(notebook, cell, position, kind):
    """Set the control beside New draw to its value at a position from end to end."""
    output = notebook.output(cell)
    if kind == "menu":
        output.query_selector("select").select_option(index=position)
    else:
        output.query_selector_all(".noUi-handle")[1].focus()
        notebook.page.keyboard.press("Home" if position == 0 else "End")


def open_small(browser, server, address=None):
    """Return a notebook with one panel, opened and run."""
    folder = Path(__file__).parent.parent
    notebook = nbformat.v4.new_notebook()
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    first = f"import sys; sys.path.insert(0, {str(folder)!r})\n{SCENE}"
    notebook.cells = [nbformat.v4.new_code_cell(source) for source in (first, PANEL, "", "")]
    nbformat.write(notebook, server.folder / "small.ipynb")
    opened = Notebook(browser, server, "small.ipynb", address)
    opened.first = first
    opened.run_all()
    opened.scroll_to(1)
    opened.wait_for_slider(1)
    return opened


@pytest.fixture(scope="module")
def opened(browser, server):
    opened = open_small(browser, server)
    yield opened
    opened.close()


@pytest.fixture
def small(opened):
    """A notebook with one panel, as it is when its cells have just been run."""
    opened.write_cell(0, opened.first)
    opened.run_cell(0)
    opened.run_cell(1)
    opened.scroll_to(1)
    opened.wait_for_slider(1)
    wait_for_picture(opened, 1, picture(0.5))
    return opened


def picture(p, seed=0):
    from tests.scenes import units_scene

    return Camera(units_scene, SIZE).shoot(p, seed=seed)


def ask(notebook, code):
    """Run code in the last cell and return what it printed."""
    notebook.write_cell(3, code)
    notebook.run_cell(3)
    return notebook.text_of(3).strip()


def test_p_moves_while_the_kernel_is_busy(small):
    assert ask(small, "print(panel.wait())") == "True"
    small.write_cell(2, "import time; start = time.time()\nwhile time.time() < start + 15: pass")
    small.start_cell(2)
    small.scroll_to(1)
    small.press(1, "ArrowRight", 20)
    assert small.slider_text(1) == "0.70"
    wait_for_picture(small, 1, picture(0.7))
    assert small.is_running(2)
    small.page.evaluate("() => {window.jupyterapp.commands.execute('notebook:interrupt-kernel');}")


def test_p_moves_after_the_kernel_is_gone_and_a_new_run_brings_everything_back(small):
    assert ask(small, "print(panel.wait())") == "True"
    small.end_kernel()
    small.scroll_to(1)
    small.press(1, "ArrowLeft", 30)
    assert small.slider_text(1) == "0.20"
    wait_for_picture(small, 1, picture(0.2))
    small.run_cell(0)  # which starts a kernel
    small.run_cell(1)
    small.wait_for_slider(1)
    wait_for_picture(small, 1, picture(0.5))
    small.click_button(1, "New draw")
    wait_for_picture(small, 1, picture(0.5, seed=1))


ONE_THREAD = """
import threading
from ipykernel.comm.comm import BaseComm
publish = BaseComm.publish_msg
def publish_msg(self, *args, **more):
    if threading.current_thread().name == "film": raise LookupError("shell_parent")
    publish(self, *args, **more)
BaseComm.publish_msg = publish_msg
"""


def test_under_a_kernel_of_which_no_thread_can_send_the_panel_says_so_and_p_moves(small):
    refused = version("ipykernel").startswith("7.0.")  # which needs no help to be such a kernel
    small.write_cell(0, SCENE if refused else SCENE + ONE_THREAD)
    small.run_cell(0)
    small.run_cell(1)
    small.wait_for_slider(1)
    told = small.output(1).query_selector(".dlcourse-notice")
    assert told.is_visible() and "could not be sent: LookupError" in told.inner_text()
    assert told.bounding_box()["y"] < small.output(1).query_selector("img").bounding_box()["y"]
    assert not refused or '%pip install "ipykernel!=7.0.*"' in told.inner_text()
    small.screenshot(SCREENSHOTS / "no-thread-can-send.png")
    small.click_button(1, "New draw")
    assert ask(small, "print(panel.wait())") == "True"
    small.press(1, "ArrowRight", 7)
    wait_for_picture(small, 1, picture(0.57, seed=1))
    assert refused or ask(small, "BaseComm.publish_msg = publish") == ""


def test_running_the_panel_cell_again_starts_afresh_and_leaves_nothing_behind(small):
    count = "import threading, ipywidgets\n"
    count += "print(len(ipywidgets.widget._instances), threading.active_count())"
    small.click_button(1, "New draw")
    wait_for_picture(small, 1, picture(0.5, seed=1))
    before = ask(small, count)
    for _ in range(3):
        small.run_cell(1)
        small.wait_for_slider(1)
        wait_for_picture(small, 1, picture(0.5))
    assert ask(small, count) == before


def test_a_reload_of_the_page_keeps_the_panel(small):
    assert ask(small, "print(panel.wait())") == "True"
    small.press(1, "ArrowRight", 10)
    wait_for_picture(small, 1, picture(0.6))
    small.save()
    small.reload()
    small.scroll_to(1)
    small.wait_for_slider(1)
    wait_for_picture(small, 1, picture(0.6))
    small.press(1, "ArrowRight", 10)
    wait_for_picture(small, 1, picture(0.7))


def test_the_number_beside_the_slider_cannot_be_typed_over(small):
    box = small.output(1).query_selector(".widget-readout").bounding_box()
    small.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    small.page.keyboard.type("7")
    assert small.slider_text(1) == "0.50"
    small.press(1, "ArrowRight")
    small.page.keyboard.press("Tab")
    small.page.keyboard.type("7")
    assert small.slider_text(1) == "0.51"
    wait_for_picture(small, 1, picture(0.51))


def test_an_error_is_shown_in_the_panel_and_the_next_move_recovers(small):
    small.write_cell(
        0,
        SCENE + "good_scene = units_scene\n"
        "def units_scene(figure, seed):\n"
        "    show = good_scene(figure, seed)\n"
        "    def fragile(p):\n"
        "        if p == 0.51: raise ValueError('not at 0.51')\n"
        "        return show(p)\n"
        "    return fragile\n",
    )
    small.run_cell(0)
    small.run_cell(1)
    small.wait_for_slider(1)
    small.press(1, "ArrowRight")
    told = (
        "This picture could not be drawn.\n\nValueError: not at 0.51\n\nMove p or another control."
    )
    wait_for_picture(small, 1, shoot_text(told, SIZE))
    small.press(1, "ArrowRight")
    wait_for_picture(small, 1, picture(0.52))
