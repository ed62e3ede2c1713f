"""Walter's simulation: neurons with and without dropout of their inputs, drawn by the thousand."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from time import monotonic
from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.walter.formulas import Statistics, fan_ins, probabilities, scales, theory, weights

BLOCK = 2**16  # inputs drawn at a time: bounds the memory, and fits into a processor's cache
PATIENCE = 3.0  # seconds before the progress is told


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
    ns, ps = fan_ins(fan_in), probabilities(p)
    total = check.integer(n_simulations, "n_simulations", 2)
    rng = check.generator(rng)
    expected = theory(
        ns, ps, weight_mean=weight_mean, weight_std=weight_std, scaled=scaled, relu=relu
    )
    ordered, place = np.unique(ns, return_inverse=True)
    gaps = np.diff(ordered, prepend=0)
    full = theory(ns, 0, weight_mean=weight_mean, weight_std=weight_std, relu=relu).output_mean
    sums = _Sums(full, expected)
    rows = max(1, BLOCK // max(int(ordered[-1]), ns.size * (ps.size + 1)))
    for block in _told(_blocks(total, rows), total):
        draws = draw(rng, block, gaps, weight_mean / weight_std)
        outputs = np.stack([draws.output(q) for q in (0.0, *ps)])[:, place]
        outputs *= weight_std
        outputs[1:] *= scales(ps, scaled)[:, None, None]
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
    ns, ps = fan_ins(fan_in), probabilities(p)
    total = check.integer(n_simulations, "n_simulations", 2)
    rng = check.generator(rng)
    weights(weight_mean, weight_std)
    check.flag(scaled, "scaled")
    check.flag(relu, "relu")
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


@dataclass(frozen=True)
class Draws:
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


def draw(rng: np.random.Generator, rows: int, gaps: np.ndarray, weight_mean: float) -> Draws:
    """Draw `rows` simulations; weights have the standard deviation 1."""
    lengths = 1 + rng.binomial(gaps, 0.5, size=(rows, gaps.size)).ravel()
    ends = np.cumsum(lengths)
    terms = rng.standard_normal(ends[-1], dtype=np.float32)
    if weight_mean:
        terms += np.float32(weight_mean)
    terms *= abs(rng.standard_normal(ends[-1], dtype=np.float32))
    terms[ends - lengths] = 0
    u = rng.random(ends[-1], dtype=np.float32)
    return Draws(terms, u, ends - lengths, (rows, gaps.size))


class _Sums:
    """Sums of powers over the simulations, about the theoretical means, so that nothing cancels.

    Their rows: the output without dropout, then for each p that with dropout, then for each p
    the difference of the two.
    """

    def __init__(self, full: np.ndarray, expected: Statistics) -> None:
        self._about = np.concatenate([full, expected.output_mean, expected.mean])
        self._powers = np.zeros((4, *self._about.shape))
        self._cross = np.zeros(expected.mean.shape)  # squares with dropout × squares without

    def add(self, outputs: np.ndarray) -> None:
        """Add outputs of shape (1 + len(p), len(fan_in), simulations), the full one first."""
        off = np.concatenate([outputs, outputs[1:] - outputs[0]]) - self._about[:, :, None]
        power = off.copy()
        for sums in self._powers:
            sums += power.sum(axis=-1)
            power *= off
        self._cross += (off[1 : len(outputs)] ** 2 * off[0] ** 2).sum(axis=-1)

    def statistics(self, total: int) -> tuple[Statistics, Statistics]:
        """Return what was measured in so many simulations, and its standard errors."""
        t1, t2, t3, t4 = self._powers / total
        variance = np.maximum(t2 - t1**2, 0)
        fourth = t4 - 4 * t1 * t3 + 6 * t1**2 * t2 - 3 * t1**4
        mean, std = self._about + t1, np.sqrt(variance * total / (total - 1))
        n = 1 + len(self._cross)
        with np.errstate(invalid="ignore", divide="ignore"):
            # Variances of the squares over their squared means, and the covariance likewise.
            spread = np.maximum(np.where(variance > 0, fourth / variance**2 - 1, 0), 0)
            product = variance[1:n] * variance[0]
            both = np.where(product > 0, self._cross / total / product - 1, 0)
            ratio = std[1:n] / std[0]
        of_ratio = np.maximum(spread[1:n] + spread[0] - 2 * both, 0)
        mean_error, std_error = std / np.sqrt(total), std * np.sqrt(spread / (4 * total))
        ratio_error = ratio * np.sqrt(of_ratio / (4 * total))
        return (
            Statistics(mean[n:], std[n:], ratio, mean[1:n]),
            Statistics(mean_error[n:], std_error[n:], ratio_error, mean_error[1:n]),
        )


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
