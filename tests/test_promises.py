"""What PyTorch promises of its own dropout, as one table of cases for its layer and for ours.

A case takes a maker of layers, called with p and inplace. It is run for `nn.Dropout`, which proves
the case, and for our layer with and without a generator. Where ours differs on purpose, a row in
EXEMPTIONS says why, and what holds instead. A second table holds the same of the NumPy functions,
beside a plain formula that proves those cases. Of a case with several settings each value meets
each value of the others, and each layer, at least once.

Statistical cases have fixed seeds. Each has a probability below 1e-9 of failing on a new seed.
"""

from __future__ import annotations

import copy
import io
import itertools
import pickle
import shutil
import sys
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.func import functional_call, grad, jacfwd, jacrev, jvp, vjp, vmap
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils.checkpoint import checkpoint

import dlcourse
from dlcourse import dropout_backward, dropout_mask, plain_dropout_mask, vanilla_dropout
from dlcourse.monte_carlo import mc_dropout

ALARM = 1e-9
FLOATS = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
PS = [0.0, 0.4, 1.0]
SHAPES = [(), (7,), (2, 3, 4, 5, 6)]
EMPTY = [(0,), (3, 0)]
BOTH = [False, True]
# Inductor compiles C++, with a compiler that not every machine has.
INDUCTOR = ["inductor"] if sys.platform == "linux" and shutil.which("g++") is not None else []

# One small program: workers and headers for more would take longer than the program.
OPTIONS = {"inductor": {"compile_threads": 1, "cpp_cache_precompile_headers": False}}


def with_generator(p=0.5, inplace=False):
    return dlcourse.Dropout(p, inplace, generator=torch.Generator().manual_seed(1))


OURS = {"Dropout": dlcourse.Dropout, "Dropout with a generator": with_generator}
LAYERS = {"nn.Dropout": nn.Dropout, **OURS}

PROMISES: dict[tuple[str, str], partial] = {}
ARRAY_PROMISES: dict[tuple[str, str], partial] = {}


def pairwise(*choices):
    """Return combinations in which every two values of different choices meet."""
    rows = list(itertools.product(*(range(len(choice)) for choice in choices)))
    together = min(2, len(choices))
    pairs = {row: set(itertools.combinations(enumerate(row), together)) for row in rows}
    missing, chosen = set().union(*pairs.values()), []
    while missing:
        chosen.append(max(rows, key=lambda row: len(pairs[row] & missing)))
        missing -= pairs[chosen[-1]]
    return [[choice[i] for choice, i in zip(choices, row, strict=True)] for row in chosen]


def promise(table=PROMISES, subjects=LAYERS, **choices):
    """Enter a case into a table, for combinations of its settings and the subjects."""

    def enter(case):
        for subject, *values in pairwise(list(subjects), *map(list, choices.values())):
            settings = dict(zip(choices, values, strict=True))
            named = {key: getattr(settings[key], "__name__", settings[key]) for key in settings}
            name = ", ".join([case.__name__, *(f"{key}={named[key]}" for key in named)])
            table[name, subject] = partial(case, **settings)
        return case

    return enter


def fresh(make, *args):
    """Return a layer that draws the same mask for the same input, however it was made."""
    torch.manual_seed(1)
    return make(*args)


def assert_kept_or_dropped(output, x, p):
    """Return the mask, once each element is seen to be 0 or x / (1 - p)."""
    kept = output != 0
    expected = torch.where(kept, x.double() / (1 - p), 0)
    rtol = 2 * torch.finfo(x.dtype).eps
    torch.testing.assert_close(output.double(), expected, rtol=rtol, atol=1e-12)
    return kept


def assert_some_dropped(output):
    """Refuse an output that is all zeros, or free of them: probability < 1e-9 for 40 elements."""
    assert 0 < torch.count_nonzero(output) < output.numel()


def number_of_masks(outputs):
    return len((outputs != 0).unique(dim=0))


# Training, evaluation and the two certain probabilities


@promise(p=PS, inplace=BOTH, shape=SHAPES + EMPTY)
def eval_returns_the_input_itself(make, p, inplace, shape):
    x = torch.ones(shape)
    before = x.clone()
    assert make(p, inplace).eval()(x) is x
    assert torch.equal(x, before)


@promise(inplace=BOTH, shape=SHAPES + EMPTY)
def p_0_returns_the_input_itself(make, inplace, shape):
    x = torch.ones(shape)
    assert make(0.0, inplace)(x) is x
    assert torch.equal(x, torch.ones(shape))


@promise(p=[0.4, 1.0], inplace=BOTH, shape=SHAPES)
def only_in_place_it_returns_the_input_else(make, p, inplace, shape):
    x = torch.ones(shape)
    output = make(p, inplace)(x)
    assert output.shape == shape
    assert (output is x) == inplace
    assert inplace or torch.equal(x, torch.ones(shape))


@promise(inplace=BOTH, dtype=[*FLOATS, torch.complex64], shape=SHAPES)
def p_1_gives_zeros(make, inplace, dtype, shape):
    x = torch.ones(shape, dtype=dtype)
    assert torch.equal(make(1.0, inplace)(x), torch.zeros(shape, dtype=dtype))


@promise(inplace=BOTH, dtype=FLOATS)
def p_1_gives_a_gradient_of_zeros(make, inplace, dtype):
    x = torch.ones(3, dtype=dtype, requires_grad=True)
    make(1.0, inplace)(x.clone()).backward(torch.tensor([1, -2, 3]).to(dtype))
    assert torch.equal(x.grad, torch.zeros(3, dtype=dtype))


