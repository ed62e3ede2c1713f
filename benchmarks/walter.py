"""Walter's simulation beside the readable loop, on one thread."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from benchmarks.operation import side_by_side
from benchmarks.rows import Row

FAN_INS, PS, SIMULATIONS = (10, 30, 100, 300, 1000, 3000), (0.1, 0.25, 0.5, 0.75, 0.9), 1000


def rows() -> list[Row]:
    """Measure the simulation against one neuron after the other."""
    from dlcourse.walter import plain_walter_simulation, walter_simulation

    what = f"Walter's simulation, plain loop; {len(PS)} p × {len(FAN_INS)} N × {SIMULATIONS:,}"
    with threadpool_limits(1):
        row = side_by_side(
            what,
            lambda: walter_simulation(FAN_INS, PS, SIMULATIONS, rng=0),
            lambda: plain_walter_simulation(FAN_INS, PS, SIMULATIONS, rng=0),
            ">= 12",
            repeats=9,
        )
    return [row]
