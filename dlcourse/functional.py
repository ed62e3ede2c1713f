"""Dropout in NumPy: the mask, the layer, its test-time twin and its gradient.

Everywhere `p` is the probability of *dropping* a unit, and True in a mask means *kept*.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from dlcourse import _validate as check


def plain_dropout_mask(shape: Any, p: float, rng: Any = None) -> np.ndarray:
    """Draw a mask the readable way, one uniform number a unit: what `dropout_mask` must equal.

    Equal in distribution, that is; the same seed gives another mask. Parameters, result, errors
    and source are those of `dropout_mask`.

    Examples
    --------
    >>> plain_dropout_mask(4, 0.5, rng=0)
    array([ True, False, False, False])
    """
    p, shape, rng = check.probability(p), check.shape_tuple(shape), check.generator(rng)
    return np.asarray(rng.random(shape) >= p)


def dropout_mask(shape: Any, p: float, rng: Any = None) -> np.ndarray:
    """Draw which units are kept, each on its own with probability 1 - p (to within 2**-32).

    With the same seed a larger p drops the same units and more, because each unit has one random
    number that p is compared with. What is drawn from `rng` depends on the shape only.

    Parameters
    ----------
    shape : int or tuple of int
    p : float in [0, 1], the probability of dropping
    rng : None, int seed or numpy.random.Generator
        A seed gives the same mask at every call; a generator moves on.

    Returns
    -------
    bool array of that shape, True = kept

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The r ~ Bernoulli(1 - p) of Srivastava et al. 2014, JMLR 15, section 4.

    A unit's number has 32 bits, but its first 8 nearly always decide `number >= p`. The other 24
    are drawn only for the one unit in 256 whose first 8 equal those of p.

    Examples
    --------
    >>> dropout_mask((2, 3), 0.5, rng=0)
    array([[False,  True,  True],
           [ True,  True,  True]])
    """
    p, shape, rng = check.probability(p), check.shape_tuple(shape), check.generator(rng)
    units = prod(shape)
    words = rng.integers(2**64 - 1, size=-(-units // 8) + 2, dtype=np.uint64, endpoint=True)
    first, seed_of_rest = words[:-2].view(np.uint8)[:units], words[-2:]

    p_first, p_rest = divmod(round(p * 2**32), 2**24)
    mask = first >= p_first
    if p_rest:
        ties = np.flatnonzero(first == p_first)
        rest = np.random.default_rng(seed_of_rest).integers(2**24, size=ties.size)
        mask[ties] = rest >= p_rest
    return mask.reshape(shape)


def dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Any = None, mask: Any = None
) -> np.ndarray:
    """Drop each unit with probability p and divide the survivors by 1 - p: inverted dropout.

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
    new array of the shape of x; dropped units are 0.0, even where x is inf or nan

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or rng and mask are both given.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 10 (there p is the probability of keeping): scaling
    by 1 / (1 - p) while training leaves nothing to do at test time.

    Examples
    --------
    >>> dropout([1.0, 2.0, 3.0], p=0.5, mask=[True, False, True])
    array([2., 0., 6.])
    """
    x, p, mask = checked(x, p, training, rng, mask)
    return x.copy("K") if mask is None else dropout_backward(x, mask, p)


def vanilla_dropout(
    x: Any, p: float = 0.5, training: bool = True, *, rng: Any = None, mask: Any = None
) -> np.ndarray:
    """Drop each unit with probability p while training, multiply all by 1 - p at test time.

    Parameters, result and errors are those of `dropout`; the survivors are not scaled.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 4 (there p is the probability of keeping).

    Examples
    --------
    >>> vanilla_dropout([1.0, 2.0, 3.0], p=0.5, mask=[True, False, True])
    array([1., 0., 3.])
    >>> vanilla_dropout([1.0, 2.0, 3.0], p=0.5, training=False)
    array([0.5, 1. , 1.5])
    """
    x, p, mask = checked(x, p, training, rng, mask)
    if mask is not None:
        return _masked(x, mask)
    return np.zeros_like(x) if p == 1 else _scaled(x.copy("K"), 1 - p)


def dropout_backward(grad: Any, mask: Any, p: float) -> np.ndarray:
    """Return the gradient of the loss with respect to the input of inverted dropout.

    The layer multiplies by mask / (1 - p), so its gradient does too.

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

    Notes
    -----
    The chain rule through Srivastava et al. 2014, JMLR 15, section 4.

    Examples
    --------
    >>> dropout_backward([1.0, 1.0, 1.0], mask=[True, False, True], p=0.75)
    array([4., 0., 4.])
    """
    p, grad = check.probability(p), check.real_array(grad, "grad")
    mask = check.bool_mask(mask, grad.shape)
    return np.zeros_like(grad) if p == 1 else _scaled(_masked(grad, mask), 1 / (1 - p))


def checked(x: Any, p: Any, training: Any, rng: Any, mask: Any) -> tuple:
    """Return the array, the probability and the mask to use, None outside training.

    Parameters and errors are those of `dropout`.

    Examples
    --------
    >>> checked([1, 2], 0.5, True, None, [True, False])
    (array([1., 2.]), 0.5, array([ True, False]))
    >>> checked([1, 2], 0.5, False, None, None)
    (array([1., 2.]), 0.5, None)
    """
    p, x = check.probability(p), check.real_array(x)
    training, rng = check.flag(training, "training"), check.rng_or_mask(rng, mask)
    if mask is not None:
        mask = check.bool_mask(mask, x.shape)
    elif training:
        mask = dropout_mask(x.shape, p, rng)
    return x, p, mask if training else None


def _masked(x: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Return a copy of x with 0.0 where the mask is False."""
    bits = f"u{x.dtype.itemsize}"
    result = np.empty_like(x)
    # Multiplied as integers, because 0 times inf or nan is nan as floats.
    np.multiply(x.view(bits), mask, out=result.view(bits))
    return result


def _scaled(x: np.ndarray, factor: float) -> np.ndarray:
    """Multiply the array in place by a factor that a float16 may be too small to hold."""
    wide = np.result_type(x.dtype, np.float32)
    return np.multiply(x, factor, out=x, dtype=wide, casting="same_kind")
