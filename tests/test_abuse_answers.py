"""Every exercise of every lesson: whatever an answer does, the notebook works on.

The exercises are collected from the notebooks: the last line of each, ``check(name, answer,
expectation)``, with the answer from its folded solution.
"""

# ruff: noqa: NPY002 - answers use the global generators, as learners do
from __future__ import annotations

import _thread
import builtins
import copy
import functools
import inspect
import itertools
import random
import signal
import sys
import threading
import time
from fractions import Fraction
from typing import NamedTuple

import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from nbclient import NotebookClient
from scipy import special, stats
from torch import nn

from dlcourse import time_limit
from dlcourse.answers import MOST, Slip
from dlcourse.checks import check, number
from dlcourse.dropout_checks import ALPHA, CALLS, PS, SHAPE
from dlcourse.time_limit import TimeIsUp, run_limited
from tests import (
    test_checks,
    test_choosing_p,
    test_coadaptation,
    test_ensembles,
    test_masks,
    test_overfitting,
    test_questions,
    test_regulariser,
    test_relatives,
    test_start_here,
    test_walter,
)
from tests.test_notebooks import exercises


class Exercise(NamedTuple):
    answer: object
    expectation: object


def collect():
    """Return the answer of the solution and the expectation of each exercise."""
    found = {}
    for case in exercises():
        imports, solutions, match = case.values
        names = {}
        exec(imports, names)
        exec(solutions[match["name"]], names)
        names["check"] = lambda name, answer, expectation: (name, Exercise(answer, expectation))
        name, exercise = eval(match[0], names)
        found[name] = exercise
    return found


EXERCISES = collect()
FUNCTIONS = {name: one for name, one in EXERCISES.items() if callable(one.answer)}
VALUES = {name: one for name, one in EXERCISES.items() if not callable(one.answer)}


def test_all_exercises_are_found():
    assert (len(EXERCISES), len(FUNCTIONS), len(VALUES)) == (30, 20, 10)


# --- Abuse ------------------------------------------------------------------------------------


def global_state():
    return {
        "random": random.getstate(),
        "numpy": [np.asarray(part).tobytes() for part in np.random.get_state()],
        "torch": torch.get_rng_state().numpy().tobytes(),
        "dtype": torch.get_default_dtype(),
        "threads": torch.get_num_threads(),
        "errstate": np.geterr(),
        "depth": sys.getrecursionlimit(),
        "stdout": sys.stdout,
        "print": builtins.print,
        "interrupt": signal.getsignal(signal.SIGINT),
        "switch": sys.getswitchinterval(),
    }


def assert_only_a_sentence(answer, exercises, words=""):
    """Hold the answer against the exercises: not right, told in one line, nothing else changed."""
    before = global_state()
    for name, (_, expectation) in exercises.items():
        verdict = check(name, answer, expectation)
        assert verdict.state != "right", verdict.name
        told = repr(verdict)
        assert words in verdict.message, told
        assert len(told) < 400 and "\n" not in told
        assert len(told) > len(f"{name} not yet: ")
        assert global_state() == before, name
    assert check("0", 4, number(4)).ok


class Untouchable:
    """Raises when any of its attributes is looked at."""

    def __getattribute__(self, name):
        if name in ("__class__", "__dict__"):
            return object.__getattribute__(self, name)
        raise RuntimeError(f"no {name}")


def raising(*methods):
    """Return an object of which these methods raise."""

    def fail(self, *args, **kwargs):
        raise ValueError("not this")

    return type("Raising", (), dict.fromkeys(methods, fail))()


class HugeLength:
    def __len__(self):
        return 10**15

    def __getitem__(self, i):
        return 1.0


def contains_itself(kind=list):
    value = kind()
    value.append(value) if kind is list else value.update(me=value)
    return value


def nested_deeply():
    value = []
    for _ in range(10_000):
        value = [value]
    return value


async def coroutine_function(*args, **kwargs):
    return 1


