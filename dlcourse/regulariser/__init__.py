"""Lesson 08: dropout as a penalty on the weights, exactly and nearly, beside other regularisers.

`p` is the probability of dropping. Dropout is inverted and stands on the inputs of a regression.
"""

from dlcourse.enumeration import MOST
from dlcourse.regulariser.exercises import norm_function, penalty_function, times_as_strong
from dlcourse.regulariser.experiment import (
    CANDIDATES,
    CHOSEN,
    EPOCHS,
    HIDDEN,
    LR,
    OTHER_SEEDS,
    SEEDS,
    Setting,
    accuracies,
)
from dlcourse.regulariser.figures import draw_breaks, draw_comparison, draw_validation
from dlcourse.regulariser.linear import (
    dropout_ridge,
    every_mask,
    loss_over_masks,
    mask_chances,
    over_masks,
    penalty,
    plain_ridge,
)
from dlcourse.regulariser.logistic import fit_logistic, logistic_penalty, second_order_penalty
from dlcourse.regulariser.max_norm import max_norm
from dlcourse.regulariser.paths import MODELS, SCALES, Path, examples, path
from dlcourse.regulariser.picture import panel, scene

__all__ = [
    "CANDIDATES",
    "CHOSEN",
    "EPOCHS",
    "HIDDEN",
    "LR",
    "MODELS",
    "MOST",
    "OTHER_SEEDS",
    "SCALES",
    "SEEDS",
    "Path",
    "Setting",
    "accuracies",
    "draw_breaks",
    "draw_comparison",
    "draw_validation",
    "dropout_ridge",
    "every_mask",
    "examples",
    "fit_logistic",
    "logistic_penalty",
    "loss_over_masks",
    "mask_chances",
    "max_norm",
    "norm_function",
    "over_masks",
    "panel",
    "path",
    "penalty",
    "penalty_function",
    "plain_ridge",
    "scene",
    "second_order_penalty",
    "times_as_strong",
]
