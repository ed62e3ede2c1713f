"""Lesson 02: what arrives at the next layer, the picture of it, and the exercises."""

from __future__ import annotations

import dis
import io
import re
from contextlib import redirect_stdout
from itertools import product
from pathlib import Path

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure

from dlcourse import dropout_mask, live, scaling
from dlcourse.checks import check
from dlcourse.dropout_checks import backward_function, dropout_function, vanilla_function
from dlcourse.film import Camera
from tests.scenes import assert_no_history, drawn, legible

PS = (0.0, 0.01, 0.5, 0.99, 1.0)
LESSON = Path(__file__).parent.parent / "notebooks" / "02_scaling.ipynb"


def every_mask(n):
    return np.array(list(product([False, True], repeat=n)))


# --- what is computed


@pytest.mark.parametrize("kind", scaling.KINDS)
@pytest.mark.parametrize("p", [*PS, 0.2, 0.8])
def test_theory_is_the_average_over_all_masks(kind, p):
    terms = np.random.default_rng(0).normal(size=9)
    masks = every_mask(9)
    chance = (1 - p) ** masks.sum(axis=1) * p ** (9 - masks.sum(axis=1))
    found = scaling.received(terms, p, kind, masks)
    mean = chance @ found.training
    variance = chance @ (found.training - mean) ** 2
    assert found.mean == pytest.approx(mean, abs=1e-12)
    assert found.sd == pytest.approx(np.sqrt(variance), rel=1e-10, abs=1e-12)


@pytest.mark.parametrize("kind, p", list(product(scaling.KINDS, PS)))
def test_test_value_against_the_mean_in_training(kind, p):
    terms = np.array([1.0, 2.0, -4.0, 0.5])
    found = scaling.received(terms, p, kind, every_mask(4))
    if kind == "vanilla" or (kind == "inverted" and p < 1):
        assert found.test == pytest.approx(found.mean, abs=1e-12)
    else:
        assert found.test == terms.sum()
        assert found.mean == pytest.approx((1 - p) * terms.sum(), abs=1e-12)


@pytest.mark.parametrize("p", [0.0, 0.2, 0.5, 0.9])
def test_inverted_is_what_torch_does(p):
    torch.manual_seed(0)
    x = torch.tensor(scaling.activations()).expand(200, -1)
    out = F.dropout(x, p)
    found = scaling.received(x[0], p, "inverted", (out != 0).numpy())
    np.testing.assert_allclose(found.training, out.sum(dim=1), rtol=1e-12)
    assert found.test == pytest.approx(F.dropout(x[0], p, training=False).sum().item())


def test_spread_of_vanilla_dropout_grows_and_shrinks_again_while_the_relative_one_grows():
    found = [
        scaling.received(np.ones(16), p, "vanilla", every_mask(2).repeat(8, axis=1))
        for p in (0.2, 0.5, 0.8, 0.95)
    ]
    sds, relative = [f.sd for f in found], [f.sd / f.mean for f in found]
    assert sds[0] < sds[1] > sds[2] > sds[3]
    assert relative == sorted(relative)


def test_activations_are_the_strongest_of_the_layer_and_all_alive():
    h, all_of_them = scaling.activations(), scaling.activations(64)
    assert h.shape == (scaling.UNITS,) == (16,)
    assert (h > 0).all()
    np.testing.assert_array_equal(np.sort(h), np.sort(all_of_them)[-16:])
    assert np.array_equal(h, scaling.activations())


BAD_CALLS = [
    ((0.5, "invertd", [[True]]), ValueError, "kind must be one of inverted, vanilla, unscaled"),
    ((50, "vanilla", [[True]]), ValueError, "got 50 (a percentage?)"),
    ((0.5, "vanilla", [[1]]), TypeError, "mask must be bool (True = kept)"),
    ((0.5, "vanilla", [[True, False]]), ValueError, "mask must have the shape"),
]