JUNK = {
    "none": None,
    "not implemented": NotImplemented,
    "text": "abc",
    "empty text": "",
    "long text": "abc " * 100_000,
    "text that is no unicode": "\ud800",
    "bytes": b"abc",
    "complex": 1j,
    "complex array": np.ones((200, 50)) * 1j,
    "nan": float("nan"),
    "inf": float("inf"),
    "nans": np.full((200, 50), np.nan),
    "true": True,
    "empty list": [],
    "empty array": np.zeros((0,)),
    "huge list": [0.0] * (MOST + 1),
    "huge range": range(3 * 10**8),
    "endless range": range(10**18),
    "huge int": 10**5000,
    "huge view": np.broadcast_to(0.0, (10**6, 10**6)),
    "huge tensor": torch.zeros(1).expand(10**12),
    "ragged list": [[1], [1, 2]],
    "list in itself": contains_itself(),
    "dict in itself": contains_itself(dict),
    "deep list": nested_deeply(),
    "generator": (i for i in range(3)),
    "endless iterator": itertools.count(),
    "dict": {},
    "set": {1.0},
    "slice": slice(3),
    "module": np,
    "class": int,
    "exception": ValueError("no"),
    "exception class": ValueError,
    "figure": Figure(),
    "repr raises": raising("__repr__", "__str__"),
    "== raises": raising("__eq__"),
    "hash raises": raising("__hash__"),
    "array raises": raising("__array__"),
    "bool raises": raising("__bool__"),
    "len raises": raising("__len__"),
    "float raises": raising("__float__"),
    "shape raises": type("Shaped", (), {"shape": property(lambda self: 1 / 0)})(),
    "all raises": Untouchable(),
    "huge length": HugeLength(),
    "strings": np.array(["a", "b"]),
    "objects": np.array([None, raising("__eq__")], dtype=object),
    "records": np.zeros(3, dtype=[("a", "f8")]),
    "date": np.datetime64("2020"),
    "masked": np.ma.masked_array([1.0, 2.0], [True, False]),
    "float16": np.float16(7.3),
    "long double": np.longdouble(7.3),
    "bfloat16": torch.full((200, 50), 0.3, dtype=torch.bfloat16),
    "tensor with gradient": torch.ones(2, requires_grad=True),
    "sparse tensor": torch.eye(3).to_sparse(),
    "tensor without data": torch.empty(3, device="meta"),
    "network": nn.Linear(2, 2),
    "function": lambda: 0,
    "own class": Untouchable,
}


@pytest.mark.parametrize("junk", JUNK)
def test_junk_as_an_answer(junk):
    assert_only_a_sentence(JUNK[junk], EXERCISES)


@pytest.mark.parametrize("junk", JUNK)
def test_junk_that_is_returned(junk):
    assert_only_a_sentence(lambda *args, **kwargs: JUNK[junk], FUNCTIONS)


class SilentError(Exception):
    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


class OwnBase(BaseException):
    pass


def raises(error):
    def f(*args, **kwargs):
        raise error

    return f


def recursion(*args, **kwargs):
    return recursion(*args, **kwargs)


def sets_all_that_is_global(*args, **kwargs):
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    torch.set_num_threads(3 - min(torch.get_num_threads(), 2))
    np.seterr(all="raise")
    sys.setrecursionlimit(5000)
    return "done"


def prints(*args, **kwargs):
    print("this is what I got:", len(args))
    return "done"


def yields(*args, **kwargs):
    yield 1


def deletes_all(*args, **kwargs):
    """Empty, zero or fill whatever was passed."""
    for value in [*args, *kwargs.values()]:
        if isinstance(value, dict | list):
            value.clear()
        elif isinstance(value, np.ndarray | torch.Tensor):
            value[...] = 0
        elif isinstance(value, nn.Module):
            nn.init.zeros_(next(value.parameters()))
    return "done"


class ReturnsItself:
    def __call__(self, *args, **kwargs):
        return self


class CannotBeCalled:
    __call__ = None


RUDE = {
    "exits": lambda *args, **kwargs: sys.exit(3),
    "interrupts": raises(KeyboardInterrupt()),
    "raises GeneratorExit": raises(GeneratorExit()),
    "raises StopIteration": raises(StopIteration()),
    "raises MemoryError": raises(MemoryError()),
    "raises a group": raises(ExceptionGroup("two", [ValueError(1), TypeError(2)])),
    "raises without a text": raises(SilentError()),
    "raises a BaseException": raises(OwnBase("mine")),
    "calls itself": recursion,
    "asks": lambda *args, **kwargs: input(),
    "sets all that is global": sets_all_that_is_global,
    "prints": prints,
    "yields": yields,
    "waits": coroutine_function,
    "deletes all": deletes_all,
    "returns itself": ReturnsItself(),
    "cannot be called": CannotBeCalled(),
    "throws the slip itself": raises(Slip("I am right")),
}


@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the same, later
@pytest.mark.parametrize("rude", RUDE)
def test_answers_that_misbehave(rude, capsys):
    assert_only_a_sentence(RUDE[rude], EXERCISES)


def test_an_answer_that_raises_is_told_by_its_error():
    for name, (_, expectation) in FUNCTIONS.items():
        for error in (KeyboardInterrupt(), RecursionError("too deep"), OwnBase("mine")):
            message = check(name, raises(error), expectation).message
            assert f"f raised {type(error).__name__}" in message


