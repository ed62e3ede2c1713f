"""How far weight scaling is from the averages of all members."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse._validate import integer, probability, quoted
from dlcourse.ensembles.members import Network, ensemble, members, network


def gaps(net: Network, ps: Any) -> np.ndarray:
    """Return how far weight scaling is from the means of all members, in the first output.

    Parameters
    ----------
    net : Network
    ps : array of float (m,), probabilities of dropping

    Returns
    -------
    array (2, m): |weight scaling - arithmetic mean|, and the same for the geometric mean, which is
    nan for a linear net

    Examples
    --------
    >>> bool(gaps(network("softmax", n=4), [0.0, 0.5, 1.0])[1].max() < 1e-10)
    True
    """
    ps = _checked_ps(ps)
    given = members(net)
    found = [ensemble(net, p, given) for p in ps]
    means = [(e.arithmetic[0], np.nan if e.geometric is None else e.geometric[0]) for e in found]
    return np.abs(np.array(means) - [[e.weight_scaling[0]] for e in found]).T


def _checked_ps(ps: Any) -> list[float]:
    if np.ndim(ps) != 1:
        raise TypeError(f"ps must hold the probabilities of dropping, got {quoted(ps)}")
    return [probability(p) for p in ps]


def mean_gaps(ns: Any, ps: Any, networks: int = 100) -> tuple[np.ndarray, np.ndarray]:
    """Return the gap to the arithmetic mean behind a ReLU layer, averaged over random networks.

    Parameters
    ----------
    ns : ints from 1 to 12 (m,), the numbers of units
    ps : floats in [0, 1] (k,), the probabilities of dropping
    networks : int >= 2, how many are drawn for each number of units

    Returns
    -------
    mean, error : arrays (m, k), the mean and its standard error

    Examples
    --------
    >>> mean, error = mean_gaps([4], [0.5])
    >>> mean.shape, bool(mean[0, 0] > 5 * error[0, 0])
    ((1, 1), True)
    """
    ps, networks = _checked_ps(ps), integer(networks, "networks", 2)
    nets = [[network("relu", n, seed) for seed in range(networks)] for n in ns]
    found = np.array([[gaps(net, ps)[0] for net in row] for row in nets])
    return found.mean(axis=1), found.std(axis=1, ddof=1) / networks**0.5
