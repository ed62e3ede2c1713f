"""Lesson 01, masks: which units are dropped, how many, and a panel that shows both.

`p` is the probability of dropping, and True in a mask means kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import binom

from dlcourse import digits, live, style
from dlcourse._validate import integer, probability
from dlcourse.answers import fixed_randomness
from dlcourse.checks import Expectation, number
from dlcourse.dropout_checks import CALLS, FACTORS, PS, result, signed, training_slip
from dlcourse.film import Show
from dlcourse.functional import dropout_mask

UNITS = 64  # in a hidden layer of `digits.trained_network`

# --- what is computed


@dataclass(frozen=True)
class Example:
    """A test image of 8 × 8 pixels in [0, 1], and the 64 hidden activations it causes, all ≥ 0.

    Examples
    --------
    >>> example(3).image.shape, example(3).hidden.shape
    ((8, 8), (64,))
    """

    image: np.ndarray
    hidden: np.ndarray


def example(digit: int) -> Example:
    """Return the first test image of a digit 0 … 9 and the first hidden layer, nothing dropped.

    Examples
    --------
    >>> inactive = (example(3).hidden == 0).sum()
    >>> bool(10 < inactive < 54)
    True
    """
    digit = integer(digit, "digit", 0, 9)
    data = digits.load()
    rows = data.X_test[data.y_test == digit][:1]
    _, cache = digits.trained_network(UNITS).forward(rows, training=False)
    return Example(rows.reshape(8, 8), cache.h1[0])


@dataclass(frozen=True)
class NumberDropped:
    """How many units go: mean and standard deviation, and the probability of 0, 1, …, n.

    Examples
    --------
    >>> number_dropped(2, 0.5).probabilities
    array([0.25, 0.5 , 0.25])
    """

    mean: float
    sd: float
    probabilities: np.ndarray


def number_dropped(n: int, p: float) -> NumberDropped:
    """Describe the number of units dropped from a layer, which is Binomial(n, p).

    Parameters
    ----------
    n : int, the units of the layer
    p : float in [0, 1], the probability of dropping

    Raises
    ------
    TypeError, ValueError
        If n is no int >= 0, or p no probability; the message quotes it.

    Notes
    -----
    A sum of n independent Bernoulli(p) numbers, one for each unit: Srivastava et al. 2014,
    JMLR 15, section 4 (there p is the probability of keeping).

    Examples
    --------
    >>> half = number_dropped(1024, 0.5)
    >>> half.mean, half.sd
    (512.0, 16.0)
    """
    n, p = integer(n, "n", 0), probability(p)
    pmf = binom.pmf(np.arange(n + 1), n, p)
    return NumberDropped(n * p, (n * p * (1 - p)) ** 0.5, pmf)


# --- what is drawn


def scene(figure: Figure, seed: int, digit: int) -> Show:
    """Draw a digit, its hidden units with a mask on them, and how many such masks drop."""
    left = figure.add_axes((0.012, 0.315, 0.21, 0.441))
    middle = figure.add_axes((0.252, 0.115, 0.33, 0.76))
    right = figure.add_axes((0.672, 0.255, 0.313, 0.62))
    shown = example(digit)
    _draw_image(left, shown.image, digit)

    units_title = style.blank(middle)
    units = _draw_units(middle)
    colours = style.shades(shown.hidden / shown.hidden.max())

    show_number = _draw_number(right)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        kept, law = dropout_mask(UNITS, p, rng=seed), number_dropped(UNITS, p)
        dropped, above = int((~kept).sum()), int((shown.hidden[kept] > 0).sum())
        units.show(kept, colours)
        units_title.set_text(_units_finding(dropped))
        caption.set_text(
            f"p = {p:.2f}: {dropped} of {UNITS} dropped, {UNITS - dropped} kept, {above} of them "
            f"above 0; over all masks {law.mean:.1f} ± {law.sd:.1f} dropped"
        )
        return [*units.artists, units_title, *show_number(law, dropped), caption]

    return show


def _draw_number(ax: Axes) -> Callable[[NumberDropped, int], list[Artist]]:
    """Draw the axes of the number dropped; return what shows its law and one mask's number."""
    title = style.tidy(ax, "", "units dropped", "how likely (peak = 1)")
    ax.set(xlim=(-1.5, UNITS + 1.5), ylim=(0, 1.25))
    ax.set_xticks(range(0, UNITS + 1, 16))
    ax.set_yticks([0, 0.5, 1])
    steps = ax.stairs(
        np.zeros(UNITS + 1), np.arange(UNITS + 2) - 0.5, fill=True, facecolor=style.DROPPED
    )
    steps.set(edgecolor=style.WITHOUT, linestyle="--", linewidth=1.0)
    (line,) = ax.plot([], [], color=style.INK, linewidth=2.5, solid_capstyle="butt")
    text = ax.text(0, 1.12, "", **style.text_style(11, ha="center", va="bottom"))

    def show(law: NumberDropped, dropped: int) -> list[Artist]:
        # Divided by the largest, because that runs from 0.1 at p = 0.5 to 1 at p = 0.
        steps.set_data(law.probabilities / law.probabilities.max())
        chance = f"masks drop {law.mean:.1f} ± {law.sd:.1f}"
        title.set_text(chance if law.sd else f"every mask drops {dropped}")
        line.set_data([dropped, dropped], [0, 1.1])
        text.set_text(f"this mask: {dropped}")
        text.set_x(min(max(dropped, 16), UNITS - 16))  # stays inside the axes
        return [steps, line, text, title]

    return show


