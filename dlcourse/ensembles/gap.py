"""How far weight scaling is from the averages of all members."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse._validate import instance, integer, probabilities, quoted, some
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

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> bool(gaps(network("softmax", n=4), [0.0, 0.5, 1.0])[1].max() < 1e-10)
    True
    """
    instance(net, Network, "net", "a Network")
    ps = probabilities(ps)
    given = members(net)
    found = [ensemble(net, p, given) for p in ps]
    means = [(e.arithmetic[0], np.nan if e.geometric is None else e.geometric[0]) for e in found]
    return np.abs(np.array(means) - [[e.weight_scaling[0]] for e in found]).T


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

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Examples
    --------
    >>> mean, error = mean_gaps([4], [0.5])
    >>> mean.shape, bool(mean[0, 0] > 5 * error[0, 0])
    ((1, 1), True)
    """
    ps, networks = probabilities(ps), integer(networks, "networks", 2)
    some(ns, f"ns must hold at least one number of units, got {quoted(ns)}")
    nets = [[network("relu", n, seed) for seed in range(networks)] for n in ns]
    found = np.array([[gaps(net, ps)[0] for net in row] for row in nets])
    return found.mean(axis=1), found.std(axis=1, ddof=1) / networks**0.5
