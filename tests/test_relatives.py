"""Lesson 09: dropout's relatives under one oracle, PyTorch's versions, the panel, the exercises."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from scipy.stats import kstest, norm

from dlcourse import dropout, dropout_mask, live, relatives
from dlcourse.checks import check
from dlcourse.relatives import (
    RELATIVES,
    DropConnectLinear,
    alpha_constants,
    alpha_dropout,
    alpha_dropout_backward,
    channel_dropout,
    channel_dropout_backward,
    examine,
    gaussian_dropout,
    gaussian_dropout_backward,
)
from dlcourse.relatives.picture import INPUTS
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, legible

PS = (0, 0.01, 0.5, 0.99, 1)
SHOWN = list(INPUTS.values())
X = np.array([[0.5, -1.0, 2.0], [1.5, 0.0, -0.3]])  # two channels of three places
WEIGHT = np.array([[1.0, -2.0, 0.5], [0.0, 1.0, 3.0]])
DROPCONNECT = "DropConnect"

# --- The oracle ------------------------------------------------------------------------------

# name: the output's mean given x, its variance given x, and how often one output, and two
# neighbours together, are 0 where x is not 0
ALPHA = 1.6732632423543772 * 1.0507009873554805


def same_mean(x, p):
    return x if p < 1 else 0 * x


def same_variance(x, p):
    return x**2 * p / (1 - p) if p < 1 else 0 * x


def alpha_scale(p):
    return 1 / np.sqrt((1 - p) + p * (1 - p) * ALPHA**2) if p < 1 else 0.0


CASES = {
    "dropout": (same_mean, same_variance, lambda p: (p, p**2)),
    "Gaussian dropout": (same_mean, same_variance, lambda p: (0, 0)),
    "alpha dropout": (
        lambda x, p: (1 - p) * alpha_scale(p) * x,
        lambda x, p: p * (1 - p) * alpha_scale(p) ** 2 * (x + ALPHA) ** 2,
        lambda p: (0, 0) if p < 1 else (1, 1),
    ),
    "channel dropout": (same_mean, same_variance, lambda p: (p, p)),
    DROPCONNECT: (
        lambda x, p: (p < 1) * np.array([row @ WEIGHT.T for row in x]),
        lambda x, p: np.array([same_variance(WEIGHT * row, p).sum(axis=1) for row in x]),
        lambda p: (
            (p**3 + p**2) / 2,
            p**5,
        ),  # three weights that count, or two: one of the weights is 0
    ),
}


def layer_of(name):
    return relatives.dropconnect(WEIGHT) if name == DROPCONNECT else RELATIVES[name]


@pytest.mark.parametrize(
    ("name", "p"),
    [
        (name, p)
        for name, p in product(CASES, (0, 0.1, 0.5, 0.9, 1))
        if (name, p) != ("Gaussian dropout", 1)  # where it has no variance
    ],
)
def test_every_relative_answers_the_five_questions(name, p):
    """Tolerance 6 standard errors; 24 cases of at most 12 numbers: false alarm below 1e-6."""
    mean, variance, zeroed = CASES[name]
    x = np.where(X == 0, 0.7, X)
    found = examine(layer_of(name), x, p, draws=20_000, rng=1)
    np.testing.assert_allclose(found.mean_theory, mean(x, p), atol=1e-12)
    np.testing.assert_allclose(found.variance_theory, variance(x, p), atol=1e-12)
    assert found.within(6)
    assert found.mean_kept == bool(np.allclose(mean(x, p), found.full))
    for share, chance in zip((found.zeroed, found.zeroed_together), zeroed(p), strict=True):
        # channels go as blocks, so count no more than one independent unit a draw
        assert abs(share - chance) <= 6 * (chance * (1 - chance) / 20_000) ** 0.5
    assert found.eval_off < 1e-12
    assert found.gradient_off < 1e-7 * (1 + 1 / (1 - p) if p < 1 else 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_oracle_counts_in_float64(dtype):
    weights = relatives.dropconnect([[1.0, 2.0]])
    found = examine(weights, np.array([1, 2], dtype), 0.5, rng=0)
    assert found.within(6) and found.variance_theory == [17]  # p/(1 − p) · (1² + 4²)
    found = examine(RELATIVES["dropout"], np.array([300, 1], dtype), 0.5, rng=0)
    assert found.within(6) and found.variance_theory[0] == 90_000


def test_the_line_of_numbers_shows_the_whole_input():
    assert str(examine(RELATIVES["dropout"], [0.5], 0.0, rng=0)).startswith("0.5 → 0.50 ± 0.00")


@pytest.mark.parametrize("wrong", ["mean", "variance", "gradient", "evaluation", "zeros"])
def test_the_oracle_sees_what_is_wrong(wrong):
    right = RELATIVES["dropout"]
    changes = {
        "mean": {"forward": lambda x, p, mask: x * mask},
        "variance": {"forward": lambda x, p, mask: np.asarray(x) + 0.0},
        "gradient": {"backward": lambda grad, p, mask: grad * mask},
        "evaluation": {"evaluate": lambda x, p: (1 - p) * x},
        "zeros": {"draw": lambda shape, p, rng: np.arange(np.prod(shape)).reshape(shape) % 2 > 0},
    }
    layer = relatives.Relative(**{**vars(right), **changes[wrong]})
    found = examine(layer, np.ones((2, 3)), 0.5, rng=0)
    right_answers = (found.within(6), found.gradient_off < 1e-6, found.eval_off == 0)
    assert right_answers == (
        wrong not in ("mean", "variance", "zeros"),
        wrong not in ("gradient", "variance", "mean"),
        wrong != "evaluation",
    )


@pytest.mark.parametrize("name", [name for name in RELATIVES if name != "Gaussian dropout"])
@pytest.mark.parametrize("p", [0.25, 0.5, 0.8])
def test_moments_are_those_of_all_masks(name, p):
    """Enumerate all masks, of six units or two channels, with their probabilities."""
    layer, shape = RELATIVES[name], (1, 2) if name == "channel dropout" else (1, *X.shape)
    first = second = 0.0
    for kept in product([True, False], repeat=int(np.prod(shape))):
        chance = np.prod([1 - p if one else p for one in kept])
        y = layer.forward(X[None], p, np.array(kept).reshape(shape))
        first += chance * y.mean()
        second += chance * (y**2).mean()
    mean, spread = relatives.moments(name, X, p)
    assert (mean, spread**2) == pytest.approx((first, second - first**2), abs=1e-12)


def test_alpha_dropout_keeps_mean_0_and_variance_1_at_every_p():
    x = np.random.default_rng(0).standard_normal(1000)
    x = (x - x.mean()) / x.std()
    for p in (0, 0.01, 0.2, 0.5, 0.99):
        assert relatives.moments("alpha dropout", x, p) == pytest.approx((0, 1), abs=1e-12)
        mean, spread = relatives.moments("dropout", x, p)
        assert (mean, spread) == pytest.approx((0, (1 - p) ** -0.5), abs=1e-12)
    assert alpha_constants(0.5)[2] == pytest.approx(-0.78, abs=0.005)
    assert relatives.LOWEST == pytest.approx(torch.selu(torch.tensor(-60.0)).item(), abs=1e-6)
    assert alpha_constants(1) == (0, 0, 0)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_the_noise_is_shared_by_a_channel_and_not_by_outputs_of_dropconnect(p):
    """Correlations of 20,000 draws within 6/√20,000: false alarm below 1e-7."""
    n, rng = 20_000, np.random.default_rng(2)
    ones = np.ones((n, 2, 3))
    for layer, expected in ((dropout, 0), (channel_dropout, 1), (gaussian_dropout, 0)):
        y = layer(ones, p, rng=rng)
        assert np.corrcoef(y[:, 0, 0], y[:, 0, 1])[0, 1] == pytest.approx(expected, abs=0.045)
        assert np.corrcoef(y[:, 0, 0], y[:, 1, 0])[0, 1] == pytest.approx(0, abs=0.045)
    x, weight = np.ones((n, 8)), np.ones((2, 8))
    layer = DropConnectLinear(8, 2, p, bias=False, generator=torch.Generator().manual_seed(0))
    torch.nn.init.ones_(layer.weight)
    weights_gone = layer(torch.ones(n, 8)).detach().numpy()
    units_gone = dropout(x, p, rng=rng) @ weight.T
    assert np.corrcoef(weights_gone.T)[0, 1] == pytest.approx(0, abs=0.045)
    assert np.corrcoef(units_gone.T)[0, 1] == pytest.approx(1)
    variance = 8 * p / (1 - p)
    for y in (weights_gone, units_gone):  # 6 standard errors, of a sum that is nearly normal
        assert y[:, 0].var() == pytest.approx(variance, rel=6 * (2 / n) ** 0.5)


# --- Beside PyTorch --------------------------------------------------------------------------


def torch_pair(layer, shape, seed=0, dtype=torch.float64):
    """Return x, what PyTorch's layer makes of it, its gradient, and what it makes of ones."""
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    x.requires_grad_()
    torch.manual_seed(seed)
    y = layer(x)
    y.sum().backward()
    torch.manual_seed(seed)
    ones = layer(torch.ones(shape, dtype=dtype))
    return x.detach().numpy(), y.detach().numpy(), x.grad.numpy(), ones.numpy()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_alpha_dropout_is_that_of_pytorch_under_the_same_mask(p):
    x, y, grad, ones = torch_pair(torch.nn.AlphaDropout(p), (50, 20))
    mask = ones > 0
    np.testing.assert_allclose(alpha_dropout(x, p, mask=mask), y, atol=1e-6)
    np.testing.assert_allclose(alpha_dropout_backward(np.ones(x.shape), mask, p), grad, atol=1e-6)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (torch.nn.Dropout1d, (30, 7, 5)),
        (torch.nn.Dropout2d, (30, 7, 5, 4)),
        (torch.nn.Dropout3d, (30, 7, 2, 3, 2)),
    ],
)
def test_channel_dropout_is_that_of_pytorch_under_the_same_mask(layer, shape, p):
    x, y, grad, ones = torch_pair(layer(p), shape)
    mask = ones.reshape(30, 7, -1)[..., 0] > 0
    np.testing.assert_allclose(channel_dropout(x, p, mask=mask), y, atol=1e-12)
    back = channel_dropout_backward(np.ones(x.shape), mask, p)
    np.testing.assert_allclose(back, grad, atol=1e-12)


