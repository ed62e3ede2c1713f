"""Check an answer to an exercise and name the slip in words.

`check(name, answer, expectation)` is the last line of an exercise. An expectation is any function
of the answer that returns None when the answer is right, and otherwise one sentence that names the
slip. `Expectation` adds the sentence for a right answer; `number` and `array` make expectations for
values; `dlcourse.dropout_checks` has those for masks, dropout and its gradient.

Writing one for a lesson takes a function. `call` runs what the learner wrote: it passes copies,
finds out how the parameters are named, tries tensors where arrays fail, and turns whatever goes
wrong into a sentence by raising `Slip`, which an expectation may raise too.

>>> def doubles(answer):
...     result = as_array(call(answer, x=np.array([1.0, 3.0])), (2,), returned_by(answer))
...     return None if np.allclose(result, [2, 6]) else f"3 became {result[1]:g}, expected 6"
>>> check("0.1", lambda x: x + x, Expectation(doubles, right="2x"))
0.1 right: 2x
>>> check("0.1", lambda x: x**2, Expectation(doubles, right="2x"))
0.1 not yet: 3 became 9, expected 6
>>> check("0.1", ..., Expectation(doubles, right="2x"))
0.1 not finished yet: replace the ...
"""

from __future__ import annotations

import copy
import dis
import inspect
import random
import reprlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "Expectation",
    "Slip",
    "Unfinished",
    "Verdict",
    "array",
    "as_array",
    "call",
    "check",
    "fixed_randomness",
    "number",
    "returned_by",
]


class Slip(Exception):
    """What is wrong with an answer, in one sentence."""


class Unfinished(Exception):
    """What is still to be written in an answer, in one sentence."""


@dataclass(frozen=True, repr=False)
class Verdict:
    """What `check` found: true when the answer is right, and one line of text when shown.

    >>> Verdict("1.1", "wrong", "kept 0.30 of the units, expected 0.70")
    1.1 not yet: kept 0.30 of the units, expected 0.70
    """

    name: str
    state: Literal["right", "unfinished", "wrong"]
    message: str = ""

    @property
    def ok(self) -> bool:
        """Whether the answer is right."""
        return self.state == "right"

    def __bool__(self) -> bool:
        """Whether the answer is right."""
        return self.ok

    def __repr__(self) -> str:
        """One line of plain text."""
        words = {"right": "right", "unfinished": "not finished yet", "wrong": "not yet"}
        return f"{self.name} {words[self.state]}" + (f": {self.message}" if self.message else "")


@dataclass(frozen=True)
class Expectation:
    """What is asked: `slip(answer)` is None or the slip in words; `right` is said when it is None.

    >>> even = Expectation(lambda n: None if n % 2 == 0 else f"{n} is odd", right="an even number")
    >>> check("0.2", 4, even), check("0.2", 5, even)
    (0.2 right: an even number, 0.2 not yet: 5 is odd)
    """

    slip: Callable[[Any], str | None]
    right: str = ""

    def __call__(self, answer: Any) -> str | None:
        """Return None for a right answer, else the slip in words."""
        return self.slip(answer)


def check(name: str, answer: Any, expectation: Callable[[Any], str | None]) -> Verdict:
    """Hold an answer against what is expected of it, and say what was found in one line.

    Whatever the answer does, the notebook runs on, and its random numbers are left as they were.

    Parameters
    ----------
    name : str
        The exercise, such as "1.1".
    answer : object
        The learner's function or value. ``...`` means that it is still to be written.
    expectation : callable
        Takes the answer and returns None if it is right, else the slip in words. Its attribute
        `right`, if it has one, is the message for a right answer.

    Returns
    -------
    Verdict

    Raises
    ------
    TypeError
        If the expectation is not callable, or returns something else than None or a str.

    Examples
    --------
    >>> check("1.2", 512, number(512, atol=1, slips={16: "that is the standard deviation"}))
    1.2 right: 512
    """
    if not callable(expectation):
        raise TypeError(f"expectation must be callable, such as number(512), got {expectation!r}")
    try:
        with fixed_randomness():
            _refuse_dots(answer, "replace the ...")
            slip = expectation(answer)
    except Unfinished as todo:
        return Verdict(name, "unfinished", _one_line(todo))
    except Slip as found:
        slip = str(found)
    except (Exception, SystemExit) as error:  # an expectation may call or compare it directly
        slip = _raised(error, answer)
    if slip is not None and not isinstance(slip, str):
        raise TypeError(f"expectation must return None or the slip in words, got {slip!r}")
    if slip is None:
        return Verdict(name, "right", getattr(expectation, "right", ""))
    if _has_placeholder(answer):
        return Verdict(name, "unfinished", f"replace the ... in {_name(answer)}")
    return Verdict(name, "wrong", _one_line(slip))


