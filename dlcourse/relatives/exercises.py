"""What the exercises of lesson 09 expect, and the slips that they name.

How sure is the verdict? Exercise 9.1 judges 10,000 factors a call and three calls at each of two
p by their mean and variance: the tolerances, 0.06 √(p/(1 − p)) for the mean of 30,000 and 8 % for
the variance, are 10 and 9 standard errors, so a right answer fails with probability below 1e-15.
The other two decode the masks exactly, and judge them as `dlcourse.dropout_checks` does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.answers import Slip, as_array, call, fixed_randomness, precision, returned_by
from dlcourse.checks import Expectation
from dlcourse.dropout_checks import (
    CALLS,
    FACTORS,
    INVERTED_TRAINING,
    PS,
    SHAPE,
    TOLERANCE,
    both_slips,
    factor_slip,
    mask_slip,
    result,
    signed,
    training_slip,
)

Array = np.ndarray

# --- 9.1 Gaussian dropout

_VARIANCES: dict[str, Callable[[float], float]] = {
    "the variance is p: it must be p/(1 − p)": lambda p: p,
    "rng.normal takes the standard deviation: is the root of p/(1 − p) missing?": lambda p: (
        (p / (1 - p)) ** 2
    ),
    "the standard deviation is p: it must be √(p/(1 − p))": lambda p: p**2,
    "that is (1 − p)/p: p and 1 − p swapped?": lambda p: (1 - p) / p,
    "that is ((1 − p)/p)²: p and 1 − p swapped, and the root missing?": lambda p: (
        ((1 - p) / p) ** 2
    ),
    "that is p (1 − p), of a mask that is not rescaled: divide by 1 − p, not multiply": lambda p: (
        p * (1 - p)
    ),
    "that is 1/(1 − p): is a factor p missing?": lambda p: 1 / (1 - p),
    "that is p/(1 − p)²: survivors' scale is not needed here": lambda p: p / (1 - p) ** 2,
    "that is p/(1 − p)³: is the factor divided by 1 − p too? Its mean is 1 already": lambda p: (
        p / (1 - p) ** 3
    ),
}


def _gaussian_slip(answer: Any) -> str | None:
    with fixed_randomness(1) as rng:
        x = signed(np.random.default_rng([1, 1]))
        outputs = {p: [result(answer, x=x, p=p, rng=rng) for _ in range(CALLS)] for p in PS}
    found = {p: np.stack(ys) / x for p, ys in outputs.items()}
    for p, factors in found.items():
        if slip := _not_gaussian(factors, x, p):
            return slip
    return _moments_slip(found)


def _not_gaussian(factors: Array, x: Array, p: float) -> str | None:
    """Name what no multiplication by normal numbers, one for each element, could have made."""
    if np.ptp(factors) < 1e-9:
        return f"x is multiplied by {factors[0, 0, 0]:.4g} everywhere at p = {p}: draw with rng"
    zeros = (factors == 0).mean()
    if zeros > 0.01:
        return f"{zeros:.2f} of the units are 0 at p = {p}: Gaussian dropout switches nothing off"
    if (factors[0] == factors[1]).all():
        return "the same noise at every call: is a seed fixed inside?"
    if (np.ptp(factors, axis=(1, 2)) < 1e-9).all():
        return "one number for all of x: draw one for each element, x.shape"
    if (np.ptp(factors, axis=1) < 1e-9).all():
        return "every row has the same noise: draw one number for each element, x.shape"
    if (np.ptp(factors, axis=2) < 1e-9).all():
        return "one number a row: draw one for each element, x.shape"
    y = factors * x
    large = abs(x) > np.median(abs(x))
    mean_squares = (y**2).mean() * (x**2).mean()
    # In a right answer large x spread by 1.94 times as much, which is 60 standard errors above 1.1.
    if abs((y * x).mean()) < 0.05 * mean_squares**0.5 and y[:, large].std() <= 1.1 * (
        y[:, ~large].std()
    ):
        return "the result does not depend on x: multiply x by the noise"
    added = (factors - 1) * x  # the same spread for large x as for small, if noise was added
    if added[:, large].std() < 1.2 * added[:, ~large].std():
        return "the noise does not grow with x: is it added? Multiply x by it"
    return None


def _moments_slip(found: dict[float, Array]) -> str | None:
    for p, factors in found.items():
        mean, sd = factors.mean(), (p / (1 - p)) ** 0.5
        if abs(mean - 1) > 0.06 * sd:
            hints = {0: "has the noise mean 0 in place of 1?", 1 - p: "is the mean 1 − p, not 1?"}
            hints |= {1 / (1 - p): "divided by 1 − p too? The mean is 1 already"}
            hint = [words for value, words in hints.items() if abs(mean - value) < 0.06 * sd]
            told = f"x is multiplied by {mean:.2f} on average at p = {p}, expected 1"
            return f"{told}: {hint[0]}" if hint else told
    if all(abs(f.var() * (1 - p) / p - 1) < 0.08 for p, f in found.items()):
        flat = {p: (f - 1) / (p / (1 - p)) ** 0.5 for p, f in found.items()}
        if any(abs((f**4).mean() - 3) > 0.5 for f in flat.values()):  # 8.8 standard errors
            return "mean and variance are right, but the noise is not normal: use rng.normal"
        return None
    for words, variance in _VARIANCES.items():
        if all(abs(f.var() / variance(p) - 1) < 0.08 for p, f in found.items()):
            return f"{_variance_told(found)}: {words}"
    return _variance_told(found)


def _variance_told(found: dict[float, Array]) -> str:
    p = max(found, key=lambda p: abs(np.log(found[p].var() * (1 - p) / p)))
    return (
        f"the variance of the factor is {found[p].var():.2f} at p = {p}, expected {p / (1 - p):.2f}"
    )


gaussian_function = Expectation(
    _gaussian_slip, "every element is multiplied by its own N(1, p/(1 − p))"
)

# --- 9.2 channel dropout

_PLACES = (3, 2)


def _channel_slip(answer: Any) -> str | None:
    with fixed_randomness(2) as rng:
        x = signed(np.random.default_rng([2, 1]))[..., None, None] * np.linspace(
            1, 2, np.prod(_PLACES)
        ).reshape(_PLACES)
        calls = {p: [_channels(answer, x, p, rng) for _ in range(CALLS)] for p in PS}
    ratios = {p: np.stack(ys) / x for p, ys in calls.items()}
    for p, ratio in ratios.items():
        zero = abs(ratio) < 1e-6
        if (zero == zero[..., :1, :1]).all():
            continue
        if (zero == zero[:, :1, :1]).all():
            return f"the same places go in every channel at p = {p}: {_SHAPE}"
        if (zero == zero[:, :, :1]).all():
            return f"places of an image go in all its channels at p = {p}: {_SHAPE}"
        part = (zero.any(axis=(-2, -1)) & ~zero.all(axis=(-2, -1))).mean()
        return f"{part:.2f} of the maps are dropped in part at p = {p}: {_SHAPE}"
    inner = {p: ratio[..., 0, 0] for p, ratio in ratios.items()}
    for p, ratio in inner.items():
        kept = abs(ratio) > 1e-6
        if not kept.all() and kept.any() and (kept == kept[:, :1]).all():
            return f"the same channels go in every image at p = {p}: {_SHAPE}"
        if not kept.all() and kept.any() and (kept == kept[:, :, :1]).all():
            return f"whole images go, all channels or none at p = {p}: {_SHAPE}"
    first = x[..., 0, 0]
    outputs = {p: ratio * first for p, ratio in inner.items()}
    if slip := training_slip(first, outputs, "1/(1 − p)", INVERTED_TRAINING):
        return slip
    for p, ratio in ratios.items():
        spread = np.ptp(ratio, axis=(-2, -1))
        if (spread > TOLERANCE * abs(ratio).max(axis=(-2, -1))).any():
            return f"the places of a map are scaled unlike at p = {p}: multiply x by the mask"
    return None


_SHAPE = "the mask needs one number for each image and channel, shape (images, channels, 1, 1)"


def _channels(answer: Any, x: Array, p: float, rng: Any) -> Array:
    try:
        return result(answer, x.shape, x=x, p=p, rng=rng)
    except Slip as slip:
        if "the mask must have the shape of x" in str(slip):
            raise Slip(str(slip).split(": the mask must")[0] + f": {_SHAPE}") from slip
        raise


channel_function = Expectation(
    _channel_slip, "every map of every image is kept whole, times 1/(1 − p), or dropped whole"
)

# --- 9.3 DropConnect

_OUTPUTS, _INPUTS = 5, 10


def _dropconnect_slip(answer: Any) -> str | None:
    with fixed_randomness(3) as rng:
        if slip := _not_linear(answer, rng):
            return slip
        # Each weight times its input is another power of 2, so an output tells its own mask.
        inputs = np.array([1, 2] * (_INPUTS // 2), float)
        x = np.tile(inputs, (SHAPE[0], 1))
        weight = np.tile(2.0 ** np.arange(_INPUTS) / inputs, (_OUTPUTS, 1))
        shape = SHAPE[0], _OUTPUTS
        calls = {
            p: np.stack([result(answer, shape, x=x, weight=weight, p=p, rng=rng) for _ in range(3)])
            for p in PS
        }
    masks, factors = {}, {}
    for p, y in calls.items():
        masks[p], factors[p] = _decoded(y, p)
    if slip := _whole_units(masks):
        return slip
    scale = factor_slip("kept weights are", factors, "1/(1 − p)", INVERTED_TRAINING)
    mask = mask_slip({p: m.reshape(*m.shape[:2], -1) for p, m in masks.items()})
    return both_slips(mask, scale)


def _not_linear(answer: Any, rng: Any) -> str | None:
    x, weight = rng.standard_normal((3, 4)), rng.standard_normal((2, 4))
    # Kept are all, or none if p and 1 − p are swapped, which the masks will tell.
    got = call(answer, x=x, weight=weight, p=1e-12, rng=rng)
    y, right = as_array(got, (3, 2), returned_by(answer)), x @ weight.T
    if precision(got) > 1e-5:
        return "float16 has 3 digits, too few to tell which weights were kept: use float32"
    # A wrong scale has a sentence of its own.
    if not y.any() or any(
        np.allclose(y / factor(1e-12), right, rtol=1e-4, atol=1e-5) for factor in FACTORS.values()
    ):
        return None
    return "with p near 0 the output is not x @ weight.T: which axes are summed?"


def _decoded(y: Array, p: float) -> tuple[Array, Array]:
    """Return which weights were kept (calls, examples, outputs, inputs), and their factors."""
    for factor in FACTORS.values():
        sums = y / factor(p)
        whole = np.round(sums)
        if (abs(sums - whole) < 1e-2).all() and whole.min() >= 0 and whole.max() < 2**_INPUTS:
            bits = whole.astype(np.int64)[..., None] >> np.arange(_INPUTS) & 1
            return bits.astype(bool), np.full(len(y), factor(p))
    raise Slip(
        f"at p = {p} the outputs are no sums of weights times inputs, some of them dropped: "
        "is the mask drawn as True or False, and multiplied by the weights?"
    )


def _whole_units(masks: dict[float, Array]) -> str | None:
    for p, m in masks.items():
        if m.all() or not m.any():
            continue
        if (m == m[:, :, :1]).all():
            return (
                f"an input is dropped for all outputs at once at p = {p}: that is dropout of "
                "units; the mask needs the shape of the weights"
            )
        if (m == m[..., :1]).all():
            return f"outputs are dropped whole at p = {p}: drop weights, before they are summed"
        if (m == m[:, :1]).all():
            return (
                f"all {m.shape[1]} examples have the same mask at p = {p}: here each gets its own, "
                "shape (examples, outputs, inputs)"
            )
    return None


dropconnect_function = Expectation(
    _dropconnect_slip, "every weight goes on its own, anew for each example, kept ones / (1 − p)"
)
