"""Dropout and its relatives under one interface, and what theory says of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from dlcourse import _validate as check
from dlcourse.functional import dropout, dropout_backward, dropout_mask
from dlcourse.relatives.dropconnect import DropConnectLinear
from dlcourse.relatives.noise import (
    LOWEST,
    alpha_constants,
    alpha_dropout,
    alpha_dropout_backward,
    below_one,
    channel_dropout,
    channel_dropout_backward,
    gaussian_dropout,
    gaussian_dropout_backward,
)


@dataclass(frozen=True)
class Relative:
    """A layer that draws something, and what theory says of its outputs for a given input.

    `x` always has an axis of examples before the others.

    Examples
    --------
    >>> layer = RELATIVES["dropout"]
    >>> drawn = layer.draw((1, 3), 0.5, 0)
    >>> layer.forward(np.ones((1, 3)), 0.5, drawn)
    array([[0., 2., 2.]])
    """

    draw: Callable[[tuple[int, ...], float, Any], Any]  # of a shape, p and rng
    forward: Callable[[Any, float, Any], np.ndarray]  # of x, p and what was drawn
    backward: Callable[[Any, float, Any], np.ndarray]  # of the gradient, p and what was drawn
    evaluate: Callable[[Any, float], np.ndarray]  # of x and p
    full: Callable[[Any], np.ndarray]  # of x: nothing dropped
    mean: Callable[[np.ndarray, float], np.ndarray]  # of x and p, over all draws
    variance: Callable[[np.ndarray, float], np.ndarray]  # of x and p, over all draws


def _ratio(p: float) -> float:
    """Return p / (1 - p), the variance of a factor that is 0 or 1 / (1 - p); 0 at p = 1."""
    return p / (1 - p) if p < 1 else 0.0


def _same_mean(x: np.ndarray, p: float) -> np.ndarray:
    return x * (p < 1)  # with p = 1 there is nothing left to scale


def _same_variance(x: np.ndarray, p: float) -> np.ndarray:
    return _ratio(p) * x**2


def _alpha_mean(x: np.ndarray, p: float) -> np.ndarray:
    return (1 - p) * alpha_constants(p)[0] * x


def _alpha_variance(x: np.ndarray, p: float) -> np.ndarray:
    return p * (1 - p) * (alpha_constants(p)[0] * (x - LOWEST)) ** 2


RELATIVES = {
    "dropout": Relative(
        draw=dropout_mask,
        forward=lambda x, p, mask: dropout(x, p, mask=mask),
        backward=lambda grad, p, mask: dropout_backward(grad, mask, p),
        evaluate=lambda x, p: dropout(x, p, training=False),
        full=np.copy,
        mean=_same_mean,
        variance=_same_variance,
    ),
    "Gaussian dropout": Relative(
        draw=lambda shape, p, rng: check.generator(rng).standard_normal(shape),
        forward=lambda x, p, noise: gaussian_dropout(x, p, noise=noise),
        backward=lambda grad, p, noise: gaussian_dropout_backward(grad, noise, p),
        evaluate=lambda x, p: gaussian_dropout(x, p, training=False),
        full=np.copy,
        mean=_same_mean,
        variance=_same_variance,
    ),
    "alpha dropout": Relative(
        draw=dropout_mask,
        forward=lambda x, p, mask: alpha_dropout(x, p, mask=mask),
        backward=lambda grad, p, mask: alpha_dropout_backward(grad, mask, p),
        evaluate=lambda x, p: alpha_dropout(x, p, training=False),
        full=np.copy,
        mean=_alpha_mean,
        variance=_alpha_variance,
    ),
    "channel dropout": Relative(
        draw=lambda shape, p, rng: dropout_mask(shape[:2], p, rng),
        forward=lambda x, p, mask: channel_dropout(x, p, mask=mask),
        backward=lambda grad, p, mask: channel_dropout_backward(grad, mask, p),
        evaluate=lambda x, p: channel_dropout(x, p, training=False),
        full=np.copy,
        mean=_same_mean,
        variance=_same_variance,
    ),
}
"""Dropout and the relatives that act on units, by name; for weights see `dropconnect`."""


def dropconnect(weight: Any) -> Relative:
    """Return DropConnect on a linear layer without bias, as a relative to be examined.

    Parameters
    ----------
    weight : array (outputs, inputs)

    Raises
    ------
    TypeError, ValueError
        If the weights are no such array; the message quotes it.

    Examples
    --------
    >>> layer = dropconnect([[1.0, 2.0], [0.0, 3.0]])
    >>> layer.mean(np.array([1.0, 1.0]), 0.5), layer.variance(np.array([1.0, 1.0]), 0.5)
    (array([3., 3.]), array([5., 9.]))
    """
    weight = check.real_array(weight, "weight").astype(np.float64)
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"weight must have the axes (outputs, inputs), got shape {weight.shape}")
    with torch.random.fork_rng(devices=[]):  # the first weights are drawn, for nothing
        made = DropConnectLinear(weight.shape[1], weight.shape[0], bias=False).double()
    made.weight.data = torch.tensor(weight)

    def trained(x: torch.Tensor, p: float, seed: int) -> torch.Tensor:
        made.p, made.dropout.generator = p, torch.Generator().manual_seed(seed)
        outputs: torch.Tensor = made.train()(x)
        return outputs

    def forward(x: Any, p: float, seed: int) -> np.ndarray:
        return trained(torch.tensor(np.array(x)), p, seed).detach().numpy()

    def backward(grad: Any, p: float, seed: int) -> np.ndarray:
        x = torch.zeros(*grad.shape[:-1], weight.shape[1], dtype=torch.float64, requires_grad=True)
        (found,) = torch.autograd.grad(trained(x, p, seed), x, torch.tensor(grad))
        return np.asarray(found)

    def evaluate(x: Any, p: float) -> np.ndarray:
        made.p = p
        return np.asarray(made.eval()(torch.tensor(np.array(x))).detach())

    return Relative(
        draw=lambda shape, p, rng: int(check.generator(rng).integers(2**31)),
        forward=forward,
        backward=backward,
        evaluate=evaluate,
        full=lambda x: np.asarray(x) @ weight.T,
        mean=lambda x, p: (p < 1) * (x @ weight.T),
        variance=lambda x, p: _ratio(p) * (x**2 @ weight.T**2),
    )


def moments(name: str, x: Any, p: float) -> tuple[float, float]:
    """Return mean and standard deviation over all values of x and all draws, exactly.

    Parameters
    ----------
    name : a key of `RELATIVES`
    x : array of float
    p : float in [0, 1], below 1 for "Gaussian dropout"

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or p is 1 where the variance is infinite then.

    Examples
    --------
    >>> moments("dropout", [1.0, -1.0], 0.75)
    (0.0, 2.0)
    >>> [round(number, 6) for number in moments("alpha dropout", [1.0, -1.0], 0.75)]
    [0.0, 1.0]
    """
    if name not in RELATIVES:
        raise ValueError(f"name must be one of {list(RELATIVES)}, got {check.quoted(name)}")
    x = check.real_array(x)
    p = below_one(p) if name == "Gaussian dropout" else check.probability(p)
    if x.size == 0:
        raise ValueError(f"x must hold at least one number, got shape {x.shape}")
    return overall(RELATIVES[name].mean(x, p), RELATIVES[name].variance(x, p))


def overall(mean: np.ndarray, variance: np.ndarray) -> tuple[float, float]:
    """Return mean and standard deviation of a mixture of outputs with these means and variances.

    Examples
    --------
    >>> overall(np.array([1.0, -1.0]), np.array([3.0, 3.0]))
    (0.0, 2.0)
    """
    return float(mean.mean()), float((variance.mean() + mean.var()) ** 0.5)
