"""Run what a learner wrote and turn whatever goes wrong into one sentence.

`call` passes copies, finds out how the parameters are named, tries tensors where arrays fail, and
raises `Slip` or `Unfinished` with a sentence for the learner; `as_array` does the same for values.

>>> from dlcourse.checks import Expectation, check
>>> def doubles(answer):
...     result = as_array(call(answer, x=np.array([1.0, 3.0])), (2,), returned_by(answer))
...     return None if np.allclose(result, [2, 6]) else f"3 became {result[1]:g}, expected 6"
>>> check("0.1", lambda x: x + x, Expectation(doubles, right="2x"))
0.1 right: 2x
>>> check("0.1", lambda x: x**2, Expectation(doubles, right="2x"))
0.1 not yet: 3 became 9, expected 6
"""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import io
import random
import reprlib
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import pairwise
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dlcourse._validate import integer, quoted
from dlcourse.time_limit import given_up

MOST = 1_000_000  # values in a list or range; an exercise asks for some thousands


class Slip(Exception):
    """What is wrong with an answer, in one sentence."""


class Unfinished(Exception):
    """What is still to be written in an answer, in one sentence."""


def as_array(
    value: Any,
    shape: tuple[int, ...] | None = None,
    who: str = "the answer is",
    wanted: str = "an array",
) -> NDArray[np.float64]:
    """Copy an array, tensor or (nested) list of finite numbers into a float64 array, or raise Slip.

    `who` begins the sentence: keep it for a value, pass `returned_by(f)` for what f returned.
    `wanted` says what is expected where no shape is given.

    >>> as_array([1, 2], (2,))
    array([1., 2.])
    """
    refuse_dots(value, "replace the ...")
    _refuse_unwieldy(value, who)
    if value is None:
        raise Slip(f"{who} None" + (": is a return missing?" if "returned" in who else ""))
    if shape is not None:
        wanted = f"an array of shape {shape}" if shape else "one number"
    if np.ma.is_masked(value):
        raise Slip(f"{who} a masked array, expected {wanted}: `filled(0)` makes a plain one")
    try:
        found = np.asarray(_plain(value))
    except Exception as error:
        raise Slip(f"{who} {describe(value)}, expected {wanted}") from error
    if found.dtype.kind not in "biuf":
        what = f"an array of dtype {found.dtype}" if found.ndim else describe(value)
        raise Slip(f"{who} {what}, expected {wanted}{'' if 'number' in wanted else ' of numbers'}")
    if shape is not None and found.shape != shape:
        raise Slip(f"{who} {describe(value)}, expected {wanted}")
    if bad := int((~np.isfinite(found)).sum()):
        where = f"an array with nan or inf in {bad} of {found.size} places"
        raise Slip(f"{who} {where if found.ndim else found}")
    return np.array(found, dtype=float)


