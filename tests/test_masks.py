"""Lesson 01: the number of units dropped, equal masks, the panel, and the exercises."""

from __future__ import annotations

import inspect
from fractions import Fraction
from itertools import product
from math import comb

import numpy as np
import pytest
import torch

from dlcourse import digits, dropout_mask, masks
from dlcourse.checks import check
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, legible

PS = (0, 0.01, 0.5, 0.99, 1)

# --- The number dropped ----------------------------------------------------------------------


@pytest.mark.parametrize("p", PS)
@pytest.mark.parametrize("n", [1, 2, 10])
def test_number_dropped_is_what_the_list_of_all_masks_says(n, p):
    exact = Fraction(p).limit_denominator(100)
    expected = [Fraction(0)] * (n + 1)
    for dropped in product([0, 1], repeat=n):
        chances = (exact if one else 1 - exact for one in dropped)
        expected[sum(dropped)] += np.prod(list(chances))
    mean = sum(k * chance for k, chance in enumerate(expected))
    variance = sum((k - mean) ** 2 * chance for k, chance in enumerate(expected))

    law = masks.number_dropped(n, p)
    np.testing.assert_allclose(law.probabilities, [float(c) for c in expected], atol=1e-14)
    assert law.mean == pytest.approx(float(mean), abs=1e-12)
    assert law.sd**2 == pytest.approx(float(variance), abs=1e-12)


@pytest.mark.parametrize("n", [64, 1024])
@pytest.mark.parametrize("p", PS)
def test_number_dropped_of_a_whole_layer(n, p):
    q = Fraction(p).limit_denominator(100)
    exact = [float(comb(n, k) * q**k * (1 - q) ** (n - k)) for k in range(n + 1)]
    np.testing.assert_allclose(masks.number_dropped(n, p).probabilities, exact, rtol=1e-9)


def test_half_is_512_give_or_take_16():
    law = masks.number_dropped(1024, 0.5)
    assert (law.mean, law.sd) == (512, 16)
    assert round(law.probabilities[496:529].sum(), 2) == 0.70


def test_number_dropped_refuses_a_percentage():
    with pytest.raises(ValueError, match=r"p must be a probability in \[0, 1\], got 50"):
        masks.number_dropped(10, 50)


# --- Claims of the lesson --------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 7))
@pytest.mark.parametrize("p", [Fraction(0), Fraction(1, 100), Fraction(3, 10), Fraction(1, 2)])
def test_two_masks_are_equal_with_the_stated_probability(n, p):
    both = Fraction(0)
    for mask in product([True, False], repeat=n):
        both += np.prod([1 - p if kept else p for kept in mask]) ** 2
    assert both == (p**2 + (1 - p) ** 2) ** n


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_masks_of_the_course_are_equal_as_often_as_stated(p):
    """Tolerance 5 standard errors: false alarm below 1e-6 for each p."""
    pairs = dropout_mask((100_000, 2, 6), p, rng=3)
    chance = (p**2 + (1 - p) ** 2) ** 6
    error = (chance * (1 - chance) / len(pairs)) ** 0.5
    assert abs((pairs[:, 0] == pairs[:, 1]).all(axis=1).mean() - chance) < 5 * error


def test_units_go_independently_and_equally_often():
    """Tolerance 5.5 standard errors; 64 + 2016 comparisons: false alarm below 1e-4."""
    n, p = 20_000, 0.1
    gone = ~dropout_mask((n, 64), p, rng=4)
    together = gone.T.astype(float) @ gone / n
    each, pairs = np.diag(together), together[np.triu_indices(64, 1)]
    assert abs(each - p).max() < 5.5 * (p * (1 - p) / n) ** 0.5
    assert abs(pairs - p**2).max() < 5.5 * (p**2 * (1 - p**2) / n) ** 0.5


def test_a_mask_is_used_for_one_row_of_one_pass():
    """Equal by accident: 2^-64 for each of the 28 pairs."""
    torch.manual_seed(0)
    layer = torch.nn.Dropout(0.5)
    rows = torch.cat([layer(torch.ones(4, 64)) for _ in range(2)])
    assert len(rows.unique(dim=0)) == 8


def test_the_dropout_of_pytorch_takes_no_generator():
    assert "generator" not in inspect.signature(torch.nn.Dropout).parameters


# --- The example -----------------------------------------------------------------------------


@pytest.mark.parametrize("digit", range(10))
def test_example_is_a_test_image_and_what_the_first_layer_makes_of_it(digit):
    shown, params = masks.example(digit), digits.trained_network(64).params
    row = int(np.flatnonzero(digits.load().y_test == digit)[0])
    assert np.array_equal(shown.image.ravel(), digits.load().X_test[row])
    z = shown.image.ravel() @ params["W1"] + params["b1"]
    np.testing.assert_allclose(shown.hidden, np.where(z > 0, z, 0), atol=1e-12)
    assert 5 < (shown.hidden > 0).sum() < 59  # some of both kinds to look at