@promise(p=PS, inplace=BOTH, shape=EMPTY, training=BOTH)
def an_empty_tensor_stays_as_it_is(make, p, inplace, shape, training):
    x = torch.ones(shape, dtype=torch.bfloat16, requires_grad=True)
    output = make(p, inplace).train(training)(x * 1)
    assert (output.shape, output.dtype) == (x.shape, x.dtype)
    output.sum().backward()
    assert x.grad.shape == x.shape


@promise(p=[0.1, 0.5, 0.9], inplace=BOTH, dtype=FLOATS)
def elements_are_dropped_or_divided_by_1_minus_p(make, p, inplace, dtype):
    x = torch.linspace(1, 3, 1000).to(dtype)
    given = x.clone()
    output = make(p, inplace)(given)
    kept = assert_kept_or_dropped(output, x, p)
    assert stats.binomtest(int(kept.sum()), 1000, 1 - p).pvalue > ALARM
    assert output.dtype == dtype
    assert (output is given) == inplace
    assert torch.equal(given, output if inplace else x)


@promise(training=BOTH, p=PS)
def the_result_requires_a_gradient_when_the_input_does(make, training, p):
    layer = make(p).train(training)
    assert not layer(torch.ones(3)).requires_grad
    x = torch.ones(3, requires_grad=True)
    assert layer(x).requires_grad
    layer(x).sum().backward()
    assert x.grad.shape == x.shape
    with torch.no_grad():
        assert layer(x.clone()).requires_grad == (layer(x.clone()) is x)


@promise(context=[torch.no_grad, torch.inference_mode])
def it_drops_without_gradients_too(make, context):
    with context():
        assert_some_dropped(make()(torch.ones(40)))


@promise(low=[torch.bfloat16, torch.float16], dtype=FLOATS, p=PS)
def autocast_keeps_the_dtype(make, low, dtype, p):
    with torch.autocast("cpu", dtype=low):
        assert make(p)(torch.ones(5, dtype=dtype)).dtype == dtype


@promise()
def p_and_inplace_may_be_set_later(make):
    layer, x = make(0.3), torch.ones(100)
    layer.p, layer.inplace = 0.75, True
    assert layer(x) is x
    assert x.unique().tolist() == [0, 4]
    assert repr(layer) == "Dropout(p=0.75, inplace=True)"


@promise(p=[-0.1, 1.1])
def p_that_is_no_probability_is_refused(make, p):
    with pytest.raises(ValueError, match=str(p)):
        make(p)


@promise(x=[[1.0], 1.0, None, np.ones(3)])
def an_input_that_is_no_tensor_is_refused(make, x):
    with pytest.raises(TypeError, match="input"):
        make()(x)


# Random numbers


@promise(shape=[(40,), (41,), (5, 9), (2, 3, 4, 5)])
def a_seed_repeats_the_masks(make, shape):
    layer, x = make(), torch.ones(shape)
    torch.manual_seed(4)
    first, second = layer(x), layer(x)
    torch.manual_seed(4)
    assert torch.equal(layer(x), first) and torch.equal(layer(x), second)
    assert not torch.equal(first, second)


@promise()
def fork_rng_puts_the_random_state_back(make):
    layer, x = make(), torch.ones(50)
    with torch.random.fork_rng():
        inside = layer(x)
    assert torch.equal(layer(x), inside)


@promise(reentrant=BOTH, p=[0.4, 1.0])
def checkpointing_draws_the_same_mask_again(make, reentrant, p):
    layer, x = make(p), torch.ones(200, requires_grad=True)
    output = checkpoint(lambda t: layer(t).exp(), x, use_reentrant=reentrant)
    output.sum().backward()
    assert torch.equal(x.grad != 0, output != 1)


@promise(p=PS)
def it_runs_where_only_deterministic_algorithms_may(make, p):
    torch.use_deterministic_algorithms(True)
    try:
        output = fresh(make, p)(torch.ones(50))
    finally:
        torch.use_deterministic_algorithms(False)
    assert torch.equal(output, fresh(make, p)(torch.ones(50)))


# Layouts


def permuted():
    """Return all orders in memory of four dimensions, with and without a gap."""
    for order in itertools.permutations(range(4)):
        back = [order.index(i) for i in range(4)]
        for rows, columns in itertools.product((0, 1), repeat=2):
            x = torch.ones(2, 3, 4, 5).permute(order).contiguous().permute(back)
            yield x[rows:, columns:], order


@promise(p=[1e-14, 0.3, 0.7])
def the_order_in_memory_is_kept(make, p):
    for x, order in permuted():
        output = make(p)(x)
        assert output.permute(order).is_contiguous()
        assert_kept_or_dropped(output, x, p)
        assert torch.equal(output, x) == (p == 1e-14)


@promise(p=PS, inplace=BOTH, memory_format=[torch.contiguous_format, torch.channels_last])
def the_memory_format_is_kept_forward_and_backward(make, p, inplace, memory_format):
    x = torch.ones(2, 3, 5, 7).to(memory_format=memory_format).requires_grad_()
    output = make(p, inplace)(x + 0)
    output.backward(torch.ones_like(output))
    assert output.is_contiguous(memory_format=memory_format)
    assert x.grad.is_contiguous(memory_format=memory_format)


@promise(p=[0, 1e-14], memory_format=[torch.contiguous_format, torch.channels_last])
def almost_no_dropping_changes_nothing_in_a_strided_view(make, p, memory_format):
    x = torch.ones(2, 3, 3, 6).to(memory_format=memory_format)[..., ::2]
    output = make(p)(x)
    assert torch.equal(output, x)
    assert p == 0 or output.is_contiguous(memory_format=memory_format)


