"""The closed forms behind Walter's simulation, and the settings that they hold for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from dlcourse import _validate as check

LARGEST_FAN_IN = 10**7
MEAN_INPUT = 1 / np.sqrt(2 * np.pi)  # of relu(z)
SQUARED_INPUT = 1 / 2  # mean of relu(z)²


@dataclass(frozen=True)
class Statistics:
    """What the simulation measures at each p and fan-in; four arrays (len(p), len(fan_in)).

    Examples
    --------
    >>> theory(10, 0.5).output_std_ratio.round(3)
    array([[0.707]])
    """

    mean: np.ndarray  # of the difference: output with dropout minus output without
    std: np.ndarray  # of the difference
    output_std_ratio: np.ndarray  # std of the output with dropout / std without
    output_mean: np.ndarray  # of the output with dropout


def theory(
    fan_in: Any,
    p: Any,
    *,
    weight_mean: float = 0.0,
    weight_std: float = 1.0,
    scaled: bool = False,
    relu: bool = False,
) -> Statistics:
    """Return what the simulation measures on average, in closed form.

    Exact without `relu`. With it the outputs are taken as Gaussian, which is good for many
    inputs that are kept. There is no closed form here, and nan, for the std of the
    difference after a ReLU where `weight_mean` is not 0.

    Parameters
    ----------
    fan_in, p, weight_mean, weight_std, scaled, relu
        Those of `walter_simulation`.

    Returns
    -------
    Statistics, with arrays of shape (len(p), len(fan_in))

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The inputs have the mean 1/√(2π) and the mean square 1/2. Two outputs rectified: the
    arc-cosine kernel of order 1, Cho and Saul 2009, NIPS 22, equation 6.

    Examples
    --------
    >>> theory(100, [0.2, 0.5]).std.round(2)  # √(N p / 2)
    array([[3.16],
           [5.  ]])
    """
    ns, ps = fan_ins(fan_in), probabilities(p)
    mu, sigma = weights(weight_mean, weight_std)
    check.flag(scaled, "scaled")
    check.flag(relu, "relu")
    keep, scale = (1 - ps)[:, None], scales(ps, scaled)[:, None]
    squared = (mu**2 + sigma**2) * SQUARED_INPUT  # of a weight times an input, mean square
    mean, sd = _sum_of(ns, mu * MEAN_INPUT, squared)
    mean_p, sd_p = _sum_of(ns, scale * keep * mu * MEAN_INPUT, scale**2 * keep * squared)
    off = scale**2 * keep - 2 * scale * keep + 1  # mean of (scale · kept − 1)²
    _, sd_difference = _sum_of(ns, (scale * keep - 1) * mu * MEAN_INPUT, off * squared)
    if relu:
        sd_difference = _rectified_difference_sd(sd, sd_p, keep) if mu == 0 else np.nan
        mean, sd = _rectified(mean, sd)
        mean_p, sd_p = _rectified(mean_p, sd_p)
    found = mean_p - mean, sd_difference, sd_p / sd, mean_p
    return Statistics(*(np.array(np.broadcast_to(f, (ps.size, ns.size)), float) for f in found))


def _sum_of(n: Any, mean: Any, squared: Any) -> tuple[Any, Any]:
    """Return mean and std of a sum of n independent terms with this mean and mean square."""
    return n * mean, np.sqrt(n * np.maximum(squared - np.square(mean), 0))


def _rectified(mean: Any, sd: Any) -> tuple[Any, Any]:
    """Return mean and std of relu(y) for y ~ N(mean, sd²)."""
    sd = np.maximum(sd, np.finfo(float).tiny)
    below = ndtr(mean / sd)
    peak = np.exp(-0.5 * (mean / sd) ** 2) / np.sqrt(2 * np.pi)
    first = mean * below + sd * peak
    second = (mean**2 + sd**2) * below + mean * sd * peak
    return first, np.sqrt(np.maximum(second - first**2, 0))


def _rectified_difference_sd(sd: Any, sd_p: Any, keep: Any) -> Any:
    """Return the std of relu(y') − relu(y) for Gaussians of mean 0 with correlation √keep."""
    angle = np.arccos(np.sqrt(keep))
    together = sd * sd_p * (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / (2 * np.pi)
    squared = (sd**2 + sd_p**2) / 2 - 2 * together
    return np.sqrt(np.maximum(squared - (sd_p - sd) ** 2 / (2 * np.pi), 0))


def scales(ps: np.ndarray, scaled: bool) -> np.ndarray:
    """Return what kept inputs are multiplied by; 1 at p = 1, where none is kept."""
    ones = np.ones(ps.size)
    return np.divide(1, 1 - ps, out=ones, where=ps < 1) if scaled else ones


def fan_ins(fan_in: Any) -> np.ndarray:
    """Return `fan_in` as a 1-D array if it is what it must be."""
    rule = f"fan_in must be an int from 1 to {LARGEST_FAN_IN}, or a 1-D array of them"
    try:
        array = np.atleast_1d(np.asarray(fan_in))
    except Exception:
        raise TypeError(f"{rule}, got {check.quoted(fan_in)}") from None
    if array.dtype.kind not in "iu" and array.size:
        raise TypeError(f"{rule}, got {check.quoted(fan_in)}")
    if array.ndim != 1 or not array.size or array.min() < 1 or array.max() > LARGEST_FAN_IN:
        raise ValueError(f"{rule}, got {check.quoted(fan_in)}")
    return array.astype(np.int64)


def probabilities(p: Any) -> np.ndarray:
    """Return `p` as a 1-D array if it is what it must be."""
    ps = p if check.many(p) else [p]
    if len(ps) == 0 or any(check.many(one) for one in ps):
        raise ValueError(f"p must be one probability or a 1-D array, got {check.quoted(p)}")
    return np.array([check.probability(one) for one in ps])


def weights(mean: Any, std: Any) -> tuple[float, float]:
    """Return `weight_mean` and `weight_std` as floats if they are what they must be."""
    sigma = check.positive(std, "weight_std")
    told = check.quoted(mean)
    rule = f"weight_mean must be a number, at most a million weight_std in size, got {told}"
    if isinstance(mean, bool) or not isinstance(mean, int | float | np.integer | np.floating):
        raise TypeError(rule)
    size: Any = abs(mean)
    if not size <= 1e6 * sigma:
        raise ValueError(rule)
    return float(mean), sigma