def precision(value: Any, usual: float = 1e-5) -> float:
    """Return the relative error to allow for: the usual one, at least 4e-3 for float16.

    >>> precision(np.ones(3)), precision(np.ones(3, np.float16))
    (1e-05, 0.004)
    """
    if isinstance(value, tuple | list):
        value = next(iter(value), None)
    return max(4e-3, usual) if str(getattr(value, "dtype", "")).endswith("float16") else usual


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
    >>> def f(p):
    ...     return [1][2]
    >>> call(f, p=0.3)
    Traceback (most recent call last):
    dlcourse.answers.Slip: f raised IndexError: list index out of range (line 2), called with p=0.3
    """
    if not callable(function):
        raise Slip(f"expected a function, got {describe(function)}: pass its name, do not call it")
    failures: list[tuple[list[int], Slip]] = []
    for given in _versions(arguments):
        args, kwargs = _bind(function, given)
        before = {name: _copied(value) for name, value in given.items()}
        try:
            result = function(*args, **kwargs)
        except (Exception, SystemExit) as error:
            if given_up():  # it was stopped
                raise
            reached = [frame.f_lasti for frame, _ in _own_frames(error, function)]
            failures.append((reached, _failure(function, error, given)))
            if not isinstance(error, TypeError | AttributeError | RuntimeError):
                break
        else:
            _refuse_unwritten(function, result)
            _refuse_unwieldy(result, returned_by(function))
            if changed := [name for name in given if _changed(before[name], given[name])]:
                x = changed[0]
                copies = f"`copy.deepcopy({x})` makes one"
                if hasattr(given[x], "shape"):
                    copies = f"`{x} * 2` makes one, `{x} *= 2` does not"
                raise Slip(f"{name_of(function)} changed {x} in place: work on a copy: {copies}")
            return result
    # Tell the failure that came furthest. Of those that came equally far, tell the one on arrays,
    # which is what the learner was promised, unless it says that the function is for tensors.
    if "Tensor" in str(failures[0][1]):
        failures.reverse()
    raise max(failures, key=lambda failure: failure[0])[1]


def returned_by(function: Any) -> str:
    """Begin a sentence for `as_array`.

    >>> returned_by(len)
    'len returned'
    """
    return f"{name_of(function)} returned"


@contextmanager
def fixed_randomness(seed: int = 0) -> Iterator[np.random.Generator]:
    """Seed `random`, `np.random` and torch (if imported) inside; put their states back after.

    >>> with fixed_randomness(3) as rng:
    ...     a = random.random(), float(rng.random())
    >>> with fixed_randomness(3) as rng:
    ...     a == (random.random(), float(rng.random()))
    True
    """
    seed = integer(seed, "seed", 0, 2**32 - 1)
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
        if not given_up():  # else `check` has put them back long ago, and the notebook runs on
            random.setstate(python_state)
            np.random.set_state(numpy_state)  # noqa: NPY002
            if torch:
                torch.set_rng_state(torch_state)


@contextmanager
def same_settings() -> Iterator[None]:
    """Put back what holds for the whole kernel and answers have been seen to set.

    Python's recursion limit, PyTorch's default dtype and its number of threads, which belongs to
    the thread as well; NumPy's errstate belongs to the context in which an answer runs.

    >>> import sys
    >>> before = sys.getrecursionlimit()
    >>> with same_settings():
    ...     sys.setrecursionlimit(before + 1)
    >>> sys.getrecursionlimit() == before
    True
    """
    torch, depth = sys.modules.get("torch"), sys.getrecursionlimit()
    if torch:
        dtype, threads = torch.get_default_dtype(), torch.get_num_threads()
    try:
        yield
    finally:
        sys.setrecursionlimit(depth)
        if torch and torch.get_default_dtype() != dtype:
            torch.set_default_dtype(dtype)
        if torch and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)


class FirstLines(io.TextIOBase):
    """A stream that passes on the first characters only: an endless loop may print for ever.

    >>> import sys
    >>> _ = FirstLines(sys.stdout, 7).write("many words")
    many wo ... (the rest that was printed is left out)
    """

    def __init__(self, to: Any, limit: int = 1000) -> None:
        super().__init__()
        self._to, self._left = to, limit

    def writable(self) -> bool:
        """Return True."""
        return True

    def write(self, text: str) -> int:
        """Pass on what is still allowed."""
        if self._left > 0:
            self._to.write(text[: self._left])
            if len(text) > self._left:
                self._to.write(" ... (the rest that was printed is left out)\n")
        self._left -= len(text)
        return len(text)

    def flush(self) -> None:
        """Flush the stream behind."""
        self._to.flush()


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


def _plain(value: Any) -> Any:
    """Take a tensor off its device and its gradient, and to a dtype that NumPy has."""
    if isinstance(value, list) and any(hasattr(item, "detach") for item in value):
        return [_plain(item) for item in value]
    if not hasattr(value, "detach"):
        return value
    value = value.detach().cpu().to_dense()
    return value.double() if value.is_floating_point() else value


def _copied(value: Any) -> Any:
    """Copy what can be changed in place; a generator stays itself, so that its state moves on."""
    if hasattr(value, "detach"):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if type(value) in (list, tuple):
        return type(value)(map(_copied, value))
    if isinstance(value, dict):
        return {name: _copied(part) for name, part in value.items()}
    return copy.deepcopy(value) if isinstance(value, np.ndarray) else value


def _changed(before: Any, after: Any) -> bool:
    """Return whether an argument is no longer what it was: its numbers, its length, its keys."""
    if before is after:  # what `_copied` did not copy
        return False
    if isinstance(before, dict) and isinstance(after, dict):
        return before.keys() != after.keys() or any(_changed(before[k], after[k]) for k in before)
    if isinstance(before, list | tuple) and isinstance(after, list | tuple):
        return len(before) != len(after) or any(map(_changed, before, after))
    if isinstance(before, dict | list | tuple) or isinstance(after, dict | list | tuple):
        return True
    one, other = np.asarray(_plain(before)), np.asarray(_plain(after))
    floats = one.dtype.kind in "fc" and other.dtype.kind in "fc"
    if "O" in (one.dtype.kind, other.dtype.kind):  # two objects
        return True
    return not np.array_equal(one, other, equal_nan=floats)


def _failure(function: Any, error: BaseException, given: Mapping[str, Any]) -> Slip:
    """Say that the function raised; raise Unfinished if it did so because something is missing."""
    if "ellipsis" in one_line(error).lower():
        raise Unfinished(f"replace the ... in {name_of(function)}") from error
    if isinstance(error, NotImplementedError):
        *_, (last, _) = traceback.walk_tb(error.__traceback__)
        if last in [frame for frame, _ in _own_frames(error, function)]:
            raise Unfinished(f"{name_of(function)} raises NotImplementedError") from error
    return Slip(f"{raised(error, function)}, called with {_listed(given)}")


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
    # all by name comes first where all names fit, and last for one that takes **anything
    ways = [([], by_name), (in_order, keyword_only), ([], dict(given))]
    if len(by_name) < len(given):
        del ways[0]
    for args, kwargs in ways:
        try:
            signature.bind(*args, **kwargs)
        except TypeError:
            continue
        return args, kwargs
    raise Slip(
        f"{name_of(function)} takes the parameters ({', '.join(own)}), "
        f"expected {len(given)}: ({', '.join(given)})"
    )


def refuse_dots(value: Any, todo: str) -> None:
    """Raise Unfinished for ``...``, also as an item of a tuple or list."""
    items = value if isinstance(value, tuple | list) else [value]
    if any(item is ... or item is NotImplemented for item in items):
        raise Unfinished(todo)


def _refuse_unwritten(function: Any, result: Any) -> None:
    refuse_dots(result, f"replace the ... in {name_of(function)}")
    code = _code(function)
    if result is None and code is not None:
        steps = {step.opname for step in dis.get_instructions(code)}
        if steps <= {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}:
            raise Unfinished(f"{name_of(function)} is still empty")


def _refuse_unwieldy(value: Any, who: str) -> None:
    """Refuse what would fill the memory as an array, and numbers of two digits."""
    if isinstance(value, list | tuple | range) and len(value) > MOST:
        raise Slip(f"{who} a {type(value).__name__} of more than {MOST:,} values")
    if str(getattr(value, "dtype", "")) == "torch.bfloat16" and (value != value.round()).any():
        raise Slip(f"{who} bfloat16 numbers, which have 2 digits, too few to check: use float32")


def has_placeholder(function: Any) -> bool:
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
    try:
        return getattr(inspect.unwrap(_whole(function)), "__code__", None)
    except Exception:  # an object that raises when it is looked at, or that wraps itself
        return None


def _whole(function: Any) -> Any:
    """Return the function of which a `functools.partial` is made."""
    return _whole(function.func) if isinstance(function, functools.partial) else function


def _own_frames(error: BaseException, function: Any) -> list[tuple[FrameType, int]]:
    """Return the frames, with their lines, that failed in the learner's cell."""
    code, frames = _code(function), traceback.walk_tb(error.__traceback__)
    return [(f, line) for f, line in frames if code and f.f_code.co_filename == code.co_filename]


