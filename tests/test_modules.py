"""The PyTorch layer: what it promises beyond `torch.nn.Dropout`, and what it refuses.

What both promise is in test_promises.py.

Statistical tests have fixed seeds. Each asks for a p-value above ALARM, so on new seeds the whole
file would raise a false alarm with probability < 1e-6 (fewer than 500 such tests).
"""

from __future__ import annotations

import copy
import io
import pickle
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from dlcourse import Dropout

ALARM = 1e-9
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def seeded(p=0.5, seed=0, **kwargs):
    return Dropout(p, generator=torch.Generator().manual_seed(seed), **kwargs)


def assert_binomial(successes, trials, probability):
    assert stats.binomtest(int(successes), int(trials), probability).pvalue > ALARM


def outcome(call):
    """Return the result of the call, or the type and first sentence of its error."""
    try:
        return call()
    except Exception as error:
        return type(error), str(error).split(".")[0]


# The law


@pytest.mark.parametrize("p", [2**-12, 0.1, 0.3, 0.5, 0.9, 1 - 2**-12])
@pytest.mark.parametrize("make", [Dropout, seeded])
def test_elements_are_kept_with_probability_1_minus_p(make, p):
    torch.manual_seed(1)
    kept = make(p)(torch.ones(1000, 1003)) != 0
    assert_binomial(kept.sum(), kept.numel(), 1 - p)


@pytest.mark.parametrize("p", [0.3, 0.5])
@pytest.mark.parametrize("lag", [1, 2, 4, 1000])
def test_elements_are_independent(p, lag):
    # Pairs that do not overlap: both kept is binomial. A lag of 1000 is one row below.
    kept = (seeded(p, 2)(torch.ones(1000, 1000)) != 0).view(-1, 2, lag)
    both = kept[:, 0] & kept[:, 1]
    assert_binomial(both.sum(), both.numel(), (1 - p) ** 2)


@pytest.mark.parametrize("p", [0.3, 0.5])
def test_calls_are_independent(p):
    layer, ones = seeded(p, 3), torch.ones(1000, 1000)
    both = (layer(ones) != 0) & (layer(ones) != 0)
    assert_binomial(both.sum(), both.numel(), (1 - p) ** 2)


def smallest_p_that_drops(seed):
    low, high = 0.0, 1.0
    while high - low > 2**-40:
        middle = (low + high) / 2
        kept = seeded(middle, seed)(torch.ones(1)).item() != 0
        low, high = (middle, high) if kept else (low, middle)
    return high


def test_p_is_compared_with_a_number_of_32_bits():
    # The number is k / 2**32, and p is rounded to the nearest such number, so an element starts
    # to be dropped half a step above k: the keep probability is within 2**-33 of 1 - p.
    steps = np.array([smallest_p_that_drops(seed) for seed in range(100)]) * 2**32 - 0.5
    k = np.round(steps)
    assert np.abs(steps - k).max() <= 2**-8
    assert stats.kstest(k / 2**32, "uniform").pvalue > ALARM
    assert stats.kstest((k % 2**16) / 2**16, "uniform").pvalue > ALARM


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 5), max_size=4),
    st.integers(0, 2**63),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_larger_p_drops_a_superset(shape, seed, p, q):
    less, more = (seeded(r, seed)(torch.ones(shape)) != 0 for r in sorted((p, q)))
    assert not torch.any(more & ~less)


def test_what_is_drawn_does_not_depend_on_p():
    after = set()
    for p in (0.0, 0.3, 0.5, 1.0):
        layer = seeded(p)
        layer(torch.ones(3, 7))
        after.add(torch.rand((), generator=layer.generator).item())
    assert len(after) == 1
    assert after != {torch.rand((), generator=torch.Generator().manual_seed(0)).item()}


@pytest.mark.parametrize("p", [1 - 2**-53, 1 - 2**-33, 2**-40, 5e-324])
def test_p_close_to_0_or_1(p):
    output = Dropout(p)(torch.ones(10_000))
    assert torch.all(output == (p < 0.5))  # probability < 1e-5 otherwise


