"""The answer checks: every right answer passes, every slip is named, and nothing else happens."""

# ruff: noqa: NPY002, B008
from __future__ import annotations

import functools
import inspect
import random
import subprocess
import sys
import time
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlcourse import dropout_checks as dc
from dlcourse.answers import Slip, as_array, call, fixed_randomness
from dlcourse.checks import Expectation, Verdict, array, check, number

# --- Right answers ---------------------------------------------------------------------------


def mask_loop(shape, p, rng):
    return [[rng.random() >= p for _ in range(shape[1])] for _ in range(shape[0])]


def mask_python_random(shape, p, rng):
    rows, columns = shape
    out = []
    for _ in range(rows):
        row = []
        for _ in range(columns):
            row.append(0 if random.random() < p else 1)
        out.append(row)
    return out


def mask_filled_zeros(shape, p, rng):
    mask = np.zeros(shape)
    mask[rng.random(shape) > p] = 1
    return mask


def mask_torch_like(shape, p, rng):
    u = torch.empty(shape)
    u.uniform_(generator=rng)
    return u >= p


def mask_scalar_calls(shape, p, rng):
    return np.array([rng.uniform() > p for _ in range(int(np.prod(shape)))]).reshape(shape)


def mask_asserts_its_input(shape, p, rng):
    assert 0 <= p <= 1 and isinstance(shape, tuple)
    return rng.random(shape) >= p


@functools.lru_cache(maxsize=1)
def _own_rng():
    return np.random.default_rng()


MASKS = {
    "numpy": lambda shape, p, rng: rng.random(shape) >= p,
    "numpy float": lambda shape, p, rng: (rng.random(shape) > p).astype(float),
    "numpy int8": lambda shape, p, rng: (rng.random(shape, dtype="float32") > p).astype("int8"),
    "not dropped": lambda shape, p, rng: ~(rng.random(shape) < p),
    "one minus dropped": lambda shape, p, rng: 1 - (rng.random(shape) < p),
    "keep": lambda shape, p, rng: rng.random(shape) < 1 - p,
    "where": lambda shape, p, rng: np.where(rng.random(shape) < p, 0, 1),
    "floor": lambda shape, p, rng: np.floor(rng.random(shape) + 1 - p),
    "binomial": lambda shape, p, rng: rng.binomial(1, 1 - p, shape),
    "choice": lambda shape, p, rng: rng.choice([0, 1], shape, p=[p, 1 - p]),
    "choice of bools": lambda shape, p, rng: rng.choice([True, False], shape, p=[1 - p, p]),
    "percent": lambda shape, p, rng: rng.integers(0, 100, shape) >= round(100 * p),
    "normal": lambda shape, p, rng: rng.normal(size=shape) > stats.norm.ppf(p),
    "scipy": lambda shape, p, rng: stats.bernoulli.rvs(1 - p, size=shape, random_state=rng),
    "legacy": lambda shape, p, rng: np.random.rand(*shape) >= p,
    "legacy binomial": lambda shape, p, rng: np.random.binomial(1, 1 - p, size=shape),
    "other names": lambda size, drop, generator: generator.random(size) >= drop,
    "other order": lambda p, shape, rng: rng.random(shape) >= p,
    "defaults": lambda shape, p=0.5, rng=None, dtype=bool: (rng.random(shape) >= p).astype(dtype),
    "keyword only": lambda shape, *, p, rng: rng.random(shape) >= p,
    "rest": lambda *args: args[2].random(args[0]) >= args[1],
    "own generator": lambda shape, p, rng: _own_rng().random(shape) >= p,
    "fresh generator": lambda shape, p, rng: np.random.default_rng().random(shape) >= p,
    "seed from rng": lambda shape, p, rng: (
        np.random.default_rng(rng.integers(2**32)).random(shape) >= p
    ),
    "torch": lambda shape, p, rng: torch.rand(shape) >= p,
    "torch bernoulli": lambda shape, p, rng: torch.bernoulli(torch.full(shape, 1 - p)),
    "torch bernoulli_": lambda shape, p, rng: torch.empty(shape).bernoulli_(1 - p).bool(),
    "torch half": lambda shape, p, rng: (torch.rand(shape) >= p).to(torch.bfloat16),
    "torch generator": lambda shape, p, rng: torch.rand(shape, generator=rng) >= p,
    "torch uniform_": mask_torch_like,
    "F.dropout": lambda shape, p, rng: F.dropout(torch.ones(shape), p) * (1 - p),
    "requires grad": lambda shape, p, rng: (torch.rand(shape) >= p).float().requires_grad_(),
    "filled": mask_filled_zeros,
    "asserts": mask_asserts_its_input,
    "nested loop": mask_loop,
    "python random": mask_python_random,
    "scalar calls": mask_scalar_calls,
}


def inverted_branches(x, p, training, rng):
    if not training:
        return x
    if p == 0:
        return x
    mask = rng.random(x.shape) >= p
    return np.where(mask, x, 0) / (1 - p)


def inverted_copy(x, p, training, rng):
    out = x.copy()
    if training:
        out[rng.random(x.shape) < p] = 0
        out /= 1 - p
    return out


def inverted_loop(x, p, training, rng):
    out = []
    for row in x:
        new = []
        for value in row:
            if training:
                value = 0.0 if random.random() < p else value / (1 - p)
            new.append(value)
        out.append(new)
    return out


def inverted_indices(x, p, training, rng):
    y = np.array(x, dtype=np.float32)
    if training:
        for i in range(x.shape[0]):
            for j in range(x.shape[1]):
                y[i, j] = y[i, j] / (1 - p) if rng.random() > p else 0
    return y


def inverted_module(x, p, training, rng):
    layer = torch.nn.Dropout(p)
    layer.train(training)
    return layer(x)


def inverted_torch(x, p, training, rng):
    if not training:
        return x.clone()
    mask = torch.bernoulli(torch.full_like(x, 1 - p))
    return x.mul(mask).div(1 - p)


class Layer:
    """A learner may well pass an object that can be called."""

    def __call__(self, x, p, training, rng):
        return x * (rng.random(x.shape) >= p) / (1 - p) if training else x


