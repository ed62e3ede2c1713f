"""Small scenes for the tests of the camera and the panel; what must be true of every scene."""

from itertools import combinations

import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from dlcourse import dropout_mask, live, projector, style
from dlcourse.film import Camera

MARGIN = 4  # pixels, between a text and the edge of the picture

BAD_STARTS = [
    ({"p": 50}, ValueError, "p must be a probability in [0, 1], got 50 (a percentage?)"),
    ({"p": 1.5}, ValueError, "p must be a probability in [0, 1], got 1.5"),
    ({"p": 0.123}, ValueError, "p moves in steps of 0.01 in a panel, got 0.123"),
    ({"p": "half"}, TypeError, "p must be a probability in [0, 1], got 'half'"),
    ({"seed": -1}, ValueError, "seed must be an int from 0 to 999999, got -1"),
    ({"seed": 1.5}, TypeError, "seed must be an int from 0 to 999999, got 1.5"),
]
"""Arguments that no panel takes, the error and words from its message."""


def first_of(cases):
    """Return the cases for a test of which all but the first are left to the long run."""
    first, *rest = cases
    rest = [case if isinstance(case, tuple) else (case,) for case in rest]
    return [first, *(pytest.param(*case, marks=pytest.mark.soak) for case in rest)]


def units_scene(figure, seed, units=16):
    """Units on the left, a bar on the right; everything that moves depends on p."""
    left, right = figure.subplots(1, 2)
    title = style.blank(left)
    discs = style.Units(left, range(units), [0] * units)
    style.tidy(right, "kept", "", "units")
    right.set_ylim(0, units)
    (bar,) = right.bar([0], [0], color=style.KEPT)
    caption = style.caption(figure)

    def show(p):
        kept = dropout_mask(units, p, rng=seed)
        discs.show(kept)
        bar.set_height(kept.sum())
        title.set_text(f"p = {p:.2f}")
        caption.set_text(f"{kept.sum()} of {units} kept, seed {seed}")
        return [*discs.artists, bar, title, caption]

    return show


def drawn(scene, **settings):
    """Return a figure of a panel's size, and the `show` of the scene that was drawn on it."""
    figure = Figure([pixels / style.DPI for pixels in live.SIZE], dpi=style.DPI)
    FigureCanvasAgg(figure)
    return figure, scene(figure, **settings)


def texts_to_be_seen(figure):
    """Return all texts that are drawn: no empty ones, no labels of ticks beyond an axis' ends."""
    beyond = set()
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in axis.get_major_ticks():
                if not low <= tick.get_loc() <= high:
                    beyond |= {tick.label1, tick.label2}
    texts = [text for text in figure.findobj(Text) if text not in beyond]
    return [text for text in texts if text.get_visible() and text.get_text()]


def legible(scene, ps, large=False, **settings):
    """Yield (p, figure, artists, words) for each p, after a look at all the words in the picture.

    No text may be cut off by the picture, and no two texts may overlap; `words` maps each
    text to its box in pixels. As in the camera, what stands still is put in its place once.
    `large` looks at what a projector shows, in the size of an ordinary picture.
    """
    figure, show = drawn(scene, **settings)
    width, height = live.SIZE
    for i, p in enumerate(ps):
        artists = show(p)
        if i == 0:
            if large:
                projector.enlarge(figure)
            figure.canvas.draw()
        boxes = [(t.get_text(), t.get_window_extent()) for t in texts_to_be_seen(figure)]
        assert boxes
        where = f"at p = {p}, {settings}{', on a projector' if large else ''}"
        for words, box in boxes:
            inside = MARGIN <= box.x0 and box.x1 <= width - MARGIN
            inside &= MARGIN <= box.y0 and box.y1 <= height - MARGIN
            assert inside, f"cut off {where}: {words!r}, {box}"
        for (one, box), (other, its_box) in combinations(boxes, 2):
            assert not box.overlaps(its_box), f"overlap {where}: {one!r}, {other!r}"
        yield p, figure, artists, dict(boxes)


def assert_legible(scene, ps, **settings):
    """Assert for each p that no text is cut off by the picture, and that no two overlap.

    That holds for the picture on a screen, and for the one on a projector.
    """
    for large in (False, True):
        assert list(legible(scene, ps, large, **settings))


def assert_refused(panel, arguments, error, words):
    """Assert that a panel refuses to start with these arguments, in these words."""
    with pytest.raises(error) as raised:
        panel(**arguments)
    assert words in str(raised.value)


def assert_no_history(panel, scene, ps, **state):
    """Move a panel to each p: its picture must equal, byte for byte, that of a fresh camera."""
    for p in ps:
        panel.p = p
        picture = panel.picture()
        assert panel.error is None, panel.error
        fresh = Camera(scene, live.SIZE).shoot(p, **state)
        assert picture == fresh, f"another picture than from a fresh camera at p = {p}, {state}"
