"""All members of a small net at a new p, beside a loop over the masks."""

from __future__ import annotations

from benchmarks.operation import side_by_side
from benchmarks.rows import Row

MOST_MILLISECONDS = 50


def rows() -> list[Row]:
    """Measure n = 12 units with a ReLU layer behind them: 4,096 members."""
    from dlcourse import ensembles

    net = ensembles.network("relu", n=12)
    what = "all 4,096 members at a new p"
    compared = side_by_side(
        f"{what}, a loop over masks; ReLU layer, n = 12",
        lambda: ensembles.ensemble(net, 0.3),
        lambda: ensembles.plain_ensemble(net, 0.3),
        ">= 50",
        repeats=10,
    )
    bound = f"<= {MOST_MILLISECONDS}"
    return [
        compared,
        Row(f"{what}; one call", compared.ours, None, compared.ours, bound, "ms", " ms"),
    ]