def number(
    expected: float,
    *,
    atol: float = 0.0,
    rtol: float = 1e-6,
    slips: Mapping[float, str] | None = None,
    right: str | None = None,
) -> Expectation:
    """Expect one number within ``max(atol, rtol * |expected|)``.

    Integers are compared exactly, however large, and a tensor or an array with one element is a
    number too. `slips` says in words what a wrong number stands for.

    Raises
    ------
    ValueError
        If a slip lies within the tolerance of the expected number.

    Examples
    --------
    >>> dropped = number(512, atol=1, slips={16: "that is the spread, asked was the mean"})
    >>> check("1.2", 16, dropped)
    1.2 not yet: 16: that is the spread, asked was the mean
    >>> check("1.2", 700, dropped)
    1.2 not yet: 700 is too large
    """
    goal = _exact(expected)
    named = {_exact(value): words for value, words in (slips or {}).items()}

    def close(value: Fraction, to: Fraction) -> bool:
        return abs(value - to) <= max(Fraction(atol), Fraction(rtol) * abs(to))

    for value in named:
        if close(value, goal):
            raise ValueError(f"{named[value]!r} is within the tolerance of {expected}")

    def slip(answer: Any) -> str | None:
        value = _exact(answer)
        if close(value, goal):
            return None
        for other in sorted(named, key=lambda other: abs(value - other)):
            if close(value, other):
                return f"{_shown(answer)}: {named[other]}"
        return f"{_shown(answer)} is too {'small' if value < goal else 'large'}"

    return Expectation(slip, _shown(expected) if right is None else right)


def array(
    expected: ArrayLike,
    *,
    atol: float = 1e-8,
    rtol: float = 1e-5,
    slips: Sequence[tuple[ArrayLike, str]] = (),
    right: str = "",
) -> Expectation:
    """Expect an array, list or tensor of this shape, close to `expected` as in `np.allclose`.

    `slips` are pairs of a wrong array and what it stands for in words.

    Examples
    --------
    >>> mean = array([0.7, 0.2], slips=[([0.3, 0.8], "p and 1 − p swapped?")], right="1 − p")
    >>> check("1.3", [0.3, 0.8], mean)
    1.3 not yet: p and 1 − p swapped?
    >>> check("1.3", [0.7, 0.5], mean)
    1.3 not yet: 1 of 2 values is off, the first at (1,): 0.5
    """
    goal = np.asarray(expected, dtype=float)

    def slip(answer: Any) -> str | None:
        values = as_array(answer, goal.shape)
        off = ~np.isclose(values, goal, atol=atol, rtol=rtol)
        if not off.any():
            return None
        for wrong, words in slips:
            if np.shape(wrong) == goal.shape and np.allclose(values, wrong, atol=atol, rtol=rtol):
                return words
        where = tuple(int(i) for i in np.argwhere(off)[0])
        is_off = "values is" if off.sum() == 1 else "values are"
        return f"{off.sum()} of {off.size} {is_off} off, the first at {where}: {values[where]:.6g}"

    return Expectation(slip, right)


def as_array(
    value: Any, shape: tuple[int, ...] | None = None, who: str = "the answer is"
) -> NDArray[np.float64]:
    """Copy an array, tensor or (nested) list of finite numbers into a float64 array, or raise Slip.

    `who` begins the sentence: keep it for a value, pass `returned_by(f)` for what f returned.

    >>> check("0.3", None, lambda answer: str(as_array(answer, (3,))))
    0.3 not yet: the answer is None
    """
    _refuse_dots(value, "replace the ...")
    if value is None:
        raise Slip(f"{who} None" + (": is a return missing?" if "returned" in who else ""))
    wanted = "an array" if shape is None else f"an array of shape {shape}"
    try:
        found = np.asarray(value.detach().cpu().double() if hasattr(value, "detach") else value)
    except Exception as error:
        raise Slip(f"{who} {_describe(value)}, expected {wanted}") from error
    if found.dtype.kind not in "biuf":
        what = f"an array of dtype {found.dtype}" if found.ndim else _describe(value)
        raise Slip(f"{who} {what}, expected {wanted} of numbers")
    if shape is not None and found.shape != shape:
        raise Slip(f"{who} {_describe(value)}, expected {wanted}")
    if bad := int((~np.isfinite(found)).sum()):
        where = f"an array with nan or inf in {bad} of {found.size} places"
        raise Slip(f"{who} {where if found.ndim else found}")
    return np.array(found, dtype=float)


