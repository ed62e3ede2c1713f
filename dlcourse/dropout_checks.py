"""What the exercises on masks, dropout and its gradient expect of a learner's function.

>>> from dlcourse.checks import check
>>> def my_mask(shape, p, rng):
...     return rng.random(shape) < p
>>> check("1.1", my_mask, mask_function)
1.1 not yet: kept 0.30 of the units at p = 0.3, expected 0.70: p and 1 − p swapped?

How sure is the verdict? Each function runs 3 times at p = 0.3 and 3 times at p = 0.8 on 200 × 50
units, with the generators seeded. Let a right answer keep each unit independently with q = 1 − p.

- Counts are judged by exact binomial tails, each at the level ALPHA = 1e-10. For each p there are
  1 (all units) + 200 (rows) + 50 (columns) + 3 (agreement of pairs) = 254 of them, and
  the union bound gives at most 508 × 1e-10 = 5.1e-8.
- The same total in 3 calls at both p happens with probability
  (sum of pmf(k; 10000, 0.7)³) × (sum of pmf(k; 10000, 0.2)³) = 2.5e-9.
- Equal masks, equal rows, whole rows and equal counts in all rows or columns: below 1e-50 each.

So a right answer is called wrong with probability below 1e-7. A kept fraction that is off by 0.05
lies 19 standard deviations (0.0026 for 30,000 units) from the expected one, and the level ALPHA is
reached at 6.5, so it is missed with probability below 1e-30. From 0.035 on the power
exceeds 1 − 1e-6. The other slips break an exact rule, or one about values, and are always seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from dlcourse._validate import seed as check_seed
from dlcourse._validate import shape_tuple
from dlcourse.answers import Slip, as_array, call, fixed_randomness, returned_by
from dlcourse.checks import Expectation

__all__ = [
    "backward_function",
    "both_slips",
    "dropout_function",
    "expect_backward",
    "expect_dropout",
    "expect_mask",
    "expect_vanilla",
    "factor_slip",
    "mask_function",
    "mask_slip",
    "result",
    "signed",
    "training_slip",
    "vanilla_function",
]

Array = NDArray[np.float64]
Masks = Mapping[float, NDArray[np.bool_]]  # p -> (calls, rows, columns), True = kept
Factors = Mapping[float, Array]  # p -> what the kept units were multiplied by, call by call

PS = (0.3, 0.8)  # never 0.5 alone, where p and 1 − p are the same
CALLS = 3
SHAPE = (200, 50)
ALPHA = 1e-10
# What NumPy says of a mask that has not the shape of x
NO_SHAPE = re.compile("broadcast|boolean index|(as an|of) integer|scalar index|dimension|data type")
TOLERANCE = 3e-3  # relative; float16 passes, and the factors below are further apart

FACTORS: dict[str, Callable[[float], float]] = {
    "1": lambda p: 1.0,
    "1/(1 − p)": lambda p: 1 / (1 - p),
    "1 − p": lambda p: 1 - p,
    "1/(1 − p)²": lambda p: 1 / (1 - p) ** 2,
    "(1 − p)²": lambda p: (1 - p) ** 2,
    "1/p": lambda p: 1 / p,
    "p": lambda p: p,
    "1/√(1 − p)": lambda p: (1 - p) ** -0.5,
    "1 + p": lambda p: 1 + p,
}
BRACKETS = "p is subtracted at the end: write {} (1 - p) with brackets"
INVERTED_TRAINING = {
    "1": "not rescaled?",
    "1/(1 − p)²": "scaled twice?",
    "1 − p": "multiplied by 1 − p instead of divided by it?",
    "1/p": "divided by p: p and 1 − p swapped in the scale?",
    "p": "multiplied by p instead of divided by 1 − p?",
}
INVERTED_TEST = {
    "1/(1 − p)": "scaled at test time too?",
    "1 − p": "scaled at test time, as vanilla dropout does?",
}
VANILLA_TRAINING = {
    "1/(1 − p)": "rescaled in training, as inverted dropout does?",
    "1 − p": "scaled in training too, not only at test time?",
}
VANILLA_TEST = {
    "1": "not scaled at test time?",
    "p": "p and 1 − p swapped in the scale?",
    "1/(1 − p)": "divided by 1 − p instead of multiplied by it?",
    "(1 − p)²": "scaled twice at test time?",
}
GRADIENT = {
    "1": "is the factor 1/(1 − p) lost?",
    "1/(1 − p)²": "scaled twice?",
    "1 − p": "multiplied by 1 − p instead of divided by it?",
    "1/p": "divided by p: p and 1 − p swapped in the scale?",
}


def expect_mask(shape: tuple[int, ...] = SHAPE, seed: int = 1) -> Expectation:
    """Expect `f(shape, p, rng)`: a mask, True or 1 where a unit is kept, with probability 1 − p.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be, or the shape is too small for the sizes above:
        5,000 units, and 20 rows of 20 unless 1-D.
    """
    shape, seed = shape_tuple(shape), check_seed(seed)
    rows, columns = _grid(shape)
    if rows * columns < 5000 or (rows > 1 and min(rows, columns) < 20):
        raise ValueError(f"shape must have 5000 units, and 20 rows of 20 unless 1-D, got {shape}")
    right = "every unit is kept on its own with probability 1 − p, anew at every call"
    return Expectation(partial(_mask_slip, shape=shape, seed=seed), right)


def expect_dropout(seed: int = 1) -> Expectation:
    """Expect `f(x, p, training, rng)`: inverted dropout, x/(1 − p) where kept; x at test time."""
    scales = ("1/(1 − p)", INVERTED_TRAINING), ("1", INVERTED_TEST)
    seed = check_seed(seed)
    right = "kept units are x/(1 − p) in training, and at test time x stays as it is"
    return Expectation(partial(_dropout_slip, scales=scales, seed=seed), right)


def expect_vanilla(seed: int = 1) -> Expectation:
    """Expect `f(x, p, training, rng)`: vanilla dropout, x where kept; (1 − p) x at test time."""
    scales = ("1", VANILLA_TRAINING), ("1 − p", VANILLA_TEST)
    seed = check_seed(seed)
    right = "kept units are x in training, and at test time all are (1 − p) x"
    return Expectation(partial(_dropout_slip, scales=scales, seed=seed), right)


def expect_backward(seed: int = 1) -> Expectation:
    """Expect `f(grad, mask, p)`: the gradient of inverted dropout, grad/(1 − p) where kept."""
    seed = check_seed(seed)
    right = "the gradient passes where the mask kept, times 1/(1 − p)"
    return Expectation(partial(_backward_slip, seed=seed), right)


def mask_slip(masks: Masks) -> str | None:
    """Name what is wrong with masks of shape (calls, rows, columns), given for each p.

    An equal number kept in all calls is held to be no accident from 3 calls at 2 p on.

    >>> rng = np.random.default_rng(0)
    >>> mask_slip({p: np.tile(rng.random((3, 1, 50)) >= p, (1, 200, 1)) for p in (0.3, 0.8)})
    'the same mask for every row: all 200 rows are equal at p = 0.3'
    """
    return next((slip for kind in MASK_SLIPS if (slip := kind(masks))), None)


def factor_slip(
    what: str, found: Factors, expected: str, words: Mapping[str, str] | None = None
) -> str | None:
    """Name the wrong factor; `expected` and the keys of `words` are names in FACTORS.

    >>> factor_slip("x is", {0.3: np.ones(2), 0.8: np.ones(2)}, "1/(1 − p)", {"1": "not rescaled?"})
    'x is multiplied by 1 at p = 0.3, expected 1.429: not rescaled?'
    """

    def agrees(name: str, p: float) -> bool:
        return bool(np.allclose(found[p], FACTORS[name](p), rtol=TOLERANCE, atol=0))

    wrong = next((p for p in found if not agrees(expected, p)), None)
    if wrong is None:
        return None
    names = [name for name in FACTORS if all(agrees(name, p) for p in found)]
    hint = f": {(words or {}).get(names[0], f'{names[0]} instead of {expected}?')}" if names else ""
    value, goal = float(found[wrong][0]), FACTORS[expected](wrong)
    return f"{what} multiplied by {value:.4g} at p = {wrong}, expected {goal:.4g}{hint}"


def training_slip(
    x: Array, outputs: Factors, expected: str, words: Mapping[str, str]
) -> str | None:
    """Judge what became of x in several calls for each p; both slips are told, mask and factor.

    >>> x = signed(np.random.default_rng(0))
    >>> training_slip(x, {0.3: np.tile(x, (3, 1, 1)), 0.8: np.tile(x, (3, 1, 1))}, "1", {})
    'nothing is dropped: kept all 10000 units at p = 0.3 and p = 0.8'
    """
    if slip := _constant_slip(x, outputs):
        return slip
    trained = {p: y / x for p, y in outputs.items()}
    masks = {p: _kept(y) for p, y in trained.items()}
    what, all_kept = "the output with dropout", "is a comparison missing?"
    factors = {p: _common_factor(y, masks[p], what, all_kept) for p, y in trained.items()}
    if total := _all_or_nothing(masks):
        return total
    kept = {p: mask.mean(axis=(1, 2)) for p, mask in masks.items()}
    by_count = all(np.allclose(factors[p] * kept[p], 1, rtol=1e-5) for p in masks)
    by_count = by_count and any(np.ptp(kept[p]) > 0 for p in masks)
    scale = factor_slip("kept units are", factors, expected, words)
    if by_count and expected == "1/(1 − p)":
        scale = "kept units are divided by the fraction that this call kept, not by 1 − p"
    return both_slips(mask_slip(masks), scale)


def both_slips(one: str | None, other: str | None) -> str | None:
    """Tell two slips, such as one of the mask and one of the scale, or the one that there is.

    >>> both_slips("p and 1 − p swapped?", "not rescaled?")
    'p and 1 − p swapped? Also, not rescaled?'
    """
    if one and other:
        return f"{one}{'' if one.endswith('?') else '.'} Also, {other}"
    return one or other


def result(answer: Any, /, shape: tuple[int, ...] = SHAPE, **arguments: Any) -> Array:
    """Call the answer and return the array that it made, or raise Slip."""
    try:
        return as_array(call(answer, **arguments), shape, returned_by(answer))
    except Slip as slip:
        if "x" in arguments and " raised " in str(slip) and NO_SHAPE.search(str(slip)):
            raise Slip(f"{slip}: the mask must have the shape of x, x.shape") from slip
        raise


def _grid(shape: tuple[int, ...]) -> tuple[int, int]:
    """One row for each example; a 1-D mask is one row."""
    rows = shape[0] if len(shape) > 1 else 1
    return rows, int(np.prod(shape)) // max(1, rows)


def _mask_slip(answer: Any, shape: tuple[int, ...], seed: int) -> str | None:
    masks = {}
    with fixed_randomness(seed) as rng:
        for p in PS:
            calls = [
                as_array(call(answer, shape=shape, p=p, rng=rng), shape, returned_by(answer))
                for _ in range(CALLS)
            ]
            masks[p] = np.stack([_as_mask(mask) for mask in calls]).reshape(CALLS, *_grid(shape))
    return mask_slip(masks)


def _as_mask(mask: Array) -> NDArray[np.bool_]:
    odd = mask[~(np.isclose(mask, 0, atol=1e-6) | np.isclose(mask, 1, atol=1e-6))]
    if not odd.size:
        return mask > 0.5
    if np.allclose(mask[mask != 0], odd[0]):
        raise Slip(f"kept units are {odd[0]:.4g} in the mask, expected True or 1: scaled already?")
    raise Slip(
        f"the mask holds numbers such as {odd[0]:.4g}, expected only True or 1 for kept "
        f"and False or 0 for dropped: is a comparison missing?"
    )


def _dropout_slip(
    answer: Any, scales: tuple[tuple[str, Mapping[str, str]], ...], seed: int
) -> str | None:
    with fixed_randomness(seed) as rng:
        x = signed(np.random.default_rng([seed, 1]))
        with_zeros = np.where(np.arange(SHAPE[1]) % 3 == 0, 0, x)

        def run(given: Array, p: float, training: bool) -> Array:
            return result(answer, x=given, p=p, training=training, rng=rng)

        trained = {p: np.stack([run(x, p, True) for _ in range(CALLS)]) for p in PS}
        tested = {p: run(with_zeros, p, False) for p in PS}
        zeros = run(with_zeros, PS[0], True)
    if slip := _constant_slip(x, trained):
        return slip
    for p, y in [(PS[0], zeros), *tested.items()]:
        if (moved := y[with_zeros == 0]).any():
            value = moved[moved != 0][0]
            if np.allclose(moved, -p):
                return BRACKETS.format("/" if scales[0][0] == "1/(1 − p)" else "*")
            return f"a 0 in x became {value:.3g}: is noise or a constant added instead of a mask?"
    tested = {p: y[with_zeros != 0] / with_zeros[with_zeros != 0] for p, y in tested.items()}
    dropped_in_training = any(not _kept(y).all() for y in trained.values())
    if not dropped_in_training and any(not _kept(y).all() for y in tested.values()):
        return "dropped units with training=False and none with training=True: the wrong way round?"
    slip = training_slip(x, trained, *scales[0])
    return slip or _test_slip({p: y / x for p, y in trained.items()}, tested, *scales[1])


def _test_slip(
    trained: Factors, tested: Factors, expected: str, words: Mapping[str, str]
) -> str | None:
    """Judge y/x, where x is not 0, from one call for each p with training=False."""
    for p, y in tested.items():
        if _kept(y).all():
            continue
        as_in_training = trained[p][_kept(trained[p])].mean()
        alike = np.allclose(y[_kept(y)], as_in_training, rtol=TOLERANCE)
        dropped = f"dropped {1 - _kept(y).mean():.2f} of the units with training=False at p = {p}"
        if alike and not _surprising(_kept(y).sum(), y.size, _kept(trained[p]).mean()):
            return f"{dropped}, just as with training=True: is training ignored?"
        return f"{dropped}: dropout must be off at test time"
    factors = {
        p: _common_factor(y[None], _kept(y)[None], "the output at test time")
        for p, y in tested.items()
    }
    return factor_slip("with training=False x is", factors, expected, words)


def _constant_slip(x: Array, outputs: Factors) -> str | None:
    """Say that the kept units do not depend on x, if so."""
    for p, y in outputs.items():
        kept = _kept(y)
        if kept.mean() > 0.01 and np.ptp(y[kept]) < TOLERANCE * abs(y[kept][0]):
            by_sign = (x < 0).any() and kept[:, x < 0].mean() in (0, 1) and not kept.all()
            product = "is the product compared, not the random number? Check the brackets"
            hint = product if by_sign else "is x multiplied by the mask?"
            return f"kept units are all {y[kept][0]:.4g} at p = {p}, whatever x is: {hint}"
    return None


def _backward_slip(answer: Any, seed: int) -> str | None:
    ratios, masks = {}, {}
    with fixed_randomness(seed) as rng:
        for p in PS:
            grad, masks[p] = signed(rng), rng.random(SHAPE) >= p
            passed = result(answer, grad=grad, mask=masks[p], p=p)
            if np.allclose(passed[~masks[p]], -p):
                return BRACKETS.format("/")
            kept = passed[masks[p]]
            if kept.any() and np.ptp(kept) < TOLERANCE * abs(kept[0]):
                told = f"the gradient of kept units is {kept[0]:.4g} at p = {p}, whatever grad is"
                return f"{told}: multiply grad by the mask"
            ratios[p] = passed / grad
    flows = {p: _kept(ratio) for p, ratio in ratios.items()}
    if not any(flow.any() for flow in flows.values()):
        return "the gradient is 0 everywhere, expected 0 only where units were dropped"
    if all(np.array_equal(flows[p], ~masks[p]) for p in PS):
        return "the gradient passes only where units were dropped: is the mask inverted?"
    for p in PS:
        lost = 1 - flows[p][masks[p]].mean()
        if part := flows[p][~masks[p]].mean():
            ignored = np.ptp(ratios[p]) < TOLERANCE * abs(ratios[p]).max()
            anew = ": use the mask that is given, do not draw a new one" if lost else ""
            hint = ": is mask used?" if ignored else anew
            passes = f"gradient passes through {part:.2f} of the dropped units at p = {p}"
            return f"{passes}, expected 0{hint}"
        if lost:
            return f"the gradient is 0 in {lost:.2f} of the kept units at p = {p}: drawn anew?"
    factors = {p: _common_factor(ratios[p][None], masks[p][None], "the gradient") for p in PS}
    return factor_slip("the gradient of kept units is", factors, "1/(1 − p)", GRADIENT)


def signed(rng: np.random.Generator) -> Array:
    """Draw values of both signs, none of them near 0: there, kept and dropped look alike."""
    return rng.uniform(0.5, 2.5, SHAPE) * np.where(rng.random(SHAPE) < 0.5, -1.0, 1.0)


def _kept(ratio: Array) -> NDArray[np.bool_]:
    return np.asarray(np.abs(ratio) > 1e-6)


def _common_factor(
    ratio: Array, kept: NDArray[np.bool_], what: str, all_kept: str = "are units scaled unlike?"
) -> Array:
    """Find the one factor of the kept units, call by call; raise Slip if there is none."""
    factors = []
    for one, mask in zip(ratio, kept, strict=True):
        low, high = (one[mask].min(), one[mask].max()) if mask.any() else (1.0, 1.0)
        if high - low > TOLERANCE * max(abs(low), abs(high)):
            # Random numbers that are not compared may come so near to 0 that a few look dropped.
            hint = all_kept if mask.mean() > 0.99 else "are units scaled unlike?"
            raise Slip(f"{what} is between {low:.3g} and {high:.3g} times what came in: {hint}")
        factors.append((low + high) / 2)
    return np.array(factors)


def _surprising(count: Any, n: int, probability: Any) -> NDArray[np.bool_]:
    """Whether a Binomial(n, probability) count is further out than the level ALPHA, two-sided."""
    below, above = binom.cdf(count, n, probability), binom.sf(count - 1, n, probability)
    return np.asarray(np.minimum(below, above) < ALPHA / 2)


def _all_or_nothing(masks: Masks) -> str | None:
    n = next(iter(masks.values()))[0].size
    ps = " and ".join(f"p = {p}" for p in masks)
    if all(m.all() for m in masks.values()):
        return f"nothing is dropped: kept all {n} units at {ps}"
    if not any(m.any() for m in masks.values()):
        return f"everything is dropped: kept none of {n} units at {ps}"
    for p, m in masks.items():
        if (m == m[:, :1, :1]).all():
            return f"one draw for all: each call keeps all {n} units or none at p = {p}"
    return None


def _same_at_every_call(masks: Masks) -> str | None:
    for p, m in masks.items():
        if any((m[i] == m[j]).all() for i in range(len(m)) for j in range(i)):
            return (
                f"the same mask at every call: all {m[0].size} units agree at p = {p}: "
                f"is a seed fixed inside, or the mask drawn only once?"
            )
    return None


def _in_blocks(masks: Masks) -> str | None:
    for p, m in masks.items():
        _, rows, columns = m.shape
        if rows > 1 and (m == m[:, :1]).all():
            return f"the same mask for every row: all {rows} rows are equal at p = {p}"
        if columns > 1 and (m == m[:, :, :1]).all():
            return f"whole rows are dropped together: all {columns} units or none at p = {p}"
    return None


def _fixed_count(masks: Masks) -> str | None:
    words = "expected each unit to be drawn on its own, so that the number varies"
    for p, m in masks.items():
        _, rows, columns = m.shape
        in_rows, in_columns = m.sum(axis=2), m.sum(axis=1)
        if rows > 1 and (in_rows == in_rows[:, :1]).all():
            return f"every row keeps exactly {in_rows[0, 0]} of {columns} units at p = {p}, {words}"
        if rows > 1 and (in_columns == in_columns[:, :1]).all():
            return f"every column keeps exactly {in_columns[0, 0]} of {rows} at p = {p}, {words}"
    totals = {p: m.sum(axis=(1, 2)) for p, m in masks.items()}
    repeats = sum(len(total) - 1 for total in totals.values())
    if repeats >= 4 and all(np.ptp(total) == 0 for total in totals.values()):
        p, m = next(iter(masks.items()))
        return f"every call keeps exactly {m[0].sum()} of {m[0].size} units at p = {p}, {words}"
    return None


def _biased(masks: Masks) -> str | None:
    off = [p for p, m in masks.items() if _surprising(m.sum(), m.size, 1 - p)]
    if not off:
        return None
    kept = {p: float(m.mean()) for p, m in masks.items()}
    if all(not _surprising(m.sum(), m.size, p) for p, m in masks.items()):
        hint = ": p and 1 − p swapped?"
    elif len(kept) > 1 and np.ptp(list(kept.values())) < 0.02:
        hint = f", and as many at p = {', '.join(str(p) for p in kept if p != off[0])}: is p used?"
    else:
        hint = ""
    return f"kept {kept[off[0]]:.2f} of the units at p = {off[0]}, expected {1 - off[0]:.2f}{hint}"


def _uneven(masks: Masks) -> str | None:
    for p, m in masks.items():
        calls, rows, columns = m.shape
        for what, axes, n in (("row", (0, 2), calls * columns), ("column", (0, 1), calls * rows)):
            counts = m.sum(axis=axes)
            # Off from the rest too: if all are off alike, it is for `_biased` to say so.
            odd = _surprising(counts, n, 1 - p) & _surprising(counts, n, m.mean())
            if odd.any():
                i = int(odd.argmax())
                return (
                    f"{what} {i} kept {counts[i]} of {n} units at p = {p}, expected about "
                    f"{n * (1 - p):.0f}: is every {what} drawn alike?"
                )
    return None


def _dependent(masks: Masks) -> str | None:
    for p, m in masks.items():
        calls, rows, columns = m.shape
        pairs = {
            "units below each other": m[:, : rows // 2 * 2 : 2] == m[:, 1 : rows // 2 * 2 : 2],
            "neighbours in a row": m[..., : columns // 2 * 2 : 2]
            == m[..., 1 : columns // 2 * 2 : 2],
            "one call and the next": m[: calls // 2 * 2 : 2] == m[1 : calls // 2 * 2 : 2],
        }
        agree = p**2 + (1 - p) ** 2
        for what, same in pairs.items():
            if same.size and _surprising(same.sum(), same.size, agree):
                return (
                    f"{what} agree in {same.mean():.2f} of the pairs at p = {p}, "
                    f"expected {agree:.2f}: is every unit drawn on its own?"
                )
    return None


mask_function = expect_mask()
dropout_function = expect_dropout()
vanilla_function = expect_vanilla()
backward_function = expect_backward()


MASK_SLIPS = (
    _all_or_nothing,
    _same_at_every_call,
    _in_blocks,
    _fixed_count,
    _uneven,
    _biased,
    _dependent,
)
"""What `mask_slip` looks for, in this order."""