GRID = torch.arange(2 * 3 * 4 * 5.0).view(2, 3, 4, 5) + 1
VIEWS = {
    "transposed": GRID.transpose(0, 3),
    "strided": GRID[:, ::2, :, 1::2],
    "expanded": GRID[:1].expand(4, 3, 4, 5),
    "offset": GRID[1],
    "overlapping": torch.arange(1.0, 80).as_strided((40, 3), (1, 1)),
    "negated": torch._neg_view(GRID),
}


@promise(view=VIEWS, p=[0.5, 1.0])
def a_view_gives_a_result_as_dense_as_a_copy(make, view, p):
    x = VIEWS[view]
    before = x.clone()
    output = make(p)(x)
    assert output.stride() == torch.empty_like(x).stride()
    assert torch.equal(x, before)
    if p < 1:
        assert_some_dropped(output)
        assert_kept_or_dropped(output, x, p)


@promise(p=[0.5, 1.0])
def inplace_changes_only_the_view(make, p):
    base = torch.ones(40, 3)
    view = base[:, 1]
    assert make(p, True)(view) is view
    assert torch.equal(base[:, ::2], torch.ones(40, 2))
    assert 0 < torch.count_nonzero(base[:, 1] == 0) <= 40


# Gradients


@promise(p=PS, inplace=BOTH)
def the_gradient_is_right_twice_in_both_modes(make, p, inplace):
    def function(x):
        return fresh(make, p, inplace)(x * x)  # x * x: not a leaf

    x = torch.randn(4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(function, x, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, x, check_fwd_over_rev=True)


@promise(dtype=FLOATS, inplace=BOTH)
def the_gradient_is_that_of_the_mask(make, dtype, inplace):
    x = torch.ones(50, 40, dtype=dtype, requires_grad=True)
    output = make(0.3, inplace)(x * 1)
    output.sum().backward()
    assert x.grad.dtype == dtype
    assert_some_dropped(output)
    assert torch.equal(x.grad, output.detach())


@promise()
def a_second_backward_has_the_same_mask(make):
    x = torch.ones(50, requires_grad=True)
    output = make()(x).sum()
    (first,) = torch.autograd.grad(output, x, retain_graph=True)
    (second,) = torch.autograd.grad(output, x)
    assert torch.equal(first, second)


@promise()
def it_is_linear_in_its_input(make):
    x, y = torch.randn(2, 50, dtype=torch.float64)
    apart = 2 * fresh(make)(x) + 3 * fresh(make)(y)
    torch.testing.assert_close(fresh(make)(2 * x + 3 * y), apart)


@promise(p=[0.3, 1.0])
def the_transforms_of_torch_func_agree(make, p):
    x, direction = torch.randn(2, 40)
    slope = fresh(make, p)(torch.ones(40))
    slopes = {
        "jacrev": jacrev(fresh(make, p))(x).diagonal(),
        "jacfwd": jacfwd(fresh(make, p), randomness="same")(x).diagonal(),
        "grad": grad(lambda t: fresh(make, p)(t).sum())(x),
        "vjp": vjp(fresh(make, p), x)[1](torch.ones(40))[0],
    }
    for name, found in slopes.items():
        assert torch.equal(found, slope), name
    torch.testing.assert_close(jvp(fresh(make, p), (x,), (direction,))[1], slope * direction)


# vmap


def uses(layer):
    """Return what is mapped: on the mapped rows, on something else, on a part of a row."""
    whole = torch.ones(50)
    return layer, lambda row: layer(whole) * row, lambda row: layer(row[:49])


@promise(chunk=[None, 2], p=[0.5, 1.0])
def vmap_draws_different_masks(make, chunk, p):
    for function in uses(make(p)):
        rows = vmap(function, randomness="different", chunk_size=chunk)(torch.ones(6, 50))
        assert number_of_masks(rows) == (6 if p < 1 else 1)


@promise(p=[0.5, 1.0])
def vmap_draws_the_same_mask(make, p):
    for function in uses(make(p)):
        rows = vmap(function, randomness="same")(torch.ones(6, 50))
        assert number_of_masks(rows) == 1
        assert p == 1 or rows.any()


@promise()
def vmap_draws_the_same_mask_in_every_chunk(make):
    for function in uses(make()):
        rows = vmap(function, randomness="same", chunk_size=2)(torch.ones(6, 50))
        assert number_of_masks(rows) == 1


ERROR_MODE = r"^vmap: called random operation while in randomness error mode\."


@promise()
def vmap_asks_which_of_both_is_meant(make):
    for function in uses(make()):
        with pytest.raises(RuntimeError, match=ERROR_MODE):
            vmap(function)(torch.ones(6, 50))


@promise(randomness=["same", "different"])
def vmap_drops_in_place(make, randomness):
    x = torch.ones(6, 50)
    rows = vmap(make(0.5, True), randomness=randomness)(x)
    assert torch.equal(rows, x)
    assert number_of_masks(rows) == (6 if randomness == "different" else 1)


@promise(inner=["same", "different"])
def vmap_in_vmap(make, inner):
    both = vmap(vmap(make(), randomness=inner), randomness="different")
    assert number_of_masks(both(torch.ones(3, 4, 50)).view(12, 50)) == (
        3 if inner == "same" else 12
    )


@promise()
def vmap_over_another_dimension(make):
    columns = vmap(make(), in_dims=1, out_dims=1, randomness="same")(torch.ones(50, 6))
    assert columns.shape == (50, 6)
    assert number_of_masks(columns.T) == 1


@promise()
def vmap_over_single_numbers(make):
    assert_some_dropped(vmap(make(), randomness="different")(torch.ones(40)))


@promise()
def vmap_of_the_gradient(make):
    layer, x = make(0.3), torch.randn(6, 50)
    slopes = vmap(grad(lambda row: layer(row).sum()), randomness="different")(x)
    torch.testing.assert_close(slopes.unique(), torch.tensor([0, 1 / 0.7]))
    assert number_of_masks(slopes) == 6


# Programs made of it


@promise(subjects=["nn.Dropout", "Dropout"], backend=["aot_eager"])
@promise(subjects=["Dropout"], backend=INDUCTOR)
def compile_keeps_law_gradient_and_memory_format(make, backend):
    torch.compiler.reset()
    layer = make(0.3)
    compiled = torch.compile(layer, backend=backend, fullgraph=True, options=OPTIONS.get(backend))
    x = torch.ones(5, 3, 7, 11).to(memory_format=torch.channels_last).requires_grad_()
    output = compiled(x)
    kept = assert_kept_or_dropped(output, x, 0.3)
    assert stats.binomtest(int(kept.sum()), x.numel(), 0.7).pvalue > ALARM
    output.sum().backward()
    assert torch.equal(x.grad, output.detach())
    assert output.stride() == x.grad.stride() == x.stride()
    assert not torch.equal(compiled(x), output)
    layer.eval()
    assert torch.equal(compiled(x), x)


@promise()
def compile_takes_batches_of_any_size(make):
    torch.compiler.reset()
    compiled = torch.compile(make(), backend="eager", fullgraph=True)
    for rows in (64, 50, 7, 1):
        output = compiled(torch.ones(rows, 33))
        assert output.shape == (rows, 33)
        assert_some_dropped(output)
        assert_kept_or_dropped(output, torch.ones(rows, 33), 0.5)


@promise()
def compile_sees_that_p_was_set(make):
    torch.compiler.reset()
    layer = make(0.3)
    compiled = torch.compile(layer, backend="eager", fullgraph=True)
    for p in (0.5, 0.0, 1.0, 0.75):
        layer.p = p
        values = compiled(torch.ones(100)).unique().tolist()
        assert values == {0.5: [0, 2], 0.0: [1], 1.0: [0], 0.75: [0, 4]}[p]


@promise()
def compile_in_a_model_trains_it(make):
    torch.compiler.reset()
    model = nn.Sequential(nn.Linear(4, 40), make(0.5, True), nn.ReLU(), nn.Linear(40, 1))
    compiled = torch.compile(model, backend="aot_eager")
    compiled(torch.randn(8, 4)).sum().backward()
    assert all(parameter.grad.any() for parameter in model.parameters())


@promise()
def the_method_compile_replaces_the_call(make):
    torch.compiler.reset()
    layer = make()
    layer.compile(backend="eager")
    assert_some_dropped(layer(torch.ones(40)))


def exported(make, training, strict, inplace=False):
    model = nn.Sequential(nn.Linear(3, 50), make(0.5, inplace)).train(training)
    x = torch.randn(4, 3)
    return model, x, torch.export.export(model, (x,), strict=strict)


def assert_the_program_drops(model, x, program):
    for run in (program.module(), program.run_decompositions().module()):
        output = run(x)
        assert_some_dropped(output)
        kept = output != 0
        torch.testing.assert_close(output, kept * model[0](x) * 2)
        assert not torch.equal(run(x), output)


@promise(inplace=BOTH)
def export_in_training(make, inplace):
    assert_the_program_drops(*exported(make, True, strict=False, inplace=inplace))


@promise()
def export_in_training_strictly(make):
    assert_the_program_drops(*exported(make, True, strict=True))


@promise(strict=BOTH)
def export_in_eval(make, strict):
    model, x, program = exported(make, False, strict=strict)
    assert torch.equal(program.module()(x), model(x))


@promise()
def export_takes_a_symbol_for_the_batch(make):
    rows = torch.export.Dim("rows", min=2)
    shapes = {"input": {0: rows}}
    program = torch.export.export(make(), (torch.ones(8, 5),), dynamic_shapes=shapes)
    output = program.module()(torch.ones(13, 5))
    assert output.shape == (13, 5)
    assert_some_dropped(output)
    assert_kept_or_dropped(output, torch.ones(13, 5), 0.5)


@promise()
def make_fx_traces_it(make):
    traced = make_fx(make())(torch.ones(40))
    assert_some_dropped(traced(torch.ones(40)))
    assert not torch.equal(traced(torch.ones(40)), traced(torch.ones(40)))


@promise(inplace=BOTH)
def functionalize_takes_the_change_in_place_away(make, inplace):
    x = torch.ones(40)
    assert_some_dropped(torch.func.functionalize(make(0.5, inplace))(x + 0))


@promise(p=PS, inplace=BOTH)
def a_fake_tensor_passes(make, p, inplace):
    with FakeTensorMode():
        output = make(p, inplace)(torch.ones(3, 4, dtype=torch.float16))
        assert (output.shape, output.dtype) == ((3, 4), torch.float16)


@promise(p=PS, training=BOTH)
def a_meta_tensor_passes(make, p, training):
    output = make(p).train(training)(torch.ones(3, 4, dtype=torch.float16, device="meta"))
    assert (output.device.type, output.shape, output.dtype) == ("meta", (3, 4), torch.float16)


@promise()
def symbolic_trace_takes_it_as_a_leaf(make):
    traced = torch.fx.symbolic_trace(nn.Sequential(make()))
    assert [node.op for node in traced.graph.nodes] == ["placeholder", "call_module", "output"]
    assert_some_dropped(traced(torch.ones(40)))


@promise()
def torchscript_compiles_it(make):
    assert_some_dropped(torch.jit.script(make())(torch.ones(40)))


@promise()
def torchscript_traces_it(make):
    assert_some_dropped(torch.jit.trace(make(), torch.ones(4), check_trace=False)(torch.ones(40)))


@promise()
def torchscript_traces_it_in_eval(make):
    assert torch.equal(torch.jit.trace(make().eval(), torch.ones(4))(torch.ones(6)), torch.ones(6))


@promise(layout=[torch.strided, torch.jagged])
def nested_tensors_are_dropped_in(make, layout):
    x = torch.nested.nested_tensor([torch.ones(40), torch.ones(50)], layout=layout)
    for part in make()(x).unbind():
        assert_some_dropped(part)


# A module like the others


@promise()
def it_is_a_dropout_layer(make):
    assert isinstance(make(), nn.Dropout)


@promise()
def repr_names_p_and_inplace(make):
    assert repr(make()) == "Dropout(p=0.5, inplace=False)"
    assert str(make(0.25, True)) == "Dropout(p=0.25, inplace=True)"
    assert make(0.3).extra_repr() == "p=0.3, inplace=False"
    assert "(1): Dropout(p=0.3, inplace=False)" in repr(nn.Sequential(nn.ReLU(), make(0.3)))


@promise()
def it_holds_no_state(make):
    layer = make()
    assert layer.state_dict() == {}
    assert list(layer.parameters()) == list(layer.buffers()) == list(layer.children()) == []
    model = nn.Sequential(nn.Linear(2, 2), layer)
    assert list(model.state_dict()) == ["0.weight", "0.bias"]
    theirs = nn.Sequential(nn.Linear(2, 2), nn.Dropout())
    assert not any(model.load_state_dict(theirs.state_dict()))  # neither missing nor unexpected
    assert torch.equal(model[0].weight, theirs[0].weight)


@promise()
def the_mode_comes_from_the_model(make):
    x = torch.ones(1, 4)
    linear = nn.Linear(4, 200)
    for model in (nn.Sequential(linear, make()), nn.Sequential(linear, nn.Sequential(make()))):
        assert torch.equal(model.eval()(x), linear(x))
        assert not torch.equal(model.train()(x), linear(x))


@promise()
def lists_and_dictionaries_of_modules_hold_it(make):
    layer = make()
    for holder, key in ((nn.ModuleList([layer]), 0), (nn.ModuleDict({"drop": layer}), "drop")):
        assert holder[key] is layer
        holder.eval()
        assert layer.training is False
        holder.train()
        assert layer.training is True
    assert layer.train(False) is layer


@promise()
def mc_dropout_reaches_it(make):
    model = nn.Sequential(nn.BatchNorm1d(40), make()).eval()
    x = torch.ones(2, 40)
    with mc_dropout(model) as reached:
        assert_some_dropped(model(x))
        assert reached.on == ("1",) and not model[0].training
    assert torch.equal(model(x), model[0](x))


@promise()
def a_transformer_runs_with_it(make):
    layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    layer.dropout, layer.dropout1, layer.dropout2 = make(), make(), make(0.5, True)
    x = torch.ones(1, 3, 8)
    layer(x).sum().backward()
    assert not torch.equal(layer(x), layer(x))
    layer.eval()
    with torch.no_grad():
        fast = layer(x)
    torch.testing.assert_close(layer(x), fast)


def torch_saved(layer, **how):
    buffer = io.BytesIO()
    torch.save(layer, buffer)
    buffer.seek(0)
    return torch.load(buffer, **how)


def safely_loaded(layer):
    with torch.serialization.safe_globals([nn.Dropout, dlcourse.Dropout, torch.Generator]):
        return torch_saved(layer, weights_only=True)


COPIES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "pickle": lambda layer: pickle.loads(pickle.dumps(layer)),
    "torch.save": partial(torch_saved, weights_only=False),
    "torch.save, weights only": safely_loaded,
}


