"""What lesson 04 draws: the panel in which hidden units are removed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import live, style
from dlcourse._validate import integer
from dlcourse.coadaptation.ablation import (
    LAYERS,
    REMOVED,
    TRAINED,
    UNITS,
    accuracy_without,
    removal,
    train_networks,
)
from dlcourse.compare import Difference, Interval, half_width, mean_interval, paired_difference
from dlcourse.film import Show
from dlcourse.functional import dropout_mask


def colour(trained: float) -> Any:
    """Return the colour of the curve of a p of training: black without dropout.

    Examples
    --------
    >>> colour(0.0)
    '#000000'
    """
    return style.WITHOUT if trained == 0 else colormaps["cividis"](trained)[:3]


def name(trained: float) -> str:
    """Say in words what a network was trained with.

    Examples
    --------
    >>> name(0.0), name(0.5)
    ('without dropout', 'with p = 0.5')
    """
    return f"with p = {trained:g}" if trained else "without dropout"


# --- the panel's picture


def scene(figure: Figure, seed: int, trained: float, layers: str) -> Show:
    """Draw the accuracy left over the probability of removing, and the units that are removed."""
    left = figure.add_axes((0.08, 0.265, 0.415, 0.6))
    right = figure.add_axes((0.52, 0.145, 0.472, 0.72))
    show_left, show_units = _curves(left, trained, layers), _units(right)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        kept = dropout_mask((2, UNITS), p, rng=seed)
        kept[0] |= layers == "second"
        kept[1] |= layers == "first"
        found = [accuracy_without(t, kept, p, layers) for t in (0.0, trained)]
        without, dropped = (numbers(mean_interval(accuracy)) for accuracy in found)
        caption.set_text(
            f"removed with p = {p:.2f}: {without} left (no dropout), "
            f"{dropped} (trained with {trained:g})"
        )
        return [*show_left(p, found), *show_units(kept), caption]

    return show


def finding(difference: Difference) -> str:
    """Say what removing these units shows, as a title.

    Examples
    --------
    >>> finding(Difference(0.31, 0.024, seeds=8))
    'higher by 0.31 ± 0.02 with dropout'
    >>> finding(Difference(0.01, 0.024, seeds=8))
    'no difference seen: +0.01 ± 0.02'
    """
    if "no" in difference.verdict:
        return f"{difference.verdict}: {numbers(difference, '+')}"
    size = Interval(abs(difference.mean), difference.half_width, difference.seeds)
    digits = 2 if size.mean >= 0.005 else 3  # not "lower by 0.00"
    return f"{difference.verdict} by {numbers(size, digits=digits)} with dropout"


def numbers(interval: Interval, sign: str = "", digits: int = 2) -> str:
    """Write a mean with its interval.

    Examples
    --------
    >>> numbers(Interval(0.912, 0.024, seeds=8))
    '0.91 ± 0.02'
    """
    mean = round(interval.mean, digits) + 0.0  # so that there is no -0.00
    return f"{mean:{sign}.{digits}f} ± {interval.half_width:.{digits}f}".replace("-", "−")


def _curves(ax: Axes, trained: float, layers: str) -> Callable[..., list[Artist]]:
    """Draw both curves; return what shows the two accuracies of one draw as dots."""
    title = style.tidy(ax, "", "p, probability of removing a unit", "test accuracy")
    ax.set(xlim=(-0.02, 1.02), ylim=(0, 1.04))
    ax.set_xticks([0, 0.5, 1])
    ax.set_yticks([0, 0.5, 1])
    dots = []
    for row, t in enumerate((0.0, trained)):
        draw_removal(ax, t, layers)
        y = 0.16 - 0.11 * row
        ax.plot([0.0, 0.06], [y, y], color=colour(t), linewidth=2)
        ax.text(0.08, y, f"trained {name(t)}", **style.text_style(10, va="center"))
        dots += ax.plot(
            [], [], "o", color=colour(t), markersize=9, markeredgecolor="white", clip_on=False
        )

    def show(p: float, found: list[np.ndarray]) -> list[Artist]:
        for dot, accuracy in zip(dots, found, strict=True):
            dot.set_data([p], [accuracy.mean()])
        title.set_text(finding(paired_difference(found[1], found[0])))
        return [*dots, title]

    return show


def _units(ax: Axes) -> Callable[[np.ndarray], list[Artist]]:
    """Draw the places of two layers of 100 units; return what shows a mask on them."""
    title = style.blank(ax)
    ax.set(xlim=(-0.8, 21.0), ylim=(11.4, -0.8))
    x, y = np.meshgrid(range(10), range(10))
    units = style.Units(ax, np.append(x, x + 11), np.append(y, y), 85)
    for place, word in ((4.5, "first hidden layer"), (15.5, "second hidden layer")):
        ax.text(place, 10.7, word, **style.text_style(11, ha="center", va="center"))

    def show(kept: np.ndarray) -> list[Artist]:
        units.show(kept)
        first, second = (~kept).sum(axis=1)
        title.set_text(f"removed for all images: {first} and {second} of {UNITS}")
        return [*units.artists, title]

    return show


def panel(p: float = 0.5, seed: int = 0, trained: float = 0.5, layers: str = "both") -> live.Panel:
    """Return a live panel: hidden units are removed at test time, and the accuracy that is left.

    If its networks are not trained yet they are trained first, with a bar.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of removing a hidden unit at test time
    seed : int >= 0, of the mask; the same seed and a larger p remove the same units and more
    trained : 0.2, 0.5 or 0.8, the p of training
    layers : "both", "first" or "second", the hidden layers from which units are removed

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    KeyboardInterrupt
        If the training is interrupted; the next call starts it again.

    Examples
    --------
    >>> from dlcourse.coadaptation.ablation import networks
    >>> _ = networks()
    >>> small = panel(p=0.1)
    >>> small
    coadaptation.panel(p=0.1, seed=0, trained=0.5, layers='both')
    >>> small.close()
    """
    places = dict(zip(("both hidden layers", "the first", "the second"), LAYERS, strict=True))
    controls = {
        "trained": live.choice("p of training", {f"{t:g}": t for t in TRAINED[1:]}, trained),
        "layers": live.choice("remove from", places, layers),
    }
    live.slider_index(p)  # complains before seconds of training
    integer(seed, "seed", 0, live.MOST_SEED)
    train_networks()
    return live.Panel(scene, controls, p=p, seed=seed, name="coadaptation.panel")


# --- curves, here and in the static figures


def draw_removal(ax: Axes, trained: float, layers: str = "both") -> None:
    """Draw the accuracy left over the probability of removing, its 95 % interval as a band.

    Examples
    --------
    >>> draw_removal(Figure().subplots(), 0.5)
    """
    draw_band(ax, removal(trained, layers), trained)


def draw_band(ax: Axes, values: np.ndarray, trained: float) -> None:
    """Draw the mean of each column over seeds, its 95 % interval as a band.

    Examples
    --------
    >>> draw_band(Figure().subplots(), np.ones((8, 21)), 0.5)
    """
    mean, half = values.mean(axis=0), half_width(values)
    ax.fill_between(REMOVED, mean - half, mean + half, color=colour(trained), alpha=0.25, lw=0)
    ax.plot(REMOVED, mean, color=colour(trained), linewidth=2)
