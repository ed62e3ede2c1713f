"""Check an answer to an exercise and name the slip in words.

`check(name, answer, expectation)` is the last line of an exercise. An expectation is any function
of the answer that returns None when the answer is right, and otherwise one sentence that names the
slip. `Expectation` adds the sentence for a right answer; `number` and `array` make expectations for
values; `dlcourse.dropout_checks` has those for masks, dropout and its gradient; and
`dlcourse.answers` is what a new one for functions is built from.
"""

from __future__ import annotations

import numbers
import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from dlcourse._validate import not_negative, quoted, real_array
from dlcourse.answers import (
    FirstLines,
    Slip,
    Unfinished,
    as_array,
    describe,
    fixed_randomness,
    has_placeholder,
    line_in,
    name_of,
    one_line,
    precision,
    raised,
    refuse_dots,
    same_settings,
)
from dlcourse.time_limit import TimeIsUp, run_limited


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found: true when the answer is right, and one line of text when shown.

    >>> Verdict("1.1", "wrong", "kept 0.30 of the units, expected 0.70")
    1.1 not yet: kept 0.30 of the units, expected 0.70
    """

    name: str
    state: Literal["right", "unfinished", "wrong"]
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer is right."""
        return self.state == "right"

    def __bool__(self) -> bool:
        """Whether the answer is right."""
        return self.ok

    def __repr__(self) -> str:
        """One line of plain text."""
        words = {"right": "right", "unfinished": "not finished yet", "wrong": "not yet"}
        return f"{self.name} {words[self.state]}" + (f": {self.message}" if self.message else "")


@dataclass(frozen=True)
class Expectation:
    """What is asked: `slip(answer)` is None or the slip in words; `right` is said when it is None.

    >>> even = Expectation(lambda n: None if n % 2 == 0 else f"{n} is odd", right="an even number")
    >>> check("0.2", 4, even), check("0.2", 5, even)
    (0.2 right: an even number, 0.2 not yet: 5 is odd)
    """

    slip: Callable[[Any], str | None]
    right: str = ""

    def __call__(self, answer: Any) -> str | None:
        """Return None for a right answer, else the slip in words."""
        return self.slip(answer)


def check(name: str, answer: Any, expectation: Callable[[Any], str | None]) -> Verdict:
    """Hold an answer against what is expected of it, and say what was found in one line.

    Whatever the answer does, the notebook runs on, and its random numbers and settings are left
    as they were. An answer that has not ended after `dlcourse.time_limit.TIME_LIMIT` seconds is
    stopped; an interrupt by the learner interrupts. Of what it prints the first lines are shown.

    Parameters
    ----------
    name : str
        The exercise, such as "1.1".
    answer : object
        The learner's function or value. ``...`` means that it is still to be written.
    expectation : callable
        Takes the answer and returns None if it is right, else the slip in words. Its attribute
        `right`, if it has one, is the message for a right answer.

    Returns
    -------
    Verdict

    Raises
    ------
    TypeError
        If the expectation is not callable, or returns something else than None or a str.

    Examples
    --------
    >>> check("1.2", 512, number(512, atol=1, slips={16: "that is the standard deviation"}))
    1.2 right: 512
    """
    if not callable(expectation):
        raise TypeError(f"expectation must be callable, such as number(512), got {expectation!r}")
    try:
        with fixed_randomness(), same_settings(), redirect_stdout(FirstLines(sys.stdout)):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)  # no news to a learner
                slip, error = run_limited(partial(_slip, answer, expectation))
    except TimeIsUp as late:
        return Verdict(name, "wrong", _too_long(answer, late))
    if isinstance(error, Unfinished):
        return Verdict(name, "unfinished", one_line(error))
    if error is not None:
        slip = str(error) if isinstance(error, Slip) else raised(error, answer)
    if slip is not None and not isinstance(slip, str):
        raise TypeError(f"expectation must return None or the slip in words, got {slip!r}")
    if slip is None:
        return Verdict(name, "right", getattr(expectation, "right", ""))
    if has_placeholder(answer):
        return Verdict(name, "unfinished", f"replace the ... in {name_of(answer)}")
    return Verdict(name, "wrong", one_line(slip))


def _slip(answer: Any, expectation: Callable[[Any], str | None]) -> str | None:
    with same_settings():  # those of this thread
        refuse_dots(answer, "replace the ...")
        return expectation(answer)


def _too_long(answer: Any, late: TimeIsUp) -> str:
    who = name_of(answer) if callable(answer) else "checking the answer"
    where = line_in(late.__cause__, answer)
    if late.stopped:
        return f"{who} was {late}{where}: does its loop end?"
    return f"{who} was {late} and cannot be stopped: restart the kernel. Does its loop end?"


