"""What the panel of lesson 08 shows: what is learned, and at what price, from p = 0 to 1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.regulariser.linear import dropout_ridge, loss_over_masks, penalty, plain_ridge
from dlcourse.regulariser.logistic import (
    fit_logistic,
    logistic_penalty,
    second_order_penalty,
    softplus,
)

PS = np.arange(101) / 100
ROWS = 60  # examples
SCALES = (0.1, 1, 10)  # of input 1, in the panel
MODELS = ("linear", "logistic")
TRUE = np.array([1.5, 0.0, -1.0, 0.0])


@dataclass(frozen=True)
class Path:
    """What is learned at each of the 101 values of p; losses and penalties are per example.

    `size` is the root mean square of each input. At p = 1 all is what it tends to.
    """

    size: np.ndarray  # (4,)
    weights: np.ndarray  # (101, 4)
    ridge: np.ndarray  # (101, 4), with one strength for all inputs, of the same mean
    loss: np.ndarray  # (101,), nothing dropped
    penalty: np.ndarray  # (101,), what dropout adds on average over all masks
    formula: np.ndarray  # (101,), the same by the formula


def examples(seed: int, model: str, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """Draw 60 examples of four inputs, the first two nearly the same, and what is to be learned.

    Parameters
    ----------
    seed : int >= 0
    model : "linear", targets with noise, or "logistic", labels 0 and 1
    scale : float > 0, by which input 1 is multiplied after the targets are made

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> X, y = examples(0, "logistic", 1)
    >>> X.shape, sorted(set(y.tolist()))
    ((60, 4), [0, 1])
    """
    if model not in MODELS:
        raise ValueError(f"model must be 'linear' or 'logistic', got {check.quoted(model)}")
    rng = np.random.default_rng([8, check.seed(seed)])
    X = rng.normal(size=(ROWS, 4))
    X[:, 1] = 0.9 * X[:, 0] + 0.19**0.5 * X[:, 1]
    signal = X @ TRUE
    y = signal + rng.normal(size=ROWS)
    if model == "logistic":
        y = (rng.random(ROWS) * (1 + np.exp(-signal)) < 1).astype(int)
    return X * [check.positive(scale, "scale"), 1, 1, 1], y


@lru_cache(maxsize=12)
def path(seed: int, model: str, scale: float) -> Path:
    """Return the path of the weights from p = 0 to 1.

    Examples
    --------
    >>> found = path(0, "linear", 1)
    >>> bool(np.allclose(found.penalty, found.formula)), found.weights[-1].tolist()
    (True, [0.0, 0.0, 0.0, 0.0])
    """
    X, y = examples(seed, model, scale)
    squares = (X**2).sum(axis=0)
    rows = [_linear(X, y, p, squares.mean()) for p in PS[:-1]] if model == "linear" else []
    start = first = None
    for p in PS[:-1] if model == "logistic" else []:
        rows.append(_logistic(X, y, p, squares.mean(), start, first))
        start, first = rows[-1][:2]
    nothing = float((y**2).sum()) if model == "linear" else ROWS * np.log(2)
    rows.append((np.zeros(4), np.zeros(4), nothing, 0.0, 0.0))
    weights, ridge, *losses = (np.array(column) for column in zip(*rows, strict=True))
    return Path(np.sqrt(squares / ROWS), weights, ridge, *(each / ROWS for each in losses))


def _linear(X: np.ndarray, y: np.ndarray, p: float, mean: float) -> tuple[Any, ...]:
    w = dropout_ridge(X, y, p)
    ridge = plain_ridge(X, y, p / (1 - p) * mean) if p else w
    loss = float(((y - X @ w) ** 2).sum())
    return w, ridge, loss, loss_over_masks(X, y, w, p) - loss, penalty(X, w, p)


def _logistic(
    X: np.ndarray, y: np.ndarray, p: float, mean: float, start: Any, first: Any
) -> tuple[Any, ...]:
    w = fit_logistic(X, y, p, start=start)
    # ½ s (1 - s) is at most 1/8.
    ridge = fit_logistic(X, y, 0.0, ridge=p / (1 - p) * mean / 8, start=first) if p else w
    loss = float((softplus(X @ w) - y * (X @ w)).sum())
    return w, ridge, loss, logistic_penalty(X, w, p), second_order_penalty(X, w, p)