# --- The picture -----------------------------------------------------------------------------


def crosses(artists):
    """Return the places of the crosses, a set of (x, y)."""
    return set(map(tuple, np.transpose(artists[1].get_data())))


@pytest.mark.parametrize("seed", [0, 1])
def test_picture_shows_the_mask_and_no_dropped_unit_comes_back(seed):
    _, show = drawn(masks.scene, seed=seed, digit=3)
    gone = set()
    for p in np.arange(101) / 100:
        artists = show(p)
        kept = dropout_mask(64, p, rng=seed)
        assert crosses(artists) == {(i % 8, i // 8) for i in np.flatnonzero(~kept)}
        assert gone <= crosses(artists)
        gone = crosses(artists)
        active = (masks.example(3).hidden[kept] > 0).sum()
        numbers = f"{64 - kept.sum()} of 64 dropped, {kept.sum()} kept, {active} of them above 0"
        law = f"over all masks {64 * p:.1f} ± {(64 * p * (1 - p)) ** 0.5:.1f} dropped"
        assert artists[-1].get_text() == f"p = {p:.2f}: {numbers}; {law}"
    assert len(gone) == 64


def test_a_dropped_unit_and_one_that_is_0_look_different():
    _, show = drawn(masks.scene, seed=0, digit=3)
    discs = show(0.5)[0]
    faces, kept = discs.get_facecolor()[:, :3], dropout_mask(64, 0.5, rng=0)
    zero = masks.example(3).hidden == 0
    inactive, dropped = faces[zero & kept], faces[~kept]
    assert len(np.unique(inactive, axis=0)) == len(np.unique(dropped, axis=0)) == 1
    red, _, blue = inactive[0]
    assert blue - red > 0.1  # a tint of blue, where dropped is grey
    assert np.ptp(dropped[0]) == 0


@pytest.mark.parametrize("digit", [0, 9])
@pytest.mark.parametrize("large", [False, True])
def test_nothing_is_cut_off_and_no_words_overlap(digit, large):
    for p, figure, _, words in legible(
        masks.scene, np.arange(101) / 100, large, seed=0, digit=digit
    ):
        assert f"this mask: {(~dropout_mask(64, p, rng=0)).sum()}" in words
        # The discs of the key are apart from the words beside them.
        _, ax, _ = figure.axes
        key = ax.collections[0]
        radius = (key.get_sizes()[0] ** 0.5 + key.get_linewidths()[0]) / 2 * figure.dpi / 72
        for x, y in ax.transData.transform(key.get_offsets()):
            for text, box in words.items():
                beside = max(box.x0 - x, x - box.x1)
                assert beside > radius or not box.y0 < y < box.y1, (text, x, y)


# --- The panel -------------------------------------------------------------------------------


def test_panel_shows_the_same_picture_however_it_got_there():
    panel = masks.panel(p=0.3, seed=0, digit=5)
    try:
        digit, _, new_draw = panel.controls
        new_draw.click()
        for value in (0, 9):
            digit.value = value
            assert_no_history(panel, masks.scene, PS, seed=1, digit=value)
        assert repr(panel) == "masks.panel(p=1, seed=1, digit=9)"
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"digit": 10}, ValueError, "digit must be an int from 0 to 9, got 10"),
        ({"digit": 3.0}, TypeError, "digit must be an int from 0 to 9, got 3.0"),
        ({"digit": "three"}, TypeError, "digit must be an int from 0 to 9, got 'three'"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(masks.panel, arguments, error, message)


# --- The exercises ---------------------------------------------------------------------------


def test_spread_accepts_the_right_number():
    for answer in (4, 4.0, np.sqrt(16), (100 * 0.2 * 0.8) ** 0.5, torch.tensor(4.0), [4.01]):
        assert check("1.2", answer, masks.number_spread).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (16, "that is the variance"),
        (20, "that is the mean"),
        (80, "units kept"),
        (20**0.5, "factor 1 − p missing"),
        (0.4, "spread of one unit"),
        (0.04, "spread of the fraction"),
        (40, "independent units give √n"),
        (5, "5 is too large"),
        (0.16, "the variance of one unit, p (1 − p): times n"),
        (2, "that is √n p"),
        (10, "that is √n: are the factors"),
        (0.2, "that is p: the question asks for"),
        (80**0.5, "factor p missing"),
        (np.sqrt(100 * 0.2 * 1 - 0.2), "1 − p is not in brackets: write n * p * (1 - p) under"),
        (100 * 0.2 * 1 - 0.2, "1 − p is not in brackets: write n * p * (1 - p), and take"),
        (4.47, "factor 1 − p missing"),
        (4.3, "4.3 is too large"),
        (lambda: 4, "the answer is a function, expected a number"),
    ],
)
def test_spread_names_the_slip(answer, words):
    verdict = check("1.2", answer, masks.number_spread)
    assert verdict.state == "wrong" and words in verdict.message
    assert "asked" not in verdict.message
    if "brackets" not in words and answer != 2:
        assert "brackets" not in verdict.message


