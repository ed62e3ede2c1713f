"""Networks of one hidden layer for each width, number of training images and place of dropout."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse import data
from dlcourse.compare import Difference, Interval, mean_interval, paired_difference
from dlcourse.grid import PS, train_grid
from dlcourse.keep import Keep
from dlcourse.training import Curves, Progress, whole

WIDTHS = (8, 32, 128)
IMAGES = (100, 300, 1000)
WHERE = ("hidden", "input", "both")
SEEDS = 8
WRONG = 0.2  # of the training labels
EPOCHS = {100: 80, 300: 50, 1000: 25}  # for so many images, the same for every p


@dataclass(frozen=True)
class Sweep:
    """Networks for each p, on the validation images.

    Attributes
    ----------
    ps : the p of each setting, one number or one of the inputs and one of the hidden layer
    curves : Curves, arrays (ps, seeds, epochs)
    """

    ps: tuple[Any, ...]
    curves: Curves

    @property
    def accuracy(self) -> np.ndarray:
        """Accuracy on the validation images after the last epoch, an array (ps, seeds)."""
        return self.curves.test_accuracy[..., -1]

    @property
    def best(self) -> int:
        """The place of the p with the highest mean accuracy."""
        return int(self.accuracy.mean(axis=1).argmax())

    @property
    def as_good(self) -> np.ndarray:
        """For which p no difference to the best one is seen, an array of bool (ps,)."""
        top = self.accuracy[self.best]
        verdicts = [paired_difference(top, one).verdict for one in self.accuracy]
        return np.array(verdicts) == "no difference seen"

    def at(self, i: int) -> Interval:
        """Return the mean accuracy of the i-th p, with its interval."""
        return mean_interval(self.accuracy[i])

    def gain(self, i: int, over: int = 0) -> Difference:
        """Return how much better the i-th p is than another, the first by default."""
        return paired_difference(self.accuracy[i], self.accuracy[over])


_kept: Keep[Sweep] = Keep(24)  # of some 150 kB each


def where_ps(p: float, where: str) -> tuple[float, float]:
    """Return the p of the inputs and of the hidden layer.

    Examples
    --------
    >>> where_ps(0.2, "hidden"), where_ps(0.2, "input"), where_ps(0.2, "both")
    ((0.0, 0.2), (0.2, 0.0), (0.2, 0.2))
    """
    if where not in WHERE:
        raise ValueError(f"where must be one of {', '.join(WHERE)}, got {where!r}")
    p = check.probability(p)
    return (p if where != "hidden" else 0.0, p if where != "input" else 0.0)


def networks(
    width: int = 32,
    images: int = 300,
    where: str = "hidden",
    seed: int = 0,
    *,
    ps: Sequence[Any] = PS,
    wrong_labels: float = WRONG,
    progress: Progress | None = None,
) -> Sweep:
    """Train 8 networks for each p on the digits, or return those that were trained before.

    Parameters
    ----------
    width : int, of the hidden layer
    images : 100, 300 or 1000, training images
    where : "hidden", "input" or "both"
    seed : int >= 0, of the images and their wrong labels; the networks have the seeds from
        8 · seed on
    ps : floats, or pairs with the p of the inputs and that of the hidden layer, which `where`
        leaves alone
    wrong_labels : float in [0, 1], the fraction of training labels made wrong
    progress : as for `dlcourse.grid.train_grid`

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    KeyboardInterrupt
        If it is interrupted; nothing is kept then, and the next call starts again.

    Examples
    --------
    >>> networks(8, 100, ps=(0, 0.5)).accuracy.shape
    (2, 8)
    """
    if images not in list(EPOCHS):
        raise ValueError(f"images must be one of {list(EPOCHS)}, got {images!r}")
    where_ps(0.0, where)  # complains about where
    check.some(ps, f"ps must hold at least one p to train with, got {check.quoted(ps)}")
    pairs = [check.layer_ps(p, 1) if check.many(p) else where_ps(p, where) for p in ps]
    ps = tuple(tuple(p) if check.many(p) else p for p in ps)
    (width,), seed = check.widths((width,)), check.seed(seed)
    wrong_labels = check.probability(wrong_labels, "wrong_labels")

    def made() -> Sweep:
        found = train_grid(
            data.digits(images, wrong_labels=wrong_labels, seed=seed, validation=True),
            (width,),
            pairs,
            range(SEEDS * seed, SEEDS * (seed + 1)),
            epochs=EPOCHS[images],
            progress=progress,
        )
        return Sweep(ps, whole(found.curves, EPOCHS[images], SEEDS))

    return _kept.get((width, images, where, seed, ps, wrong_labels), made)
