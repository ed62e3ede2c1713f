"""Lesson 03: all 2ⁿ thinned networks of a small net, their averages, and averages of a few.

`p` is the probability of dropping, and True in a mask means kept. Dropout is vanilla here: members
are not rescaled, and the weight-scaling network multiplies its n units by 1 - p. With inverted
dropout both are divided by 1 - p, so what is equal stays equal.
"""

from dlcourse.ensembles.averaging import (
    Averaging,
    averaging,
    monte_carlo_errors,
    small_data_network,
    torch_network,
)
from dlcourse.ensembles.exercises import geometric_function, mean_function
from dlcourse.ensembles.gap import gaps, mean_gaps
from dlcourse.ensembles.members import (
    KINDS,
    Ensemble,
    Network,
    all_masks,
    ensemble,
    mask_probabilities,
    members,
    network,
    normalised_geometric_mean,
    outputs,
    plain_ensemble,
)
from dlcourse.ensembles.picture import SIZES, draw_averaging, draw_gaps, draw_turning, panel, scene

__all__ = [
    "KINDS",
    "SIZES",
    "Averaging",
    "Ensemble",
    "Network",
    "all_masks",
    "averaging",
    "draw_averaging",
    "draw_gaps",
    "draw_turning",
    "ensemble",
    "gaps",
    "geometric_function",
    "mask_probabilities",
    "mean_function",
    "mean_gaps",
    "members",
    "monte_carlo_errors",
    "network",
    "normalised_geometric_mean",
    "outputs",
    "panel",
    "plain_ensemble",
    "scene",
    "small_data_network",
    "torch_network",
]
