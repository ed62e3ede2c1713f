"""Gaussian, alpha and channel dropout in NumPy, each with its gradient.

Arguments are those of `dlcourse.dropout`: draws come from `rng`, or are given in their place.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.functional import checked, dropout, dropout_backward, dropout_mask

LOWEST = -1.0507009873554805 * 1.6732632423543772
"""What SELU gives for very negative inputs, −λα: about −1.758."""


def gaussian_dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Any = None, noise: Any = None
) -> np.ndarray:
    """Multiply each element by a normal number of mean 1 and variance p / (1 - p).

    Mean and variance are those of dropout, for any x; nothing is switched off.

    Parameters
    ----------
    x : array of real numbers, any shape
        Never modified. Floats keep their dtype, integers and bools become float64.
    p : float in [0, 1)
        The p of the dropout that has this mean and variance.
    training : bool
        False returns the values unchanged.
    rng : None, int seed or numpy.random.Generator
    noise : array of the shape of x, standard normal numbers in place of drawn ones

    Returns
    -------
    new array of the shape of x

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, p is 1, or rng and noise are both given.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 10 (there p is the probability of keeping).

    Examples
    --------
    >>> gaussian_dropout([1.0, 2.0, 3.0], p=0.2, noise=[0.0, 1.0, -1.0])
    array([1. , 3. , 1.5])
    """
    p, x = below_one(p), check.real_array(x)
    training, rng = check.flag(training, "training"), check.rng_or_mask(rng, noise, "noise")
    if noise is not None:
        noise = _noise(noise, x.shape)
    elif training:
        noise = check.generator(rng).standard_normal(x.shape)
    return gaussian_dropout_backward(x, noise, p) if training else x.copy()


def gaussian_dropout_backward(grad: Any, noise: Any, p: float) -> np.ndarray:
    """Return the gradient of the loss with respect to the input of Gaussian dropout.

    Parameters
    ----------
    grad : array, the gradient with respect to the output
    noise : array of the shape of grad, the standard normal numbers of the forward pass
    p : float in [0, 1)

    Returns
    -------
    new array of the shape of grad

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> gaussian_dropout_backward([1.0, 1.0, 1.0], noise=[0.0, 1.0, -1.0], p=0.2)
    array([1. , 1.5, 0.5])
    """
    p, grad = below_one(p), check.real_array(grad, "grad")
    factor = 1 + (p / (1 - p)) ** 0.5 * _noise(noise, grad.shape)
    return (grad * factor).astype(grad.dtype)


def alpha_constants(p: float) -> tuple[float, float, float]:
    """Return a, b and the value that dropped units end at, of alpha dropout.

    Units are kept or set to `LOWEST`, and all of them become a times that, plus b.

    Parameters
    ----------
    p : float in [0, 1], the probability of dropping

    Raises
    ------
    TypeError, ValueError
        If p is no probability; the message quotes it.

    Notes
    -----
    Klambauer et al. 2017, section 2. With p = 1 everything is dropped, to 0.

    Examples
    --------
    >>> [round(number, 2) for number in alpha_constants(0.5)]
    [0.89, 0.78, -0.78]
    """
    p = check.probability(p)
    if p == 1:
        return 0.0, 0.0, 0.0
    a = ((1 - p) * (1 + p * LOWEST**2)) ** -0.5
    b = -a * p * LOWEST
    return a, b, a * LOWEST + b


def alpha_dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Any = None, mask: Any = None
) -> np.ndarray:
    """Set each element to SELU's lowest value with probability p, then scale and shift all.

    Elements of mean 0 and variance 1 keep both, which is what a layer after SELU needs.

    Parameters
    ----------
    x : array of real numbers, any shape
        Never modified. Floats keep their dtype, integers and bools become float64.
    p : float in [0, 1], the probability of dropping
    training : bool
        False returns the values unchanged.
    rng : None, int seed or numpy.random.Generator
    mask : bool array of the shape of x, True = kept, in place of a drawn one

    Returns
    -------
    new array of the shape of x; zeros if p is 1

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or rng and mask are both given.

    Notes
    -----
    Klambauer et al. 2017, *Self-normalizing neural networks*, section 2.

    Examples
    --------
    >>> alpha_dropout([1.0, 2.0, 3.0], p=0.5, mask=[True, False, True]).round(2)
    array([ 1.67, -0.78,  3.44])
    """
    x, p, mask = checked(x, p, training, rng, mask)
    if mask is None:
        return x.copy()
    a, b, dropped = alpha_constants(p)
    kept = a * x.astype(np.float64) + b if p < 1 else np.zeros(x.shape)
    return np.where(mask, kept, dropped).astype(x.dtype)


def alpha_dropout_backward(grad: Any, mask: Any, p: float) -> np.ndarray:
    """Return the gradient of the loss with respect to the input of alpha dropout.

    Parameters
    ----------
    grad : array, the gradient with respect to the output
    mask : bool array of the shape of grad, the one of the forward pass, True = kept
    p : float in [0, 1], the probability of dropping

    Returns
    -------
    new array of the shape of grad

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> alpha_dropout_backward([1.0, 1.0], mask=[True, False], p=0.5).round(2)
    array([0.89, 0.  ])
    """
    p, grad = check.probability(p), check.real_array(grad, "grad")
    mask, a = check.bool_mask(mask, grad.shape), alpha_constants(p)[0]
    return np.where(mask, a * grad.astype(np.float64), 0).astype(grad.dtype)


def channel_dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Any = None, mask: Any = None
) -> np.ndarray:
    """Drop whole channels (feature maps) with probability p, divide the others by 1 - p.

    Parameters
    ----------
    x : array of real numbers, shape (examples, channels, places, …)
        At least three axes. Never modified. Floats keep their dtype, others become float64.
    p : float in [0, 1], the probability of dropping
    training : bool
        False returns the values unchanged.
    rng : None, int seed or numpy.random.Generator
    mask : bool array of shape (examples, channels), True = kept, in place of a drawn one

    Returns
    -------
    new array of the shape of x

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or rng and mask are both given.

    Notes
    -----
    Tompson et al. 2015, *Efficient object localization using convolutional networks*, section 3.2.

    Examples
    --------
    >>> channel_dropout(np.ones((1, 2, 3)), p=0.5, mask=[[True, False]])
    array([[[2., 2., 2.],
            [0., 0., 0.]]])
    """
    p, x = check.probability(p), _with_places(x, "x")
    training, rng = check.flag(training, "training"), check.rng_or_mask(rng, mask)
    if mask is None and not training:
        return x.copy()
    drawn = dropout_mask(x.shape[:2], p, rng) if mask is None else mask
    return dropout(x, p, training, mask=_channel_mask(drawn, x.shape))


def channel_dropout_backward(grad: Any, mask: Any, p: float) -> np.ndarray:
    """Return the gradient of the loss with respect to the input of channel dropout.

    Parameters
    ----------
    grad : array (examples, channels, places, …), the gradient with respect to the output
    mask : bool array (examples, channels), the one of the forward pass, True = kept
    p : float in [0, 1], the probability of dropping

    Returns
    -------
    new array of the shape of grad

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> channel_dropout_backward(np.ones((1, 2, 2)), mask=[[True, False]], p=0.75)
    array([[[4., 4.],
            [0., 0.]]])
    """
    grad = _with_places(grad, "grad")
    return dropout_backward(grad, _channel_mask(mask, grad.shape), p)


def below_one(p: Any) -> float:
    """Return p as a float if it is one that Gaussian dropout can have.

    Raises
    ------
    TypeError, ValueError
        If it is no probability, or 1.

    Examples
    --------
    >>> below_one(0.5)
    0.5
    """
    value = check.probability(p)
    if value == 1:
        raise ValueError(
            f"p must be below 1 in Gaussian dropout, got {check.quoted(p)}: "
            "the variance p / (1 - p) would be infinite"
        )
    return value


def _noise(noise: Any, shape: tuple[int, ...]) -> np.ndarray:
    array = check.real_array(noise, "noise")
    if array.shape != shape:
        raise ValueError(
            f"noise must have the shape of the array, {shape}, "
            f"got {array.shape}: {check.quoted(noise)}"
        )
    return array


def _with_places(x: Any, name: str) -> np.ndarray:
    array = check.real_array(x, name)
    if array.ndim < 3:
        raise ValueError(
            f"{name} must have the axes (examples, channels, places, …), "
            f"got shape {array.shape}: {check.quoted(x)} (one example? {name}[None])"
        )
    return array


def _channel_mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return the mask of (examples, channels), repeated over all places."""
    wanted = shape[:2]
    try:
        given: Any = np.shape(mask)
    except ValueError:
        given = "(rows of different lengths)"
    if given != wanted:
        raise ValueError(
            f"mask must hold one bool for each example and channel, shape {wanted}, "
            f"got shape {given}: {check.quoted(mask)}"
        )
    array = check.bool_mask(mask, wanted)
    return np.broadcast_to(array.reshape(wanted + (1,) * (len(shape) - 2)), shape)
