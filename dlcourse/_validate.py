"""Checks shared by the package: each says what was given, what is allowed and the likely slip."""

from __future__ import annotations

import math
import numbers
import operator
from typing import Any

import numpy as np

FLOATS = (np.dtype(np.float16), np.dtype(np.float32), np.dtype(np.float64))
"""The floating dtypes that dropout keeps; integers and booleans become float64."""


def quoted(value: object, limit: int = 70) -> str:
    """Return the user's own input as it is quoted in a message, on one short line.

    Examples
    --------
    >>> quoted(np.float64(50.0)), quoted("a" * 100, limit=9)
    ('50.0', "'aaaa...")
    """
    try:
        text = repr(value.item() if isinstance(value, np.generic) else value)
    except Exception:  # an int of too many digits, a repr of the user's own
        text = f"<{type(value).__name__}>"
    text = " ".join(text.split())
    return text if len(text) <= limit else text[: limit - 4] + "..."


def probability(p: Any, name: str = "p") -> float:
    """Return `p` as a float if it is one number in [0, 1].

    Raises
    ------
    TypeError
        If `p` is not a number: a string, None, a bool, a list, an array with a dimension.
    ValueError
        If `p` is nan or lies outside [0, 1].

    Examples
    --------
    >>> probability(50)
    Traceback (most recent call last):
    ...
    ValueError: p must be a probability in [0, 1], got 50 (a percentage?)
    """
    value = p[()] if isinstance(p, np.ndarray) and p.ndim == 0 else p
    rule = f"{name} must be a probability in [0, 1], got {quoted(value)}"
    if isinstance(value, bool | np.bool_):
        raise TypeError(f"{rule} (training={value}?)")
    if isinstance(value, str):
        raise TypeError(f"{rule} (a string: write the number without quotes)")
    is_number: bool = isinstance(value, numbers.Real)
    if not is_number:
        many = isinstance(value, list | tuple | np.ndarray)
        raise TypeError(rule + (" (one number for all units?)" if many else ""))
    if not 0 <= value <= 1:
        raise ValueError(rule + (" (a percentage?)" if 1 < value <= 100 else ""))
    return float(value)


def many(value: Any) -> bool:
    """Whether this is a sequence of values: a tuple, a list, a range, an array with an axis.

    Examples
    --------
    >>> many([0.1, [0.2]]), many(np.array(0.1)), many("0.1")
    (True, False, False)
    """
    return isinstance(value, tuple | list | range) or (
        isinstance(value, np.ndarray) and value.ndim > 0
    )


def some(values: Any, rule: str) -> Any:
    """Return a sequence that is not empty, or say the rule.

    Raises
    ------
    TypeError, ValueError
        If it is no sequence, or empty.

    Examples
    --------
    >>> some([], "ns must hold at least one number of units, got []")
    Traceback (most recent call last):
    ...
    ValueError: ns must hold at least one number of units, got []
    """
    if not many(values):
        raise TypeError(rule)
    if len(values) == 0:
        raise ValueError(rule)
    return values


def probabilities(ps: Any) -> list[float]:
    """Return the probabilities in a sequence of at least one.

    Raises
    ------
    TypeError, ValueError
        If it is no sequence, or empty, or one of them is no probability.

    Examples
    --------
    >>> probabilities(0.5)
    Traceback (most recent call last):
    ...
    TypeError: ps must hold at least one p, got 0.5
    """
    return [probability(p) for p in some(ps, f"ps must hold at least one p, got {quoted(ps)}")]


def generator(rng: Any) -> np.random.Generator:
    """Return the NumPy generator that `rng` stands for: None, a seed or a generator.

    Raises
    ------
    TypeError
        If `rng` is anything else, a bool or a RandomState for example.
    ValueError
        If the seed is negative.

    Examples
    --------
    >>> generator(-1)
    Traceback (most recent call last):
    ...
    ValueError: rng must be None, a seed >= 0 or a numpy.random.Generator, got -1
    """
    if isinstance(rng, np.random.Generator):
        return rng
    rule = f"rng must be None, a seed >= 0 or a numpy.random.Generator, got {quoted(rng)}"
    if isinstance(rng, np.random.RandomState) or rng is np.random:
        raise TypeError(f"{rule} (numpy.random.default_rng(seed)?)")
    if isinstance(rng, bool) or not isinstance(rng, int | np.integer | None):
        raise TypeError(rule)
    if rng is not None and rng < 0:
        raise ValueError(rule)
    return np.random.default_rng(rng)


