"""Static figures have words for those who do not see them: live, saved and outside a notebook."""

import base64
import io
import subprocess
import sys
from html.parser import HTMLParser

import matplotlib.pyplot as plt
import nbformat
import pytest
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from PIL import Image

from dlcourse import figures, projector
from tests.lab import Notebook
from tests.test_notebooks import cells, every_lesson, outputs

ALT = "Line chart: the share of kept units falls from 1 to 0 as p grows."
SHOW = f"""\
from dlcourse import figures
import matplotlib.pyplot as plt
fig, ax = plt.subplots(figsize=(8.4, 3), dpi=100)
ax.plot([0, 1], [1, 0])
figures.show(fig, "{ALT}")
"""


@pytest.fixture
def fig():
    figure, ax = plt.subplots(figsize=(4, 2), dpi=100)
    ax.plot([0, 1], [1, 0])
    yield figure
    plt.close(figure)


@pytest.fixture
def shown(monkeypatch):
    """What a notebook is sent, as pairs of data and metadata."""
    sent, form = [], DisplayFormatter().format
    monkeypatch.setattr(figures, "display", lambda picture: sent.append(form(picture)))
    return sent


class Img(HTMLParser):
    """The attributes of the only tag in a piece of HTML, an <img>."""

    def __init__(self, html):
        super().__init__()
        self.tags = []
        self.feed(html)
        ((tag, attributes),) = self.tags
        assert tag == "img"
        self.attributes = attributes

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))


def size_of(png):
    return Image.open(io.BytesIO(png)).size


# --- show


def test_a_figure_is_sent_as_picture_as_html_and_as_words(fig, shown):
    figures.show(fig, ALT)
    ((data, metadata),) = shown
    assert set(data) == {"text/plain", "image/png", "text/html"}
    assert data["text/plain"] == ALT
    assert metadata == {"image/png": {"alt": ALT}}
    width, height = size_of(data["image/png"])
    told = Img(data["text/html"]).attributes
    assert (told["alt"], told["width"], told["height"]) == (ALT, str(width), str(height))
    kind, _, picture = told["src"].partition(",")
    assert kind == "data:image/png;base64"
    assert base64.b64decode(picture) == data["image/png"]


def test_the_picture_is_that_of_the_figure(fig, shown):
    expected = io.BytesIO()
    fig.savefig(expected, bbox_inches="tight")
    figures.show(fig, ALT)
    pictures = [
        Image.open(io.BytesIO(png)) for png in (shown[0][0]["image/png"], expected.getvalue())
    ]
    assert pictures[0].size == pictures[1].size
    assert pictures[0].tobytes() == pictures[1].tobytes()


def test_words_of_any_letters_arrive(fig, shown):
    alt = 'Says "p < 0.5 & q" – <b>±</b> and so on\n    in two lines'
    figures.show(fig, alt)
    one_line = 'Says "p < 0.5 & q" – <b>±</b> and so on in two lines'
    assert shown[0][0]["text/plain"] == one_line
    assert Img(shown[0][0]["text/html"]).attributes["alt"] == one_line


def test_a_figure_that_was_shown_is_closed_and_no_other(fig, shown):
    other = plt.figure()
    figures.show(other, ALT)
    assert not plt.fignum_exists(other.number)
    assert plt.fignum_exists(fig.number)


def test_for_a_projector_the_whole_and_its_letters_are_larger(fig, shown):
    text = fig.text(0.5, 0.5, "p", fontsize=6)
    fig.axes[0].set_position([0, 0, 1, 1])
    projector.switch(True)
    try:
        figures.show(fig, ALT)
    finally:
        projector.switch(False)
    large = size_of(shown[0][0]["image/png"])
    assert text.get_fontsize() == projector.LEAST
    figures.show(fig, ALT)
    small = size_of(shown[1][0]["image/png"])
    assert large == pytest.approx([projector.SCALE * pixels for pixels in small], abs=2)


def test_for_a_projector_axes_that_share_their_ticks_keep_every_second_one():
    figure = Figure()
    axes = figure.subplots(1, 3, sharey=True)
    axes[0].set_ylim(0, 1)
    axes[0].set_yticks([i / 10 for i in range(11)])
    projector.enlarge(figure)
    for ax in axes:
        assert ax.get_yticks() == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1])
        assert ax.yaxis.get_major_ticks()[0].label1.get_fontsize() == projector.LEAST


