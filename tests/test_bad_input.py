"""Bad input to every public function: the error quotes the input and says what is allowed.

For each function there is one valid call, for each kind of parameter a list of bad values. Each
bad value goes into the valid call of every function that has such a parameter.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import pytest
import torch

import dlcourse
from dlcourse import checks, data, ensembles, grid, live, network, regulariser, relatives, training

# --- kinds of parameters: bad values, the exception, and what the message says


def refused(rule, values=(), types=(), hint=""):
    rows = [*((value, ValueError) for value in values), *((value, TypeError) for value in types)]
    return [(value, exception, f"{rule}, got {value!r}{hint}") for value, exception in rows]


def shaped(rule, *values):
    return [(value, ValueError, rule + str(np.shape(value))) for value in values]


def one_probability(name="p"):
    rule = f"{name} must be a probability in [0, 1]"
    return [
        *refused(rule, [-0.1, 101, NAN], [None, 1j]),
        *refused(rule, [1.01, 50], hint=" (a percentage?)"),
        *refused(rule, types=["0.5"], hint=" (a string: write the number without quotes)"),
        *refused(rule, types=[True], hint=" (training=True?)"),
    ]


def probability(name="p"):
    rule = f"{name} must be a probability in [0, 1]"
    several = refused(rule, types=[[0.5, 0.5]], hint=" (one number for all units?)")
    return one_probability(name) + several


def whole(name, low, high=None):
    span = f">= {low}" if high is None else f"from {low} to {high}"
    outside = [low - 1] if high is None else [low - 1, high + 1]
    return refused(f"{name} must be an int {span}", outside, [low + 0.5, str(low), True])


def above_0(name):
    return refused(f"{name} must be a number > 0", [0, -1, NAN, INF], ["a", True, [1.0]])


def at_least_0(name):
    return refused(f"{name} must be a number >= 0", [-1, NAN, INF], ["a", True, [1.0]])


def flag(name):
    return refused(f"{name} must be True or False", types=["yes", 1, None])


def instance(name, what):
    return refused(f"{name} must be {what}", types=[3, "other"])


def either(name, *options):
    return refused(f"{name} must be {' or '.join(map(repr, options))}", ["other", ["x"], 3])


def choice(name, options):
    return refused(f"{name} must be one of {options}", ["other", 0.3, -1, True])


def array(name, *more):
    rule = f"{name} must be an array of real numbers"
    return [
        *refused(rule, types=["abc"], hint=" (dtype <U3)"),
        *refused(rule, types=[[None]], hint=" (dtype object)"),
        *refused(rule, [[[1.0], [1.0, 2.0]]], hint=" (rows of different lengths?)"),
        *more,
    ]


def mask(*shape):
    rule = "mask must be bool (True = kept), got dtype"
    return [
        (np.ones(shape, int), TypeError, f"{rule} int64 (mask.astype(bool)?): array(["),
        (np.ones(shape), TypeError, f"{rule} float64 (mask.astype(bool)?): array(["),
        ("ab", TypeError, f"{rule} <U2: 'ab'"),
        *shaped(
            f"mask must have the shape of the array, {shape}, got ", np.ones(shape, bool)[..., :0]
        ),
    ]


def labels(rows, classes=2):
    rule = f"y must hold a class for each of {rows} rows, ints from 0 to {classes - 1}"
    return [
        ([classes] * rows, ValueError, f"{rule}, got {classes} (counted from 1?)"),
        ([-1] * rows, ValueError, f"{rule}, got -1"),
        (["a"] * rows, TypeError, f"{rule}, got dtype <U1: ['a'"),
        *shaped(f"{rule}, got shape ", [0] * (rows + 1)),
    ]


def one_a_seed(name):
    rule = f"{name} must hold one finite number for each of at least 2 seeds"
    return array(name, *shaped(f"{rule}, got shape ", [1.0]), *refused(rule, [[1.0, INF]]))


NAN, INF = float("nan"), float("inf")
ROW, TWO = [[1.0, 2.0]], [1.0, 2.0]
PERCENT = ([50], ValueError, "must be a probability in [0, 1], got 50 (a percentage?)")
NESTED = ([[0.1], [0.2, 0.3]], TypeError, " in [0, 1], got [0.1] (one number for all units?)")
P_AND_NESTED = [*one_probability(), NESTED]  # a list has one p for each layer
DEVICE = 'device must be "cpu", or "cuda" where PyTorch finds one'
FAN_IN = "fan_in must be an int from 1 to 10000000, or a 1-D array of them"
P_BELOW_1 = "p must be below 1 in Gaussian dropout"
P_NOT_1 = "p must be smaller than 1, where every input is dropped"
P_OR_ARRAY = "p must be one probability or a 1-D array"
WHERE = "hidden, input, both"
LAYERS = ["both", "first", "second"]
TRAINED = [0.0, 0.2, 0.5, 0.8]
TO_TRAIN = [
    *refused("ps must hold at least one p to train with", [[]], [0.5, "ab"]),
    ([[[0.1], [0.2, 0.3]]], TypeError, NESTED[2]),
    ([(0.1, 0.2, 0.3, 0.4)], ValueError, "got 4: (0.1, 0.2, 0.3, 0.4)"),
    PERCENT,
]
WIDTHS = "hidden must hold the width of each hidden layer, ints >= 1"
HIDDEN = [
    *refused(WIDTHS, [()], ["64"]),
    *refused(WIDTHS, types=[64], hint=" ((64,)?)"),
    ((0,), ValueError, "a width in hidden must be an int >= 1, got 0"),
]
HEAD = "ps must be one number or a list of 2 (one for each of 1 extra layer, and one for the last)"
HEAD_PS = [
    *(row for row in one_probability("ps") if row[0] is not None),
    ([0.5], ValueError, f"{HEAD}, got 1: [0.5]"),
    ([0.1] * 3, ValueError, f"{HEAD}, got 3: [0.1, 0.1, 0.1]"),
    ([[0.1], 0.2], TypeError, "a p in ps must be a probability in [0, 1], got [0.1] (one number"),
]
ALL_MASKS = [
    *whole("n", 1, 12),
    (40, ValueError, "got 40: that would be 1,099,511,627,776 masks; draw some hundred of them"),
    (100, ValueError, "got 100: that would be 2**100 masks; draw some hundred of them with drop"),
]
FOLDS = (
    "scores must have a row for each of 2 p and a column for each of at least 2 folds, got shape "
)
SETTINGS = "settings must hold Settings, such as "
UNREADABLE = "no.ipynb cannot be read as a notebook: FileNotFoundError(2, 'No such file or "
PLACES = "must have the axes (examples, channels, places, …), got shape "
CHANNELS = [
    ([[1]], TypeError, "mask must be bool (True = kept), got dtype int64 (mask.astype(bool)?): "),
    ([[True], [True, False]], ValueError, "got shape (rows of different lengths): [[True], [T"),
    *shaped("one bool for each example and channel, shape (1, 1), got shape ", [True]),
]
NOT_A_NAME = refused("name must be 'mnist' or 'fashion_mnist'", types=[3, ["x"]])
X_OF_2 = [
    *array("X", *shaped("X must have the shape (rows, 2), got ", [[1, 2, 3]])),
    ([1, 2], ValueError, "(rows, 2), got (2,) (one row: X[None, :]?): [1, 2]"),
]
UNEQUAL = "units must hold at least two that differ between images, got"
ADDRESS = "the address must be https://github.com/ORG/REPO"
AFTER_RELU = "inverted, after ReLU"
SCALINGS = "inverted, vanilla, unscaled"
ODDS = ("penalty", "second_order_penalty", "linear.odds")
GAUSSIAN = ("gaussian_dropout", "gaussian_dropout_backward")
EACH_OF_X = "w must hold one finite number for each input of X, 2, got shape "
RNG = [
    *refused("rng must be None, a seed >= 0 or a numpy.random.Generator", [-1], [0.5, "a"]),
    (np.random, TypeError, " (numpy.random.default_rng(seed)?)"),
]

CHOICES = [
    ("questions", "units", "units", [4, 8, 16]),
    ("questions", "masks", "masks", [2, 5, 10]),
    ("start_here", "units", "units", [25, 100, 400]),
    ("choosing_p", "width", "width", [8, 32, 128]),
    ("choosing_p", "images", "training images", [100, 300, 1000]),
    ("choosing_p", "where", "drop", ["hidden", "input", "both"]),
    ("coadaptation", "trained", "p of training", [0.2, 0.5, 0.8]),
    ("coadaptation", "layers", "remove from", LAYERS),
    ("ensembles", "network", "network", ["linear", "softmax", "relu"]),
    ("ensembles", "n", "n, units", [4, 8, 12]),
    ("overfitting", "wrong", "wrong labels", [0.0, 0.2, 0.4]),
    ("overfitting", "images", "training images", [300, 1000]),
    ("regulariser", "model", "regression", ["linear", "logistic"]),
    ("regulariser", "scale", "input 1 times", [0.1, 1, 10]),
    ("relatives", "shown", "input", ["digit", "maps", "normal"]),
    ("walter", "fan_in", "N", [10, 30, 100, 300, 1000]),
    ("walter", "weight_mean", "weight mean", [0.0, 0.1, 0.5]),
    ("walter", "output", "output", ["unscaled", "inverted", "unscaled, after ReLU", AFTER_RELU]),
]

# For a parameter, of one function, of all that have this last name, of one package, or of all.
KINDS = {
    "p": probability(),
    "wrong_labels": probability("wrong_labels"),
    "confidence": probability("confidence")
    + refused("confidence must lie between 0 and 1", [0, 1]),
    "seed": [*whole("seed", 0), *refused("seed must be an int >= 0", types=[[0]])],
    "seeds": [*whole("seeds", 1)[:-1], ([-1], ValueError, "seed must be an int >= 0, got -1")],
    "rng": RNG,
    "generator": [
        (0, TypeError, "torch.Generator or None, got 0 (torch.Generator().manual_seed(seed)?)")
    ],
    "shape": refused("shape must be an int >= 0 or a tuple of them", [-1], [None, 2.5, "big"]),
    "ps": [*refused("ps must hold at least one p", [[]], [0.5, 50, "ab"]), PERCENT, NESTED],
    "k": whole("k", 1),
    "n": whole("n", 1, 12),
    "digit": whole("digit", 0, 9),
    "kind": either("kind", "inverted", "vanilla"),
    "downloads.name": [*either("name", "mnist", "fashion_mnist")[:1], *NOT_A_NAME],
    "momentum": at_least_0("momentum") + refused("momentum must be a number >= 0 and < 1", [1]),
    "fan_in": refused(FAN_IN, [0, 10**8, [], [[1]]], ["100", 2.5, [[1], [1, 2]]]),
    "weight_mean": refused("at most a million weight_std in size", [1e9, NAN], ["a", True]),
    "device": [
        *refused(DEVICE, ["gpu", 3]),
        *refused(DEVICE, ["cpu:x"], hint=" (Invalid device string: 'cpu:x')"),
        *refused(DEVICE, ["cuda:77"], hint=" ("),
    ],
    "input": [*instance("input", "a torch.Tensor"), *refused("a torch.Tensor", types=[[1.0]])],
    "modules.Dropout.forward.input": [
        *instance("input", "a torch.Tensor"),
        (torch.tensor([1, 2]), TypeError, "got dtype torch.int64 (input.float()?)"),
    ],
    "data": instance("data", "a Dataset"),
    "model": [
        *instance("model", "a torch.nn.Module"),
        *refused("model must be a torch.nn.Module", types=[torch.nn.Linear]),
    ],
    "net": instance("net", "a ThreeLayerNet"),
    "scene": instance("scene", "callable"),
    "progress": instance("progress", "callable"),
    "regulariser.path.seed": whole("seed", 0)[:-1],  # what is kept is found by equal values
    "regulariser.path.model": refused("model must be 'linear' or 'logistic'", ["other", 3]),
    "regulariser.path.scale": refused("scale must be a number > 0", [0, -1, NAN], ["a"]),
    "folder": refused("folder must be None or a path", types=[3]),
    "path": [(Path("no.ipynb"), ValueError, UNREADABLE)],
    "notebooks": [([Path("no.ipynb")], ValueError, UNREADABLE)],
    "logits": array(
        "logits", *shaped("logits must be an array (rows, classes), got shape ", [], 3.0, TWO)
    ),
    "train_size": whole("train_size", 1, 60000),
    **{name: flag(name) for name in ("training", "inplace", "bias", "validation", "paired")},
    **{name: flag(name) for name in ("scaled", "relu")},
    **{name: array(name) for name in ("x", "grad", "expected")},
    **{name: one_a_seed(name) for name in ("a", "b", "values")},
    **{name: whole(name, 1) for name in ("epochs", "batch_size", "rows", "units", "masks")},
    **{name: whole(name, 1) for name in ("inputs", "classes", "features", "hidden")},
    **{name: whole(name, 1) for name in ("in_features", "out_features")},
    **{name: whole(name, 2) for name in ("networks", "repeats", "draws", "n_simulations")},
    **{name: above_0(name) for name in ("lr", "max_norm", "weight_std", "strength", "scale", "c")},
    "seconds": above_0("seconds"),
    **{name: at_least_0(name) for name in ("weight_decay", "atol", "rtol")},
    "answers.fixed_randomness.seed": whole("seed", 0, 2**32 - 1),
    "checks.check.expectation": [
        *instance("expectation", "callable, such as number(512)"),
        (np.isfinite, TypeError, "must return None or the slip in words, got np.True_"),
    ],
    "checks.number.expected": [
        *refused("expected must be a number", types=["512", None]),
        *refused("expected must be a finite number", [NAN]),
    ],
    "checks.number.near": [
        *refused("near must be a pair of a distance and words", types=[64]),
        ((-64, "near"), ValueError, "the distance in near must be a number >= 0, got -64"),
    ],
    "checks.number.slips": [
        ({NAN: "nan"}, ValueError, "a slip must be a finite number, got nan"),
        ({"16": "words"}, TypeError, "a slip must be a number, got '16'"),
    ],
    "choosing_p.where": choice("where", WHERE),
    "choosing_p.folds.k": whole("k", 2, 10),
    "choosing_p.cross_validate.make": instance("make", "callable"),
    "choosing_p.cross_validate.parts": refused("parts must hold at least one Dataset", [[]]),
    "choosing_p.choose.scores": array("scores", *shaped(FOLDS, ROW, [[1.0], [2.0]])),
    "choosing_p.create_head.ps": HEAD_PS,
    "choosing_p.heads.head_ps.ps": HEAD_PS,
    "choosing_p.task.train_size": whole("train_size", 1, 716),
    "choosing_p.features_of.body": instance("body", "a torch.nn.Module"),
    "choosing_p.features_of.images": instance("images", "a Dataset"),
    "choosing_p.networks.ps": TO_TRAIN,
    "choosing_p.networks.width": whole("a width in hidden", 1),
    "choosing_p.networks.images": choice("images", [100, 300, 1000])
    + refused("images must be one of [100, 300, 1000]", [[100]]),
    "coadaptation.trained": choice("trained", TRAINED),
    "coadaptation.layers": choice("layers", LAYERS),
    "coadaptation.accuracy_without.kept": mask(2, 100),
    "coadaptation.validation_scores.seeds": whole("seeds", 1),
    "coadaptation.mean_correlation.units": [
        *array("units", *shaped("units must be an array (images, units), got shape ", TWO)),
        ([[1.0, 2.0], [1.0, 3.0]], ValueError, f"{UNEQUAL} 1 of shape (2, 2): [[1.0, 2.0], [1."),
        (np.ones((0, 3)), ValueError, f"{UNEQUAL} 0 of shape (0, 3): array([], shape=(0, 3)"),
    ],
    "network.masks": refused("masks must be 2 bool arrays", [[[True]]], ["ab"]),
    "data.digits.train_size": whole("train_size", 1, 1437),
    "digits.X": X_OF_2[:-1],
    "digits.y": labels(1),
    "dropout_checks.expect_mask.shape": [
        *refused("shape must have 5000 units, and 20 rows of 20 unless 1-D", [(4, 3), (0, 50)]),
        ("big", TypeError, "shape must be an int >= 0 or a tuple of them, got 'big'"),
    ],
    "ensembles.net": instance("net", "a Network"),
    "ensembles.monte_carlo_errors.net": instance("net", "a ThreeLayerNet"),
    "ensembles.monte_carlo_errors.repeats": whole("repeats", 1),
    "ensembles.small_data_network.images": whole("images", 1, 1437),
    "ensembles.mean_gaps.ns": [
        *refused("ns must hold at least one number of units", [[]], [4]),
        ([-4], ValueError, "n must be an int from 1 to 12, got -4"),
    ],
    "ensembles.all_masks.n": ALL_MASKS,
    "ensembles.network.n": ALL_MASKS,
    "ensembles.network.kind": choice("kind", "linear, softmax, relu"),
    "ensembles.network.seed": RNG,
    "functional.mask": mask(2),
    "grid.train_grid.ps": TO_TRAIN,
    "grid.train_grid.hidden": HIDDEN,
    "grid.Grid.network.setting": whole("setting, a place in ps,", 0, 1),
    "grid.Grid.network.seed": whole("seed, a place in seeds,", 0, 2),
    "links.repository.address": refused(ADDRESS, ["https://example.org/a"], [3]),
    "links.repository.branch": refused("the branch must have a name that git allows", ["a b"]),
    "live.Panel.controls": [({"p": None}, ValueError, "a control must not be named p")],
    "live.whole_number.value": whole("digit", 0, 9),
    "masks.number_dropped.n": whole("n", 0),
    "network.X": X_OF_2,
    "network.y": labels(1),
    "network.ThreeLayerNet.sizes": [
        *refused(
            "sizes must be four ints >= 1 (inputs, hidden, hidden, classes)",
            [(64, 10), (64, 0, 10, 10)],
        ),
        *refused("sizes must be an int >= 0 or a tuple of them", types=["64"]),
    ],
    "network.ThreeLayerNet.backward.cache": instance("cache", "the Cache of a forward pass"),
    "network.ThreeLayerNet.backward.d_logits": [
        *array("d_logits"),
        ([1.0], ValueError, "d_logits must have the shape of the logits, (1, 2), got (1,): [1.0]"),
    ],
    "overfitting.d2l.dataset": instance("data", "a Dataset"),
    "overfitting.d2l.ps": TO_TRAIN,
    "overfitting.d2l.hidden": HIDDEN,
    "overfitting.trained.wrong": probability("wrong_labels"),
    "overfitting.trained.images": whole("train_size", 1, 1150),
    "questions.equal_pairs.masks": [
        *array("masks"),
        ([True], ValueError, "masks must be an array with a mask in each row, got [True]"),
    ],
    "regulariser.n": whole("n, the inputs whose masks are listed,", 1, 12),
    "regulariser.X": [*array("X"), *refused("(rows, inputs) of finite numbers", [[1.0]])],
    "regulariser.w": array("w", *shaped(EACH_OF_X, [1.0])),
    "regulariser.start": array("w", *shaped(EACH_OF_X, [1.0])),
    "regulariser.y": array("y", *shaped("one finite number for each row of X, 1, got shape ", TWO)),
    "regulariser.fit_logistic.y": labels(2),
    "regulariser.fit_logistic.ridge": refused("ridge must be a number > 0", [-1], ["a"]),
    "regulariser.model": either("model", "linear", "logistic"),
    "regulariser.max_norm.W": array(
        "W", *refused("(units in, units out) of finite numbers", [[1.0]])
    ),
    "regulariser.accuracies.dataset": instance("dataset", "a Dataset"),
    "regulariser.accuracies.settings": [
        ([], ValueError, "settings must hold at least one Setting, got []"),
        ([0.5], TypeError, f"{SETTINGS}Setting(p=0.5), got 0.5"),
        (regulariser.Setting(), TypeError, f"{SETTINGS}[Setting(p=0.5)], got Setting(p=0.0, "),
    ],
    **{f"regulariser.{name}.p": probability() + refused(P_NOT_1, [1]) for name in ODDS},
    **{f"relatives.{name}.p": probability() + refused(P_BELOW_1, [1]) for name in GAUSSIAN},
    "relatives.noise": array(
        "noise", *shaped("noise must have the shape of the array, (1,), got ", TWO)
    ),
    "relatives.mask": mask(1),
    "relatives.dropconnect.weight": [
        *array("weight", *shaped("weight must have the axes (outputs, inputs), got shape ", [1.0]))
    ],
    "relatives.examine.relative": instance("relative", "a Relative"),
    "relatives.moments.name": choice("name", list(relatives.RELATIVES)),
    "relatives.channel_dropout.x": array("x", *shaped(f"x {PLACES}", TWO)),
    "relatives.channel_dropout.mask": CHANNELS,
    "relatives.channel_dropout_backward.grad": array("grad", *shaped(f"grad {PLACES}", TWO)),
    "relatives.channel_dropout_backward.mask": CHANNELS,
    "retrain.TrainingPanel.train": instance("train", "callable"),
    "retrain.TrainingPanel.controls": [
        ({"progress": None}, ValueError, "a control must not be named progress")
    ],
    "scaling.kind": choice("kind", SCALINGS),
    "scaling.received.terms": array(
        "terms", *shaped("terms must be an array (n,), got shape ", 5.0, ROW)
    ),
    "scaling.received.masks": [*mask(1, 2), (None, TypeError, "got dtype object: None")],
    "scaling.activations.units": whole("units", 1, 64),
    "time_limit.run_limited.function": instance("function", "callable"),
    "training.mlp.p": P_AND_NESTED,
    "training.mlp.hidden": HIDDEN,
    "walter.p": [*one_probability(), *refused(P_OR_ARRAY, [[[0.5]], [[0.1], [0.2, 0.3]]])],
    "walter.ratios.without": array("without"),
    "walter.ratios.dropped": array("dropped"),
    "panel.p": probability() + refused("p moves in steps of 0.01 in a panel", [0.333, 0.005]),
    "live.p": probability() + refused("p moves in steps of 0.01 in a panel", [0.333, 0.005]),
    "panel.seed": whole("seed", 0, 999999),
    "Panel.seed": whole("seed", 0, 999999),
    "scaling.panel.kind": choice("kind", SCALINGS),
    **{f"{lesson}.panel.{key}": choice(*row) for lesson, key, *row in CHOICES},
}

NOT_REFUSED = {
    "not looked at where the networks are kept": {"choosing_p.networks.progress"}
    | {"overfitting.trained.progress"},
    "trusted to be what the caller has checked": {"regulariser.linear.copies_of.X"}
    | {"compare.half_width.values"},
    "made a Path by the command": {"site.build.folder"},
}

# --- one valid call of each function

DIGITS = data.digits(100)
SQUARES = replace(DIGITS, X_train=np.zeros((100, 8, 8)))
NARROW = replace(DIGITS, X_test=DIGITS.X_test[:, :63])
MLP = training.mlp(64, (4,), 10)
SMALL_MLP = training.mlp(2, (3,), 2)
NET = network.ThreeLayerNet((2, 3, 3, 2))
CACHE = NET.forward(ROW)[1]
GRID = grid.train_grid(DIGITS, (4,), ps=(0, 0.5), seeds=3, epochs=1, progress=None)
MEMBERS = ensembles.network(n=4)
LINEAR = relatives.DropConnectLinear(3, 3)
DROPCONNECT = relatives.dropconnect([[1.0]])
ONCE = {"epochs": 1, "progress": None}
WEIGHTS = {"X": ROW, "w": TWO, "p": 0.5}
TARGETS = {"X": ROW, "y": [1.0], "p": 0.5}
SCALARS = {"x": [1.0], "p": 0.5}


def no_scene(figure, seed):
    return lambda p: ()


def no_training(seed, progress):
    pass


LESSONS = """masks scaling ensembles coadaptation walter overfitting choosing_p regulariser
    relatives questions start_here""".split()
WITHOUT_ARGUMENTS = """answers.fixed_randomness choosing_p.frozen_body choosing_p.task
    coadaptation.validation_scores data.digits data.mnist data.fashion_mnist ensembles.averaging
    dropout_checks.expect_mask dropout_checks.expect_dropout dropout_checks.expect_vanilla
    dropout_checks.expect_backward ensembles.network modules.Dropout network.ThreeLayerNet
    notebooks.execute overfitting.trained regulariser.Setting scaling.activations
    site.read_lesson""".split()
VALID = {
    **{f"{lesson}.panel": {} for lesson in LESSONS},
    **{name: {} for name in WITHOUT_ARGUMENTS},
    "checks.check": {"name": "1.1", "answer": 512, "expectation": checks.number(512)},
    "checks.number": {"expected": 512},
    "checks.array": {"expected": [1.0]},
    "choosing_p.folds": {"data": DIGITS, "k": 2},
    "choosing_p.cross_validate": {
        **{"make": lambda p, seed: MLP, "parts": [DIGITS], "ps": [0.5], **ONCE}
    },
    "choosing_p.choose": {"ps": [0.1, 0.2], "scores": [TWO, TWO]},
    "choosing_p.create_head": {"features": 64, "classes": 10},
    "choosing_p.heads.head_ps": {"ps": 0.5, "extra": 1},
    "choosing_p.features_of": {"body": torch.nn.Identity(), "images": DIGITS},
    "choosing_p.where_ps": {"p": 0.5, "where": "both"},
    "choosing_p.networks": {"width": 1, "images": 100, "ps": [0]},
    "coadaptation.equal_weight": {"k": 10, "p": 0.5},
    "coadaptation.accuracy_without": {"trained": 0.5, "kept": np.ones((2, 100), bool), "p": 0.5},
    "coadaptation.removal": {"trained": 0.5},
    "coadaptation.hidden": {"trained": 0.5},
    "coadaptation.mean_correlation": {"units": [[1.0, 2.0], [2.0, 1.0]]},
    "compare.mean_interval": {"values": TWO},
    "compare.paired_difference": {"a": TWO, "b": TWO},
    "compare.half_width": {"values": np.array(TWO)},
    "digits.train": {"net": NET, "X": ROW, "y": [0]},
    "digits.accuracy": {"net": NET, "X": ROW, "y": [0]},
    "digits.trained_network": {"hidden": 1, "epochs": 1},
    "downloads.is_downloaded": {"name": "mnist"},
    "downloads.download": {"name": "mnist"},
    "ensembles.small_data_network": {"seed": 0, "images": 1},
    "ensembles.monte_carlo_errors": {"net": NET, "X": ROW, "y": [0], "masks": 5, "repeats": 3},
    "ensembles.gaps": {"net": MEMBERS, "ps": [0.5]},
    "ensembles.mean_gaps": {"ns": [4], "ps": [0.5], "networks": 2},
    "ensembles.all_masks": {"n": 4},
    "ensembles.mask_probabilities": {"n": 4, "p": 0.5},
    "ensembles.ensemble": {"net": MEMBERS, "p": 0.5},
    "ensembles.plain_ensemble": {"net": MEMBERS, "p": 0.5},
    "enumeration.all_masks": {"n": 4},
    "enumeration.mask_probabilities": {"n": 4, "p": 0.5},
    "film.Camera": {"scene": no_scene, "size": (80, 40)},
    "functional.plain_dropout_mask": {"shape": (3,), "p": 0.5},
    "functional.dropout_mask": {"shape": (3,), "p": 0.5},
    "functional.dropout": {"x": TWO},
    "functional.vanilla_dropout": {"x": TWO},
    "functional.dropout_backward": {"grad": TWO, "mask": [True, False], "p": 0.5},
    "grid.train_grid": {"data": DIGITS, "hidden": (1,), "ps": [0], "seeds": 1, **ONCE},
    "grid.nearest": {"p": 0.5},
    "grid.Grid.network": {"self": GRID, "setting": 0, "seed": 0},
    "links.repository": {"address": "https://github.com/a/b"},
    "live.slider_index": {"p": 0.5},
    "live.Panel": {"scene": no_scene},
    "live.whole_number": {"label": "digit", "low": 0, "high": 9, "value": 0},
    "masks.example": {"digit": 3},
    "masks.number_dropped": {"n": 10, "p": 0.5},
    "modules.Dropout.forward": {"self": dlcourse.Dropout(), "input": torch.ones(2)},
    "monte_carlo.mc_dropout": {"model": torch.nn.Dropout()},
    "network.ThreeLayerNet.forward": {"self": NET, "X": ROW},
    "network.ThreeLayerNet.predict": {"self": NET, "X": ROW},
    "network.ThreeLayerNet.backward": {"self": NET, "d_logits": np.ones((1, 2)), "cache": CACHE},
    "network.softmax": {"logits": ROW},
    "network.softmax_cross_entropy": {"logits": ROW, "y": [0]},
    "overfitting.d2l": {"dataset": DIGITS, "ps": [0], "hidden": (1, 1), "seeds": 1, **ONCE},
    "questions.numbers": {"p": 0.5, "units": 8, "masks": 5},
    "questions.equal_pairs": {"masks": [[True, False]]},
    "regulariser.accuracies": {
        **{"dataset": DIGITS, "settings": [regulariser.Setting()], "seeds": 1, **ONCE}
    },
    "regulariser.every_mask": {"n": 3},
    "regulariser.mask_chances": {"n": 3, "p": 0.5},
    "regulariser.penalty": WEIGHTS,
    "regulariser.dropout_ridge": TARGETS,
    "regulariser.plain_ridge": {"X": ROW, "y": [1.0], "strength": 1},
    "regulariser.over_masks": TARGETS,
    "regulariser.loss_over_masks": {**TARGETS, "w": TWO},
    "regulariser.linear.copies_of": {"X": np.array(ROW), "p": 0.5},
    "regulariser.linear.odds": {"p": 0.5},
    "regulariser.logistic_penalty": WEIGHTS,
    "regulariser.second_order_penalty": WEIGHTS,
    "regulariser.fit_logistic": {"X": [TWO, TWO], "y": [0, 1], "p": 0.5},
    "regulariser.max_norm": {"W": [[1.0]], "c": 1},
    "regulariser.examples": {"seed": 0, "model": "linear", "scale": 1},
    "regulariser.path": {"seed": 0, "model": "linear", "scale": 1},
    "relatives.DropConnectLinear": {"in_features": 3, "out_features": 3},
    "relatives.DropConnectLinear.forward": {"self": LINEAR, "input": torch.ones(2, 3)},
    "relatives.dropconnect": {"weight": [[1.0]]},
    "relatives.moments": {"name": "dropout", **SCALARS},
    "relatives.gaussian_dropout": SCALARS,
    "relatives.gaussian_dropout_backward": {"grad": [1.0], "noise": [1.0], "p": 0.5},
    "relatives.alpha_constants": {"p": 0.5},
    "relatives.alpha_dropout": SCALARS,
    "relatives.alpha_dropout_backward": {"grad": [1.0], "mask": [True], "p": 0.5},
    "relatives.channel_dropout": {"x": [[[1.0]]]},
    "relatives.channel_dropout_backward": {"grad": [[[1.0]]], "mask": [[True]], "p": 0.5},
    "relatives.examine": {"relative": DROPCONNECT, "x": [[1.0]], "p": 0.5, "draws": 2},
    "retrain.TrainingPanel": {"scene": no_scene, "train": no_training},
    "scaling.received": {"terms": TWO, "p": 0.5, "kind": "inverted", "masks": [[True, False]]},
    "site.build": {"notebooks": [], "folder": Path("nowhere")},
    "start_here.draw": {"units": 10, "p": 0.5, "seed": 0},
    "time_limit.run_limited": {"function": int},
    "training.train": {"model": MLP, "data": DIGITS, **ONCE},
    "training.score": {"model": SMALL_MLP, "X": torch.ones(2, 2), "y": torch.tensor([0, 1])},
    "training.mlp": {"inputs": 64, "hidden": (4, 4), "classes": 10},
    "training.checked_device": {"device": "cpu"},
    "walter.formulas.probabilities": {"p": 0.5},
    "walter.theory": {"fan_in": 9, "p": 0.5},
    "walter.walter_simulation": {"fan_in": 9, "p": 0.5, "n_simulations": 9},
    "walter.plain_walter_simulation": {"fan_in": 9, "p": 0.5, "n_simulations": 9},
    "walter.ratios": {"without": TWO, "dropped": TWO},
}
NOT_RUN = {
    "the tests of its lesson open it": {f"{lesson}.panel" for lesson in LESSONS},
    "needs files": {"data.mnist", "data.fashion_mnist", "downloads.download", "site.build"}
    | {"site.read_lesson", "notebooks.execute"},
    "trains for seconds": {"choosing_p.frozen_body", "coadaptation.accuracy_without"}
    | {"coadaptation.removal", "coadaptation.hidden", "coadaptation.validation_scores"}
    | {"ensembles.averaging", "overfitting.trained"},
}

# --- what is wrong with values together, or in one function only

LINEAR_64 = torch.nn.Linear(64, 64)
FLAT = torch.nn.Sequential(LINEAR_64, torch.nn.Flatten(0))
NO_LOGITS = "model must return logits, a tensor (rows, classes), got shape (64,) from Sequential( "
SHAPES = "X_train and X_test must be arrays (rows, inputs) with as many inputs, got shapes"
UNLIKE = [training.mlp(2, (3,), 2), training.mlp(2, (4,), 2)]
PAIRED = "without and dropped must be two 1-D arrays of one length, got"
MENU = {"label": "kind", "options": {"a": 1}}
BOTH = {"x": [1.0], "rng": 0}
TOGETHER = [
    ("functional.dropout", {**BOTH, "mask": [True]}, "rng or mask, not both, got rng=0 and mask=["),
    ("relatives.gaussian_dropout", {**BOTH, "noise": [1.0]}, "rng or noise, not both, got rng=0"),
    ("training.train", {"data": SQUARES}, f"{SHAPES} (100, 8, 8) and (360, 64)"),
    ("grid.train_grid", {"data": SQUARES}, f"{SHAPES} (100, 8, 8) and (360, 64)"),
    ("training.train", {"data": NARROW}, f"{SHAPES} (100, 64) and (360, 63)"),
    ("grid.train_grid", {"data": NARROW}, f"{SHAPES} (100, 64) and (360, 63)"),
    ("training.train", {"model": FLAT}, NO_LOGITS),
    ("training.score", {"model": FLAT, "X": torch.ones(1, 64), "y": torch.zeros(1)}, NO_LOGITS),
    ("training.train", {"model": torch.nn.Identity()}, "weights to train, got Identity()"),
    ("training.score", {"X": torch.ones(2, 3)}, "rows of 3 numbers, one for each input, got Seq"),
    ("training.score", {"y": torch.ones(3)}, "y must hold a class for each of 2 rows, got 3"),
    ("choosing_p.networks", {"where": "top", "ps": ((0, 0.5),)}, "input, both, got 'top'"),
    ("regulariser.over_masks", {"X": [[1.0] * 30]}, "must be an int from 1 to 12, got 30"),
    (
        "relatives.moments",
        {"name": "Gaussian dropout", "p": 1},
        f"{P_BELOW_1}, got 1: the variance",
    ),
    ("digits.accuracy", {"X": 5}, "X must be an array (examples, inputs), got shape (): 5"),
    ("network.softmax", {"logits": np.zeros((2, 0))}, "at least one class, got shape (2, 0)"),
    ("relatives.DropConnectLinear.forward", {"input": torch.ones(2, 4)}, "got shape (2, 4)"),
    ("compare.half_width", {"values": np.ones(1)}, "at least 2 seeds, got shape (1,) with the"),
    ("stack.Stack", {"networks": []}, "all of one shape, got 0 of the shapes []"),
    ("stack.Stack", {"networks": UNLIKE}, "[((3, 2), (2, 3)), ((4, 2), (2, 4))]"),
    ("stack.Stack.network", {"self": GRID.stack, "i": 6}, "i must be an int from 0 to 5, got 6"),
    ("walter.ratios", {"without": [1.0]}, f"{PAIRED} (1,) and (2,)"),
    ("walter.ratios", {"without": [1.0], "dropped": [1.0]}, f"{PAIRED} (1,) and (1,)"),
    ("live.choice", {**MENU, "value": 2}, "kind must be one of [1], got 2"),
    ("live.choice", {**MENU, "value": True}, "kind must be one of [1], got True"),
    (
        "live.choice",
        {**MENU, "options": {"a": 0.1, "b": 1}, "value": True},
        "one of [0.1, 1]",
    ),
    ("site.build", {"notebooks": []}, "a site needs at least one notebook, got none"),
    ("site.shoot", {"name": "lesson"}, "cannot be shown: No module named 'dlcourse.lesson'"),
    ("site.shoot", {"name": "data"}, "module 'dlcourse.data' has no attribute 'panel'"),
    ("links.table", {"repo": None, "notebooks": [Path("no.ipynb")]}, UNREADABLE),
]


def named(name):
    module, *parts = name.split(".")
    return reduce(getattr, parts, importlib.import_module(f"dlcourse.{module}"))


def parameters(function):
    try:
        return set(inspect.signature(function).parameters)
    except ValueError:  # exceptions have none
        return set()


def kind_of(name, parameter):
    """Return the key in KINDS that says most of a parameter, or None."""
    if f"{name}.{parameter}" in set().union(*NOT_REFUSED.values()):
        return None
    first, last = name.partition(".")[0], name.rpartition(".")[2]
    keys = (f"{name}.{parameter}", f"{last}.{parameter}", f"{first}.{parameter}", parameter)
    return next((key for key in keys if key in KINDS), None)


def call(name, bad):
    result = named(name)(**VALID.get(name, {}) | bad)
    if isinstance(result, AbstractContextManager):
        with result:
            return
    if isinstance(result, live.Panel):
        result.close()


def told_by(function, *args):
    try:
        function(*args)
    except Exception as error:
        return type(error), str(error)
    return None, "nothing is refused"


CROSSED = [
    (name, parameter, kind_of(name, parameter))
    for name in VALID
    for parameter in sorted(parameters(named(name)))
    if kind_of(name, parameter)
]


@pytest.mark.parametrize("name", sorted(VALID.keys() - set().union(*NOT_RUN.values())))
def test_the_valid_call_is_valid(name):
    call(name, {})


@pytest.mark.parametrize(("name", "parameter", "kind"), CROSSED)
def test_bad_values_are_refused_in_words(name, parameter, kind):
    for value, exception, words in KINDS[kind]:
        raised, told = told_by(call, name, {parameter: value})
        assert raised is exception, f"{value!r}: {told}"
        assert words in told


@pytest.mark.parametrize(("name", "bad", "words"), TOGETHER)
def test_what_does_not_fit_together_is_refused_in_words(name, bad, words):
    raised, told = told_by(call, name, bad)
    assert raised is ValueError and words in told, told


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


def test_every_public_function_with_such_a_parameter_has_a_valid_call():
    called = {inspect.unwrap(named(name)) for name in VALID}
    missing = [
        name
        for name, value in public()
        if parameters(value) & LIKE_THESE
        and inspect.unwrap(value) not in called
        and name.rpartition(".")[2] not in set().union(*NOT_ASKED.values())
    ]
    assert not missing


def test_what_is_exempt_exists():
    names = {name.rpartition(".")[2] for name, _ in public()}
    assert set().union(*NOT_ASKED.values()) <= names
    assert set().union(*NOT_RUN.values()) <= VALID.keys()


def test_every_kind_is_used():
    assert KINDS.keys() == {kind for _, _, kind in CROSSED}