INVERTED = {
    "branches": inverted_branches,
    "one line": lambda x, p, training, rng: (
        x * (rng.random(x.shape) >= p) / (1 - p) if training else x
    ),
    "scaled mask": lambda x, p, training, rng: (
        x * ((rng.random(x.shape) >= p) / (1 - p)) if training else 1.0 * x
    ),
    "binomial": lambda x, p, training, rng: (
        x * rng.binomial(1, 1 - p, x.shape) / (1 - p) if training else x
    ),
    "legacy": lambda x, p, training, rng: (
        np.multiply(x, np.random.rand(*x.shape) > p) / (1 - p) if training else x
    ),
    "float32": lambda x, p, training, rng: (
        x.astype("f4") * (rng.random(x.shape, dtype="f4") >= p) / np.float32(1 - p)
        if training
        else x.astype("f4")
    ),
    "always a mask": lambda x, p, training, rng: (
        x * (rng.random(x.shape) >= p * training) / (1 - p * training)
    ),
    "scipy": lambda x, p, training, rng: (
        x * stats.bernoulli(1 - p).rvs(x.shape, random_state=rng) / (1 - p) if training else x
    ),
    "other names": lambda inp, drop, train, g: (
        inp * (g.random(inp.shape) >= drop) / (1 - drop) if train else inp
    ),
    "other order": lambda p, rng, x, training=True: (
        x * (rng.random(x.shape) >= p) / (1 - p) if training else x
    ),
    "defaults": lambda x, p=0.5, training=True, rng=None, eps=0.0: (
        x * (rng.random(x.shape) >= p) / (1 - p + eps) if training else x
    ),
    "choice": lambda x, p, training, rng: (
        x * rng.choice([0, 1 / (1 - p)], x.shape, p=[p, 1 - p]) if training else x
    ),
    "lists": lambda x, p, training, rng: (
        (x * (rng.random(x.shape) >= p) / (1 - p)).tolist() if training else x.tolist()
    ),
    "F.dropout": lambda x, p, training, rng: F.dropout(x, p, training),
    "F.dropout of arrays": lambda x, p, training, rng: F.dropout(torch.tensor(x), p, training),
    "nn.Dropout": inverted_module,
    "torch": inverted_torch,
    "torch mask, array": lambda x, p, training, rng: (
        x * (torch.rand(x.shape) >= p).numpy() / (1 - p) if training else x
    ),
    "torch rand_like": lambda x, p, training, rng: (
        torch.where(torch.rand_like(x) >= p, x / (1 - p), 0.0) if training else x
    ),
    "torch generator": lambda x, p, training, rng: (
        x * (torch.rand(x.shape, generator=rng) >= p) / (1 - p) if training else x
    ),
    "tensor with NumPy's rng": lambda x, p, training, rng: (
        x.float() * torch.tensor(rng.random(tuple(x.shape)) >= p) / (1 - p) if training else x
    ),
    "callable object": Layer(),
    "copy": inverted_copy,
    "python random": inverted_loop,
    "nested loop": inverted_indices,
}

VANILLA = {
    "one line": lambda x, p, training, rng: (
        x * (rng.random(x.shape) >= p) if training else (1 - p) * x
    ),
    "where": lambda x, p, training, rng: (
        np.where(rng.random(x.shape) < p, 0, x) if training else x - p * x
    ),
    "binomial": lambda x, p, training, rng: (
        x * rng.binomial(1, 1 - p, x.shape) if training else x * (1 - p)
    ),
    "legacy": lambda x, p, training, rng: (
        x * (np.random.rand(*x.shape) > p) if training else x * (1 - p)
    ),
    "lists": lambda x, p, training, rng: [
        [(v * (random.random() >= p) if training else v * (1 - p)) for v in row] for row in x
    ],
    "float32": lambda x, p, training, rng: (
        x * (rng.random(x.shape) >= p) if training else x * (1 - p)
    ).astype("f4"),
    "torch": lambda x, p, training, rng: (
        torch.bernoulli(torch.full_like(x, 1 - p)) * x if training else x * (1 - p)
    ),
    "F.dropout, scaled back": lambda x, p, training, rng: F.dropout(x, p, training) * (1 - p),
    "factor for both": lambda x, p, training, rng: (
        x * ((rng.random(x.shape) >= p) if training else 1 - p)
    ),
}


def backward_loop(grad, mask, p):
    out = np.zeros(grad.shape)
    for i in range(len(grad)):
        for j in range(len(grad[i])):
            if mask[i, j]:
                out[i, j] = grad[i, j] / (1 - p)
    return out


def backward_copy(grad, mask, p):
    dx = grad.copy() / (1 - p)
    dx[~mask] = 0
    return dx


def backward_autograd(grad, mask, p):
    x = torch.zeros(grad.shape, dtype=torch.float64, requires_grad=True)
    (x * torch.tensor(mask) / (1 - p)).backward(torch.tensor(grad))
    return x.grad


BACKWARD = {
    "one line": lambda grad, mask, p: grad * mask / (1 - p),
    "scale first": lambda grad, mask, p: 1 / (1 - p) * grad * mask.astype(float),
    "where": lambda grad, mask, p: np.where(mask, grad / (1 - p), 0),
    "other names": lambda dout, kept, drop: dout * kept / (1 - drop),
    "keyword only": lambda *, grad, mask, p: grad * mask / (1 - p),
    "float32": lambda grad, mask, p: (grad * mask / (1 - p)).astype("f4"),
    "einsum": lambda grad, mask, p: np.einsum("ij,ij->ij", grad, mask * 1.0) / (1 - p),
    "list": lambda grad, mask, p: [
        [g / (1 - p) if m else 0 for g, m in zip(gs, ms, strict=True)]
        for gs, ms in zip(grad, mask, strict=True)
    ],
    "torch": lambda grad, mask, p: grad.clone().masked_fill(~mask, 0) / (1 - p),
    "torch where": lambda grad, mask, p: torch.where(mask, grad, 0.0).div(1 - p),
    "autograd": backward_autograd,
    "loop": backward_loop,
    "copy": backward_copy,
}

KINDS = {
    "mask": (dc.expect_mask, MASKS),
    "dropout": (dc.expect_dropout, INVERTED),
    "vanilla": (dc.expect_vanilla, VANILLA),
    "backward": (dc.expect_backward, BACKWARD),
}
SLOW = {"nested loop", "python random", "scalar calls", "loop", "list", "lists"}
RIGHT = [(kind, style) for kind, (_, answers) in KINDS.items() for style in answers]


@pytest.mark.parametrize(("kind", "style"), RIGHT, ids=[" / ".join(r) for r in RIGHT])
def test_right_answers_pass_whatever_the_seed(kind, style):
    expect, answers = KINDS[kind]
    for seed in range(3 if style in SLOW else 12):
        verdict = check("1.1", answers[style], expect(seed=seed))
        assert verdict.ok, verdict


@pytest.mark.parametrize("kind", KINDS)
def test_loops_take_less_than_half_a_second(kind):
    expect, answers = KINDS[kind]
    for style in SLOW & answers.keys():
        times = []
        for _ in range(3):
            start = time.perf_counter()
            check("1.1", answers[style], expect())
            times.append(time.perf_counter() - start)
        assert min(times) < 0.5


@pytest.mark.parametrize("shape", [(10_000,), (40, 5, 50), (200, 7, 7)])
def test_masks_of_other_shapes(shape):
    def right(shape, p, rng):
        return rng.random(shape) >= p

    def exact(shape, p, rng):
        return rng.permutation(np.arange(np.prod(shape)) >= p * np.prod(shape)).reshape(shape)

    for seed in range(5):
        assert check("1.1", right, dc.expect_mask(shape, seed)).ok
        assert "every call keeps exactly" in repr(check("1.1", exact, dc.expect_mask(shape, seed)))
    with pytest.raises(ValueError, match="5000"):
        dc.expect_mask((4, 3))


# --- Slips -----------------------------------------------------------------------------------

