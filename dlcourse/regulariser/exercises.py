"""What the exercises of lesson 08 expect."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse.answers import as_array, call, precision, returned_by
from dlcourse.checks import Expectation, number
from dlcourse.regulariser.linear import penalty
from dlcourse.regulariser.max_norm import max_norm

times_as_strong = number(
    4,
    atol=0.01,
    slips={
        1.6: "that is 0.8 / 0.5: the factor is p / (1 − p), not p",
        0.25: "that is the other way round, or p and 1 − p swapped: p = 0.8 is the stronger one",
        2.5: "that is 1 / (1 − p) at 0.5 and 0.8: the factor is p / (1 − p)",
        0.4: "that is (1 − p) at 0.8 over (1 − p) at 0.5: the factor is p / (1 − p)",
        0.0625: "that is the square, and the other way round: p / (1 − p) is not squared",
        0.64: "that is p (1 − p) at 0.8 over that at 0.5: divide by 1 − p",
        16: "that is the square: the factor p / (1 − p) is not squared",
        3: "that is the difference: how many times as strong?",
    },
    right="0.8 / 0.2 = 4, and 0.5 / 0.5 = 1",
)


def _penalty_slip(answer: Any) -> str | None:
    rng = np.random.default_rng(8)
    X = rng.normal(size=(7, 3)) * [0.5, 1.0, 3.0]
    w = np.array([1.0, -2.0, 0.5])
    square, gram = w**2, X.T @ X
    size = np.diag(gram)
    for p in (0.2, 0.7):
        got = call(answer, X=X, w=w, p=p)
        who = returned_by(answer)
        shape = as_array(got, who=who, wanted="one number").shape
        if shape == (3,):
            return f"{who} a number for each input: add them up"
        if shape == (7,):
            return f"{who} a number for each example: add them up"
        if shape == (3, 3):
            return f"{who} a 3 × 3 array: the penalty is one number"
        found, rtol = float(as_array(got, (), who)), precision(got)
        right = penalty(X, w, p)
        if np.isclose(found, right, rtol):
            continue
        factor, keep, each = p / (1 - p), 1 - p, size @ square
        slips = {
            "p instead of p / (1 − p): what is kept is larger too, by 1 / (1 − p)": p * each,
            "1 / (1 − p) instead of p / (1 − p): at p = 0 nothing is added": each / keep,
            "p and 1 − p swapped? p is the probability of dropping": keep / p * each,
            "p (1 − p) instead of p / (1 − p): kept inputs are divided by 1 − p": p * keep * each,
            "the factor p / (1 − p) is squared": factor**2 * each,
            "plain ridge: each w² must be multiplied by (XᵀX)_jj, the sum of its input's x²": factor
            * square.sum(),
            "all of XᵀX, not its diagonal: inputs are dropped one by one": factor * w @ gram @ w,
            "the mean over the examples instead of the sum": right / len(X),
            "square x first, then add up": factor * X.sum(axis=0) ** 2 @ square,
            "w is not squared": factor * size @ w,
            "x is not squared": factor * X.sum(axis=0) @ square,
            "the standard deviation, not the sum of squares": factor * X.std(axis=0) @ square,
            "the variance of each input, not the sum of squares": factor * X.var(axis=0) @ square,
            "the root of the sum of x²: leave the root out": factor * np.sqrt(size) @ square,
            "the factor p / (1 − p) is missing": each,
            "half of it: the loss here is the whole sum of squares": right / 2,
            "(XᵀX)_jj is squared": factor * size**2 @ square,
        }
        for words, wrong in slips.items():
            if np.isclose(found, wrong, rtol):
                return words
        return f"{found:.4g} at p = {p:g}, expected {right:.4g}"
    return None


penalty_function = Expectation(_penalty_slip, "p / (1 − p) · Σ (XᵀX)_jj w_j²: ridge, scaled")


SHORT_ROW = np.array([[0.1], [1.0], [1.0], [1.0]])


def _norm_slip(answer: Any) -> str | None:
    rng = np.random.default_rng(9)
    # Columns longer and shorter than c, rows too, and a unit with no weights at all.
    W = rng.normal(size=(4, 6)) * [0.1, 0.3, 1.0, 2.0, 3.0, 0.0] * SHORT_ROW
    c = 1.5
    returned = call(answer, W=W, c=c)
    got, rtol = as_array(returned, (4, 6), returned_by(answer)), precision(returned)
    if np.allclose(got, max_norm(W, c), rtol):
        return None
    norms = np.sqrt((W**2).sum(axis=0))
    safe = np.where(norms == 0, 1, norms)
    rows = np.sqrt((W**2).sum(axis=1, keepdims=True))
    whole = np.sqrt((W**2).sum())
    slips = {
        "the norm over the wrong axis: a unit's weights are a column": W * np.minimum(1, c / rows),
        "short ones are stretched to c too: only longer ones change": W * c / safe,
        "the norm over the wrong axis, and short ones are stretched too": W * c / rows,
        "one norm for all weights: each unit has its own": W * min(1, c / whole),
        "one norm for all weights, and it is always set to c": W * c / whole,
        "each weight is cut off on its own: shorten the column, its direction stays": np.clip(
            W, -c, c
        ),
        "long ones are shortened to norm 1, not c": np.where(norms > c, W / safe, W),
        "the squared norm: take the root": W * np.minimum(1, c / np.where(norms == 0, 1, norms**2)),
        "the root is missing in the comparison: it is the norm that is at most c": np.where(
            norms**2 > c, W * c / safe, W
        ),
        "divided by the norm whatever its size: keep min(1, c / norm)": W / safe,
        "nothing changed: longer columns must be shortened": W,
        "the other way round: short ones were stretched, long ones left": np.where(
            norms < c, W * c / safe, W
        ),
        "the sum of absolute weights: the norm is the root of the sum of squares": W
        * np.minimum(1, c / np.where(norms == 0, 1, np.abs(W).sum(axis=0))),
        "long ones are set to 0: shorten them to c": np.where(norms > c, 0, W),
    }
    for words, wrong in slips.items():
        if np.allclose(got, wrong, rtol):
            return words
    found = np.sqrt((got**2).sum(axis=0))
    if (found > c * (1 + rtol)).any():
        return f"a column has norm {found.max():.3g}, expected at most {c:g}"
    if not np.allclose(got[:, norms <= c], W[:, norms <= c], rtol):
        return "a column shorter than c changed: only longer ones are shortened"
    return "a column is shortened to less than c, or turned: multiply it by c / norm"


norm_function = Expectation(_norm_slip, "long columns end at c, short ones stay as they were")