def test_dropout1d_of_a_2d_input_drops_rows():
    torch.manual_seed(0)
    y = torch.nn.Dropout1d(0.5)(torch.ones(200, 30)).numpy()
    assert (y == y[:, :1]).all() and 0 < (y[:, 0] == 0).sum() < 200


@pytest.mark.parametrize("p", [0.2, 0.8])
def test_gaussian_factors_are_normal(p):
    """Kolmogorov-Smirnov, p-value above 1e-4: with a fixed seed, and 1e-4 by chance."""
    y = gaussian_dropout(np.full(20_000, 3.0), p, rng=4)
    assert kstest(y / 3, norm(1, (p / (1 - p)) ** 0.5).cdf).pvalue > 1e-4


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9, 1.0])
@pytest.mark.parametrize("shape", [(6,), (5, 6), (2, 5, 6), (0, 6)])
def test_dropconnect_is_a_loop_over_examples_with_masked_weights(p, shape):
    layer = DropConnectLinear(6, 4, p, generator=torch.Generator().manual_seed(3)).double()
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    y = layer(x).detach().numpy()
    layer.dropout.generator.manual_seed(3)
    kept = (layer.dropout(torch.ones(*shape[:-1], 4, 6)) != 0).numpy()
    assert y.shape == (*shape[:-1], 4)
    weight, bias = (parameter.detach().numpy() for parameter in (layer.weight, layer.bias))
    for i in np.ndindex(shape[:-1]):
        scale = 1 / (1 - p) if p < 1 else 0
        np.testing.assert_allclose(y[i], (weight * kept[i] * scale) @ x[i].numpy() + bias)


