"""The handwritten digits that the lessons look at, and a small network trained on them."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dlcourse.network import ThreeLayerNet

TEST_SIZE = 360


@dataclass(frozen=True)
class Digits:
    """Images of 8 × 8 pixels as rows of 64 numbers in [0, 1], and the digits 0 … 9 they show.

    Examples
    --------
    >>> data = load()
    >>> data.X_train.shape, data.X_test.shape
    ((1437, 64), (360, 64))
    """

    X_train: np.ndarray
    y_train: np.ndarray
    X_test: np.ndarray
    y_test: np.ndarray


@lru_cache
def load() -> Digits:
    """Return the digits bundled with scikit-learn, always split in the same, stratified way.

    Source: E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI 1998; here
    the 1,797 images of its test part. The arrays are read-only, because they are shared.

    Examples
    --------
    >>> np.bincount(load().y_test)
    array([36, 36, 35, 37, 36, 37, 36, 36, 35, 36])
    """
    X, y = load_digits(return_X_y=True)
    split = train_test_split(X / 16, y, test_size=TEST_SIZE, stratify=y, random_state=0)
    for array in split:
        array.flags.writeable = False
    X_train, X_test, y_train, y_test = split
    return Digits(X_train, y_train, X_test, y_test)


def train(
    net: ThreeLayerNet,
    X: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int = 20,
    rows: int = 50,
    lr: float = 0.1,
    rng: np.random.Generator | int | None = None,
) -> None:
    """Train a network in place by gradient descent on mini-batches, reshuffled every epoch.

    Parameters
    ----------
    net : ThreeLayerNet
    X, y : arrays (examples, inputs) and (examples,)
    epochs : int, how often every example is used
    rows : int, examples in a mini-batch
    lr : float, the learning rate
    rng : None, int seed or numpy.random.Generator, for the order and the masks

    Examples
    --------
    >>> data, net = load(), ThreeLayerNet((64, 32, 32, 10), p=0.0, rng=0)
    >>> train(net, data.X_train, data.y_train, epochs=5, rng=0)
    >>> accuracy(net, data.X_test, data.y_test) > 0.8
    True
    """
    rng = np.random.default_rng(rng)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), rows):
            batch = order[start : start + rows]
            net.train_step(X[batch], y[batch], lr, rng=rng)


def accuracy(net: ThreeLayerNet, X: np.ndarray, y: np.ndarray) -> float:
    """Return the fraction of examples whose most probable class is the right one.

    Examples
    --------
    >>> accuracy(ThreeLayerNet((2, 3, 3, 1), rng=0), np.ones((4, 2)), np.zeros(4, int))
    1.0
    """
    return float((net.predict(X).argmax(axis=1) == y).mean())


def trained_network(
    hidden: int = 64, p: float = 0.5, kind: str = "inverted", epochs: int = 30
) -> ThreeLayerNet:
    """Return a network of two hidden layers trained on the digits, with the same weights always.

    Takes about half a second the first time. Each call returns a copy, which may be changed.

    Examples
    --------
    >>> data = load()
    >>> accuracy(trained_network(), data.X_test, data.y_test) > 0.9
    True
    """
    return copy.deepcopy(_trained(hidden, p, kind, epochs))


@lru_cache
def _trained(hidden: int, p: float, kind: str, epochs: int) -> ThreeLayerNet:
    data = load()
    net = ThreeLayerNet((64, hidden, hidden, 10), p=p, kind=kind, rng=0)
    train(net, data.X_train, data.y_train, epochs=epochs, rng=1)
    return net
