"""The handwritten digits that the lessons look at, and a small network trained on them."""

from __future__ import annotations

import copy
from functools import lru_cache

import numpy as np

from dlcourse import _validate as check
from dlcourse import data
from dlcourse.data import Dataset
from dlcourse.network import KINDS, ThreeLayerNet


@lru_cache
def load() -> Dataset:
    """Return all of `dlcourse.data.digits`, always the same read-only arrays.

    Examples
    --------
    >>> np.bincount(load().y_test)
    array([36, 36, 35, 37, 36, 37, 36, 36, 35, 36])
    """
    return data.digits()


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> data, net = load(), ThreeLayerNet((64, 32, 32, 10), p=0.0, rng=0)
    >>> train(net, data.X_train, data.y_train, epochs=5, rng=0)
    >>> accuracy(net, data.X_test, data.y_test) > 0.8
    True
    """
    check.instance(net, ThreeLayerNet, "net", "a ThreeLayerNet")
    X = check.table(X, "X", "(examples, inputs)")
    y = check.labels(y, len(X), net.sizes[-1])
    epochs, rows = check.integer(epochs, "epochs", 1), check.integer(rows, "rows", 1)
    lr, rng = check.positive(lr, "lr"), check.generator(rng)
    for _ in range(epochs):
        order = rng.permutation(len(X))
        for start in range(0, len(X), rows):
            batch = order[start : start + rows]
            net.train_step(X[batch], y[batch], lr, rng=rng)


def accuracy(net: ThreeLayerNet, X: np.ndarray, y: np.ndarray) -> float:
    """Return the fraction of examples whose most probable class is the right one.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> accuracy(ThreeLayerNet((2, 3, 3, 1), rng=0), np.ones((4, 2)), np.zeros(4, int))
    1.0
    """
    check.instance(net, ThreeLayerNet, "net", "a ThreeLayerNet")
    rows = len(check.table(X, "X", "(examples, inputs)"))
    y = check.labels(y, rows, net.sizes[-1])
    return float((net.predict(X).argmax(axis=1) == y).mean())


def trained_network(
    hidden: int = 64, p: float = 0.5, kind: str = "inverted", epochs: int = 30
) -> ThreeLayerNet:
    """Return a network of two hidden layers trained on the digits, with the same weights always.

    Takes about half a second the first time. Each call returns a copy, which may be changed.

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> data = load()
    >>> accuracy(trained_network(), data.X_test, data.y_test) > 0.9
    True
    """
    hidden, epochs = check.integer(hidden, "hidden", 1), check.integer(epochs, "epochs", 1)
    kind = check.one_of(kind, KINDS, "kind")
    return copy.deepcopy(_trained(hidden, check.probability(p), kind, epochs))


@lru_cache
def _trained(hidden: int, p: float, kind: str, epochs: int) -> ThreeLayerNet:
    images = load()
    net = ThreeLayerNet((64, hidden, hidden, 10), p=p, kind=kind, rng=0)
    train(net, images.X_train, images.y_train, epochs=epochs, rng=1)
    return net
