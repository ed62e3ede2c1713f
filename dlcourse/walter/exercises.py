"""What the exercises of lesson 05 expect, and the slips that they name.

How sure is the verdict? Exercise 5.2 takes 2,000 differences at each of two p. A right answer fails
with probability below 1e-6: its mean is 6 standard errors off, or its standard deviation 12 %, with
probability below 5e-7 at each p.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from dlcourse.answers import Slip, as_array, call, fixed_randomness, returned_by
from dlcourse.checks import Expectation, number

ratio_number = number(
    2,
    atol=0.01,
    slips={
        0.5: "that is √(1 − p), unscaled: inverted dropout also divides by 1 − p",
        4: "that is 1/(1 − p), what survivors are multiplied by: the std is in question",
        0.25: "that is 1 − p, the mean of unscaled dropout, given the weights",
        1: "that is the ratio of the means: the question asks for the standard deviation",
        (4 / 3) ** 0.5: "that is 1/√p: p and 1 − p swapped?",
        3**0.5: "that is √(p/(1 − p)), which belongs to the difference: take the output itself",
        0.75**0.5: "that is √p: p and 1 − p swapped, and not scaled?",
        16: "that is 1/(1 − p)²: both the root and the share 1 − p under it are missing",
    },
    right="√(1 − p) / (1 − p) = 1/√(1 − p) = 2",
)

_CALLS, _INPUTS, _PS = 2000, 64, (0.3, 0.8)
# What may be returned, and its variance over N; the inputs have mean square 1/2, the weights std 1.
_VARIANCES: dict[str, Callable[[float], float]] = {
    "": lambda p: p / (1 - p) / 2,
    "the kept inputs must be divided by 1 − p": lambda p: p / 2,
    "the kept inputs must be divided by 1 − p, not multiplied": lambda p: (
        ((1 - p) ** 3 - 2 * (1 - p) ** 2 + 1) / 2
    ),
    "p and 1 − p swapped in the scale?": lambda p: ((1 - p) / p**2 - 2 * (1 - p) / p + 1) / 2,
    "p and 1 − p swapped in the mask?": lambda p: (p / (1 - p) ** 2 - 2 * p / (1 - p) + 1) / 2,
    "p and 1 − p swapped, in the mask and in the scale?": lambda p: (1 - p) / p / 2,
    "is the output without dropout not subtracted?": lambda p: 1 / (1 - p) / 2,
    "that is the output without dropout alone": lambda p: 1 / 2,
    "are the inputs rectified? Take np.maximum(z, 0)": lambda p: p / (1 - p),
    "do both outputs have the same weights and inputs?": lambda p: (1 / (1 - p) + 1) / 2,
    "are the outputs divided by √N?": lambda p: p / (1 - p) / 2 / _INPUTS,
    "are the outputs divided by N?": lambda p: p / (1 - p) / 2 / _INPUTS**2,
}


def _difference_slip(answer: Any) -> str | None:
    found = {}
    with fixed_randomness(1) as rng:
        for p in _PS:
            values = np.array(
                [
                    as_array(call(answer, n=_INPUTS, p=p, rng=rng), (), returned_by(answer))
                    for _ in range(_CALLS)
                ]
            )
            if np.ptp(values) == 0:
                raise Slip(
                    f"every call returned {values[0]:.3g}: draw with rng, and take the difference"
                )
            found[p] = values
    for p, values in found.items():
        if abs(values.mean()) > 6 * values.std() / _CALLS**0.5:
            return (
                f"the mean of {_CALLS} calls is {values.mean():.2g} at p = {p}, expected 0: "
                "are the weights drawn from N(0, 1), of both signs?"
            )
    expected = {p: (_INPUTS * _VARIANCES[""](p)) ** 0.5 for p in _PS}
    for words, variance in _VARIANCES.items():
        # A standard error of the std is at most 2.2 % here, so 12 % is more than five.
        if all(abs(found[p].std() / (_INPUTS * variance(p)) ** 0.5 - 1) < 0.12 for p in _PS):
            return words or None
    p = max(_PS, key=lambda p: abs(found[p].std() / expected[p] - 1))
    told = f"{found[p].std():.2f} at p = {p}, expected {expected[p]:.2f}"
    return f"the std of {_CALLS} calls is {told}"


difference_function = Expectation(
    _difference_slip,
    "the difference is 0 on average, with a standard deviation of √(N p / (2 (1 − p)))",
)