argument_of = {
    "x": "1.3", "grad": "2.3", "mask": "2.3", "outputs": "3.1", "masks": "3.1", "weights": "3.2",
    "h": "4.3", "ps": "7.2", "scores": "7.2", "X": "8.2", "w": "8.2", "W": "8.3", "weight": "9.3",
}  # fmt: skip


@pytest.mark.parametrize("argument", argument_of)
def test_an_input_that_is_changed_is_named(argument):
    names = ", ".join(inspect.signature(FUNCTIONS[argument_of[argument]].answer).parameters)
    space = {}
    exec(f"def f({names}):\n    {argument}[...] = 1 - {argument}[...] * 1\n    return 0", space)
    if argument in ("mask", "masks"):
        exec(f"def f({names}):\n    {argument}[...] = ~{argument}\n    return 0", space)
    verdict = check("0", space["f"], FUNCTIONS[argument_of[argument]].expectation)
    assert f"f changed {argument} in place: work on a copy" in verdict.message


def test_what_an_answer_prints_is_shown_but_not_for_ever(capsys):
    verdict = check("1.1", prints, FUNCTIONS["1.1"].expectation)
    assert capsys.readouterr().out.count("this is what I got") == 1 and not verdict.ok

    def chatty(n, p, rng):
        print("another draw, of 2,000 at each p")
        return FUNCTIONS["5.2"].answer(n, p, rng)

    assert check("5.2", chatty, FUNCTIONS["5.2"].expectation).ok
    shown = capsys.readouterr().out
    assert 1000 < len(shown) < 1100
    assert shown.endswith(" ... (the rest that was printed is left out)\n")


# --- The time limit ---------------------------------------------------------------------------


def loop(*args, **kwargs):
    while True:
        pass


def loop_that_catches_exceptions(*args, **kwargs):
    while True:
        try:
            sum(range(50))
        except Exception:
            pass


def loop_that_catches_all(*args, **kwargs):
    while True:
        try:
            sum(range(50))
        except:  # noqa: E722
            pass


def loop_that_prints(*args, **kwargs):
    while True:
        print("still here")


def loop_in_a_library(*args, **kwargs):
    return sorted(iter(lambda: 1, 2))


# How a loop is stopped depends on the loop; that a check is stopped at all, on the exercise.
SOME = dict(itertools.islice(FUNCTIONS.items(), 0, None, 5))
LOOPS = [
    (loop, FUNCTIONS),
    *((loop_that_catches_exceptions, SOME), (loop_that_catches_all, SOME)),
    *((loop_that_prints, SOME), (loop_in_a_library, SOME)),
]


@pytest.mark.parametrize(("answer", "asked"), LOOPS)
def test_endless_loops_are_stopped(answer, asked, monkeypatch, capsys):
    monkeypatch.setattr(time_limit, "TIME_LIMIT", 0.03)
    threads, start = threading.active_count(), time.monotonic()
    words = f"{answer.__name__} was still running after 0.03 seconds"
    before = global_state()
    for name, (_, expectation) in asked.items():
        verdict = check(name, answer, expectation)
        assert words in verdict.message and "does its loop end?" in verdict.message, verdict
        assert global_state() == before
    assert time.monotonic() - start < 2 * len(asked)
    assert threading.active_count() == threads
    assert len(capsys.readouterr().out) < 1100 * len(asked)


def test_the_line_of_the_loop_is_told(monkeypatch):
    monkeypatch.setattr(time_limit, "TIME_LIMIT", 0.03)
    message = check("1.1", loop, FUNCTIONS["1.1"].expectation).message
    line = inspect.getsourcelines(loop)[1]
    assert message.startswith("loop was still running after 0.03 seconds (line ")
    assert int(message.split("(line ")[1].split(")")[0]) - line in (1, 2)


class EndlessText:
    def __repr__(self):
        while True:
            pass


def test_an_answer_that_loops_when_it_is_shown(monkeypatch):
    monkeypatch.setattr(time_limit, "TIME_LIMIT", 0.03)
    message = check("0.1", EndlessText(), EXERCISES["0.1"].expectation).message
    assert message.startswith("checking the answer was still running after 0.03 seconds")


def test_what_cannot_be_stopped_does_not_hang_the_notebook(monkeypatch):
    """A C call is not stopped: the check goes on without it, and it does not come back later."""
    monkeypatch.setattr(time_limit, "TIME_LIMIT", 0.03)
    monkeypatch.setattr(time_limit, "PATIENCE", 0.05)
    asleep = threading.Event()

    def sleeps(shape, p, rng):
        asleep.set()
        time.sleep(0.8)

    before, threads = global_state(), threading.active_count()
    start = time.monotonic()
    verdict = check("1.1", sleeps, FUNCTIONS["1.1"].expectation)
    assert time.monotonic() - start < 0.7 and asleep.is_set()
    assert "cannot be stopped: restart the kernel" in verdict.message
    assert threading.active_count() == threads + 1
    random.seed(5), np.random.seed(5), torch.manual_seed(5)
    mine = global_state()
    while threading.active_count() > threads:
        time.sleep(0.02)
    assert global_state() == mine != before  # the late end put nothing back


