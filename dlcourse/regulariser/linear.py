"""Linear regression with dropout on its inputs: the closed form, and the average over all masks.

Dropout is inverted: inputs that are kept are divided by 1 - p. The loss is the sum of squares.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.enumeration import all_masks, mask_probabilities

INPUTS = "n, the inputs whose masks are listed,"


def every_mask(n: int) -> np.ndarray:
    """List the masks of n inputs, as `dlcourse.enumeration.all_masks` does.

    Examples
    --------
    >>> every_mask(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> every_mask(20)
    Traceback (most recent call last):
    ...
    ValueError: n, the inputs whose masks are listed, must be an int from 1 to 12, got 20
    """
    return all_masks(n, INPUTS)


def mask_chances(n: int, p: float) -> np.ndarray:
    """Return how likely each mask of `every_mask(n)` is, an array (2**n,) that sums to 1.

    Examples
    --------
    >>> mask_chances(2, 0.25)
    array([0.0625, 0.1875, 0.1875, 0.5625])
    """
    return mask_probabilities(n, p, INPUTS)


def penalty(X: Any, w: Any, p: float) -> float:
    """Return what dropout on the inputs adds, on average, to the sum of squares of a linear model.

    That is p / (1 - p) · Σ_j (XᵀX)_jj w_j²: ridge, scaled by the data.

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
    Srivastava et al. 2014, JMLR 15, section 9.1, where p is the probability of keeping and the
    weights are those before they are scaled.

    Examples
    --------
    >>> penalty([[1.0, 10.0]], [1.0, 1.0], p=0.5)
    101.0
    """
    X = design(X)
    w = weights(w, X)
    return float(odds(p) * (X**2).sum(axis=0) @ w**2)


def dropout_ridge(X: Any, y: Any, p: float) -> np.ndarray:
    """Return the weights that linear regression learns, on average, with dropout on its inputs.

    They minimise Σ_i (y_i - x_i · w)² + p / (1 - p) · Σ_j (XᵀX)_jj w_j². Where several do, the
    shortest, measured in the spread of each input. At p = 1 they are 0, which is the limit.

    Parameters
    ----------
    X : array (rows, inputs)
    y : array (rows,)
    p : float in [0, 1], the probability of dropping

    Returns
    -------
    array (inputs,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 9.1 (there p is the probability of keeping).

    Examples
    --------
    >>> dropout_ridge([[1.0], [2.0]], [1.0, 2.0], p=0.25)
    array([0.75])
    """
    X, p = design(X), check.probability(p)
    y = targets(y, X)
    # In units of each input's size the penalty is the same for all, whatever the inputs' units.
    size = np.sqrt((X**2).sum(axis=0))
    size[size == 0] = 1
    Z = X / size
    A = (1 - p) * Z.T @ Z + p * np.diag((Z**2).sum(axis=0))
    solution = np.linalg.lstsq(A, (1 - p) * Z.T @ y, rcond=None)[0]
    return np.asarray(solution / size)


def plain_ridge(X: Any, y: Any, strength: float) -> np.ndarray:
    """Return the weights that minimise Σ_i (y_i - x_i · w)² + strength · Σ_j w_j².

    Parameters
    ----------
    X : array (rows, inputs)
    y : array (rows,)
    strength : float > 0, the same for every input

    Returns
    -------
    array (inputs,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> plain_ridge([[1.0], [2.0]], [1.0, 2.0], strength=5.0)
    array([0.5])
    """
    X = design(X)
    y, strength = targets(y, X), check.positive(strength, "strength")
    return np.linalg.solve(X.T @ X + strength * np.eye(X.shape[1]), X.T @ y)


def over_masks(X: Any, y: Any, p: float) -> np.ndarray:
    """Return the weights that minimise the sum of squares averaged over all masks, all listed.

    Every example is written down once for each mask, counted as much as the mask is likely, and
    ordinary least squares does the rest.

    Parameters
    ----------
    X : array (rows, inputs), up to 12 inputs
    y : array (rows,)
    p : float in [0, 1), the probability of dropping

    Returns
    -------
    array (inputs,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> over_masks([[1.0], [2.0]], [1.0, 2.0], p=0.25).round(10)
    array([0.75])
    """
    X = design(X)
    copies, root = copies_of(X, p), np.sqrt(mask_chances(X.shape[1], p))
    size = np.sqrt((X**2).sum(axis=0))
    size[size == 0] = 1
    rows = (copies / size * root[:, None]).reshape(-1, X.shape[1])
    aims = (targets(y, X)[:, None] * root).ravel()
    return np.asarray(np.linalg.lstsq(rows, aims, rcond=None)[0] / size)


def loss_over_masks(X: Any, y: Any, w: Any, p: float) -> float:
    """Return the sum of squares averaged over all masks of the inputs, all listed.

    Parameters
    ----------
    X : array (rows, inputs), up to 12 inputs
    y : array (rows,)
    w : array (inputs,)
    p : float in [0, 1), the probability of dropping

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> loss_over_masks([[1.0, 10.0]], [11.0], [1.0, 1.0], p=0.5)
    101.0
    """
    X = design(X)
    errors = targets(y, X)[:, None] - copies_of(X, p) @ weights(w, X)
    return float((errors**2 @ mask_chances(X.shape[1], p)).sum())


# --- what is given, checked


def copies_of(X: np.ndarray, p: float) -> np.ndarray:
    """Return every example under every mask, divided by 1 - p, (rows, 2**inputs, inputs)."""
    odds(p)  # refuses p = 1
    return np.asarray(X[:, None] * every_mask(X.shape[1]) / (1 - p))


def odds(p: float) -> float:
    """Return p / (1 - p), the variance of an input that was 1.

    Examples
    --------
    >>> odds(0.5), odds(0.8) / odds(0.5) < 4.001
    (1.0, True)
    """
    p = check.probability(p)
    if p == 1:
        raise ValueError("p must be smaller than 1, where every input is dropped, got 1")
    return p / (1 - p)


def design(X: Any, name: str = "X", shape: str = "(rows, inputs)") -> np.ndarray:
    """Return X as a float64 array (rows, inputs) of finite numbers, at least one by one."""
    array = check.real_array(X, name).astype(float)
    rule = f"{name} must be an array {shape} of finite numbers, got {check.quoted(X)}"
    if array.ndim != 2 or array.size == 0 or not np.isfinite(array).all():
        raise ValueError(f"{rule}, of shape {array.shape}")
    return array


def targets(y: Any, X: np.ndarray) -> np.ndarray:
    """Return y as a float64 array with one finite number for each row of X."""
    return _vector(y, "y", len(X), "row")


def weights(w: Any, X: np.ndarray) -> np.ndarray:
    """Return w as a float64 array with one finite number for each column of X."""
    return _vector(w, "w", X.shape[1], "input")


def _vector(values: Any, name: str, n: int, of: str) -> np.ndarray:
    array = check.real_array(values, name).astype(float)
    if array.shape != (n,) or not np.isfinite(array).all():
        raise ValueError(
            f"{name} must hold one finite number for each {of} of X, {n}, "
            f"got shape {array.shape}: {check.quoted(values)}"
        )
    return array
