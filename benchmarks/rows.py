"""One measured line of the benchmark's table."""

from __future__ import annotations

import operator
from dataclasses import dataclass

COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Row:
    """What was measured, in seconds, beside a peer, and the ratio that was aimed at.

    Parameters
    ----------
    what : what was measured, and the peer
    ours, peer : median seconds
    ratio : median over the repeats; how many times faster than the peer if the target is ">= n",
        how many times the peer's time if it is "<= n"
    target : ">= n" or "<= n"

    Examples
    --------
    >>> Row("a sum, against a loop", ours=0.001, peer=0.008, ratio=8.0, target=">= 5").met
    True
    """

    what: str
    ours: float
    peer: float
    ratio: float
    target: str

    @property
    def met(self) -> bool:
        """Whether the ratio is on the right side of the target."""
        comparison, bound = self.target.split()
        return bool(COMPARISONS[comparison](self.ratio, float(bound)))