def call(function: Any, /, **arguments: Any) -> Any:
    """Call the learner's function, and turn what goes wrong into a `Slip` or `Unfinished`.

    The arguments are copies. They are passed by name if the function has these names, else in
    order. A function that fails on arrays is tried with tensors, if torch is imported already, and
    then with a `torch.Generator` too.

    Raises
    ------
    Slip
        If it is no function, takes other parameters, raises, or changes an argument in place.
    Unfinished
        If it is empty, returns ``...`` or `NotImplemented`, or raises `NotImplementedError`.

    Examples
    --------
    >>> call(lambda x, half=0.5: x * half, x=3)
    1.5
    >>> def keep(p):
    ...     return 1 / (p - p)
    >>> check("0.4", keep, lambda answer: call(answer, p=0.3))
    0.4 not yet: keep raised ZeroDivisionError: float division by zero (line 2), called with p=0.3
    """
    if not callable(function):
        raise Slip(f"expected a function, got {_describe(function)}: pass its name, do not call it")
    failures: list[Slip] = []
    for given in _versions(arguments):
        args, kwargs = _bind(function, given)
        before = {name: _copied(value) for name, value in given.items()}
        try:
            result = function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            failures.append(_failure(function, error, given))
            if not isinstance(error, TypeError | AttributeError | RuntimeError):
                break
        else:
            _refuse_unwritten(function, result)
            if changed := [name for name in given if _changed(before[name], given[name])]:
                raise Slip(f"{_name(function)} changed {changed[0]} in place: work on a copy")
            return result
    # A function made for tensors fails on arrays for a reason that is no news to its author.
    raise next((slip for slip in failures if "numpy" not in str(slip)), failures[0])


def returned_by(function: Any) -> str:
    """Begin a sentence for `as_array`.

    >>> returned_by(len)
    'len returned'
    """
    return f"{_name(function)} returned"


@contextmanager
def fixed_randomness(seed: int = 0) -> Iterator[np.random.Generator]:
    """Seed `random`, `np.random` and torch (if imported) inside; put their states back after.

    >>> with fixed_randomness(3) as rng:
    ...     a = random.random(), float(rng.random())
    >>> with fixed_randomness(3) as rng:
    ...     a == (random.random(), float(rng.random()))
    True
    """
    torch = sys.modules.get("torch")
    python_state, numpy_state = random.getstate(), np.random.get_state()  # noqa: NPY002
    torch_state = torch.get_rng_state() if torch else None
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002
    if torch:
        torch.default_generator.manual_seed(seed)  # torch.manual_seed would seed the GPUs as well
    try:
        yield np.random.default_rng(seed)
    finally:
        random.setstate(python_state)
        np.random.set_state(numpy_state)  # noqa: NPY002
        if torch:
            torch.set_rng_state(torch_state)


def _versions(arguments: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Copy the arguments: as they are, then as tensors, then with a generator of torch as well."""
    yield {name: _copied(value) for name, value in arguments.items()}
    if torch := sys.modules.get("torch"):

        def tensor(value: Any) -> Any:
            if not isinstance(value, np.ndarray):
                return _copied(value)
            kind = torch.get_default_dtype() if value.dtype.kind == "f" else None
            return torch.tensor(value, dtype=kind)

        def generator(value: Any) -> Any:
            if not isinstance(value, np.random.Generator):
                return tensor(value)
            return torch.Generator().manual_seed(int(value.integers(2**62)))

        yield {name: tensor(value) for name, value in arguments.items()}
        yield {name: generator(value) for name, value in arguments.items()}


def _copied(value: Any) -> Any:
    """Copy what can be changed in place; a generator stays itself, so that its state moves on."""
    if hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    return copy.deepcopy(value) if isinstance(value, np.ndarray | list) else value


def _changed(before: Any, after: Any) -> bool:
    if hasattr(before, "detach"):
        before, after = before.detach().cpu(), after.detach().cpu()
    is_data = isinstance(before, np.ndarray | list) or hasattr(before, "detach")
    return is_data and not np.array_equal(before, after)


def _failure(function: Any, error: BaseException, given: Mapping[str, Any]) -> Slip:
    """Say that the function raised; raise Unfinished if it did so because something is missing."""
    if "ellipsis" in str(error).lower():
        raise Unfinished(f"replace the ... in {_name(function)}") from error
    if isinstance(error, NotImplementedError) and _line(error, function, last=True):
        raise Unfinished(f"{_name(function)} raises NotImplementedError") from error
    return Slip(f"{_raised(error, function)}, called with {_listed(given)}")


def _bind(function: Any, given: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Find the way to pass the arguments: by name, or in order."""
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some built-in functions have none
        return list(given.values()), {}
    own = signature.parameters
    by_name = {name: given[name] for name in given if name in own}
    only_by_name = inspect.Parameter.KEYWORD_ONLY
    keyword_only = {n: v for n, v in by_name.items() if own[n].kind is only_by_name}
    in_order = [value for name, value in given.items() if name not in keyword_only]
    ways: list[tuple[list[Any], dict[str, Any]]] = [(in_order, keyword_only)]
    if len(by_name) == len(given):
        ways.insert(0, ([], by_name))
    for args, kwargs in ways:
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            continue
        return args, kwargs
    raise Slip(
        f"{_name(function)} takes the parameters ({', '.join(own)}), "
        f"expected {len(given)}: ({', '.join(given)})"
    )


def _refuse_dots(value: Any, todo: str) -> None:
    """Raise Unfinished for ``...``, also as an item of a tuple or list."""
    items = value if isinstance(value, tuple | list) else [value]
    if any(item is ... or item is NotImplemented for item in items):
        raise Unfinished(todo)


def _refuse_unwritten(function: Any, result: Any) -> None:
    _refuse_dots(result, f"replace the ... in {_name(function)}")
    code = _code(function)
    if result is None and code is not None:
        steps = {step.opname for step in dis.get_instructions(code)}
        if steps <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}:
            raise Unfinished(f"{_name(function)} is still empty")


