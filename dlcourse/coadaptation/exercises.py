"""What the exercises of lesson 04 expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.answers import fixed_randomness
from dlcourse.checks import Expectation, number
from dlcourse.dropout_checks import CALLS, PS, TOLERANCE, factor_slip, mask_slip, result

head_start_weight = number(
    0.05,
    atol=0.0005,
    slips={
        0: "that is where A starts: the error 1 − 0.8 moves it, as it moves every weight",
        0.25: "that is an equal share: without dropout the head start of D stays",
        0.2: "that is the whole error: four weights share it",
        0.3: "that is where C starts: the question asks for A",
        0.35: "that is where C ends: the question asks for A",
        0.55: "that is where D ends: the question asks for A",
    },
    right="all four move by 0.2 / 4",
)

ten_inputs_weight = number(
    1 / 10.25,
    atol=0.0003,
    slips={
        0.098: "give four digits: with three, a wrong formula looks the same",
        0.1: "that is 1/k: what does the spread of the masks add?",
        1 / 14: "p and 1 − p swapped in p/(1 − p)?",
        1 / 10.2: "that is 1/(k + p): the spread is p/(1 − p)",
        1 / 10.8: "that is 1/(k + (1 − p)): the spread is p/(1 − p)",
        1 / 11.25: "that is 1/(k + 1/(1 − p)): the spread is p/(1 − p)",
        1 / 1.25: "that is 1/(1 + p/(1 − p)), for one input: there are ten",
        10 / 10.25: "that is the sum of the ten weights: the question asks for one",
    },
    right="1 / (10 + 0.25) = 0.0976",
)

_SHAPE = (12, 1000)


def _removal_slip(answer: Any) -> str | None:
    h = np.random.default_rng(6).uniform(0.5, 2.5, _SHAPE)
    with fixed_randomness(1) as rng:
        ratios = {
            p: np.stack([result(answer, _SHAPE, h=h, p=p, rng=rng) / h for _ in range(CALLS)])
            for p in PS
        }
    masks = {}
    for p, ratio in ratios.items():
        kept = np.abs(ratio) > 1e-6
        if (kept != kept[:, :1]).any():
            if (kept == kept[:, :, :1]).all():
                return "whole rows are removed: a row is an image, a column is a unit"
            return "rows lose different units: a removed unit is gone for every image"
        masks[p] = kept[:, :1]
    if slip := mask_slip(masks):
        return slip
    factors = {}
    for p, ratio in ratios.items():
        left = ratio[np.abs(ratio) > 1e-6]
        if np.ptp(left) > TOLERANCE * abs(left).max():
            return f"what is left is between {left.min():.3g} and {left.max():.3g} times h"
        factors[p] = np.full(CALLS, left.mean())
    words = {"1": "not rescaled?", "1/p": "p and 1 − p swapped in the scale?"}
    return factor_slip("what is left is", factors, "1/(1 − p)", words)


removal_function = Expectation(_removal_slip, "the same units are gone for every image")