def times_mask(x, p, rng):
    return x * (rng.random(x.shape) >= p)


def row_by_row(x, p, rng):
    out = x.copy()
    for row in out:
        row[rng.random(len(row)) < p] = 0
    return out


def with_where(x, p, rng):
    return np.where(rng.uniform(size=x.shape) < p, 0, x)


def list_of_rows(x, p, rng):
    return [list(row * (rng.random(row.size) > p)) for row in x]


def of_the_course(x, p, rng):
    return x * dropout_mask(x.shape, p, rng)


def global_random(x, p, rng):
    return x * (np.random.rand(*x.shape) >= p)  # noqa: NPY002


def with_tensors(x, p, rng):
    return x.masked_fill(torch.rand_like(x) < p, 0.0)


@pytest.mark.parametrize(
    "answer",
    [
        *(times_mask, row_by_row, with_where, list_of_rows),
        *(of_the_course, global_random, with_tensors),
    ],
)
def test_batch_accepts_right_answers(answer):
    assert check("1.3", answer, masks.batch_function).ok


SHAPE_OF_X = "and a Generator: the mask must have the shape of x, x.shape"


def fixed_rows(x, p, rng):
    kept = np.stack([rng.permutation(x.shape[1]) >= round(p * x.shape[1]) for _ in x])
    return x * kept


def in_place(x, p, rng):
    x[rng.random(x.shape) < p] = 0
    return x


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda x, p, rng: x * (rng.random(x.shape[1]) >= p), "the same mask for every row"),
        (lambda x, p, rng: x * (rng.random((len(x), 1)) >= p), "whole rows are dropped together"),
        (lambda x, p, rng: x * (rng.random(x.shape) < p), "p and 1 − p swapped?"),
        (lambda x, p, rng: x * (rng.random(x.shape) >= p) / (1 - p), "must stay as they are"),
        (lambda x, p, rng: x * (rng.random(x.shape) >= p) * (1 - p), "must stay as they are"),
        (lambda x, p, rng: x[:, rng.random(x.shape[1]) >= p], "expected an array of shape"),
        (
            lambda x, p, rng: x * (np.random.default_rng(0).random(x.shape) >= p),
            "is a seed fixed inside",
        ),
        (lambda x, p, rng: x, "nothing is dropped"),
        (lambda x, p, rng: rng.random(x.shape) >= p, "is x multiplied by the mask?"),
        (lambda x, p, rng: x * rng.random(x.shape) >= p, "is the product compared"),
        (lambda x, p, rng: x * rng.random(x.shape), "is a comparison missing?"),
        (lambda x, p, rng: x * (rng.random(x.shape) * p), "is a comparison missing?"),
        (lambda x, p, rng: x * (rng.random(x.shape[0]) >= p), SHAPE_OF_X),
        (lambda x, p, rng: x * (rng.random(x) >= p), SHAPE_OF_X),
        (lambda x, p, rng: x * (rng.random(x.size) >= p), SHAPE_OF_X),
        (lambda x, p, rng: x * (np.random.rand(x.shape) >= p), SHAPE_OF_X),  # noqa: NPY002
        (lambda x, p, rng: x * (rng >= p), "'numpy.random._generator.Generator' and 'float'"),
        (fixed_rows, "every row keeps exactly 35 of 50 units"),
        (in_place, "in place: work on a copy: `x * 2` makes one, `x *= 2` does not"),
    ],
)
def test_batch_names_the_slip(answer, words):
    verdict = check("1.3", answer, masks.batch_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict
    assert "inverted" not in verdict.message and "in training" not in verdict.message
    assert "torch" not in verdict.message and "Tensor" not in verdict.message
    assert (words == SHAPE_OF_X) == (SHAPE_OF_X in verdict.message)


def test_batch_names_two_slips_at_once():
    def answer(x, p, rng):
        return x * (rng.random(x.shape[1]) >= p) / (1 - p)

    message = check("1.3", answer, masks.batch_function).message
    assert "the same mask for every row" in message and ". Also, kept units are" in message


def test_batch_tells_an_unfinished_answer():
    def answer(x, p, rng):
        mask = ...
        return x * mask

    verdict = check("1.3", answer, masks.batch_function)
    assert verdict.state == "unfinished"
    assert "\n" not in repr(verdict)


# --- what the lesson says a learner may have seen


def test_seven_draws_in_ten_lie_between_28_and_36():
    chance = masks.number_dropped(64, 0.5).probabilities[28:37].sum()
    assert 0.65 < chance < 0.75


def test_at_one_percent_every_second_draw_drops_nothing():
    assert 0.45 < masks.number_dropped(64, 0.01).probabilities[0] < 0.55
