"""The static figures of lesson 08."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlcourse import style
from dlcourse.compare import mean_interval, paired_difference
from dlcourse.regulariser.experiment import CANDIDATES, CHOSEN, Setting


def draw_validation(ax: Axes, found: Mapping[Setting, np.ndarray]) -> None:
    """Draw the accuracy of every candidate with its interval, the chosen ones filled.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    found : accuracies (seeds,) of all `CANDIDATES`

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> scores = {s: np.array([0.9, 0.91]) for row in CANDIDATES.values() for s in row}
    >>> draw_validation(Figure().subplots(), scores)
    """
    at, places, words = 0.0, [], []
    for name, settings in CANDIDATES.items():
        ax.text(at + 1, 0.998, name, **style.text_style(10, ha="center", va="top"))
        for setting in settings:
            score = mean_interval(found[setting])
            ax.plot([at, at], [score.low, score.high], color=style.KEPT, linewidth=2)
            chosen = CHOSEN[name] == setting
            face = style.KEPT if chosen else "white"
            ax.plot(at, score.mean, "o", color=style.KEPT, markersize=8, markerfacecolor=face)
            places.append(at)
            words.append(setting.words.split()[-1])
            at += 1
        at += 0.8
    ax.set(xlim=(-0.6, at - 1.2), ylim=(0.79, 1.0))
    ax.set_xticks(places, words)


def draw_comparison(ax: Axes, found: Mapping[Setting, np.ndarray]) -> None:
    """Draw what each chosen setting adds to the accuracy, in points, with its 95 % interval.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    found : accuracies (seeds,) of all `CHOSEN`

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> scores = {s: np.array([0.9, 0.91]) for s in CHOSEN.values()}
    >>> draw_comparison(Figure().subplots(), scores)
    """
    none = found[CHOSEN["none"]]
    for row, (name, setting) in enumerate(CHOSEN.items()):
        colour = style.WITHOUT if name == "none" else style.KEPT
        label = name if name == "none" else f"{name}  ({setting.words})"
        ax.text(-0.6, row, label, **style.text_style(11, ha="right", va="center"))
        score = mean_interval(100 * found[setting])
        words = f"{score.mean:.1f} ± {score.half_width:.1f} %"
        ax.text(11, row, words, **style.text_style(11, ha="right", va="center"))
        if name != "none":
            added = paired_difference(100 * found[setting], 100 * none)
            ax.plot([added.low, added.high], [row, row], color=colour, linewidth=3)
            ax.plot(added.mean, row, "o", color=colour, markersize=9)
        else:
            ax.plot(0, row, "o", color=colour, markersize=9)
    ax.text(11, -0.8, "accuracy", **style.text_style(10, ha="right", va="center"))
    ax.axvline(0, color=style.WITHOUT, linewidth=1, zorder=0)
    ax.set(xlim=(-6.5, 11.1), ylim=(len(CHOSEN) - 0.5, -1.2), yticks=[], xticks=range(0, 9, 2))


def draw_breaks(ax: Axes, x: Any, exact: np.ndarray, formula: np.ndarray) -> None:
    """Draw an exact penalty, its approximation as theory, and the gap between them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    x, exact, formula : arrays (m,)

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_breaks(Figure().subplots(), [0, 1], np.ones(2), np.zeros(2))
    """
    ax.fill_between(x, exact, formula, color=style.RESCALED, alpha=0.25, linewidth=0)
    ax.plot(x, exact, color=style.KEPT, linewidth=2.4)
    ax.plot(x, formula, "--", color=style.WITHOUT, linewidth=1.2)