def test_the_switch_forgets_what_is_gone():
    class Watcher:
        def called(self):
            """Do nothing."""

    for _ in range(3):
        projector.watch(Watcher().called)
    assert len([watcher for watcher in projector._watchers if watcher() is None]) <= 1


@pytest.mark.parametrize(
    ("alt", "error", "quoted"),
    [
        ("a plot of p", ValueError, "'a plot of p'"),
        ("   a plot     of p     ", ValueError, "'a plot of p'"),
        ("", ValueError, "''"),
        (None, TypeError, "None"),
        (["Line chart of the accuracy."], TypeError, "['Line chart of the accuracy.']"),
    ],
)
def test_words_that_say_nothing_are_quoted(fig, shown, alt, error, quoted):
    with pytest.raises(error) as raised:
        figures.show(fig, alt)
    assert str(raised.value).startswith("alt must be a sentence of at least 20 letters")
    assert str(raised.value).endswith(f"got {quoted}")
    assert shown == [] and plt.fignum_exists(fig.number)


def test_what_is_no_figure_is_quoted(fig, shown):
    with pytest.raises(TypeError, match=r"must be a matplotlib Figure, got <Axes.*> \(its .figure"):
        figures.show(fig.axes[0], ALT)
    with pytest.raises(TypeError, match=r"must be a matplotlib Figure, got 'fig'$"):
        figures.show("fig", ALT)
    assert shown == []


@pytest.mark.parametrize(
    "command", [["-c", SHOW], ["-m", "IPython", "--colors=nocolor", "-c", SHOW]]
)
def test_a_terminal_shows_the_words(command, tmp_path):
    answer = subprocess.run([sys.executable, *command], capture_output=True, text=True)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == ALT


# --- the notebooks


@every_lesson
def test_every_picture_has_words(path):
    for cell in cells(path, "code"):
        panel = cell.source.endswith(".panel()")
        for output in cell.outputs:
            if "image/png" not in output.get("data", {}):
                continue
            words = output.data["text/plain"]
            if panel:
                assert words.startswith(f"{cell.source[:-1]}p=")  # its call
            else:
                assert output.metadata == {"image/png": {"alt": words}}, cell.id
                assert len(words) >= 2 * figures.SHORTEST
                assert words.endswith(".")


@every_lesson
def test_figures_go_through_show_and_differ_in_their_words(path):
    sources = "\n".join(cell.source for cell in cells(path))
    assert "plt.show" not in sources
    assert sources.count("plt.subplots(") + sources.count("plt.figure(") == sources.count(
        "figures.show("
    )
    words = [one.metadata["image/png"]["alt"] for one in outputs(path) if one.get("metadata")]
    assert len(set(words)) == len(words)


@every_lesson
def test_a_saved_notebook_holds_each_picture_once(path):
    """No HTML at all: nbval would not compare it, see `conftest.py` beside this folder."""
    kinds = {kind for output in outputs(path) for kind in output.get("data", {})}
    assert kinds <= {"text/plain", "image/png"}


# --- live


@pytest.mark.soak
def test_a_live_figure_has_its_words_in_jupyterlab(browser, server):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(SHOW)])
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
    nbformat.write(notebook, server.folder / "figure.ipynb")
    page = Notebook(browser, server, "figure.ipynb")
    page.run_all()
    page.scroll_to(0)
    (picture,) = page.output(0).query_selector_all("img")
    assert picture.get_attribute("alt") == ALT
    width, height = size_of(page.picture_of(0))
    box = picture.bounding_box()
    assert (box["width"], box["height"]) == (width, height)
    page.page.set_viewport_size({"width": 700, "height": 720})  # it shrinks, and keeps its shape
    page.page.wait_for_function(
        "i => window.visiblePicture(window.cellOutput(i)).clientWidth < 700", arg=0
    )
    box = picture.bounding_box()
    assert box["height"] / box["width"] == pytest.approx(height / width, rel=0.01)
    assert page.messages == []
    page.close()