def rng_or_mask(rng: Any, mask: Any, name: str = "mask") -> np.random.Generator | None:
    """Return the generator that `rng` stands for, None if it is None; refuse it beside a mask.

    Raises
    ------
    TypeError, ValueError
        As `generator` does; also if a mask is given beside `rng`.

    Examples
    --------
    >>> rng_or_mask(0, [True])
    Traceback (most recent call last):
    ...
    ValueError: give rng or mask, not both, got rng=0 and mask=[True]
    """
    if rng is None:
        return None
    if mask is not None:
        raise ValueError(
            f"give rng or {name}, not both, got rng={quoted(rng)} and {name}={quoted(mask)}"
        )
    return generator(rng)


def shape_tuple(shape: Any, name: str = "shape") -> tuple[int, ...]:
    """Return `shape`, an int or a tuple of ints, as a tuple.

    Raises
    ------
    TypeError
        If it is something else: a float, a string, a bool.
    ValueError
        If a length is negative, or the array would not fit in any memory.

    Examples
    --------
    >>> shape_tuple(3), shape_tuple((2, 3))
    ((3,), (2, 3))
    """
    rule = f"{name} must be an int >= 0 or a tuple of them, got {quoted(shape)}"
    if isinstance(shape, np.ndarray) and shape.ndim == 1:
        shape = shape.tolist()
    lengths = shape if isinstance(shape, tuple | list) else (shape,)
    if any(isinstance(n, bool | np.bool_) or not hasattr(n, "__index__") for n in lengths):
        raise TypeError(rule)
    try:
        result = tuple(operator.index(n) for n in lengths)
    except TypeError:
        raise TypeError(rule) from None
    if any(n < 0 for n in result) or math.prod(result) > np.iinfo(np.intp).max:
        raise ValueError(rule)
    return result


def real_array(x: Any, name: str = "x") -> np.ndarray:
    """Return `x` as an array of floats: 16, 32 and 64 bits kept, ints and bools as float64.

    Raises
    ------
    TypeError
        If `x` holds no real numbers (strings, objects, complex), or is a tensor with a gradient.
    ValueError
        If `x` is a ragged list.

    Examples
    --------
    >>> real_array([1, 2]).dtype, real_array(np.float16([1, 2])).dtype
    (dtype('float64'), dtype('float16'))
    """
    try:
        array = np.asarray(x)
    except ValueError:
        raise ValueError(_not_real(x, name, "rows of different lengths?")) from None
    except Exception:
        is_tensor = type(x).__module__.partition(".")[0] == "torch"
        raise TypeError(_not_real(x, name, "dlcourse.Dropout?" if is_tensor else "")) from None
    if array.dtype.kind in "biu":
        return array.astype(np.float64)
    native = array.dtype.newbyteorder("=")
    if native not in FLOATS:
        raise TypeError(_not_real(x, name, f"dtype {array.dtype}"))
    return array.astype(native, copy=False)


def _not_real(x: Any, name: str, hint: str) -> str:
    """Return what is wrong with `x`, written only once something is: quoting an array is slow."""
    return f"{name} must be an array of real numbers, got {quoted(x)}" + (hint and f" ({hint})")