PHRASES = {
    "swapped in the mask": "1 − p swapped?",
    "swapped in the scale": "p and 1 − p swapped in the scale?",
    "p unused": "is p used?",
    "biased": "expected 0.70",
    "nothing": "nothing is dropped",
    "everything": "everything is dropped",
    "one draw": "one draw for all",
    "calls": "the same mask at every call",
    "rows": "the same mask for every row",
    "whole rows": "whole rows are dropped together",
    "exact": "every call keeps exactly",
    "exact rows": "every row keeps exactly",
    "exact columns": "every column keeps exactly",
    "uneven": "expected about",
    "dependent": "is every unit drawn on its own?",
    "scaled mask": "scaled already?",
    "no comparison": "is a comparison missing?",
    "not rescaled": "not rescaled?",
    "twice": "scaled twice?",
    "multiplied": "multiplied by 1 − p instead of divided by it?",
    "times p": "multiplied by p instead of divided by 1 − p?",
    "measured": "divided by the fraction that this call kept",
    "named factor": "instead of 1/(1 − p)?",
    "scaled at test": "scaled at test time too?",
    "vanilla at test": "scaled at test time, as vanilla dropout does?",
    "drops at test": "dropout must be off at test time",
    "training ignored": "is training ignored?",
    "wrong way round": "the wrong way round?",
    "constant": "is noise or a constant added instead of a mask?",
    "brackets /": "p is subtracted at the end: write / (1 - p) with brackets",
    "brackets *": "p is subtracted at the end: write * (1 - p) with brackets",
    "product compared": "whatever x is: is the product compared, not the random number?",
    "x unused": "whatever x is: is x multiplied by the mask?",
    "shape of x": ": the mask must have the shape of x, x.shape",
    "unlike": "are units scaled unlike?",
    "rescaled in training": "rescaled in training, as inverted dropout does?",
    "vanilla scaled twice": "scaled in training too, not only at test time?",
    "not scaled at test": "not scaled at test time?",
    "divided at test": "divided by 1 − p instead of multiplied by it?",
    "twice at test": "scaled twice at test time?",
    "factor lost": "is the factor 1/(1 − p) lost?",
    "grad unused": "whatever grad is: multiply grad by the mask",
    "let through": "of the dropped units at",
    "mask unused": "expected 0: is mask used?",
    "another mask": "expected 0: use the mask that is given, do not draw a new one",
    "mask inverted": "is the mask inverted?",
    "gradient gone": "the gradient is 0 everywhere",
    "drawn anew": "of the kept units at",
    "in place": "in place",
    "dtype object": "dtype object",
}
# The only phrases that may come together.
TOGETHER = {
    "swapped in the mask": {"biased"},
    "p unused": {"biased"},
    "mask unused": {"let through"},
    "another mask": {"let through"},
}


def fixed_seed(shape, p, rng):
    return np.random.default_rng(42).random(shape) >= p


def fixed_legacy_seed(shape, p, rng):
    np.random.seed(0)
    return np.random.rand(*shape) >= p


def fixed_torch_seed(shape, p, rng):
    torch.manual_seed(0)
    return torch.rand(shape) >= p


def default_seed(shape, p, rng, seed=3):
    return np.random.RandomState(seed).rand(*shape) >= p


def default_draw(shape, p, rng, u=np.random.default_rng(1).random((200, 50))):
    return u >= p


def exact_choice(shape, p, rng):
    mask = np.ones(np.prod(shape), bool)
    mask[rng.choice(mask.size, int(p * mask.size), replace=False)] = False
    return mask.reshape(shape)


def exact_permutation(shape, p, rng):
    n = int(np.prod(shape))
    return rng.permutation(np.arange(n) < n * (1 - p)).reshape(shape)


def exact_quantile(shape, p, rng):
    u = rng.random(shape)
    return u >= np.quantile(u, p)


def exact_rows(shape, p, rng):
    return np.argsort(rng.random(shape), axis=1) >= round(p * shape[1])


def exact_rows_floor(shape, p, rng):
    mask = [[1] * int(shape[1] * (1 - p)) + [0] * (shape[1] - int(shape[1] * (1 - p)))] * shape[0]
    return rng.permuted(np.array(mask), axis=1)


def exact_columns(shape, p, rng):
    return np.argsort(rng.random(shape), axis=0) >= int(p * shape[0])


def first_column_spared(shape, p, rng):
    mask = rng.random(shape) >= p
    mask[:, 0] = True
    return mask


def last_row_forgotten(shape, p, rng):
    mask = np.ones(shape, bool)
    for i in range(shape[0] - 1):
        mask[i] = rng.random(shape[1]) >= p
    return mask