# Values, dtypes and layouts


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_output_is_input_times_mask_over_keep(inplace, dtype, p):
    x = torch.linspace(-3, 3, 1000).to(dtype)
    kept = seeded(p, 5)(torch.ones(1000)) != 0
    output = seeded(p, 5, inplace=inplace)(x.clone())
    expected = torch.where(kept, x.double() / (1 - p), 0)
    torch.testing.assert_close(
        output.double(), expected, rtol=2 * torch.finfo(dtype).eps, atol=1e-12
    )


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", FLOATS)
def test_p_1_gives_zeros_where_the_input_or_the_gradient_is_infinite(inplace, dtype):
    x = torch.tensor([1, torch.inf, -torch.inf, torch.nan], dtype=dtype, requires_grad=True)
    output = Dropout(1, inplace)(x.clone())
    output.backward(torch.full((4,), torch.inf, dtype=dtype))
    assert torch.equal(output, torch.zeros(4, dtype=dtype))
    assert torch.equal(x.grad, torch.zeros(4, dtype=dtype))


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool])
def test_p_1_gives_zeros_of_any_dtype(inplace, dtype):
    zeros = torch.zeros(3, dtype=dtype)
    assert torch.equal(Dropout(1, inplace)(torch.tensor([1, 0, 1]).to(dtype)), zeros)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_dropped_elements_are_zero_when_the_scale_overflows(dtype):
    x = torch.full((10_000,), 6e-5, dtype=dtype)
    output = seeded(1 - 2**-17)(x)
    assert torch.equal(output.unique(), torch.zeros(1, dtype=dtype))
    p = 0.999
    kept = seeded(p)(x).max().double()
    torch.testing.assert_close(kept, x[0].double() / (1 - p), rtol=0.01, atol=0)


def layouts():
    x = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5) + 1
    yield "channels_last", x.contiguous(memory_format=torch.channels_last)
    yield "transposed", x.transpose(0, 3)
    yield "strided", x[:, ::2, :, 1::2]
    yield "expanded", x[:1].expand(4, 3, 4, 5)
    yield "offset", x[1]


@pytest.mark.parametrize("layout, x", list(layouts()), ids=[name for name, _ in layouts()])
def test_layout_does_not_change_the_values(layout, x):
    output = seeded()(x)
    assert torch.equal(output, seeded()(x.contiguous()))
    assert 0 < (output == 0).sum() < output.numel()
    if layout != "expanded":
        given = x.clone(memory_format=torch.preserve_format)
        assert seeded(inplace=True)(given) is given
        assert torch.equal(given, output)


# Gradients


def test_gradient_is_that_of_mask_over_keep():
    x = torch.randn(50, 40, dtype=torch.float64, requires_grad=True)
    grad = torch.randn(50, 40, dtype=torch.float64)
    kept = seeded(0.3)(torch.ones(50, 40)) != 0
    seeded(0.3)(x).backward(grad)
    torch.testing.assert_close(x.grad, grad * kept / 0.7, rtol=0, atol=1e-10)


def use_leaf(layer):
    layer(torch.ones(3, requires_grad=True))


def use_expanded(layer):
    layer(torch.ones(1).expand(3))


def use_result_that_is_needed(layer, function):
    layer(function(torch.ones(3, requires_grad=True))).sum().backward()


SITUATIONS = {
    "leaf": use_leaf,
    "expanded": use_expanded,
    **{
        f.__name__: lambda layer, f=f: use_result_that_is_needed(layer, f)
        for f in (torch.relu, torch.sigmoid, torch.exp, torch.sin, torch.tanh, torch.neg)
    },
    "view of a leaf": lambda layer: use_result_that_is_needed(layer, lambda x: x[:2]),
    "leaf, no_grad": torch.no_grad()(use_leaf),
}


@pytest.mark.parametrize("situation", SITUATIONS.values(), ids=SITUATIONS)
@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("training", [True, False])
def test_inplace_fails_when_nn_dropout_does(situation, p, training):
    ours, theirs = (
        outcome(lambda kind=kind: situation(kind(p, inplace=True).train(training)))
        for kind in (Dropout, torch.nn.Dropout)
    )
    assert ours == theirs