def test_nothing_fires_after_the_function_has_ended():
    """Functions that end just when their time is up: no late exception, no thread left."""
    threads, ends = threading.active_count(), {"in time": 0, "late": 0}
    for i in range(80):
        wait = i % 20 * 1e-3

        def busy(wait=wait):
            end = time.monotonic() + wait
            while time.monotonic() < end:
                pass
            return "done"

        try:
            assert run_limited(busy, seconds=7e-3) == ("done", None)
            ends["in time"] += 1
        except TimeIsUp:
            ends["late"] += 1
        assert sum(range(100)) == 4950
    assert ends["in time"] > 8 and ends["late"] > 8
    assert threading.active_count() == threads


@pytest.fixture
def interruptible():
    """Hear an interrupt also where a shell has started the tests in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_learners_interrupt_is_an_interrupt(interruptible):
    threads = threading.active_count()
    before = global_state()
    timer = threading.Timer(0.2, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        check("1.1", loop, FUNCTIONS["1.1"].expectation)
    timer.join()
    assert threading.active_count() == threads
    assert global_state() == before
    assert check("1.1", *FUNCTIONS["1.1"]).ok


def test_a_function_in_another_thread_is_limited_too(monkeypatch):
    """The callbacks of a panel run in another thread than the cells."""
    monkeypatch.setattr(time_limit, "TIME_LIMIT", 0.05)
    found = []
    thread = threading.Thread(
        target=lambda: found.append(check("6.1", loop, FUNCTIONS["6.1"].expectation))
    )
    thread.start()
    thread.join()
    assert "still running after 0.05 seconds" in found[0].message


def test_right_answers_need_a_small_part_of_the_limit():
    for name, exercise in FUNCTIONS.items():
        start = time.process_time()
        assert check(name, *exercise).ok
        assert time.process_time() - start < time_limit.TIME_LIMIT / 10, name


KERNEL = [
    "from dlcourse import time_limit\n"
    "from dlcourse.checks import check\n"
    "from dlcourse.dropout_checks import mask_function\n"
    "time_limit.TIME_LIMIT = 0.2",
    "def my_mask(shape, p, rng):\n    while True:\n        pass\n"
    "check('1.1', my_mask, mask_function)",
    "check('1.1', lambda shape, p, rng: rng.random(shape) >= p, mask_function)",
    "def my_mask(shape, p, rng):\n    print('hello')\n    return rng.random(shape) < p\n"
    "check('1.1', my_mask, mask_function)",
]


def test_in_a_kernel():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in KERNEL])
    NotebookClient(notebook, timeout=60).execute()
    _, late, right, wrong = [cell.outputs for cell in notebook.cells]
    told = "my_mask was still running after 0.2 seconds (line 2): does its loop end?"
    assert late[-1].data["text/plain"].replace("line 3", "line 2") == f"1.1 not yet: {told}"
    assert right[-1].data["text/plain"].startswith("1.1 right")
    assert wrong[0].text == "hello\n" * 6
    assert "p and 1 − p swapped?" in wrong[-1].data["text/plain"]


# --- Wrong answers: each lesson's tests hold them, three different diagnoses or more ------------

TABLES = {
    "0.1": test_start_here.test_slips_about_the_number_of_kept_units,
    "0.2": test_start_here.test_slips_of_the_translation,
    "1.2": test_masks.test_spread_names_the_slip,
    "1.3": test_masks.test_batch_names_the_slip,
    "3.1": test_ensembles.test_mean_names_the_slip,
    "3.2": test_ensembles.test_geometric_names_the_slip,
    "4.1": test_coadaptation.test_numbers_name_the_slip,
    "4.2": test_coadaptation.test_numbers_name_the_slip,
    "4.3": test_coadaptation.test_removal_names_the_slip,
    "5.1": test_walter.test_numbers_name_the_slip,
    "5.2": test_walter.test_difference_names_the_slip,
    "6.1": test_overfitting.test_verdict_names_the_slip,
    "6.2": test_overfitting.test_start_again_names_the_slip,
    "6.3": test_overfitting.test_gap_names_the_slip,
    "7.1": test_choosing_p.test_ps_names_the_slip,
    "7.2": test_choosing_p.test_rule_names_the_slip,
    "7.3": test_choosing_p.test_leaked_names_the_slip,
    "8.1": test_regulariser.test_strength_names_the_slip,
    "8.2": test_regulariser.test_penalty_names_the_slip,
    "8.3": test_regulariser.test_norm_names_the_slip,
    "9.1": test_relatives.test_gaussian_names_the_slip,
    "9.2": test_relatives.test_channel_names_the_slip,
    "9.3": test_relatives.test_dropconnect_names_the_slip,
    "10.1": test_questions.test_a_wrong_decision_is_named,
    "10.2": test_questions.test_a_recipe_read_wrongly_is_named,
}
KINDS = {"1.1": "mask", "2.1": "dropout", "2.2": "vanilla", "2.3": "backward"}  # of test_checks
WRONG_LETTERS = {"A": "see question 11", "b": "see question 17", "C": "see question 14", 4: "one l"}
NUMBERS_OF_LESSON_4 = {"4.1": "head_start_weight", "4.2": "ten_inputs_weight"}


def wrong_answers(name):
    """Return the wrong answers to an exercise and the words expected, from its lesson's tests."""
    if name == "10.3":
        return list(WRONG_LETTERS.items())
    if name in KINDS:
        expect, phrases = test_checks.KINDS[KINDS[name]][0], test_checks.PHRASES
        slips = [row.values for row in test_checks.SLIPS]
        return [(answer, phrases[phrase]) for kind, answer, phrase in slips if kind is expect]
    (mark,) = [mark for mark in TABLES[name].pytestmark if mark.name == "parametrize"]
    table = [getattr(row, "values", row) for row in mark.args[1]]
    asked = (NUMBERS_OF_LESSON_4.get(name), EXERCISES[name].expectation)
    return [row[-2:] for row in table if len(row) == 2 or row[0] in asked]


