"""What lesson 03 draws: the panel with all members, and its static figures."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import live, style
from dlcourse.ensembles.averaging import Averaging
from dlcourse.ensembles.gap import gaps
from dlcourse.ensembles.members import Ensemble, Network, all_masks, ensemble, members
from dlcourse.ensembles.members import network as draw_network
from dlcourse.enumeration import MOST
from dlcourse.film import Show

SIZES = (4, 8, 12)  # of the panel
BINS = 40
ROWS = {"weight scaling": 1.62, "arithmetic mean": 1.42, "geometric mean": 1.22}
COLOURS = {
    "weight scaling": style.RESCALED,
    "arithmetic mean": style.KEPT,
    "geometric mean": style.WITHOUT,
}
# The first is drawn first, so that equal ones can be seen on top of each other.
LINES: dict[str, dict[str, Any]] = {
    "weight scaling": {"linewidth": 5, "markersize": 11},
    "arithmetic mean": {"linewidth": 2, "markersize": 8},
    "geometric mean": {"linewidth": 1.3, "markersize": 6, "linestyle": (0, (4, 3))},
}


def scene(figure: Figure, seed: int, network: str, n: int) -> Show:
    """Draw all members of a net with three averages, and the gaps to weight scaling over p."""
    net = draw_network(network, n, seed)
    given = members(net)
    show_members = _members(figure.add_axes((0.185, 0.255, 0.42, 0.6)), net, given)
    show_gaps = _gaps(figure.add_axes((0.71, 0.255, 0.265, 0.6)), net)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        found = ensemble(net, p, given)
        caption.set_text(f"p = {p:.2f}: {numbers(found)}")
        return [*show_members(found, finding(network, p)), *show_gaps(p), caption]

    return show


def finding(kind: str, p: float) -> str:
    """Say what the averages do, as a title.

    Examples
    --------
    >>> finding("linear", 0.5)
    'linear: weight scaling = arithmetic mean'
    """
    if p in (0, 1):
        return "only one member is left: all averages agree"
    return {
        "linear": "linear: weight scaling = arithmetic mean",
        "softmax": "softmax: weight scaling = geometric mean",
        "relu": "a ReLU layer between: close, not equal",
    }[kind]


def numbers(found: Ensemble) -> str:
    """Put the averages of the first output into one line.

    Examples
    --------
    >>> numbers(ensemble(draw_network("linear", n=4), p=1)).split("; ")[1]
    '16 members ± 0.00'
    """
    geometric = "" if found.geometric is None else f"geometric {found.geometric[0]:.3f}, "
    sd = float(np.sqrt(found.variance[0]))
    means = f"arithmetic {found.arithmetic[0]:.3f}, {geometric}"
    line = f"{means}weight scaling {found.weight_scaling[0]:.3f}"
    return f"{line}; {len(found.outputs):,} members ± {sd:.2f}".replace("-", "−")


def _members(ax: Axes, net: Network, given: np.ndarray) -> Any:
    """Draw an axes for the members' outputs; return what shows them and their averages."""
    first, linear = given[:, 0], net.kind == "linear"
    low, high = (first.min() - 0.1, first.max() + 0.1) if linear else (0.0, 1.0)
    edges = np.linspace(low, high, BINS + 1)
    bins = np.clip(np.searchsorted(edges, first, side="right") - 1, 0, BINS - 1)
    what = "the output" if linear else "probability of class 1 of 3"
    title = style.tidy(ax, "", what, "")
    ax.set_ylabel("how likely", loc="bottom", labelpad=4, **style.text_style(11))
    margin = 0.03 * (high - low)
    ax.set(xlim=(low - margin, high + margin), ylim=(0, 1.75), yticks=[])
    ax.set_xticks([tick for tick in ax.get_xticks() if low - margin <= tick <= high + margin])
    steps = ax.stairs(np.zeros(BINS), edges, fill=True, color=style.KEPT, alpha=0.35)
    lines = {}
    for name, look in LINES.items():
        exists = not (linear and name == "geometric mean")
        words = name if exists else "geometric: none"
        place = style.text_style(10, ha="right", va="center")
        ax.text(-0.02, ROWS[name] / 1.75, words, transform=ax.transAxes, **place)
        (lines[name],) = ax.plot([], [], marker="o", color=COLOURS[name], markevery=[0], **look)

    def show(found: Ensemble, words: str) -> list[Artist]:
        heights = np.bincount(bins, found.probabilities, BINS)
        steps.set_data(heights / heights.max())
        averages = {
            "weight scaling": found.weight_scaling,
            "arithmetic mean": found.arithmetic,
            "geometric mean": found.geometric,
        }
        for name, average in averages.items():
            if average is not None:
                lines[name].set_data([average[0]] * 2, [ROWS[name], 0])
        title.set_text(words)
        return [steps, *lines.values(), title]

    return show


