"""The three quantities that the argument was about, each with dropout over without."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse import _validate as check


@dataclass(frozen=True)
class Ratio:
    """A measured number with dropout over the same without, and its standard error.

    Examples
    --------
    >>> Ratio(0.97, 0.01).kept, Ratio(0.5, 0.01).kept
    (True, False)
    """

    value: float
    error: float

    @property
    def kept(self) -> bool:
        """Whether 1 lies within four standard errors."""
        return abs(self.value - 1) <= 4 * self.error + 1e-12

    def __str__(self) -> str:
        return rounded(self.value, self.error)


def ratios(without: Any, dropped: Any) -> tuple[Ratio, Ratio, Ratio]:
    """Measure what each party of the argument spoke of, as with dropout over without.

    Parameters
    ----------
    without, dropped : arrays of float, shape (n,), n >= 2
        The neuron's output in n simulations, before any ReLU.

    Returns
    -------
    three Ratio
        The mean given weights and inputs (the slope of `dropped` against `without`, through 0);
        the standard deviation over all simulations; the mean after a ReLU.

    Raises
    ------
    TypeError, ValueError
        If the arrays are not what they must be, or nothing is above 0 in `without`.

    Notes
    -----
    Standard errors by the delta method. Given weights and inputs, the mean over all masks is
    a fixed fraction of the output without dropout, and that fraction is the slope.

    Examples
    --------
    >>> [ratio.value for ratio in ratios([-1.0, 1.0, 2.0], [-0.5, 0.5, 1.0])]
    [0.5, 0.5, 0.5]
    """
    y, d = check.real_array(without, "without"), check.real_array(dropped, "dropped")
    if y.shape != d.shape or y.ndim != 1 or len(y) < 2:
        shapes = f"{y.shape} and {d.shape}"
        raise ValueError(f"without and dropped must be two 1-D arrays of one length, got {shapes}")
    if not (y > 0).any() or np.ptp(y) == 0:
        raise ValueError("without must have outputs above 0, not all equal")
    slope = (d @ y) / (y @ y)
    of_slope = (d - slope * y) * y / np.mean(y**2)
    y2, d2 = (y - y.mean()) ** 2, (d - d.mean()) ** 2
    spread = np.sqrt(d2.mean() / y2.mean())
    of_spread = (d2 - spread**2 * y2) / (2 * y2.mean() * max(spread, 1e-300))
    ry, rd = np.maximum(y, 0), np.maximum(d, 0)
    rectified = rd.mean() / ry.mean()
    of_rectified = (rd - rectified * ry) / ry.mean()
    influences = (slope, of_slope), (spread, of_spread), (rectified, of_rectified)
    root = np.sqrt(len(y))
    first, second, third = (Ratio(float(v), float(i.std() / root)) for v, i in influences)
    return first, second, third


def rounded(value: float, spread: float) -> str:
    """Write a value and its spread with the digits that the spread supports.

    Examples
    --------
    >>> rounded(-1.23456, 0.012), rounded(1, 0)
    ('−1.235 ± 0.012', '1 exactly')
    """
    if spread < 1e-9:
        return f"{value + 0.0:.3g} exactly"
    digits = max(0, 1 - int(np.floor(np.log10(spread) + 0.7)))
    shown = f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
    return f"{shown} ± {spread:.{digits}f}"
