"""Bad input to every public function: the error quotes the input and says what is allowed.

One row is a call, the exception and what its message says: the rule and the input, with a hint
where a slip is likely.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

import dlcourse
from dlcourse import (
    answers,
    checks,
    choosing_p,
    coadaptation,
    compare,
    data,
    digits,
    downloads,
    dropout_checks,
    ensembles,
    enumeration,
    film,
    functional,
    grid,
    links,
    live,
    masks,
    modules,
    monte_carlo,
    network,
    notebooks,
    overfitting,
    questions,
    regulariser,
    relatives,
    retrain,
    scaling,
    site,
    stack,
    start_here,
    time_limit,
    training,
    walter,
)
from dlcourse.choosing_p import heads
from dlcourse.regulariser import linear
from dlcourse.walter import formulas

DIGITS = data.digits(100)
MLP = training.mlp(64, (4,), 10)
NET = network.ThreeLayerNet((2, 3, 3, 2))
CACHE = NET.forward([[1.0, 2.0]])[1]
GRID = grid.train_grid(DIGITS, (4,), ps=(0, 0.5), seeds=3, epochs=1, progress=None)
SQUARES = replace(DIGITS, X_train=np.zeros((100, 8, 8)))
NARROW = replace(DIGITS, X_test=DIGITS.X_test[:, :63])
SMALL = ensembles.network(n=4)
FLAT = torch.nn.Flatten(0)

P = "p must be a probability in [0, 1], got "
SEED = "seed must be an int >= 0, got "
PANEL_SEED = "seed must be an int from 0 to 999999, got "
RNG = "rng must be None, a seed >= 0 or a numpy.random.Generator, got "
STRING = " (a string: write the number without quotes)"
REAL = " must be an array of real numbers, got "
PROBABILITY = " must be a probability in [0, 1], got "
HUNDREDTHS = "p moves in steps of 0.01 in a panel, got "
MASK = "mask must be bool (True = kept), got dtype "
FAN_IN = "fan_in must be an int from 1 to 10000000, or a 1-D array of them, got "
SHAPE = "shape must be an int >= 0 or a tuple of them, got "


def enter(manager, *args):
    """Enter what is a context manager."""
    with manager(*args):
        pass


def refused(exception, words, *calls):
    """Return a row for each of several calls that are refused alike."""
    return [(call, exception, words) for call in calls]


TABLE = [
    *refused(
        ValueError,
        P + "50 (a percentage?)",
        partial(functional.dropout_mask, (3,), 50),
        partial(modules.Dropout, 50),
        partial(network.ThreeLayerNet, p=50),
        partial(training.mlp, 64, (4,), 10, p=50),
        partial(grid.train_grid, DIGITS, ps=(50,)),
        partial(masks.panel, p=50),
        partial(questions.numbers, 50, 8, 5),
        partial(start_here.draw, 10, 50, 0),
        partial(choosing_p.choose, [0.1, 50], [[1.0, 2.0], [1.0, 2.0]]),
        partial(choosing_p.cross_validate, lambda p, seed: None, [DIGITS], [50]),
        partial(choosing_p.where_ps, 50, "hidden"),
        partial(choosing_p.networks, ps=(50,)),
        partial(coadaptation.equal_weight, 10, 50),
        partial(coadaptation.accuracy_without, 0.5, np.ones((1, 64), bool), 50),
        partial(ensembles.mask_probabilities, 4, 50),
        partial(ensembles.ensemble, SMALL, 50),
        partial(ensembles.plain_ensemble, SMALL, 50),
        partial(ensembles.gaps, SMALL, [50]),
        partial(ensembles.mean_gaps, [4], [50]),
        partial(overfitting.d2l, DIGITS, ps=(50,)),
        partial(overfitting.nearest, 50),
        partial(regulariser.Setting, p=50),
        partial(regulariser.mask_chances, 3, 50),
        partial(enumeration.mask_probabilities, 3, 50),
        partial(regulariser.penalty, [[1.0, 2.0]], [1.0, 2.0], 50),
        partial(regulariser.over_masks, [[1.0, 2.0]], [1.0], 50),
        partial(linear.copies_of, [[1.0, 2.0]], 50),
        partial(regulariser.logistic_penalty, [[1.0, 2.0]], [1.0, 2.0], 50),
        partial(regulariser.fit_logistic, [[1.0, 2.0]], [1], 50),
        partial(regulariser.panel, p=50),
        partial(relatives.gaussian_dropout_backward, [1.0], [1.0], 50),
        partial(relatives.alpha_dropout, [1.0], 50),
        partial(relatives.alpha_dropout_backward, [1.0], [True], 50),
        partial(relatives.channel_dropout, [[[1.0]]], 50),
        partial(relatives.channel_dropout_backward, [[[1.0]]], [[True]], 50),
        partial(relatives.moments, "dropout", [1.0], 50),
        partial(relatives.examine, relatives.dropconnect([[1.0]]), [[1.0]], 50),
        partial(walter.theory, 100, 50),
        partial(walter.walter_simulation, 100, [50]),
        partial(walter.panel, p=50),
        partial(relatives.DropConnectLinear, 3, 3, p=50),
        partial(formulas.probabilities, 50),
    ),
    *refused(
        ValueError,
        P + "-0.1",
        partial(functional.dropout_mask, (3,), -0.1),
        partial(regulariser.dropout_ridge, [[1.0, 2.0]], [1.0], -0.1),
    ),
    (partial(functional.dropout_mask, (3,), float("nan")), ValueError, P + "nan"),
    *refused(
        TypeError,
        P + "'0.5'" + STRING,
        partial(functional.dropout_mask, (3,), "0.5"),
        partial(live.slider_index, "0.5"),
        partial(overfitting.nearest, "0.5"),
    ),
    *refused(
        TypeError,
        P + "None",
        partial(functional.dropout_mask, (3,), None),
        partial(modules.Dropout, None),
    ),
    (
        partial(functional.dropout_mask, (3,), [0.5, 0.5]),
        TypeError,
        P + "[0.5, 0.5] (one number for all units?)",
    ),
    (partial(functional.dropout_mask, (3,), True), TypeError, P + "True (training=True?)"),
    *refused(
        ValueError,
        RNG + "-1",
        partial(functional.dropout_mask, (3,), 0.5, rng=-1),
        partial(ensembles.network, seed=-1),
        partial(relatives.examine, relatives.dropconnect([[1.0]]), [[1.0]], 0.5, rng=-1),
        partial(walter.walter_simulation, 100, 0.5, rng=-1),
        partial(ensembles.monte_carlo_errors, NET, [[1.0, 2.0]], [0], 5, 3, rng=-1),
    ),
    *refused(
        ValueError,
        P + "1.5 (a percentage?)",
        partial(functional.plain_dropout_mask, (3,), 1.5),
        partial(scaling.received, [1.0, 2.0], 1.5, "inverted", [[True, False]]),
    ),
    (partial(functional.plain_dropout_mask, None, 0.5), TypeError, SHAPE + "None"),
    (partial(functional.plain_dropout_mask, (3,), 0.5, rng=0.5), TypeError, RNG + "0.5"),
    (partial(functional.dropout, "abc", 0.5), TypeError, "x" + REAL + "'abc' (dtype <U3)"),
    *refused(
        ValueError,
        P + "2 (a percentage?)",
        partial(functional.dropout, [1, 2], 2),
        partial(digits.trained_network, p=2),
        partial(live.slider_index, 2),
        partial(questions.panel, p=2),
        partial(overfitting.panel, p=2),
        partial(walter.plain_walter_simulation, 100, 2),
    ),
    (
        partial(functional.dropout, [1, 2], 0.5, "yes"),
        TypeError,
        "training must be True or False, got 'yes'",
    ),
    (
        partial(functional.dropout, [1, 2], 0.5, rng=0, mask=[True, False]),
        ValueError,
        "give rng or mask, not both, got rng=0 and mask=[True, False]",
    ),
    *refused(
        TypeError,
        MASK + "int64 (mask.astype(bool)?): [1, 0]",
        partial(functional.dropout, [1, 2], 0.5, mask=[1, 0]),
        partial(functional.dropout_backward, [1, 2], [1, 0], 0.5),
    ),
    *refused(
        ValueError,
        "mask must have the shape of the array, (2,), got (1,): [True]",
        partial(functional.dropout, [1, 2], 0.5, mask=[True]),
        partial(functional.dropout_backward, [1, 2], [True], 0.5),
    ),
    (partial(functional.vanilla_dropout, [1, 2], 100), ValueError, P + "100 (a percentage?)"),
    (
        partial(functional.vanilla_dropout, [None], 0.5),
        TypeError,
        "x" + REAL + "[None] (dtype object)",
    ),
    (
        partial(functional.vanilla_dropout, [1, 2], 0.5, 1),
        TypeError,
        "training must be True or False, got 1",
    ),
    *refused(
        ValueError,
        P + "1.01 (a percentage?)",
        partial(functional.dropout_backward, [1, 2], [True, False], 1.01),
        partial(coadaptation.panel, p=1.01),
    ),
    (
        partial(functional.dropout_backward, "12", [True, False], 0.5),
        TypeError,
        "grad" + REAL + "'12' (dtype <U2)",
    ),
    (partial(modules.Dropout, 0.5, "yes"), TypeError, "inplace must be True or False, got 'yes'"),
    *refused(
        TypeError,
        "generator must be a torch.Generator or None, got 0 "
        + "(torch.Generator().manual_seed(seed)?)",
        partial(modules.Dropout, 0.5, generator=0),
        partial(relatives.DropConnectLinear, 3, 3, generator=0),
    ),
    (partial(modules.Dropout(0.5), "abc"), TypeError, "input must be a torch.Tensor, got 'abc'"),
    *refused(
        TypeError,
        "input must be a torch.Tensor, got [1.0]",
        partial(modules.Dropout(0.5), [1.0]),
        partial(relatives.DropConnectLinear(3, 3), [1.0]),
    ),
    (
        partial(modules.Dropout(0.5), torch.ones(2, dtype=torch.int64)),
        TypeError,
        "input must be a tensor of floats (16, 32 or 64 bits), got dtype "
        + "torch.int64 (input.float()?)",
    ),
    *refused(
        TypeError,
        "model must be a torch.nn.Module, got 'model'",
        partial(enter, monte_carlo.mc_dropout, "model"),
        partial(training.train, "model", DIGITS),
        partial(training.score, "model", torch.ones(2, 2), torch.tensor([0, 1])),
    ),
    (
        partial(enter, monte_carlo.mc_dropout, torch.nn.Linear),
        TypeError,
        "model must be a torch.nn.Module, got <class " + "'torch.nn.modules.linear.Linear'>",
    ),
    (
        partial(network.ThreeLayerNet, (64, 10)),
        ValueError,
        "sizes must be four ints >= 1 (inputs, hidden, hidden, classes), got " + "(64, 10)",
    ),
    (
        partial(network.ThreeLayerNet, (64, 0, 10, 10)),
        ValueError,
        "sizes must be four ints >= 1 (inputs, hidden, hidden, classes), got " + "(64, 0, 10, 10)",
    ),
    (
        partial(network.ThreeLayerNet, "64"),
        TypeError,
        "sizes must be an int >= 0 or a tuple of them, got '64'",
    ),
    *refused(
        ValueError,
        "X must have the shape (rows, 2), got (1, 3): [[1, 2, 3]]",
        partial(NET.forward, [[1, 2, 3]]),
        partial(NET.predict, [[1, 2, 3]]),
        partial(digits.accuracy, NET, [[1, 2, 3]], [0]),
    ),
    *refused(
        TypeError,
        "X" + REAL + "'ab' (dtype <U2)",
        partial(NET.forward, "ab"),
        partial(regulariser.penalty, "ab", [1.0, 2.0], 0.5),
    ),
    (
        partial(NET.forward, [1, 2]),
        ValueError,
        "X must have the shape (rows, 2), got (2,) (one row: X[None, :]?): [1, " + "2]",
    ),
    (
        partial(NET.forward, [[1, 2]], training=5),
        TypeError,
        "training must be True or False, got 5",
    ),
    (
        partial(network.softmax, np.zeros((2, 0))),
        ValueError,
        "logits must have at least one class, got shape (2, 0)",
    ),
    (partial(network.softmax, "abc"), TypeError, "logits" + REAL + "'abc' (dtype <U3)"),
    (
        partial(network.softmax, []),
        ValueError,
        "logits must be an array (rows, classes), got shape (0,): []",
    ),
    (
        partial(network.softmax, 3.0),
        ValueError,
        "logits must be an array (rows, classes), got shape (): 3.0",
    ),
    (
        partial(network.softmax_cross_entropy, [[1.0, 2.0]], [2]),
        ValueError,
        "y must hold a class for each of 1 rows, ints from 0 to 1, got 2 " + "(counted from 1?)",
    ),
    (
        partial(network.softmax_cross_entropy, [[1.0, 2.0]], ["a"]),
        TypeError,
        "y must hold a class for each of 1 rows, ints from 0 to 1, got dtype " + "<U1: ['a']",
    ),
    (
        partial(network.softmax_cross_entropy, [1.0, 2.0], [1]),
        ValueError,
        "logits must be an array (rows, classes), got shape (2,): [1.0, 2.0]",
    ),
    (partial(data.digits, 0), ValueError, "train_size must be an int from 1 to 1437, got 0"),
    (partial(data.digits, "100"), TypeError, "train_size must be an int from 1 to 1437, got '100'"),
    (
        partial(data.digits, 10**6),
        ValueError,
        "train_size must be an int from 1 to 1437, got 1000000",
    ),
    *refused(
        ValueError,
        SEED + "-1",
        partial(data.digits, seed=-1),
        partial(training.train, MLP, DIGITS, seed=-1),
        partial(training.mlp, 64, (4,), 10, seed=-1),
        partial(grid.train_grid, DIGITS, seeds=(-1,)),
        partial(start_here.draw, 10, 0.5, -1),
        partial(choosing_p.folds, DIGITS, seed=-1),
        partial(choosing_p.create_head, 64, 10, seed=-1),
        partial(choosing_p.frozen_body, seed=-1),
        partial(choosing_p.networks, seed=-1),
        partial(overfitting.trained, seed=-1),
        partial(regulariser.examples, -1, "linear", 1.0),
        partial(regulariser.path, -1, "linear", 1.0),
        partial(dropout_checks.expect_mask, seed=-1),
        partial(dropout_checks.expect_dropout, seed=-1),
        partial(ensembles.small_data_network, -1),
    ),
    *refused(
        ValueError,
        PANEL_SEED + "-1",
        partial(live.Panel, lambda figure, seed: None, seed=-1),
        partial(masks.panel, seed=-1),
        partial(scaling.panel, seed=-1),
        partial(choosing_p.panel, seed=-1),
        partial(coadaptation.panel, seed=-1),
        partial(ensembles.panel, seed=-1),
        partial(overfitting.panel, seed=-1),
        partial(regulariser.panel, seed=-1),
        partial(relatives.panel, seed=-1),
        partial(walter.panel, seed=-1),
    ),
    *refused(
        TypeError,
        SEED + "0.5",
        partial(data.digits, seed=0.5),
        partial(dropout_checks.expect_backward, seed=0.5),
    ),
    (partial(overfitting.trained, [0]), TypeError, SEED + "[0]"),
    (partial(enumeration.all_masks, 13), ValueError, "n must be an int from 1 to 12, got 13"),
    (partial(data.mnist, -1), ValueError, "train_size must be an int from 1 to 60000, got -1"),
    *refused(
        TypeError,
        SEED + "'a'",
        partial(data.mnist, seed="a"),
        partial(choosing_p.task, seed="a"),
        partial(dropout_checks.expect_vanilla, seed="a"),
    ),
    *refused(
        TypeError,
        PANEL_SEED + "'a'",
        partial(questions.panel, seed="a"),
    ),
    (partial(data.mnist, folder=3), TypeError, "folder must be None or a path, got 3"),
    (
        partial(data.mnist, wrong_labels=20),
        ValueError,
        "wrong_labels" + PROBABILITY + "20 (a percentage?)",
    ),
    (
        partial(data.fashion_mnist, 2.5),
        TypeError,
        "train_size must be an int from 1 to 60000, got 2.5",
    ),
    (
        partial(data.fashion_mnist, wrong_labels="0.2"),
        TypeError,
        "wrong_labels" + PROBABILITY + "'0.2'" + STRING,
    ),
    (
        partial(data.fashion_mnist, validation=1),
        TypeError,
        "validation must be True or False, got 1",
    ),
    (
        partial(downloads.is_downloaded, "cifar"),
        ValueError,
        "name must be 'mnist' or 'fashion_mnist', got 'cifar'",
    ),
    (
        partial(downloads.is_downloaded, 3),
        TypeError,
        "name must be 'mnist' or 'fashion_mnist', got 3",
    ),
    (
        partial(downloads.download, "imagenet"),
        ValueError,
        "name must be 'mnist' or 'fashion_mnist', got 'imagenet'",
    ),
    *refused(
        TypeError,
        "folder must be None or a path, got 5",
        partial(downloads.download, "mnist", folder=5),
        partial(downloads.is_downloaded, "mnist", folder=5),
    ),
    *refused(
        TypeError,
        "net must be a ThreeLayerNet, got 'net'",
        partial(digits.train, "net", [[1]], [0]),
        partial(digits.accuracy, "net", [[1, 2]], [0]),
        partial(ensembles.monte_carlo_errors, "net", [[1.0]], [0], 5, 3),
    ),
    *refused(
        ValueError,
        "epochs must be an int >= 1, got 0",
        partial(digits.train, NET, [[1, 2]], [0], epochs=0),
        partial(training.train, MLP, DIGITS, epochs=0),
        partial(grid.train_grid, DIGITS, epochs=0),
        partial(overfitting.d2l, DIGITS, epochs=0),
        partial(regulariser.accuracies, DIGITS, [regulariser.Setting()], epochs=0),
    ),
    (
        partial(digits.train, NET, [[1, 2]], [0], rows=0),
        ValueError,
        "rows must be an int >= 1, got 0",
    ),
    (
        partial(digits.train, NET, [[1, 2]], [0], lr=-1),
        ValueError,
        "lr must be a number > 0, got -1",
    ),
    *refused(
        TypeError,
        RNG + "'a'",
        partial(digits.train, NET, [[1, 2]], [0], rng="a"),
        partial(walter.plain_walter_simulation, 100, 0.5, rng="a"),
    ),
    (
        partial(digits.train, NET, [[1, 2]], [7]),
        ValueError,
        "y must hold a class for each of 1 rows, ints from 0 to 1, got 7",
    ),
    (
        partial(digits.accuracy, NET, [[1, 2]], [0, 1]),
        ValueError,
        "y must hold a class for each of 1 rows, ints from 0 to 1, got shape " + "(2,): [0, 1]",
    ),
    (partial(digits.trained_network, 0), ValueError, "hidden must be an int >= 1, got 0"),
    (
        partial(digits.trained_network, kind="x"),
        ValueError,
        "kind must be 'inverted' or 'vanilla', got 'x'",
    ),
    (partial(digits.trained_network, epochs=-1), ValueError, "epochs must be an int >= 1, got -1"),
    *refused(
        TypeError,
        "data must be a Dataset, got 'digits'",
        partial(training.train, MLP, "digits"),
        partial(choosing_p.folds, "digits"),
        partial(overfitting.d2l, "digits"),
    ),
    *refused(
        ValueError,
        "lr must be a number > 0, got 0",
        partial(training.train, MLP, DIGITS, lr=0),
        partial(grid.train_grid, DIGITS, lr=0),
    ),
    (
        partial(training.train, MLP, DIGITS, lr="fast"),
        TypeError,
        "lr must be a number > 0, got 'fast'",
    ),
    (
        partial(training.train, MLP, DIGITS, momentum=1),
        ValueError,
        "momentum must be a number >= 0 and < 1, got 1",
    ),
    (
        partial(training.train, MLP, DIGITS, momentum=-0.1),
        ValueError,
        "momentum must be a number >= 0, got -0.1",
    ),
    *refused(
        ValueError,
        "weight_decay must be a number >= 0, got -1",
        partial(training.train, MLP, DIGITS, weight_decay=-1),
        partial(regulariser.Setting, weight_decay=-1),
    ),
    *refused(
        ValueError,
        "max_norm must be a number > 0, got 0",
        partial(training.train, MLP, DIGITS, max_norm=0),
        partial(regulariser.Setting, max_norm=0),
    ),
    (
        partial(training.score, training.mlp(2, (3,), 2), torch.ones(2, 3), torch.tensor([0, 1])),
        ValueError,
        "model must take rows of 3 numbers, one for each input, got "
        + "Sequential( (0): Linear(in_features=2, out_features=3, bias=True) ...",
    ),
    (
        partial(
            training.score, training.mlp(2, (3,), 2), torch.ones(2, 2), torch.tensor([0, 1, 1])
        ),
        ValueError,
        "y must hold a class for each of 2 rows, got 3",
    ),
    (partial(training.mlp, 0, (4,), 10), ValueError, "inputs must be an int >= 1, got 0"),
    (
        partial(training.mlp, 64, 4, 10),
        TypeError,
        "hidden must hold the width of each hidden layer, ints >= 1, got 4 " + "((4,)?)",
    ),
    (
        partial(training.mlp, 64, (), 10),
        ValueError,
        "hidden must hold the width of each hidden layer, ints >= 1, got ()",
    ),
    *refused(
        ValueError,
        "a width in hidden must be an int >= 1, got 0",
        partial(training.mlp, 64, (0,), 10),
        partial(choosing_p.networks, width=0),
    ),
    *refused(
        TypeError,
        P + "'half'" + STRING,
        partial(training.mlp, 64, (4,), 10, p="half"),
        partial(start_here.panel, p="half"),
    ),
    (
        partial(grid.train_grid, DIGITS, hidden=64),
        TypeError,
        "hidden must hold the width of each hidden layer, ints >= 1, got 64 " + "((64,)?)",
    ),
    *refused(
        TypeError,
        "ps must hold at least one p to train with, got 0.5 ([0.5]?)",
        partial(grid.train_grid, DIGITS, ps=0.5),
        partial(overfitting.d2l, DIGITS, ps=0.5),
    ),
    (
        partial(grid.train_grid, DIGITS, ps=()),
        ValueError,
        "ps must hold at least one p to train with, got ()",
    ),
    (
        partial(grid.train_grid, DIGITS, ps=((0.1, 0.2, 0.3, 0.4),)),
        ValueError,
        "p must be one number, 2 (one a hidden layer) or 3 (the inputs first), "
        + "got 4: (0.1, 0.2, 0.3, 0.4)",
    ),
    *refused(
        ValueError,
        "seeds must be an int >= 1, got 0",
        partial(grid.train_grid, DIGITS, seeds=0),
        partial(overfitting.d2l, DIGITS, seeds=0),
        partial(regulariser.accuracies, DIGITS, [regulariser.Setting()], seeds=0),
        partial(coadaptation.validation_scores, 0),
    ),
    (
        partial(compare.mean_interval, [1.0]),
        ValueError,
        "values must hold one finite number for each of at least 2 seeds, got "
        + "shape (1,): [1.0]",
    ),
    (partial(compare.mean_interval, "abc"), TypeError, "values" + REAL + "'abc' (dtype <U3)"),
    (
        partial(compare.mean_interval, [1.0, 2.0], confidence=95),
        ValueError,
        "confidence" + PROBABILITY + "95 (a percentage?)",
    ),
    (
        partial(compare.paired_difference, [1.0, 2.0], [1.0]),
        ValueError,
        "b must hold one finite number for each of at least 2 seeds, got shape " + "(1,): [1.0]",
    ),
    (partial(compare.paired_difference, "ab", "cd"), TypeError, "a" + REAL + "'ab' (dtype <U2)"),
    (
        partial(compare.paired_difference, [1.0, 2.0], [1.0, 2.0], confidence=1),
        ValueError,
        "confidence must lie between 0 and 1, got 1",
    ),
    (
        partial(links.repository, "https://example.org/a"),
        ValueError,
        "the address must be https://github.com/ORG/REPO, got " + "'https://example.org/a'",
    ),
    (
        partial(links.repository, 3),
        TypeError,
        "the address must be https://github.com/ORG/REPO, got 3",
    ),
    (
        partial(links.repository, "https://github.com/a/b", branch="a b"),
        ValueError,
        "the branch must have a name that git allows, got 'a b'",
    ),
    *refused(
        ValueError,
        HUNDREDTHS + "0.333",
        partial(live.slider_index, 0.333),
        partial(masks.panel, p=0.333),
        partial(choosing_p.panel, p=0.333),
    ),
    (partial(live.Panel, lambda figure, seed: None, p=0.005), ValueError, HUNDREDTHS + "0.005"),
    *refused(
        TypeError,
        PANEL_SEED + "1.5",
        partial(live.Panel, lambda figure, seed: None, seed=1.5),
        partial(start_here.panel, seed=1.5),
    ),
    (
        partial(live.Panel, lambda figure, seed: None, {"p": None}),
        ValueError,
        "a control must not be named p",
    ),
    (partial(live.choice, "kind", {"a": 1}, 2), ValueError, "kind must be one of [1], got 2"),
    (
        partial(live.whole_number, "digit", 0, 9, 12),
        ValueError,
        "digit must be an int from 0 to 9, got 12",
    ),
    (
        partial(live.whole_number, "digit", 0, 9, 3.0),
        TypeError,
        "digit must be an int from 0 to 9, got 3.0",
    ),
    *refused(
        ValueError,
        "digit must be an int from 0 to 9, got 10",
        partial(masks.example, 10),
        partial(masks.panel, digit=10),
    ),
    (partial(masks.example, "3"), TypeError, "digit must be an int from 0 to 9, got '3'"),
    (partial(masks.example, -1), ValueError, "digit must be an int from 0 to 9, got -1"),
    (partial(masks.number_dropped, -1, 0.5), ValueError, "n must be an int >= 0, got -1"),
    (partial(masks.number_dropped, 10, 5), ValueError, P + "5 (a percentage?)"),
    (partial(masks.number_dropped, 2.5, 0.5), TypeError, "n must be an int >= 0, got 2.5"),
    (partial(masks.panel, digit=3.5), TypeError, "digit must be an int from 0 to 9, got 3.5"),
    (partial(questions.numbers, 0.5, -1, 5), ValueError, "units must be an int >= 1, got -1"),
    *refused(
        ValueError,
        "masks must be an int >= 1, got 0",
        partial(questions.numbers, 0.5, 8, 0),
        partial(ensembles.averaging, masks=0),
        partial(ensembles.monte_carlo_errors, NET, [[1.0, 2.0]], [0], 0, 3),
    ),
    (partial(questions.numbers, 0.5, 8, "5"), TypeError, "masks must be an int >= 1, got '5'"),
    (partial(questions.equal_pairs, "abc"), TypeError, "masks" + REAL + "'abc' (dtype <U3)"),
    (
        partial(questions.equal_pairs, [[True], [True, False]]),
        ValueError,
        "masks" + REAL + "[[True], [True, False]] (rows of different lengths?)",
    ),
    (
        partial(questions.equal_pairs, [True, False]),
        ValueError,
        "masks must be an array with a mask in each row, got [True, False]",
    ),
    (partial(questions.panel, units=5), ValueError, "units must be one of [4, 8, 16], got 5"),
    (partial(questions.panel, masks=3), ValueError, "masks must be one of [2, 5, 10], got 3"),
    (partial(questions.panel, masks=2.0), ValueError, "masks must be one of [2, 5, 10], got 2.0"),
    (
        partial(live.choice, "on", {"one": 1, "two": 2}, True),
        ValueError,
        "on must be one of [1, 2], got True",
    ),
    (
        partial(live.choice, "scale", {"tenth": 0.1, "one": 1}, True),
        ValueError,
        "scale must be one of [0.1, 1], got True",
    ),
    *refused(
        ValueError,
        "kind must be one of inverted, vanilla, unscaled, got 'other'",
        partial(scaling.received, [1.0, 2.0], 0.5, "other", [[True, False]]),
        partial(scaling.panel, kind="other"),
    ),
    (
        partial(scaling.received, [1.0, 2.0], 0.5, "inverted", [[1, 0]]),
        TypeError,
        MASK + "int64 (mask.astype(bool)?): [[1, 0]]",
    ),
    (
        partial(scaling.received, [1.0, 2.0], 0.5, "inverted", [[True]]),
        ValueError,
        "mask must have the shape of the array, (1, 2), got (1, 1): [[True]]",
    ),
    (
        partial(scaling.received, "ab", 0.5, "inverted", [[True, False]]),
        TypeError,
        "terms" + REAL + "'ab' (dtype <U2)",
    ),
    (
        partial(scaling.received, [1.0, 2.0], 0.5, "inverted", None),
        TypeError,
        "mask must be bool (True = kept), got dtype object: None",
    ),
    *refused(
        ValueError,
        "terms must be an array (n,), got shape (",
        partial(scaling.received, 5.0, 0.5, "inverted", [[True]]),
        partial(scaling.received, [[1.0, 2.0]], 0.5, "inverted", [[[True, False]]]),
    ),
    (partial(scaling.activations, 0), ValueError, "units must be an int from 1 to 64, got 0"),
    (partial(scaling.activations, "16"), TypeError, "units must be an int from 1 to 64, got '16'"),
    (partial(scaling.panel, p=-0.5), ValueError, P + "-0.5"),
    (partial(start_here.draw, 0, 0.5, 0), ValueError, "units must be an int >= 1, got 0"),
    (partial(start_here.draw, 2.5, 0.5, 0), TypeError, "units must be an int >= 1, got 2.5"),
    (partial(start_here.panel, units=7), ValueError, "units must be one of [25, 100, 400], got 7"),
    (
        partial(site.read_lesson, Path("no.ipynb")),
        ValueError,
        "no.ipynb cannot be read as a notebook: FileNotFoundError(2, 'No such "
        + "file or directory')",
    ),
    (partial(choosing_p.folds, DIGITS, k=1), ValueError, "k must be an int from 2 to 10, got 1"),
    (
        partial(choosing_p.folds, DIGITS, k=101),
        ValueError,
        "k must be an int from 2 to 10, got 101",
    ),
    (partial(choosing_p.folds, DIGITS, k=2.5), TypeError, "k must be an int from 2 to 10, got 2.5"),
    (
        partial(choosing_p.choose, [0.1, 0.2], [[1.0, 2.0]]),
        ValueError,
        "scores must have a row for each of 2 p and a column for each of at "
        + "least 2 folds, got shape (1, 2): [[1.0, 2.0]]",
    ),
    (
        partial(choosing_p.choose, "ab", [[1.0, 2.0], [1.0, 2.0]]),
        TypeError,
        "ps must hold at least one p, got 'ab'",
    ),
    (
        partial(choosing_p.choose, [0.1, 0.2], [[1.0], [2.0]]),
        ValueError,
        "scores must have a row for each of 2 p and a column for each of at "
        + "least 2 folds, got shape (2, 1): [[1.0], [2.0]]",
    ),
    *refused(
        ValueError,
        "ps must hold at least one p, got []",
        partial(choosing_p.choose, [], []),
        partial(choosing_p.cross_validate, lambda p, seed: None, [DIGITS], []),
    ),
    (
        partial(choosing_p.cross_validate, 5, [DIGITS], [0.1]),
        TypeError,
        "make must be callable, got 5",
    ),
    (
        partial(choosing_p.cross_validate, lambda p, seed: None, [], [0.1]),
        ValueError,
        "parts must hold at least one Dataset, got []",
    ),
    (
        partial(choosing_p.cross_validate, lambda p, seed: None, [DIGITS], 0.5),
        TypeError,
        "ps must hold at least one p, got 0.5",
    ),
    (partial(choosing_p.create_head, 0, 10), ValueError, "features must be an int >= 1, got 0"),
    (partial(choosing_p.create_head, 64, 0), ValueError, "classes must be an int >= 1, got 0"),
    *refused(
        ValueError,
        "ps" + PROBABILITY + "50 (a percentage?)",
        partial(choosing_p.create_head, 64, 10, ps=50),
        partial(heads.head_ps, 50, 1),
    ),
    (
        partial(choosing_p.create_head, 64, 10, ps=[0.1, 0.1, 0.1]),
        ValueError,
        "ps must be one number or a list of 2 (one for each of 1 extra layer, "
        + "and one for the last), got 3: [0.1, 0.1, 0.1]",
    ),
    (partial(choosing_p.task, 0), ValueError, "train_size must be an int from 1 to 716, got 0"),
    *refused(
        ValueError,
        "wrong_labels" + PROBABILITY + "2 (a percentage?)",
        partial(choosing_p.task, wrong_labels=2),
        partial(overfitting.trained, wrong=2),
    ),
    (
        partial(choosing_p.features_of, "body", DIGITS),
        TypeError,
        "body must be a torch.nn.Module, got 'body'",
    ),
    (
        partial(choosing_p.features_of, choosing_p.frozen_body(), "images"),
        TypeError,
        "images must be a Dataset, got 'images'",
    ),
    (
        partial(choosing_p.where_ps, 0.5, "everywhere"),
        ValueError,
        "where must be one of hidden, input, both, got 'everywhere'",
    ),
    *refused(
        TypeError,
        PROBABILITY + "[0.1] (one number for all units?)",
        partial(training.mlp, 64, (4, 4), 10, p=[[0.1], [0.2, 0.3]]),
        partial(choosing_p.create_head, 64, 10, ps=[[0.1], [0.2, 0.3]]),
        partial(choosing_p.cross_validate, lambda p, seed: None, [DIGITS], [[0.1], [0.2, 0.3]]),
        partial(choosing_p.networks, ps=[[[0.1], [0.2, 0.3]]]),
        partial(ensembles.gaps, SMALL, [[0.1], [0.2, 0.3]]),
    ),
    (
        partial(walter.theory, 100, [[0.1], [0.2, 0.3]]),
        ValueError,
        "p must be one probability or a 1-D array, got [[0.1], [0.2, 0.3]]",
    ),
    (
        partial(relatives.channel_dropout, np.ones((2, 2, 3)), mask=[[True], [True, False]]),
        ValueError,
        "shape (2, 2), got shape (rows of different lengths): [[True], [True, False]]",
    ),
    (
        partial(choosing_p.networks, images=[100]),
        ValueError,
        "images must be one of [100, 300, 1000], got [100]",
    ),
    (
        partial(choosing_p.networks, 8, 100, "top", ps=((0, 0.5),)),
        ValueError,
        "where must be one of hidden, input, both, got 'top'",
    ),
    (
        partial(choosing_p.networks, ps=0.5),
        TypeError,
        "ps must hold at least one p to train with, got 0.5",
    ),
    (partial(choosing_p.networks, seed=[0]), TypeError, SEED + "[0]"),
    (
        partial(choosing_p.networks, images=-1),
        ValueError,
        "images must be one of [100, 300, 1000], got -1",
    ),
    (
        partial(choosing_p.networks, where="top"),
        ValueError,
        "where must be one of hidden, input, both, got 'top'",
    ),
    (
        partial(choosing_p.networks, wrong_labels=3),
        ValueError,
        "wrong_labels" + PROBABILITY + "3 (a percentage?)",
    ),
    (partial(choosing_p.panel, width=7), ValueError, "width must be one of [8, 32, 128], got 7"),
    (
        partial(choosing_p.panel, images=5),
        ValueError,
        "training images must be one of [100, 300, 1000], got 5",
    ),
    (
        partial(choosing_p.panel, where="top"),
        ValueError,
        "drop must be one of ['hidden', 'input', 'both'], got 'top'",
    ),
    (partial(coadaptation.equal_weight, 0, 0.5), ValueError, "k must be an int >= 1, got 0"),
    (partial(coadaptation.equal_weight, "10", 0.5), TypeError, "k must be an int >= 1, got '10'"),
    *refused(
        ValueError,
        "trained must be one of [0.0, 0.2, 0.5, 0.8], got 0.3",
        partial(coadaptation.removal, 0.3),
        partial(coadaptation.hidden, 0.3),
    ),
    (
        partial(coadaptation.removal, 0.5, layers="all"),
        ValueError,
        "layers must be one of ['both', 'first', 'second'], got 'all'",
    ),
    (partial(coadaptation.accuracy_without, 0.5, "ab", 0.5), TypeError, MASK + "<U2: 'ab'"),
    (
        partial(coadaptation.accuracy_without, 0.3, np.ones((1, 64), bool), 0.5),
        ValueError,
        "mask must have the shape of the array, (2, 100), got (1, 64): "
        + "array([[ True, True, True, True, True, True, True, True, True, Tru...",
    ),
    (
        partial(coadaptation.mean_correlation, [1.0, 2.0]),
        ValueError,
        "units must be an array (images, units), got shape (2,): [1.0, 2.0]",
    ),
    (
        partial(coadaptation.mean_correlation, [[1.0, 2.0], [1.0, 3.0]]),
        ValueError,
        "units must hold at least two that differ between images, got 1 of shape (2, 2): "
        + "[[1.0, 2.0], [1.0, 3.0]]",
    ),
    (
        partial(coadaptation.mean_correlation, np.ones((0, 3))),
        ValueError,
        "units must hold at least two that differ between images, got 0 of shape (0, 3): "
        + "array([], shape=(0, 3), dtype=float64)",
    ),
    (partial(coadaptation.mean_correlation, "ab"), TypeError, "units" + REAL + "'ab' (dtype <U2)"),
    (
        partial(coadaptation.panel, trained=0.3),
        ValueError,
        "p of training must be one of [0.2, 0.5, 0.8], got 0.3",
    ),
    (
        partial(coadaptation.panel, layers="x"),
        ValueError,
        "remove from must be one of ['both', 'first', 'second'], got 'x'",
    ),
    *refused(
        ValueError,
        "n must be an int from 1 to 12, got -1",
        partial(ensembles.all_masks, -1),
        partial(ensembles.mask_probabilities, -1, 0.5),
    ),
    (
        partial(ensembles.all_masks, 40),
        ValueError,
        "n must be an int from 1 to 12, got 40: that would be "
        + "1,099,511,627,776 masks; draw some hundred of them with "
        + "dropout_mask((masks, n), p) and average these (Monte-Carlo averaging)",
    ),
    (partial(ensembles.all_masks, "4"), TypeError, "n must be an int from 1 to 12, got '4'"),
    (
        partial(ensembles.mask_probabilities, 2.5, 0.5),
        TypeError,
        "n must be an int from 1 to 12, got 2.5",
    ),
    (
        partial(ensembles.network, "other"),
        ValueError,
        "kind must be one of linear, softmax, relu, got 'other'",
    ),
    (partial(ensembles.network, n=0), ValueError, "n must be an int from 1 to 12, got 0"),
    (
        partial(ensembles.network, n=100),
        ValueError,
        "n must be an int from 1 to 12, got 100: that would be 2**100 masks; "
        + "draw some hundred of them with dropout_mask((masks, "
        + "n), p) and average these (Monte-Carlo averaging)",
    ),
    *refused(
        TypeError,
        "net must be a Network, got 'net'",
        partial(ensembles.ensemble, "net", 0.5),
        partial(ensembles.plain_ensemble, "net", 0.5),
        partial(ensembles.gaps, "net", [0.5]),
    ),
    (partial(ensembles.gaps, SMALL, []), ValueError, "ps must hold at least one p, got []"),
    (
        partial(ensembles.mean_gaps, 4, [0.5]),
        TypeError,
        "ns must hold at least one number of units, got 4",
    ),
    (
        partial(ensembles.mean_gaps, [], [0.5]),
        ValueError,
        "ns must hold at least one number of units, got []",
    ),
    *refused(
        TypeError,
        P + "'p'" + STRING,
        partial(ensembles.ensemble, SMALL, "p"),
        partial(regulariser.loss_over_masks, [[1.0, 2.0]], [1.0], [1.0, 2.0], "p"),
        partial(walter.theory, 100, "p"),
    ),
    (
        partial(ensembles.gaps, SMALL, 50),
        TypeError,
        "ps must hold at least one p, got 50",
    ),
    (
        partial(ensembles.mean_gaps, [-4], [0.5]),
        ValueError,
        "n must be an int from 1 to 12, got -4",
    ),
    (
        partial(ensembles.mean_gaps, [4], [0.5], networks=0),
        ValueError,
        "networks must be an int >= 2, got 0",
    ),
    (partial(ensembles.averaging, networks=1), ValueError, "networks must be an int >= 2, got 1"),
    (partial(ensembles.averaging, repeats=1), ValueError, "repeats must be an int >= 2, got 1"),
    (
        partial(ensembles.averaging, networks="a"),
        TypeError,
        "networks must be an int >= 2, got 'a'",
    ),
    (
        partial(ensembles.panel, network="x"),
        ValueError,
        "network must be one of ['linear', 'softmax', 'relu'], got 'x'",
    ),
    (partial(ensembles.panel, n=5), ValueError, "n, units must be one of [4, 8, 12], got 5"),
    *refused(
        ValueError,
        P + "-1",
        partial(ensembles.panel, p=-1),
        partial(relatives.alpha_constants, -1),
    ),
    (
        partial(overfitting.d2l, DIGITS, hidden=256),
        TypeError,
        "hidden must hold the width of each hidden layer, ints >= 1, got 256 " + "((256,)?)",
    ),
    (
        partial(overfitting.trained, images=0),
        ValueError,
        "train_size must be an int from 1 to 1150, got 0",
    ),
    (
        partial(overfitting.panel, wrong=0.3),
        ValueError,
        "wrong labels must be one of [0.0, 0.2, 0.4], got 0.3",
    ),
    (
        partial(overfitting.panel, images=7),
        ValueError,
        "training images must be one of [300, 1000], got 7",
    ),
    (
        partial(regulariser.accuracies, "digits", [regulariser.Setting()]),
        TypeError,
        "dataset must be a Dataset, got 'digits'",
    ),
    (
        partial(regulariser.accuracies, DIGITS, []),
        ValueError,
        "settings must hold at least one Setting, got []",
    ),
    (
        partial(regulariser.accuracies, DIGITS, regulariser.Setting()),
        TypeError,
        "settings must hold Settings, such as [Setting(p=0.5)], got Setting(p=0.0, ",
    ),
    (
        partial(regulariser.accuracies, DIGITS, [0.5]),
        TypeError,
        "settings must hold Settings, such as Setting(p=0.5), got 0.5",
    ),
    (
        partial(regulariser.every_mask, -1),
        ValueError,
        "n, the inputs whose masks are listed, must be an int from 1 to 12, " + "got -1",
    ),
    (
        partial(regulariser.every_mask, 40),
        ValueError,
        "n, the inputs whose masks are listed, must be an int from 1 to 12, " + "got 40",
    ),
    (
        partial(regulariser.every_mask, "3"),
        TypeError,
        "n, the inputs whose masks are listed, must be an int from 1 to 12, " + "got '3'",
    ),
    (
        partial(regulariser.penalty, [1.0], [1.0], 0.5),
        ValueError,
        "X must be an array (rows, inputs) of finite numbers, got [1.0], of " + "shape (1,)",
    ),
    *refused(
        ValueError,
        "w must hold one finite number for each input of X, 2, got shape (1,): " + "[1.0]",
        partial(regulariser.penalty, [[1.0, 2.0]], [1.0], 0.5),
        partial(regulariser.loss_over_masks, [[1.0, 2.0]], [1.0], [1.0], 0.5),
        partial(regulariser.logistic_penalty, [[1.0, 2.0]], [1.0], 0.5),
        partial(regulariser.fit_logistic, [[1.0, 2.0]], [1], 0.5, start=[1.0]),
    ),
    *refused(
        ValueError,
        "p must be smaller than 1, where every input is dropped, got 1",
        partial(regulariser.penalty, [[1.0, 2.0]], [1.0, 2.0], 1),
        partial(linear.odds, 1),
        partial(regulariser.second_order_penalty, [[1.0, 2.0]], [1.0, 2.0], 1),
    ),
    *refused(
        ValueError,
        "y must hold one finite number for each row of X, 1, got shape (2,): " + "[1.0, 2.0]",
        partial(regulariser.dropout_ridge, [[1.0, 2.0]], [1.0, 2.0], 0.5),
        partial(regulariser.plain_ridge, [[1.0, 2.0]], [1.0, 2.0], 1),
    ),
    (
        partial(regulariser.dropout_ridge, [[1.0, 2.0]], ["a"], 0.5),
        TypeError,
        "y" + REAL + "['a'] (dtype <U1)",
    ),
    (
        partial(regulariser.plain_ridge, [[1.0, 2.0]], [1.0], -1),
        ValueError,
        "strength must be a number > 0, got -1",
    ),
    (
        partial(regulariser.plain_ridge, [[1.0, 2.0]], [1.0], "strong"),
        TypeError,
        "strength must be a number > 0, got 'strong'",
    ),
    (
        partial(regulariser.over_masks, [[1.0] * 30], [1.0], 0.5),
        ValueError,
        "n, the inputs whose masks are listed, must be an int from 1 to 12, " + "got 30",
    ),
    *refused(
        TypeError,
        P + "'a'" + STRING,
        partial(linear.odds, "a"),
        partial(relatives.alpha_constants, "a"),
    ),
    (
        partial(regulariser.second_order_penalty, "a", [1.0, 2.0], 0.5),
        TypeError,
        "X" + REAL + "'a' (dtype <U1)",
    ),
    (
        partial(regulariser.fit_logistic, [[1.0, 2.0]], [5], 0.5),
        ValueError,
        "y must hold a class for each of 1 rows, ints from 0 to 1, got 5",
    ),
    (
        partial(regulariser.fit_logistic, [[1.0, 2.0]], [1], 0.5, ridge=-1),
        ValueError,
        "ridge must be a number > 0, got -1",
    ),
    (
        partial(regulariser.max_norm, [1.0], 1),
        ValueError,
        "W must be an array (units in, units out) of finite numbers, got " + "[1.0], of shape (1,)",
    ),
    (partial(regulariser.max_norm, [[1.0]], 0), ValueError, "c must be a number > 0, got 0"),
    (partial(regulariser.max_norm, [[1.0]], "c"), TypeError, "c must be a number > 0, got 'c'"),
    *refused(
        ValueError,
        "model must be 'linear' or 'logistic', got 'other'",
        partial(regulariser.examples, 0, "other", 1.0),
        partial(regulariser.path, 0, "other", 1.0),
    ),
    (
        partial(regulariser.examples, 0, "linear", -1.0),
        ValueError,
        "scale must be a number > 0, got -1.0",
    ),
    (
        partial(regulariser.panel, model="x"),
        ValueError,
        "regression must be one of ['linear', 'logistic'], got 'x'",
    ),
    (
        partial(regulariser.panel, scale=9),
        ValueError,
        "input 1 times must be one of [0.1, 1, 10], got 9",
    ),
    (
        partial(relatives.moments, "Gaussian dropout", [1.0], 1),
        ValueError,
        "p must be below 1 in Gaussian dropout, got 1: the variance p / (1 - p) would be infinite",
    ),
    (
        partial(relatives.gaussian_dropout, [1.0], 1),
        ValueError,
        "p must be below 1 in Gaussian dropout, got 1: the variance p / (1 - "
        + "p) would be infinite",
    ),
    (partial(relatives.gaussian_dropout, "a", 0.5), TypeError, "x" + REAL + "'a' (dtype <U1)"),
    *refused(
        ValueError,
        "noise must have the shape of the array, (1,), got (2,): [1.0, 2.0]",
        partial(relatives.gaussian_dropout, [1.0], 0.5, noise=[1.0, 2.0]),
        partial(relatives.gaussian_dropout_backward, [1.0], [1.0, 2.0], 0.5),
    ),
    (
        partial(relatives.gaussian_dropout, [1.0], 0.5, rng=0, noise=[1.0]),
        ValueError,
        "give rng or noise, not both, got rng=0 and noise=[1.0]",
    ),
    *refused(
        TypeError,
        MASK + "float64 (mask.astype(bool)?): [1.0]",
        partial(relatives.alpha_dropout, [1.0], 0.5, mask=[1.0]),
        partial(relatives.alpha_dropout_backward, [1.0], [1.0], 0.5),
    ),
    (
        partial(relatives.channel_dropout, [1.0, 2.0]),
        ValueError,
        "x must have the axes (examples, channels, places, …), got shape (2,): "
        + "[1.0, 2.0] (one example? x[None])",
    ),
    (
        partial(relatives.channel_dropout, [[[1.0]]], mask=[True]),
        ValueError,
        "mask must hold one bool for each example and channel, shape (1, 1), "
        + "got shape (1,): [True]",
    ),
    (
        partial(relatives.channel_dropout_backward, [[[1.0]]], [[1]], 0.5),
        TypeError,
        MASK + "int64 (mask.astype(bool)?): [[1]]",
    ),
    (partial(relatives.dropconnect, "w"), TypeError, "weight" + REAL + "'w' (dtype <U1)"),
    (
        partial(relatives.dropconnect, [1.0]),
        ValueError,
        "weight must have the axes (outputs, inputs), got shape (1,)",
    ),
    (
        partial(relatives.moments, "other", [1.0], 0.5),
        ValueError,
        "name must be one of ['dropout', 'Gaussian dropout', 'alpha dropout', "
        + "'channel dropout'], got 'other'",
    ),
    (
        partial(relatives.examine, "dropout", [[1.0]], 0.5),
        TypeError,
        "relative must be a Relative, got 'dropout'",
    ),
    (
        partial(relatives.examine, relatives.dropconnect([[1.0]]), [[1.0]], 0.5, draws=0),
        ValueError,
        "draws must be an int >= 2, got 0",
    ),
    (
        partial(relatives.panel, shown="x"),
        ValueError,
        "input must be one of ['digit', 'maps', 'normal'], got 'x'",
    ),
    (partial(relatives.panel, p=0.001), ValueError, HUNDREDTHS + "0.001"),
    *refused(
        ValueError,
        FAN_IN + "0",
        partial(walter.theory, 0, 0.5),
        partial(walter.walter_simulation, 0, 0.5),
    ),
    (partial(walter.theory, "100", 0.5), TypeError, FAN_IN + "'100'"),
    (
        partial(walter.theory, 100, 0.5, weight_std=-1),
        ValueError,
        "weight_std must be a number > 0, got -1",
    ),
    (
        partial(walter.theory, 100, 0.5, weight_mean="a"),
        TypeError,
        "weight_mean must be a number, at most a million weight_std in size, " + "got 'a'",
    ),
    *refused(
        ValueError,
        "n_simulations must be an int >= 2, got 0",
        partial(walter.walter_simulation, 100, 0.5, 0),
        partial(walter.plain_walter_simulation, 100, 0.5, 0),
    ),
    (
        partial(walter.walter_simulation, 100, 0.5, 1),
        ValueError,
        "n_simulations must be an int >= 2, got 1",
    ),
    (
        partial(walter.walter_simulation, 100, 0.5, "1000"),
        TypeError,
        "n_simulations must be an int >= 2, got '1000'",
    ),
    (
        partial(walter.walter_simulation, 100, 0.5, weight_std=0),
        ValueError,
        "weight_std must be a number > 0, got 0",
    ),
    (partial(walter.plain_walter_simulation, 2.5, 0.5), TypeError, FAN_IN + "2.5"),
    (
        partial(walter.ratios, [1.0], [1.0, 2.0]),
        ValueError,
        "without and dropped must be two 1-D arrays of one length, got (1,) " + "and (2,)",
    ),
    (partial(walter.ratios, "a", [1.0]), TypeError, "without" + REAL + "'a' (dtype <U1)"),
    (
        partial(walter.ratios, [1.0], [1.0]),
        ValueError,
        "without and dropped must be two 1-D arrays of one length, got (1,) " + "and (1,)",
    ),
    (
        partial(walter.panel, fan_in=7),
        ValueError,
        "N must be one of [10, 30, 100, 300, 1000], got 7",
    ),
    (
        partial(walter.panel, weight_mean=9),
        ValueError,
        "weight mean must be one of [0.0, 0.1, 0.5], got 9",
    ),
    (
        partial(walter.panel, output="x"),
        ValueError,
        "output must be one of ['unscaled', 'inverted', 'unscaled, after "
        + "ReLU', 'inverted, after ReLU'], got 'x'",
    ),
    (partial(checks.number, "512"), TypeError, "expected must be a number, got '512'"),
    (partial(checks.number, None), TypeError, "expected must be a number, got None"),
    *refused(
        ValueError,
        "atol must be a number >= 0, got -1",
        partial(checks.number, 512, atol=-1),
        partial(checks.array, [1.0], atol=-1),
    ),
    (partial(checks.number, 512, rtol="a"), TypeError, "rtol must be a number >= 0, got 'a'"),
    (partial(checks.array, "abc"), TypeError, "expected" + REAL + "'abc' (dtype <U3)"),
    (
        partial(checks.check, "1.1", 3, 512),
        TypeError,
        "expectation must be callable, such as number(512), got 512",
    ),
    (
        partial(checks.check, "1.1", 3, lambda answer: True),
        TypeError,
        "expectation must return None or the slip in words, got True",
    ),
    (
        partial(dropout_checks.expect_mask, (4, 3)),
        ValueError,
        "shape must have 5000 units, and 20 rows of 20 unless 1-D, got (4, 3)",
    ),
    (partial(dropout_checks.expect_mask, "big"), TypeError, SHAPE + "'big'"),
    (
        partial(enter, answers.fixed_randomness, -1),
        ValueError,
        "seed must be an int from 0 to 4294967295, got -1",
    ),
    (
        partial(enter, answers.fixed_randomness, "a"),
        TypeError,
        "seed must be an int from 0 to 4294967295, got 'a'",
    ),
    (
        partial(enter, answers.fixed_randomness, 2**40),
        ValueError,
        "seed must be an int from 0 to 4294967295, got 1099511627776",
    ),
    (partial(time_limit.run_limited, 3), TypeError, "function must be callable, got 3"),
    (
        partial(time_limit.run_limited, lambda: 1, seconds=-1),
        ValueError,
        "seconds must be a number > 0, got -1",
    ),
    (
        partial(time_limit.run_limited, lambda: 1, seconds="a"),
        TypeError,
        "seconds must be a number > 0, got 'a'",
    ),
    (
        partial(relatives.DropConnectLinear, 0, 3),
        ValueError,
        "in_features must be an int >= 1, got 0",
    ),
    (
        partial(relatives.DropConnectLinear, 3, "3"),
        TypeError,
        "out_features must be an int >= 1, got '3'",
    ),
    (
        partial(relatives.DropConnectLinear, 3, 3, bias="yes"),
        TypeError,
        "bias must be True or False, got 'yes'",
    ),
    (
        partial(relatives.DropConnectLinear(3, 3), torch.ones(2, 4)),
        ValueError,
        "input must have a last axis of in_features = 3, got shape (2, 4)",
    ),
    (
        partial(ensembles.small_data_network, 0, images=0),
        ValueError,
        "images must be an int from 1 to 1437, got 0",
    ),
    (
        partial(heads.head_ps, [0.5], 1),
        ValueError,
        "ps must be one number or a list of 2 (one for each of 1 extra layer, "
        + "and one for the last), got 1: [0.5]",
    ),
    (
        partial(formulas.probabilities, [[0.5]]),
        ValueError,
        "p must be one probability or a 1-D array, got [[0.5]]",
    ),
    (
        partial(GRID.network, 0.5, 0),
        TypeError,
        "setting, a place in ps, must be an int from 0 to 1, got 0.5",
    ),
    (
        partial(GRID.network, 2, 0),
        ValueError,
        "setting, a place in ps, must be an int from 0 to 1, got 2",
    ),
    (
        partial(GRID.network, 0, 4),
        ValueError,
        "seed, a place in seeds, must be an int from 0 to 2, got 4",
    ),
    (
        partial(GRID.network, 0, -1),
        ValueError,
        "seed, a place in seeds, must be an int from 0 to 2, got -1",
    ),
    (partial(GRID.stack.network, 6), ValueError, "i must be an int from 0 to 5, got 6"),
    (
        partial(stack.Stack, []),
        ValueError,
        "networks must be at least one, with linear layers, all of one shape, got 0 of the "
        + "shapes []",
    ),
    (
        partial(stack.Stack, [training.mlp(2, (3,), 2), training.mlp(2, (4,), 2)]),
        ValueError,
        "all of one shape, got 2 of the shapes [((3, 2), (2, 3)), ((4, 2), (2, 4))]",
    ),
    (
        partial(NET.backward, np.ones(2), CACHE),
        ValueError,
        "d_logits must have the shape of the logits, (1, 2), got (2,): array([1., 1.])",
    ),
    (
        partial(NET.backward, [["a", "b"]], CACHE),
        TypeError,
        "d_logits" + REAL + "[['a', 'b']] (dtype <U1)",
    ),
    (
        partial(NET.backward, np.ones((1, 2)), "cache"),
        TypeError,
        "cache must be the Cache of a forward pass, got 'cache'",
    ),
    (
        partial(checks.number, 512, near=64),
        TypeError,
        "near must be a pair of a distance and words, got 64",
    ),
    (
        partial(checks.number, 512, near=(-64, "near")),
        ValueError,
        "the distance in near must be a number >= 0, got -64",
    ),
    (
        partial(checks.number, np.float32("nan")),
        ValueError,
        "expected must be a finite number, got nan",
    ),
    (
        partial(checks.number, 512, slips={float("nan"): "nan"}),
        ValueError,
        "a slip must be a finite number, got nan",
    ),
    (
        partial(checks.number, 512, slips={"16": "words"}),
        TypeError,
        "a slip must be a number, got '16'",
    ),
    (
        partial(dropout_checks.expect_mask, (0, 50)),
        ValueError,
        "shape must have 5000 units, and 20 rows of 20 unless 1-D, got (0, 50)",
    ),
    (
        partial(compare.half_width, [1.0, 2.0], confidence=95),
        ValueError,
        "confidence" + PROBABILITY + "95 (a percentage?)",
    ),
    (
        partial(compare.half_width, [1.0]),
        ValueError,
        "values must hold a number for each of at least 2 seeds, got shape (1,) with the seeds "
        + "along axis 0",
    ),
    *refused(
        ValueError,
        "X_train and X_test must be arrays (rows, inputs) with as many inputs, got shapes "
        + "(100, 8, 8) and (360, 64)",
        partial(grid.train_grid, SQUARES),
        partial(training.train, MLP, SQUARES),
    ),
    *refused(
        ValueError,
        "X_train and X_test must be arrays (rows, inputs) with as many inputs, got shapes "
        + "(100, 64) and (360, 63)",
        partial(grid.train_grid, NARROW),
        partial(training.train, MLP, NARROW),
    ),
    *refused(
        ValueError,
        "model must return logits, a tensor (rows, classes), got shape (64,) from "
        + "Sequential( (0): Linear(",
        partial(training.train, torch.nn.Sequential(torch.nn.Linear(64, 64), FLAT), DIGITS),
        partial(
            training.score,
            torch.nn.Sequential(torch.nn.Linear(64, 64), FLAT),
            torch.ones(1, 64),
            torch.zeros(1, dtype=torch.int64),
        ),
    ),
    (
        partial(training.train, torch.nn.Identity(), DIGITS),
        ValueError,
        "model must have weights to train, got Identity()",
    ),
    *refused(
        ValueError,
        'device must be "cpu", or "cuda" where PyTorch finds one, got \'cpu:x\' '
        + "(Invalid device string: 'cpu:x')",
        partial(training.train, MLP, DIGITS, device="cpu:x"),
        partial(grid.train_grid, DIGITS, device="cpu:x"),
    ),
    (
        partial(training.checked_device, "cuda:77"),
        ValueError,
        'device must be "cpu", or "cuda" where PyTorch finds one, got \'cuda:77\' (',
    ),
    *refused(
        TypeError,
        "progress must be callable, got 3",
        partial(training.train, MLP, DIGITS, progress=3),
        partial(grid.train_grid, DIGITS, progress=3),
        partial(choosing_p.cross_validate, lambda p, seed: MLP, [DIGITS], [0.5], progress=3),
        partial(regulariser.accuracies, DIGITS, [regulariser.Setting()], progress=3),
    ),
    (
        partial(digits.accuracy, NET, 5, [0]),
        ValueError,
        "X must be an array (examples, inputs), got shape (): 5",
    ),
    (
        partial(digits.trained_network, kind=["inverted"]),
        ValueError,
        "kind must be 'inverted' or 'vanilla', got ['inverted']",
    ),
    *refused(
        ValueError,
        "no.ipynb cannot be read as a notebook: FileNotFoundError(2, 'No such "
        + "file or directory')",
        partial(notebooks.execute, Path("no.ipynb")),
        partial(links.table, links.repository("https://github.com/a/b"), [Path("no.ipynb")]),
        partial(site.build, [Path("no.ipynb")], Path("nowhere")),
    ),
    (
        partial(site.build, [], Path("nowhere")),
        ValueError,
        "a site needs at least one notebook, got none",
    ),
    (
        partial(site.shoot, "my_lesson"),
        ValueError,
        "my_lesson.panel() cannot be shown: No module named 'dlcourse.my_lesson'",
    ),
    (
        partial(site.shoot, "data"),
        ValueError,
        "data.panel() cannot be shown: module 'dlcourse.data' has no attribute 'panel'",
    ),
    *refused(
        TypeError,
        "scene must be callable, got 3",
        partial(live.Panel, 3),
        partial(film.Camera, 3, (80, 40)),
        partial(retrain.TrainingPanel, 3, lambda seed: None),
    ),
    (
        partial(retrain.TrainingPanel, lambda figure, seed: None, 3),
        TypeError,
        "train must be callable, got 3",
    ),
    (
        partial(
            retrain.TrainingPanel,
            lambda figure, seed: None,
            lambda seed, progress: None,
            {"progress": None},
        ),
        ValueError,
        "a control must not be named progress",
    ),
]


def told_by(call, exception):
    with pytest.raises(exception) as raised:
        call()
    assert type(raised.value) is exception
    return str(raised.value)


@pytest.mark.parametrize(("call", "exception", "words"), TABLE)
def test_bad_input_is_refused_in_words(call, exception, words):
    assert words in told_by(call, exception)


def test_the_table_is_long_and_has_no_row_twice():
    assert len(TABLE) >= 150
    assert len({str(row) for row in TABLE}) == len(TABLE)


# --- nothing that takes p, a seed, a shape and the like is missing from the table


LIKE_THESE = {
    *("p", "ps", "seed", "seeds", "shape", "rng", "mask", "generator", "wrong_labels", "momentum"),
    *("n", "units", "hidden", "sizes", "train_size", "epochs", "batch_size", "lr", "k", "draws"),
}
NOT_ASKED = {
    "called by a panel, which has checked its values": {"scene"},
    "called by a panel's picture with the slider's p": {"nearest", "numbers", "finding", "verdict"},
    "draw what was computed": {"draw_sweeps", "draw_gaps", "draw_spread"},
    "passes its seed on to live.Panel, as the panels of lessons 06 and 07 show": {"TrainingPanel"},
    "take the number of the learner's answer, and say what is wrong with that": {
        *("as_array", "result", "signed"),
    },
    "called by others of their module with what these have checked": {
        *("scales", "outputs", "design", "draw", "checked", "below_one"),
    },
    "plain records of what functions that check have found": {
        "Example",
        *("Draw", "Curves", "Grid", "Sweep", "Choice", "Ensemble", "WalterResult", "Draws"),
        *("Interval", "Difference", "Dataset", "Source"),
    },
    "hold what a trainer has checked": {
        *("Plan", "Masks", "Orders", "draw_of", "mask_generator", "batch_orders", "run_epochs"),
        *("counted", "seeded", "whole"),
    },
}


def public():
    """Return every function and class of the package without an underscore, by its module."""
    for module in pkgutil.walk_packages(dlcourse.__path__, "dlcourse."):
        if module.name.rpartition(".")[2].startswith("_"):
            continue
        for name, value in vars(importlib.import_module(module.name)).items():
            own = getattr(value, "__module__", None) == module.name
            if own and not name.startswith("_") and callable(value):
                yield f"{module.name}.{name}", value


def parameters(function):
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # exceptions have none
        return set()


def in_the_table():
    """Return the functions and classes that a row of the table calls."""
    called = [part for call, *_ in TABLE for part in (call.func, *call.args)]
    of_instances = [type(getattr(part, "__self__", part)) for part in called]
    return {inspect.unwrap(part) for part in [*called, *of_instances] if callable(part)}


def test_every_public_function_with_such_a_parameter_is_in_the_table():
    exempt, tested = set().union(*NOT_ASKED.values()), in_the_table()
    missing = [
        name
        for name, value in public()
        if parameters(value) & LIKE_THESE
        and inspect.unwrap(value) not in tested
        and name.rpartition(".")[2] not in exempt
    ]
    assert not missing


def test_what_is_exempt_exists():
    names = {name.rpartition(".")[2] for name, _ in public()}
    assert set().union(*NOT_ASKED.values()) <= names
