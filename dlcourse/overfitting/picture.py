"""What lesson 06 draws: the panel over networks that are all trained, and its static figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from IPython import get_ipython
from IPython.display import clear_output
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from tqdm.auto import tqdm

from dlcourse import live, style
from dlcourse.compare import Difference, Interval, half_width, mean_interval, paired_difference
from dlcourse.film import Show
from dlcourse.grid import PS, nearest
from dlcourse.overfitting.experiment import (
    EPOCHS,
    IMAGES,
    SEEDS,
    WRONG,
    trained,
)
from dlcourse.retrain import TrainingPanel
from dlcourse.training import Curves

BAND: dict[str, Any] = {"alpha": 0.22, "linewidth": 0}
TRAINING: dict[str, Any] = {"linewidth": 1.6, "linestyle": (0, (3.5, 1.5))}  # validation: solid
INKS = {style.RESCALED: style.RESCALED_INK, style.OUTLINE: "#6A6A6A"}  # of words
CEILING: dict[str, Any] = {"linewidth": 1.2, "linestyle": ":"}
LOWEST = 40  # percent; what lies below is drawn there


def in_points(interval: Interval) -> str:
    """Write an interval of accuracies in percent or, of a difference, in points.

    Examples
    --------
    >>> in_points(Interval(0.941, 0.009, seeds=8))
    '94.1 ± 0.9'
    >>> in_points(Difference(-0.0004, 0.009, seeds=8))
    '0.0 ± 0.9'

    One more digit where it is not seen otherwise on which side of 0 the interval ends.

    >>> in_points(Difference(0.0262, 0.0258, seeds=8))
    '+2.62 ± 2.58'
    """
    difference = isinstance(interval, Difference)
    sign = "+" if difference else ""
    numbers = 100 * interval.mean, 100 * interval.half_width
    alike = difference and f"{abs(numbers[0]):.1f}" == f"{numbers[1]:.1f}" and numbers[1] > 0
    digits = 2 if alike else 1
    mean, half = f"{numbers[0]:{sign}.{digits}f}", f"{numbers[1]:.{digits}f}"
    mean = mean if float(mean) else mean.lstrip("+-")
    return f"{mean} ± {half}".replace("-", "−")


# --- the scene of the panel


def scene(figure: Figure, seed: int, wrong: float, images: int) -> Show:
    """Draw the curves of the networks of one p over the epochs, and what became of every p."""
    found = trained(seed, wrong, images)
    show_epochs = _draw_one_p(figure.add_axes((0.1, 0.235, 0.285, 0.64)), found, wrong)
    show_place = _draw_every_p(figure.add_axes((0.66, 0.235, 0.325, 0.64)), found, wrong)
    caption = style.caption(figure)
    captions = [_caption(found, i) for i in range(len(PS))]

    def show(p: float) -> list[Artist]:
        i = nearest(p)
        there = f"p = {p:.2f}" + ("" if abs(PS[i] - p) < 1e-9 else f" (trained: {PS[i]:g})")
        caption.set_text(f"{there}: {captions[i]}")
        return [*show_epochs(i), *show_place(i), caption]

    return show


def _caption(found: Curves, i: int) -> str:
    train, test, gap = (
        in_points(mean_interval(values[i, :, -1]))
        for values in (found.train_accuracy, found.test_accuracy, found.gap)
    )
    return f"training {train} %, validation {test} %, gap {gap} points"


def _band(ax: Axes, colour: str) -> Polygon:
    """Return an empty band, to be moved with `_move_band`."""
    band = Polygon(np.zeros((3, 2)), closed=True, facecolor=colour, **BAND)
    ax.add_patch(band)
    return band


def _move_band(band: Polygon, x: np.ndarray, values: np.ndarray) -> None:
    mean, error = values.mean(axis=0), half_width(values)
    up, down = (np.column_stack([x, _shown(edge)]) for edge in (mean + error, mean - error))
    band.set_xy(np.concatenate([up, down[::-1]]))


def _shown(percent: Any) -> np.ndarray:
    """Return accuracies with all that lie below the axes put on its lower edge."""
    return np.maximum(percent, LOWEST)


def _accuracies(ax: Axes, top: float) -> None:
    """Give an axes the range in which the curves differ."""
    ax.set(ylim=(LOWEST, top), yticks=[LOWEST, 60, 80, 100])
    ax.set_yticklabels([f"≤ {LOWEST}", "60", "80", "100"])


def _ceiling(ax: Axes, wrong: float) -> None:
    """Draw what a network scores on the training labels that gets every image right."""
    if wrong:
        right = 100 * (1 - wrong)
        ax.axhline(right, color=style.WITHOUT, zorder=1, **CEILING)


def _key(ax: Axes, words: str, x: float, y: float, **line: Any) -> None:
    """Draw a piece of a line and what it stands for; x is a place in the axes, y one in data."""
    place = ax.get_yaxis_transform()
    ax.plot([x + 0.01, x + 0.08], [y, y], transform=place, solid_capstyle="butt", **line)
    ax.text(x + 0.1, y, words, transform=place, **style.text_style(10, va="center"))


def _draw_one_p(ax: Axes, found: Curves, wrong: float) -> Any:
    """Draw the curves of p = 0; return what shows those of another p beside them."""
    title = style.tidy(ax, "", "epoch", "accuracy, %")
    ax.set(xlim=(0, EPOCHS), xticks=[0, 10, 20, 30, 40])
    _accuracies(ax, top=103)
    epochs = np.arange(1, EPOCHS + 1)
    train, test = 100 * found.train_accuracy, 100 * found.test_accuracy
    _ceiling(ax, wrong)
    _move_band(_band(ax, style.WITHOUT), epochs, test[0])
    ax.plot(epochs, _shown(test[0].mean(axis=0)), color=style.WITHOUT, linewidth=2)
    ax.plot(epochs, _shown(train[0].mean(axis=0)), color=style.WITHOUT, **TRAINING)
    band = _band(ax, style.KEPT)
    (thick,) = ax.plot([], [], color=style.KEPT, linewidth=2)
    (dashed,) = ax.plot([], [], color=style.KEPT, **TRAINING)
    words = [
        ax.text(EPOCHS + 1, 0, "", **style.text_style(10, va="center", color=colour))
        for colour in (style.WITHOUT, style.WITHOUT, style.KEPT, style.KEPT)
    ]

    def show(i: int) -> list[Artist]:
        other = PS[i] > 0
        for line, kind in ((thick, test), (dashed, train)):
            line.set_data(epochs, _shown(kind[i].mean(axis=0)))
            line.set_visible(other)
        _move_band(band, epochs, test[i])
        band.set_visible(other)
        ends = [float(_shown(kind[at, :, -1].mean())) for at in (0, i) for kind in (test, train)]
        for text, name, y in zip(words, _names(PS[i]), _apart(ends[: 2 + 2 * other]), strict=False):
            text.set_text(name)
            text.set_y(y)
        for text in words[2:]:
            text.set_visible(other)
        title.set_text(_finding(found, i))
        return [band, thick, dashed, *words, title]

    return show


def _names(p: float) -> list[str]:
    return [f"{kind}, p = {at:g}" for at in (0, p) for kind in ("validation", "training")]


def _apart(heights: Sequence[float], least: float = 4.8, top: float = 100) -> list[float]:
    """Move heights apart until each two differ by `least`, and none is above the top."""
    order = np.argsort(heights, kind="stable")
    moved = np.array(heights, dtype=float)[order]
    for _ in range(100):
        for i in range(1, len(moved)):
            missing = least - (moved[i] - moved[i - 1])
            if missing > 0:
                moved[i - 1 : i + 1] += (-missing / 2, missing / 2)
        moved[-1] = min(moved[-1], top)
        moved[0] = max(moved[0], LOWEST + 1)
    return list(moved[np.argsort(order)])


def _finding(found: Curves, i: int) -> str:
    if not PS[i]:
        return "without dropout, p = 0"
    difference = paired_difference(found.test_accuracy[i, :, -1], found.test_accuracy[0, :, -1])
    return f"p = {PS[i]:g} − p = 0: {in_points(difference)}, {difference.verdict}"


def _draw_every_p(ax: Axes, found: Curves, wrong: float) -> Any:
    """Draw the last scores over p; return what marks one p."""
    style.tidy(ax, f"every p, {EPOCHS} epochs, {SEEDS} seeds", "p, probability of dropping")
    ax.set(xlim=(-0.02, 1.02), xticks=[0, 0.2, 0.4, 0.6, 0.8, 1])
    _accuracies(ax, top=122)  # room for a key
    train, test = (100 * kind[..., -1] for kind in (found.train_accuracy, found.test_accuracy))
    _ceiling(ax, wrong)
    _move_band(_band(ax, style.KEPT), np.array(PS), test.T)
    line_of: dict[str, Any] = {"color": style.KEPT, "clip_on": False}  # whole dots at the edge
    ax.plot(PS, _shown(test.mean(axis=1)), "o-", linewidth=2, markersize=4, **line_of)
    ax.plot(PS, _shown(train.mean(axis=1)), **line_of, **TRAINING)
    _key(ax, "validation", 0, 118.5, color=style.KEPT, linewidth=2)
    _key(ax, "training", 0.54, 118.5, color=style.KEPT, **TRAINING)
    _key(ax, "95 % interval", 0, 111.5, color=style.KEPT, alpha=BAND["alpha"], linewidth=8)
    if wrong:
        _key(ax, "right labels", 0.54, 111.5, color=style.WITHOUT, **CEILING)
    (line,) = ax.plot([], [], color=style.INK, linewidth=2.5, solid_capstyle="butt")
    (dots,) = ax.plot([], [], "o", color=style.INK, markersize=7, clip_on=False)

    def show(i: int) -> list[Artist]:
        ends = _shown([test[i].mean(), train[i].mean()])
        line.set_data([PS[i], PS[i]], ends)
        dots.set_data([PS[i]], [ends[0]])
        return [line, dots]

    return show


# --- the panel

_WRONG = {f"{100 * wrong:.0f} %": wrong for wrong in WRONG}
_IMAGES = {f"{images:,}": images for images in IMAGES}


def panel(p: float = 0.5, seed: int = 0, wrong: float = 0.2, images: int = 1000) -> TrainingPanel:
    """Return a live panel over 64 networks that were all trained at once: 8 of p × 8 seeds.

    Parameters
    ----------
    p : float in [0, 1], in hundredths; the networks of the nearest p trained are shown
    seed : int >= 0, of images, wrong labels and networks
    wrong : 0, 0.2 or 0.4, the share of wrong labels
    images : 300 or 1000, the training images

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(images=300)
    >>> small
    overfitting.panel(p=0.5, seed=0, wrong=0.2, images=300)
    >>> small.close()
    """
    controls = {
        "wrong": live.choice("wrong labels", _WRONG, wrong),
        "images": live.choice("training images", _IMAGES, images),
    }
    live.slider_index(p)
    in_notebook = hasattr(get_ipython(), "kernel")
    if in_notebook and type(seed) is int and seed >= 0:
        bar = partial(tqdm, desc=f"{len(PS) * SEEDS} networks, epochs", leave=False)
        trained(seed, wrong, images, progress=bar)
        clear_output(wait=True)  # the bar gives its place to the panel
    return TrainingPanel(scene, trained, controls, p=p, seed=seed, name="overfitting.panel")


# --- static figures


def draw_epochs(
    ax: Axes,
    values: np.ndarray,
    label: str = "",
    colour: str = style.KEPT,
    linewidth: float = 2,
    shift: float = 0,
    linestyle: Any = "-",
) -> None:
    """Draw a mean over seeds for every epoch, its 95 % interval as a band, and a label at its end.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    values : array (seeds, epochs)
    label : str
    colour, linewidth, linestyle : of the curve
    shift : float, how far the label is moved up, where two would overlap

    Examples
    --------
    >>> draw_epochs(Figure().subplots(), np.ones((3, 5)), "flat")
    """
    epochs = np.arange(1, values.shape[1] + 1)
    mean, error = values.mean(axis=0), half_width(values)
    ax.fill_between(epochs, mean - error, mean + error, color=colour, **BAND)
    ax.plot(epochs, mean, color=colour, linewidth=linewidth, linestyle=linestyle)
    end = (epochs[-1], mean[-1] + shift)
    words = style.text_style(10, va="center", color=INKS.get(colour, colour))
    ax.annotate(label, end, (6, 0), textcoords="offset points", annotation_clip=False, **words)


def draw_scores(
    figure: Figure, found: Mapping[str, Curves], names: Sequence[str], title: str = ""
) -> None:
    """Draw the last training accuracy, test accuracy and gap of each setting on each data set.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    found : mapping of a data set's name to Curves (settings, seeds, epochs)
    names : of the settings, the first of them without dropout
    title : str, the finding

    Examples
    --------
    >>> curve = np.array([[[0.9], [0.8]]])
    >>> draw_scores(Figure(), {"made up": Curves(*[curve] * 6)}, ["without"])
    """
    if title:
        figure.suptitle(title, x=0.01, **style.text_style(12, ha="left"))
    axes = figure.subplots(1, 3, sharey=True)
    titles = ["training accuracy, %", "test accuracy, %", "gap, points"]
    rows = [
        (f"{name}\n{setting}", i, curves)
        for name, curves in found.items()
        for i, setting in enumerate(names)
    ]
    for ax, title, kind in zip(
        axes, titles, ("train_accuracy", "test_accuracy", "gap"), strict=True
    ):
        style.tidy(ax, title)
        intervals = [mean_interval(getattr(curves, kind)[i, :, -1]) for _, i, curves in rows]
        for y, (interval, (_, i, _)) in enumerate(zip(intervals, rows, strict=True)):
            colour = style.KEPT if i else style.WITHOUT
            ends = [100 * interval.low, 100 * interval.high]
            ax.plot(ends, [y, y], color=colour, linewidth=2.5, solid_capstyle="butt")
            ax.plot([100 * interval.mean], [y], "o", color=colour, markersize=7)
            _label(ax, 100 * interval.mean, y - 0.16, in_points(interval))
        ax.margins(x=0.45)
    if min(100 * curves.gap[..., -1].mean(axis=1).min() for curves in found.values()) < 0:
        axes[2].axvline(0, color=style.WITHOUT, linewidth=1, linestyle="--", zorder=1)
    axes[0].set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.7)


def _label(ax: Axes, x: float, y: float, words: str) -> None:
    """Write above a point, legible also where a line runs behind it."""
    text = ax.text(x, y, words, **style.text_style(10, ha="center", va="bottom"))
    text.set_bbox({"facecolor": "white", "edgecolor": "none", "pad": 2})


def draw_differences(ax: Axes, found: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw paired differences a - b in points: a ring for every seed, the interval of their mean.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    found : mapping of a name to accuracies (a, b), arrays (seeds,) each

    Examples
    --------
    >>> a, b = np.array([0.9, 0.92, 0.93]), np.array([0.88, 0.91, 0.9])
    >>> draw_differences(Figure().subplots(), {"with - without": (a, b)})
    """
    for y, (a, b) in enumerate(found.values()):
        each, mean = np.sort(100 * (a - b)), paired_difference(a, b)
        # Rings upon each other would be seen as one.
        height = [(abs(each[:i] - x) < 0.05).sum() for i, x in enumerate(each)]
        ring: dict[str, Any] = {"color": style.OUTLINE, "fillstyle": "none", "markersize": 5}
        ax.plot(each, y + 0.16 + 0.1 * np.minimum(height, 3), "o", **ring)
        ends = [100 * mean.low, 100 * mean.high]
        ax.plot(ends, [y, y], color=style.KEPT, linewidth=3, solid_capstyle="butt")
        ax.plot([100 * mean.mean], [y], "o", color=style.KEPT, markersize=7)
        words = f"{in_points(mean)}, {len(a)} seeds: {mean.verdict}"
        _label(ax, 100 * mean.mean, y - 0.16, words)
    ax.axvline(0, color=style.WITHOUT, linewidth=1, linestyle="--", zorder=1)
    ax.set_yticks(range(len(found)), list(found))
    ax.set_ylim(len(found) - 0.5, -0.65)
    ax.margins(x=0.25)
