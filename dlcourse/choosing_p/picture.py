"""What lesson 07 draws: the panel with accuracy against p, and its static figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from dlcourse import live, style
from dlcourse.choosing_p.folds import Choice
from dlcourse.choosing_p.networks import IMAGES, WHERE, WIDTHS, WRONG, Sweep, networks
from dlcourse.compare import Difference, Interval, half_width
from dlcourse.film import Scene, Show
from dlcourse.grid import PS, nearest
from dlcourse.retrain import TrainingPanel

LOWEST = 0.4  # accuracy in the panel; what is lower lies on the edge
TRAINING: dict[str, Any] = {"color": style.OUTLINE, "linewidth": 1.6, "linestyle": (0, (5, 2))}
VALIDATION: dict[str, Any] = {"color": style.KEPT, "linewidth": 2.2}
PLAIN: dict[str, Any] = {"color": style.WITHOUT, "linewidth": 1.6}
RING: dict[str, Any] = {
    "markersize": 16,
    "markeredgewidth": 2,
    "color": style.INK,
    "fillstyle": "none",
    "clip_on": False,
}


def scene(figure: Figure, seed: int, width: int, images: int, where: str) -> Show:
    """Draw accuracy against p, and the learning curves of the networks with the nearest p."""
    found = networks(width, images, where, seed)
    show_ps = _against_p(figure.add_axes((0.105, 0.26, 0.38, 0.6)), found)
    show_curves = _curves(figure.add_axes((0.6, 0.26, 0.38, 0.6)), found)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        i = nearest(p)
        caption.set_text(f"p = {p:.2f}{numbers(found, i, p)}")
        return [*show_ps(p, i), *show_curves(i), caption]

    return show


def numbers(found: Sweep, i: int, p: float) -> str:
    """Say which networks are shown, how good they are, and how they compare with p = 0."""
    trained = "" if p == PS[i] else f" (trained: {PS[i]:g})"
    here = f"{trained}: accuracy {short(found.at(i))}"
    return here if i == 0 else f"{here}, that is {short(found.gain(i))} against p = 0"


def short(interval: Interval) -> str:
    """Write an interval without its name.

    Examples
    --------
    >>> short(Interval(0.8123, 0.0141, 8))
    '0.812 ± 0.014'
    """
    return repr(interval).split(" (")[0].replace("-", "−")


def finding(found: Sweep) -> str:
    """Say which p is best, and from where to where none is worse to the eye of the interval."""
    ps = np.array(found.ps)
    # The run of as good ones that the best stands in.
    low = high = found.best
    while low > 0 and found.as_good[low - 1]:
        low -= 1
    while high < len(ps) - 1 and found.as_good[high + 1]:
        high += 1
    best = f"best p = {ps[found.best]:g}"
    return best if low == high else f"{best}; as good: {ps[low]:g} to {ps[high]:g}"


def _against_p(ax: Axes, found: Sweep) -> Callable[[float, int], list[Artist]]:
    style.tidy(ax, finding(found), "p, probability of dropping", "accuracy")
    ax.set(xlim=(-0.02, 1.02), xticks=[0, 0.5, 1])
    _accuracies(ax)
    _key(ax, "validation images (band: 95 % interval)", VALIDATION, 1.15)
    _key(ax, f"training images, 1 label in {1 / WRONG:g} wrong", TRAINING, 1.08)
    middle = [found.at(i) for i in range(len(PS))]
    low, high = _shown([one.low for one in middle]), _shown([one.high for one in middle])
    ax.fill_between(PS, low, high, color=style.KEPT, alpha=0.25, linewidth=0)
    means = _shown([one.mean for one in middle])
    ax.plot(PS, _shown(found.curves.train_accuracy[..., -1].mean(axis=1)), **TRAINING)
    ax.plot(PS, means, marker="o", markersize=4, **VALIDATION)
    best = found.best
    ax.plot([PS[best]], [means[best]], "o", **RING)
    (line,) = ax.plot([], [], color=style.INK, linewidth=1)
    (dot,) = ax.plot([], [], "o", color=style.KEPT, markersize=9, clip_on=False)

    def show(p: float, i: int) -> list[Artist]:
        line.set_data([p, p], [LOWEST, 1.02])
        dot.set_data([PS[i]], [means[i]])
        return [line, dot]

    return show


def _curves(ax: Axes, found: Sweep) -> Callable[[int], list[Artist]]:
    title = style.tidy(ax, "", "epochs", "accuracy")
    curves, epochs = found.curves, np.arange(1, found.curves.epochs + 1)
    ax.set(xlim=(0, 1.01 * epochs[-1]))
    _accuracies(ax)
    ax.set_xticks([0, epochs[-1] // 2, epochs[-1]])
    ax.set_xticklabels(["0", f"{epochs[-1] // 2}", f"{epochs[-1]}"])
    _key(ax, "validation", VALIDATION, 1.15)
    _key(ax, "training", TRAINING, 1.08)
    _key(ax, "validation, p = 0", PLAIN, 1.15, 0.44)
    mean, half = curves.test_accuracy.mean(axis=1), half_width(curves.test_accuracy, axis=1)
    low, high, middle = _shown(mean - half), _shown(mean + half), _shown(mean)
    training = _shown(curves.train_accuracy.mean(axis=1))
    ax.plot(epochs, middle[0], **PLAIN)
    band = ax.fill_between(epochs, low[0], high[0], color=style.KEPT, alpha=0.25, linewidth=0)
    (below,) = ax.plot([], [], **TRAINING)
    (above,) = ax.plot([], [], **VALIDATION)
    x = np.concatenate([epochs, epochs[::-1]])

    def show(i: int) -> list[Artist]:
        y = np.concatenate([low[i], high[i][::-1]])
        band.set_verts([np.column_stack([x, y])])
        below.set_data(epochs, training[i])
        above.set_data(epochs, middle[i])
        title.set_text(verdict(found, i))
        return [band, below, above, title]

    return show


def verdict(found: Sweep, i: int) -> str:
    """Say in a title what dropout does at this p."""
    words = {
        "higher": "dropout helps here",
        "lower": "dropout does harm here",
        "no difference seen": "no difference to p = 0 seen",
    }
    return "p = 0: without dropout" if i == 0 else f"p = {PS[i]:g}: {words[found.gain(i).verdict]}"


def _accuracies(ax: Axes) -> None:
    """Give an axes the range in which the curves differ, and room for a key above it."""
    ax.set(ylim=(LOWEST, 1.19), yticks=[LOWEST, 0.6, 0.8, 1])
    ax.set_yticklabels([f"≤ {LOWEST:g}", "0.6", "0.8", "1"])


def _shown(accuracy: Any) -> np.ndarray:
    """Return accuracies with all that lie below the axes put on its lower edge."""
    return np.maximum(accuracy, LOWEST)


def _key(ax: Axes, words: str, line: dict[str, Any], y: float, x: float = 0.02) -> None:
    """Draw a piece of a line and what it stands for, at a height in data and an x in the axes."""
    trans = ax.get_yaxis_transform()
    ax.plot([x, x + 0.1], [y, y], transform=trans, **line)
    ax.text(x + 0.115, y, words, transform=trans, **style.text_style(10, va="center"))


# --- static figures


def draw_choice(ax: Axes, choice: Choice) -> None:
    """Draw mean scores with their standard errors, and how far the best one's error reaches.

    The chosen p is ringed, unless p = 0 is within one standard error of the best.

    Examples
    --------
    >>> from dlcourse.choosing_p.folds import choose
    >>> scores = np.array([[0.7, 0.8], [0.8, 0.86], [0.83, 0.87]])
    >>> draw_choice(Figure().subplots(), choose([0, 0.2, 0.5], scores))
    """
    top = choice.mean.max()
    limit = top - choice.error[choice.mean.argmax()]
    ax.axhspan(limit, top, color=style.KEPT, alpha=0.2, linewidth=0)
    for p, mean, error, within in zip(
        choice.ps, choice.mean, choice.error, choice.within, strict=True
    ):
        colour = style.KEPT if within else style.OUTLINE
        ax.errorbar(p, mean, error, fmt="o", color=colour, markersize=7, capsize=3)
    if not choice.within[choice.ps == 0].any():
        ax.plot([choice.chosen], choice.mean[choice.ps == choice.chosen], "o", **RING)
    ax.set(xlim=(-0.05, max(choice.ps) + 0.05))
    ax.set_xticks(choice.ps, [f"{p:g}" for p in choice.ps])


def draw_map(ax: Axes, means: np.ndarray, best: np.ndarray, as_good: np.ndarray) -> None:
    """Draw accuracies as a map with a number in each cell.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    means : array (rows, columns), accuracies
    best : array of bool of this shape, the cells with a thick frame
    as_good : array of bool of this shape, the cells with a thin frame

    Examples
    --------
    >>> draw_map(Figure().subplots(), np.eye(2), np.eye(2) > 0, np.eye(2) > 0)
    """
    low = float(np.quantile(means, 0.1))
    image = ax.imshow(means, cmap="cividis", vmin=low, vmax=means.max(), aspect="auto")
    for (row, column), mean in np.ndenumerate(means):
        # As bright as the grey on which black and white are equally easy to read, or darker.
        linear = np.array(image.to_rgba(mean)[:3]) ** 2.2
        dark = linear @ (0.2126, 0.7152, 0.0722) < 0.18
        text = style.text_style(10, ha="center", va="center")
        text["color"] = "white" if dark else "black"
        ax.text(column, row, f"{100 * mean:.0f}", **text)
        if best[row, column] or as_good[row, column]:
            wide = 3.0 if best[row, column] else 1.0
            frame = Rectangle((column - 0.44, row - 0.42), 0.88, 0.84, fill=False, linewidth=wide)
            frame.set_edgecolor(text["color"])
            ax.add_patch(frame)
    for spine in ax.spines.values():
        spine.set_visible(False)


def draw_sweeps(ax: Axes, sweeps: Mapping[int, Sweep]) -> None:
    """Draw the accuracies of networks as a map with a row for each width and a column for each p.

    Examples
    --------
    >>> draw_sweeps(Figure().subplots(), {8: networks(8, 100)})
    """
    rows = list(sweeps.values())
    means = np.array([sweep.accuracy.mean(axis=1) for sweep in rows])
    best = np.array([np.arange(len(sweep.ps)) == sweep.best for sweep in rows])
    draw_map(ax, means, best, np.array([sweep.as_good for sweep in rows]))
    ax.set_xticks(range(len(rows[0].ps)), [f"{p:g}".replace("0.", ".") for p in rows[0].ps])
    ax.set_yticks(range(len(rows)), [f"{width}" for width in sweeps])


def draw_verdicts(ax: Axes, found: Sequence[tuple[str, Difference]]) -> None:
    """Draw differences to no dropout with their intervals, one below the other.

    Examples
    --------
    >>> draw_verdicts(Figure().subplots(), [("a case", Difference(0.1, 0.02, 8))])
    """
    ax.axvline(0, color=style.WITHOUT, linewidth=1, linestyle="--")
    for row, (_, gain) in enumerate(found):
        colour = style.OUTLINE if gain.verdict == "no difference seen" else style.KEPT
        ax.errorbar(
            gain.mean, -row, xerr=gain.half_width, fmt="o", color=colour, markersize=8, capsize=4
        )
    ax.set(ylim=(-len(found) + 0.4, 0.6), yticks=[-row for row in range(len(found))])
    ax.set_yticklabels([label for label, _ in found])


# --- the panel


def panel(
    p: float = 0.5, seed: int = 0, width: int = 32, images: int = 300, where: str = "hidden"
) -> TrainingPanel:
    """Return a panel: accuracy against p, and learning curves, of networks trained for all p.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the images and the networks
    width : 8, 32 or 128, units in the hidden layer
    images : 100, 300 or 1000, training images, one label in five wrong
    where : "hidden", "input" or "both", what p drops

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(width=8, images=100)
    >>> small
    choosing_p.panel(p=0.5, seed=0, width=8, images=100, where='hidden')
    >>> small.close()
    """
    places = dict(zip(("hidden units", "inputs", "both"), WHERE, strict=True))
    controls = {
        "width": live.choice("width", {str(w): w for w in WIDTHS}, width),
        "images": live.choice("training images", {f"{n:,}": n for n in IMAGES}, images),
        "where": live.choice("drop", places, where),
    }
    as_scene: Scene = scene
    return TrainingPanel(as_scene, networks, controls, p=p, seed=seed, name="choosing_p.panel")
