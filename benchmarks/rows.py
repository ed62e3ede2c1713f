"""One measured line of the benchmark's table."""

from __future__ import annotations

import operator
from dataclasses import dataclass

COMPARISONS = {">=": operator.ge, "<=": operator.le}


@dataclass(frozen=True)
class Row:
    """What was measured beside a peer in the same run, and what was aimed at.

    Parameters
    ----------
    what : what was measured, and the peer
    ours, peer : medians, in ``unit``; ``peer`` is None where only a bound is asked for
    measured : the number that the target is about, in ``measured_in``: mostly the ratio of
        the two, how many times better than the peer for ">= n", how many times the peer for "<= n"
    target : ">= n" or "<= n"
    peer_is_late : whether the peer took longer than was waited for: it and the ratio are lower
        bounds

    Examples
    --------
    >>> Row("a sum, against a loop", ours=1.0, peer=8.0, measured=8.0, target=">= 5").met
    True
    """

    what: str
    ours: float
    peer: float | None
    measured: float
    target: str
    unit: str = "ms"
    measured_in: str = "×"
    peer_is_late: bool = False

    @property
    def met(self) -> bool:
        """Whether the measured number is on the right side of the target."""
        comparison, bound = self.target.split()
        return bool(COMPARISONS[comparison](self.measured, float(bound)))