@pytest.mark.parametrize("arguments, error, message", BAD_CALLS)
def test_received_refuses(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        scaling.received([1.0], *arguments)


# --- the words


def test_titles_state_what_is_so():
    for kind, hundredths in product(scaling.KINDS, range(101)):
        p = hundredths / 100
        words = scaling.finding(kind, p)
        found = scaling.received(np.ones(3), p, kind, every_mask(3))
        if "training mean = test value" in words:
            assert found.mean == pytest.approx(found.test)
        elif match := re.search(r"test value = (\S+) × training mean", words):
            assert float(match[1]) == pytest.approx(found.test / found.mean, rel=0.005)
        else:
            assert p in (0, 1)


@pytest.mark.parametrize("kind", scaling.KINDS)
def test_numbers_carry_no_more_digits_than_their_spread(kind):
    h = scaling.activations()
    for p in (0.05, 0.3, 0.5, 0.9, 0.99):
        masks = dropout_mask((scaling.MASKS, h.size), p, rng=0)
        found = scaling.received(h, p, kind, masks)
        words = scaling.numbers(found)
        mean, error = re.search(r"mean (\S+) \(standard error (\S+)\)", words).groups()
        assert float(error) == pytest.approx(found.training.std() / np.sqrt(500), rel=0.5)
        assert len(mean.partition(".")[2]) == len(error.partition(".")[2])
        # 5 standard errors of the exact sd; the seed is fixed (false alarm below 1e-6 each)
        assert abs(found.training.mean() - found.mean) < 5 * found.sd / np.sqrt(500)


def test_numbers_without_spread():
    found = scaling.received([1.0, 2.0], 0.0, "inverted", np.ones((5, 2), bool))
    assert scaling.numbers(found) == "training: always 3.0;  test: always 3.0"


# --- the picture


@pytest.mark.parametrize("kind", scaling.KINDS)
def test_panel_draws_every_state_whatever_came_before(kind):
    panel = scaling.panel(p=0.3, seed=1, kind="vanilla")
    try:
        panel._controls["kind"].value = kind
        assert_no_history(panel, scaling.scene, PS, seed=1, kind=kind)
        assert repr(panel) == f"scaling.panel(p=1, seed=1, kind={kind!r})"
    finally:
        panel.close()


def test_pictures_differ_between_kinds_seeds_and_p():
    camera = Camera(scaling.scene, live.SIZE)
    states = [(0.5, 0, kind) for kind in scaling.KINDS] + [
        (0.5, 1, "vanilla"),
        (0.51, 0, "vanilla"),
    ]
    pictures = {camera.shoot(p, seed=seed, kind=kind) for p, seed, kind in states}
    assert len(pictures) == len(states)


def line_at_test_time(figure):
    """Return the line at what arrives at test time."""
    (line,) = [line for line in figure.axes[1].lines if line.get_linewidth() == 2]
    return line


@pytest.mark.parametrize("kind", scaling.KINDS)
def test_no_text_leaves_the_picture_or_covers_another(kind):
    ps = (*PS, *np.arange(0.04, 1, 0.08))
    for seed in (0, 1):
        for p, figure, _, words in legible(scaling.scene, ps, seed=seed, kind=kind):
            line = line_at_test_time(figure).get_window_extent()
            assert line.width < 1
            for text, box in words.items():
                assert not box.overlaps(line) or text == "at test time", (p, seed, text)


@pytest.mark.parametrize("kind", scaling.KINDS)
def test_the_key_says_only_what_is_to_be_seen(kind):
    figure, show = drawn(scaling.scene, seed=0, kind=kind)
    for p in (0.0, 0.5, 0.8, 1.0):
        show(p)
        words = [text.get_text() for text in figure.axes[0].texts]
        assert ("made longer: × 1/(1 − p)" in words) == (kind == "inverted")
        assert ("▲ goes on" in words) == (kind == "inverted" and p == 0.8)


def test_draw_spread_shows_the_draws_and_theory():
    ax, draws = Figure().subplots(), np.array([[0.0, 2.0], [-1.0, 3.0]])
    scaling.draw_spread(ax, np.array([0.2, 0.5]), draws, mean=1.0, sd=np.array([1.1, 2.1]))
    found = [line.get_ydata().tolist() for line in ax.lines]
    np.testing.assert_allclose(found, [[1, 1], [2.1, 3.1], [1, 1], [-0.1, -1.1]])


def test_raising_p_only_switches_units_off():
    kept = [dropout_mask((scaling.MASKS, 16), p / 100, rng=5) for p in range(101)]
    for less, more in zip(kept[1:], kept, strict=False):
        assert not (less & ~more).any()


BAD_PANELS = [
    ({"kind": "invertd"}, ValueError, "kind must be one of inverted, vanilla, unscaled, got"),
    ({"p": 1.5}, ValueError, "p must be a probability in [0, 1], got 1.5"),
    ({"p": 0.123}, ValueError, "p moves in steps of 0.01 in a panel, got 0.123"),
    ({"seed": -1}, ValueError, "seed must be an int >= 0, got -1"),
]


@pytest.mark.parametrize("arguments, error, message", BAD_PANELS)
def test_panel_refuses(arguments, error, message):
    with pytest.raises(error, match=re.escape(message)):
        scaling.panel(**arguments)


# --- the lesson


def lesson_cells():
    """Return the code cells of the lesson by their id."""
    cells = nbformat.read(LESSON, as_version=4).cells
    return {cell.id: cell.source for cell in cells if cell.cell_type == "code"}


def run(source, names):
    """Run a cell and return what it printed."""
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(source, names)
    return printed.getvalue()


@pytest.fixture(scope="module")
def after_run_all():
    """The names after "run all", and what each cell printed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(plt, "show", lambda: plt.close("all"))
        patch.setattr(scaling, "panel", lambda: None)
        names = {}
        yield names, {cell: run(source, names) for cell, source in lesson_cells().items()}


@pytest.mark.parametrize("cell", lesson_cells())
def test_any_single_cell_can_be_run_again(cell, after_run_all):
    names, printed = after_run_all
    assert run(lesson_cells()[cell], names) == printed[cell]


def test_no_name_means_two_things():
    """Names that cells read from other cells are set in one cell only."""
    sets, reads = {}, {}
    for cell, source in lesson_cells().items():
        code = compile(source, cell, "exec")
        sets[cell] = {i.argval for i in dis.get_instructions(code) if i.opname == "STORE_NAME"}
        reads[cell] = {i.argval for i in every_instruction(code) if i.opname in LOADS}
    for cell, names in reads.items():
        for name in names - sets[cell]:
            assert sum(name in others for others in sets.values()) <= 1, (cell, name)


LOADS = ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS")


def every_instruction(code):
    yield from dis.get_instructions(code)
    for inner in code.co_consts:
        if hasattr(inner, "co_code"):
            yield from every_instruction(inner)


def test_code_cells_are_short():
    for cell, source in lesson_cells().items():
        lines = [line for line in source.splitlines() if line.strip()]
        assert len(lines) <= 10, cell


def test_what_you_may_have_seen():
    h = scaling.activations()
    masks = dropout_mask((scaling.MASKS, h.size), 0.5, rng=0)

    def found(p, kind):
        return scaling.received(h, p, kind, masks)

    for hundredths in range(91):
        inverted = found(hundredths / 100, "inverted")
        assert inverted.mean == pytest.approx(inverted.test)
    assert found(0.5, "unscaled").test == pytest.approx(2 * found(0.5, "unscaled").mean)
    ratios = [found(p / 100, "unscaled").test / found(p / 100, "unscaled").mean for p in range(100)]
    assert np.argmin(np.abs(np.array(ratios) - 3)) == 67
    half, full = found(0.5, "vanilla"), found(0, "vanilla")
    assert half.mean == pytest.approx(half.test) == pytest.approx(full.test / 2)


@pytest.mark.parametrize("p", [0.05, 0.5, 0.9])
def test_the_lesson_s_variance_by_its_exact_fourth_moment(p):
    terms, n = scaling.activations() * np.random.default_rng(2).normal(size=16), 10_000
    masks = dropout_mask((n, 16), p, rng=3)
    found = scaling.received(terms, p, "inverted", masks)
    # cumulants of a sum of independent terms, each a Bernoulli variable times a number
    fourth = (p * (1 - p) * (1 - 6 * p * (1 - p)) * (terms / (1 - p)) ** 4).sum()
    error = np.sqrt((fourth + 2 * found.sd**4) / n)
    # 5 standard errors; the seed is fixed (false alarm below 1e-6 each)
    assert abs(found.training.var() - found.sd**2) < 5 * error


@pytest.mark.parametrize(
    "options, moves", [({}, False), ({"momentum": 0.9}, True), ({"weight_decay": 0.1}, True)]
)
def test_weights_move_at_gradient_zero_only_with_momentum_or_weight_decay(options, moves):
    w = torch.ones(3, requires_grad=True)
    optimizer = torch.optim.SGD([w], lr=0.01, **options)
    for grad in (1.0, 0.0):
        before = w.detach().clone()
        w.grad = torch.full((3,), grad)
        optimizer.step()
    assert bool((w != before).all()) == bool((w != before).any()) == moves


def test_where_dropout_is_switched_off(after_run_all):
    _, printed = after_run_all
    traps = dict(line.split(": ") for line in printed["traps-switch"].splitlines())
    assert len(traps) == 5
    for name, found in traps.items():
        assert found == ("off" if "repaired" in name else "still drops"), name


# --- the exercises


def layer(in_training, at_test, mask=lambda x, p, rng: rng.random(x.shape) >= p):
    """Return an answer that multiplies by these powers of 1 - p."""

    def answer(x, p, training, rng):
        if not training:
            return x * (1 - p) ** at_test
        return x * mask(x, p, rng) * (1 - p) ** in_training

    return answer


def with_where(x, p, training, rng):
    return np.where(rng.random(x.shape) >= p, x / (1 - p), 0) if training else x


def with_torch(x, p, training, rng):
    return F.dropout(x, p, training)


def vanilla_with_torch(x, p, training, rng):
    return (1 - p) * F.dropout(x, p, training)


def always_on(x, p, training, rng):
    return x * (rng.random(x.shape) >= p) / (1 - p)


def swapped(x, p, training, rng):
    return x * (rng.random(x.shape) < p) / p if training else x


def in_place(x, p, training, rng):
    x *= 2
    return x


def one_mask(x, p, rng):
    return np.random.default_rng(0).random(x.shape) >= p


RIGHT = [
    (dropout_function, layer(-1, 0)),
    (dropout_function, with_where),
    (dropout_function, with_torch),
    (vanilla_function, layer(0, 1)),
    (vanilla_function, vanilla_with_torch),
    (backward_function, lambda grad, mask, p: grad * mask / (1 - p)),
    (backward_function, lambda grad, mask, p: np.where(mask, grad, 0) / (1 - p)),
]
WRONG = [
    (dropout_function, layer(0, 0), "not rescaled?"),
    (dropout_function, layer(-2, 0), "scaled twice?"),
    (dropout_function, layer(-1, 1), "with training=False x is multiplied by 0.7"),
    (dropout_function, layer(-1, 0, one_mask), "the same mask at every call"),
    (dropout_function, always_on, "is training ignored?"),
    (dropout_function, swapped, "p and 1 − p swapped?"),
    (dropout_function, in_place, "changed x in place"),
    (vanilla_function, layer(0, 0), "x is multiplied by 1 at p = 0.3, expected 0.7"),
    (vanilla_function, layer(-1, 1), "kept units are multiplied by 1.429 at p = 0.3, expected 1"),
    (vanilla_function, layer(-1, 0), "kept units are multiplied by 1.429 at p = 0.3, expected 1"),
    (backward_function, lambda grad, mask, p: grad * mask, "is the factor 1/(1 − p) lost?"),
    (backward_function, lambda grad, mask, p: grad / (1 - p), "through 1.00 of the dropped"),
    (backward_function, lambda grad, mask, p: grad * ~mask / (1 - p), "is the mask inverted?"),
    (backward_function, lambda grad, mask, p: grad * mask / p, "p and 1 − p swapped"),
]


@pytest.mark.parametrize("expectation, answer", RIGHT)
def test_right_answers(expectation, answer):
    verdict = check("2", answer, expectation)
    assert verdict.ok, verdict


@pytest.mark.parametrize("expectation, answer, slip", WRONG)
def test_slips_are_named(expectation, answer, slip):
    verdict = check("2", answer, expectation)
    assert not verdict.ok
    assert slip in verdict.message