def frozen_half(shape, p, rng):
    mask = rng.random(shape) >= p
    mask[: shape[0] // 2] = np.random.default_rng(0).random((shape[0] // 2, shape[1])) >= p
    return mask


def twin_rows(shape, p, rng):
    return np.repeat(rng.random((shape[0] // 2, shape[1])) >= p, 2, axis=0)


def twin_columns(shape, p, rng):
    return np.repeat(rng.random((shape[0], shape[1] // 2)) >= p, 2, axis=1)


def objects(shape, p, rng):
    return (rng.random(shape) >= p).astype(object)


MASK_SLIPS = {
    "swapped in the mask": [
        lambda shape, p, rng: rng.random(shape) < p,
        lambda shape, p, rng: rng.binomial(1, p, shape),
        lambda shape, p, rng: torch.rand(shape) > 1 - p,
    ],
    "p unused": [lambda shape, p, rng: rng.random(shape) >= 0.5],
    "biased": [
        lambda shape, p, rng: rng.random(shape) >= p + 0.05,
        lambda shape, p, rng: rng.random(shape) >= p - 0.05,
        lambda shape, p, rng: rng.random(shape) ** 2 >= p,
        lambda shape, p, rng: (rng.random(shape) >= p) & (rng.random(shape) >= p),
        lambda shape, p, rng: rng.integers(0, 10, shape) > 10 * p,
    ],
    "nothing": [
        lambda shape, p, rng: np.ones(shape),
        lambda shape, p, rng: 1 + rng.random(shape) >= p,
    ],
    "everything": [lambda shape, p, rng: np.zeros(shape, bool)],
    "one draw": [lambda shape, p, rng: np.full(shape, rng.random() >= p)],
    "calls": [fixed_seed, fixed_legacy_seed, fixed_torch_seed, default_seed, default_draw],
    "rows": [
        lambda shape, p, rng: np.tile(rng.random(shape[1]) >= p, (shape[0], 1)),
        lambda shape, p, rng: [(rng.random(shape[1]) >= p).tolist()] * shape[0],
    ],
    "whole rows": [lambda shape, p, rng: np.ones(shape) * (rng.random((shape[0], 1)) >= p)],
    "exact": [exact_choice, exact_permutation, exact_quantile],
    "exact rows": [exact_rows, exact_rows_floor],
    "exact columns": [exact_columns],
    "uneven": [first_column_spared, last_row_forgotten],
    "dependent": [frozen_half, twin_rows, twin_columns],
    "scaled mask": [lambda shape, p, rng: (rng.random(shape) >= p) / (1 - p)],
    "no comparison": [
        lambda shape, p, rng: rng.random(shape),
        lambda shape, p, rng: rng.random(shape) - p,
    ],
    "dtype object": [objects],
}


def layer(mask, scale=lambda p: 1 / (1 - p), test=lambda p: 1):
    """Make a dropout function of a mask function and of what is multiplied in."""

    def my_dropout(x, p, training, rng):
        return x * np.asarray(mask(x.shape, p, rng)) * scale(p) if training else x * test(p)

    return my_dropout


def keep(shape, p, rng):
    return rng.random(shape) >= p


def inplace_zero(x, p, training, rng):
    if training:
        x[rng.random(x.shape) < p] = 0
        return x / (1 - p)
    return x


def inplace_scale(x, p, training, rng):
    if training:
        x *= rng.random(x.shape) >= p
        x /= 1 - p
    return x


def inplace_torch(x, p, training, rng):
    return F.dropout(x, p, training, inplace=True)


def subtracts_p(x, p, training, rng):
    return x * keep(x.shape, p, rng) / 1 - p if training else x  # the brackets are missing


def divided_by_kept(x, p, training, rng):
    mask = rng.random(x.shape) >= p
    return x * mask / mask.mean() if training else x


DROPOUT_SLIPS = {
    "swapped in the mask": [
        layer(lambda shape, p, rng: rng.random(shape) < p),
        lambda x, p, training, rng: F.dropout(x, 1 - p, training) * p / (1 - p),
    ],
    "swapped in the scale": [layer(keep, lambda p: 1 / p)],
    "not rescaled": [
        layer(keep, lambda p: 1),
        lambda x, p, training, rng: F.dropout(x, p, training) * (1 - p * training),
    ],
    "twice": [
        layer(keep, lambda p: (1 - p) ** -2),
        lambda x, p, training, rng: F.dropout(x, p, training) / (1 - p * training),
    ],
    "multiplied": [layer(keep, lambda p: 1 - p)],
    "times p": [layer(keep, lambda p: p)],
    "named factor": [layer(keep, lambda p: (1 - p) ** -0.5), layer(keep, lambda p: 1 + p)],
    "measured": [divided_by_kept],
    "scaled at test": [layer(keep, test=lambda p: 1 / (1 - p))],
    "vanilla at test": [layer(keep, test=lambda p: 1 - p)],
    "calls": [layer(fixed_seed), layer(fixed_legacy_seed), layer(default_draw)],
    "rows": [layer(lambda shape, p, rng: rng.random(shape[1:]) >= p)],
    "whole rows": [layer(lambda shape, p, rng: rng.random((shape[0], 1)) >= p)],
    "exact": [layer(exact_choice), layer(exact_quantile)],
    "exact rows": [layer(exact_rows)],
    "exact columns": [layer(exact_columns)],
    "biased": [layer(lambda shape, p, rng: rng.random(shape) >= p + 0.05)],
    "drops at test": [
        lambda x, p, training, rng: x * keep(x.shape, p, rng) / (1 - p * training),
        lambda x, p, training, rng: x * keep(x.shape, p if training else 0.5, rng) / (1 - p),
    ],
    "training ignored": [
        lambda x, p, training, rng: x * keep(x.shape, p, rng) / (1 - p),
        lambda x, p, training, rng: F.dropout(x, p),
        lambda x, p, training, rng: torch.nn.Dropout(p)(x),
    ],
    "wrong way round": [
        lambda x, p, training, rng: x if training else x * keep(x.shape, p, rng) / (1 - p)
    ],
    "nothing": [lambda x, p, training, rng: x, lambda x, p, training, rng: x / (1 - p * training)],
    "everything": [lambda x, p, training, rng: x * 0 if training else x],
    "constant": [
        lambda x, p, training, rng: x + rng.normal(size=x.shape) if training else x,
        lambda x, p, training, rng: np.where(keep(x.shape, p, rng), x, -1) if training else x,
        lambda x, p, training, rng: F.alpha_dropout(x, p, training),
    ],
    "no comparison": [
        lambda x, p, training, rng: x * rng.normal(1, 0.5, x.shape) if training else x,
        layer(lambda shape, p, rng: rng.random(shape)),
        layer(lambda shape, p, rng: rng.random(shape) * p),
        layer(lambda shape, p, rng: rng.random(shape) - p),
    ],
    "unlike": [
        layer(lambda shape, p, rng: keep(shape, p, rng) * rng.uniform(1, 2, shape)),
        lambda x, p, training, rng: x * keep(x.shape, p, rng) / (1 - p) if training else x**2,
    ],
    "brackets /": [subtracts_p, lambda x, p, training, rng: x * keep(x.shape, p, rng) / 1 - p],
    "product compared": [
        lambda x, p, training, rng: (x * rng.random(x.shape) >= p) / (1 - p) if training else x,
        lambda x, p, training, rng: x * rng.random(x.shape) < p if training else x,
    ],
    "x unused": [
        lambda x, p, training, rng: keep(x.shape, p, rng) / (1 - p) if training else x,
        lambda x, p, training, rng: np.ones_like(x) if training else x,
    ],
    "shape of x": [
        layer(lambda shape, p, rng: rng.random(shape[0]) >= p),
        lambda x, p, training, rng: x * (rng.random(x.size) >= p) / (1 - p),
    ],
    "in place": [inplace_zero, inplace_scale, inplace_torch],
    "dtype object": [layer(objects)],
}

VANILLA_SLIPS = {
    "rescaled in training": [layer(keep, test=lambda p: 1 - p), *[INVERTED["one line"]]],
    "not scaled at test": [layer(keep, lambda p: 1)],
    "vanilla scaled twice": [layer(keep, lambda p: 1 - p, lambda p: 1 - p)],
    "swapped in the scale": [layer(keep, lambda p: 1, lambda p: p)],
    "divided at test": [layer(keep, lambda p: 1, lambda p: 1 / (1 - p))],
    "twice at test": [layer(keep, lambda p: 1, lambda p: (1 - p) ** 2)],
    "swapped in the mask": [
        layer(lambda shape, p, rng: rng.random(shape) < p, lambda p: 1, lambda p: 1 - p)
    ],
    "drops at test": [
        lambda x, p, training, rng: x * keep(x.shape, p, rng) * (1 if training else 1 - p)
    ],
    "training ignored": [lambda x, p, training, rng: x * keep(x.shape, p, rng)],
    "brackets *": [
        lambda x, p, training, rng: x * keep(x.shape, p, rng) if training else x * 1 - p
    ],
    "product compared": [
        lambda x, p, training, rng: x * rng.random(x.shape) >= p if training else x * (1 - p)
    ],
}


def backward_inplace(grad, mask, p):
    grad[~mask] = 0
    return grad / (1 - p)


def backward_inplace_mask(grad, mask, p):
    mask[0] = False
    return grad * mask / (1 - p)


BACKWARD_SLIPS = {
    "factor lost": [lambda grad, mask, p: grad * mask],
    "grad unused": [
        lambda grad, mask, p: mask / (1 - p),
        lambda grad, mask, p: np.full(grad.shape, 1 / (1 - p)),
    ],
    "let through": [lambda grad, mask, p: np.where(mask, grad / (1 - p), grad)],
    "mask unused": [lambda grad, mask, p: grad / (1 - p), lambda grad, mask, p: grad],
    "another mask": [
        lambda grad, mask, p: grad * (np.random.rand(*grad.shape) >= p) / (1 - p),
        lambda grad, mask, p: F.dropout(grad, p),
    ],
    "brackets /": [lambda grad, mask, p: grad * mask / 1 - p],
    "mask inverted": [lambda grad, mask, p: grad * ~mask / (1 - p)],
    "twice": [lambda grad, mask, p: grad * mask / (1 - p) ** 2],
    "multiplied": [lambda grad, mask, p: grad * mask * (1 - p)],
    "swapped in the scale": [lambda grad, mask, p: grad * mask / p],
    "gradient gone": [lambda grad, mask, p: grad * mask * 0],
    "drawn anew": [lambda grad, mask, p: grad * mask * (np.random.rand(*mask.shape) > p) / (1 - p)],
    "unlike": [lambda grad, mask, p: grad**2 * mask / (1 - p)],
    "in place": [backward_inplace, backward_inplace_mask],
}

SLIPS = [
    pytest.param(expect, answer, phrase, id=f"{kind} / {phrase} / {i}")
    for kind, expect, table in [
        ("mask", dc.expect_mask, MASK_SLIPS),
        ("dropout", dc.expect_dropout, DROPOUT_SLIPS),
        ("vanilla", dc.expect_vanilla, VANILLA_SLIPS),
        ("backward", dc.expect_backward, BACKWARD_SLIPS),
    ]
    for phrase, answers in table.items()
    for i, answer in enumerate(answers)
]


@pytest.mark.parametrize(("expect", "answer", "phrase"), SLIPS)
def test_every_slip_is_named_and_no_other(expect, answer, phrase):
    for seed in range(5):
        verdict = check("1.1", answer, expect(seed=seed))
        assert verdict.state == "wrong"
        assert PHRASES[phrase] in verdict.message
        others = PHRASES.keys() - {phrase} - TOGETHER.get(phrase, set())
        assert not [other for other in others if PHRASES[other] in verdict.message], verdict
        assert "\n" not in repr(verdict)


@pytest.mark.parametrize(
    ("scale", "second"),
    [
        (lambda p: 1, "not rescaled?"),
        (lambda p: 1 / p, "swapped in the scale?"),
        (lambda p: (1 - p) ** -2, "scaled twice?"),
    ],
)
def test_a_slip_in_the_mask_and_one_in_the_scale_are_both_named(scale, second):
    answer = layer(lambda shape, p, rng: rng.random(shape) < p, scale)
    message = check("1.1", answer, dc.dropout_function).message
    assert "p and 1 − p swapped? Also, kept units are multiplied by" in message
    assert message.endswith(second)


def test_the_measured_numbers_are_in_the_sentence():
    def message(answer, expectation):
        return check("1.1", answer, expectation).message

    assert message(lambda shape, p, rng: rng.random(shape) < p, dc.mask_function) == (
        "kept 0.30 of the units at p = 0.3, expected 0.70: p and 1 − p swapped?"
    )
    assert message(layer(keep, lambda p: 1), dc.dropout_function) == (
        "kept units are multiplied by 1 at p = 0.3, expected 1.429: not rescaled?"
    )
    assert message(exact_rows, dc.mask_function).startswith(
        "every row keeps exactly 35 of 50 units at p = 0.3, expected each unit to be drawn"
    )
    assert message(lambda grad, mask, p: grad, dc.backward_function) == (
        "gradient passes through 1.00 of the dropped units at p = 0.3, expected 0: is mask used?"
    )


# --- How sure the verdict is ------------------------------------------------------------------


def test_a_right_answer_is_called_wrong_less_than_once_in_a_million():
    n, (rows, columns) = int(np.prod(dc.SHAPE)), dc.SHAPE
    tails = len(dc.PS) * (1 + rows + columns + 3) * dc.ALPHA
    k = np.arange(n + 1)
    same_total = np.prod([(stats.binom.pmf(k, n, 1 - p) ** dc.CALLS).sum() for p in dc.PS])
    assert tails + same_total < 1e-7


def test_equal_counts_in_all_rows_or_columns_are_no_accident():
    rows, columns = dc.SHAPE
    for p in dc.PS:
        for size, others in ((columns, rows - 1), (rows, columns - 1)):
            assert (
                stats.binom.pmf(np.arange(size + 1), size, p).max() ** (others * dc.CALLS) < 1e-50
            )


@pytest.mark.parametrize("off", [-0.05, -0.035, 0.035, 0.05])
def test_a_bias_is_missed_less_than_once_in_a_million(off):
    n = dc.CALLS * int(np.prod(dc.SHAPE))
    for p in dc.PS:
        accepted = np.flatnonzero(~dc._surprising(np.arange(n + 1), n, 1 - p))
        low, high = accepted[[0, -1]]
        missed = stats.binom.cdf(high, n, 1 - p + off) - stats.binom.cdf(low - 1, n, 1 - p + off)
        assert missed < 1e-6


@given(st.integers(1, 400), st.floats(0.05, 0.95), st.data())
def test_tails_are_exact(n, p, data):
    k = data.draw(st.integers(0, n))
    pmf = stats.binom.pmf(np.arange(n + 1), n, p)
    tail = min(pmf[: k + 1].sum(), pmf[k:].sum())
    if not np.isclose(tail, dc.ALPHA / 2, rtol=1e-6):
        assert dc._surprising(k, n, p) == (tail < dc.ALPHA / 2)


@given(st.sampled_from(list(dc.FACTORS)), st.sampled_from(list(dc.FACTORS)))
def test_factors_are_told_apart(true, asked):
    found = {p: np.full(dc.CALLS, f) for p in dc.PS for f in [dc.FACTORS[true](p)]}
    slip = dc.factor_slip("x is", found, asked)
    assert slip is None if true == asked else slip.endswith(f": {true} instead of {asked}?")


# --- Unfinished answers -----------------------------------------------------------------------


def dots(shape, p, rng):
    return ...


def assigned_dots(shape, p, rng):
    mask = ...
    return np.where(mask, np.ones(shape), 0)


def two_dots(shape, p, rng):
    keep, _scale = ..., ...
    return np.ones(shape)[keep]


def dots_in_an_expression(shape, p, rng):
    return rng.random(shape) >= ... * p


def dots_as_an_argument(shape, p, rng):
    return rng.random(...) >= p


def empty_body(shape, p, rng):
    """Say what it does."""
    ...


def not_implemented(shape, p, rng):
    raise NotImplementedError


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (..., "replace the ..."),
        ((..., 3), "replace the ..."),
        (dots, "replace the ... in dots"),
        (assigned_dots, "replace the ... in assigned_dots"),
        (two_dots, "replace the ... in two_dots"),
        (dots_in_an_expression, "replace the ... in dots_in_an_expression"),
        (dots_as_an_argument, "replace the ... in dots_as_an_argument"),
        (lambda shape, p, rng: NotImplemented, "replace the ... in your function"),
        (empty_body, "empty_body is still empty"),
        (not_implemented, "not_implemented raises NotImplementedError"),
    ],
)
def test_unfinished(answer, message):
    verdict = check("1.1", answer, dc.mask_function)
    assert verdict == Verdict("1.1", "unfinished", message)
    assert repr(verdict) == f"1.1 not finished yet: {message}"
    assert not verdict


def test_unfinished_in_one_branch_only():
    def half_done(x, p, training, rng):
        if training:
            return x * keep(x.shape, p, rng) / (1 - p)
        return ...

    assert check("1.1", half_done, dc.dropout_function).state == "unfinished"


def test_unfinished_values():
    assert check("1.1", ..., number(3)).state == "unfinished"
    assert check("1.1", [1, ...], array([1, 2])).state == "unfinished"


def test_dots_in_an_index_are_no_placeholder():
    def right(shape, p, rng):
        u = rng.random((*shape, 1))
        u[...] = 1 - u
        return u[..., 0] >= p

    def wrong(shape, p, rng):
        return rng.random((*shape, 1))[..., 0] < p

    assert check("1.1", right, dc.mask_function).ok
    assert check("1.1", wrong, dc.mask_function).state == "wrong"


# --- Answers that fail ------------------------------------------------------------------------


class Silent(Exception):
    """Has no text."""

    def __str__(self):
        raise ValueError("no text")

    __repr__ = __str__


def message_of(answer, expectation=dc.mask_function):
    verdict = check("1.1", answer, expectation)
    assert verdict.state == "wrong"
    assert "\n" not in repr(verdict)
    return verdict.message


def in_a_cell(source):
    """Define a function in a cell of its own, where line 1 is the first line of the cell."""
    namespace = {"np": np, "torch": torch}
    exec(compile(source, "<cell>", "exec"), namespace)
    return namespace["f"]


def test_an_exception_becomes_one_sentence():
    f = in_a_cell("def f(shape, p, rng):\n    k = 3\n    return [1][k]\n")
    assert message_of(f) == (
        "f raised IndexError: list index out of range (line 3), "
        "called with shape (200, 50), p=0.3 and a Generator"
    )
    f = in_a_cell("def f(x, p, training, rng):\n\n    return helper(x)\n")
    assert message_of(f, dc.dropout_function) == (
        "f raised NameError: name 'helper' is not defined (line 3), "
        "called with x of shape (200, 50), p=0.3, training=True and a Generator"
    )


def test_the_line_is_the_learners_own_even_if_a_library_raises():
    f = in_a_cell("def f(shape, p, rng):\n    return np.zeros(2) + np.zeros(3)\n")
    assert "(line 2)" in message_of(f)
    f = in_a_cell("def f(shape, p, rng):\n    return rng.choice([0, 1], shape, p=[p, p])\n")
    assert "ValueError: probabilities do not sum to 1" in message_of(f).replace("Probab", "probab")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda g, mask, p: g.clone().no_such(), "'Tensor' object has no attribute 'no_such'"),
        (lambda g, mask, p: F.dropout(g, "p"), "'str' and 'float'"),
        (lambda g, mask, p: torch.rand(5, generator=p), "generator=float"),
    ],
)
def test_a_mistake_in_a_function_for_tensors_is_told_as_such(answer, words):
    assert words in message_of(answer, dc.backward_function)
    f = in_a_cell("def f(grad, mask, p):\n    g = grad.clone()\n    return g.no_such(mask)\n")
    message = message_of(f, dc.backward_function)
    assert "'Tensor' object has no attribute 'no_such' (line 3)" in message


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda shape, p, rng: rng >= p, "of 'numpy.random._generator.Generator' and 'float'"),
        (lambda shape, p, rng: rng.rand(shape) >= p, "Generator' object has no attribute 'rand'"),
        (lambda shape, p, rng: p(rng), "'float' object is not callable"),
    ],
)
def test_a_mistake_in_a_function_for_arrays_names_nothing_of_torch(answer, words):
    message = message_of(answer)
    assert words in message and "torch" not in message and "Tensor" not in message
    message = message_of(lambda grad, mask, p: grad.no_such(mask), dc.backward_function)
    assert "'numpy.ndarray' object has no attribute 'no_such'" in message