def _gaps(ax: Axes, net: Network) -> Any:
    """Draw the gaps over p; return what marks the present p."""
    ps = np.arange(101) / 100
    found = gaps(net, ps)
    style.tidy(ax, "gap to weight scaling", "p, probability of dropping")
    top = max(0.01, 1.45 * float(np.nanmax(found)))
    ax.set(xlim=(-0.02, 1.02), ylim=(-0.03 * top, top), xticks=[0, 0.5, 1])
    ax.locator_params(axis="y", nbins=4)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= top])
    dots = []
    for y, name, gap in zip(
        (0.94, 0.85), ("arithmetic mean", "geometric mean"), found, strict=True
    ):
        if np.isnan(gap).any():
            continue
        line = {k: v for k, v in LINES[name].items() if k != "markersize"}
        line["color"] = COLOURS[name]
        ax.plot(ps, gap, **line)
        ax.plot([0.02, 0.12], [y, y], transform=ax.transAxes, **line)
        ax.text(
            0.155, y, f"of the {name}", transform=ax.transAxes, **style.text_style(10, va="center")
        )
        size = LINES[name]["markersize"]
        (dot,) = ax.plot([], [], "o", color=COLOURS[name], markersize=size, clip_on=False)
        dots.append((dot, gap))

    def show(p: float) -> list[Artist]:
        for dot, gap in dots:
            dot.set_data([p], [gap[round(100 * p)]])
        return [dot for dot, _ in dots]

    return show


def draw_gaps(ax: Axes, ns: Any, mean: np.ndarray, error: np.ndarray, ps: Any) -> None:
    """Draw a curve for each p over the number of units, its standard error as a pale band.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    ns : ints (m,), the numbers of units
    mean, error : arrays (m, k), one column for each p
    ps : floats (k,)

    Examples
    --------
    >>> draw_gaps(Figure().subplots(), [4, 8], np.ones((2, 1)), np.ones((2, 1)), [0.5])
    """
    for p, m, e in zip(ps, mean.T, error.T, strict=True):
        colour = colormaps["cividis"](0.9 * p)
        ax.fill_between(ns, m - e, m + e, color=colour, alpha=0.25, linewidth=0)
        ax.plot(ns, m, color=colour, linewidth=2)
        ax.text(ns[-1] + 0.15, m[-1], f"p = {p:g}", **style.text_style(va="center"))
    ax.set(xlim=(ns[0], ns[-1] + 1.2), ylim=(0, None))