def test_dropconnect_gives_every_example_its_own_mask_and_a_larger_p_drops_more():
    """Two of 50 masks of 40 weights are equal by chance with probability below 1e-8."""
    layer = DropConnectLinear(8, 5, 0.5, generator=torch.Generator().manual_seed(0))
    ones = torch.ones(50, 5, 8)
    assert len((layer.dropout(ones) != 0).reshape(50, -1).unique(dim=0)) == 50
    gone = torch.zeros(50, 5, 8, dtype=bool)
    for p in (0, 0.2, 0.5, 0.9, 1):
        layer.p = p
        layer.dropout.generator.manual_seed(0)
        now = layer.dropout(ones) == 0
        assert (gone <= now).all()
        gone = now
    assert gone.all()


def test_dropconnect_trains_its_weights_and_is_linear_in_eval():
    layer = DropConnectLinear(3, 2, 0.5, generator=torch.Generator().manual_seed(0)).double()
    x = torch.randn(4, 3, dtype=torch.float64)

    def loss(weight, bias):
        layer.dropout.generator.manual_seed(7)
        return torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (x,)).pow(2)

    assert torch.autograd.gradcheck(loss, (layer.weight, layer.bias))
    layer.eval()
    assert torch.equal(layer(x), torch.nn.functional.linear(x, layer.weight, layer.bias))
    assert repr(layer).startswith("DropConnectLinear(\n  in_features=3, out_features=2, bias=True")


