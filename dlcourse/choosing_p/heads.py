"""A body that was trained on the digits 0 to 4, and new heads for the digits 5 to 9."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn

from dlcourse import _validate as check
from dlcourse import data
from dlcourse.data import Dataset
from dlcourse.training import seeded, train, whole

FEATURES = 128  # that the body makes of an image
CLASSES = 5
EPOCHS = 6  # of the body


def create_head(
    features: int,
    classes: int,
    *,
    ps: float | Sequence[float] | None = None,
    xtra_fc: Sequence[int] = (512,),
    seed: int = 0,
) -> nn.Sequential:
    """Return layers that turn the features of a frozen body into logits.

    Each linear layer has BatchNorm1d and Dropout before it, and ReLU stands between two of them.

    Parameters
    ----------
    features, classes : ints >= 1
    ps : one p for all dropout layers, or a p for each, first layer first; None for 0.25 each and
        0.5 for the last
    xtra_fc : ints >= 1, the widths of extra linear layers before the one that makes the logits
    seed : int >= 0, of PyTorch's usual first weights; they do not depend on ps

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    After `ConvLearner.pretrained` of fast.ai 0.7, which gives its `ps` to the head alone, too.
    Later versions of fast.ai halve a single p before all layers but the last.

    Examples
    --------
    >>> head = create_head(128, 5, xtra_fc=(64,))
    >>> print(*[type(layer).__name__ for layer in head])
    BatchNorm1d Dropout Linear ReLU BatchNorm1d Dropout Linear
    >>> head(torch.ones(3, 128)).shape, head[1].p, head[5].p
    (torch.Size([3, 5]), 0.25, 0.5)
    """
    extra = _extra_widths(xtra_fc)
    sizes = [check.integer(features, "features", 1), *extra, check.integer(classes, "classes", 1)]
    layers: list[nn.Module] = []
    with seeded(check.seed(seed)):
        for n_in, n_out, p in zip(sizes, sizes[1:], head_ps(ps, len(extra)), strict=False):
            layers += [nn.BatchNorm1d(n_in), nn.Dropout(p), nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])  # no ReLU behind the logits


def head_ps(ps: Any, extra: int) -> tuple[float, ...]:
    """Return a p for each dropout layer of a head with so many extra layers.

    Raises
    ------
    TypeError, ValueError
        If one is no probability, or there are too few or too many.

    Examples
    --------
    >>> head_ps(None, 2), head_ps(0.3, 1)
    ((0.25, 0.25, 0.5), (0.3, 0.3))
    >>> head_ps([0.25, 0.5], 2)
    Traceback (most recent call last):
    ...
    ValueError: ps must be one number or a list of 3 (one for each of 2 extra layers, and one for \
the last), got 2: [0.25, 0.5]
    """
    if ps is None:
        return (*[0.25] * extra, 0.5)
    if not check.many(ps):
        return (check.probability(ps, "ps"),) * (extra + 1)
    if len(ps) != extra + 1:
        layers = f"{extra} extra layer{'s' * (extra != 1)}"
        raise ValueError(
            f"ps must be one number or a list of {extra + 1} (one for each of {layers}, and one "
            f"for the last), got {len(ps)}: {check.quoted(ps)}"
        )
    return tuple(check.probability(p, "a p in ps") for p in ps)


def _extra_widths(xtra_fc: Any) -> tuple[int, ...]:
    rule = f"xtra_fc must hold the widths of the extra layers, got {check.quoted(xtra_fc)}"
    if not isinstance(xtra_fc, tuple | list):
        raise TypeError(rule + (f" ([{xtra_fc}]?)" if isinstance(xtra_fc, int) else ""))
    return tuple(check.integer(width, "a width in xtra_fc", 1) for width in xtra_fc)


def frozen_body(seed: int = 0) -> nn.Sequential:
    """Return a small convolutional network, trained on the digits 0 to 4, without its head.

    It is in eval mode, its weights take no gradient, and it has dropout of its own.

    Parameters
    ----------
    seed : int >= 0, of its first weights and its training; about a second the first time

    Raises
    ------
    TypeError, ValueError
        If the seed is none.
    KeyboardInterrupt
        If the training is interrupted; nothing is kept then, and the next call starts again.

    Examples
    --------
    >>> body = frozen_body()
    >>> body(torch.ones(3, 64)).shape, any(weight.requires_grad for weight in body.parameters())
    (torch.Size([3, 128]), False)
    """
    return copy.deepcopy(_trained_body(check.seed(seed)))


@lru_cache(2)
def _trained_body(seed: int) -> nn.Sequential:
    with seeded(seed):
        body = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Dropout(0.1),
        )
        both = nn.Sequential(body, nn.Linear(FEATURES, CLASSES))
    # The validation part stands in for the test images, which are left for the end.
    images = _only(data.digits(validation=True), first=0)
    trained = train(both, images, epochs=EPOCHS, seed=seed, progress=None)
    whole(trained.curves, EPOCHS)  # half a training would be kept as the body
    body = trained.model[0]  # type: ignore[index]
    body.requires_grad_(False)
    return body.eval()


def task(train_size: int = 300, wrong_labels: float = 0.0, seed: int = 0) -> Dataset:
    """Return images of the digits 5 to 9, which the body has never seen, labelled 0 to 4.

    Parameters
    ----------
    train_size : int, 1 to 716, training images, each digit with its share
    wrong_labels : float in [0, 1], the fraction of training labels made wrong
    seed : int >= 0, for the choice of images and of wrong labels

    Returns
    -------
    Dataset
        With 180 test images, whose labels are right.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> images = task(300, wrong_labels=0.2)
    >>> images.X_train.shape, images.X_test.shape, images.wrong.sum()
    ((300, 64), (180, 64), np.int64(60))
    """
    every = _only(data.digits(seed=seed), first=5)
    most = len(every.y_train)
    size = check.integer(train_size, "train_size", 1, most)
    fraction = check.probability(wrong_labels, "wrong_labels")
    rng = np.random.default_rng([7, seed])
    order = rng.permutation(most)
    # Digit by digit in turn, so that each has its share in the first `size`.
    turn = np.empty(most)
    for label in range(CLASSES):
        here = every.y_train[order] == label
        turn[here] = (np.arange(here.sum()) + 0.5) / here.sum()
    rows = order[np.argsort(turn, kind="stable")][:size]
    rows = rows[rng.permutation(size)]
    wrong = np.arange(size) < round(fraction * size)
    moved = (every.y_train[rows] + rng.integers(1, CLASSES, size)) % CLASSES
    labels = np.where(wrong, moved, every.y_train[rows])
    parts = (every.X_train[rows], labels, every.X_test, every.y_test, wrong)
    return Dataset("digits 5 to 9", every.shape, *parts)


def features_of(body: nn.Module, images: Dataset) -> Dataset:
    """Return a data set with the body's features in place of the pixels, dropout off.

    Parameters
    ----------
    body : torch.nn.Module, rows of pixels in, rows of features out; it stays as it is
    images : Dataset

    Raises
    ------
    TypeError
        If one of them is something else; the message quotes it.

    Examples
    --------
    >>> features_of(frozen_body(), task(100)).X_train.shape
    (100, 128)
    """

    check.instance(body, nn.Module, "body", "a torch.nn.Module")
    check.instance(images, Dataset, "images", "a Dataset")

    def features(X: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            found = at_rest(torch.tensor(X, dtype=torch.float32))
        return np.asarray(found.numpy())

    at_rest = copy.deepcopy(body).eval()
    X, X_test = features(images.X_train), features(images.X_test)
    shape = (1, X.shape[1])
    return Dataset(images.name, shape, X, images.y_train, X_test, images.y_test, images.wrong)


def _only(every: Dataset, first: int) -> Dataset:
    """Keep five digits, and label them 0 to 4."""
    here = [(y >= first) & (y < first + CLASSES) for y in (every.y_train, every.y_test)]
    return Dataset(
        every.name,
        every.shape,
        every.X_train[here[0]],
        every.y_train[here[0]] - first,
        every.X_test[here[1]],
        every.y_test[here[1]] - first,
        every.wrong[here[0]],
    )
