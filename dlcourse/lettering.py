"""Draw a line of text word by word, each word rasterised once by matplotlib and then kept.

In a film most words stay from picture to picture and the numbers come from a small set, while
matplotlib lays out and rasterises every letter of every picture anew: that was two thirds of the
time that a film took.
"""

from __future__ import annotations

from functools import lru_cache
from math import ceil

import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.colors import to_rgb
from matplotlib.font_manager import FontProperties
from matplotlib.text import Text

_MARGIN = 3  # pixels around a word, for letters that reach beyond their box


def draw_text(text: Text, renderer: RendererAgg) -> None:
    """Draw ``text`` as ``text.draw(renderer)`` does, to within a pixel between words.

    What is not one horizontal line of plain text is left to matplotlib.
    """
    if not text.get_visible() or not text.get_text():
        return
    if not _is_plain_line(text):
        text.draw(renderer)
        return
    font, colour, dpi = text.get_fontproperties(), to_rgb(text.get_color()), renderer.dpi
    words = [_word(word, font, colour, dpi) for word in text.get_text().split(" ")]
    space = _width("a a", font, dpi) - 2 * _width("a", font, dpi)
    x, y = text.get_transform().transform(text.get_unitless_position())
    width = sum(word.width for word in words) + space * (len(words) - 1)
    x -= {"left": 0.0, "center": 0.5, "right": 1.0}[text.get_horizontalalignment()] * width
    y -= _above_baseline(text, font, dpi)
    context = renderer.new_gc()
    for word in words:
        renderer.draw_image(context, round(x) - _MARGIN, round(y) - word.below, word.pixels)
        x += word.width + space
    context.restore()


def _is_plain_line(text: Text) -> bool:
    return not (
        "\n" in text.get_text()
        or text.get_rotation()
        or text.get_parse_math()
        or text.get_usetex()
        or text.get_bbox_patch()
        or text.get_path_effects()
        or text.get_alpha() is not None
        or (text.get_clip_on() and text.get_clip_box() is not None)
        or text.get_verticalalignment() == "center_baseline"
    )


class _Word:
    """The pixels of one word: RGBA rows from the top, ``below`` of them under the baseline."""

    def __init__(self, word: str, font: FontProperties, colour: tuple, dpi: float) -> None:
        self.width = _width(word, font, dpi)
        height, below = _line(font, dpi)
        self.below = ceil(below) + _MARGIN
        rows = ceil(height) + 2 * _MARGIN
        renderer = RendererAgg(ceil(self.width) + 2 * _MARGIN, rows, dpi)
        context = renderer.new_gc()
        context.set_foreground(colour)
        renderer.draw_text(context, _MARGIN, rows - self.below, word, font, 0, ismath=False)
        self.pixels = np.array(renderer.buffer_rgba())[::-1]


_word = lru_cache(4096)(_Word)


@lru_cache(4096)
def _width(text: str, font: FontProperties, dpi: float) -> float:
    return RendererAgg(1, 1, dpi).get_text_width_height_descent(text, font, ismath=False)[0]


@lru_cache
def _line(font: FontProperties, dpi: float) -> tuple[float, float]:
    """Return how high a line of text is, and how much of that lies below its baseline."""
    return RendererAgg(1, 1, dpi).get_text_width_height_descent("lp", font, ismath=False)[1:]


def _above_baseline(text: Text, font: FontProperties, dpi: float) -> float:
    """Return how far the point that the text is aligned to lies above its baseline."""
    height, below = _line(font, dpi)
    return {
        "baseline": 0.0,
        "bottom": -below,
        "top": height - below,
        "center": height / 2 - below,
    }[text.get_verticalalignment()]
