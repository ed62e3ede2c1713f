"""Lesson 10, questions: the numbers that many questions ask for, and a panel that shows them.

`p` is the probability of dropping, and True in a mask means kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nan
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from dlcourse import live, style
from dlcourse._validate import integer, probability, quoted, real_array
from dlcourse.answers import Slip, as_array, describe, precision
from dlcourse.checks import Expectation
from dlcourse.film import Show
from dlcourse.functional import dropout_mask

UNITS = (4, 8, 16)
MASKS = (2, 5, 10)

# --- what is computed


@dataclass(frozen=True)
class Numbers:
    """What one p does to a layer of some units, and to some masks of it.

    Examples
    --------
    >>> numbers(0.5, units=16, masks=2).factor
    2.0
    """

    mean: float  # units dropped by a mask
    sd: float  # standard deviation of that number
    factor: float  # that inverted dropout multiplies a kept unit by
    spread: float  # of a neuron's output, weights around 0, in multiples of that without dropout
    equal: float  # probability that two masks are equal
    never: float  # probability that a given unit is kept by none of the masks


def numbers(p: float, units: int, masks: int) -> Numbers:
    """Return the numbers that learners ask for.

    Parameters
    ----------
    p : float in [0, 1], the probability of dropping
    units : int, in the layer
    masks : int, drawn independently

    Raises
    ------
    TypeError, ValueError
        If p is no probability, or a number is no int >= 1; the message quotes it.

    Notes
    -----
    Lessons 01 (binomial number, equal masks), 02 (factor) and 05 (spread). With p = 1 nothing is
    kept, and factor and spread are infinite.

    Examples
    --------
    >>> fifth = numbers(0.2, units=8, masks=5)
    >>> fifth.factor, round(fifth.never, 5)
    (1.25, 0.00032)
    """
    p, units, masks = probability(p), integer(units, "units", 1), integer(masks, "masks", 1)
    factor = 1 / (1 - p) if p < 1 else inf
    equal = (p**2 + (1 - p) ** 2) ** units
    return Numbers(units * p, (units * p * (1 - p)) ** 0.5, factor, factor**0.5, equal, p**masks)


def equal_pairs(masks: np.ndarray) -> int:
    """Count the pairs of equal masks, one mask in a row.

    Raises
    ------
    TypeError, ValueError
        If masks is no array with a mask in each row; the message quotes it.

    Examples
    --------
    >>> equal_pairs(np.array([[True, False], [True, True], [True, False]]))
    1
    """
    rows = real_array(masks, "masks")
    if rows.ndim != 2:
        raise ValueError(f"masks must be an array with a mask in each row, got {quoted(masks)}")
    _, counts = np.unique(rows, axis=0, return_counts=True)
    return int((counts * (counts - 1) // 2).sum())


# --- what is drawn


def scene(figure: Figure, seed: int, units: int, masks: int) -> Show:
    """Draw some masks of a layer, the two chances, and factor and spread."""
    left = figure.add_axes((0.045, 0.2, 0.37, 0.66))
    middle = figure.add_axes((0.49, 0.265, 0.2, 0.595))
    right = figure.add_axes((0.77, 0.265, 0.205, 0.595))
    show_masks = _draw_masks(left, units, masks)
    show_chances = _draw_chances(middle, units, masks)
    show_factors = _draw_factors(right)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        # Always the largest block, so that fewer units or masks are part of the same draw.
        kept = dropout_mask((MASKS[-1], UNITS[-1]), p, rng=seed)[:masks, :units]
        now = numbers(p, units, masks)
        factor = f"kept × {now.factor:.2f}, spread × {now.spread:.2f}" if p < 1 else "none kept"
        caption.set_text(
            f"p = {p:.2f}: {now.mean:.1f} ± {now.sd:.1f} of {units} go; {factor}; "
            f"equal {_percent(now.equal)}, never kept {_percent(now.never)}"
        )
        return [*show_masks(kept), *show_chances(p, now), *show_factors(p, now), caption]

    return show


def _draw_masks(ax: Axes, units: int, masks: int) -> Callable[[np.ndarray], list[Artist]]:
    """Return what shows the masks, one in a row, and marks the units that none of them keeps."""
    title = style.blank(ax)
    ax.set(xlim=(-0.6, units - 0.4), ylim=(masks + 0.35, -0.6))
    ax.set_xlabel(f"{units} units", **style.text_style(11))
    ax.set_ylabel(f"{masks} masks", **style.text_style(11))
    columns, rows = np.meshgrid(range(units), range(masks))
    discs = style.Units(ax, columns, rows, min(270, 9000 / max(units, 1.4 * masks) ** 1.6))
    (never,) = ax.plot([], [], "^", color=style.INK, markersize=8)

    def show(kept: np.ndarray) -> list[Artist]:
        lost = np.flatnonzero(~kept.any(axis=0))
        pairs = masks * (masks - 1) // 2
        discs.show(kept)
        never.set_data(lost, np.full(len(lost), masks - 0.15))
        title.set_text(f"{len(lost)} never kept (▲), {equal_pairs(kept)} of {pairs} pairs equal")
        return [*discs.artists, never, title]

    return show


def _draw_chances(ax: Axes, units: int, masks: int) -> Callable[[float, Numbers], list[Artist]]:
    ps = np.linspace(0, 1, 201)
    curves = [numbers(p, units, masks) for p in ps]
    style.tidy(ax, "how likely", "p", "probability")
    ax.set(xlim=(-0.03, 1.03), ylim=(-0.04, 1.5), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    ax.plot(ps, [one.equal for one in curves], color=style.KEPT, linewidth=2)
    ax.plot(ps, [one.never for one in curves], color=style.OUTLINE, linewidth=2)
    ax.text(0.0, 1.34, "● two masks equal", **style.text_style(10) | {"color": style.KEPT})
    ax.text(0.0, 1.16, "▲ a unit never kept", **style.text_style(10))
    (equal,) = ax.plot([], [], "o", color=style.KEPT, markersize=9)
    (never,) = ax.plot([], [], "^", color=style.INK, markersize=9)

    def show(p: float, now: Numbers) -> list[Artist]:
        equal.set_data([p], [now.equal])
        never.set_data([p], [now.never])
        return [equal, never]

    return show


def _draw_factors(ax: Axes) -> Callable[[float, Numbers], list[Artist]]:
    ps = np.linspace(0, 0.9, 181)
    curves = [numbers(p, 1, 1) for p in ps]
    style.tidy(ax, "the spread grows", "p", "times as large")
    ax.set(xlim=(-0.03, 1.03), ylim=(0, 14), xticks=[0, 0.5, 1], yticks=[1, 5, 10])
    ax.plot(ps, [one.factor for one in curves], color=style.RESCALED, linewidth=2)
    ax.plot(ps, [one.spread for one in curves], color=style.KEPT, linewidth=2)
    ax.text(
        -0.01, 12.7, "■ kept: 1/(1 − p)", **style.text_style(10) | {"color": style.RESCALED_INK}
    )
    ax.text(-0.01, 11.2, "● spread: 1/√(1 − p)", **style.text_style(10) | {"color": style.KEPT})
    (factor,) = ax.plot([], [], "s", color=style.RESCALED, markersize=9)
    (spread,) = ax.plot([], [], "o", color=style.KEPT, markersize=9)

    def show(p: float, now: Numbers) -> list[Artist]:
        inside = p <= 0.9
        factor.set_data([p], [now.factor if inside else nan])
        spread.set_data([p], [now.spread if inside else nan])
        return [factor, spread]

    return show


def _percent(chance: float) -> str:
    """Write a probability with one or two digits, but never 0 % for one that is not 0.

    >>> _percent(0.5), _percent(0.00032), _percent(1e-9), _percent(0.0)
    ('50 %', '0.03 %', '< 0.001 %', '0 %')
    """
    percent = 100 * chance
    if 0 < percent < 0.001:
        return "< 0.001 %"
    digits = 1 if percent < 0.1 else 2 if percent < 99.5 else 3
    return f"{percent:.{digits}g} %"


# --- the panel


def panel(p: float = 0.5, seed: int = 0, units: int = 8, masks: int = 5) -> live.Panel:
    """Return a live panel: masks of a small layer, and the numbers that questions ask for.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int ≥ 0, of the masks; the same seed and a larger p drop the same units and more
    units : 4, 8 or 16, in the layer
    masks : 2, 5 or 10, drawn one after the other

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> small = panel(p=0.1, units=4)
    >>> small
    questions.panel(p=0.1, seed=0, units=4, masks=5)
    >>> small.close()
    """
    controls = {
        "units": live.choice("units", {str(n): n for n in UNITS}, units),
        "masks": live.choice("masks", {str(k): k for k in MASKS}, masks),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="questions.panel")


# --- what the exercises expect

# Whether each statement of exercise 10.1 is so, and what to look at for one who thinks otherwise.
STATEMENTS = (
    (True, "each unit is tossed alone, so 512 is only the average of 1,024: see question 4"),
    (False, "it is for every example: see question 6"),
    (False, "in a mini-batch the other examples have kept it: see question 18"),
    (True, "weights around 0 and inverted dropout, so 1/√(1 − p) = 1.41: see question 33"),
    (False, "0 inside the interval does not exclude what else is inside: see question 39"),
)


def _decided_slip(answer: Any) -> str | None:
    if not isinstance(answer, list | tuple | np.ndarray) or len(answer) != len(STATEMENTS):
        raise Slip(f"the answer is {describe(answer)}, expected a list of 5, each True or False")
    for i, (said, (so, words)) in enumerate(zip(answer, STATEMENTS, strict=True), 1):
        if not isinstance(said, bool | np.bool_):
            raise Slip(f"for statement {i} you wrote {describe(said)}, expected True or False")
        if said != so:
            return f"statement {i} is {'so' if so else 'only believed'}: {words}"
    return None


five_decided = Expectation(_decided_slip, "statements 1 and 4 are so, the others are believed")

_DROPPING = np.array([0.2, 0.3, 0.25, 0.9])
_MEANS_KEEPING = np.array([True, True, False, True])


def _recipe_slip(answer: Any) -> str | None:
    values = as_array(answer, (4,))
    rtol = precision(answer)
    swapped = np.isclose(values, 1 - _DROPPING, rtol)
    if (right := np.isclose(values, _DROPPING, rtol)).all():
        return None
    i = int(np.flatnonzero(~right)[0])
    recipe = f"recipe {'ABCD'[i]}: {values[i]:g}"
    if not swapped[i]:
        return f"{recipe} is neither of the two readings: write p or 1 − p"
    if _MEANS_KEEPING[i]:
        return f"{recipe} is the probability of keeping: nn.Dropout wants 1 − that"
    return f"{recipe}: this source means dropping already, as PyTorch does"


four_recipes = Expectation(_recipe_slip, "A, B and D mean keeping, C means dropping")

ANSWERS = {
    "A": "is right: eight survivors of ten, each times 1.25, make ten again: see question 11",
    "B": "is right: eval() looks at every module, no_grad() at none: see question 17",
    "C": "is right: each term is there in half of the masks: see question 14",
    "E": "is right: with p = 0 nothing is dropped, and nothing is scaled: see question 2",
}


def _wrong_one_slip(answer: Any) -> str | None:
    letter = answer.strip().upper() if isinstance(answer, str) else answer
    if letter == "D":
        return None
    if isinstance(letter, str) and letter in ANSWERS:
        return f"{letter} {ANSWERS[letter]}"
    raise Slip(f'the answer is {describe(answer)}, expected one letter, such as "A"')


the_wrong_one = Expectation(
    _wrong_one_slip, "the variance halves, so the standard deviation becomes √0.5 = 0.71 of it"
)