def test_the_situations_do_fail():
    for name in ("leaf", "expanded", "sigmoid", "relu"):
        assert outcome(lambda n=name: SITUATIONS[n](Dropout(inplace=True)))[0] is RuntimeError


# A module like the others


def torch_saved(layer):
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


@pytest.mark.parametrize(
    "duplicate", [copy.deepcopy, lambda d: pickle.loads(pickle.dumps(d)), torch_saved]
)
def test_copies_go_on_from_the_same_state_on_their_own(duplicate):
    layer = seeded(0.3, inplace=True).eval()
    layer.train()(torch.ones(7))
    twin = duplicate(layer)
    assert (twin.p, twin.inplace, twin.training) == (0.3, True, True)
    assert twin.generator is not layer.generator
    assert twin.generator.device == layer.generator.device
    assert torch.equal(layer(torch.ones(50)), twin(torch.ones(50)))
    assert repr(duplicate(Dropout(0.2))) == "Dropout(p=0.2, inplace=False)"


@pytest.mark.parametrize("device", DEVICES)
def test_device_of_the_input(device):
    x = torch.ones(1000, device=device)
    for layer in (Dropout(), Dropout(generator=torch.Generator(device).manual_seed(0))):
        output = layer(x)
        assert output.device == x.device
        assert_binomial((output != 0).sum(), 1000, 0.5)


# What is refused

BAD_P = [
    (50, ValueError, "got 50 (a percentage?)"),
    (-0.2, ValueError, "got -0.2"),
    (float("nan"), ValueError, "got nan"),
    ("0.5", TypeError, "got '0.5'"),
    (None, TypeError, "got None"),
    (True, TypeError, "got True (training=True?)"),
    ([0.5], TypeError, "got [0.5]"),
    (torch.tensor(0.5), TypeError, "got tensor(0.5"),
]


@pytest.mark.parametrize("p, error, message", BAD_P)
def test_bad_p(p, error, message):
    whole = "p must be a probability in [0, 1], " + message
    with pytest.raises(error, match=re.escape(whole)):
        Dropout(p)
    layer = Dropout(0.3)
    with pytest.raises(error, match=re.escape(whole)):
        layer.p = p
    assert layer.p == 0.3


@pytest.mark.parametrize("generator", [0, np.random.default_rng(0), True, "cpu"])
def test_bad_generator(generator):
    message = f"generator must be a torch.Generator or None, got {generator!r}"
    with pytest.raises(TypeError, match=re.escape(message)):
        Dropout(generator=generator)


def test_a_generator_set_later_is_checked_too():
    layer = Dropout()
    with pytest.raises(TypeError, match="got 3"):
        layer.generator = 3


@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64, torch.float8_e5m2])
@pytest.mark.parametrize("inplace", [False, True])
def test_dtypes_that_are_refused(dtype, inplace):
    x = torch.ones(3).to(dtype)
    if dtype != torch.complex64:  # which nn.Dropout takes from some release on
        assert outcome(lambda: torch.nn.Dropout(0.5, inplace)(x.clone()))[0] in (
            RuntimeError,
            NotImplementedError,
        )
    message = f"input must be a tensor of floats (16, 32 or 64 bits), got dtype {dtype}"
    with pytest.raises(TypeError, match=re.escape(message)):
        Dropout(0.5, inplace)(x)
    for quiet in (Dropout(0.5, inplace).eval(), Dropout(0.0, inplace)):
        assert quiet(x) is x


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("x", [1.0, [1.0], None, "abc", np.float32(1)])
def test_input_that_is_no_tensor(x, training):
    quote = re.escape(repr(x.item() if isinstance(x, np.generic) else x))
    with pytest.raises(TypeError, match=f"input must be a torch.Tensor, got {quote}"):
        Dropout().train(training)(x)


def test_bad_inplace():
    with pytest.raises(TypeError, match=re.escape("inplace must be True or False, got 0.5")):
        Dropout(0.5, 0.5)
