"""The NumPy operation against enumeration, PyTorch and the binomial law.

What holds for every array function (dtypes, layouts, seeds, gradients) is in test_promises.py.

Statistical tests have fixed seeds. Each asks for a p-value above ALARM, so on new seeds the whole
file would raise a false alarm with probability < 1e-6 (fewer than 500 such tests).
"""

from __future__ import annotations

import itertools
import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import stats

from dlcourse import dropout, dropout_backward, dropout_mask, plain_dropout_mask, vanilla_dropout

ALARM = 1e-9
DRAWS = [dropout_mask, plain_dropout_mask]
LAYERS = [dropout, vanilla_dropout]
BIT_GENERATORS = [np.random.MT19937, np.random.PCG64, np.random.SFC64, np.random.Philox]
FLOATS = [np.float16, np.float32, np.float64]

probabilities = st.floats(0, 1)
shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5)


def moderate_arrays(dtype):
    return hnp.arrays(dtype, shapes, elements=st.floats(-100, 100, width=16))


def assert_binomial(successes, trials, probability):
    assert stats.binomtest(int(successes), int(trials), probability).pvalue > ALARM


# The mask


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("p", [2**-12, 0.01, 0.1, 0.25, 0.3, 0.5, 0.7, 0.9, 1 - 2**-12])
def test_units_are_kept_with_probability_1_minus_p(draw, p):
    mask = draw((1000, 1003), p, rng=1)
    assert_binomial(mask.sum(), mask.size, 1 - p)


@pytest.mark.parametrize("bits", BIT_GENERATORS)
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_every_bit_generator_gives_the_same_law(bits, p):
    mask = dropout_mask(1_000_000, p, np.random.Generator(bits(2)))
    assert_binomial(mask.sum(), mask.size, 1 - p)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("p", [0.3, 0.5, 0.9])