def _draw_image(ax: Axes, image: np.ndarray, digit: int) -> None:
    style.blank(ax, f"a test image of a {digit}")
    ax.imshow(image, cmap="Greys", vmin=0, vmax=1, interpolation="nearest")
    for spine in ax.spines.values():
        spine.set_visible(True)


def _draw_units(ax: Axes) -> style.Units:
    """Draw the key under the units; return the units, 8 × 8."""
    ax.set(xlim=(-0.5, 7.5), ylim=(9.0, -0.5))
    places = np.array([-0.1, 1.75, 5.15])
    key = style.Units(ax, places, np.full(3, 8.5), 90)
    key.show(np.array([True, True, False]), style.shades(np.array([1.0, 0.0, 0.0])))
    for x, word in zip(places, ("kept", "kept, but 0", "dropped"), strict=True):
        ax.text(x + 0.35, 8.5, word, **style.text_style(10, ha="left", va="center"))
    x, y = np.meshgrid(range(8), range(8))
    return style.Units(ax, x, y, 270)


def _units_finding(dropped: int) -> str:
    words = {0: "no hidden unit dropped", UNITS: f"all {UNITS} hidden units dropped"}
    return words.get(dropped, f"{dropped} of {UNITS} hidden units dropped")


# --- the panel


def panel(p: float = 0.5, seed: int = 0, digit: int = 3) -> live.Panel:
    """Return a live panel: a digit, its hidden units under a mask, and the number dropped.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int ≥ 0, of the mask; the same seed and a larger p drop the same units and more
    digit : int, 0 … 9

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(p=0.1, digit=7)
    >>> small
    masks.panel(p=0.1, seed=0, digit=7)
    >>> small.close()
    """
    controls = {"digit": live.whole_number("digit", 0, 9, digit)}
    return live.Panel(scene, controls, p=p, seed=seed, name="masks.panel")


# --- what the exercises expect


def _batch_slip(answer: Any) -> str | None:
    with fixed_randomness(1) as rng:
        x = signed(rng)
        calls = {p: [result(answer, x=x, p=p, rng=rng) for _ in range(CALLS)] for p in PS}
    words = dict.fromkeys(FACTORS, "survivors must stay as they are here")
    return training_slip(x, {p: np.stack(ys) for p, ys in calls.items()}, "1", words)


batch_function = Expectation(_batch_slip, "every row has a mask of its own, and x keeps its shape")

number_spread = number(
    4,
    atol=0.05,
    slips={
        16: "that is the variance, n p (1 − p): take its square root",
        20: "that is the mean, n p: the question asks how far a mask is from it",
        80: "that is the mean number of units kept",
        20**0.5: "that is √(n p): is the factor 1 − p missing?",
        80**0.5: "that is √(n (1 − p)): is the factor p missing?",
        19.8**0.5: "1 − p is not in brackets: write n * p * (1 - p) under the root",
        19.8: "1 − p is not in brackets: write n * p * (1 - p), and take the square root",
        0.4: "that is the spread of one unit, √(p (1 − p)): is the factor √n missing?",
        0.16: "that is the variance of one unit, p (1 − p): times n, then the square root",
        0.2: "that is p: the question asks for the spread of a number of units",
        2: "that is √n p: the root is taken of n p (1 − p)",
        10: "that is √n: are the factors p and 1 − p missing?",
        0.04: "that is the spread of the fraction dropped: the question asks for units",
        40: "that is n √(p (1 − p)): independent units give √n, not n",
    },
    right="√(100 · 0.2 · 0.8) = 4, so 20 ± 4 units go",
)
