"""Five questions that dropout and each of its relatives must answer.

Is the mean kept? Is the variance what the formula says? What is zeroed? Does evaluation leave
the input as it is? Is the gradient that of the forward pass?
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.relatives.family import Relative

STEP = 1e-4  # of the finite differences; the layers are affine, so any step will do


@dataclass(frozen=True)
class Answers:
    """The answers to the five questions; arrays have the shape of one example's output.

    Examples
    --------
    >>> from dlcourse.relatives import RELATIVES
    >>> answers = examine(RELATIVES["dropout"], np.ones((2, 3)), 0.5, rng=0)
    >>> answers.within(5), answers.eval_off, answers.gradient_off < 1e-9
    (True, 0.0, True)
    """

    full: np.ndarray  # the output with nothing dropped
    mean: np.ndarray  # over the draws
    mean_error: np.ndarray  # its standard error
    mean_theory: np.ndarray
    variance: np.ndarray  # over the draws, around `mean_theory`
    variance_error: np.ndarray  # its standard error
    variance_theory: np.ndarray
    zeroed: float  # the share of outputs that are exactly 0
    zeroed_together: float  # the share of draws in which the first two outputs of a row both are 0
    eval_off: float  # the largest difference between evaluation and `full`
    gradient_off: float  # the largest difference between the gradient and finite differences

    def within(self, errors: float) -> bool:
        """Whether mean and variance lie within so many standard errors of theory, everywhere."""
        mean_off = abs(self.mean - self.mean_theory) - errors * self.mean_error
        variance_off = abs(self.variance - self.variance_theory) - errors * self.variance_error
        rounding = 1e-9 * (1 + self.variance_theory.max() + abs(self.mean_theory).max())
        return bool((mean_off <= rounding).all() and (variance_off <= rounding).all())

    def __str__(self) -> str:
        """Say the numbers of the first output in one line."""
        full, mean, mean_error, variance, variance_error, formula = (
            float(np.ravel(numbers)[0])
            for numbers in (
                *(self.full, self.mean, self.mean_error),
                *(self.variance, self.variance_error, self.variance_theory),
            )
        )
        return (
            f"{full:g} → {mean:.2f} ± {mean_error:.2f}, variance {variance:5.2f} ± "
            f"{variance_error:.2f} ({formula:5.2f}), {self.zeroed:.2f}, {self.zeroed_together:.2f}"
        )

    @property
    def mean_kept(self) -> bool:
        """Whether theory says that the mean is the output with nothing dropped."""
        return bool(np.allclose(self.mean_theory, self.full))


def examine(relative: Relative, x: Any, p: float, draws: int = 20_000, rng: Any = None) -> Answers:
    """Put the five questions to a relative of dropout, for one input.

    Parameters
    ----------
    relative : Relative
    x : array of float, one example, such as (channels, places); kept fixed while draws change
    p : float in [0, 1], the probability of dropping
    draws : int >= 2
    rng : None, int seed or numpy.random.Generator

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> from dlcourse.relatives import RELATIVES
    >>> answers = examine(RELATIVES["channel dropout"], np.ones((2, 3)), 0.5, rng=0)
    >>> print(f"{answers.zeroed:.1f} zeroed, {answers.zeroed_together:.1f} two together")
    0.5 zeroed, 0.5 two together
    """
    if not isinstance(relative, Relative):
        raise TypeError(f"relative must be a Relative, got {check.quoted(relative)}")
    x = check.real_array(x).astype(np.float64)  # in float16 a variance overflows early
    p, rng = check.probability(p), check.generator(rng)
    if x.ndim < 1 or x.size == 0:
        raise ValueError(f"x must hold at least one number on an axis, got shape {x.shape}")
    draws = check.integer(draws, "draws", 2)
    many = np.broadcast_to(x, (draws, *x.shape))
    y = relative.forward(many, p, relative.draw(many.shape, p, rng))
    mean, variance = relative.mean(x, p), relative.variance(x, p)
    squares = (y - mean) ** 2
    zero = y == 0
    row = zero.reshape(-1, zero.shape[-1])
    return Answers(
        full=relative.full(x[None])[0],
        mean=y.mean(axis=0),
        mean_error=np.sqrt(variance / draws),
        mean_theory=mean,
        variance=squares.mean(axis=0),
        variance_error=squares.std(axis=0) / draws**0.5,
        variance_theory=variance,
        zeroed=float(zero.mean()),
        zeroed_together=float(row[:, :2].all(axis=1).mean()),
        eval_off=float(abs(relative.evaluate(x[None], p) - relative.full(x[None])).max()),
        gradient_off=_gradient_off(relative, x[None], p, rng),
    )


def _gradient_off(relative: Relative, x: np.ndarray, p: float, rng: Any) -> float:
    """Compare the gradient of a random weighted sum of the outputs with central differences."""
    drawn = relative.draw(x.shape, p, rng)
    upstream = rng.standard_normal(relative.forward(x, p, drawn).shape)
    by_formula = relative.backward(upstream, p, drawn)
    off = 0.0
    for i in np.ndindex(x.shape):
        step = np.zeros(x.shape)
        step[i] = STEP
        up, down = (relative.forward(x + sign * step, p, drawn) for sign in (1, -1))
        off = max(off, abs(((up - down) * upstream).sum() / (2 * STEP) - by_formula[i]))
    return float(off)