@promise(how=COPIES)
def a_copy_is_the_same_layer(make, how):
    layer = make(0.3, True).eval()
    twin = COPIES[how](layer)
    assert type(twin) is type(layer) and twin is not layer
    assert (twin.p, twin.inplace, twin.training) == (0.3, True, False)
    assert torch.equal(twin(torch.ones(100)), torch.ones(100))
    assert_some_dropped(twin.train()(torch.ones(100)))
    twin.p = 0.6
    assert (layer.p, layer.training) == (0.3, False)


MOVES = {
    "to a dtype": lambda layer: layer.to(torch.float16),
    "half": nn.Module.half,
    "double": nn.Module.double,
    "to meta": lambda layer: layer.to("meta").to_empty(device="cpu"),
    "to channels_last": lambda layer: layer.to(memory_format=torch.channels_last),
    "share_memory": nn.Module.share_memory,
    "requires_grad_": lambda layer: layer.requires_grad_(False),
    "apply": lambda layer: layer.apply(lambda module: None),
}


@promise(move=MOVES)
def moving_it_changes_nothing(make, move):
    layer = make(0.4)
    layer.zero_grad()
    assert MOVES[move](layer) is layer
    x = torch.ones(100, requires_grad=True)
    output = layer(x)
    assert_some_dropped(output)
    assert output.requires_grad and output.dtype == torch.float32