@pytest.mark.parametrize(
    "error", [ValueError, RecursionError, SystemExit, AssertionError, StopIteration, MemoryError]
)
def test_any_exception_is_caught(error):
    def f(shape, p, rng):
        raise error("two\nlines")

    assert f"f raised {error.__name__}: two lines (line " in message_of(f)


def test_an_exception_without_a_text_and_an_exit_are_told():
    f = in_a_cell("def f(shape, p, rng):\n    raise error()\n")
    for error in (Silent, SystemExit):
        f.__globals__["error"] = error
        assert message_of(f).startswith(f"f raised {error.__name__} (line 2), called with shape")
        assert message_of(f, lambda f: f(1, 2, 3)) == f"f raised {error.__name__} (line 2)"


@pytest.mark.parametrize(
    ("result", "message"),
    [
        (None, "f returned None: is a return missing?"),
        (0.7, "f returned 0.7, expected an array of shape (200, 50)"),
        (np.ones(50), "f returned an array of shape (50,), expected an array of shape (200, 50)"),
        (torch.ones(3), "f returned an array of shape (3,), expected an array of shape (200, 50)"),
        ([[1], [1]], "f returned a list of shape (2, 1), expected an array of shape (200, 50)"),
        (
            [[1], [1, 2]],
            "f returned a list with rows of different lengths, "
            "expected an array of shape (200, 50)",
        ),
        ("mask", "f returned the text 'mask', expected an array of shape (200, 50) of numbers"),
        (len, "f returned the function len, expected an array of shape (200, 50) of numbers"),
        (dict, "f returned the class dict, expected an array of shape (200, 50) of numbers"),
        (
            (n for n in "01"),
            "f returned an object of type generator, "
            "expected an array of shape (200, 50) of numbers",
        ),
        (
            np.ma.masked_array([1, 2], [True, False]),
            "f returned a masked array, expected an array of shape (200, 50): "
            "`filled(0)` makes a plain one",
        ),
        (
            np.array([[1], [1, 2]], dtype=object),
            "f returned an array of dtype object, expected an array of shape (200, 50) of numbers",
        ),
        (
            np,
            "f returned an object of type module, expected an array of shape (200, 50) of numbers",
        ),
        (
            Silent(),
            "f returned an object of type Silent, expected an array of shape (200, 50) of numbers",
        ),
        (
            torch.ones(200, 50, dtype=torch.complex64),
            "f returned an array of dtype complex64, "
            "expected an array of shape (200, 50) of numbers",
        ),
        (
            torch.ones(3, requires_grad=True),
            "f returned an array of shape (3,), expected an array of shape (200, 50)",
        ),
        (
            [torch.ones(2, requires_grad=True)],
            "f returned a list of shape (1, 2), expected an array of shape (200, 50)",
        ),
        (
            (np.ones((200, 50)), 0.3),
            "f returned a tuple of 2, expected an array of shape (200, 50)",
        ),
        (
            np.full((200, 50), np.nan),
            "f returned an array with nan or inf in 10000 of 10000 places",
        ),
        (
            np.full((200, 50), None),
            "f returned an array of dtype object, expected an array of shape (200, 50) of numbers",
        ),
        (
            np.ones((200, 50), complex),
            "f returned an array of dtype complex128, "
            "expected an array of shape (200, 50) of numbers",
        ),
    ],
)
def test_what_is_no_mask(result, message):
    def f(shape, p, rng):
        return result

    assert message_of(f) == message


