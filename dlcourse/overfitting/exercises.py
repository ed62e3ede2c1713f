"""What the exercises of lesson 06 expect."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcourse.answers import Slip, as_array, call, describe, precision, returned_by
from dlcourse.checks import Expectation
from dlcourse.training import mlp

WORDS = ("higher", "lower", "no difference seen")


class _Network(nn.Sequential):
    """A network that an error message can name in two words."""

    def __repr__(self) -> str:
        return "a network"


def _network(p: float = 0.5) -> _Network:
    return _Network(*mlp(4, (16, 16), 3, p=p, seed=3))


# --- 6.1, the verdict that an interval allows


def _verdict_slip(answer: Any) -> str | None:
    cases = {
        (0.02, 0.01): "higher",
        (-0.02, 0.01): "lower",
        (0.01, 0.02): "no difference seen",
        (-0.01, 0.02): "no difference seen",
        (0.0, 0.01): "no difference seen",
    }
    said = {}
    for given in cases:
        word = call(answer, mean=given[0], half_width=given[1])
        if word is None:
            return f"{returned_by(answer)} None: is a return missing?"
        if not isinstance(word, str) or word not in WORDS:
            options = ", ".join(map(repr, WORDS))
            return f"{returned_by(answer)} {describe(word)}, expected one of {options}"
        said[given] = word
    if said == cases:
        return None
    by_mean = {given: "higher" if given[0] > 0 else "lower" for given in cases}
    if all(said[given] == by_mean[given] for given in cases if given[0]):
        return "that reads the mean alone: 0.01 ± 0.02 reaches from −0.01 to 0.03, with 0 inside"
    turned = {"higher": "lower", "lower": "higher"}
    if {given: turned.get(word, word) for given, word in said.items()} == cases:
        return '"higher" and "lower" are swapped: above 0, a was larger than b'
    if said[0.02, 0.01] == said[-0.02, 0.01] == "higher":
        return "the sign is lost: −0.02 ± 0.01 lies below 0 as a whole"
    # The wrong end: higher only needs high > 0.
    if said[0.01, 0.02] == "higher" or said[-0.01, 0.02] == "lower":
        return "look at the end that is nearer to 0: all of the interval must lie on one side"
    ((mean, half), right) = next(item for item in cases.items() if said[item[0]] != item[1])
    interval = f"{mean:g} ± {half:g}".replace("-", "−")
    return f"{interval}: {said[mean, half]!r}, expected {right!r}"


verdict_function = Expectation(_verdict_slip, "a difference is seen when 0 lies outside")


# --- 6.2, two trainings that start alike


def _plain_training(scores: list[float]) -> Callable[[nn.Module], float]:
    """Return a training that changes the network it is given, as a loop in a cell does."""

    def fit(model: nn.Module) -> float:
        with torch.no_grad():
            for part in model.parameters():
                part.add_(0.1)
            score = float(sum(part.double().sum() for part in model.parameters()))
        scores.append(score)
        return score

    return fit


def _start_again_slip(answer: Any) -> str | None:
    model = _network()
    scores: list[float] = []
    before = copy.deepcopy(model.state_dict())
    result = call(answer, model=model, fit=_plain_training(scores))
    if not isinstance(result, tuple | list) or len(result) != 2:
        return (
            f"{returned_by(answer)} {describe(result)}, expected the two scores, first and second"
        )
    if len(scores) != 2:
        return f"fit was called {len(scores)} times, expected 2"
    first, second = as_array(list(result), (2,), returned_by(answer))
    size = sum(part.numel() for part in model.parameters())
    start = float(sum(part.double().sum() for part in before.values())) + 0.1 * size
    atol = precision(result, 1e-5) * abs(start) + 1e-3
    if not np.isclose(first, start, rtol=0, atol=atol):
        swapped = np.isclose(second, start, rtol=0, atol=atol)
        return (
            "the order is second, first: return the first score first"
            if swapped
            else "the first training must start from the weights that the network comes with"
        )
    if np.isclose(second, first, rtol=0, atol=atol):
        trained_twice = np.isclose(second, scores[1], rtol=0, atol=atol)
        return None if trained_twice else "the same score twice: was it trained twice?"
    if np.isclose(second, first + 0.1 * size, rtol=0, atol=atol):
        return (
            "the second training went on from the trained weights: copy them before the first "
            "training, with copy.deepcopy (state_dict() alone is no copy)"
        )
    return (
        "the second training started afresh, but from other weights: reset_parameters() draws new "
        "ones, and then you cannot tell what made the difference. Keep a copy of the first ones"
    )


start_again_function = Expectation(
    _start_again_slip, "both start from the same weights, so both end alike"
)


# --- 6.3, the gap, with dropout off


def _accuracy(model: nn.Module, X: torch.Tensor, y: torch.Tensor) -> float:
    with torch.no_grad():
        return float((model(X).argmax(dim=1) == y).double().mean())


def _scored() -> tuple[_Network, dict[str, torch.Tensor]]:
    """Return a network and made-up parts whose labels are partly what the network says."""
    model = _network().eval()
    parts: dict[str, torch.Tensor] = {}
    generator = torch.Generator().manual_seed(5)
    for name, n, wrong in (("", 240, 24), ("_test", 200, 60)):
        X = torch.randn(n, 4, generator=generator)
        with torch.no_grad():
            y = model(X).argmax(dim=1)
        y[:wrong] = (y[:wrong] + 1) % 3
        parts |= {f"X{name}": X, f"y{name}": y}
    return model, parts


def _gap_slip(answer: Any) -> str | None:
    model, parts = _scored()
    train = _accuracy(model, parts["X"], parts["y"])
    test = _accuracy(model, parts["X_test"], parts["y_test"])
    before = copy.deepcopy(model.state_dict())
    found = []
    for training in (True, False, True):
        model.train(training)
        got = call(answer, model=model, **parts)
        found.append(float(as_array(got, (), returned_by(answer))))
        atol = precision(got, 1e-6)
        if any(not torch.equal(value, before[name]) for name, value in model.state_dict().items()):
            raise Slip("the network's weights have changed: to score it, do not train it")
        if model.training and training is False:
            return "the network was in eval mode and is now in training mode: leave it as it was"
        left_in_eval = training and not model.training
    right = train - test
    named = {
        "that is test minus training: the gap is training minus test": -right,
        "that is the accuracy on the training images alone": train,
        "that is the accuracy on the test images alone": test,
        "that is in percent: as fractions, please": 100 * right,
        "that is a difference of counts: divide each by its number of images": 240 * train
        - 200 * test,
    }
    if not np.allclose(found, right, rtol=0, atol=atol):
        if np.isclose(found[1], right, rtol=0, atol=atol):
            return (
                "dropout was on while scoring: call model.eval() first; no_grad() does not "
                "switch it off"
            )
        if np.ptp(found) > atol:
            return "dropout was on while scoring (the same network, three answers): model.eval()"
        for words, value in named.items():
            if np.allclose(found, value, rtol=1e-5, atol=atol):
                return words
        return f"{found[0]:.4g}, expected {right:.4g}"
    if left_in_eval:
        return (
            "right, but the network stays in eval mode, so training goes on without dropout: "
            "put it back with model.train(mode)"
        )
    X, y, X_test, y_test = parts.values()
    exchanged = {"X": X_test, "y": y_test, "X_test": X, "y_test": y}
    got = call(answer, model=model, **exchanged)
    value = float(as_array(got, (), returned_by(answer)))
    if not np.isclose(value, -right, rtol=0, atol=atol):
        told = f"{value:.4g} with training and test images exchanged, expected {-right:.4g}"
        return f"{told}: is the sign lost?" if np.isclose(value, right, rtol=0, atol=atol) else told
    return None


gap_function = Expectation(_gap_slip, "training minus test, both with dropout off")
