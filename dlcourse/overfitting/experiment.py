"""What lesson 06 trains: the experiment with two hidden layers, and the panel's networks."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy import stats

from dlcourse import data
from dlcourse._validate import probability
from dlcourse.grid import train_grid
from dlcourse.training import Curves, Progress

SEEDS = 8
EPOCHS = 40
# Of about a dozen schedules tried on validation images (rates 0.02 to 0.1, batches of 25 to 100,
# up to 60 epochs) one in which p = 0 overfits soon; not the one that is best for p = 0.
# At width 256 the lesson takes 30 epochs: cut from 40 to save time, after both had been scored.
LR = 0.05

# --- the experiment of Dive into Deep Learning


def d2l(
    dataset: data.Dataset,
    ps: Sequence[Any] = (0, (0.2, 0.5)),
    *,
    hidden: Sequence[int] = (256, 256),
    seeds: int = SEEDS,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> Curves:
    """Train two hidden layers on a data set with and without dropout, and return their curves.

    Every setting starts, for each seed, from the same weights and sees the same batches of 50, at
    a learning rate of 0.05 with momentum 0.9.

    Parameters
    ----------
    dataset : Dataset
    ps : for each setting a p of both hidden layers, or one for each of them
    hidden : ints >= 1, the widths of the hidden layers
    seeds, epochs : ints >= 1
    progress : callable, such as tqdm; None for silence

    Returns
    -------
    Curves, arrays (settings, seeds, epochs)

    Notes
    -----
    A. Zhang, Z. Lipton, M. Li and A. Smola, Dive into Deep Learning, section on dropout: layers of
    256 units with p = 0.2 behind the first and 0.5 behind the second, one run.

    Examples
    --------
    >>> d2l(data.digits(100), hidden=(16, 16), seeds=2, epochs=3).gap.shape
    (2, 2, 3)
    """
    grid = train_grid(
        dataset, hidden, ps, seeds, epochs=epochs, lr=LR, momentum=0.9, progress=progress
    )
    return grid.curves


def half_width(values: np.ndarray) -> np.ndarray:
    """Return half the width of the 95 % interval of the mean over the first axis, the seeds.

    Notes
    -----
    Student 1908, as in `dlcourse.compare.mean_interval`, for many means at once.

    Examples
    --------
    >>> half_width(np.array([[0.91], [0.93], [0.95]])).round(3)
    array([0.05])
    """
    n = len(values)
    t = stats.t.ppf(0.975, df=n - 1)
    return np.asarray(t * values.std(axis=0, ddof=1) / n**0.5)


# --- the panel's networks

PS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.9)
WRONG = (0.0, 0.2, 0.4)
IMAGES = (300, 1000)
KEEP = 6  # settings whose curves stay: all that the controls allow under one seed

_kept: dict[tuple[int, float, int], Curves] = {}
_lock = threading.Lock()


def nearest(p: float) -> int:
    """Return the place in `PS` of the p nearest to this one; of two the smaller.

    Examples
    --------
    >>> PS[nearest(0.55)], PS[nearest(1)]
    (0.5, 0.9)
    """
    p = probability(p)
    return min(range(len(PS)), key=lambda i: round(abs(PS[i] - p), 9))


def trained(
    seed: int = 0, wrong: float = 0.2, images: int = 1000, progress: Progress | None = None
) -> Curves:
    """Return the curves of 64 networks of width 64, a p of `PS` in both layers and 8 seeds each.

    Scores called "test" are those on 287 validation images, because here a p may be chosen. The
    last few results are kept, so that asking once more costs nothing.

    Parameters
    ----------
    seed : int >= 0, of the choice of images and wrong labels, and of the networks
    wrong : float in [0, 1], the share of wrong labels
    images : int, training images, up to 1,150
    progress : callable, such as tqdm; None for silence

    Returns
    -------
    Curves, arrays (8 of p, 8 seeds, 40 epochs)
    """
    key = (seed, wrong, images)
    with _lock:
        if key in _kept:
            return _kept[key]
    dataset = data.digits(images, wrong_labels=wrong, seed=seed, validation=True)
    seeds = range(SEEDS * seed, SEEDS * (seed + 1))
    grid = train_grid(dataset, (64, 64), PS, seeds, epochs=EPOCHS, lr=LR, progress=progress)
    with _lock:
        if grid.curves.epochs == EPOCHS:
            _kept[key] = grid.curves
            while len(_kept) > KEEP:
                del _kept[next(iter(_kept))]
    return grid.curves
