"""The static figures of lesson 04."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from dlcourse import style
from dlcourse.coadaptation.ablation import HALF, REMOVED, removal
from dlcourse.coadaptation.autoencoder import zeros
from dlcourse.coadaptation.picture import colour, draw_band, draw_removal, name, numbers
from dlcourse.compare import Difference, half_width, mean_interval


def draw_accuracies(ax: Axes) -> None:
    """Draw the accuracy left without dropout and with p = 0.5 and 0.8, their names beside.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_accuracies(Figure().subplots())
    """
    places = {0.0: (0.42, 0.57, "right"), 0.5: (0.63, 0.87, "left"), 0.8: (0.0, 0.77, "left")}
    for trained, (x, y, ha) in places.items():
        draw_removal(ax, trained)
        ax.text(x, y, name(trained), **style.text_style(11, ha=ha, va="center"))
    ax.set(xlim=(-0.02, 1.02), ylim=(0, 1.04))


def draw_gains(ax: Axes) -> None:
    """Draw the accuracy left minus that of the networks without dropout, in pairs, for each p.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_gains(Figure().subplots())
    """
    places = {0.2: (0.53, -0.06), 0.5: (0.02, 0.27), 0.8: (0.14, -0.1)}
    for trained, place in places.items():
        gain = removal(trained) - removal(0.0)
        draw_band(ax, gain, trained)
        at, where = (0, "none") if trained == 0.8 else (HALF, "half")
        found = mean_interval(gain[:, at])
        words = f"p = {trained:g}, {where} removed: {numbers(found, '+')}"
        line = {"arrowstyle": "-", "color": style.OUTLINE, "shrinkA": 0, "shrinkB": 4}
        text = style.text_style(10, ha="left", va="center")
        ax.annotate(words, (REMOVED[at], found.mean), place, arrowprops=line, **text)
        ax.plot([REMOVED[at]], [found.mean], "o", color=colour(trained), markersize=7)
    ax.axhline(0, color=style.WITHOUT, linewidth=1, linestyle="--", zorder=0)
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.13, 0.32))


def draw_paths(ax: Axes, paths: np.ndarray) -> None:
    """Draw the mean path of the weights A to D over seeds, its 95 % interval as a band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    paths : array (steps, seeds, 4)

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_paths(Figure().subplots(), np.ones((5, 8, 4)))
    """
    steps = len(paths) - 1
    looks = [(style.KEPT, "-")] * 2 + [(style.OUTLINE, "--")] * 2
    for i, (shade, line) in enumerate(looks):
        mean, half = paths[:, :, i].mean(axis=1), half_width(paths[:, :, i], axis=1)
        ax.fill_between(range(steps + 1), mean - half, mean + half, color=shade, alpha=0.25, lw=0)
        ax.plot(mean, color=shade, linewidth=1.5, linestyle=line)
    ends = paths[-1].mean(axis=0)
    names = {"A, B": ends[:2].mean(), "C, D": ends[2:].mean()}
    if abs(ends.max() - ends.min()) < 0.05:
        names = {"A, B, C, D": ends.mean()}
    for word, y in names.items():
        ax.text(steps, y + 0.035, word, **style.text_style(11, ha="right", va="bottom"))
    ax.set(xlim=(0, steps), ylim=(-0.02, 0.62))


def draw_differences(
    ax: Axes, found: Mapping[str, Mapping[float, Difference]], digits: int = 2
) -> None:
    """Draw paired differences to the networks without dropout, a row for each.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    found : for each heading the differences by the p of training
    digits : int >= 1, written behind the point

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_differences(Figure().subplots(), {"whole": {0.5: Difference(0.1, 0.02, seeds=8)}})
    """
    rows, y = {}, 0.0
    for heading, differences in found.items():
        for trained, one in differences.items():
            look: dict[str, Any] = {"color": colour(trained), "capsize": 4, "elinewidth": 2}
            ax.errorbar(one.mean, y, xerr=one.half_width, fmt="o", markersize=7, **look)
            words = style.text_style(10, ha="left", va="center")
            ax.text(1.01, y, numbers(one, "+", digits), transform=ax.get_yaxis_transform(), **words)
            rows[y], y = f"{heading}, p = {trained:g}", y + 1
        y += 0.5
    ax.axvline(0, color=style.WITHOUT, linewidth=1, linestyle="--", zorder=0)
    ax.set_ylim(y - 0.9, -0.6)
    ax.set_yticks(list(rows), list(rows.values()))


def draw_features(ax: Axes, weights: np.ndarray, code: np.ndarray) -> None:
    """Draw what leads into the 20 units that are above 0 most often, each as an 8 × 8 image.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    weights : array (64 pixels, units)
    code : array (images, units)

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_features(Figure().subplots(), np.ones((64, 20)), np.ones((3, 20)))
    """
    order = np.argsort(-(code > 0).mean(axis=0), kind="stable")[:20]
    images = weights[:, order].T.reshape(4, 5, 8, 8)
    images = images / np.abs(images).max(axis=(2, 3), keepdims=True)
    tiles = np.pad(images, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
    ax.imshow(tiles.transpose(0, 2, 1, 3).reshape(36, 45), cmap="Greys", vmin=-1, vmax=1)
    ax.set_axis_off()


def draw_activations(ax: Axes, code: np.ndarray, dropped: bool) -> None:
    """Draw how often each activation comes in units that are not dead, a mean over networks.

    Exact zeros have a bar of their own, left of the others: grey, with an outline.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    code : array (networks, images, units)
    dropped : bool, whether these were trained with dropout

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> draw_activations(Figure().subplots(), np.ones((1, 2, 3)), dropped=True)
    """
    edges, shares = np.arange(0, 3.05, 0.1), []
    for one in code:
        alive = one[:, (one > 0).any(axis=0)]
        shares.append(np.histogram(alive[alive > 0], edges)[0] / alive.size)
    zero = np.mean([zeros(one) for one in code])
    ax.bar(-0.13, zero, 0.12, facecolor=style.DROPPED, edgecolor=style.OUTLINE)
    line = {"arrowstyle": "-", "color": style.OUTLINE, "shrinkA": 0, "shrinkB": 0}
    text = style.text_style(11, ha="left", va="center")
    ax.annotate("exactly 0", (-0.13, zero), (0.1, max(zero, 0.25)), arrowprops=line, **text)
    shade = style.KEPT if dropped else style.WITHOUT
    ax.stairs(np.mean(shares, axis=0), edges, fill=True, color=shade)
    ax.set(xlim=(-0.25, 2.5), ylim=(0, 0.7))