@pytest.mark.parametrize("name", EXERCISES)
def test_three_wrong_answers_or_more_get_the_right_diagnosis(name):
    told = set()
    with np.errstate(all="ignore"):
        for answer, words in wrong_answers(name):
            verdict = check(name, answer, EXERCISES[name].expectation)
            assert verdict.state == "wrong" and words in verdict.message, verdict
            told.add(words)
    assert len(told) >= 3


# --- Right answers in five styles and more ------------------------------------------------------


def with_signature(answer, parameters, arguments):
    """Return a lambda with these parameters that passes these arguments on."""
    return eval(f"lambda {parameters}: answer({arguments})", {"answer": answer, "np": np})


class Wrapped:
    """An answer that is an object, or a method of one."""

    def __init__(self, answer):
        self.__call__ = self.answer = answer

    def __call__(self, *args, **kwargs):
        return self.answer(*args, **kwargs)

    def method(self, *args, **kwargs):
        return self.answer(*args, **kwargs)


def and_an_option(option, answer, *args, **kwargs):
    return answer(*args, **kwargs)


def in_type(value, kind):
    """Return what an answer returned in another floating type; words and the like stay."""
    if isinstance(value, tuple | list):
        return type(value)(in_type(one, kind) for one in value)
    is_float = isinstance(value, np.ndarray) and value.dtype.kind == "f"
    return np.asarray(value, kind)[()] if is_float or isinstance(value, float) else value


def as_list(value):
    return value.tolist() if isinstance(value, np.ndarray) else value


def as_tensor(value):
    is_number = isinstance(value, np.ndarray | np.floating) or type(value) is float
    return torch.as_tensor(value) if is_number else value


def then(answer, change):
    """Return an answer whose result is changed, with the parameters of the other."""

    @functools.wraps(answer)
    def changed(*args, **kwargs):
        return change(answer(*args, **kwargs))

    return changed


def styles_of(answer):
    names = list(inspect.signature(answer).parameters)
    listed = ", ".join(names)
    others = [f"arg{i}" for i in range(len(names))]
    by_name = ", ".join(f"{name}={name}" for name in names)
    turned = ", ".join(reversed(names))
    return {
        "lambda": with_signature(answer, listed, listed),
        "other names": with_signature(answer, ", ".join(others), ", ".join(others)),
        "other order": with_signature(answer, turned, by_name),
        "by name only": with_signature(answer, f"*, {listed}", by_name),
        "in order only": with_signature(answer, f"{listed}, /", listed),
        "defaults": with_signature(answer, f"{listed}, dtype=float, verbose=False", listed),
        "any arguments": with_signature(answer, "*args", "*args"),
        "object": Wrapped(answer),
        "method": Wrapped(answer).method,
        "partial": functools.partial(and_an_option, "option", answer),
        "float32": then(answer, lambda value: in_type(value, np.float32)),
        "float16": then(answer, lambda value: in_type(value, np.float16)),
        "list": then(answer, as_list),
        "tensor": then(answer, as_tensor),
    }


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_answers_are_accepted_in_any_form(name):
    answer, expectation = FUNCTIONS[name]
    for style, styled in styles_of(answer).items():
        verdict = check(name, styled, expectation)
        if (name, style) == ("9.3", "float16"):  # sums of powers of 2 do not fit into 11 bits
            assert verdict.message.startswith("float16 has 3 digits, too few")
        else:
            assert verdict.ok, (style, verdict)