@promise()
def the_default_device_and_dtype_do_not_matter(make):
    x = torch.ones(40)
    with torch.device("meta"):
        layer = make()
    torch.set_default_dtype(torch.float64)
    try:
        output = layer(x)
    finally:
        torch.set_default_dtype(torch.float32)
    assert output.dtype == torch.float32
    assert_some_dropped(output)


@promise()
def functional_call_calls_it(make):
    assert_some_dropped(functional_call(make(), {}, (torch.ones(40),)))
    assert_some_dropped(functional_call(make(), {}, kwargs={"input": torch.ones(40)}))
    model = nn.Sequential(nn.Linear(3, 40), make())
    other = {"0.weight": torch.zeros(40, 3), "0.bias": torch.ones(40)}
    output = functional_call(model, other, (torch.ones(1, 3),))
    assert_some_dropped(output)
    assert_kept_or_dropped(output, torch.ones(1, 40), 0.5)


@promise()
def forward_hooks_see_and_replace(make):
    layer, seen = make(), []
    layer.register_forward_pre_hook(lambda module, args: (args[0] * 3,))
    layer.register_forward_hook(lambda module, args, output: seen.append((args[0], output)))
    layer.register_forward_hook(lambda module, args, output: output + 1)
    output = layer(torch.ones(40))
    ((given, dropped),) = seen
    assert torch.equal(given, torch.full((40,), 3.0))
    assert_kept_or_dropped(dropped, given, 0.5)
    assert torch.equal(output, dropped + 1)


