"""All 2ⁿ members of a small net, their exact probabilities and averages."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np

from dlcourse import _validate as validate
from dlcourse import enumeration
from dlcourse.enumeration import MOST
from dlcourse.network import softmax

KINDS = ("linear", "softmax", "relu")
CLASSES, HIDDEN = 3, 16
SCALE = {"linear": 1, "softmax": 4, "relu": 2}  # of the weights, times 1/√n


def all_masks(n: int) -> np.ndarray:
    """List the masks of n units, as `dlcourse.enumeration.all_masks` does.

    Raises
    ------
    TypeError, ValueError
        If n is no int from 1 to 12; the message says how many masks there would be and what to do.

    Examples
    --------
    >>> all_masks(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    >>> all_masks(20)  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    ValueError: n must be an int from 1 to 12, got 20: that would be 1,048,576 masks; draw some ...
    """
    if isinstance(n, int | np.integer) and n > MOST:
        many = f"{2 ** int(n):,}" if n <= 64 else f"2**{validate.quoted(n)}"
        raise ValueError(
            f"n must be an int from 1 to {MOST}, got {validate.quoted(n)}: "
            f"that would be {many} masks; draw some hundred of them with "
            "dropout_mask((masks, n), p) and average these (Monte-Carlo averaging)"
        )
    return enumeration.all_masks(n)


def mask_probabilities(n: int, p: float) -> np.ndarray:
    """Return how likely each of the masks of `all_masks(n)` is, as `dlcourse.enumeration` does.

    Examples
    --------
    >>> mask_probabilities(2, 0.25)
    array([0.0625, 0.1875, 0.1875, 0.5625])
    """
    p = validate.probability(p)
    all_masks(n)  # complains about n
    return enumeration.mask_probabilities(n, p)


@dataclass(frozen=True)
class Network:
    """A small net with dropout on its n units: linear, softmax, or with a ReLU layer between.

    Examples
    --------
    >>> network("softmax", n=4).W.shape
    (4, 3)
    """

    kind: str
    x: np.ndarray  # (n,), what the units with dropout hold
    W: np.ndarray  # (n, next layer)
    b: np.ndarray
    V: np.ndarray | None = None  # (hidden ReLU units, classes)


def network(kind: str = "softmax", n: int = 8, seed: int = 0) -> Network:
    """Draw a net; with the same seed a larger n adds units to the same net.

    Parameters
    ----------
    kind : "linear" (one output), "softmax" (3 classes) or "relu" (16 ReLU units, 3 classes)
    n : int from 1 to 12, the units with dropout
    seed : int >= 0, of the weights and of what the units hold

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The weights are drawn from normal distributions, the units hold numbers >= 0, as after a ReLU.

    Examples
    --------
    >>> bool((network("linear", n=4).x == network("linear", n=12).x[:4]).all())
    True
    """
    if not isinstance(kind, str) or kind not in KINDS:
        raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {validate.quoted(kind)}")
    all_masks(n)  # complains about n
    rng, width = validate.generator(seed), {"linear": 1, "softmax": CLASSES, "relu": HIDDEN}[kind]
    x = np.abs(rng.normal(size=MOST))
    W = rng.normal(0, SCALE[kind], (MOST, width))[:n] / n**0.5
    b = rng.normal(0, 0.3, width)
    V = rng.normal(0, 1.5, (HIDDEN, CLASSES)) / HIDDEN**0.5 if kind == "relu" else None
    return Network(kind, x[:n], W, b, V)


def outputs(net: Network, units: np.ndarray) -> np.ndarray:
    """Return what the net gives when its units hold these numbers.

    Parameters
    ----------
    net : Network
    units : array of float (m, n), such as masks * net.x

    Returns
    -------
    array of float (m, 1) for a linear net, else probabilities (m, 3)

    Examples
    --------
    >>> outputs(network("softmax", n=4), np.zeros((2, 4))).shape
    (2, 3)
    """
    z = product_in_slabs(units, net.W) + net.b
    if net.kind == "linear":
        return np.asarray(z)
    return softmax(z if net.V is None else product_in_slabs(np.maximum(z, 0), net.V))


def product_in_slabs(rows: np.ndarray, W: np.ndarray) -> np.ndarray:
    """Return rows @ W, some rows at a time.

    BLAS takes several threads for a larger product, from 2**18 multiplications on, and on a machine
    that is busy these wait for each other, ten times as long as one alone would take.
    """
    size = 60 if W.size > 256 else 1024  # for the 64 × 64 and 12 × 16 weights of this lesson
    starts = range(0, max(1, len(rows)), size)
    return np.concatenate([rows[i : i + size] @ W for i in starts])


def _mean(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weights @ values, on one thread as well."""
    return np.asarray(np.einsum("m,mk->k", weights, values))


@dataclass(frozen=True)
class Ensemble:
    """What 2**n members give, how likely each is, and their averages beside weight scaling.

    Examples
    --------
    >>> found = ensemble(network("softmax", n=8), p=0.5)
    >>> np.allclose(found.geometric, found.weight_scaling, atol=1e-10)
    True
    """

    outputs: np.ndarray  # (2**n, k)
    probabilities: np.ndarray  # (2**n,)
    arithmetic: np.ndarray  # (k,)
    geometric: np.ndarray | None  # (k,), normalised; None where outputs are no probabilities
    variance: np.ndarray  # (k,)
    weight_scaling: np.ndarray  # (k,)


def members(net: Network) -> np.ndarray:
    """Return the outputs (2**n, k) of all members, in the order of `all_masks`.

    Examples
    --------
    >>> members(network("linear", n=4)).shape
    (16, 1)
    """
    return outputs(net, all_masks(len(net.x)) * net.x)


def ensemble(net: Network, p: float, given: np.ndarray | None = None) -> Ensemble:
    """Enumerate all members with their exact probabilities and average them.

    Parameters
    ----------
    net : Network
    p : float in [0, 1], the probability of dropping
    given : array (2**n, k), the `members` of the net if they are there already

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    The weight-scaling network: Srivastava et al. 2014, JMLR 15, section 4. The normalised geometric
    mean: Hinton et al. 2012, arXiv:1207.0580.

    Examples
    --------
    >>> found = ensemble(network("linear", n=12), p=0.3)
    >>> np.allclose(found.arithmetic, found.weight_scaling, atol=1e-10)
    True
    """
    validate.instance(net, Network, "net", "a Network")
    weights = mask_probabilities(len(net.x), p)
    out = members(net) if given is None else given
    mean = _mean(weights, out)
    return Ensemble(
        out,
        weights,
        mean,
        None if net.kind == "linear" else normalised_geometric_mean(out, weights),
        _mean(weights, (out - mean) ** 2),
        outputs(net, (1 - p) * net.x[None])[0],
    )


def normalised_geometric_mean(out: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average the logarithms of probabilities, and make the result sum to one again.

    Parameters
    ----------
    out : array (m, k), a distribution over k classes from each of m members, all > 0
    weights : array (m,), which sums to 1

    Returns
    -------
    array (k,), which sums to 1

    Notes
    -----
    Hinton et al. 2012, arXiv:1207.0580; Baldi and Sadowski 2014, Artificial Intelligence 210.

    Examples
    --------
    >>> normalised_geometric_mean(np.array([[0.8, 0.2], [0.5, 0.5]]), np.array([0.5, 0.5]))
    array([0.66666667, 0.33333333])
    """
    return softmax(_mean(weights, np.log(out))[None])[0]


def plain_ensemble(net: Network, p: float) -> Ensemble:
    """Enumerate the members the readable way, one mask at a time: what `ensemble` must equal.

    Parameters, result, errors and source are those of `ensemble`.

    Examples
    --------
    >>> plain_ensemble(network("linear", n=4), 0.5).probabilities.sum().item()
    1.0
    """
    validate.instance(net, Network, "net", "a Network")
    p, out, weights = validate.probability(p), [], []
    for reverse in product([False, True], repeat=len(net.x)):
        mask = np.array(reverse[::-1])
        weights.append(np.prod(np.where(mask, 1 - p, p)))
        out.append(outputs(net, (mask * net.x)[None])[0])
    mean = sum(w * o for w, o in zip(weights, out, strict=True))
    variance = sum(w * (o - mean) ** 2 for w, o in zip(weights, out, strict=True))
    geometric = None
    if net.kind != "linear":
        geometric = np.prod([o**w for w, o in zip(weights, out, strict=True)], axis=0)
        geometric /= geometric.sum()
    scaled = outputs(net, (1 - p) * net.x[None])[0]
    return Ensemble(np.array(out), np.array(weights), mean, geometric, variance, scaled)
