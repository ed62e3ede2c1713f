"""Lesson 02: what the next layer receives while training and at test time, scaled or not."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.text import Text

from dlcourse import _validate as check
from dlcourse import digits, live, style
from dlcourse.film import Show
from dlcourse.functional import dropout, dropout_mask, vanilla_dropout

KINDS = ("inverted", "vanilla", "unscaled")
UNITS, MASKS, IMAGE = 16, 500, 24

_MENU = {
    "inverted: × 1/(1 − p) in training": "inverted",
    "vanilla: × (1 − p) at test time": "vanilla",
    "none: never scaled": "unscaled",
}


# --- what is computed


@dataclass(frozen=True)
class Received:
    """What a neuron of the next layer receives: mask by mask in training, once at test time.

    Examples
    --------
    >>> received([1.0, 3.0], 0.5, "vanilla", masks=[[True, True], [False, True]])
    Received(training=array([4., 3.]), test=2.0, mean=2.0, sd=1.58...)
    """

    training: np.ndarray  # (masks,)
    test: float
    mean: float  # of training over all masks, each with its probability: theory
    sd: float  # likewise


def _training_scale(p: float, kind: str) -> float:
    """Return what survivors are multiplied by in training; 1 where none survives."""
    return 1 / (1 - p) if kind == "inverted" and p < 1 else 1.0


def received(terms: Any, p: float, kind: str, masks: Any) -> Received:
    """Add up what arrives at a neuron of the next layer, under every mask and at test time.

    Parameters
    ----------
    terms : array of float, shape (n,)
        Weight times activation for each of the n units of the layer with dropout.
    p : float in [0, 1], the probability of dropping
    kind : "inverted", "vanilla" or "unscaled"
        Survivors times 1 / (1 - p) in training, or all times 1 - p at test time, or neither.
    masks : array of bool, shape (m, n), True = kept

    Returns
    -------
    Received

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Mean and variance are those of a sum of independent Bernoulli variables. Vanilla: Srivastava
    et al. 2014, JMLR 15, section 4; inverted: section 10 (there p is the probability of keeping).

    Examples
    --------
    >>> received([1.0, 3.0], 0.5, "inverted", masks=[[True, True], [False, True]]).training
    array([8., 6.])
    """
    p, given = check.probability(p), terms
    terms, kind = check.real_array(terms, "terms"), _kind(kind)
    if terms.ndim != 1:
        raise ValueError(
            f"terms must be an array (n,), got shape {terms.shape}: {check.quoted(given)}"
        )
    masks = check.bool_mask(masks, (len(masks) if check.many(masks) else 0, len(terms)))
    rows = np.broadcast_to(terms, (len(masks), *terms.shape))
    drop = dropout if kind == "inverted" else vanilla_dropout
    training = drop(rows, p, mask=masks).sum(axis=1)
    test = terms if kind == "unscaled" else drop(terms, p, training=False)
    scale = _training_scale(p, kind)
    return Received(
        training,
        float(test.sum()),
        mean=float(scale * (1 - p) * terms.sum()),
        sd=float(scale * np.sqrt(p * (1 - p) * (terms**2).sum())),
    )


def _kind(kind: Any) -> str:
    if kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {check.quoted(kind)}")
    return str(kind)


def activations(units: int = UNITS) -> np.ndarray:
    """Return the strongest activations that a real handwritten 0 causes in a trained network.

    They are those of the second hidden layer of `digits.trained_network`, without dropout, in
    the order of the units.

    Parameters
    ----------
    units : int from 1 to 64

    Returns
    -------
    array of float, shape (units,)

    Raises
    ------
    TypeError, ValueError
        If units is no such int; the message quotes it.

    Examples
    --------
    >>> activations(3).shape
    (3,)
    """
    units = check.integer(units, "units", 1, 64)
    image = digits.load().X_test[IMAGE]
    _, cache = digits.trained_network().forward(image[None], training=False)
    h = cache.h2[0]
    return h[np.sort(np.argsort(h)[-units:])]


# --- what is drawn


def scene(figure: Figure, seed: int, kind: str) -> Show:
    """Draw one mask's activations on the left and what 500 masks add up to on the right.

    Parameters
    ----------
    figure : matplotlib.figure.Figure, 840 × 400 pixels
    seed : int, of the masks; a larger p drops the same units and more
    kind : "inverted", "vanilla" or "unscaled"

    Returns
    -------
    show : callable
        ``show(p)`` moves what depends on p and returns it in drawing order.

    Examples
    --------
    >>> from matplotlib.backends.backend_agg import FigureCanvasAgg
    >>> show = scene(FigureCanvasAgg(Figure((8.4, 4))).figure, seed=0, kind="vanilla")
    >>> len(list(show(0.3))) > 5
    True
    """
    h = activations()
    left = figure.add_axes((0.065, 0.225, 0.365, 0.665))
    right = figure.add_axes((0.485, 0.225, 0.495, 0.665))
    show_bars = _bars(left, h, rescaled=kind == "inverted")
    show_sums = _sums(right, h.sum(), style.RESCALED if kind == "inverted" else style.KEPT)
    caption = style.caption(figure)

    def show(p: float) -> Iterable[Artist]:
        masks = dropout_mask((MASKS, UNITS), p, rng=seed)
        found = received(h, p, kind, masks)
        moving = [
            *show_bars(masks[0], _training_scale(p, kind)),
            *show_sums(found, finding(kind, p)),
        ]
        caption.set_text(f"p = {p:.2f}:  {numbers(found)}")
        return [*moving, caption]

    return show


def finding(kind: str, p: float) -> str:
    """Say what the right half of the picture shows, as its title.

    Examples
    --------
    >>> finding("unscaled", 0.8)
    'in theory, test value = 5 × training mean'
    """
    if p == 0:
        return "without dropout, training and test agree"
    if p == 1:
        return "at p = 1 no unit is left, whatever the scale"
    if kind == "unscaled":
        return f"in theory, test value = {1 / (1 - p):.3g} × training mean"
    return "in theory, training mean = test value"


def numbers(found: Received) -> str:
    """Put the numbers of the right half into one line, with as many digits as they deserve.

    Examples
    --------
    >>> numbers(Received(np.array([4.0, 3.0, 5.0]), test=4.0, mean=4.0, sd=1.0))
    'training: mean 4.0 (standard error 0.6), sd 1.0;  test: always 4.0'
    """
    sums, test = found.training, f"test: always {found.test:.1f}"
    if np.ptp(sums) < 1e-9:
        return f"training: always {sums[0]:.1f};  {test}"
    sd = float(sums.std(ddof=1))
    error = sd / np.sqrt(sums.size)
    places = 0 if error >= 1 else 1 if error >= 0.1 else 2
    mean = f"{sums.mean():.{places}f} (standard error {error:.{places}f})"
    spread = f"{sd:.1f}" if sd < 10 else f"{sd:.0f}"
    return f"training: mean {mean}, sd {spread};  {test}"


def _boxes(x: np.ndarray, low: Any, high: np.ndarray) -> list[np.ndarray]:
    """Return the corners of bars of width 0.8 from low to high at every x."""
    low = np.broadcast_to(low, x.shape)
    return [
        np.array([(a - 0.4, b), (a - 0.4, c), (a + 0.4, c), (a + 0.4, b)])
        for a, b, c in zip(x, low, high, strict=True)
    ]


def _bars(ax: Axes, h: np.ndarray, rescaled: bool) -> Callable[[np.ndarray, float], list[Artist]]:
    """Draw the activations h and return what shows them under a mask, times a factor."""
    x, highest = np.arange(h.size), h.max()
    top = 2.25 * highest  # 1 / (1 - p) = 2 fits; what does not is marked
    title = style.tidy(ax, "", f"{h.size} hidden units, digit 0")
    ax.set_ylabel("activation", **style.text_style(11))
    ax.set_xlim(-0.8, h.size - 0.2)
    ax.set_ylim(-0.16 * highest, 2.95 * highest)
    ax.set_xticks([])
    goes_on = _key(ax, rescaled)
    kept = PolyCollection([], facecolors=style.KEPT, edgecolors="none")
    dropped = PolyCollection([], facecolors=style.DROPPED, edgecolors="none")
    added = PolyCollection([], facecolors=style.RESCALED, edgecolors="none")
    outline = PolyCollection(
        _boxes(x, 0, h), facecolors="none", edgecolors=style.WITHOUT, linewidths=0.9
    )
    for bars in (kept, dropped, added, outline):
        ax.add_collection(bars, autolim=False)
    line: dict[str, Any] = {"linestyle": "none", "clip_on": False}
    (higher,) = ax.plot([], [], "^", color=style.RESCALED, markersize=6, **line)
    (crosses,) = ax.plot(
        [], [], "x", color=style.OUTLINE, markersize=6, markeredgewidth=1.4, **line
    )

    def show(mask: np.ndarray, factor: float) -> list[Artist]:
        scaled = factor * h[mask]
        kept.set_verts(_boxes(x[mask], 0, h[mask]))
        dropped.set_verts(_boxes(x[~mask], 0, h[~mask]))
        added.set_verts(_boxes(x[mask], h[mask], np.minimum(scaled, top)))
        beyond = x[mask][scaled > top]
        higher.set_data(beyond, np.full(beyond.size, top + 0.06 * highest))
        goes_on.set_text("▲ goes on" if beyond.size else "")
        crosses.set_data(x[~mask], np.full((~mask).sum(), -0.08 * highest))
        times = f" (× {factor:.3g})" if factor > 1 and mask.any() else ""
        title.set_text(f"{mask.sum()} kept{times}, {(~mask).sum()} dropped")
        return [kept, dropped, added, outline, higher, goes_on, crosses, title]

    return show


def _key(ax: Axes, rescaled: bool) -> Text:
    """Write what the colours of the bars mean; return the text that says what ▲ means."""

    def write(x: float, y: float, words: str, colour: str) -> Text:
        return ax.text(x, y, words, transform=ax.transAxes, **style.text_style(10, color=colour))

    orange = style.RESCALED_INK
    write(0.02, 0.945, "kept", style.KEPT)
    write(0.175, 0.945, "□ without dropout", style.WITHOUT)
    if rescaled:
        write(0.02, 0.865, "longer: × 1/(1 − p)", orange)
    return write(0.7, 0.865, "", orange)


def _sums(ax: Axes, full: float, colour: str) -> Callable[[Received, str], list[Artist]]:
    """Draw an axes for sums of which ``full`` is the largest without scaling."""
    title = style.tidy(ax, "", f"what the next layer receives: the sum of {UNITS}")
    limit = 2.5 * full
    ax.set_xlim(-0.06 * full, limit)
    ax.set_ylim(0, 1)
    ax.set_yticks([])
    ax.set_ylabel(f"{MASKS} masks, at any height", **style.text_style(10))
    ax.spines["left"].set_visible(False)
    heights = 0.14 + 0.54 * (np.arange(MASKS) * 0.618034 % 1)  # evenly spread, always the same
    heights[0] = 0.06
    line: dict[str, Any] = {"linestyle": "none", "markeredgecolor": "none", "color": colour}
    (dots,) = ax.plot([], [], "o", markersize=3.5, **line)
    (beyond,) = ax.plot([], [], ">", markersize=5, clip_on=False, **line)
    (first,) = ax.plot([], [], "o", color=colour, markersize=8, markeredgecolor=style.INK)
    (test,) = ax.plot([], [], color=style.WITHOUT, linewidth=2)
    theory: dict[str, Any] = {"color": style.WITHOUT, "linewidth": 1, "linestyle": (0, (4, 2))}
    (spread,) = ax.plot([], [], **theory)
    (mean,) = ax.plot([], [], "|", color=style.WITHOUT, markersize=10, markeredgewidth=1)
    text = {
        "first": ax.text(0, 0.06, "the mask on the left", **style.text_style(10, va="center")),
        "test": ax.text(0, 0.965, "at test time", **style.text_style(10, va="center")),
        "theory": ax.text(0, 0.82, "theory: ± sd", **style.text_style(10, va="center")),
        "beyond": ax.text(limit, 0.745, "", **style.text_style(10, va="center", ha="right")),
    }

    def beside(name: str, x: float, side: Literal["left", "right"]) -> None:
        gap = 0.06 * full
        text[name].set_x(x + gap if side == "left" else x - gap)
        text[name].set_horizontalalignment(side)

    def place_theory(found: Received) -> None:
        high = found.mean + found.sd
        above = found.test - found.mean > 1e-9 or high > 1.6 * full
        text["theory"].set_y(0.885 if above else 0.82)
        if found.test - found.mean > 1e-9:  # left of the line of the test value
            beside("theory", min(found.test, max(found.mean + 0.48 * full, 0.88 * full)), "right")
        else:
            beside("theory", found.mean if above else high, "left")

    def show(found: Received, words: str) -> list[Artist]:
        sums, out = found.training, found.training > limit
        inside = ~out
        inside[0] = False
        dots.set_data(sums[inside], heights[inside])
        beyond.set_data(np.full(out.sum(), limit), heights[out])
        here = min(sums[0], limit)
        first.set_data([here], heights[:1])
        beside("first", here, "left" if here < 1.4 * full else "right")
        test.set_data([found.test] * 2, [0.12, 1])
        beside("test", found.test, "left")
        low, high = found.mean - found.sd, found.mean + found.sd
        spread.set_data([low, high], [0.82, 0.82])
        mean.set_data([low, found.mean, high], [0.82] * 3)
        place_theory(found)
        text["beyond"].set_text(f"{out.sum()} masks further right" if out.any() else "")
        title.set_text(words)
        return [dots, beyond, test, spread, mean, first, *text.values(), title]

    return show


def draw_spread(ax: Axes, p: np.ndarray, draws: np.ndarray, mean: float, sd: np.ndarray) -> None:
    """Draw the mean and spread of what a neuron received at each p, and theory over them.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    p : array of float, shape (n,), the probabilities of dropping
    draws : array of float, shape (n, m), what the neuron received under m masks
    mean : float, in theory, the same at every p
    sd : array of float, shape (n,), in theory

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> draw_spread(ax, np.array([0.2, 0.5]), np.ones((2, 9)), mean=1.0, sd=np.array([0.5, 1.0]))
    >>> ax.get_title(loc="left")
    'the mean stays, the spread grows'
    """
    middle, spread = draws.mean(axis=1), draws.std(axis=1)
    band: dict[str, Any] = {"color": style.RESCALED, "alpha": 0.25, "linewidth": 0}
    ax.fill_between(p, middle - spread, middle + spread, **band)
    ax.plot(p, middle, "o", color=style.RESCALED, markersize=5)
    for words, line in (
        ("mean + sd", mean + sd),
        ("mean", mean + 0 * sd),
        ("mean − sd", mean - sd),
    ):
        ax.plot(p, line, color=style.WITHOUT, linewidth=1, linestyle="--")
        ax.text(p[-1] + 0.02, line[-1], words, **style.text_style(va="center"))
    ax.set_xlim(0, p[-1] + 0.15)
    title = "the mean stays, the spread grows"
    style.tidy(ax, title, "p, probability of dropping", "what the neuron receives")


# --- the panel


def panel(p: float = 0.5, seed: int = 0, kind: str = "inverted") -> live.Panel:
    """Return the live panel of lesson 02: activations under one mask, sums over 500 masks.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the masks
    kind : "inverted", "vanilla" or "unscaled", which never scales

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Inverted and vanilla dropout: Srivastava et al. 2014, JMLR 15, sections 10 and 4.

    Examples
    --------
    >>> made = panel(p=0.2, kind="vanilla")
    >>> made
    scaling.panel(p=0.2, seed=0, kind='vanilla')
    >>> made.close()
    """
    controls = {"kind": live.choice("scaling", _MENU, _kind(kind))}
    return live.Panel(scene, controls, p=p, seed=seed, name="scaling.panel")