def bool_mask(mask: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return `mask` as a boolean array of the given shape, True = kept.

    Raises
    ------
    TypeError
        If it does not hold booleans.
    ValueError
        If its shape is another one; it is never broadcast.

    Examples
    --------
    >>> bool_mask([0, 1], (2,))
    Traceback (most recent call last):
    ...
    TypeError: mask must be bool (True = kept), got dtype int64 (mask.astype(bool)?): [0, 1]
    """
    try:
        array = np.asarray(mask)
    except Exception:
        raise TypeError(f"mask must be bool (True = kept), got {quoted(mask)}") from None
    if array.dtype != np.bool_:
        hint = " (mask.astype(bool)?)" if array.dtype.kind in "iuf" else ""
        raise TypeError(
            f"mask must be bool (True = kept), got dtype {array.dtype}{hint}: {quoted(mask)}"
        )
    if array.shape != shape:
        raise ValueError(
            f"mask must have the shape of the array, {shape}, got {array.shape}: {quoted(mask)}"
        )
    return array


def bool_masks(masks: Any, shapes: list[tuple[int, ...]]) -> list[np.ndarray]:
    """Return one boolean array for each shape, checked as by `bool_mask`.

    Raises
    ------
    TypeError, ValueError
        If `masks` is not a tuple or list of so many masks, or one of them is wrong.

    Examples
    --------
    >>> bool_masks([[True]], [(1,), (1,)])
    Traceback (most recent call last):
    ...
    ValueError: masks must be 2 bool arrays, got [[True]]
    """
    rule = f"masks must be {len(shapes)} bool arrays"
    if not isinstance(masks, tuple | list):
        raise TypeError(f"{rule}, got {quoted(masks)}")
    if len(masks) != len(shapes):
        raise ValueError(f"{rule}, got {quoted(masks)}")
    return [bool_mask(mask, shape) for mask, shape in zip(masks, shapes, strict=True)]


def layer_sizes(sizes: Any) -> tuple[int, ...]:
    """Return the sizes of a three-layer network's inputs, two hidden layers and classes.

    Raises
    ------
    TypeError, ValueError
        If they are not four ints >= 1.

    Examples
    --------
    >>> layer_sizes((64, 10))
    Traceback (most recent call last):
    ...
    ValueError: sizes must be four ints >= 1 (inputs, hidden, hidden, classes), got (64, 10)
    """
    result = shape_tuple(sizes, "sizes")
    if len(result) != 4 or min(result) < 1:
        rule = "sizes must be four ints >= 1 (inputs, hidden, hidden, classes)"
        raise ValueError(f"{rule}, got {quoted(sizes)}")
    return result


def instance(value: Any, kind: type, name: str, what: str) -> Any:
    """Return `value` if it is of this kind; `what` says which that is.

    Raises
    ------
    TypeError
        If it is not.

    Examples
    --------
    >>> instance("digits", dict, "data", "a dict")
    Traceback (most recent call last):
    ...
    TypeError: data must be a dict, got 'digits'
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be {what}, got {quoted(value)}")
    return value


def one_of(value: Any, names: tuple[str, ...], name: str) -> str:
    """Return `value` if it is one of these names.

    Raises
    ------
    ValueError
        If it is not.

    Examples
    --------
    >>> one_of("other", ("inverted", "vanilla"), "kind")
    Traceback (most recent call last):
    ...
    ValueError: kind must be 'inverted' or 'vanilla', got 'other'
    """
    if not isinstance(value, str) or value not in names:
        raise ValueError(f"{name} must be {' or '.join(map(repr, names))}, got {quoted(value)}")
    return value


def function(value: Any, name: str) -> Any:
    """Return `value` if it can be called.

    Raises
    ------
    TypeError
        If it cannot.

    Examples
    --------
    >>> function(3, "progress")
    Traceback (most recent call last):
    ...
    TypeError: progress must be callable, got 3
    """
    if not callable(value):
        raise TypeError(f"{name} must be callable, got {quoted(value)}")
    return value


def table(x: Any, name: str, axes: str) -> np.ndarray:
    """Return `x` as an array of floats with two axes, which `axes` names.

    Raises
    ------
    TypeError, ValueError
        If it holds no real numbers, or has not two axes.

    Examples
    --------
    >>> table([1.0, 2.0], "logits", "(rows, classes)")
    Traceback (most recent call last):
    ...
    ValueError: logits must be an array (rows, classes), got shape (2,): [1.0, 2.0]
    """
    array = real_array(x, name)
    if array.ndim != 2:
        raise ValueError(f"{name} must be an array {axes}, got shape {array.shape}: {quoted(x)}")
    return array


def labels(y: Any, rows: int, classes: int) -> np.ndarray:
    """Return `y` as an int array that holds one class for every row.

    Raises
    ------
    TypeError, ValueError
        If it holds no ints, or not one a row, or one out of range.

    Examples
    --------
    >>> labels([1, 10], rows=2, classes=10)
    Traceback (most recent call last):
    ...
    ValueError: y must hold a class for each of 2 rows, ints from 0 to 9, got 10 (counted from 1?)
    """
    rule = f"y must hold a class for each of {rows} rows, ints from 0 to {classes - 1}"
    try:
        array = np.asarray(y)
    except ValueError:
        raise ValueError(f"{rule}, got {quoted(y)} (rows of different lengths?)") from None
    except Exception:
        raise TypeError(f"{rule}, got {quoted(y)}") from None
    if rows == 0 or array.shape != (rows,):
        hint = " (at least one row?)" if rows == 0 else ""
        raise ValueError(f"{rule}, got shape {array.shape}{hint}: {quoted(y)}")
    if array.dtype.kind not in "iu":
        raise TypeError(f"{rule}, got dtype {array.dtype}: {quoted(y)}")
    wrong = array[(array < 0) | (array >= classes)]
    if wrong.size:
        hint = " (counted from 1?)" if wrong.max() == classes else ""
        raise ValueError(f"{rule}, got {wrong[0]}{hint}")
    return array


def positive(value: Any, name: str) -> float:
    """Return `value` as a float if it is a finite number > 0.

    Raises
    ------
    TypeError, ValueError
        If it is not.

    Examples
    --------
    >>> positive(-0.1, "lr")
    Traceback (most recent call last):
    ...
    ValueError: lr must be a number > 0, got -0.1
    """
    rule = f"{name} must be a number > 0, got {quoted(value)}"
    number = _finite(value, rule)
    if number <= 0:
        raise ValueError(rule)
    return number


def not_negative(value: Any, name: str) -> float:
    """Return `value` as a float if it is a finite number >= 0.

    Raises
    ------
    TypeError, ValueError
        If it is not.

    Examples
    --------
    >>> not_negative(-0.1, "weight_decay")
    Traceback (most recent call last):
    ...
    ValueError: weight_decay must be a number >= 0, got -0.1
    """
    rule = f"{name} must be a number >= 0, got {quoted(value)}"
    number = _finite(value, rule)
    if number < 0:
        raise ValueError(rule)
    return number


def _finite(value: Any, rule: str) -> float:
    """Return `value` as a float if it is a finite number; else say the rule."""
    numbers_but_bool = int | float | np.integer | np.floating
    if isinstance(value, bool) or not isinstance(value, numbers_but_bool):
        raise TypeError(rule)
    most = np.finfo(np.float64).max
    if not -most <= value <= most:
        raise ValueError(rule)
    return float(value)


def flag(value: Any, name: str) -> bool:
    """Return `value` if it is True or False.

    Raises
    ------
    TypeError
        If it is anything else: a generator in the place of `training`, for example.

    Examples
    --------
    >>> flag(0.5, "training")
    Traceback (most recent call last):
    ...
    TypeError: training must be True or False, got 0.5
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name} must be True or False, got {quoted(value)}")
    return bool(value)


def integer(value: Any, name: str, low: int, high: int | None = None) -> int:
    """Return `value` as an int if it is one in the range.

    Raises
    ------
    TypeError, ValueError
        If it is not.

    Examples
    --------
    >>> integer(-5, "epochs", 1)
    Traceback (most recent call last):
    ...
    ValueError: epochs must be an int >= 1, got -5
    """
    span = f">= {low}" if high is None else f"from {low} to {high}"
    rule = f"{name} must be an int {span}, got {quoted(value)}"
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(rule)
    if value < low or (high is not None and value > high):
        raise ValueError(rule)
    return int(value)


def seed(value: Any) -> int:
    """Return `value` as an int if it is a seed: an int >= 0.

    Raises
    ------
    TypeError, ValueError
        If it is not.

    Examples
    --------
    >>> seed(-1)
    Traceback (most recent call last):
    ...
    ValueError: seed must be an int >= 0, got -1
    """
    return integer(value, "seed", 0)


def widths(hidden: Any) -> tuple[int, ...]:
    """Return the widths of the hidden layers of a network: ints >= 1, at least one.

    Raises
    ------
    TypeError, ValueError
        If they are not.

    Examples
    --------
    >>> widths(64)
    Traceback (most recent call last):
    ...
    TypeError: hidden must hold the width of each hidden layer, ints >= 1, got 64 ((64,)?)
    """
    rule = f"hidden must hold the width of each hidden layer, ints >= 1, got {quoted(hidden)}"
    if not isinstance(hidden, tuple | list):
        hint = f" (({hidden},)?)" if isinstance(hidden, int) else ""
        raise TypeError(rule + hint)
    if not hidden:
        raise ValueError(rule)
    return tuple(integer(width, "a width in hidden", 1) for width in hidden)


def layer_ps(p: Any, hidden: int) -> tuple[float, ...]:
    """Return the p of the inputs and of each hidden layer.

    Parameters
    ----------
    p : float for all hidden layers, or one for each, or these with that of the inputs before them
    hidden : int, the number of hidden layers

    Raises
    ------
    TypeError, ValueError
        If one is no probability, or there are too few or too many.

    Examples
    --------
    >>> layer_ps(0.5, hidden=2), layer_ps((0.2, 0.5, 0.5), hidden=2)
    ((0.0, 0.5, 0.5), (0.2, 0.5, 0.5))
    >>> layer_ps([0.5], hidden=2)
    Traceback (most recent call last):
    ...
    ValueError: p must be one number, 2 (one a hidden layer) or 3 (the inputs first), got 1: [0.5]
    """
    if not many(p):
        return (0.0, *[probability(p)] * hidden)
    if len(p) not in (hidden, hidden + 1):
        raise ValueError(
            f"p must be one number, {hidden} (one a hidden layer) or {hidden + 1} "
            f"(the inputs first), got {len(p)}: {quoted(p)}"
        )
    of_inputs = [0.0] * (hidden + 1 - len(p))
    return (*of_inputs, *(probability(one) for one in p))
