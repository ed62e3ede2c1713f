"""Lesson 09, relatives: Gaussian, alpha and channel dropout, and DropConnect, under one oracle.

`noise` holds those that act on units, in NumPy, `dropconnect` the one that acts on weights, in
PyTorch, `family` all of them with what theory says, `oracle` the five questions that each must
answer, `picture` and `tiles` what is drawn, and `exercises` what the exercises expect. `p` is
the probability of dropping.
"""

from dlcourse.relatives.dropconnect import DropConnectLinear
from dlcourse.relatives.exercises import (
    channel_function,
    dropconnect_function,
    gaussian_function,
)
from dlcourse.relatives.family import RELATIVES, Relative, dropconnect, moments
from dlcourse.relatives.noise import (
    LOWEST,
    alpha_constants,
    alpha_dropout,
    alpha_dropout_backward,
    channel_dropout,
    channel_dropout_backward,
    gaussian_dropout,
    gaussian_dropout_backward,
)
from dlcourse.relatives.oracle import Answers, examine
from dlcourse.relatives.picture import draw_spreads, example, neighbours, panel, scene

__all__ = [
    "LOWEST",
    "RELATIVES",
    "Answers",
    "DropConnectLinear",
    "Relative",
    "alpha_constants",
    "alpha_dropout",
    "alpha_dropout_backward",
    "channel_dropout",
    "channel_dropout_backward",
    "channel_function",
    "draw_spreads",
    "dropconnect",
    "dropconnect_function",
    "examine",
    "example",
    "gaussian_dropout",
    "gaussian_dropout_backward",
    "gaussian_function",
    "moments",
    "neighbours",
    "panel",
    "scene",
]
