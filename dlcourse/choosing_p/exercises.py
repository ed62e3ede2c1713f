"""What the exercises of lesson 07 expect."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from dlcourse.answers import (
    Slip,
    as_array,
    call,
    describe,
    precision,
    refuse_dots,
    returned_by,
)
from dlcourse.checks import Expectation
from dlcourse.compare import mean_interval
from dlcourse.data import Dataset

# --- 7.1: ps of a head with two extra layers


def _ps_slip(answer: Any) -> str | None:
    refuse_dots(answer, "replace the ...")
    if isinstance(answer, str | dict | set) or callable(answer):
        return f"the answer is {describe(answer)}, expected a list of numbers"
    found = as_array(answer, wanted="a list of 3 numbers").ravel()
    if np.ndim(answer) == 0:
        return "one number is taken for every layer: here the last has another p, so write a list"
    if len(found) == 2:
        return "2 numbers for 3 layers: two extra layers, and the one that makes the logits"
    if len(found) != 3:
        return f"{len(found)} numbers for 3 dropout layers: one stands before each Linear"
    wrong = {
        (0.5, 0.25, 0.25): "the order is that of the layers: the 0.5 stands before the last",
        (0.25, 0.5, 0.5): "the second extra layer is not the last: it has 0.25 too",
        (0.75, 0.75, 0.5): "p and 1 − p swapped? p is the probability of dropping",
        (0.5, 0.5, 0.5): "the extra layers have 0.25",
        (0.25, 0.25, 0.25): "the last layer has 0.5",
        (25, 25, 50): "those are percentages: p lies in [0, 1]",
        (256, 64, 5): "those are widths: write the p of each dropout layer",
    }
    if np.allclose(found, (0.25, 0.25, 0.5)):
        return None
    for values, words in wrong.items():
        if np.allclose(found, values):
            return words
    return f"got {[float(p) for p in found]}: 0.25 before each extra layer, 0.5 before the last"


ps_of_head = Expectation(_ps_slip, "one p for each Linear, in the order of the layers")

# --- 7.2: the one-standard-error rule

_FIVE = np.array([-1.5, -0.5, 0.0, 0.5, 1.5]) / 1.25**0.5  # mean 0, standard deviation 1
_CASES = (  # ps, means over the folds, standard deviation over the folds of each
    (  # only an error that is taken over the scores of all p goes wrong here
        (0.0, 0.1, 0.2, 0.5, 0.8),
        (0.20, 0.894, 0.90, 0.895, 0.85),
        (0.10, 0.01, 0.02, 0.04, 0.01),
    ),
    (
        (0.0, 0.1, 0.25, 0.5, 0.7, 0.8, 0.85, 0.9),
        (0.50, 0.752, 0.75, 0.76, 0.749, 0.735, 0.722, 0.70),
        (0.35, 0.03, 0.02, 0.0335, 0.004, 0.03, 0.01, 0.15),
    ),
    ((0.0, 0.2, 0.4, 0.6), (0.80, 0.86, 0.84, 0.83), (0.3, 0.03, 0.06, 0.1)),
    ((0.0, 0.3, 0.6), (0.91, 0.905, 0.80), (0.04, 0.01, 0.01)),
    ((0.0, 0.2, 0.5), (0.80, 0.86, 0.84), (0.01, 0.04, 0.01)),  # fewer p than folds
)


def _rule_slip(answer: Any) -> str | None:
    for ps, means, spreads in _CASES:
        at, mean, sd = np.array(ps), np.array(means), np.array(spreads)
        scores = mean[:, None] + sd[:, None] * _FIVE
        best, error = int(mean.argmax()), sd / 5**0.5
        got = call(answer, ps=at, scores=scores)
        values = as_array(got, who=returned_by(answer), wanted="one p")
        if values.size != 1:
            return f"{returned_by(answer)} {describe(got)}, expected one p"
        found = values.item()
        rtol = precision(got)
        within = mean >= mean[best] - error[best]
        right = at[within].max()
        if np.isclose(found, right, rtol):
            continue
        slips = {
            "that is the best p: how much larger may p be?": at[best],
            "an error over the scores of all p: the rule takes the folds of the best p alone": at[
                mean >= mean[best] - scores.std() / scores.size**0.5
            ].max(),
            "divide by the root of the number of folds, not of the number of p": at[
                mean >= mean[best] - sd[best] / len(at) ** 0.5
            ].max(),
            "a 95 % interval, which is wider: the rule takes one standard error": at[
                mean >= mean_interval(scores[best]).low
            ].max(),
            "the standard deviation over folds, not the standard error: divide it by √5": at[
                mean >= mean[best] - sd[best]
            ].max(),
            "that is the smallest p within one standard error: the rule asks for the largest": at[
                within
            ].min(),
            "each p was given an error of its own: the rule takes that of the best": at[
                mean + error >= mean[best]
            ].max(),
            "that is the p with the highest score on one fold: take means over the folds": at[
                scores.max(axis=1).argmax()
            ],
            "that is its place in ps: return ps[place]": float(np.flatnonzero(within)[-1]),
            "that is a score: return the p that it belongs to": [mean[at == right][0], mean[best]],
            "that is the limit, best mean − standard error: which p reach it?": mean[best]
            - error[best],
        }
        for words, wrong in slips.items():
            if np.isclose(found, wrong, rtol).any():
                return f"{found:g}, expected {right:g}: {words}"
        return f"{returned_by(answer)} {found:g}, expected {right:g}, for means {list(means)}"
    return None


rule_function = Expectation(
    _rule_slip, "the largest p that is as good as the best, to within one standard error"
)

# --- 7.3: the split that was leaked


def _splits(seed: int) -> tuple[dict[str, Dataset], str]:
    """Return four splits, and the name of that which shares 3 of its 20 validation images."""
    rng = np.random.default_rng(seed)
    names = [["A", "B", "C", "D"][i] for i in rng.permutation(4)]
    leaked = names[int(rng.integers(1, 4))]  # never the first, which a slip may return
    splits = {}
    for name in names:
        X = rng.integers(0, 17, (80, 64)) / 16
        y = np.arange(80) % 10
        rows, held = rng.permutation(60), 60 + rng.permutation(20)
        X_test, y_test = X[held], y[held]
        if name == leaked:
            places = rng.choice(19, 3, replace=False) + 1
            X_test[places], y_test[places] = X[rows[40:43]], y[rows[40:43]]
        splits[name] = Dataset(name, (8, 8), X[rows], y[rows], X_test, y_test, np.zeros(60, bool))
    return splits, leaked


def _leaked_slip(answer: Any) -> str | None:
    for seed in range(6):
        splits, right = _splits(seed)
        got = call(answer, splits=splits)
        if isinstance(got, np.str_):
            got = str(got)
        if isinstance(got, list | tuple | set) and len(got) != 1:
            return (
                f"{returned_by(answer)} {len(got)} names: look for whole images, all 64 pixels, "
                "among all training images"
            )
        if isinstance(got, list | tuple | set):
            (got,) = got
        if got is None:
            return (
                f"{returned_by(answer)} None: is a return missing? If not, look for each "
                "validation image among all training images, at any place"
            )
        if isinstance(got, Dataset):
            return f"{returned_by(answer)} the data set: return its name"
        if not isinstance(got, Hashable) or got not in splits:
            raise Slip(f"{returned_by(answer)} {describe(got)}, expected a name in splits")
        if got != right:
            return (
                f"{got} shares no image with its training part, {right} shares 3 of 20: look for "
                "whole images, at any place"
            )
    return None


leaked_function = Expectation(_leaked_slip, "no image may stand on both sides of a split")
