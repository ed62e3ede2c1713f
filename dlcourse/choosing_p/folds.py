"""p chosen by cross-validation, on training images only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.model_selection import StratifiedKFold
from torch import nn
from tqdm.auto import tqdm

from dlcourse import _validate as check
from dlcourse.data import Dataset
from dlcourse.training import Progress, check_progress, counted, train, whole


def folds(data: Dataset, k: int = 5, seed: int = 0) -> list[Dataset]:
    """Cut the training images into k parts; each in turn is held out of the others.

    Parameters
    ----------
    data : Dataset; its test images are not looked at
    k : int >= 2, at most the number of images of the rarest class
    seed : int >= 0, of the shuffling

    Returns
    -------
    list of k Datasets, in which ``X_test`` and ``y_test`` are the part that is held out

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> from dlcourse import data
    >>> [(len(fold.y_train), len(fold.y_test)) for fold in folds(data.digits(100), k=4)]
    [(75, 25), (75, 25), (75, 25), (75, 25)]
    """
    check.instance(data, Dataset, "data", "a Dataset")
    seed = check.seed(seed)
    rarest = int(np.unique(data.y_train, return_counts=True)[1].min())
    cut = StratifiedKFold(check.integer(k, "k", 2, rarest), shuffle=True, random_state=seed)
    X, y = data.X_train, data.y_train
    return [
        Dataset(data.name, data.shape, X[rest], y[rest], X[held], y[held], data.wrong[rest])
        for rest, held in cut.split(X, y)
    ]


def cross_validate(
    make: Callable[[float, int], nn.Module],
    parts: Sequence[Dataset],
    ps: Sequence[float],
    progress: Progress | None = tqdm,
    *,
    epochs: int = 20,
    **settings: Any,
) -> np.ndarray:
    """Return the accuracy on each fold for each p, an array (ps, folds).

    Parameters
    ----------
    make : callable, ``make(p, seed)`` returns an untrained network
    parts : Datasets, such as `folds` returns
    ps : floats
    progress : callable, such as tqdm, that gets the places in ps and hands them on; None for
        silence
    epochs, settings : as for `dlcourse.training.train`

    Raises
    ------
    TypeError, ValueError
        If make is not callable, or a part or a p is none, or there are none of them.
    KeyboardInterrupt
        If it is interrupted; half-trained networks are not compared.

    Notes
    -----
    The i-th fold has the seed i for all p: first weights, batches and images are paired.

    Examples
    --------
    >>> from dlcourse import data
    >>> from dlcourse.training import mlp
    >>> parts = folds(data.digits(100), k=2)
    >>> make = lambda p, seed: mlp(64, (16,), 10, p=p, seed=seed)
    >>> cross_validate(make, parts, ps=[0, 0.5, 0.9], progress=None, epochs=1).shape
    (3, 2)
    """
    check.function(make, "make")
    check_progress(progress)
    ps = check.probabilities(ps)
    for part in parts:
        check.instance(part, Dataset, "each of parts", "a Dataset")
    if len(parts) == 0:
        raise ValueError(f"parts must hold at least one Dataset, got {check.quoted(parts)}")
    scores = np.empty((len(ps), len(parts)))
    for i in counted(len(ps), progress):
        for seed, part in enumerate(parts):
            net = make(ps[i], seed)
            done = train(net, part, epochs=epochs, seed=seed, progress=None, **settings)
            scores[i, seed] = whole(done.curves, epochs).test_accuracy[-1]
    return scores


@dataclass(frozen=True)
class Choice:
    """What cross-validation says of each p.

    Attributes
    ----------
    ps : array (ps,)
    mean, error : arrays (ps,), the mean over folds and its standard error
    best : float, the p with the highest mean
    within : array of bool (ps,), whose mean is within one standard error of the best
    chosen : float, the largest p of those
    """

    ps: np.ndarray
    mean: np.ndarray
    error: np.ndarray
    best: float
    within: np.ndarray
    chosen: float


def choose(ps: Sequence[float], scores: np.ndarray) -> Choice:
    """Choose the largest p whose mean score is within one standard error of the best.

    Parameters
    ----------
    ps : floats
    scores : array (ps, folds), larger is better, at least two folds

    Raises
    ------
    TypeError, ValueError
        If a p is none, or the scores do not have a row for each p and two columns or more, or
        are not finite.

    Notes
    -----
    The one-standard-error rule: of what is as good as the best take the simplest, here the most
    dropout. Hastie, Tibshirani and Friedman 2009, The elements of statistical learning, section
    7.10.1. The standard error is that of the best.

    Examples
    --------
    >>> choose([0, 0.2, 0.5], np.array([[0.7, 0.8], [0.83, 0.87], [0.81, 0.86]])).chosen
    0.5
    """
    values, at = check.real_array(scores, "scores").astype(float), np.array(check.probabilities(ps))
    if values.ndim != 2 or len(values) != len(at) or values.shape[1] < 2:
        raise ValueError(
            f"scores must have a row for each of {len(at)} p and a column for each of at least "
            f"2 folds, got shape {values.shape}: {check.quoted(scores)}"
        )
    if not np.isfinite(values).all():
        raise ValueError(f"scores must be finite numbers, got {check.quoted(scores)}")
    mean = values.mean(axis=1)
    error = values.std(axis=1, ddof=1) / values.shape[1] ** 0.5
    best = int(mean.argmax())
    within = mean >= mean[best] - error[best]
    return Choice(at, mean, error, float(at[best]), within, float(at[within].max()))
