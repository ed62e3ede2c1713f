"""Pictures for the back of the room: one switch makes panels and figures larger.

A picture grows as a whole, and in it the small grows most: no letter stays under 12 points, lines
get wider, and every second tick goes where there are many.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable

from matplotlib.axis import Axis, Ticker
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import FixedFormatter

from dlcourse._validate import flag

SCALE = 1.3  # of the whole picture: 840 × 400 fills JupyterLab in a window of 1280 × 720
LEAST = 12  # points: at this scale 22 pixels, 1/33 of the height of such a window
WIDER = 1.3  # lines, over and above the scale
MOST_TICKS = 5
VARIABLE = "DLCOURSE_PROJECTOR"  # set to 1 before Jupyter starts, it switches every kernel on

_on = os.environ.get(VARIABLE, "") not in ("", "0")
_watchers: list[weakref.WeakMethod] = []
_of_watchers = threading.Lock()


def is_on() -> bool:
    """Return whether panels and figures are drawn for a projector."""
    return _on


def switch(on: bool = True) -> None:
    """Draw panels and figures for a projector, or for a screen close by again.

    Panels follow at once, figures when their cell is run again.

    Parameters
    ----------
    on : bool

    Raises
    ------
    TypeError
        If ``on`` is neither True nor False.

    Examples
    --------
    >>> switch()
    >>> is_on()
    True
    >>> switch(False)
    """
    global _on
    _on = flag(on, "on")
    with _of_watchers:
        watchers = list(_watchers)
    for watcher in watchers:
        if (method := watcher()) is not None:
            method()


def watch(method: Callable[[], None]) -> None:
    """Call a bound method at each `switch`, for as long as its object lives."""
    with _of_watchers:
        alive = [watcher for watcher in _watchers if watcher() is not None]
        _watchers[:] = [*alive, weakref.WeakMethod(method)]


def enlarge(figure: Figure) -> None:
    """Make letters and lines of a figure larger and ticks fewer; see `SCALE` for the whole.

    Examples
    --------
    >>> figure = Figure()
    >>> small = figure.text(0, 0, "p", fontsize=8)
    >>> enlarge(figure)
    >>> small.get_fontsize()
    12.0
    """
    done: list[Ticker] = []  # axes that share their ticks have one
    for axis in (axis for ax in figure.axes for axis in (ax.xaxis, ax.yaxis)):
        if axis.major not in done:
            _thin_out(axis)
            done.append(axis.major)
        axis.set_tick_params(labelsize=LEAST)  # of ticks that are made later
    for text in figure.findobj(Text):
        text.set_fontsize(max(text.get_fontsize(), LEAST))
    for line in figure.findobj(Line2D):
        line.set_linewidth(WIDER * line.get_linewidth())


def _thin_out(axis: Axis) -> None:
    """Leave every second tick where there are many numbers; names stay."""
    low, high = sorted(axis.get_view_interval())
    ticks = [tick for tick in axis.get_majorticklocs() if low <= tick <= high]
    if len(ticks) > MOST_TICKS and not isinstance(axis.get_major_formatter(), FixedFormatter):
        axis.set_ticks(ticks[::2])