def test_a_generator_is_no_mask():
    def f(shape, p, rng):
        yield 1

    assert "generator" in message_of(f)


def test_parameters():
    wanted = "expected 3: (shape, p, rng)"
    assert message_of(lambda shape, p: 1) == (
        f"your function takes the parameters (shape, p), {wanted}"
    )
    assert message_of(lambda shape, p, rng, seed: 1) == (
        f"your function takes the parameters (shape, p, rng, seed), {wanted}"
    )
    assert message_of(lambda: 1) == f"your function takes the parameters (), {wanted}"


@pytest.mark.parametrize("value", [np.ones((200, 50)), 0.7, None, "my_mask", [1, 0]])
def test_no_function(value):
    assert message_of(value).startswith("expected a function, got ")
    assert message_of(value).endswith(": pass its name, do not call it")


def test_an_in_place_change_never_reaches_the_other_calls():
    values = np.arange(3.0)

    def f(x, nested):
        nested[0][0] = 9

    with pytest.raises(Slip, match="f changed nested in place"):
        call(f, x=values, nested=[[1]])

    def g(x):
        x[0] = 7

    with pytest.raises(Slip, match=r"place: work on a copy: `x \* 2` makes one, `x \*= 2` does"):
        call(g, x=values)
    assert values[0] == 0


