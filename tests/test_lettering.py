import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dlcourse import style
from dlcourse.lettering import draw_text

LINE = "p = 0.57: 37 of 64 (dropped), 36.5 ± 4.0 × jgy − q"


def ink(fast, line, **options):
    """Return how dark each pixel is, 0 to 1, after the line was drawn."""
    figure = Figure((6, 1), dpi=100, facecolor="white")
    canvas = FigureCanvasAgg(figure)
    text = figure.text(0.5, 0.5, line, **style.text_style(12, **options))
    text.set_animated(True)
    canvas.draw()
    renderer = canvas.get_renderer()
    draw_text(text, renderer) if fast else text.draw(renderer)
    return 1 - np.asarray(canvas.buffer_rgba())[..., :3].mean(axis=2) / 255


def box(dark):
    rows, columns = np.nonzero(dark > 0.3)
    return np.array([rows.min(), rows.max(), columns.min(), columns.max()])


@pytest.mark.parametrize("ha", ["left", "center", "right"])
@pytest.mark.parametrize("va", ["baseline", "bottom", "top", "center"])
def test_a_line_stands_where_matplotlib_puts_it(ha, va):
    ours, theirs = (ink(fast, LINE, ha=ha, va=va) for fast in (True, False))
    assert abs(box(ours) - box(theirs)).max() <= 1
    assert ours.sum() == pytest.approx(theirs.sum(), rel=0.02)


@pytest.mark.parametrize("word", ["dropped", "gjpqy", "0.57:", "±", "×"])
def test_a_word_is_matplotlibs_own(word):
    ours, theirs = (ink(fast, word, ha="left", va="baseline") for fast in (True, False))
    assert abs(ours - theirs).max() < 0.02


@pytest.mark.parametrize("options", [{"rotation": 90}, {"alpha": 0.5}, {"bbox": {"fc": "red"}}])
def test_what_is_no_plain_line_is_left_to_matplotlib(options):
    assert (ink(True, LINE, **options) == ink(False, LINE, **options)).all()


def test_two_lines_are_left_to_matplotlib():
    assert (ink(True, "one\ntwo") == ink(False, "one\ntwo")).all()


@pytest.mark.parametrize("options", [{}, {"visible": False}])
def test_nothing_is_drawn_of_no_text_and_of_hidden_text(options):
    assert ink(True, "" if not options else LINE, **options).sum() == 0