@pytest.mark.parametrize("lag", [1, 2, 4, 8, 16, 1000, 2000])
def test_units_are_independent(draw, p, lag):
    # Pairs that do not overlap: both kept is binomial. A lag of 1000 is one row below.
    units = draw((1000, 1000), p, rng=3).reshape(-1)
    pairs = units[: units.size // (2 * lag) * 2 * lag].reshape(-1, 2, lag)
    both = pairs[:, 0] & pairs[:, 1]
    assert_binomial(both.sum(), both.size, (1 - p) ** 2)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize("p", [0.3, 0.5])
def test_calls_are_independent(draw, p):
    rng = np.random.default_rng(4)
    both = draw((1000, 1000), p, rng) & draw((1000, 1000), p, rng)
    assert_binomial(both.sum(), both.size, (1 - p) ** 2)


@pytest.mark.parametrize("draw", DRAWS)
def test_number_of_kept_units_in_a_row_is_binomial(draw):
    n, p, rows = 10, 0.3, 200_000
    kept = draw((rows, n), p, rng=5).sum(axis=1)
    expected = rows * stats.binom(n, 1 - p).pmf(range(n + 1))
    merged = np.add.reduceat(expected, [0, 2, *range(3, n + 1)])
    seen = np.add.reduceat(np.bincount(kept, minlength=n + 1), [0, 2, *range(3, n + 1)])
    assert stats.chisquare(seen, merged).pvalue > ALARM


def test_fraction_dropped_is_p_for_all_p_at_once():
    # Dvoretzky-Kiefer-Wolfowitz: P(largest deviation > d) <= 2 exp(-2 n d**2) for the one set of
    # n random numbers that a seed stands for.
    n = 1_000_000
    largest = np.sqrt(np.log(2 / ALARM) / (2 * n))
    for p in np.linspace(0, 1, 153):
        assert abs(np.mean(~dropout_mask(n, p, rng=6)) - p) < largest


def smallest_p_that_drops(seed):
    low, high = 0.0, 1.0
    while high - low > 2**-40:
        middle = (low + high) / 2
        low, high = (middle, high) if dropout_mask(1, middle, rng=seed)[0] else (low, middle)
    return high


def test_p_is_compared_with_a_number_of_32_bits():
    # The number is k / 2**32, and p is rounded to the nearest such number, so a unit starts to be
    # dropped half a step above k: the keep probability is within 2**-33 of 1 - p.
    steps = np.array([smallest_p_that_drops(seed) for seed in range(300)]) * 2**32 - 0.5
    k = np.round(steps)
    assert np.abs(steps - k).max() <= 2**-8
    assert stats.kstest(k / 2**32, "uniform").pvalue > ALARM
    assert stats.kstest((k % 2**24) / 2**24, "uniform").pvalue > ALARM


def test_a_unit_is_kept_from_its_number_on(monkeypatch):
    # Eight units whose first 8 bits are 3 and whose other 24 are 0 to 7, in place of random ones.
    class Words:
        def integers(self, *args, size, **kwargs):
            return np.frombuffer(bytes([3] * 8 * size), np.uint64)

    class Rest:
        def integers(self, *args, size):
            return np.arange(size)

    monkeypatch.setattr("dlcourse._validate.generator", lambda rng: Words())
    monkeypatch.setattr("numpy.random.default_rng", lambda seed: Rest())
    for rest in range(9):
        mask = dropout_mask(8, 3 / 2**8 + rest / 2**32)
        assert mask.tolist() == [number >= rest for number in range(8)]
    assert dropout_mask(8, 3 / 2**8 - 1 / 2**32).all()
    assert not dropout_mask(8, 4 / 2**8).any()


@settings(deadline=None)
@given(shapes, st.integers(0, 2**128), probabilities, probabilities)
def test_larger_p_drops_a_superset(shape, seed, p, q):
    less, more = (dropout_mask(shape, r, rng=seed) for r in sorted((p, q)))
    assert less.shape == more.shape == shape
    assert less.dtype == more.dtype == np.bool_
    assert not np.any(more & ~less)


@settings(deadline=None)
@given(st.sampled_from([n / 256 for n in range(257)]), st.integers(-(2**25), 2**25))
def test_larger_p_drops_a_superset_across_the_first_8_bits(p, offset):
    q = min(max(p + offset / 2**32, 0.0), 1.0)
    less, more = (dropout_mask(5000, r, rng=7) for r in sorted((p, q)))
    assert not np.any(more & ~less)


@pytest.mark.parametrize("bits", BIT_GENERATORS)
@pytest.mark.parametrize("shape", [(), 0, 1, 7, 8, 9, (3, 50)])
def test_what_is_drawn_does_not_depend_on_p(bits, shape):
    def next_number(layer, p):
        rng = np.random.Generator(bits(8))
        layer(p, rng)
        return rng.random()

    mask = {next_number(lambda p, rng: dropout_mask(shape, p, rng), p) for p in (0, 0.3, 0.5, 1)}
    x = np.ones(shape)
    layers = {
        next_number(lambda p, rng, f=f: f(x, p, rng=rng), p)
        for f in LAYERS
        for p in (0, 0.3, 0.5, 1)
    }
    assert mask == layers and len(mask) == 1
    assert mask != {np.random.Generator(bits(8)).random()}


# The layers


@pytest.mark.parametrize("dtype", FLOATS)
@settings(deadline=None)
@given(data=st.data(), p=st.floats(0, 0.99), seed=st.integers(0, 2**32))
def test_dropout_is_x_times_mask_over_keep(dtype, data, p, seed):
    x = data.draw(moderate_arrays(dtype))
    before = x.copy()
    mask = dropout_mask(x.shape, p, rng=seed)
    wide = np.float64 if dtype == np.float64 else np.float32
    inverted = dropout(x, p, rng=seed)
    tolerance = {"rtol": 2 * np.finfo(dtype).eps, "atol": np.finfo(dtype).smallest_subnormal}
    np.testing.assert_allclose(
        inverted.astype(wide), np.where(mask, x.astype(wide) / wide(1 - p), 0), **tolerance
    )
    assert np.array_equal(vanilla_dropout(x, p, rng=seed), np.where(mask, x, 0))
    assert np.array_equal(inverted, dropout(x, p, mask=mask))
    assert np.array_equal(inverted, dropout_backward(x, mask, p))
    assert np.array_equal(x, before)
    assert inverted.dtype == dtype and inverted.shape == x.shape


@pytest.mark.parametrize("layer", LAYERS)
@settings(deadline=None)
@given(x=moderate_arrays(np.float64), p=st.floats(0, 1))
def test_test_time(layer, x, p):
    factor = 1 if layer is dropout else 1 - p
    result = layer(x, p, training=False)
    np.testing.assert_array_equal(result, x * factor)
    assert not np.shares_memory(result, x)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("layer", LAYERS)
def test_dropped_units_are_positive_zero_whatever_they_were(layer, dtype):
    x = np.array([np.inf, -np.inf, np.nan, -1, 60000, 1], dtype)
    drop_all = np.zeros(6, bool)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for result in (
            layer(x, 0.5, mask=drop_all),
            layer(x, 1),
            dropout(x, 1, mask=~drop_all),  # there is no scale at p = 1
            dropout_backward(x, drop_all, 0.5),
            vanilla_dropout(x, 1, training=False),
        ):
            assert np.array_equal(result, np.zeros(6)) and not np.signbit(result).any()
        kept = layer(x[:3], 0.5, mask=np.ones(3, bool))
    np.testing.assert_array_equal(kept, x[:3])


def test_vanilla_dropout_keeps_what_the_mask_keeps_whatever_p_is():
    for p in (0, 0.5, 1):
        assert vanilla_dropout([1.0, 2.0], p, mask=[True, False]).tolist() == [1, 0]


@pytest.mark.parametrize("p", [1 - 2**-17, 1 - 2**-30, np.nextafter(1, 0)])
def test_float16_survives_a_scale_it_cannot_hold(p):
    x = np.array([0, 6e-8, 6e-8], np.float16)
    with np.errstate(over="ignore"):
        result = dropout(x, p, mask=[True, True, False])
    exact = np.float64(x[1]) / (1 - p)
    assert result[0] == result[2] == 0
    assert result[1] == (np.float16(exact) if exact < 65504 else np.inf)


def test_p_just_below_1_drops_nearly_all():
    for p in (np.nextafter(1, 0), 1 - 2**-32, 1 - 2**-31):
        assert dropout_mask(100_000, p, rng=12).sum() == 0  # probability < 5e-5 otherwise


@pytest.mark.parametrize("p", [0.2, 0.5, 0.7])
def test_moments_over_all_masks(p):
    x = np.array([1.5, -2.0, 0.25, 3.0])
    masks = [np.array(m) for m in itertools.product([False, True], repeat=4)]
    weights = np.array([(1 - p) ** m.sum() * p ** (~m).sum() for m in masks])
    inverted = np.array([dropout(x, p, mask=m) for m in masks])
    vanilla = np.array([vanilla_dropout(x, p, mask=m) for m in masks])
    np.testing.assert_allclose(weights @ inverted, dropout(x, p, training=False), atol=1e-12)
    np.testing.assert_allclose(weights @ vanilla, vanilla_dropout(x, p, False), atol=1e-12)
    np.testing.assert_allclose(weights @ (inverted - x) ** 2, x**2 * p / (1 - p), atol=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.9, 1.0])