def mean_by_counting(outputs, masks, p):
    total = np.zeros(outputs.shape[1])
    for mask, out in zip(masks, outputs, strict=True):
        chance = 1.0
        for kept in mask:
            chance *= 1 - p if kept else p
        total += chance * out
    return total


def geometric_loop(outputs, weights):
    powers = [1.0] * outputs.shape[1]
    for out, weight in zip(outputs, weights, strict=True):
        powers = [power * value**weight for power, value in zip(powers, out, strict=True)]
    return [power / sum(powers) for power in powers]


def remove_copy(h, p, rng):
    out = h.copy()
    out[:, rng.random(h.shape[1]) < p] = 0
    return out / (1 - p)


def difference_loop(n, p, rng):
    total = 0.0
    for _ in range(n):
        x, w = max(rng.normal(), 0), rng.normal()
        total += w * x * ((rng.random() >= p) / (1 - p) - 1)
    return total


def difference_python(n, p, rng):
    terms = []
    for _ in range(n):
        x, w = max(random.gauss(0, 1), 0), random.gauss(0, 1)
        terms.append(w * (0 if random.random() < p else x / (1 - p)) - w * x)
    return sum(terms)


def verdict_by_product(mean, half_width):
    low, high = mean - half_width, mean + half_width
    return "no difference seen" if low * high <= 0 else "higher" if low > 0 else "lower"


def verdict_by_index(mean, half_width):
    return ["no difference seen", "higher", "lower"][int(np.sign(mean)) * (abs(mean) > half_width)]


def verdict_by_match(mean, half_width):
    match (mean > half_width, mean < -half_width):
        case (True, _):
            return "higher"
        case (_, True):
            return "lower"
    return "no difference seen"


def twice_by_parameters(model, fit):
    saved = [part.detach().clone() for part in model.parameters()]
    first = fit(model)
    with torch.no_grad():
        for part, value in zip(model.parameters(), saved, strict=True):
            part.copy_(value)
    return torch.tensor([first, fit(model)]).tolist()


def twice_in_a_loop(model, fit):
    scores = []
    for twin in [copy.deepcopy(model) for _ in range(2)]:
        scores.append(fit(twin))
    return tuple(scores)


def gap_try(model, X, y, X_test, y_test):
    was_training = model.training
    try:
        model.train(False)
        scores = [float((model(a).argmax(1) == b).sum()) / len(b) for a, b in parts(**locals())]
    finally:
        model.train(was_training)
    return scores[0] - scores[1]


def parts(X, y, X_test, y_test, **others):
    return [(X, y), (X_test, y_test)]


def gap_numpy(model, X, y, X_test, y_test):
    still = copy.deepcopy(model)
    still.eval()
    said = [still(part).detach().numpy().argmax(axis=1) for part in (X, X_test)]
    return np.mean(said[0] == y.numpy()) - np.mean(said[1] == y_test.numpy())


def gap_by_hand(model, X, y, X_test, y_test):
    for part in (one := copy.deepcopy(model)):
        if isinstance(part, nn.Dropout):
            part.p = 0.0
    wrong = [(one(a).max(dim=1).indices != b).float() for a, b in ((X, y), (X_test, y_test))]
    return wrong[1].mean() - wrong[0].mean()


def leaked_by_tuples(splits):
    rows = {
        name: [set(map(tuple, part)) for part in (one.X_train, one.X_test)]
        for name, one in splits.items()
    }
    return [name for name, (train, test) in rows.items() if train & test]


def leaked_by_unique(splits):
    for name, one in splits.items():
        both = np.concatenate([np.unique(one.X_train, axis=0), np.unique(one.X_test, axis=0)])
        if len(np.unique(both, axis=0)) < len(both):
            return name


def norm_by_map(W, c):
    columns = [column * min(1, c / (np.hypot.reduce(column) or 1)) for column in W.T]
    return np.stack(columns, axis=1)


def channels_loop(x, p, rng):
    out = np.zeros_like(x)
    for image, channel in np.ndindex(x.shape[:2]):
        if rng.random() >= p:
            out[image, channel] = x[image, channel] / (1 - p)
    return out


