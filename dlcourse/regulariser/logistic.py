"""Logistic regression with dropout on its inputs: the exact average, and how near a formula is.

Labels are 0 or 1, the loss is the sum of -log(probability of the label), in nats, and dropout is
inverted: inputs that are kept are divided by 1 - p.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.regulariser.linear import (
    copies_of,
    design,
    every_mask,
    mask_chances,
    odds,
    weights,
)

STEPS = 100  # of Newton's method at most; it needs about 5


def logistic_penalty(X: Any, w: Any, p: float) -> float:
    """Return what dropout on the inputs adds to the loss, averaged over all masks, all listed.

    Parameters
    ----------
    X : array (rows, inputs), up to 12 inputs
    w : array (inputs,)
    p : float in [0, 1), the probability of dropping

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    It does not depend on the labels: Wager, Wang and Liang 2013, Dropout training as adaptive
    regularization.

    Examples
    --------
    >>> round(logistic_penalty([[1.0, 1.0]], [1.0, 1.0], p=0.5), 3)
    0.114
    """
    X = design(X)
    w = weights(w, X)
    noisy = softplus(copies_of(X, p) @ w) @ mask_chances(X.shape[1], p)
    return float((noisy - softplus(X @ w)).sum())


def second_order_penalty(X: Any, w: Any, p: float) -> float:
    """Return the second-order approximation of `logistic_penalty`.

    That is ½ · p / (1 - p) · Σ_ij s_i (1 - s_i) x_ij² w_j², where s_i is the probability of the
    label 1 for example i: examples of which the model is sure count little.

    Parameters
    ----------
    X : array (rows, inputs)
    w : array (inputs,)
    p : float in [0, 1), the probability of dropping

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Wager, Wang and Liang 2013, Dropout training as adaptive regularization.

    Examples
    --------
    >>> round(second_order_penalty([[1.0, 1.0]], [1.0, 1.0], p=0.5), 3)
    0.105
    """
    X = design(X)
    w = weights(w, X)
    s = sigmoid(X @ w)
    return float(0.5 * odds(p) * (s * (1 - s)) @ (X**2 @ w**2))


def fit_logistic(X: Any, y: Any, p: float, ridge: float = 0.0, start: Any = None) -> np.ndarray:
    """Return the weights that minimise the loss averaged over all masks, plus ridge · Σ_j w_j².

    Parameters
    ----------
    X : array (rows, inputs), up to 12 inputs
    y : ints 0 or 1 (rows,)
    p : float in [0, 1), the probability of dropping
    ridge : float >= 0
    start : array (inputs,), weights to begin with, or None for 0

    Returns
    -------
    array (inputs,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or there is no smallest loss, because a plane
        parts the labels and larger weights are better for ever.

    Examples
    --------
    >>> X, y = [[1.0], [1.0], [1.0], [1.0]], [1, 1, 1, 0]
    >>> bool(np.isclose(fit_logistic(X, y, p=0.0)[0], np.log(3)))
    True
    """
    X, factor = design(X), 1 + odds(p)
    y = check.labels(y, len(X), 2)
    if ridge != 0:
        check.positive(ridge, "ridge")
    masks, chances = every_mask(X.shape[1]), mask_chances(X.shape[1], p)
    kept = masks[chances > 0]
    rows = (X[:, None] * kept).reshape(-1, X.shape[1])
    count, labels = np.tile(chances[chances > 0], len(X)), np.repeat(y, len(kept))
    # Inputs of at most 1 or so, whatever the units of X: the steps are judged by one tolerance.
    size = np.maximum(np.abs(X).max(axis=0), ridge**0.5 / factor)
    size[size == 0] = 1
    rows, shrink = rows / size, (ridge**0.5 / factor / size) ** 2
    # v = w / (1 - p) stays of one size when p goes to 1.
    v = np.zeros(X.shape[1]) if start is None else weights(start, X) * factor * size

    def loss(v: np.ndarray) -> float:
        z = rows @ v
        return float(count @ (softplus(z) - labels * z) + shrink @ v**2)

    now = loss(v)
    for _ in range(STEPS):
        s = sigmoid(rows @ v)
        gradient = (count * (s - labels)) @ rows + 2 * shrink * v
        curvature = (rows * (count * s * (1 - s))[:, None]).T @ rows
        step = np.linalg.lstsq(curvature + 2 * np.diag(shrink), gradient, rcond=None)[0]
        while (new := loss(v - step)) > now + 1e-12 * abs(now):
            step /= 2
        v, now = v - step, new
        if now > 1e-8 and abs(step).max() <= 1e-10 * max(1, abs(v).max()):
            return np.asarray(v / size / factor)
    raise ValueError(
        "a plane parts the labels 0 and 1 in X, so that the weights would grow for ever: "
        f"give more examples, or a ridge, got ridge={check.quoted(ridge)}"
    )


def sigmoid(z: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-z)).

    Examples
    --------
    >>> sigmoid(np.array([0.0, -1000.0]))
    array([0.5, 0. ])
    """
    return np.asarray(np.exp(-softplus(-z)))


def softplus(z: np.ndarray) -> np.ndarray:
    """Return log(1 + exp(z)), the loss of a wrong label 0.

    Examples
    --------
    >>> softplus(np.array([-1000.0, 0.0, 1000.0])).round()
    array([   0.,    1., 1000.])
    """
    return np.asarray(np.logaddexp(0, z))