def number(
    expected: float,
    *,
    atol: float = 0.0,
    rtol: float = 1e-6,
    slips: Mapping[float, str] | None = None,
    near: tuple[float, str] | None = None,
    right: str | None = None,
) -> Expectation:
    """Expect one number within ``max(atol, rtol * |expected|)``.

    Integers are compared exactly, however large, and a tensor or an array with one element is a
    number too. `slips` says in words what a wrong number stands for; it is recognised within the
    tolerance or 0.4 %, whichever is less. `near` is a distance and what to say of a wrong number
    that no slip explains and that lies no farther from the expected one.

    Raises
    ------
    TypeError, ValueError
        If expected or a slip is no finite number, a tolerance is negative, near is no pair of a
        distance and words, or a slip lies within the tolerance of the expected number.

    Examples
    --------
    >>> spread = {16: "that is the spread, the question asks for the mean"}
    >>> dropped = number(512, atol=1, slips=spread, near=(64, "is it from one draw?"))
    >>> check("1.2", 16, dropped)
    1.2 not yet: 16: that is the spread, the question asks for the mean
    >>> check("1.2", 500, dropped), check("1.2", 700, dropped)
    (1.2 not yet: 500 is near: is it from one draw?, 1.2 not yet: 700 is too large)
    """
    least, relative = (Fraction(not_negative(v, w)) for v, w in ((atol, "atol"), (rtol, "rtol")))
    goal = _finite(expected, "expected")
    named = {_finite(value, "a slip"): words for value, words in (slips or {}).items()}
    if near is not None and not (isinstance(near, tuple) and len(near) == 2):
        raise TypeError(f"near must be a pair of a distance and words, got {quoted(near)}")
    distance = not_negative(near[0], "the distance in near") if near else 0.0

    def close(value: Fraction, to: Fraction, atol: Fraction) -> bool:
        return abs(value - to) <= max(atol, relative * abs(to))

    for value in named:
        if close(value, goal, least):
            raise ValueError(f"{named[value]!r} is within the tolerance of {expected}")

    def slip(answer: Any) -> str | None:
        value = _exact(answer)
        if close(value, goal, least):
            return None
        for other in sorted(named, key=lambda other: abs(value - other)):
            if close(value, other, min(least, abs(other) / 250)):
                return f"{_shown(answer)}: {named[other]}"
        if near and abs(value - goal) <= distance:
            return f"{_shown(answer)} is near: {near[1]}"
        return f"{_shown(answer)} is too {'small' if value < goal else 'large'}"

    return Expectation(slip, _shown(expected) if right is None else right)


def array(
    expected: ArrayLike,
    *,
    atol: float = 1e-8,
    rtol: float = 1e-5,
    slips: Sequence[tuple[ArrayLike, str]] = (),
    right: str = "",
) -> Expectation:
    """Expect an array, list or tensor of this shape, close to `expected` as in `np.allclose`.

    `slips` are pairs of a wrong array and what it stands for in words.

    Examples
    --------
    >>> mean = array([0.7, 0.2], slips=[([0.3, 0.8], "p and 1 − p swapped?")], right="1 − p")
    >>> check("1.3", [0.3, 0.8], mean)
    1.3 not yet: p and 1 − p swapped?
    >>> check("1.3", [0.7, 0.5], mean)
    1.3 not yet: 1 of 2 values is off, the first at (1,): 0.5
    """
    atol, rtol = not_negative(atol, "atol"), not_negative(rtol, "rtol")
    goal = real_array(expected, "expected").astype(float)

    def slip(answer: Any) -> str | None:
        values = as_array(answer, goal.shape)
        relative = precision(answer, rtol)
        off = ~np.isclose(values, goal, atol=atol, rtol=relative)
        if not off.any():
            return None
        for wrong, words in slips:
            same_shape = np.shape(wrong) == goal.shape
            if same_shape and np.allclose(values, wrong, atol=atol, rtol=relative):
                return words
        where = tuple(int(i) for i in np.argwhere(off)[0])
        is_off = "values is" if off.sum() == 1 else "values are"
        return f"{off.sum()} of {off.size} {is_off} off, the first at {where}: {values[where]:.6g}"

    return Expectation(slip, right)


def _finite(value: Any, name: str) -> Fraction:
    """Return a number of the exercise's author as a fraction."""
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {quoted(value)}")
    try:
        return _exact(value)
    except Slip:
        raise ValueError(f"{name} must be a finite number, got {quoted(value)}") from None


def _exact(value: Any) -> Fraction:
    """Turn any one number into a fraction: floats and whole numbers of any size compare exactly."""
    if value is None or callable(value) or isinstance(value, str | bool | np.bool_):
        raise Slip(f"the answer is {describe(value)}, expected a number")
    if isinstance(value, tuple) and len(value) == 2 and all(type(part) is int for part in value):
        point = f"{value[0]}.{value[1]}"
        raise Slip(
            f"the answer is a tuple of 2, expected one number: a decimal comma? Write {point}"
        )
    if isinstance(value, int | np.integer):
        return Fraction(int(value))
    if isinstance(value, Fraction):
        return value
    found = as_array(float(value) if isinstance(value, Decimal) else value, wanted="a number")
    if found.size != 1:
        raise Slip(f"the answer is {describe(value)}, expected one number")
    return Fraction(found.item())


def _shown(value: Any) -> str:
    """Show up to six digits of a number, and whole numbers in full unless they are very long."""
    if isinstance(value, int):
        return describe(value)
    return f"{float(_exact(value)):.6g}"
