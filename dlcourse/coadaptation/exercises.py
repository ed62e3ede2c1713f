"""What the exercises of lesson 04 expect, and the slips that they name.

How sure is the verdict? Exercise 4.3 judges the masks of 1,000 units as `dlcourse.dropout_checks`
does: by 2 × 1,005 tails of 1e-10 at each of two p, and the same total in all three calls at both p,
which happens with probability 3e-7. So a right answer is called wrong with probability below 1e-6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.answers import fixed_randomness
from dlcourse.checks import Expectation, number
from dlcourse.coadaptation.ablation import equal_weight
from dlcourse.dropout_checks import (
    CALLS,
    INVERTED_TRAINING,
    PS,
    TOLERANCE,
    result,
    training_slip,
)

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
    equal_weight(10, 0.2),
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
        outputs = {
            p: np.stack([result(answer, _SHAPE, h=h, p=p, rng=rng) for _ in range(CALLS)])
            for p in PS
        }
    ratios = {p: y / h for p, y in outputs.items()}
    for ratio in ratios.values():
        kept = np.abs(ratio) > 1e-6
        if (kept != kept[:, :1]).any():
            if (kept == kept[:, :, :1]).all():
                return "whole rows are removed: a row is an image, a column is a unit"
            return "rows lose different units: a removed unit is gone for every image"
    for p, ratio in ratios.items():
        if (np.ptp(ratio, axis=1) > TOLERANCE * np.abs(ratio).max()).any():
            return f"rows are scaled unlike at p = {p}: multiply h by one mask for all rows"
    first = {p: y[:, :1] for p, y in outputs.items()}
    return training_slip(h[:1], first, "1/(1 − p)", INVERTED_TRAINING)


removal_function = Expectation(_removal_slip, "the same units are gone for every image")