def test_examining_dropconnect_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    examine(relatives.dropconnect(WEIGHT), X, 0.5, draws=10, rng=0)
    assert torch.equal(torch.rand(1), expected)


# --- Arguments -------------------------------------------------------------------------------

LAYERS = {
    gaussian_dropout: {"noise": np.ones(X[None].shape)},
    alpha_dropout: {"mask": np.ones(X[None].shape, bool)},
    channel_dropout: {"mask": np.ones((1, 2), bool)},
}


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_dtype_is_kept_x_is_not_touched_and_a_seed_repeats(layer, dtype):
    x = np.ones((3, 4, 5), dtype)
    y = layer(x, 0.5, rng=3)
    assert y.dtype == dtype and (x == 1).all() and y.shape == x.shape
    assert np.array_equal(y, layer(x, 0.5, rng=3))
    assert not np.array_equal(y, layer(x, 0.5, rng=4))
    rng = np.random.default_rng(3)
    assert not np.array_equal(layer(x, 0.5, rng=rng), layer(x, 0.5, rng=rng))
    off = layer(x, 0.5, training=False)
    assert np.array_equal(off, x) and not np.shares_memory(off, x)
    assert layer(np.ones((2, 2, 2), int), 0.5, rng=0).dtype == np.float64


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize(
    ("changed", "error", "words"),
    [
        ({"x": "a"}, TypeError, "x must be an array of real numbers, got 'a'"),
        ({"p": 50}, ValueError, "p must be a probability in [0, 1], got 50 (a percentage?)"),
        ({"p": "half"}, TypeError, "got 'half'"),
        ({"training": 3}, TypeError, "training must be True or False, got 3"),
        ({"rng": -1}, ValueError, "rng must be None, a seed >= 0"),
    ],
)
def test_layers_quote_what_is_wrong(layer, changed, error, words):
    with pytest.raises(error) as raised:
        layer(**{"x": X[None], "p": 0.5, **changed})
    assert words in str(raised.value)


