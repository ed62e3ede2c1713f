"""Lesson 05, Walter's simulation: what dropout before a neuron does to the neuron's output.

One neuron adds up N inputs times their weights. The inputs are rectified, relu(z) with
z ~ N(0, 1), and dropout acts on them. `p` is the probability of dropping.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from time import monotonic
from typing import Any

import numpy as np
from matplotlib import colormaps
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.special import ndtr

from dlcourse import _validate as check
from dlcourse import live, style
from dlcourse.answers import Slip, as_array, call, fixed_randomness, returned_by
from dlcourse.checks import Expectation, number
from dlcourse.film import Show

BLOCK = 2**16  # inputs drawn at a time: bounds the memory, and fits into a processor's cache
LARGEST_FAN_IN = 10**7
PATIENCE = 3.0  # seconds before the progress is told

MEAN_INPUT = 1 / np.sqrt(2 * np.pi)  # of relu(z)
SQUARED_INPUT = 1 / 2  # mean of relu(z)²


SIMULATIONS = 1000  # in the panel
FAN_INS = (10, 30, 100, 300, 1000)
WEIGHT_MEANS = (0.0, 0.1, 0.5)
OUTPUTS = ("unscaled", "inverted", "unscaled, after ReLU", "inverted, after ReLU")
PARTIES = ("mean, given the weights", "standard deviation", "mean after the next ReLU")


# --- what is computed


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


@dataclass(frozen=True)
class WalterResult(Statistics):
    """Walter's simulation: what was measured, its standard errors, and the closed forms.

    Examples
    --------
    >>> result = walter_simulation(100, [0.0, 0.5], rng=0)
    >>> result.mean.shape, bool(abs(result.mean[1, 0]) < 4 * result.error.mean[1, 0])
    ((2, 1), True)
    """

    fan_in: np.ndarray
    p: np.ndarray
    n_simulations: int
    error: Statistics  # one standard error of each measured number
    theory: Statistics  # nan where there is no closed form, see `theory`


def walter_simulation(
    fan_in: Any,
    p: Any,
    n_simulations: int = 1000,
    *,
    weight_mean: float = 0.0,
    weight_std: float = 1.0,
    scaled: bool = False,
    relu: bool = False,
    rng: Any = None,
) -> WalterResult:
    """Simulate one neuron's output with and without dropout of its inputs.

    Every simulation draws new inputs relu(z), z ~ N(0, 1), new weights and a new mask. All p share
    these draws, and a neuron of fan-in N has the first N inputs of one with more. Memory does
    not grow with the number of simulations; one that takes long tells its progress on stderr.

    Parameters
    ----------
    fan_in : int or 1-D array of int, from 1 to 10 million, the number of inputs
    p : float or 1-D array of float in [0, 1], the probability of dropping (to within 2**-24)
    n_simulations : int >= 2
    weight_mean, weight_std : float, of the normal weights; weight_std > 0
    scaled : bool, whether the kept inputs are divided by 1 - p (inverted dropout)
    relu : bool, whether the neuron's output is rectified too, with and without dropout
    rng : None, int seed or numpy.random.Generator

    Returns
    -------
    WalterResult, with arrays of shape (len(p), len(fan_in))

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    relu(z) is 0 for half of the inputs. They add nothing, with dropout or without, so only the
    others are drawn; how many there are is Binomial(fan-in, 1/2). `plain_walter_simulation` is
    the readable loop. The scale of inverted dropout: Srivastava et al. 2014, JMLR 15, section 10.

    Examples
    --------
    >>> result = walter_simulation([10, 1000], 0.5, rng=0)
    >>> result.theory.std.round(2)
    array([[ 1.58, 15.81]])
    >>> bool((abs(result.std - result.theory.std) < 4 * result.error.std).all())
    True
    """
    ns, ps = _fan_ins(fan_in), _probabilities(p)
    total, rng = _count(n_simulations, "n_simulations", 2), check.generator(rng)
    expected = theory(
        ns, ps, weight_mean=weight_mean, weight_std=weight_std, scaled=scaled, relu=relu
    )
    ordered, place = np.unique(ns, return_inverse=True)
    gaps = np.diff(ordered, prepend=0)
    full = theory(ns, 0, weight_mean=weight_mean, weight_std=weight_std, relu=relu).output_mean
    sums = _Sums(expected, full, weight_std)
    rows = max(1, BLOCK // max(int(ordered[-1]), ns.size * (ps.size + 1)))
    for block in _told(_blocks(total, rows), total):
        draws = _draw(rng, block, gaps, weight_mean / weight_std)
        outputs = np.stack([draws.output(q) for q in (0.0, *ps)])[:, place]
        outputs[1:] *= _scales(ps, scaled)[:, None, None]
        sums.add(np.maximum(outputs, 0) if relu else outputs)
    measured, error = sums.statistics(total)
    return WalterResult(
        **vars(measured), fan_in=ns, p=ps, n_simulations=total, error=error, theory=expected
    )


def plain_walter_simulation(
    fan_in: Any,
    p: Any,
    n_simulations: int = 1000,
    *,
    weight_mean: float = 0.0,
    weight_std: float = 1.0,
    scaled: bool = False,
    relu: bool = False,
    rng: Any = None,
) -> Statistics:
    """Simulate the readable way, one neuron after the other: what `walter_simulation` must equal.

    Equal in distribution, that is. Parameters, errors and source are those of
    `walter_simulation`; the result has no standard errors and no theory.

    Examples
    --------
    >>> plain_walter_simulation([10, 30], [0.2, 0.5, 0.8], 10, rng=0).mean.shape
    (3, 2)
    """
    ns, ps = _fan_ins(fan_in), _probabilities(p)
    total, rng = _count(n_simulations, "n_simulations", 2), check.generator(rng)
    _check_setting(weight_mean, weight_std, scaled, relu)
    found = []
    for q, n in product(ps, ns):
        scale = 1 / (1 - q) if scaled and q < 1 else 1.0
        without, dropped = np.empty(total), np.empty(total)
        for i in range(total):
            x = np.maximum(rng.standard_normal(n), 0)
            w = rng.normal(weight_mean, weight_std, n)
            kept = rng.random(n) >= q
            without[i] = w @ x
            dropped[i] = w @ (x * kept * scale)
        if relu:
            without, dropped = np.maximum(without, 0), np.maximum(dropped, 0)
        difference = dropped - without
        ratio = dropped.std() / without.std()
        found.append((difference.mean(), difference.std(ddof=1), ratio, dropped.mean()))
    return Statistics(*np.transpose(found).reshape(4, len(ps), len(ns)))


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
    ns, ps = _fan_ins(fan_in), _probabilities(p)
    mu, sigma = _check_setting(weight_mean, weight_std, scaled, relu)
    keep, scale = (1 - ps)[:, None], _scales(ps, scaled)[:, None]
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


@dataclass(frozen=True)
class _Draws:
    """Random numbers of some simulations, in one row: only of inputs above 0.

    Each stretch, one for every simulation and gap between fan-ins, begins with a term 0, because
    `reduceat` makes no empty sums.
    """

    terms: np.ndarray  # (inputs,), weight times input
    u: np.ndarray  # (inputs,), uniform: an input is kept where u >= p
    starts: np.ndarray  # of the stretches
    shape: tuple[int, int]  # simulations, gaps

    def output(self, p: float) -> np.ndarray:
        """Return the unscaled outputs for a p, shape (fan-ins, simulations)."""
        sums = np.add.reduceat(self.terms * (self.u >= float(p)), self.starts)
        return np.cumsum(sums.reshape(self.shape).T, axis=0, dtype=float)


def _draw(rng: np.random.Generator, rows: int, gaps: np.ndarray, weight_mean: float) -> _Draws:
    """Draw `rows` simulations; weights have the standard deviation 1."""
    lengths = 1 + rng.binomial(gaps, 0.5, size=(rows, gaps.size)).ravel()
    ends = np.cumsum(lengths)
    terms = rng.standard_normal(ends[-1], dtype=np.float32)
    if weight_mean:
        terms += np.float32(weight_mean)
    terms *= abs(rng.standard_normal(ends[-1], dtype=np.float32))
    terms[ends - lengths] = 0
    u = rng.random(ends[-1], dtype=np.float32)
    return _Draws(terms, u, ends - lengths, (rows, gaps.size))


class _Sums:
    """Sums of powers over the simulations, about the theoretical means, so that nothing cancels."""

    def __init__(self, expected: Statistics, full: np.ndarray, unit: float) -> None:
        self._unit = unit  # of the outputs that are added
        outputs = np.concatenate([full, expected.output_mean])
        # Dropout's outputs and the full one, then the differences: (1 + 2 len(p), len(fan_in)).
        self._about = np.concatenate([outputs, expected.mean]) / unit
        self._powers = np.zeros((4, *self._about.shape))
        self._cross = np.zeros(expected.mean.shape)

    def add(self, outputs: np.ndarray) -> None:
        """Add outputs of shape (1 + len(p), len(fan_in), simulations), the full one first."""
        n = len(outputs)
        off = np.concatenate([outputs, outputs[1:] - outputs[0]]) - self._about[:, :, None]
        power = off.copy()
        for sums in self._powers:
            sums += power.sum(axis=-1)
            power *= off
        self._cross += (off[1:n] ** 2 * off[0] ** 2).sum(axis=-1)

    def statistics(self, total: int) -> tuple[Statistics, Statistics]:
        """Return what was measured in so many simulations, and its standard errors."""
        t1, t2, t3, t4 = self._powers / total
        variance = np.maximum(t2 - t1**2, 0)
        fourth = t4 - 4 * t1 * t3 + 6 * t1**2 * t2 - 3 * t1**4
        mean, std = self._about + t1, np.sqrt(variance * total / (total - 1))
        with np.errstate(invalid="ignore", divide="ignore"):
            spread = np.where(variance > 0, fourth / variance**2 - 1, 0)  # of a square, relative
            n = len(self._cross) + 1
            ratio = std[1:n] / std[0]
            both = np.where(
                variance[1:n] > 0, self._cross / total / (variance[1:n] * variance[0]) - 1, 0
            )
        spread_of_ratio = np.maximum(spread[1:n] + spread[0] - 2 * both, 0)
        mean_error = std / np.sqrt(total)
        std_error = std * np.sqrt(np.maximum(spread, 0) / (4 * total))
        ratio_error = ratio * np.sqrt(spread_of_ratio / (4 * total))
        unit = self._unit
        return (
            Statistics(mean[n:] * unit, std[n:] * unit, ratio, mean[1:n] * unit),
            Statistics(
                mean_error[n:] * unit, std_error[n:] * unit, ratio_error, mean_error[1:n] * unit
            ),
        )


def _scales(ps: np.ndarray, scaled: bool) -> np.ndarray:
    """Return what kept inputs are multiplied by; 1 at p = 1, where none is kept."""
    return np.where(ps < 1, 1 / np.maximum(1 - ps, 1e-300), 1.0) if scaled else np.ones(ps.size)


def _blocks(total: int, rows: int) -> Iterator[int]:
    for start in range(0, total, rows):
        yield min(rows, total - start)


def _told(blocks: Iterator[int], total: int) -> Iterator[int]:
    """Pass the blocks on, and tell on stderr how far they are once it takes long."""
    begin = last = monotonic()
    done, told = 0, False
    try:
        for block in blocks:
            yield block
            done, now = done + block, monotonic()
            if now - begin > PATIENCE and (now - last > 0.5 or done == total):
                left = (now - begin) * (total - done) / done
                line = f"\rWalter's simulation: {done / total:4.0%}, {left:.0f} s left   "
                print(line, end="", file=sys.stderr, flush=True)
                last, told = now, True
    finally:
        if told:
            print(file=sys.stderr, flush=True)


# --- what is accepted


def _fan_ins(fan_in: Any) -> np.ndarray:
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


def _probabilities(p: Any) -> np.ndarray:
    many = isinstance(p, list | tuple | range) or (isinstance(p, np.ndarray) and p.ndim)
    if many and (np.ndim(p) != 1 or not len(p)):
        raise ValueError(f"p must be one probability or a 1-D array, got {check.quoted(p)}")
    return np.array([check.probability(one) for one in (p if many else [p])])


def _count(value: Any, name: str, low: int) -> int:
    rule = f"{name} must be an int of {low} or more, got {check.quoted(value)}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(rule)
    if value < low:
        raise ValueError(rule)
    return int(value)


def _check_setting(mean: Any, std: Any, scaled: Any, relu: Any) -> tuple[float, float]:
    sigma = check.positive(std, "weight_std")
    told = check.quoted(mean)
    rule = f"weight_mean must be a number, at most a million weight_std in size, got {told}"
    if isinstance(mean, bool) or not isinstance(mean, int | float | np.integer | np.floating):
        raise TypeError(rule)
    size: Any = abs(mean)
    if not size <= 1e6 * sigma:
        raise ValueError(rule)
    check.flag(scaled, "scaled")
    check.flag(relu, "relu")
    return float(mean), sigma


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


# --- what is drawn


def draw_differences(ax: Axes, result: WalterResult) -> None:
    """Draw Walter's picture: fan-in across, the difference up, bars of one standard deviation.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    result : WalterResult, with increasing fan-ins

    Examples
    --------
    >>> ax = Figure().subplots()
    >>> draw_differences(ax, walter_simulation([10, 100], [0.2, 0.8], 50, rng=0))
    >>> ax.get_xlabel()
    'N, inputs of the neuron'
    """
    colours = colormaps["cividis"](np.linspace(0, 0.85, len(result.p)))
    right = result.fan_in[-1]
    for i, (p, colour) in enumerate(zip(result.p, colours, strict=True)):
        x = result.fan_in + 0.012 * right * (i - (len(result.p) - 1) / 2)  # side by side
        mean, std = result.mean[i], result.std[i]
        ax.errorbar(x, mean, std, color=colour, linewidth=1, elinewidth=2, marker="o", markersize=3)
        ax.plot(x, std, color=colour, linewidth=1.5)
        ax.plot(x, result.theory.std[i], "--", color=style.WITHOUT, linewidth=1)
        words = f"p = {p:g}" if p == result.p[-1] else f"{p:g}"
        ax.text(1.04 * right, std[-1], words, **style.text_style(11, va="center", color=colour))
    ax.set_xlim(0, 1.14 * right)
    style.tidy(ax, "", "N, inputs of the neuron", "output with − without")


def scene(figure: Figure, seed: int, fan_in: int, weight_mean: float, output: str) -> Show:
    """Draw the outputs with and without dropout, and what of them is kept."""
    left = figure.add_axes((0.07, 0.26, 0.41, 0.62))
    right = figure.add_axes((0.54, 0.16, 0.44, 0.72))
    scaled, relu = output.startswith("inverted"), output.endswith("ReLU")
    draws = _draw(np.random.default_rng(seed), SIMULATIONS, np.array([fan_in]), weight_mean)
    without = draws.output(0.0)[0]
    show_outputs = _draw_outputs(left, without, scaled, relu)
    show_ratios = _draw_ratios(right)
    caption = style.caption(figure)

    def show(p: float) -> list[Artist]:
        dropped = draws.output(p)[0] * _scales(np.array([p]), scaled)[0]
        outputs, found = show_outputs(dropped)
        caption.set_text(f"p = {p:.2f}: {found} (mean ± std of {SIMULATIONS:,} simulations)")
        return [*outputs, *show_ratios(ratios(without, dropped)), caption]

    return show


def _draw_outputs(
    ax: Axes, without: np.ndarray, scaled: bool, relu: bool
) -> Callable[[np.ndarray], tuple[list[Artist], str]]:
    """Draw the outputs without dropout; return what shows those with it, and says the numbers."""
    middle, reach = without.mean(), 5 * without.std()
    low, high = (0, middle + reach) if relu else (min(middle - reach, -0.5 * reach), middle + reach)
    edges = np.linspace(low, high, 41)
    if relu:
        without = np.maximum(without, 0)
    title = style.tidy(ax, "", "output of the neuron", "how often (peak = 1)")
    ax.set(xlim=(low, high), ylim=(0, 1.45))
    ax.set_yticks([0, 0.5, 1])
    ax.set_xticks([tick for tick in ax.get_xticks() if low <= tick <= high])
    heights, _, _ = _heights(without, edges, relu)
    colour = style.RESCALED if scaled else style.KEPT
    filled = ax.stairs(np.zeros(40), edges, fill=True, facecolor=colour, alpha=0.75)
    outline = ax.stairs(heights, edges, color=style.WITHOUT, linewidth=1.4)
    end = high - 0.01 * (high - low)
    for y, words, ink in (
        (1.39, "without dropout", style.WITHOUT),
        (1.26, "with dropout", "#9A6A00" if scaled else colour),
    ):
        ax.text(end, y, words, **style.text_style(11, ha="right", va="top", color=ink))
    note = ax.text(low + 0.02 * (high - low), 1.39, "", **style.text_style(10, ha="left", va="top"))
    before = _rounded(without.mean(), without.std())

    def show(dropped: np.ndarray) -> tuple[list[Artist], str]:
        dropped = np.maximum(dropped, 0) if relu else dropped
        heights, zero, outside = _heights(dropped, edges, relu)
        filled.set_data(heights)
        at_zero = f"at 0: {zero} with dropout" if zero else ""
        note.set_text(f"outside: {outside}" if outside else at_zero)
        moved = dropped - without
        title.set_text(f"mean moves by {_rounded(moved.mean(), moved.std() / len(moved) ** 0.5)}")
        words = f"without dropout {before}, with {_rounded(dropped.mean(), dropped.std())}"
        return [filled, outline, note, title], words

    return show


def _heights(outputs: np.ndarray, edges: np.ndarray, relu: bool) -> tuple[np.ndarray, int, int]:
    """Return a histogram with peak 1, how many outputs are 0, and how many lie outside."""
    zero = outputs == 0
    counts, _ = np.histogram(outputs[~zero] if relu else outputs, edges)
    inside = counts.sum() + (zero.sum() if relu else 0)
    return counts / max(counts.max(), 1), int(zero.sum()), int(len(outputs) - inside)


def _draw_ratios(ax: Axes) -> Callable[[tuple[Ratio, Ratio, Ratio]], list[Artist]]:
    """Draw three gauges from 0 to 2.5 with 1 marked; return what shows three ratios."""
    title = style.blank(ax)
    ax.set(xlim=(0, 2.55), ylim=(-0.42, 3.0))
    rows = np.array([2.25, 1.25, 0.25])
    bars = ax.barh(rows, [1, 1, 1], height=0.36, color=style.KEPT)
    ax.barh(rows, 2.5, height=0.36, color="none", edgecolor=style.OUTLINE, linewidth=0.8)
    for row, name in zip(rows, PARTIES, strict=True):
        ax.text(0, row + 0.26, name, **style.text_style(11, ha="left", va="bottom"))
    ones = ax.vlines([1, 1, 1], rows - 0.22, rows + 0.22, color=style.WITHOUT, linewidth=1)
    ones.set_linestyle("--")
    ax.text(1, -0.02, "1 = kept", **style.text_style(10, ha="center", va="top"))
    texts = [
        ax.text(2.5, row + 0.26, "", **style.text_style(11, ha="right", va="bottom"))
        for row in rows
    ]

    def show(found: tuple[Ratio, Ratio, Ratio]) -> list[Artist]:
        for bar, text, ratio in zip(bars, texts, found, strict=True):
            bar.set_width(float(np.clip(ratio.value, 0, 2.5)))
            bar.set_facecolor(style.KEPT if ratio.kept else style.RESCALED)
            text.set_text(f"× {_rounded(ratio.value, ratio.error)}")
        kept = sum(ratio.kept for ratio in found)
        words = (
            "none of the three is kept",
            "one of the three is kept",
            "two of the three are kept",
        )
        title.set_text((*words, "all three are kept, within their errors")[kept])
        return [*bars, ones, *texts, title]

    return show


def _rounded(value: float, spread: float) -> str:
    """Write a value and its spread with the digits that the spread supports."""
    if spread < 1e-9:
        return f"{value + 0.0:.3g} exactly"
    digits = max(0, 1 - int(np.floor(np.log10(spread) + 0.7)))
    shown = f"{round(value, digits) + 0.0:.{digits}f}".replace("-", "−")
    return f"{shown} ± {spread:.{digits}f}"


# --- the panel


def panel(
    p: float = 0.5,
    seed: int = 0,
    fan_in: int = 100,
    weight_mean: float = 0.0,
    output: str = "unscaled",
) -> live.Panel:
    """Return the live panel of lesson 05: a neuron's outputs, and which of three numbers is kept.

    Parameters
    ----------
    p : float in [0, 1], in hundredths, the probability of dropping
    seed : int >= 0, of the inputs, weights and masks of 1,000 simulations
    fan_in : 10, 30, 100, 300 or 1000, the inputs of the neuron
    weight_mean : 0, 0.1 or 0.5, of the weights, whose standard deviation is 1
    output : "unscaled", "inverted", "unscaled, after ReLU" or "inverted, after ReLU"
        What the picture on the left shows. The scaling holds on the right as well.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> made = panel(p=0.2, output="inverted")
    >>> made
    walter.panel(p=0.2, seed=0, fan_in=100, weight_mean=0.0, output='inverted')
    >>> made.close()
    """
    controls = {
        "fan_in": live.choice("N", {f"{n:,} inputs": n for n in FAN_INS}, fan_in),
        "weight_mean": live.choice("weight mean", {f"{m:g}": m for m in WEIGHT_MEANS}, weight_mean),
        "output": live.choice("output", {name: name for name in OUTPUTS}, output),
    }
    return live.Panel(scene, controls, p=p, seed=seed, name="walter.panel")


# --- what the exercises expect

ratio_number = number(
    2,
    atol=0.01,
    slips={
        0.5: "that is √(1 − p), unscaled: inverted dropout also divides by 1 − p",
        4: "that is 1/(1 − p), what survivors are multiplied by: the std is in question",
        0.25: "that is 1 − p, the mean of unscaled dropout, given the weights",
        1: "that is the ratio of the means: the question asks for the standard deviation",
        (4 / 3) ** 0.5: "that is 1/√p: p and 1 − p swapped?",
        3**0.5: "that is √(p/(1 − p)), which belongs to the difference: take the output itself",
        0.75**0.5: "that is √p: p and 1 − p swapped, and not scaled?",
        16: "that is 1/(1 − p)²: is the share that survives, 1 − p, missing under the root?",
    },
    right="√(1 − p) / (1 − p) = 1/√(1 − p) = 2",
)

difference_number = number(
    3,
    atol=0.01,
    slips={
        9: "that is the variance: take its square root",
        15: "that is √(N p/2): is the standard deviation of the weights missing?",
        225: "that is N p/2: take the square root, times the standard deviation of the weights",
        18**0.5: "that is for inputs with mean square 1: after the ReLU it is 1/2",
        12**0.5: "that is the difference for inverted dropout: here nothing is scaled",
        27**0.5: "p and 1 − p swapped? It is also the std of the output with dropout",
        6: "that is the std of the output without dropout: is the factor √p missing?",
        1.5: "that has p in the place of √p: the variance is proportional to p",
        45: "the std of the weights stands under the root as it is: it must be squared there",
        45**0.5: "the std of the weights stands under the root as it is: it must be squared there",
    },
    right="0.2 · √(1800 · 0.25 / 2) = 3",
)

_CALLS, _INPUTS, _PS = 2000, 64, (0.3, 0.8)
# Std of what may be returned, over √N; the inputs have mean square 1/2, the weights std 1.
_DIFFERENCES: dict[str, Callable[[float], float]] = {
    "": lambda p: (p / 2) ** 0.5,
    "kept inputs are divided by 1 − p: here nothing is scaled": lambda p: (p / (2 - 2 * p)) ** 0.5,
    "p and 1 − p swapped, or is the output without dropout not subtracted?": lambda p: (
        ((1 - p) / 2) ** 0.5
    ),
    "are the inputs rectified? Take np.maximum(z, 0)": lambda p: p**0.5,
    "do both outputs have the same weights and inputs?": lambda p: (1 - p / 2) ** 0.5,
    "that is the output without dropout alone": lambda p: 0.5**0.5,
    "are the outputs divided by √N?": lambda p: (p / 2 / _INPUTS) ** 0.5,
    "are the outputs divided by N?": lambda p: (p / 2) ** 0.5 / _INPUTS,
}


def _difference_slip(answer: Any) -> str | None:
    found = {}
    with fixed_randomness(1) as rng:
        for p in _PS:
            values = np.array(
                [
                    as_array(call(answer, n=_INPUTS, p=p, rng=rng), (), returned_by(answer))
                    for _ in range(_CALLS)
                ]
            )
            if np.ptp(values) == 0:
                raise Slip(
                    f"every call returned {values[0]:.3g}: draw with rng, and take the difference"
                )
            found[p] = values
    for p, values in found.items():
        if abs(values.mean()) > 6 * values.std() / _CALLS**0.5:
            return (
                f"the mean of {_CALLS} calls is {values.mean():.2g} at p = {p}, expected 0: "
                "are the weights drawn from N(0, 1), of both signs?"
            )
    root = _INPUTS**0.5
    for words, std in _DIFFERENCES.items():
        # A standard error of the std is at most 2.2 % here, so 12 % is more than five.
        if all(abs(found[p].std() / (root * std(p)) - 1) < 0.12 for p in _PS):
            return words or None
    p, values = next(
        (p, v) for p, v in found.items() if abs(v.std() / (root * (p / 2) ** 0.5) - 1) >= 0.12
    )
    expected = root * (p / 2) ** 0.5
    return f"the std of {_CALLS} calls is {values.std():.2f} at p = {p}, expected {expected:.2f}"


difference_function = Expectation(
    _difference_slip, "the difference is 0 on average, with a standard deviation of √(N p / 2)"
)