def test_forward_and_backward_agree_with_pytorch(p):
    rng = np.random.default_rng(14)
    x, grad = rng.normal(size=(20, 30)), rng.normal(size=(20, 30))
    torch.manual_seed(0)
    mask = torch.nn.functional.dropout(torch.ones(20, 30, dtype=torch.float64), p).numpy() != 0
    torch.manual_seed(0)
    tensor = torch.tensor(x, requires_grad=True)
    output = torch.nn.functional.dropout(tensor, p)
    output.backward(torch.tensor(grad))
    np.testing.assert_allclose(dropout(x, p, mask=mask), output.detach(), atol=1e-10)
    np.testing.assert_allclose(dropout_backward(grad, mask, p), tensor.grad, atol=1e-10)


# What is refused

BAD_P = [
    (50, ValueError, "[0, 1], got 50 (a percentage?)"),
    (1.2, ValueError, "got 1.2 (a percentage?)"),
    (-0.2, ValueError, "got -0.2"),
    (101, ValueError, "got 101"),
    (10**400, ValueError, "got 1000"),
    (float("nan"), ValueError, "got nan"),
    (float("inf"), ValueError, "got inf"),
    (np.float32(2), ValueError, "got 2.0"),
    ("0.5", TypeError, "got '0.5' (a string"),
    (None, TypeError, "got None"),
    (True, TypeError, "got True (training=True?)"),
    (np.bool_(False), TypeError, "got False (training=False?)"),
    ([0.5], TypeError, "got [0.5] (one number"),
    (np.full(2, 0.5), TypeError, "got array([0.5, 0.5])"),
    (np.array([[0.5]]), TypeError, "got array([[0.5]])"),
    (0.5j, TypeError, "got 0.5j"),
    (torch.tensor(0.5), TypeError, "got tensor(0.5"),
]

TAKES_P = {
    "dropout": lambda p: dropout(np.ones(2), p),
    "dropout, test time": lambda p: dropout(np.ones(2), p, training=False),
    "vanilla_dropout": lambda p: vanilla_dropout(np.ones(2), p),
    "dropout_backward": lambda p: dropout_backward(np.ones(2), [True, True], p),
    "dropout_mask": lambda p: dropout_mask(2, p),
    "plain_dropout_mask": lambda p: plain_dropout_mask(2, p),
}


@pytest.mark.parametrize("call", TAKES_P.values(), ids=TAKES_P)
@pytest.mark.parametrize("p, error, message", BAD_P)
def test_bad_p(call, p, error, message):
    with pytest.raises(error, match="p must be a probability in .*" + re.escape(message)):
        call(p)