@pytest.mark.parametrize(("layer", "given"), LAYERS.items())
def test_rng_and_draws_are_not_given_together(layer, given):
    with pytest.raises(ValueError, match=r"give rng or (mask|noise), not both, got rng=0"):
        layer(X[None], 0.5, rng=0, **given)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: gaussian_dropout(X, 1), ValueError, "p must be below 1 in Gaussian dropout, got"),
        (lambda: gaussian_dropout(X, noise=[1.0]), ValueError, "noise must have the shape of the"),
        (lambda: gaussian_dropout(X, noise="a"), TypeError, "noise must be an array of real"),
        (
            lambda: gaussian_dropout_backward(X, [1.0], 0.5),
            ValueError,
            "noise must have the shape of the array, (2, 3), got (1,): [1.0]",
        ),
        (lambda: alpha_dropout(X, mask=[True]), ValueError, "mask must have the shape of the"),
        (lambda: alpha_dropout(X, mask=X), TypeError, "mask must be bool (True = kept)"),
        (lambda: alpha_dropout_backward(X, X, 0.5), TypeError, "mask must be bool"),
        (lambda: alpha_constants(-1), ValueError, "p must be a probability in [0, 1], got -1"),
        (
            lambda: channel_dropout(X),
            ValueError,
            "x must have the axes (examples, channels, places, …), got shape (2, 3)",
        ),
        (
            lambda: channel_dropout(X[None], mask=np.ones((1, 2, 3), bool)),
            ValueError,
            "one bool for each example and channel, shape (1, 2), got shape (1, 2, 3)",
        ),
        (lambda: channel_dropout(X[None], mask=[[1, 0]]), TypeError, "mask must be bool"),
        (lambda: channel_dropout_backward(X, [[True]], 0.5), ValueError, "grad must have the"),
        (lambda: DropConnectLinear(0, 2), ValueError, "in_features must be an int >= 1, got 0"),
        (lambda: DropConnectLinear(2, 2.5), TypeError, "out_features must be an int >= 1, got"),
        (lambda: DropConnectLinear(2, 2, 50), ValueError, "got 50 (a percentage?)"),
        (lambda: DropConnectLinear(2, 2, bias=3), TypeError, "bias must be True or False, got 3"),
        (
            lambda: DropConnectLinear(2, 2, generator=0),
            TypeError,
            "generator must be a torch.Generator or None, got 0",
        ),
        (
            lambda: DropConnectLinear(2, 2)(torch.ones(3)),
            ValueError,
            "input must have a last axis of in_features = 2, got shape (3,)",
        ),
        (lambda: DropConnectLinear(2, 2)([1.0, 2.0]), TypeError, "input must be a torch.Tensor"),
        (
            lambda: DropConnectLinear(2, 2)(torch.ones(2, dtype=int)),
            TypeError,
            "dtype of the weights, torch.float32, got torch.int64",
        ),
        (lambda: examine("dropout", X, 0.5), TypeError, "relative must be a Relative, got 'drop"),
        (lambda: examine(RELATIVES["dropout"], [], 0.5), ValueError, "x must hold at least one"),
        (lambda: examine(RELATIVES["dropout"], X, 0.5, 1), ValueError, "draws must be an int >= 2"),
        (lambda: relatives.moments("dropuot", X, 0.5), ValueError, "name must be one of"),
        (lambda: relatives.moments("dropout", [], 0.5), ValueError, "x must hold at least one"),
        (lambda: relatives.dropconnect([1.0]), ValueError, "the axes (outputs, inputs), got"),
        (
            lambda: relatives.draw_spreads(None, {"droput": [[1.0]]}),
            ValueError,
            "a name must be one of ['without dropout', 'dropout', 'alpha dropout'], got 'droput'",
        ),
        (
            lambda: relatives.draw_spreads(None, {"dropout": [1.0]}),
            ValueError,
            "dropout must have the axes (networks, layers), got (1,)",
        ),
        (lambda: relatives.example("cat"), ValueError, "shown must be one of"),
    ],
)
def test_functions_quote_what_is_wrong(call, error, words):
    with pytest.raises(error) as raised:
        call()
    assert words in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [*BAD_STARTS, ({"shown": "cat"}, ValueError, "input must be one of")],
)
def test_panel_refuses_bad_values(arguments, error, words):
    assert_refused(relatives.panel, arguments, error, words)


# --- Common random numbers -------------------------------------------------------------------


def test_raising_p_drops_more_and_moves_smoothly():
    x, gone, channels_gone = np.ones((4, 5, 6)), None, None
    noise = gaussian_dropout(x, 0.5, rng=2) - 1  # of standard deviation 1
    for p in (0.1, 0.3, 0.7, 0.9):
        now = channel_dropout(x, p, rng=2) == 0
        assert channels_gone is None or (channels_gone <= now).all()
        units = np.isclose(alpha_dropout(x, p, rng=2), alpha_constants(p)[2])
        assert np.array_equal(units, ~dropout_mask(x.shape, p, rng=2))
        assert gone is None or (gone <= units).all()
        gone, channels_gone = units, now
        moved = gaussian_dropout(x, p, rng=2) - 1
        np.testing.assert_allclose(moved, noise * (p / (1 - p)) ** 0.5)


# --- The picture and the panel ---------------------------------------------------------------


def tiles(figure):
    """Return the places of the small images of a picture, in pixels."""
    corners = [image.get_extent() for image in figure.images]
    return [Bbox.from_extents(x0, y0, x1, y1) for x0, x1, y0, y1 in corners]