def connect_einsum(x, weight, p, rng):
    mask = rng.binomial(1, 1 - p, (len(x), *weight.shape)) / (1 - p)
    return np.einsum("bi,oi,boi->bo", x, weight, mask)


def connect_torch(x, weight, p, rng):
    weights = weight.expand(len(x), *weight.shape)
    return torch.bmm(nn.functional.dropout(weights, p), x[:, :, None])[:, :, 0]


MORE_RIGHT = {
    "3.1": [mean_by_counting],
    "3.2": [
        geometric_loop,
        lambda outputs, weights: (
            np.exp(np.log(outputs).T @ weights) / sum(np.exp(np.log(outputs).T @ weights))
        ),
    ],
    "4.3": [remove_copy],
    "5.2": [difference_loop, difference_python],
    "6.1": [verdict_by_product, verdict_by_index, verdict_by_match],
    "6.2": [twice_by_parameters, twice_in_a_loop],
    "6.3": [gap_try, gap_numpy, gap_by_hand],
    "7.3": [leaked_by_tuples, leaked_by_unique],
    "8.3": [norm_by_map],
    "9.2": [channels_loop],
    "9.3": [connect_einsum, connect_torch],
}
ACCEPTED = {
    "0.2": test_start_here.test_translation_is_right,
    "1.3": test_masks.test_batch_accepts_right_answers,
    "3.1": test_ensembles.test_mean_accepts_right_answers,
    "3.2": test_ensembles.test_geometric_accepts_right_answers,
    "4.3": test_coadaptation.test_removal_accepts_right_answers,
    "5.2": test_walter.test_difference_accepts_right_answers,
    "6.1": test_overfitting.test_verdict_accepts_right_answers,
    "6.2": test_overfitting.test_start_again_accepts_right_answers,
    "6.3": test_overfitting.test_gap_accepts_right_answers,
    "7.2": test_choosing_p.test_rule_accepts_right_answers,
    "7.3": test_choosing_p.test_leaked_accepts_right_answers,
    "8.2": test_regulariser.test_penalty_accepts_right_answers,
    "8.3": test_regulariser.test_norm_accepts_right_answers,
    "9.1": test_relatives.test_gaussian_accepts_right_answers,
    "9.2": test_relatives.test_channel_accepts_right_answers,
    "9.3": test_relatives.test_dropconnect_accepts_right_answers,
}


def right_answers(name):
    """Return the right answers to an exercise, each written otherwise: its lesson's and these."""
    if name in KINDS:
        return list(test_checks.KINDS[KINDS[name]][1].values())
    (mark,) = [mark for mark in ACCEPTED[name].pytestmark if mark.name == "parametrize"]
    return [*mark.args[1], *MORE_RIGHT.get(name, [])]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_right_answers_in_five_styles_are_accepted(name):
    answers = right_answers(name)
    assert len(answers) >= 5
    for answer in answers:
        verdict = check(name, answer, EXERCISES[name].expectation)
        assert verdict.ok, verdict


@pytest.mark.parametrize("name", ["0.1", "1.2", "4.1", "4.2", "5.1", "8.1"])
def test_right_numbers_are_accepted_in_any_form(name):
    value, expectation = VALUES[name]
    forms = [float, np.float32, np.float16, Fraction, np.array, torch.tensor, lambda v: [v]]
    for form in forms:
        assert check(name, form(value), expectation).ok, form


@pytest.mark.parametrize("name", ["7.1", "10.1", "10.2"])
def test_right_lists_are_accepted_in_any_form(name):
    value, expectation = VALUES[name]
    for form in (list, tuple, np.array):
        assert check(name, form(value), expectation).ok, form
    if name != "10.1":
        for form in (np.float16, np.float32, torch.tensor):
            assert check(name, form(value), expectation).ok, form


# --- False alarms: how likely is it that a right answer is refused? -------------------------------

ONE_IN_A_MILLION = 1e-6
MASKS = {name: SHAPE for name in ("1.1", "1.3", "2.1", "2.2", "9.2", "9.3")} | {"4.3": (1, 1000)}
SEEDS = dict.fromkeys([*MASKS, "9.1"], 30) | {"5.2": 3}  # fewer, as it is slow


