"""Averages over a few masks of networks trained on the digits, beside weight scaling."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from dlcourse import _validate as validate
from dlcourse import digits
from dlcourse.ensembles.members import product_in_slabs
from dlcourse.functional import dropout
from dlcourse.network import ThreeLayerNet, softmax

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class Averaging:
    """Test errors of averages over masks, and of weight scaling, as fractions of the test images.

    Examples
    --------
    >>> errors = np.array([[[0.3, 0.1], [0.2, 0.2]]])
    >>> Averaging(errors, np.array([0.1])).caught_up()
    2
    """

    errors: np.ndarray  # (networks, repeats, masks), the average over the first k masks at k - 1
    weight_scaling: np.ndarray  # (networks,)

    @property
    def excess(self) -> np.ndarray:
        """How much larger the error of an average is than that of weight scaling.

        An array (networks, masks), each the mean of the repeats.
        """
        return np.asarray(self.errors.mean(axis=1) - self.weight_scaling[:, None])

    @property
    def spread(self) -> np.ndarray:
        """Standard deviation between the repeats of each network, an array (networks, masks)."""
        return np.asarray(self.errors.std(axis=1, ddof=1))

    def caught_up(self, chosen: Any = slice(None)) -> int:
        """Return the smallest k at which the excess is at most one standard deviation.

        The excess is the mean over the networks chosen, the standard deviation that between the
        repeats of one network, root mean square. Where no k is enough: one more than the masks.
        """
        excess = self.excess[chosen].mean(axis=0)
        spread = np.sqrt((self.spread[chosen] ** 2).mean(axis=0))
        within = np.flatnonzero(excess <= spread)
        return int(within[0]) + 1 if within.size else self.errors.shape[2] + 1

    def interval(self, samples: int = 2000, seed: int = 0) -> tuple[int, int]:
        """Return a 95 % interval of `caught_up` from resampling the networks (bootstrap)."""
        networks = len(self.weight_scaling)
        draws = np.random.default_rng(seed).integers(networks, size=(samples, networks))
        low, high = np.percentile([self.caught_up(chosen) for chosen in draws], [2.5, 97.5])
        return round(low), round(high)


def small_data_network(seed: int, images: int = 300) -> ThreeLayerNet:
    """Train a network with p = 0.5 on so few digits that its test error can be seen.

    Parameters
    ----------
    seed : int >= 0, of the images, the first weights, the order and the masks
    images : int, how many of the training images it sees

    Examples
    --------
    >>> net, data = small_data_network(0), digits.load()
    >>> 0.8 < digits.accuracy(net, data.X_test, data.y_test) < 0.97
    True
    """
    data, rng = digits.load(), np.random.default_rng(validate.seed(seed))
    images = validate.integer(images, "images", 1, len(data.y_train))
    few = rng.permutation(len(data.y_train))[:images]
    net = ThreeLayerNet((64, 64, 64, 10), p=0.5, rng=rng)
    digits.train(net, data.X_train[few], data.y_train[few], epochs=60, rng=rng)
    return net


def monte_carlo_errors(
    net: ThreeLayerNet, X: np.ndarray, y: np.ndarray, masks: int, repeats: int, rng: Any = None
) -> np.ndarray:
    """Return the test error of the average over the first 1, 2, … masks, repeated.

    Parameters
    ----------
    net : ThreeLayerNet
    X, y : arrays (rows, inputs) and (rows,)
    masks, repeats : int >= 1
    rng : None, int seed or numpy.random.Generator

    Returns
    -------
    array (repeats, masks), fractions of the rows

    Raises
    ------
    TypeError, ValueError
        If rng is none of these, or the network is a vanilla one.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 7.5 and figure 11. Every row has masks of its own.

    Examples
    --------
    >>> data = digits.load()
    >>> X, y = data.X_test[:40], data.y_test[:40]
    >>> monte_carlo_errors(digits.trained_network(), X, y, masks=5, repeats=3, rng=0).shape
    (3, 5)
    """
    P, rng = _inverted(net).params, validate.generator(rng)
    masks = validate.integer(masks, "masks", 1)
    repeats = validate.integer(repeats, "repeats", 1)
    first = np.tile(np.maximum(X @ P["W1"] + P["b1"], 0), (repeats, 1))  # the same for all masks
    total = np.zeros((len(first), net.sizes[-1]))
    wrong = np.empty((repeats, masks))
    for k in range(masks):
        h1 = dropout(first, net.p, rng=rng)
        h2 = dropout(np.maximum(product_in_slabs(h1, P["W2"]) + P["b2"], 0), net.p, rng=rng)
        total += softmax(product_in_slabs(h2, P["W3"]) + P["b3"])
        wrong[:, k] = (total.argmax(axis=1).reshape(repeats, -1) != y).mean(axis=1)
    return wrong


def _inverted(net: ThreeLayerNet) -> ThreeLayerNet:
    validate.instance(net, ThreeLayerNet, "net", "a ThreeLayerNet")
    if net.kind != "inverted":
        raise ValueError(f"net must be an inverted network, got kind={validate.quoted(net.kind)}")
    return net


@lru_cache
def averaging(networks: int = 16, repeats: int = 3, masks: int = 200) -> Averaging:
    """Hold averages over masks against weight scaling, on networks trained on 300 digits each.

    Takes some seconds the first time.

    Parameters
    ----------
    networks, repeats : int >= 2, for there is no spread of one
    masks : int >= 1

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> averaging(networks=2, repeats=3, masks=4).errors.shape
    (2, 3, 4)
    """
    networks = validate.integer(networks, "networks", 2)
    repeats = validate.integer(repeats, "repeats", 2)
    masks = validate.integer(masks, "masks", 1)
    data = digits.load()
    nets = [small_data_network(seed) for seed in range(networks)]
    errors = [
        monte_carlo_errors(net, data.X_test, data.y_test, masks, repeats, rng=100 + seed)
        for seed, net in enumerate(nets)
    ]
    full = [1 - digits.accuracy(net, data.X_test, data.y_test) for net in nets]
    return Averaging(np.array(errors), np.array(full))


def torch_network(net: ThreeLayerNet) -> torch.nn.Sequential:
    """Return an inverted three-layer network as a PyTorch model in float64, in eval mode.

    Raises
    ------
    ValueError
        If the network is a vanilla one, which PyTorch's dropout is not.

    Examples
    --------
    >>> torch_network(ThreeLayerNet((2, 3, 3, 2), rng=0))[2]
    Dropout(p=0.5, inplace=False)
    """
    import torch

    _inverted(net)
    parts: list[torch.nn.Module] = []
    for i in (1, 2, 3):
        W, b = (torch.tensor(net.params[f"{name}{i}"]) for name in "Wb")
        layer = torch.nn.Linear(W.shape[0], W.shape[1], dtype=torch.float64)
        layer.load_state_dict({"weight": W.T, "bias": b})
        parts += [layer] if i == 3 else [layer, torch.nn.ReLU(), torch.nn.Dropout(net.p)]
    return torch.nn.Sequential(*parts).eval()