def raised(error: BaseException, answer: Any) -> str:
    """Say who raised what, and in which line of the learner's cell."""
    who = name_of(answer) if callable(answer) else "checking the answer"
    words = one_line(error)
    told = f"{type(error).__name__}{': ' if words else ''}{words}"
    return f"{who} raised {told}{line_in(error, answer)}"


def line_in(error: BaseException | None, answer: Any) -> str:
    """Return the line of the learner's cell that failed, as it ends a sentence, or nothing."""
    own = _own_frames(error, answer) if error is not None else []
    return f" (line {own[-1][1]})" if own else ""


def one_line(text: object) -> str:
    """Put all words of a text on one line; what cannot be shown as text has none."""
    try:
        return " ".join(str(text).split())
    except Exception:
        return ""


def name_of(function: Any) -> str:
    """Return what a sentence calls the function."""
    try:
        name = getattr(_whole(function), "__name__", type(function).__name__)
    except Exception:  # an object that raises when it is looked at
        name = type(function).__name__
    return "your function" if name == "<lambda>" else str(name)


def describe(value: Any) -> str:
    """Say in a few words what kind of thing was found in the place of an answer."""
    if isinstance(value, str):
        return f"the text {reprlib.repr(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        name = name_of(value)
        return "a function" if name == "your function" else f"the function {name}"
    if isinstance(value, tuple | range) or (isinstance(value, list) and len(value) > MOST):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, np.generic):
        value = value.item()
    try:
        shape = tuple(np.shape(_plain(value)))
    except ValueError:
        return "a list with rows of different lengths"
    except Exception:
        shape = ()
    if shape:
        return f"a{' list' if isinstance(value, list) else 'n array'} of shape {shape}"
    try:
        shown = one_line(reprlib.repr(value))
    except Exception:
        shown = ""
    hidden = not shown or shown[0] == "<" or "0x" in shown
    return f"an object of type {type(value).__name__}" if hidden else shown


def _listed(arguments: Mapping[str, Any]) -> str:
    """Say what the function was called with, such as "shape (200, 50), p=0.3 and a Generator"."""
    words = []
    for name, value in arguments.items():
        if hasattr(value, "shape"):
            words.append(f"{name} of shape {tuple(value.shape)}")
        elif type(value).__name__ == "Generator":
            words.append("a Generator")
        else:
            short = quoted(value)
            words.append(f"{name} {short}" if isinstance(value, tuple) else f"{name}={short}")
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]])) if words else "nothing"
