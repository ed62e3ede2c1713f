"""Lesson 04: how much hidden units rely on each other, with and without dropout.

`p` is the probability of dropping. In the panel it is the probability of *removing* a hidden unit
at test time, for all images alike; `trained` is the p that a network was trained with.
"""

from dlcourse.coadaptation.ablation import (
    LAYERS,
    REMOVED,
    SEEDS,
    TRAINED,
    UNITS,
    accuracy_without,
    dataset,
    equal_weight,
    hidden,
    mean_correlation,
    networks,
    removal,
    train_networks,
    validation_scores,
)
from dlcourse.coadaptation.autoencoder import Autoencoders, autoencoders, neighbours, zeros
from dlcourse.coadaptation.exercises import (
    head_start_weight,
    removal_function,
    ten_inputs_weight,
)
from dlcourse.coadaptation.figures import (
    draw_accuracies,
    draw_activations,
    draw_differences,
    draw_features,
    draw_gains,
    draw_paths,
)
from dlcourse.coadaptation.picture import panel, scene

__all__ = [
    "LAYERS",
    "REMOVED",
    "SEEDS",
    "TRAINED",
    "UNITS",
    "Autoencoders",
    "accuracy_without",
    "autoencoders",
    "dataset",
    "draw_accuracies",
    "draw_activations",
    "draw_differences",
    "draw_features",
    "draw_gains",
    "draw_paths",
    "equal_weight",
    "head_start_weight",
    "hidden",
    "mean_correlation",
    "neighbours",
    "networks",
    "panel",
    "removal",
    "removal_function",
    "scene",
    "ten_inputs_weight",
    "train_networks",
    "validation_scores",
    "zeros",
]
