"""Lesson 07: a new head on a frozen body, p chosen by cross-validation, and where dropout pays.

`p` is the probability of dropping.
"""

from dlcourse.choosing_p.exercises import leaked_function, ps_of_head, rule_function
from dlcourse.choosing_p.folds import Choice, choose, cross_validate, folds
from dlcourse.choosing_p.heads import create_head, features_of, frozen_body, head_ps, task
from dlcourse.choosing_p.networks import (
    EPOCHS,
    IMAGES,
    WHERE,
    WIDTHS,
    Sweep,
    networks,
    where_ps,
)
from dlcourse.choosing_p.picture import (
    draw_choice,
    draw_map,
    draw_sweeps,
    draw_verdicts,
    panel,
    scene,
)
from dlcourse.grid import PS

__all__ = [
    "EPOCHS",
    "IMAGES",
    "PS",
    "WHERE",
    "WIDTHS",
    "Choice",
    "Sweep",
    "choose",
    "create_head",
    "cross_validate",
    "draw_choice",
    "draw_map",
    "draw_sweeps",
    "draw_verdicts",
    "features_of",
    "folds",
    "frozen_body",
    "head_ps",
    "leaked_function",
    "networks",
    "panel",
    "ps_of_head",
    "rule_function",
    "scene",
    "task",
    "where_ps",
]
