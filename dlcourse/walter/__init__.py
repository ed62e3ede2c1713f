"""Lesson 05, Walter's simulation: what dropout before a neuron does to the neuron's output.

One neuron adds up N inputs times their weights. The inputs are rectified, relu(z) with
z ~ N(0, 1), and dropout acts on them. `p` is the probability of dropping.

`formulas` holds the closed forms, `simulation` the simulation that must find them, `gauges`
the three quantities that the argument was about, `picture` what is drawn, and `exercises` what
the exercises expect.
"""

from dlcourse.walter.exercises import difference_function, ratio_number
from dlcourse.walter.formulas import Statistics, theory
from dlcourse.walter.gauges import Ratio, ratios
from dlcourse.walter.picture import OUTPUTS, draw_differences, draw_spreads, panel, scene
from dlcourse.walter.simulation import WalterResult, plain_walter_simulation, walter_simulation

__all__ = [
    "OUTPUTS",
    "Ratio",
    "Statistics",
    "WalterResult",
    "difference_function",
    "draw_differences",
    "draw_spreads",
    "panel",
    "plain_walter_simulation",
    "ratio_number",
    "ratios",
    "scene",
    "theory",
    "walter_simulation",
]