def _has_placeholder(function: Any) -> bool:
    """Tell ``mask = ...`` and ``return ...`` from an index such as ``x[..., 0]``."""
    code = _code(function)
    steps = list(dis.get_instructions(code)) if code else []
    kept = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF", "UNPACK", "RETURN")
    return any(
        (step.argval is ... or (isinstance(step.argval, tuple) and ... in step.argval))
        and (step.opname == "RETURN_CONST" or after.opname.startswith(kept))
        for step, after in pairwise([*steps, *steps[-1:]])
    )


def _code(function: Any) -> Any:
    return getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None


def _line(error: BaseException, function: Any, last: bool = False) -> int | None:
    """Find the line of the learner's cell that failed; with `last`, only if it raised itself."""
    code = _code(function)
    frames = list(traceback.walk_tb(error.__traceback__))[-1 if last else 0 :]
    lines = [n for frame, n in frames if code and frame.f_code.co_filename == code.co_filename]
    return lines[-1] if lines else None


def _raised(error: BaseException, answer: Any) -> str:
    who = _name(answer) if callable(answer) else "checking the answer"
    line = _line(error, answer)
    message = f": {_one_line(error)}" if str(error) else ""
    return f"{who} raised {type(error).__name__}{message}" + (f" (line {line})" if line else "")


def _one_line(text: object) -> str:
    return " ".join(str(text).split())


def _name(function: Any) -> str:
    name = getattr(function, "__name__", type(function).__name__)
    return "your function" if name == "<lambda>" else str(name)


def _describe(value: Any) -> str:
    if isinstance(value, str):
        return f"the text {reprlib.repr(value)}"
    if callable(value):
        return f"the function {_name(value)}"
    if isinstance(value, tuple):
        return f"a tuple of {len(value)}"
    if isinstance(value, np.generic):
        value = value.item()
    try:
        shape = tuple(np.shape(value))
    except ValueError:
        return "a list with rows of different lengths"
    if shape:
        return f"a{' list' if isinstance(value, list) else 'n array'} of shape {shape}"
    return _one_line(reprlib.repr(value))


def _listed(arguments: Mapping[str, Any]) -> str:
    """Say what the function was called with, such as "shape (200, 50), p=0.3 and a Generator"."""
    words = []
    for name, value in arguments.items():
        if hasattr(value, "shape"):
            words.append(f"{name} of shape {tuple(value.shape)}")
        elif type(value).__name__ == "Generator":
            words.append("a Generator")
        else:
            words.append(f"{name} {value}" if isinstance(value, tuple) else f"{name}={value!r}")
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "nothing"


def _exact(value: Any) -> Fraction:
    """Turn any one number into a fraction: floats and whole numbers of any size compare exactly."""
    if value is None or callable(value) or isinstance(value, str | bool | np.bool_):
        raise Slip(f"the answer is {_describe(value)}, expected a number")
    if isinstance(value, int | np.integer):
        return Fraction(int(value))
    if isinstance(value, Fraction):
        return value
    found = as_array(float(value) if isinstance(value, Decimal) else value)
    if found.size != 1:
        raise Slip(f"the answer is {_describe(value)}, expected one number")
    return Fraction(found.item())


def _shown(value: Any) -> str:
    """Show up to six digits of a number, and whole numbers in full unless they are very long."""
    if isinstance(value, int):
        return reprlib.repr(value)
    return f"{float(_exact(value)):.6g}"
