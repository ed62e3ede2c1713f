"""Lesson 06: where dropout narrows the gap, where it does not, and how to tell.

`p` is the probability of dropping. Networks have two hidden layers with dropout behind each.
"""

from dlcourse.grid import PS, nearest
from dlcourse.overfitting.exercises import gap_function, start_again_function, verdict_function
from dlcourse.overfitting.experiment import (
    EPOCHS,
    IMAGES,
    LR,
    SEEDS,
    WRONG,
    d2l,
    trained,
)
from dlcourse.overfitting.picture import (
    draw_differences,
    draw_epochs,
    draw_scores,
    in_points,
    panel,
    scene,
)

__all__ = [
    "EPOCHS",
    "IMAGES",
    "LR",
    "PS",
    "SEEDS",
    "WRONG",
    "d2l",
    "draw_differences",
    "draw_epochs",
    "draw_scores",
    "gap_function",
    "in_points",
    "nearest",
    "panel",
    "scene",
    "start_again_function",
    "trained",
    "verdict_function",
]
