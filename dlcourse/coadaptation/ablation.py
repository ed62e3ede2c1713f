"""The networks of lesson 04, and what is left of their accuracy when hidden units are removed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm.auto import tqdm

from dlcourse import data
from dlcourse._validate import bool_mask, integer, probability, quoted, table
from dlcourse.functional import dropout_mask
from dlcourse.grid import Grid, train_grid
from dlcourse.keep import Keep
from dlcourse.stack import Stack
from dlcourse.training import Progress, tensors, whole

TRAINED = (0.0, 0.2, 0.5, 0.8)  # the p of training
SEEDS = 8
UNITS = 100  # in each of the two hidden layers
EPOCHS, LR = 20, 0.03
LAYERS = ("both", "first", "second")  # from which hidden layers units are removed
REMOVED = np.arange(21) / 20  # the probabilities of removing of a curve
HALF = 10  # where half of the units are removed
MASKS = 10  # for each network at each of these
WIDTHS, LRS, DURATIONS = (50, 100), (0.01, 0.03, 0.1), (10, 20, 40)  # what was chosen from

_kept: Keep[Grid] = Keep(1)


def equal_weight(k: int, p: float) -> float:
    """Return the weight that each of k identical inputs ends with, for inputs and target 1.

    The expected loss (1 - Σ w)² + p / (1 - p) · Σ w² is smallest where all weights are
    1 / (k + p / (1 - p)); for p = 0 this is one of many minima.

    Parameters
    ----------
    k : int >= 1, the number of inputs
    p : float in [0, 1], the probability of dropping; at 1 nothing passes and the weight is 0

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The expected loss: Srivastava et al. 2014, JMLR 15, section 9.1 (there p is the probability
    of keeping), here with inputs that are all 1.

    Examples
    --------
    >>> equal_weight(4, 0.5)
    0.2
    """
    k, keep = integer(k, "k", 1), 1 - probability(p)
    return keep / (k * keep + 1 - keep)


@cache
def dataset() -> data.Dataset:
    """Return 1,000 training images of digits, 200 of them with a wrong label, and 360 test images.

    Examples
    --------
    >>> dataset().wrong.sum()
    np.int64(200)
    """
    return data.digits(1000, wrong_labels=0.2)


def train_networks() -> None:
    """Train the lesson's networks, with a bar, unless they are trained already: seconds.

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted; nothing is kept then, and the next call starts again.

    Examples
    --------
    >>> _ = networks()
    >>> train_networks()
    """
    networks(tqdm)


def networks(progress: Progress | None = None) -> Grid:
    """Return 8 networks of 64-100-100-10 for each p of `TRAINED`, trained at the first call.

    The networks of one seed share first weights and batches, whatever their p.

    Parameters
    ----------
    progress : callable, such as tqdm, that gets the epochs and hands them on; None for silence

    Raises
    ------
    KeyboardInterrupt
        If it is interrupted; nothing is kept then, and the next call starts again.

    Examples
    --------
    >>> networks().curves.test_accuracy.shape
    (4, 8, 20)
    """

    def made() -> Grid:
        hidden = (UNITS, UNITS)
        grid = train_grid(
            dataset(), hidden, TRAINED, SEEDS, epochs=EPOCHS, lr=LR, progress=progress
        )
        whole(grid.curves, EPOCHS, SEEDS)
        return grid

    return _kept.get("networks", made)


def validation_scores(seeds: int = 4) -> dict[tuple[int, float, int], float]:
    """Return the accuracy on held-out training images by (width, lr, epochs): some ten seconds.

    It is the mean over all p of `TRAINED`, so one width and one schedule serve them all. The
    lesson takes the shortest training within 0.01 of the best; no test image is looked at.

    Parameters
    ----------
    seeds : int >= 1, networks for each p

    Examples
    --------
    >>> len(validation_scores(seeds=1))
    18
    """
    held_out, most = data.digits(1000, wrong_labels=0.2, validation=True), max(DURATIONS)
    found: dict[tuple[int, float, int], float] = {}
    for width, lr in product(WIDTHS, LRS):
        widths = (width, width)
        grid = train_grid(held_out, widths, TRAINED, seeds, epochs=most, lr=lr, progress=None)
        curve = whole(grid.curves, most, seeds).test_accuracy.mean(axis=(0, 1))
        found |= {(width, lr, epochs): float(curve[epochs - 1]) for epochs in DURATIONS}
    return found


# --- removing hidden units


@dataclass(frozen=True)
class _Split:
    """The networks of one p, cut behind their first hidden layer, which no mask changes."""

    first: torch.Tensor  # (seeds, test images, units)
    rest: Stack
    labels: torch.Tensor


@cache
def _split(trained: float) -> _Split:
    place = _place(trained)
    nets = [networks().network(place, seed) for seed in range(SEEDS)]
    _, _, X, y = tensors(dataset(), torch.device("cpu"))
    rest = [nn.Sequential(*list(net)[3:]) for net in nets]
    return _Split(next(Stack(nets).layers(X)), Stack(rest), y)


def _place(trained: float) -> int:
    if trained not in TRAINED:
        raise ValueError(f"trained must be one of {list(TRAINED)}, got {trained!r}")
    return TRAINED.index(trained)


def accuracy_without(
    trained: float, kept: np.ndarray, p: float, layers: str = "both"
) -> np.ndarray:
    """Return the test accuracy of the 8 networks of one p with hidden units removed.

    A unit is removed for all images alike, and what is left of its layer is scaled by 1 / (1 - p).

    Parameters
    ----------
    trained : float, the p of training, one of `TRAINED`
    kept : array of bool (2, 100), or one for each network (8, 2, 100), True = kept
    p : float in [0, 1], the probability of removing that the mask was drawn with
    layers : "both", "first" or "second", the hidden layers to which the mask applies

    Returns
    -------
    array (8,)

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> everything = np.ones((2, 100), dtype=bool)
    >>> bool((accuracy_without(0.5, everything, p=0) > 0.9).all())
    True
    """
    p, hit, kept = probability(p), _hit(layers), _masks(kept)
    now = _split(trained)
    scales = kept / (1 - p) if p < 1 else np.zeros(kept.shape)
    factors = np.broadcast_to(np.where(hit[:, None], scales, 1), (SEEDS, 2, UNITS))
    first, second = torch.tensor(factors, dtype=torch.float32)[:, :, None].unbind(1)
    logits = now.rest.logits(now.first * first, [second])
    return (logits.argmax(dim=2) == now.labels).double().mean(dim=1).numpy()


def _masks(kept: Any) -> np.ndarray:
    one = (2, UNITS)
    return bool_mask(kept, one if np.ndim(kept) == 2 else (SEEDS, *one))


def _hit(layers: str) -> np.ndarray:
    if layers not in LAYERS:
        raise ValueError(f"layers must be one of {list(LAYERS)}, got {layers!r}")
    return np.array([layers != "second", layers != "first"])


@cache
def removal(trained: float, layers: str = "both") -> np.ndarray:
    """Return the test accuracy left at the probabilities of removing `REMOVED`.

    Parameters
    ----------
    trained, layers : as in `accuracy_without`

    Returns
    -------
    array (8 networks, 21), read-only: means over ten masks, which are the same for every p of
    training and others for every seed; a larger probability removes the same units and more

    Examples
    --------
    >>> bool((removal(0.5)[:, 0] > 0.9).all())
    True
    """
    _hit(layers)
    found = np.empty((SEEDS, len(REMOVED)))
    for i, p in enumerate(REMOVED):
        masks = dropout_mask((MASKS, SEEDS, 2, UNITS), p, rng=4)
        found[:, i] = np.mean([accuracy_without(trained, kept, p, layers) for kept in masks], 0)
    found.flags.writeable = False
    return found


# --- what the hidden units say


def hidden(trained: float) -> tuple[np.ndarray, np.ndarray]:
    """Return both hidden layers, (8 networks, 360 test images, 100 units) each, nothing removed.

    Examples
    --------
    >>> [layer.shape for layer in hidden(0.5)]
    [(8, 360, 100), (8, 360, 100)]
    """
    now = _split(trained)
    return now.first.numpy().copy(), next(now.rest.layers(now.first)).numpy()


def mean_correlation(units: np.ndarray) -> float:
    """Return the mean absolute correlation over all pairs of units.

    Parameters
    ----------
    units : array (images, units); units that say the same for every image have none, and are
        left out

    Raises
    ------
    TypeError, ValueError
        If units is no such array, or fewer than two units are left; the message quotes it.

    Examples
    --------
    >>> mean_correlation(np.array([[0.0, 1.0, 5.0], [1.0, 0.0, 5.0], [2.0, -1.0, 5.0]]))
    1.0
    """
    given = table(units, "units", "(images, units)").astype(float)
    low, high = given.min(axis=0, initial=np.inf), given.max(axis=0, initial=-np.inf)
    alive = given[:, high - low > 1e-6 * np.maximum(abs(low), abs(high))]
    if alive.shape[1] < 2:
        raise ValueError(
            "units must hold at least two that differ between images, got "
            f"{alive.shape[1]} of shape {given.shape}: {quoted(units)}"
        )
    correlations = np.corrcoef(alive.T)[np.triu_indices(alive.shape[1], 1)]
    return float(np.abs(correlations).mean().round(12))