x2 = np.ones((2, 3))
BAD_CALLS = [
    (lambda f: f(["a", "b"]), TypeError, "x must be an array of real numbers, got ['a', 'b']"),
    (lambda f: f("abc"), TypeError, "got 'abc'"),
    (lambda f: f(None), TypeError, "got None"),
    (lambda f: f([1 + 2j]), TypeError, "got [(1+2j)] (dtype complex128)"),
    (lambda f: f([[1, 2], [3]]), ValueError, "got [[1, 2], [3]] (rows of different lengths?)"),
    (lambda f: f([{}]), TypeError, "got [{}] (dtype object)"),
    (lambda f: f(np.zeros(1, "M8[s]")), TypeError, "(dtype datetime64[s])"),
    (lambda f: f(torch.ones(2, requires_grad=True)), TypeError, "(dlcourse.Dropout?)"),
    (lambda f: f(torch.ones(2, dtype=torch.bfloat16)), TypeError, "got tensor([1., 1.]"),
    (lambda f: f(x2, mask=np.ones((3, 2), bool)), ValueError, "of the array, (2, 3), got (3, 2)"),
    (lambda f: f(x2, mask=np.ones(3, bool)), ValueError, "(2, 3), got (3,)"),
    (lambda f: f(x2, mask=True), ValueError, "(2, 3), got (): True"),
    (lambda f: f(x2, mask=np.ones((2, 3), int)), TypeError, "kept), got dtype int64 (mask.astype"),
    (lambda f: f(x2, mask=np.ones((2, 3))), TypeError, "got dtype float64 (mask.astype(bool)?)"),
    (lambda f: f(x2, mask="abc"), TypeError, "'abc'"),
    (lambda f: f(x2, mask=[[True], [True, False]]), TypeError, "got [[True], [True, False]]"),
    (lambda f: f(x2, mask=np.ones((3, 2), bool), training=False), ValueError, "got (3, 2)"),
    (lambda f: f(x2, rng=1, mask=x2 > 0), ValueError, "give rng or mask, not both, got rng=1"),
    (lambda f: f(x2, training=0.3), TypeError, "training must be True or False, got 0.3"),
    (lambda f: f(x2, 0.5, None), TypeError, "training must be True or False, got None"),
    (lambda f: f(x2, rng=True), TypeError, "rng must be None, a seed >= 0 or a numpy.random.Gen"),
    (lambda f: f(x2, rng=-1), ValueError, "numpy.random.Generator, got -1"),
    (lambda f: f(x2, rng=1.0), TypeError, "got 1.0"),
    (lambda f: f(x2, rng="1"), TypeError, "got '1'"),
    (lambda f: f(x2, rng=np.random.RandomState(0)), TypeError, "numpy.random.default_rng(seed)?"),
    (lambda f: f(x2, rng=np.random), TypeError, "numpy.random.default_rng(seed)?"),
    (lambda f: f(x2, rng=torch.Generator()), TypeError, "got <torch._C.Generator"),
    (lambda f: f(x2, rng="1", training=False), TypeError, "got '1'"),
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("call, error, message", BAD_CALLS)
def test_bad_calls(layer, call, error, message):
    with pytest.raises(error, match=re.escape(message)):
        call(layer)


@pytest.mark.parametrize("draw", DRAWS)
@pytest.mark.parametrize(
    "shape, error",
    [
        (-1, ValueError),
        ((2, -3), ValueError),
        ((10**10, 10**10), ValueError),
        (2.0, TypeError),
        ((2, 3.5), TypeError),
        ("23", TypeError),
        (("2",), TypeError),
        (None, TypeError),
        (True, TypeError),
        ((2, True), TypeError),
        ({2}, TypeError),
        (np.ones(2), TypeError),
        (np.ones((2, 2), int), TypeError),
    ],
)
def test_bad_shapes(draw, shape, error):
    quote = " ".join(repr(shape).split())
    message = f"shape must be an int >= 0 or a tuple of them, got {quote}"
    with pytest.raises(error, match=re.escape(message)):
        draw(shape, 0.5)


def test_backward_refuses_what_forward_refuses():
    with pytest.raises(TypeError, match=r"grad must be .* got 'abc'"):
        dropout_backward("abc", [True], 0.5)
    with pytest.raises(TypeError, match="dtype int64"):
        dropout_backward([1.0], [1], 0.5)
    with pytest.raises(ValueError, match=r"\(1,\), got \(2,\)"):
        dropout_backward([1.0], [True, False], 0.5)
