"""What the exercises of lesson 03 expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.answers import as_array, call, precision, returned_by
from dlcourse.checks import Expectation
from dlcourse.ensembles.members import all_masks, mask_probabilities
from dlcourse.network import softmax


def _compare(got: Any, right: np.ndarray, slips: dict[str, Any], who: str, at: str) -> str | None:
    """Return None if the numbers are right, else the slip whose numbers they are."""
    found, rtol = as_array(got, (3,), who), precision(got)
    if np.allclose(found, right, rtol, atol=1e-5):
        return None
    for words, wrong in slips.items():
        if np.shape(wrong) == found.shape and np.allclose(found, wrong, rtol, atol=1e-5):
            return words
    place = int(abs(found - right).argmax())
    told, wanted = _told_apart(found[place], right[place])
    return f"{told} in the {('first', 'second', 'third')[place]} place {at}, expected {wanted}"


def _told_apart(a: float, b: float) -> tuple[str, str]:
    """Write two numbers with as many digits as show that they differ, at least four."""
    written = ((f"{a:.{digits}g}", f"{b:.{digits}g}") for digits in range(4, 18))
    return next(pair for pair in written if pair[0] != pair[1])


def _mean_slip(answer: Any) -> str | None:
    rng, masks = np.random.default_rng(5), all_masks(4)[np.random.default_rng(6).permutation(16)]
    out = rng.normal(2, 1, (16, 3))
    for p in (0.3, 0.8):
        got = call(answer, outputs=out, masks=masks, p=p)
        kept = masks.sum(axis=1)
        keep, drop = (1 - p) ** kept, p ** (4 - kept)
        weights, swapped = keep * drop, p**kept * (1 - p) ** (4 - kept)
        added = kept * (1 - p) + (4 - kept) * p
        not_added = "the probabilities of the units are added: multiply them, they are independent"
        shape = as_array(got, who=returned_by(answer)).shape
        if shape == (16, 3):
            return f"{returned_by(answer)} every member: add them up, over axis 0"
        if shape == ():
            return f"{returned_by(answer)} one number: there is a mean for each of the 3 outputs"
        slips = {
            "every member counts alike: give each the probability of its mask": out.mean(axis=0),
            "p and 1 − p swapped? p belongs to the units dropped": swapped @ out,
            "divided by the number of members too: the probabilities do that": weights @ out / 16,
            "a sum, not a mean: give each member the probability of its mask": out.sum(axis=0),
            "dropped units count too: each brings a factor p": keep @ out,
            "dropped units count too: each brings a factor p, also in the total": keep
            @ out
            / keep.sum(),
            "kept units count too: each brings a factor 1 − p": drop @ out,
            "kept units count too: each brings a factor 1 − p, also in the total": drop
            @ out
            / drop.sum(),
            not_added: added @ out,
            f"{not_added}; a mean is none either": added @ out / 4,
            f"{not_added}; nor divide by their sum": added @ out / added.sum(),
            "multiplied by 1 − p: members are averaged as they are": (1 - p) * (weights @ out),
            "divided by 1 − p: members are averaged as they are": (weights @ out) / (1 - p),
        }
        if slip := _compare(got, weights @ out, slips, returned_by(answer), f"at p = {p}"):
            return slip
    return None


def _geometric_slip(answer: Any) -> str | None:
    rng = np.random.default_rng(7)
    out, weights = softmax(rng.normal(0, 2, (16, 3))), mask_probabilities(4, 0.3)
    got = call(answer, outputs=out, weights=weights)
    if as_array(got, who=returned_by(answer)).shape == (16, 3):
        return f"{returned_by(answer)} every member: add or multiply them, over axis 0"
    mean = np.exp(weights @ np.log(out))
    alike, plain = softmax(np.log(out).mean(axis=0)[None])[0], np.exp(np.log(out).mean(axis=0))
    unweighted = "every member counts alike: use the weights"
    slips = {
        "is it made to sum to one? Divide by its sum": mean,
        "that is the arithmetic mean: average the logarithms, then take exp": weights @ out,
        unweighted: alike,
        f"{unweighted}, and divide by the sum": plain,
        "those are logarithms: take exp, then divide by the sum": np.log(mean),
        "a product of all members without exponents: raise each to its weight": out.prod(axis=0),
    }
    return _compare(got, mean / mean.sum(), slips, returned_by(answer), "of the result")


mean_function = Expectation(_mean_slip, "every member counts as much as its mask is likely")
geometric_function = Expectation(_geometric_slip, "logarithms averaged, exp taken, sum made 1")
