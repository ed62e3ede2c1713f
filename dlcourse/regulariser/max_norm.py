"""Max-norm: a constraint on the weights into each unit, set after every step."""

from __future__ import annotations

from typing import Any

import numpy as np

from dlcourse import _validate as check
from dlcourse.regulariser.linear import design


def max_norm(W: Any, c: float) -> np.ndarray:
    """Return the weights with those into each unit shortened to the norm c where they are longer.

    Parameters
    ----------
    W : array (units in, units out)
    c : float > 0, the largest norm of a column

    Returns
    -------
    array of the shape of W

    Raises
    ------
    TypeError, ValueError
        If an argument is not what it must be; the message quotes it.

    Notes
    -----
    Srivastava et al. 2014, JMLR 15, section 5.1.

    Examples
    --------
    >>> max_norm([[3.0, 0.3], [4.0, 0.4]], c=1.0)
    array([[0.6, 0.3],
           [0.8, 0.4]])
    """
    c = check.positive(c, "c")
    W = design(W, "W", "(units in, units out)")
    norms = np.sqrt((W**2).sum(axis=0))
    return np.asarray(W * np.minimum(1, c / np.maximum(norms, np.finfo(float).tiny)))
