"""The course's visual language: the same thing looks the same in every lesson.

Fonts, colours, sizes and ticks are passed explicitly, so that a picture does not change with
what a notebook has set in ``matplotlib.rcParams``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

KEPT = "#0072B2"  # blue: units that are kept
DROPPED = "#E4E4E4"  # light grey with an outline and a cross: units that are dropped
OUTLINE = "#8A8A8A"
RESCALED = "#E69F00"  # orange: what was rescaled
RESCALED_INK = "#835B00"  # its dark blend, for words: orange ones cannot be read on white
WITHOUT = "#000000"  # black: without dropout, and theory (thin, dashed)
INK = "#202020"

DPI = 100
FONT = "DejaVu Sans"


def text_style(size: float = 11, **more: Any) -> dict[str, Any]:
    """Return the explicit keyword arguments of a piece of text of ``size`` points.

    Examples
    --------
    >>> text_style(12, ha="center")["fontsize"]
    12
    """
    plain = {"family": FONT, "weight": "normal", "style": "normal", "color": INK}
    return {"fontsize": size, **plain, "parse_math": False, **more}


def tidy(ax: Axes, title: str = "", xlabel: str = "", ylabel: str = "") -> Text:
    """Dress an axes in the course's style and return its title, a text that may move.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    title : str
        The finding ("the mean stays, the spread grows"), not the plot type.
    xlabel, ylabel : str
        Quantity and unit.
    """
    ax.set_facecolor("white")
    ax.grid(False)
    for side, spine in ax.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_edgecolor(OUTLINE)
        spine.set_linewidth(1.0)
    ax.tick_params(
        direction="out",
        length=3.5,
        width=1.0,
        pad=3.5,
        color=OUTLINE,
        labelsize=10,
        labelcolor=INK,
        labelfontfamily=FONT,
        bottom=True,
        left=True,
        top=False,
        right=False,
    )
    ax.minorticks_off()
    ax.set_xlabel(xlabel, labelpad=4, **text_style(11))
    ax.set_ylabel(ylabel, labelpad=4, **text_style(11))
    return ax.set_title(title, loc="left", pad=6, **text_style(12))


def blank(ax: Axes, title: str = "") -> Text:
    """Dress an axes that shows a drawing rather than a plot: no ticks, no frame."""
    text = tidy(ax, title)
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    return text


def caption(fig: Figure, text: str = "") -> Text:
    """Put the one line under the picture that says what the numbers are right now."""
    return fig.text(0.012, 0.025, text, **text_style(12, ha="left", va="bottom"))


def shades(values: np.ndarray) -> np.ndarray:
    """Colour activations: white for 0 to the blue of a kept unit for 1 and above.

    Parameters
    ----------
    values : array of float, any shape
        Activations divided by the largest one to be shown.

    Returns
    -------
    array of float, shape ``values.shape + (3,)``
        RGB in [0, 1]; never quite white, so that a kept unit is always blue.

    Examples
    --------
    >>> shades(np.array([1.0])).round(2)
    array([[0.  , 0.45, 0.7 ]])
    """
    strength = 0.15 + 0.85 * np.clip(values, 0, 1)[..., None]
    return 1 - strength * (1 - np.array(to_rgb(KEPT)))


class Units:
    """Units as discs: kept ones blue, dropped ones grey with a cross.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, y : arrays of float, shape (n,)
        Where the units stand, in data coordinates.
    size : float
        Area of a disc in points².
    """

    def __init__(self, ax: Axes, x: np.ndarray, y: np.ndarray, size: float = 150) -> None:
        self._x, self._y = np.ravel(x), np.ravel(y)
        self._discs: PathCollection = ax.scatter(
            self._x, self._y, s=size, c="white", marker="o", linewidths=0.8, edgecolors=OUTLINE
        )
        (self._crosses,) = ax.plot(
            [], [], "x", color=OUTLINE, markersize=0.5 * size**0.5, markeredgewidth=1.2
        )

    @property
    def artists(self) -> tuple[PathCollection, Line2D]:
        """The two artists that :meth:`show` changes."""
        return self._discs, self._crosses

    def show(self, kept: np.ndarray, colours: np.ndarray | str = KEPT) -> None:
        """Show which units are kept.

        Parameters
        ----------
        kept : array of bool, shape (n,)
        colours : one colour, or RGB of shape (n, 3)
            Colour of the kept units.
        """
        kept = np.ravel(kept)
        face: Any = np.tile(to_rgb(DROPPED), (kept.size, 1))
        face[kept] = np.broadcast_to(
            to_rgb(colours) if isinstance(colours, str) else colours, face.shape
        )[kept]
        self._discs.set_facecolor(face)
        self._crosses.set_data(self._x[~kept], self._y[~kept])


def _blend(a: str, b: str, levels: int) -> np.ndarray:
    """Return ``levels`` colours from a to b, both ends included; RGB of shape (levels, 3)."""
    t = np.linspace(0, 1, levels)[:, None]
    return (1 - t) * np.array(to_rgb(a)) + t * np.array(to_rgb(b))


def palette() -> np.ndarray:
    """Return the 256 colours that a panel's picture is stored in, uint8 RGB (256, 3).

    The colours of the visual language and their blends (antialiased edges, bands). The
    palette is the same for every picture, so equal pictures are equal files. Blends are
    coarse because Pillow matches colours in boxes of 4 levels: a finer tint of white
    would tint the background.
    """
    cividis = colormaps["cividis"](np.linspace(0, 1, 32))[:, :3]
    colours = np.concatenate(
        [
            _blend("white", "black", 25),
            *(_blend(colour, "white", 20) for colour in (KEPT, RESCALED)),
            *(_blend(colour, "black", 8) for colour in (KEPT, RESCALED)),
            *(_blend(KEPT, colour, 8) for colour in (RESCALED, DROPPED)),
            _blend(OUTLINE, DROPPED, 6),
            *(1 - strength * (1 - cividis) for strength in (1, 0.62, 0.25)),
        ]
    )
    full = np.ones((256, 3))
    full[: len(colours)] = colours
    return np.round(255 * full).astype(np.uint8)