def chance_outside(cdf, largest, step, n, low, high):
    """Bound P(mean of n independent numbers < low or > high) for numbers >= 0 with this cdf.

    They are rounded to a grid, which moves the mean by at most step / 2, and the distribution of
    their sum comes from a Fourier transform. That one of them is larger than `largest` counts as
    outside, and so does a sum beyond the grid, which comes out at its other end.
    """
    edges = (np.arange(round(largest / step)) + 0.5) * step
    chances = np.diff(cdf(edges), prepend=0.0)
    size = 2 ** int(np.ceil(np.log2(1.3 * n * high / step)))
    sums = np.fft.irfft(np.fft.rfft(chances, size) ** n, size)
    means = np.arange(size) * step / n
    outside = (means < low + step / 2) | (means > high - step / 2)
    return sums[outside].sum() + n * (1 - cdf(edges[-1:])[0])


def test_the_chance_of_a_mean_is_right():
    """Of exponential numbers it is known: their sum is gamma distributed."""
    found = chance_outside(stats.expon.cdf, 40, 0.001, 50, 0.5, 1.7)
    law = stats.gamma(50, scale=1 / 50)
    assert law.cdf(0.5) + law.sf(1.7) < found < 1.1 * (law.cdf(0.5) + law.sf(1.7))


@pytest.mark.parametrize("name", MASKS)
def test_a_right_mask_is_refused_less_than_once_in_a_million(name):
    """Union bound over the two tails of each count, and 3 calls at both p that keep equally many.

    Counted are all units, each row, each column and three kinds of pairs, at each p.
    """
    rows, columns = MASKS[name]
    tails = 2 * (1 + rows + columns + 3) * len(PS) * ALPHA
    kept = np.arange(rows * columns + 1)
    equal = [(stats.binom.pmf(kept, rows * columns, 1 - p) ** CALLS).sum() for p in PS]
    assert tails + np.prod(equal) < ONE_IN_A_MILLION


def test_right_gaussian_noise_is_refused_less_than_once_in_a_million():
    """9.1: mean, variance and fourth moment of 30,000 numbers, at each of two p."""
    n = CALLS * int(np.prod(SHAPE))
    mean = 2 * stats.norm.sf(0.06 * n**0.5)
    spread = stats.chi2(n - 1)
    variance = spread.cdf(0.92 * n) + spread.sf(1.08 * n)
    fourth = chance_outside(lambda y: stats.chi2(1).cdf(y**0.5), 3000, 0.05, n, 2.5, 3.5)
    assert 2 * (mean + variance + fourth) < ONE_IN_A_MILLION


def difference_squared(p, inputs=64):
    """Return the cdf of the squared difference of 5.2, in multiples of its mean.

    Given inputs x and factors s, it is Σ w x s with weights w from N(0, 1): normal with variance
    V = Σ x² s². Half of the x are 0, and s² is (p/(1 − p))² where kept and 1 where dropped.
    """
    mean, step, size = p / (1 - p) / 2 * inputs, 1e-4, 2**17
    edges = (np.arange(size) + 0.5) * step * mean
    one = 0.5 + 0.5 * (1 - p) * stats.chi2(1).cdf(edges * ((1 - p) / p) ** 2)
    one += 0.5 * p * stats.chi2(1).cdf(edges)
    of_v = np.fft.irfft(np.fft.rfft(np.diff(one, prepend=0.0)) ** inputs, size)
    of_v = np.maximum(of_v, 0).reshape(-1, 256)
    at = (np.arange(size) * step).reshape(-1, 256).mean(axis=1)
    return lambda y: special.erf(np.sqrt(y[:, None] / at / 2)) @ of_v.sum(axis=1)


@pytest.mark.parametrize("p", PS)
def test_a_right_difference_is_refused_less_than_once_in_a_million(p):
    """5.2: 2,000 numbers with a mean within 6 standard errors and a std within 12 % at both p.

    The differences are symmetric, so for the mean Efron's bound 2 exp(−t²/2) holds with
    t = |Σ d| / √(Σ d²), which is 6 / √(1 + 36/2000) where the mean is 6 standard errors off. The
    variance about the mean is at most 36/2000 less than the mean square.
    """
    mean = 2 * np.exp(-36 / (1 + 36 / 2000) / 2)
    low, high = 0.88**2 * (1 + 36 / 2000), 1.12**2
    spread = chance_outside(difference_squared(p), 120, 0.01, 2000, low, high)
    assert mean + spread < ONE_IN_A_MILLION / 2


@pytest.mark.parametrize("name", SEEDS)
def test_right_answers_are_accepted_whatever_they_draw(name):
    """No fresh randomness makes a right answer wrong; a false alarm here is below 30 × 1e-6."""
    answer, expectation = FUNCTIONS[name]
    for seed in range(SEEDS[name]):
        own = np.random.default_rng([seed, 12])

        @functools.wraps(answer)
        def with_own_generator(own=own, **given):
            return answer(**given | {"rng": own})

        verdict = check(name, with_own_generator, expectation)
        assert verdict.ok, (seed, verdict)