@promise()
def backward_hooks_see_the_gradients(make):
    layer, seen = make(), []
    layer.register_full_backward_pre_hook(lambda module, outer: (outer[0] * 3,))
    layer.register_full_backward_hook(lambda module, inner, outer: seen.append((inner, outer)))
    x = torch.ones(40, requires_grad=True)
    output = layer(x)
    output.sum().backward()
    (((inner,), (outer,)),) = seen
    assert torch.equal(outer, torch.full((40,), 3.0))
    assert torch.equal(inner, x.grad)
    assert torch.equal(x.grad, 3 * output.detach())


class Marked(torch.Tensor):
    """A subclass that adds nothing, and must come back."""


@promise(p=PS, inplace=BOTH)
def a_subclass_of_tensor_comes_back(make, p, inplace):
    assert type(make(p, inplace)(torch.ones(3).as_subclass(Marked))) is Marked


@promise(p=[0.4, 1.0])
def a_parameter_gives_a_plain_tensor(make, p):
    assert type(make(p)(nn.Parameter(torch.ones(3)))) is torch.Tensor


# Where ours differs on purpose


class LeafTracer(torch.fx.Tracer):
    def is_leaf_module(self, module, name):
        return isinstance(module, nn.Dropout) or super().is_leaf_module(module, name)


def a_tracer_that_is_told_takes_it(make):
    model = nn.Sequential(make())
    traced = torch.fx.GraphModule(model, LeafTracer().trace(model))
    assert_some_dropped(traced(torch.ones(40)))


def eval_works(make):
    torchscript_traces_it_in_eval(make)


def nested_tensors_pass_in_eval(make):
    for layout in (torch.strided, torch.jagged):
        x = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=layout)
        assert make().eval()(x) is x


def its_generator_repeats_and_the_global_one_stays(make):
    x, before = torch.ones(100), torch.get_rng_state()
    layer = make()
    state = layer.generator.get_state()
    first, second = layer(x), layer(x)
    layer.generator.set_state(state)
    assert torch.equal(layer(x), first) and not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def one_mask_a_chunk(make):
    rows = vmap(make(), randomness="same", chunk_size=2)(torch.ones(6, 50))
    assert number_of_masks(rows) == 3
    assert all(number_of_masks(chunk) == 1 for chunk in rows.split(2))


def compiled_with_a_break_it_draws_the_same(make):
    torch.compiler.reset()
    compiled, layer = torch.compile(make(0.3), backend="eager"), make(0.3)
    for rows in (50, 7):
        assert torch.equal(compiled(torch.ones(rows, 9)), layer(torch.ones(rows, 9)))


def export_without_strict_works(make):
    export_in_training(make, inplace=False)


def meta_in_eval_passes(make):
    a_meta_tensor_passes(make, p=0.4, training=False)
    message = "generator must be on the device of the input, meta, got one on cpu"
    with pytest.raises(ValueError, match=message):
        make()(torch.ones(3, device="meta"))


@dataclass(frozen=True)
class Exemption:
    """A case that our layer does not hold: why, the error, and a case that holds instead."""

    case: str
    why: str
    error: type[Exception]
    instead: Any
    layers: tuple[str, ...] = ("Dropout with a generator",)
    settings: str = ""  # only where the name of the case contains it


ALL = tuple(OURS)
EXEMPTIONS = [
    Exemption(
        "symbolic_trace_takes_it_as_a_leaf",
        "torch.fx takes only the modules of torch.nn itself as leaves",
        TypeError,
        a_tracer_that_is_told_takes_it,
        ALL,
    ),
    Exemption(
        "torchscript_compiles_it",
        "TorchScript is deprecated, and has no generators",
        RuntimeError,
        eval_works,
        ALL,
    ),
    Exemption(
        "torchscript_traces_it",
        "TorchScript is deprecated, and cannot reinterpret the bits of a tensor",
        RuntimeError,
        eval_works,
        ALL,
    ),
    Exemption(
        "nested_tensors_are_dropped_in",
        "a nested tensor has no shape to draw a mask of",
        RuntimeError,
        nested_tensors_pass_in_eval,
        ALL,
    ),
    *(
        Exemption(
            case,
            "it draws from its own generator, which PyTorch neither seeds nor restores",
            AssertionError,
            its_generator_repeats_and_the_global_one_stays,
        )
        for case in ("a_seed_repeats_the_masks", "fork_rng_puts_the_random_state_back")
    ),
    Exemption(
        "checkpointing_draws_the_same_mask_again",
        "only the state of the global generator is restored",
        AssertionError,
        its_generator_repeats_and_the_global_one_stays,
        settings="p=0.4",
    ),
    Exemption(
        "vmap_draws_the_same_mask_in_every_chunk",
        "vmap restores only the state of the global generator between chunks",
        AssertionError,
        one_mask_a_chunk,
    ),
    *(
        Exemption(
            case,
            "a compiled graph holds no generator: the graph breaks",
            torch._dynamo.exc.Unsupported,
            compiled_with_a_break_it_draws_the_same,
        )
        for case in (
            "compile_takes_batches_of_any_size",
            "compile_sees_that_p_was_set",
        )
    ),
    Exemption(
        "export_in_training_strictly",
        "a strict export breaks at a generator as compile does",
        torch._dynamo.exc.Unsupported,
        export_without_strict_works,
    ),
    Exemption(
        "export_takes_a_symbol_for_the_batch",
        "PyTorch draws from a generator only where the shape is known",
        RuntimeError,
        export_without_strict_works,
    ),
    Exemption(
        "a_meta_tensor_passes",
        "a generator must be on the device of the input, and there is none on meta",
        ValueError,
        meta_in_eval_passes,
        settings="training=True",
    ),
]


