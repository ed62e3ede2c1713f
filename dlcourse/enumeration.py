"""All masks of a few units, and how likely each of them is."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from dlcourse import _validate as check

MOST = 12  # units whose masks are listed


def all_masks(n: int, name: str = "n") -> np.ndarray:
    """List the masks of n units; the first drops all, the last keeps all.

    Parameters
    ----------
    n : int from 1 to 12
    name : str, what a message calls n

    Returns
    -------
    bool array (2**n, n), True = kept, read-only

    Raises
    ------
    TypeError, ValueError
        If n is no such int; the message quotes it.

    Notes
    -----
    The 2**n thinned networks of Srivastava et al. 2014, JMLR 15, section 1.

    Examples
    --------
    >>> all_masks(2).astype(int).tolist()
    [[0, 0], [1, 0], [0, 1], [1, 1]]
    """
    return _listed(check.integer(n, name, 1, MOST))[0]


def mask_probabilities(n: int, p: float, name: str = "n") -> np.ndarray:
    """Return how likely each of the masks of `all_masks(n)` is: (1 - p)^kept · p^dropped.

    Parameters
    ----------
    n : int from 1 to 12
    p : float in [0, 1], the probability of dropping
    name : str, what a message calls n

    Returns
    -------
    array of float (2**n,), which sums to 1

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 4: independent Bernoulli numbers.

    Examples
    --------
    >>> mask_probabilities(2, 0.25)
    array([0.0625, 0.1875, 0.1875, 0.5625])
    """
    p, n = check.probability(p), check.integer(n, name, 1, MOST)
    return np.array([(1 - p) ** k * p ** (n - k) for k in range(n + 1)])[_listed(n)[1]]


@lru_cache
def _listed(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return all masks and how many units each keeps."""
    masks = np.arange(2**n)[:, None] >> np.arange(n) & 1 == 1
    masks.flags.writeable = False
    return masks, masks.sum(axis=1)
