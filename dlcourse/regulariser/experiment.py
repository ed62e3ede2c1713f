"""Dropout beside other regularisers: the same digits, network, first weights and batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from dlcourse._validate import instance, not_negative, positive, probability, quoted
from dlcourse.data import Dataset
from dlcourse.grid import train_grid
from dlcourse.training import Progress, check_progress, counted, whole

HIDDEN = (64, 64)
EPOCHS = 40
LR = 0.05
SEEDS = tuple(range(200, 208))
OTHER_SEEDS = tuple(range(100, 108))  # on which settings are chosen


@dataclass(frozen=True)
class Setting:
    """How a network is held back: p of both hidden layers, weight decay, the largest norm.

    Examples
    --------
    >>> Setting(p=0.35, max_norm=1).words
    'p 0.35, norm 1'
    """

    p: float = 0.0
    weight_decay: float = 0.0
    max_norm: float | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be trained with."""
        probability(self.p)
        not_negative(self.weight_decay, "weight_decay")
        if self.max_norm is not None:
            positive(self.max_norm, "max_norm")

    @property
    def words(self) -> str:
        """The setting in a few words."""
        parts = [
            f"p {self.p:g}" if self.p else "",
            f"decay {self.weight_decay:g}" if self.weight_decay else "",
            "" if self.max_norm is None else f"norm {self.max_norm:g}",
        ]
        return ", ".join(part for part in parts if part) or "nothing"


CANDIDATES = {
    "L2": tuple(Setting(weight_decay=decay) for decay in (0.003, 0.01, 0.03)),
    "max-norm": tuple(Setting(max_norm=c) for c in (0.5, 0.7, 1.0)),
    "dropout": tuple(Setting(p=p) for p in (0.2, 0.35, 0.5)),
    "dropout + max-norm": tuple(Setting(p=0.35, max_norm=c) for c in (1.0, 1.5, 2.0)),
}
CHOSEN = {
    "none": Setting(),
    "L2": Setting(weight_decay=0.01),
    "max-norm": Setting(max_norm=0.7),
    "dropout": Setting(p=0.35),
    "dropout + max-norm": Setting(p=0.35, max_norm=2.0),
}
"""Of each row of `CANDIDATES` the one that was best on validation images."""


def accuracies(
    dataset: Dataset,
    settings: Iterable[Setting],
    seeds: int | Sequence[int] = SEEDS,
    *,
    epochs: int = EPOCHS,
    progress: Progress | None = None,
) -> dict[Setting, np.ndarray]:
    """Train a network with two hidden layers of 64 units for each setting and each seed.

    Networks of one seed share their first weights and batches of 50, whatever their setting.

    Parameters
    ----------
    dataset : Dataset
    settings : Setting each
    seeds : int >= 1, how many, or the seeds themselves
    epochs : int >= 1
    progress : callable, such as tqdm, that gets the trainings and hands them on; None for silence

    Returns
    -------
    dict of Setting to array (seeds,): the accuracy on the test part after the last epoch

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.
    KeyboardInterrupt
        If it is interrupted; half-trained networks are not compared.

    Notes
    -----
    The comparison of Srivastava et al. 2014, JMLR 15, section 6.5 and table 9, on other data.
    There L2 is a penalty; here it is weight decay, which is the same for gradient descent.

    Examples
    --------
    >>> from dlcourse import data
    >>> found = accuracies(data.digits(100), [Setting(), Setting(p=0.2)], seeds=2, epochs=2)
    >>> found[Setting(p=0.2)].shape
    (2,)
    """
    instance(dataset, Dataset, "dataset", "a Dataset")
    check_progress(progress)
    if not isinstance(settings, Iterable):
        rule = "settings must hold Settings, such as [Setting(p=0.5)]"
        raise TypeError(f"{rule}, got {quoted(settings)}")
    asked = list(dict.fromkeys(settings))
    if not asked:
        raise ValueError(f"settings must hold at least one Setting, got {quoted(settings)}")
    for setting in asked:
        if not isinstance(setting, Setting):
            raise TypeError(f"settings must hold Settings, such as Setting(p=0.5), got {setting!r}")
    # One program for all p that are held back alike.
    alike: dict[tuple[float, float | None], list[Setting]] = {}
    for setting in asked:
        alike.setdefault((setting.weight_decay, setting.max_norm), []).append(setting)
    groups = list(alike.items())
    found: dict[Setting, np.ndarray] = {}
    for i in counted(len(groups), progress):
        (decay, norm), group = groups[i]
        grid = train_grid(
            dataset,
            HIDDEN,
            [setting.p for setting in group],
            seeds,
            epochs=epochs,
            lr=LR,
            weight_decay=decay,
            max_norm=norm,
            progress=None,
        )
        accuracy = whole(grid.curves, epochs, seeds).test_accuracy[:, :, -1]
        found |= dict(zip(group, accuracy, strict=True))
    return {setting: found[setting] for setting in asked}
