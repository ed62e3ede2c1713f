"""Means and paired differences over seeds, always with an interval and the number of seeds."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, log10
from typing import Any

import numpy as np
from scipy import stats

from dlcourse import _validate as check


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and the interval that holds the true one with the stated confidence.

    Examples
    --------
    >>> Interval(mean=0.0971, half_width=0.0123, seeds=8)
    0.097 ± 0.012 (95 % interval, 8 seeds)
    """

    mean: float
    half_width: float
    seeds: int
    confidence: float = 0.95

    @property
    def low(self) -> float:
        """The lower end."""
        return self.mean - self.half_width

    @property
    def high(self) -> float:
        """The upper end."""
        return self.mean + self.half_width

    def __repr__(self) -> str:
        return f"{self._numbers('')} ({self._interval()}, {self.seeds} seeds)"

    def _interval(self) -> str:
        return f"{100 * self.confidence:.3g} % interval"

    def _numbers(self, sign: str) -> str:
        """Write as many digits as the interval supports: two of its own."""
        # 1e-4: beyond what a mean of accuracies can mean, and 0 where all seeds agree.
        digits = max(0, 1 - floor(log10(max(self.half_width, 1e-4))))
        return f"{self.mean:{sign}.{digits}f} ± {self.half_width:.{digits}f}"


@dataclass(frozen=True, repr=False)
class Difference(Interval):
    """The mean of paired differences between two settings, a - b.

    Examples
    --------
    >>> Difference(mean=-0.031, half_width=0.034, seeds=8)
    -0.031 ± 0.034 (95 % interval, 8 paired seeds): no difference seen
    """

    @property
    def verdict(self) -> str:
        """What the interval says: "higher", "lower" or "no difference seen"."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "no difference seen"

    def __repr__(self) -> str:
        return (
            f"{self._numbers('+')} ({self._interval()}, {self.seeds} paired seeds): {self.verdict}"
        )


def mean_interval(values: Any, confidence: float = 0.95) -> Interval:
    """Return the mean of one number for each seed, with Student's interval.

    Parameters
    ----------
    values : array of float (seeds,), at least two
    confidence : float in (0, 1)

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two values, or one is no finite number.

    Notes
    -----
    Student 1908, Biometrika 6: mean ± t · sd / √n, with n - 1 degrees of freedom.

    Examples
    --------
    >>> mean_interval([0.91, 0.93, 0.95])
    0.930 ± 0.050 (95 % interval, 3 seeds)
    """
    array, confidence = _one_a_seed(values, "values"), _confidence(confidence)
    return Interval(*_student(array, confidence), confidence)


def paired_difference(a: Any, b: Any, confidence: float = 0.95) -> Difference:
    """Return the mean of a - b over seeds, with Student's interval for paired samples.

    Parameters
    ----------
    a, b : arrays of float (seeds,), one number for each seed, in the same order of seeds
    confidence : float in (0, 1)

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two seeds, not as many in b as in a, or a number is not finite.

    Notes
    -----
    Student 1908, Biometrika 6. Pairing takes out what two settings of one seed share: their first
    weights, their batches, their wrong labels.

    Examples
    --------
    >>> paired_difference([0.91, 0.93, 0.95], [0.81, 0.84, 0.85])
    +0.097 ± 0.014 (95 % interval, 3 paired seeds): higher
    """
    first, second = _one_a_seed(a, "a"), _one_a_seed(b, "b")
    if len(first) != len(second):
        raise ValueError(
            "a and b must hold one number for each seed, in the same order, "
            f"got {len(first)} and {len(second)} numbers"
        )
    confidence = _confidence(confidence)
    return Difference(*_student(first - second, confidence), confidence)


def half_width(values: np.ndarray, axis: int = 0, confidence: float = 0.95) -> np.ndarray:
    """Return half the width of Student's interval of each mean over the axis of the seeds.

    Parameters
    ----------
    values : array of float, at least two along the axis
    axis : int, where the seeds are
    confidence : float in (0, 1)

    Returns
    -------
    array of the shape of values without that axis

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or there are fewer than two seeds.

    Notes
    -----
    Student 1908, as in `mean_interval`, for many means at once.

    Examples
    --------
    >>> half_width(np.array([[0.91], [0.93], [0.95]])).round(3)
    array([0.05])
    """
    values, confidence = check.real_array(values, "values"), _confidence(confidence)
    n = values.shape[check.integer(axis, "axis", -values.ndim, values.ndim - 1)]
    if n < 2:
        rule = "values must hold a number for each of at least 2 seeds"
        raise ValueError(f"{rule}, got shape {values.shape} with the seeds along axis {axis}")
    t = stats.t.ppf(0.5 + confidence / 2, df=n - 1)
    return np.asarray(t * values.std(axis=axis, ddof=1) / n**0.5)


def _student(values: np.ndarray, confidence: float) -> tuple[float, float, int]:
    return float(values.mean()), float(half_width(values, confidence=confidence)), len(values)


def _confidence(value: Any) -> float:
    confidence = check.probability(value, "confidence")
    if confidence in (0, 1):
        raise ValueError(f"confidence must lie between 0 and 1, got {check.quoted(value)}")
    return confidence


def _one_a_seed(values: Any, name: str) -> np.ndarray:
    array = check.real_array(values, name).astype(float)
    rule = f"{name} must hold one finite number for each of at least 2 seeds"
    if array.ndim != 1 or len(array) < 2:
        raise ValueError(f"{rule}, got shape {array.shape}: {check.quoted(values)}")
    if not np.isfinite(array).all():
        raise ValueError(f"{rule}, got {check.quoted(values)}")
    return array