def exemption(name, layer):
    for row in EXEMPTIONS:
        if row.case == PROMISES[name, layer].func.__name__ and layer in row.layers:
            return row if row.settings in name else None
    return None


@pytest.mark.filterwarnings("ignore::DeprecationWarning:torch.jit")
@pytest.mark.parametrize(("name", "layer"), PROMISES)
def test_promise(name, layer):
    torch.manual_seed(0)
    row = exemption(name, layer)
    if row is None:
        PROMISES[name, layer](LAYERS[layer])
        return
    with pytest.raises(row.error):
        PROMISES[name, layer](LAYERS[layer])
    row.instead(LAYERS[layer])


def test_every_exemption_is_of_a_case_and_never_of_the_peer():
    for row in EXEMPTIONS:
        assert row.why and set(row.layers) <= set(OURS), row.case
        assert any(row is exemption(*pair) for pair in PROMISES), row.case


# The same of arrays: each operation draws from seed 3 and multiplies what is kept by its factor.


def inverted(p):
    return 1 / (1 - p) if p < 1 else 0


def plain_dropout(x, p, training=True, *, rng=None, mask=None):
    x = np.asarray(x)
    if mask is None:
        mask = plain_dropout_mask(x.shape, p, rng) if training else np.ones(x.shape, bool)
    native = x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.float64
    result, kept = np.zeros_like(x, native, subok=False), np.asarray(mask)
    result[kept] = x[kept] * (inverted(p) if training else 1)
    return result


def backward(x, p, training=True, *, rng=None, mask=None):
    shape = np.shape(x)
    return dropout_backward(x, dropout_mask(shape, p, rng) if mask is None else mask, p)


@dataclass(frozen=True)
class Operation:
    """A function of arrays, whether it drops, and what it multiplies with."""

    function: Any
    training: bool
    factor: Any

    def __call__(self, x, p=0.4, rng=3, **kwargs):
        return self.function(x, p, self.training, rng=rng, **kwargs)


OPERATIONS = {
    "the plain formula": Operation(plain_dropout, True, inverted),
    "dropout": Operation(dlcourse.dropout, True, inverted),
    "dropout at test time": Operation(dlcourse.dropout, False, lambda p: 1),
    "dropout_backward": Operation(backward, True, inverted),
    "vanilla_dropout": Operation(vanilla_dropout, True, lambda p: float(p < 1)),
    "vanilla_dropout at test time": Operation(vanilla_dropout, False, lambda p: 1 - p),
}
NUMPY_FLOATS = [np.float16, np.float32, np.float64]
array_promise = partial(promise, ARRAY_PROMISES, OPERATIONS)


@array_promise(
    dtype=[*NUMPY_FLOATS, np.int8, np.uint64, bool, ">f4"], shape=SHAPES + EMPTY, p=[0, 0.4, 1]
)
def the_result_is_a_new_array_of_the_same_shape_and_dtype(operation, dtype, shape, p):
    x = np.ones(shape, dtype)
    x.flags.writeable = False
    result = operation(x, p)
    assert type(result) is np.ndarray and result.shape == shape
    assert result.dtype == (x.dtype.newbyteorder("=") if x.dtype.kind == "f" else np.float64)
    assert result.flags.writeable and not np.shares_memory(result, x)
    assert np.array_equal(x, np.ones(shape))


@array_promise(dtype=NUMPY_FLOATS, p=[0, 0.4, 0.9, 1])
def units_are_dropped_or_multiplied_by_the_factor(operation, dtype, p):
    x = np.linspace(1, 3, 1000).astype(dtype)
    result = operation(x, p)
    kept = result != 0
    expected = kept * x.astype(float) * operation.factor(p)
    np.testing.assert_allclose(result.astype(float), expected, rtol=2 * np.finfo(dtype).eps)
    keep = 1 - p if operation.training else float(operation.factor(p) != 0)
    assert stats.binomtest(int(kept.sum()), 1000, keep).pvalue > ALARM


@array_promise(p=[0.4, 1])
def a_layout_changes_no_value_and_stays(operation, p):
    big = np.random.default_rng(10).normal(size=(6, 8, 10)).astype(np.float32)
    x = np.ascontiguousarray(big[::2, :, ::-3])
    layouts = {
        "strided": big[::2, :, ::-3],
        "Fortran": np.asfortranarray(x),
        "read backwards": x[::-1][::-1],
        "transposed": x.transpose().copy().T,
        "channels last": np.moveaxis(np.moveaxis(x, 0, -1).copy(), -1, 0),
        "other bytes": x.astype(">f4"),
    }
    expected = operation(x, p)
    for name, same in layouts.items():
        result = operation(same, p)
        assert np.array_equal(result, expected), name
        assert result.strides == np.empty_like(same).strides, name