@pytest.mark.parametrize("shown", SHOWN)
@pytest.mark.parametrize("large", [False, True])
def test_the_picture_says_what_is_kept(shown, large):
    x = relatives.example(shown)
    ps = np.arange(0, 101, 5 if large else 1) / 100
    for p, figure, _, words in legible(relatives.scene, ps, large, seed=0, shown=shown):
        for tile in tiles(figure):
            touching = [text for text, box in words.items() if box.overlaps(tile)]
            assert not touching, (p, touching)
        mean, spread = relatives.moments("dropout", x, p)
        assert mean == pytest.approx(x.mean() if p < 1 else 0, abs=1e-12)
        gone = (~dropout_mask(x.shape, p, rng=0)).sum()
        assert f"{gone} of {x.size} to 0" in words
        if 0 < p < 1:
            number = f"{spread:.2f}" if spread < 9.995 else f"{spread:.1f}"
            assert f"spread {x.std():.2f}→{number}" in words
        if p == 0.5:
            assert f"{gone} to −0.78" in words
            assert ("spread 1.00, kept" in words) == (shown == "normal")
        if p == 1:
            assert "needs p below 1" in words


@pytest.mark.parametrize("shown", SHOWN)
def test_the_tiles_grow_with_the_picture(shown):
    width, height = live.SIZE
    figures = [Figure((width / 100, height / 100), dpi=dpi) for dpi in (100, 130)]
    for figure in figures:
        relatives.scene(figure, seed=0, shown=shown)
    ordinary, finer = ([box.extents for box in tiles(figure)] for figure in figures)
    # 144 pixels for 145.6, as each of 8 or 16 values in a row has whole ones.
    np.testing.assert_allclose(finer, 1.3 * np.array(ordinary), atol=2.5)


def test_the_inputs_are_what_the_lesson_says():
    normal, maps = relatives.example("normal"), relatives.example("maps")
    assert (normal.mean(), normal.std()) == pytest.approx((0, 1), abs=1e-12)
    assert maps.shape == (1, 4, 8, 8) and maps.min() == 0 and maps.max() == 1
    layer = relatives.neighbours()
    np.testing.assert_allclose(layer.sum(axis=1), 1)
    image = np.zeros((8, 8))
    image[3, 4] = 9
    blurred = (layer @ image.ravel()).reshape(8, 8)
    assert (blurred[2:5, 3:6] == 1).all() and blurred.sum() == 9


@pytest.mark.parametrize("shown", ["digit", "maps"])  # in the third a kept value may be as grey
def test_what_is_grey_stays_grey_where_p_rises(shown):
    _, show = drawn(relatives.scene, seed=3, shown=shown)
    kept_before = None
    for p in np.arange(0, 101, 5) / 100:
        pixels = np.array(show(p)[0].get_array())  # dropout's tile
        grey = (pixels == 228).all(axis=-1)  # style.DROPPED
        assert kept_before is None or (kept_before <= grey).all()
        kept_before = grey
    assert kept_before.mean() > 0.7


def test_panel_shows_the_same_picture_however_it_got_there():
    panel = relatives.panel(p=0.3)
    try:
        shown, _, new_draw = panel.controls
        new_draw.click()
        for value in (*SHOWN[::-1],):
            shown.value = value
            assert_no_history(panel, relatives.scene, PS, seed=1, shown=value)
        assert repr(panel) == "relatives.panel(p=1, seed=1, shown='digit')"
    finally:
        panel.close()


# --- What the lesson says a learner may have seen --------------------------------------------


def test_only_alpha_keeps_both_and_only_on_normal_units():
    for shown in SHOWN:
        x = relatives.example(shown)
        for p in (0.05, 0.5, 0.9):
            before = x.mean(), x.std()
            kept = {
                name: np.isclose(relatives.moments(name, x, p), before, atol=1e-9).tolist()
                for name in RELATIVES
            }
            of_alpha = kept.pop("alpha dropout")
            assert of_alpha == [shown == "normal"] * 2
            assert set(map(tuple, kept.values())) == {(True, False)}


def test_a_gaussian_factor_below_0_turns_the_sign():
    assert norm.cdf(0, 1, 1) == pytest.approx(0.16, abs=0.005)  # at p = 0.5
    assert norm.cdf(0, 1, 0.5) < 0.03  # at p = 0.2


# --- The exercises ---------------------------------------------------------------------------


def gaussian(x, p, rng):
    return x * rng.normal(1, np.sqrt(p / (1 - p)), x.shape)