@pytest.mark.parametrize(
    ("make", "change"),
    [
        (lambda: {"A": np.zeros(2)}, lambda x: x.popitem()),
        (lambda: {"A": np.zeros(2)}, lambda x: x.update(B=1)),
        (lambda: {"A": np.zeros(2)}, lambda x: x.update(A=[0, 0])),
        (lambda: {"A": np.zeros(2)}, lambda x: x.update(A=object())),
        (lambda: {"A": np.zeros(2)}, lambda x: np.add(x["A"], 1, out=x["A"])),
        (lambda: [np.zeros(2)], lambda x: x.clear()),
        (lambda: [np.zeros(2)], lambda x: x.insert(0, "a word")),
        (lambda: [np.zeros(2)], lambda x: x.__setitem__(0, np.zeros(3))),
        (lambda: [[0.0], [1.0]], lambda x: x[1].append(2)),
        (lambda: (np.zeros(2),), lambda x: np.add(x[0], 1, out=x[0])),
        (lambda: [torch.zeros(2)], lambda x: x[0].add_(1)),
    ],
)
def test_what_is_changed_within_a_dict_list_or_tuple_is_seen_and_stays_there(make, change):
    given = make()
    with pytest.raises(Slip, match="your function changed x in place"):
        call(lambda x: change(x), x=given)
    assert repr(given) == repr(make())


def test_what_is_left_alone_is_not_called_changed():
    assert call(lambda weights: len(weights), weights=[np.ones((2, 3)), np.ones((3, 1))]) == 2
    assert call(lambda x: x.size, x=np.array([1.0, np.nan])) == 2
    assert call(lambda x: len(x), x={"a": float("nan"), "b": None, "c": object(), "d": (1, 2)}) == 4
    assert (
        call(lambda x: len(x), x=[torch.tensor([np.nan]), torch.ones(2, requires_grad=True)]) == 2
    )


def test_a_reused_output_array_does_not_look_like_a_reused_mask():
    buffer = np.empty((200, 50), bool)

    def f(shape, p, rng):
        return np.greater_equal(rng.random(shape), p, out=buffer)

    assert check("1.1", f, dc.mask_function).ok


def test_call_passes_a_partial_and_a_decorated_function():
    @functools.wraps(keep)
    def wrapped(*args, **kwargs):
        return keep(*args, **kwargs)

    assert check("1.1", wrapped, dc.mask_function).ok
    assert check("1.1", functools.partial(keep), dc.mask_function).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (len, "len takes the parameters (obj), expected 3"),
        (max, "max raised TypeError"),
        (dict, "dict raised TypeError"),
        (Silent, "Silent returned an object of type Silent, expected an array"),
        (functools.partial(mask_loop, 1), "mask_loop takes the parameters (p, rng), expected 3"),
        (functools.partial(keep, 1, 2, 3), "keep takes the parameters (), expected 3"),
        (torch.nn.Dropout(0.3), "Dropout raised TypeError"),
    ],
)
def test_what_is_called_but_is_no_function_of_a_cell(answer, words):
    for expectation in (dc.mask_function, dc.backward_function):
        message_of(answer, expectation)
    assert words in message_of(answer)


# --- Random states ----------------------------------------------------------------------------


def states():
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()


@pytest.mark.parametrize("answer", [*MASKS.values(), fixed_legacy_seed, fixed_torch_seed, dots])
def test_the_learners_random_numbers_are_left_alone(answer):
    before = states()
    check("1.1", answer, dc.mask_function)
    assert states() == before


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=20)
def test_fixed_randomness_repeats_and_restores(seed):
    def draw():
        return random.random(), np.random.rand(), torch.rand(()).item()

    before = states()
    with fixed_randomness(seed) as rng:
        first = (*draw(), rng.random())
    with pytest.raises(ZeroDivisionError), fixed_randomness(seed) as rng:
        assert first == (*draw(), rng.random())
        raise ZeroDivisionError
    assert states() == before


def test_the_verdict_repeats():
    for answer in (MASKS["legacy"], MASKS["torch"], MASKS["python random"]):

        def swapped(shape, p, rng, answer=answer):
            return 1 - np.asarray(answer(shape, p, rng), dtype=float)

        assert len({check("1.1", swapped, dc.mask_function).message for _ in range(3)}) == 1