@array_promise(p=[0, 0.4, 1])
def a_broadcast_array_is_as_good_as_its_copy(operation, p):
    row = np.arange(1.0, 6.0)
    for spread in (np.broadcast_to(row, (40, 5)), np.broadcast_to(row[:, None], (3, 5, 40))):
        result = operation(spread, p)
        assert np.array_equal(result, operation(spread.copy(), p))
        assert not np.shares_memory(result, row)
    assert np.array_equal(row, np.arange(1.0, 6.0))


@array_promise()
def neighbours_in_a_broadcast_array_drop_on_their_own(operation):
    result = operation(np.broadcast_to(1.0, (40, 60)))
    rows = np.unique(result != 0, axis=0)
    assert len(rows) == (40 if operation.training else 1)


@array_promise()
def the_same_seed_draws_the_same_mask(operation):
    x = np.ones((9, 9))
    rng = np.random.default_rng(3)
    first, second = operation(x, rng=rng), operation(x, rng=rng)
    assert np.array_equal(operation(x), first)
    assert np.array_equal(operation(x, rng=np.int64(3)), first)
    for other in (second, operation(x, rng=4), operation(x, rng=None)):
        assert np.array_equal(other, first) == (not operation.training)


@array_promise()
def a_copied_generator_goes_on_alike(operation):
    rng = np.random.default_rng(3)
    operation(np.ones(7), rng=rng)
    for twin in (copy.deepcopy(rng), pickle.loads(pickle.dumps(rng))):
        again = copy.deepcopy(rng)
        assert np.array_equal(operation(np.ones(50), rng=twin), operation(np.ones(50), rng=again))


@array_promise(rng=[None, 3])
def the_global_random_state_is_left_alone(operation, rng):
    np.random.seed(0)  # noqa: NPY002
    before, theirs = np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    operation(np.ones((5, 5)), rng=rng)
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(before[1], after[1]) and before[2:] == after[2:]
    assert torch.equal(theirs, torch.get_rng_state())


@array_promise(order="CF")
def a_given_mask_is_used_and_not_changed(operation, order):
    x = np.arange(1.0, 13.0).reshape(3, 4)
    mask = np.asarray(x % 3 == 0, order=order)
    mask.flags.writeable = False
    kept = mask if operation.training else True
    expected = x * kept * operation.factor(0.4)
    for same in (mask, mask.tolist()):
        np.testing.assert_allclose(operation(x, rng=None, mask=same), expected)
    assert np.array_equal(mask, x % 3 == 0)


@array_promise(p=[0, 0.4, 1])
def it_is_linear(operation, p):
    x, y = np.random.default_rng(12).normal(size=(2, 4, 5))
    apart = 2 * operation(x, p) - 3 * operation(y, p)
    np.testing.assert_allclose(operation(2 * x - 3 * y, p), apart, atol=1e-12)


@array_promise(p=[0, 0.4, 1])
def the_gradient_is_that_of_finite_differences(operation, p):
    rng = np.random.default_rng(13)
    x, weight = rng.normal(size=(2, 3, 4))
    slope = np.empty_like(x)
    for i in np.ndindex(*x.shape):
        step = np.zeros_like(x)
        step[i] = 1e-3
        slope[i] = np.sum(weight * (operation(x + step, p) - operation(x - step, p))) / 2e-3
    # What is linear, unit by unit, is its own gradient under the same mask.
    np.testing.assert_allclose(operation(weight, p), slope, atol=1e-14)
    if operation.function is dlcourse.dropout and operation.training:
        mask = dropout_mask(x.shape, p, rng=3)
        np.testing.assert_allclose(dropout_backward(weight, mask, p), slope, atol=1e-14)


@array_promise()
def lists_numbers_and_tensors_are_arrays(operation):
    assert operation([[1, 2], [3, 4]], 0).tolist() == [[1, 2], [3, 4]]
    assert operation(3.0, 0).shape == ()
    assert operation(np.float32(3), 0).dtype == np.float32
    assert operation(torch.ones(3), 0).tolist() == [1, 1, 1]
    assert operation([True, False], 0).dtype == np.float64
    assert type(operation(np.ones((1, 2)).view(np.matrix), 0)) is np.ndarray  # a subclass


@array_promise(p=[0, 0.0, np.float32(0), np.array(0.0), 1, 1.0, np.array(1.0)])
def the_certain_probabilities_may_have_any_type_of_number(operation, p):
    assert np.array_equal(operation(np.ones((50, 50)), p), np.full((50, 50), operation.factor(p)))


@pytest.mark.parametrize(("name", "operation"), ARRAY_PROMISES)
def test_array_promise(name, operation):
    ARRAY_PROMISES[name, operation](OPERATIONS[operation])


@pytest.mark.parametrize("draw", [plain_dropout_mask, dropout_mask])
@pytest.mark.parametrize("shape", [0, 5, np.int64(5), [2, 3], *SHAPES, *EMPTY], ids=str)
def test_a_mask_is_a_new_bool_array_of_its_shape(draw, shape):
    for p, values in ((0, {True}), (0.4, {True, False}), (1, {False})):
        mask, again = draw(shape, p, rng=3), draw(shape, p, rng=3)
        assert type(mask) is np.ndarray and mask.dtype == np.bool_
        assert mask.shape == np.empty(shape).shape
        assert mask.flags.c_contiguous and mask.flags.writeable
        assert np.array_equal(mask, again) and not np.shares_memory(mask, again)
        assert set(mask.ravel().tolist()) <= values