def draw_averaging(ax: Axes, found: Averaging) -> None:
    """Draw the excess over k: its mean over networks, and the spread of one run's error.

    Examples
    --------
    >>> draw_averaging(Figure().subplots(), Averaging(np.ones((2, 3, 4)), np.ones(2)))
    """
    excess, full = 100 * found.excess, 100 * found.weight_scaling
    caught_up, masks = found.caught_up(), excess.shape[1]
    k, at = np.arange(1, masks + 1), min(caught_up, masks)
    mean = excess.mean(axis=0)
    error = excess.std(axis=0, ddof=1) / len(excess) ** 0.5
    sd = 100 * np.sqrt((found.spread**2).mean(axis=0))
    ax.fill_between(k, mean - sd, mean + sd, color=style.KEPT, alpha=0.25, linewidth=0)
    ax.plot(k, mean, color=style.KEPT, linewidth=2)
    ax.axhline(0, color=style.RESCALED, linewidth=3, zorder=1)
    ax.plot([at], [mean[at - 1]], "o", color=style.KEPT, markersize=8)
    low, high = found.interval()
    to = high if high <= masks else f"more than {masks}"
    words = f"caught up at k = {caught_up} (95 % interval {low} to {to})"
    if caught_up > masks:
        words = f"not caught up after {masks} masks"
    ax.annotate(
        f"{words},\nwhere a run differs from the next by a standard deviation of {sd[at - 1]:.1f}",
        (at, mean[at - 1]),
        (at + 6, 2.4),
        arrowprops={"arrowstyle": "-", "color": style.OUTLINE, "shrinkB": 5},
        **style.text_style(10, va="bottom"),
    )
    ax.text(7, 5.5, f"k = 1: {mean[0]:.1f} ± {error[0]:.1f}", **style.text_style(10, va="center"))
    last = f"k = {k[-1]}: {mean[-1]:.1f} ± {error[-1]:.1f}"
    ax.text(k[-1], 0.9, last, **style.text_style(10, ha="right", va="bottom"))
    full_error = full.std(ddof=1) / len(full) ** 0.5
    scaled = f"weight scaling: test error {full.mean():.1f} ± {full_error:.1f} %"
    ax.text(k[-1], -0.85, scaled, **style.text_style(10, ha="right", va="top"))
    ax.set(xlim=(0, k[-1] + 1), ylim=(-2, 6))


def draw_turning(figure: Figure, images: np.ndarray, angles: Any, mean: np.ndarray) -> Axes:
    """Draw the spread between members over the angle, and above it one image at each angle.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    images : array (m, 8, 8), one image turned by each angle
    angles : floats (m,), in degrees
    mean : array (m,), the spread

    Examples
    --------
    >>> ax = draw_turning(Figure(), np.ones((2, 8, 8)), [0, 90], np.ones(2))
    """
    ax = figure.subplots()
    ax.plot(angles, mean, "o-", color=style.KEPT, linewidth=2, markersize=5)
    width = (angles[-1] - angles[0]) / (len(angles) - 1)
    ax.set(xlim=(angles[0] - width / 2, angles[-1] + width / 2), ylim=(0, 1.75 * float(mean.max())))
    for angle, image in zip(angles, images, strict=True):
        left = (angle - angles[0] + 0.2 * width) / (len(angles) * width)
        inset = ax.inset_axes((left, 0.62, 0.6 / len(angles), 0.36))
        style.blank(inset)
        inset.imshow(image, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    ax.set_xticks(angles)
    return ax


_MENU = {"linear": "linear", "softmax layer": "softmax", "ReLU layer, then softmax": "relu"}


def panel(
    p: float = 0.5, seed: int = 0, network: str = "softmax", n: Literal[4, 8, 12] = 8
) -> live.Panel:
    """Return a live panel: all members of a small net, their averages, and weight scaling.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the net
    network : "linear", "softmax" or "relu"
    n : 4, 8 or 12, the units with dropout

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(network="relu", n=4)
    >>> small
    ensembles.panel(p=0.5, seed=0, network='relu', n=4)
    >>> small.close()
    """
    if isinstance(n, int) and not isinstance(n, bool) and n > MOST:
        all_masks(n)  # says how many masks that would be
    sizes = {f"{size} ({2**size:,} members)": size for size in SIZES}
    controls = {
        "network": live.choice("network", _MENU, network),
        "n": live.choice("n, units", sizes, n),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="ensembles.panel")