def test_torch_is_not_imported():
    code = (
        "import sys, dlcourse.checks as c, dlcourse.dropout_checks as d\n"
        "assert c.check('1', lambda shape, p, rng: rng.random(shape) >= p, d.mask_function).ok\n"
        "assert not c.check('1', lambda shape, p, rng: rng.clone(), d.mask_function).ok\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# --- check, number, array ---------------------------------------------------------------------


def test_a_verdict_is_one_line_and_true_only_if_right():
    right, wrong = Verdict("1.1", "right", "512"), Verdict("1.1", "wrong", "16")
    assert (repr(right), repr(wrong)) == ("1.1 right: 512", "1.1 not yet: 16")
    assert right.ok and right and not wrong.ok and not wrong
    assert repr(Verdict("1.1", "right")) == "1.1 right"
    with pytest.raises(AttributeError):
        right.state = "wrong"


def test_an_expectation_is_any_callable():
    assert check("1", 4, lambda n: None) == Verdict("1", "right", "")
    assert check("1", 4, lambda n: "two\nlines").message == "two lines"
    assert check("1", 4, Expectation(lambda n: None, right="four")).message == "four"
    assert "TypeError" in check("1", "4", lambda n: None if n > 3 else "small").message
    f = in_a_cell("def f(x):\n    return 1 / x\n")
    message = check("1", f, lambda f: None if f(0) else "no").message
    assert message == "f raised ZeroDivisionError: division by zero (line 2)"


@pytest.mark.parametrize("expectation", [5, "512", None, lambda n: True, Expectation])
def test_misuse_by_an_author_is_an_error(expectation):
    with pytest.raises(TypeError):
        check("1", 5, expectation)


NUMBERS = [
    512, 512.0, np.int64(512), np.float32(512), Fraction(512), Decimal(512), np.array(512),
    np.array([512.0]), [512], (512,), torch.tensor(512), torch.tensor([512.0], requires_grad=True),
]  # fmt: skip


@pytest.mark.parametrize("answer", NUMBERS, ids=repr)
def test_numbers_of_all_types(answer):
    assert check("1", answer, number(512)).ok
    assert check("1", answer, number(511)).message == "512 is too large"
    assert check("1", answer, number(500, slips={512: "no"})).message == "512: no"


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (None, "the answer is None, expected a number"),
        ("512", "the answer is the text '512', expected a number"),
        (True, "the answer is True, expected a number"),
        (np.True_, "the answer is True, expected a number"),
        (abs, "the answer is the function abs, expected a number"),
        (float("nan"), "the answer is nan"),
        (Decimal("inf"), "the answer is inf"),
        (2j, "the answer is 2j, expected a number"),
        (lambda: 512, "the answer is a function, expected a number"),
        (dict, "the answer is the class dict, expected a number"),
        ((819, 2), "the answer is a tuple of 2, expected one number: a decimal comma? Write 819.2"),
        ((512.0, 2), "the answer is a tuple of 2, expected one number"),
        ((n for n in "01"), "the answer is an object of type generator, expected a number"),
        (np, "the answer is an object of type module, expected a number"),
        (
            np.ma.masked,
            "the answer is a masked array, expected a number: `filled(0)` makes a plain one",
        ),
        (
            np.array([[1], [1, 2]], dtype=object),
            "the answer is an array of dtype object, expected a number",
        ),
        ([[1], [1, 2]], "the answer is a list with rows of different lengths, expected a number"),
        (
            torch.ones(2, requires_grad=True),
            "the answer is an array of shape (2,), expected one number",
        ),
        ([1, 2], "the answer is a list of shape (2,), expected one number"),
        (np.ones((2, 2)), "the answer is an array of shape (2, 2), expected one number"),
        ({1: 2}, "the answer is {1: 2}, expected a number"),
    ],
)
def test_what_is_no_number(answer, message):
    assert message_of(answer, number(512)) == message


@given(st.floats(-1e9, 1e9), st.floats(0, 1e6), st.floats(-3, 3))
def test_a_number_is_right_within_its_tolerance(expected, atol, off):
    tolerance = max(Fraction(atol), Fraction(1e-6) * abs(Fraction(expected)))
    answer = Fraction(expected) + Fraction(off) * tolerance
    verdict = check("1", answer, number(expected, atol=atol))
    assert verdict.ok == (abs(answer - Fraction(expected)) <= tolerance)
    if not verdict.ok:
        assert verdict.message.endswith("small" if answer < Fraction(expected) else "large")


def test_tolerances_may_be_numpy_numbers():
    near = number(np.float32(512), atol=np.float32(1), rtol=np.int64(0), near=(np.float32(2), "hm"))
    assert check("1", 513, near).ok and message_of(514, near) == "514 is near: hm"


def test_very_large_whole_numbers():
    masks = number(2**1024, rtol=0, slips={2**512: "half as many units?"})
    assert check("1", 2**1024, masks).ok
    assert "too small" in message_of(2**1024 - 1, masks)
    assert message_of(2**512, masks).endswith("half as many units?")
    assert "too small" in message_of(1e300, masks)
    assert "too large" in message_of(10**5000, masks)  # has no text


def test_a_slip_is_recognised_more_narrowly_than_the_right_number():
    units = number(800, atol=10, slips={1: "one", 205: "dropped"}, near=(50, "a draw?"))
    assert message_of(1, units) == "1: one" and message_of(204.5, units) == "204.5: dropped"
    for answer in (0, 1.01, 2, 204, 206):
        assert message_of(answer, units) == f"{answer} is too small"
    assert message_of(789, units) == "789 is near: a draw?"
    assert message_of(850, units) == "850 is near: a draw?"
    assert message_of(851, units) == "851 is too large"
    assert check("1", 809, units).ok


def test_a_deprecation_is_no_news():
    def warns(answer):
        warnings.warn("old", DeprecationWarning, stacklevel=1)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert check("1", 3, warns).ok


def test_a_slip_that_cannot_be_told_from_the_answer_is_an_error():
    with pytest.raises(ValueError, match="'the spread' is within the tolerance of 512"):
        number(512, atol=1, slips={512.5: "the spread"})


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=8), st.data())
def test_arrays(values, data):
    expectation = array(values, atol=1e-6)
    for same in (values, tuple(values), np.array(values), torch.tensor(values, dtype=torch.double)):
        assert check("1", same, expectation).ok
    i = data.draw(st.integers(0, len(values) - 1))
    values[i] += 1 + abs(values[i])
    message = message_of(values, expectation)
    assert message.startswith(f"1 of {len(values)} values is off, the first at ({i},): ")


def test_slips_of_arrays():
    expectation = array(np.eye(2), slips=[(1 - np.eye(2), "swapped")], right="the identity")
    assert check("1", torch.eye(2), expectation).message == "the identity"
    assert message_of([[0, 1], [1, 0]], expectation) == "swapped"
    assert "shape (3,)" in message_of([1, 2, 3], expectation)
    assert "of different lengths" in message_of([[1], [1, 2]], expectation)
    assert message_of(None, expectation) == "the answer is None"
    assert message_of([[1, 0], [0, np.nan]], expectation).endswith("nan or inf in 1 of 4 places")


def test_arrays_of_float16_are_allowed_their_precision_by_answer_and_slip():
    third = array([1 / 3, 0.1], slips=[([2 / 3, 0.9], "swapped")])
    assert check("1", np.float16([1 / 3, 0.1]), third).ok
    assert message_of(np.float16([2 / 3, 0.9]), third) == "swapped"
    assert check("1", np.float16([1.02]), array([1.0], rtol=0.05)).ok


def test_as_array_copies():
    values = np.zeros(3)
    as_array(values)[0] = 1
    assert values[0] == 0


def test_messages_have_no_exclamation_marks():
    for module in ("checks", "dropout_checks"):
        source = inspect.getsource(sys.modules[f"dlcourse.{module}"])
        assert "!" not in source.replace("!=", "").replace("!r", "")


def test_a_function_may_take_anything_by_name():
    def mine(**given):
        return given["rng"].random(given["shape"]) >= given["p"]

    assert check("1.1", mine, dc.mask_function).ok