@pytest.mark.parametrize(
    "answer",
    [
        gaussian,
        lambda x, p, rng: x * (1 + (p / (1 - p)) ** 0.5 * rng.standard_normal(x.shape)),
        lambda x, p, rng: x + x * rng.normal(0, (p / (1 - p)) ** 0.5, x.shape),
        lambda x, p, rng: gaussian_dropout(x, p, rng=rng),
        lambda x, p, rng: x * np.random.normal(1, (p / (1 - p)) ** 0.5, x.shape),  # noqa: NPY002
        lambda x, p, rng: x * (1 + torch.randn_like(x) * (p / (1 - p)) ** 0.5),
    ],
)
def test_gaussian_accepts_right_answers(answer):
    verdict = check("9.1", answer, relatives.gaussian_function)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, p, rng: x * rng.normal(1, p**0.5, x.shape), "the variance is p: it must be"),
        (lambda x, p, rng: x * rng.normal(1, p / (1 - p), x.shape), "is the root of p/(1 − p)"),
        (lambda x, p, rng: x * rng.normal(1, p, x.shape), "the standard deviation is p"),
        (lambda x, p, rng: x * rng.normal(1, ((1 - p) / p) ** 0.5, x.shape), "1 − p swapped?"),
        (lambda x, p, rng: x * rng.normal(1, (1 - p) / p, x.shape), "swapped, and the root"),
        (lambda x, p, rng: x * rng.normal(1, (p * (1 - p)) ** 0.5, x.shape), "p (1 − p), of a"),
        (lambda x, p, rng: x * rng.normal(1, (1 / (1 - p)) ** 0.5, x.shape), "a factor p missing"),
        (lambda x, p, rng: gaussian(x, p, rng) / (1 - p), "divided by 1 − p too?"),
        (lambda x, p, rng: x * rng.normal(1 - p, (p / (1 - p)) ** 0.5, x.shape), "mean 1 − p"),
        (lambda x, p, rng: x * rng.normal(0, (p / (1 - p)) ** 0.5, x.shape), "mean 0 in place"),
        (lambda x, p, rng: x + rng.normal(0, (p / (1 - p)) ** 0.5, x.shape), "is it added?"),
        (lambda x, p, rng: dropout(x, p, rng=rng), "switches nothing off"),
        (lambda x, p, rng: x, "draw with rng"),
        (
            lambda x, p, rng: rng.normal(1, (p / (1 - p)) ** 0.5, x.shape),
            "the result does not depend on x",
        ),
        (
            lambda x, p, rng: np.ones(x.shape) * rng.normal(1, (p / (1 - p)) ** 0.5),
            "the result does not depend on x",
        ),
        (lambda x, p, rng: x + rng.normal(0, 4 * p / (1 - p), x.shape), "is it added?"),
        (lambda x, p, rng: x * rng.normal(1, (p / (1 - p)) ** 0.5), "one number for all of x"),
        (
            lambda x, p, rng: x * rng.normal(1, (p / (1 - p)) ** 0.5, x.shape[1]),
            "every row has the same noise",
        ),
        (
            lambda x, p, rng: x * rng.normal(1, (p / (1 - p)) ** 0.5, (len(x), 1)),
            "one number a row",
        ),
        (
            lambda x, p, rng: gaussian(x, p, np.random.default_rng(0)),
            "the same noise at every call",
        ),
        (
            lambda x, p, rng: x * (1 + (3 * p / (1 - p)) ** 0.5 * rng.uniform(-1, 1, x.shape)),
            "the noise is not normal",
        ),
    ],
)
def test_gaussian_names_the_slip(answer, words):
    verdict = check("9.1", answer, relatives.gaussian_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def channels(x, p, rng):
    return x * (rng.random((*x.shape[:2], 1, 1)) >= p) / (1 - p)


@pytest.mark.parametrize(
    "answer",
    [
        channels,
        lambda x, p, rng: channel_dropout(x, p, rng=rng),
        lambda x, p, rng: np.where(rng.random(x.shape[:2])[..., None, None] < p, 0, x / (1 - p)),
        lambda x, p, rng: torch.nn.functional.dropout2d(x, p),
    ],
)
def test_channel_accepts_right_answers(answer):
    verdict = check("9.2", answer, relatives.channel_function)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, p, rng: x * (rng.random(x.shape) >= p) / (1 - p), "dropped in part"),
        (
            lambda x, p, rng: x * (rng.random((1, x.shape[1], 1, 1)) >= p) / (1 - p),
            "the same channels go in every image",
        ),
        (
            lambda x, p, rng: x * (rng.random((len(x), 1, 1, 1)) >= p) / (1 - p),
            "whole images go, all channels or none",
        ),
        (
            lambda x, p, rng: x * (rng.random((len(x), 1, *x.shape[2:])) >= p) / (1 - p),
            "places of an image go in all its channels",
        ),
        (
            lambda x, p, rng: x * (rng.random(x.shape[2:]) >= p) / (1 - p),
            "same places go in every channel",
        ),
        (
            lambda x, p, rng: x * (rng.random(x.shape[:2]) >= p) / (1 - p),
            "shape (images, channels, 1, 1)",
        ),
        (lambda x, p, rng: channels(x, p, rng) * (1 - p), "not rescaled?"),
        (lambda x, p, rng: channels(x, 1 - p, rng), "p and 1 − p swapped"),
        (lambda x, p, rng: channels(x, p, rng) / (1 - p), "scaled twice?"),
        (lambda x, p, rng: channels(x, p, np.random.default_rng(0)), "the same mask at every call"),
        (lambda x, p, rng: x, "nothing is dropped"),
        (
            lambda x, p, rng: channels(x[:, :, :1, :1] * np.ones(x.shape[2:]), p, rng),
            "the places of a map are scaled unlike at p = 0.3: multiply x by the mask",
        ),
    ],
)
def test_channel_names_the_slip(answer, words):
    verdict = check("9.2", answer, relatives.channel_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def connect(x, weight, p, rng):
    mask = rng.random((len(x), *weight.shape)) >= p
    return (weight * mask / (1 - p) * x[:, None, :]).sum(axis=2)


def connect_loop(x, weight, p, rng):
    return [(weight * (rng.random(weight.shape) >= p)) @ row / (1 - p) for row in x]


def connect_einsum(x, weight, p, rng):
    mask = dropout_mask((len(x), *weight.shape), p, rng=rng)
    return np.einsum("boi,oi,bi->bo", mask, weight, x) / (1 - p)


@pytest.mark.parametrize("answer", [connect, connect_loop, connect_einsum])
def test_dropconnect_accepts_right_answers(answer):
    verdict = check("9.3", answer, relatives.dropconnect_function)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, weight, p, rng: connect(x, weight, p, rng) * (1 - p), "not rescaled?"),
        (lambda x, weight, p, rng: connect(x, weight, p, rng) / (1 - p), "scaled twice?"),
        (lambda x, weight, p, rng: connect(x, weight, p, rng) * (1 - p) ** 2, "instead of divided"),
        (lambda x, weight, p, rng: connect(x, weight, 1 - p, rng), "expected 0.70"),
        (
            lambda x, weight, p, rng: (x * (rng.random(x.shape) >= p) / (1 - p)) @ weight.T,
            "dropout of units",
        ),
        (
            lambda x, weight, p, rng: x @ (weight * (rng.random(weight.shape) >= p)).T / (1 - p),
            "200 examples have the same mask",
        ),
        (
            lambda x, weight, p, rng: (
                (x @ weight.T) * (rng.random((len(x), len(weight))) >= p) / (1 - p)
            ),
            "outputs are dropped whole",
        ),
        (lambda x, weight, p, rng: x @ weight.T, "nothing is dropped"),
        (lambda x, weight, p, rng: x @ weight, "matmul"),
        (lambda x, weight, p, rng: 2 * x @ weight.T, "not x @ weight.T"),
        (
            lambda x, weight, p, rng: connect(x, weight, p, np.random.default_rng(0)),
            "the same mask at every call",
        ),
        (
            lambda x, weight, p, rng: x @ weight.T + p * rng.random((len(x), len(weight))),
            "no sums of weights times inputs",
        ),
        (
            lambda x, weight, p, rng: connect(x, weight, p, rng) * (1 - p) / p,
            "divided by p: p and 1 − p swapped in the scale?",
        ),
        (
            lambda x, weight, p, rng: connect(x, weight, p, rng) * (1 - p) * p,
            "multiplied by p instead of divided by 1 − p?",
        ),
    ],
)
def test_dropconnect_names_the_slip(answer, words):
    verdict = check("9.3", answer, relatives.dropconnect_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict
