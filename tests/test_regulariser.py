"""Lesson 08: dropout as ridge, its approximation, max-norm, the comparison, panel, exercises."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy.optimize import minimize
from torch import nn

from dlcourse import data, regulariser
from dlcourse.checks import check
from dlcourse.compare import mean_interval
from dlcourse.regulariser import CANDIDATES, CHOSEN, Setting
from dlcourse.training import limit_norm, mlp, train
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, first_of, legible

PS = (0, 0.01, 0.5, 0.99, 1)


def regression(n, rows=20, seed=0):
    """Return inputs of very different sizes, what they are to explain, and their sizes."""
    rng = np.random.default_rng(seed)
    sizes = 10.0 ** rng.uniform(-2, 2, n)
    X = rng.normal(size=(rows, n)) @ (np.eye(n) + 0.5) * sizes
    return X, X @ (rng.normal(size=n) / sizes) + rng.normal(size=rows), sizes


# --- Linear regression -----------------------------------------------------------------------


def test_every_mask_is_listed_once_with_its_chance():
    for n in (1, 5, 12):
        masks, chances = regulariser.every_mask(n), regulariser.mask_chances(n, 0.3)
        assert len(np.unique(masks, axis=0)) == 2**n == len(chances)
        assert chances.sum() == pytest.approx(1, abs=1e-12)
        np.testing.assert_allclose(chances @ masks, 0.7, atol=1e-12)
        assert not masks.flags.writeable


@pytest.mark.parametrize("n", [1, 2, 6, 12])
@pytest.mark.parametrize("p", [0.0, 0.01, 0.2, 0.5, 0.9, 0.99])
def test_the_closed_form_is_the_average_over_all_masks(n, p):
    X, y, sizes = regression(n, rows=15, seed=n)
    closed, listed = regulariser.dropout_ridge(X, y, p), regulariser.over_masks(X, y, p)
    np.testing.assert_allclose(closed * sizes, listed * sizes, rtol=0, atol=1e-10)


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
def test_the_loss_over_masks_is_the_loss_and_the_penalty(p):
    X, y, sizes = regression(8, seed=3)
    w = np.random.default_rng(4).normal(size=8) / sizes
    expected = ((y - X @ w) ** 2).sum() + regulariser.penalty(X, w, p)
    assert regulariser.loss_over_masks(X, y, w, p) == pytest.approx(expected, rel=1e-10)


def test_the_closed_form_is_where_an_optimiser_ends():
    X, y, _ = regression(4, seed=5)
    X /= np.sqrt((X**2).sum(axis=0))

    def loss(w):
        return ((y - X @ w) ** 2).sum() + regulariser.penalty(X, w, 0.4)

    found = minimize(loss, np.zeros(4), tol=1e-12).x
    np.testing.assert_allclose(regulariser.dropout_ridge(X, y, 0.4), found, atol=1e-5)


def test_stochastic_training_ends_there_on_average():
    """64 runs of 500 averaged steps; 5 standard errors on 3 weights: false alarm below 2e-5."""
    X, y, sizes = regression(3, seed=6)
    rng, w, total, p = np.random.default_rng(7), np.zeros((64, 3)), 0, 0.4
    for step in range(700):
        noisy = X * (rng.random((64, *X.shape)) >= p) / (1 - p)
        error = y - np.einsum("rij,rj->ri", noisy, w)
        w = w + 0.05 * np.einsum("ri,rij->rj", error, noisy) / (X**2).sum(axis=0)
        total = total + (step >= 200) * w / 500
    off = total.mean(axis=0) - regulariser.dropout_ridge(X, y, p)
    error = total.std(axis=0, ddof=1) / 8
    assert (abs(off) < 5 * error).all()
    assert (error * sizes < 0.05).all()  # it is a test of something


def test_ends_of_p():
    X, y, _ = regression(5, seed=8)
    assert np.array_equal(regulariser.dropout_ridge(X, y, 1), np.zeros(5))
    ordinary = np.linalg.lstsq(X, y, rcond=None)[0]
    np.testing.assert_allclose(regulariser.dropout_ridge(X, y, 0), ordinary, rtol=1e-8)
    # Near 1 each input is learned as if it were alone, times 1 - p.
    alone = X.T @ y / (X**2).sum(axis=0)
    near = regulariser.dropout_ridge(X, y, 1 - 1e-9) / 1e-9
    np.testing.assert_allclose(near, alone, rtol=1e-5)


def test_an_input_that_is_always_0_gets_no_weight():
    X, y, _ = regression(3, seed=9)
    X[:, 1] = 0
    for p in (0.0, 0.5):
        for found in (regulariser.dropout_ridge(X, y, p), regulariser.over_masks(X, y, p)):
            assert found[1] == 0
            np.testing.assert_allclose(
                found[[0, 2]], regulariser.dropout_ridge(X[:, [0, 2]], y, p), rtol=1e-8
            )


def test_odds_are_those_of_the_p_that_was_given_in_float16():
    p = np.float16(0.8)
    assert regulariser.linear.odds(p) == float(p) / (1 - float(p))


def test_units_are_of_no_matter_to_dropout_but_to_ridge():
    X, y, _ = regression(4, seed=10)
    X /= np.sqrt((X**2).sum(axis=0))
    other = X * [100, 1, 1, 1]
    same = other @ regulariser.dropout_ridge(other, y, 0.5)
    np.testing.assert_allclose(same, X @ regulariser.dropout_ridge(X, y, 0.5), atol=1e-10)
    moved = other @ regulariser.plain_ridge(other, y, 1.0) - X @ regulariser.plain_ridge(X, y, 1.0)
    assert abs(moved).max() > 0.1


# --- Logistic regression ---------------------------------------------------------------------


def logistic_loss(X, y, w):
    z = X @ w
    return (np.logaddexp(0, z) - y * z).sum()


@pytest.mark.parametrize("p", [0.0, 0.2, 0.7])
def test_the_logistic_penalty_is_what_dropped_inputs_cost(p):
    """Each mask in turn, through another formula of the loss; the labels do not matter."""
    X, y = regulariser.examples(1, "logistic", 1)
    w = np.array([1.0, -0.5, 2.0, 0.3])
    for labels in (y, 1 - y):
        average = 0.0
        for kept in regulariser.every_mask(4):
            chance = np.prod(np.where(kept, 1 - p, p))
            average += chance * logistic_loss(X * kept / (1 - p), labels, w)
        found = regulariser.logistic_penalty(X, w, p)
        assert found == pytest.approx(average - logistic_loss(X, labels, w), abs=1e-10)


def test_the_formula_is_the_second_derivative():
    """As p or the weights go to 0 the ratio goes to 1; the error is of the next order."""
    X, _ = regulariser.examples(0, "logistic", 1)
    w = np.array([0.7, 0.5, -0.6, -0.1])
    ratios = [
        regulariser.logistic_penalty(X, k * w, 0.5)
        / regulariser.second_order_penalty(X, k * w, 0.5)
        for k in (0.02, 0.01)
    ]
    assert abs(ratios[1] - 1) < 1e-3
    assert abs(ratios[1] - 1) < 0.3 * abs(ratios[0] - 1)  # it falls like the square


def test_where_the_formula_breaks():
    """The exact penalty is bounded in p, and grows with the weights of a sure example."""
    X, _ = regulariser.examples(0, "logistic", 1)
    w = np.array([0.7, 0.5, -0.6, -0.1])
    bound = (np.abs(X) @ np.abs(w) + np.log(2)).sum()
    for p in (0.9, 0.99, 0.999):
        assert regulariser.logistic_penalty(X, w, p) < bound
    assert regulariser.second_order_penalty(X, w, 0.999) > 10 * bound
    sure = np.array([[2.0, -1.0]])
    assert regulariser.second_order_penalty(sure, [8, 8], 0.5) < 0.1
    assert regulariser.logistic_penalty(sure, [8, 8], 0.5) > 4


@pytest.mark.parametrize("p", [0.0, 0.3, 0.9])
def test_the_logistic_fit_is_where_an_optimiser_ends(p):
    X, y = regulariser.examples(2, "logistic", 1)

    def loss(w):
        return logistic_loss(X, y, w) + regulariser.logistic_penalty(X, w, p)

    found = minimize(loss, np.zeros(4), tol=1e-10).x
    np.testing.assert_allclose(regulariser.fit_logistic(X, y, p), found, atol=1e-4)


def test_ridge_and_a_start_in_the_logistic_fit():
    X, y = regulariser.examples(3, "logistic", 1)

    def loss(w):
        return logistic_loss(X, y, w) + 3 * w @ w

    found = regulariser.fit_logistic(X, y, 0.0, ridge=3.0)
    np.testing.assert_allclose(found, minimize(loss, np.zeros(4), tol=1e-10).x, atol=1e-4)
    again = regulariser.fit_logistic(X, y, 0.0, ridge=3.0, start=[5.0, -5.0, 5.0, -5.0])
    np.testing.assert_allclose(again, found, atol=1e-8)


@pytest.mark.parametrize("unit", [1e11, 1e200, 1e-11, 1e-200])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_the_units_of_an_input_do_not_matter_to_the_logistic_fit(p, unit):
    X, y = regulariser.examples(2, "logistic", 1)
    units = np.array([1, unit, 1, 1])
    found = regulariser.fit_logistic(X * units, y, p) * units
    np.testing.assert_allclose(found, regulariser.fit_logistic(X, y, p), rtol=1e-9)
    found = regulariser.fit_logistic([[unit]] * 4, [1, 1, 1, 0], p=0)
    np.testing.assert_allclose(found * unit, np.log(3), rtol=1e-9)


def test_a_small_input_is_held_back_alone_by_a_ridge():
    X, y = regulariser.examples(2, "logistic", 1)
    found = regulariser.fit_logistic(X * [1, 1e-12, 1, 1], y, 0.3, ridge=1.0)
    others = regulariser.fit_logistic(X * [1, 0, 1, 1], y, 0.3, ridge=1.0)
    assert 0 < abs(found[1]) < 1e-10
    np.testing.assert_allclose(found[[0, 2, 3]], others[[0, 2, 3]], rtol=1e-9)


@pytest.mark.parametrize("unit", [1e-9, 1, 1e9])
@pytest.mark.parametrize("p", [0.0, 0.3])
def test_labels_that_a_plane_parts_are_refused_in_any_unit(p, unit):
    with pytest.raises(ValueError, match="a plane parts the labels"):
        regulariser.fit_logistic([[-unit], [2 * unit]], [0, 1], p)


def test_labels_that_a_plane_parts_have_no_smallest_loss():
    X, y = [[1.0], [2.0], [-1.0]], [1, 1, 0]
    with pytest.raises(ValueError, match="a plane parts the labels"):
        regulariser.fit_logistic(X, y, 0.0)
    assert np.isfinite(regulariser.fit_logistic(X, y, 0.0, ridge=0.1)).all()


# --- Max-norm --------------------------------------------------------------------------------


def test_max_norm_is_that_of_the_trainers_and_of_pytorch():
    W = np.random.default_rng(0).normal(size=(7, 9)) * np.linspace(0, 1, 9)
    mine = regulariser.max_norm(W, 1.5)
    ours = torch.tensor(W)
    limit_norm(ours, 1.5)
    np.testing.assert_allclose(mine, ours.numpy(), atol=1e-12)
    np.testing.assert_allclose(mine, torch.renorm(torch.tensor(W), 2, 1, 1.5), atol=1e-6)
    norms = np.sqrt((W**2).sum(axis=0))
    assert np.array_equal(mine[:, norms <= 1.5], W[:, norms <= 1.5])
    assert 2 < (norms <= 1.5).sum() < 8
    np.testing.assert_allclose(regulariser.max_norm(mine, 1.5), mine, atol=1e-15)


def test_max_norm_holds_after_each_step(monkeypatch):
    """Look at the norms whenever the trainer has limited them."""
    import dlcourse.training as training

    seen = []

    def limited(weights, norm):
        limit_norm(weights, norm)
        seen.append(float(weights.norm(dim=0).max()))

    monkeypatch.setattr(training, "limit_norm", limited)
    model = mlp(64, (16, 16), 10, seed=0)
    done = train(model, data.digits(100), epochs=3, max_norm=0.6, seed=0, progress=None)
    assert len(seen) == 3 * 2 * 2  # epochs, steps, hidden layers
    assert max(seen) <= 0.6 * (1 + 1e-6)
    free = train(model, data.digits(100), epochs=3, seed=0, progress=None)
    longest = [
        max(
            part.weight.norm(dim=1).max().item()
            for part in one.model
            if isinstance(part, nn.Linear)
        )
        for one in (done, free)
    ]
    assert longest[1] > 0.6  # it had something to do


# --- The comparison --------------------------------------------------------------------------


def test_accuracies_are_those_of_single_trainings():
    dataset = data.digits(100, wrong_labels=0.2)
    settings = [Setting(p=0.3), Setting(), Setting(p=0.3, max_norm=0.7), Setting(weight_decay=0.01)]
    found = regulariser.accuracies(dataset, settings, seeds=2, epochs=5)
    assert list(found) == settings
    for setting, scores in found.items():
        for seed in range(2):
            if setting.p:
                continue  # its masks come from another generator
            done = train(
                mlp(64, regulariser.HIDDEN, 10, seed=seed),
                dataset,
                epochs=5,
                lr=regulariser.LR,
                weight_decay=setting.weight_decay,
                max_norm=setting.max_norm,
                seed=seed,
                progress=None,
            )
            assert abs(scores[seed] - done.curves.test_accuracy[-1]) < 0.03


def test_what_is_compared_was_a_candidate():
    assert CHOSEN.keys() == {"none", *CANDIDATES}
    for name, settings in CANDIDATES.items():
        assert CHOSEN[name] in settings
        assert len(settings) == 3  # no technique got more tries
    assert not set(regulariser.SEEDS) & set(regulariser.OTHER_SEEDS)


def test_progress_counts_the_trainings():
    seen = []

    def progress(steps):
        seen.append(len(steps))
        return steps

    dataset = data.digits(50)
    settings = [Setting(), Setting(p=0.5), Setting(max_norm=1.0)]
    threads = torch.get_num_threads()
    regulariser.accuracies(dataset, settings, seeds=2, epochs=1, progress=progress)
    assert seen == [2]  # one for both p
    assert torch.get_num_threads() == threads


# --- Bad input -------------------------------------------------------------------------------

X2, Y2, W2 = [[1.0, 2.0], [3.0, 5.0]], [1.0, 0.0], [1.0, 1.0]


@pytest.mark.parametrize(
    ("function", "arguments", "error", "message"),
    [
        ("penalty", (X2, W2, 50), ValueError, "p must be a probability in [0, 1], got 50"),
        ("penalty", (X2, W2, 1), ValueError, "p must be smaller than 1, where every input"),
        ("penalty", (X2, [1.0], 0.5), ValueError, "w must hold one finite number for each input"),
        ("penalty", ([1.0, 2.0], W2, 0.5), ValueError, "X must be an array (rows, inputs)"),
        ("penalty", ([], W2, 0.5), ValueError, "X must be an array (rows, inputs)"),
        ("penalty", ([[np.nan]], [1], 0.5), ValueError, "finite numbers, got [[nan]]"),
        ("penalty", ("X", W2, 0.5), TypeError, "X must be an array of real numbers, got 'X'"),
        ("dropout_ridge", (X2, [1.0], 0.5), ValueError, "y must hold one finite number"),
        ("dropout_ridge", (X2, Y2, "half"), TypeError, "p must be a probability"),
        ("plain_ridge", (X2, Y2, 0), ValueError, "strength must be a number > 0, got 0"),
        ("over_masks", (X2, Y2, 1.0), ValueError, "p must be smaller than 1"),
        ("over_masks", (np.ones((2, 13)), Y2, 0.5), ValueError, "an int from 1 to 12, got 13"),
        ("loss_over_masks", (X2, Y2, [1, np.inf], 0.5), ValueError, "w must hold one finite"),
        ("every_mask", (2.0,), TypeError, "must be an int from 1 to 12, got 2.0"),
        ("mask_chances", (2, -1), ValueError, "p must be a probability in [0, 1], got -1"),
        ("logistic_penalty", (X2, W2, 1), ValueError, "p must be smaller than 1"),
        ("second_order_penalty", (X2, W2, 1), ValueError, "p must be smaller than 1"),
        ("second_order_penalty", (X2, [[1, 1]], 0.5), ValueError, "got shape (1, 2)"),
        ("fit_logistic", (X2, [1, 2], 0.5), ValueError, "ints from 0 to 1, got 2"),
        ("fit_logistic", (X2, [1, 0], 1), ValueError, "p must be smaller than 1"),
        ("fit_logistic", (X2, [1, 0], 0.5, -1), ValueError, "ridge must be a number > 0, got -1"),
        ("max_norm", ([[1.0]], 0), ValueError, "c must be a number > 0, got 0"),
        ("max_norm", ([1.0], 1), ValueError, "W must be an array (units in, units out)"),
        ("examples", (0, "linear", -1), ValueError, "scale must be a number > 0, got -1"),
        ("examples", (-1, "linear", 1), ValueError, "seed must be an int >= 0, got -1"),
        ("examples", (0, "cubic", 1), ValueError, "model must be 'linear' or 'logistic'"),
        ("panel", (0.5, 0, "cubic"), ValueError, "regression must be one of ['linear', "),
        ("panel", (0.5, 0, "linear", 2), ValueError, "input 1 times must be one of [0.1, 1, 10]"),
        ("panel", (0.5, 0, "linear", True), ValueError, "input 1 times must be one of [0.1, 1"),
    ],
)
def test_bad_input_is_quoted_with_the_rule(function, arguments, error, message):
    with pytest.raises(error) as raised:
        getattr(regulariser, function)(*arguments)
    assert message in str(raised.value)


@pytest.mark.parametrize(("arguments", "error", "message"), BAD_STARTS)
def test_panel_refuses_bad_starts(arguments, error, message):
    assert_refused(regulariser.panel, arguments, error, message)


def test_settings_that_cannot_be_trained_with():
    for setting, words in [
        ({"p": 50}, "p must be a probability in [0, 1], got 50"),
        ({"max_norm": 0}, "max_norm must be a number > 0, got 0"),
        ({"weight_decay": -1}, "weight_decay must be a number >= 0, got -1"),
    ]:
        with pytest.raises(ValueError, match=words.replace("[", r"\[")):
            Setting(**setting)
    with pytest.raises(TypeError, match=r"settings must hold Settings, .*got 0.5"):
        regulariser.accuracies(data.digits(50), [0.5])


# --- The panel -------------------------------------------------------------------------------


@pytest.mark.parametrize("model", regulariser.MODELS)
def test_paths_are_those_of_the_functions(model):
    X, y = regulariser.examples(4, model, 10)
    found = regulariser.path(4, model, 10)
    for i in (0, 30, 99):
        p, w = i / 100, found.weights[i]
        if model == "linear":
            np.testing.assert_allclose(w, regulariser.over_masks(X, y, p), atol=1e-8)
            assert found.formula[i] == pytest.approx(regulariser.penalty(X, w, p) / 60)
            assert found.loss[i] == pytest.approx(((y - X @ w) ** 2).mean())
            np.testing.assert_allclose(found.penalty, found.formula, atol=1e-10)
        else:
            np.testing.assert_allclose(w, regulariser.fit_logistic(X, y, p), atol=1e-7)
            assert found.penalty[i] == pytest.approx(regulariser.logistic_penalty(X, w, p) / 60)
            assert found.loss[i] == pytest.approx(logistic_loss(X, y, w) / 60)
    assert found.weights[100].tolist() == found.ridge[100].tolist() == [0] * 4
    np.testing.assert_allclose(found.loss[99:], found.loss[100], rtol=0.1)  # no jump at the end
    np.testing.assert_allclose(found.ridge[0], w if i == 0 else found.weights[0], atol=1e-7)


@pytest.mark.parametrize("model", regulariser.MODELS)
def test_another_unit_moves_plain_ridge_only(model):
    one, ten = (regulariser.path(0, model, scale) for scale in (1, 10))
    np.testing.assert_allclose(one.weights * one.size, ten.weights * ten.size, atol=1e-7)
    np.testing.assert_allclose(one.penalty, ten.penalty, atol=1e-8)
    assert abs(one.ridge * one.size - ten.ridge * ten.size).max() > 0.3
    assert ten.weights[50, 0] == pytest.approx(one.weights[50, 0] / 10, rel=1e-5)


@pytest.mark.parametrize("seed", first_of(range(20)))
def test_every_draw_can_be_learned(seed):
    """No plane parts the labels, which for 60 noisy ones in 4 dimensions would be a rare thing."""
    found = regulariser.path(seed, "logistic", 1)
    assert np.isfinite(found.weights).all() and abs(found.weights).max() < 10
    assert (np.diff(found.loss) > -1e-9).all()


@pytest.mark.parametrize("model", regulariser.MODELS)
@pytest.mark.parametrize("scale", first_of(regulariser.SCALES))
@pytest.mark.parametrize("large", first_of([False, True]))
def test_nothing_is_cut_off_and_no_words_overlap(model, scale, large):
    for seed in (0, 1):
        state = {"seed": seed, "model": model, "scale": scale}
        for p, _, artists, _ in legible(
            regulariser.scene, np.arange(0, 101, 5) / 100, large, **state
        ):
            assert artists[-1].get_text().startswith(f"p = {p:.2f}: weights ")


def test_the_picture_shows_the_numbers():
    _, show = drawn(regulariser.scene, seed=0, model="linear", scale=1)
    found = regulariser.path(0, "linear", 1)
    for i in (0, 37, 100):
        *dots, bar, _, caption = show(i / 100)
        heights = [dot.get_data()[1][0] for dot in dots]
        np.testing.assert_allclose(heights, found.weights[i] * found.size)
        low, high = bar.get_data()[1]
        assert high - low == pytest.approx(found.penalty[i])
        assert f"penalty {found.penalty[i]:.3f} (formula {found.formula[i]:.3f})" in (
            caption.get_text()
        )
        assert "-" not in caption.get_text() and "−0.00," not in caption.get_text()


@pytest.mark.soak
def test_panel_shows_the_same_picture_however_it_got_there():
    panel = regulariser.panel(p=0.3)
    try:
        model, scale, _, new_draw = panel.controls
        new_draw.click()
        for name in regulariser.MODELS:
            model.value = name
            for value in (0.1, 10):
                scale.value = value
                assert_no_history(panel, regulariser.scene, PS, seed=1, model=name, scale=value)
        assert repr(panel) == "regulariser.panel(p=1, seed=1, model='logistic', scale=10)"
    finally:
        panel.close()


# --- what the lesson says a learner may have seen


def test_twins_share_the_work():
    found = regulariser.path(0, "linear", 1)
    assert found.weights[0, 0] > 8 * found.weights[0, 1]
    assert found.weights[50, 1] > 0.8 * found.weights[50, 0]


def test_the_logistic_formula_is_first_too_small_then_too_large():
    found = regulariser.path(0, "logistic", 1)
    assert found.formula[20] < 0.9 * found.penalty[20]
    assert found.formula[90] > 1.1 * found.penalty[90]


def test_ridge_holds_back_the_others_when_input_1_grows():
    found = regulariser.path(0, "linear", 10)
    sizes = found.ridge[50] * found.size
    assert sizes[0] > 1 and abs(sizes[1:]).max() < 0.2


# --- Static figures --------------------------------------------------------------------------


def test_figures_say_what_was_found():
    rng = np.random.default_rng(0)
    settings = {s for row in CANDIDATES.values() for s in row} | set(CHOSEN.values())
    found = {setting: 0.9 + 0.01 * rng.random(8) for setting in settings}
    figure = Figure()
    left, right = figure.subplots(1, 2)
    regulariser.draw_validation(left, found)
    regulariser.draw_comparison(right, found)
    words = [text.get_text() for text in right.texts]
    for name, setting in CHOSEN.items():
        score = mean_interval(100 * found[setting])
        assert f"{score.mean:.1f} ± {score.half_width:.1f} %" in words
        assert any(word.startswith(name) for word in words)
    assert [label.get_text() for label in left.get_xticklabels()][:3] == ["0.003", "0.01", "0.03"]


# --- The exercises ---------------------------------------------------------------------------


def by_loops(X, w, p):
    total = 0
    for row in X:
        for x, weight in zip(row, w, strict=True):
            total += x**2 * weight**2
    return p / (1 - p) * total


def by_trace(X, w, p):
    return p / (1 - p) * np.diag(X.T @ X) @ (w * w)


def by_matrix(X, w, p):
    return w @ np.diag(np.diag(X.T @ X)) @ w * (p / (1 - p))


def by_torch(X, w, p):
    return p / (1 - p) * torch.einsum("ij,j->", torch.as_tensor(X) ** 2, torch.as_tensor(w) ** 2)


@pytest.mark.parametrize("answer", [by_loops, by_trace, by_matrix, by_torch, regulariser.penalty])
def test_penalty_accepts_right_answers(answer):
    assert check("8.2", answer, regulariser.penalty_function).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda X, w, p: p * (X**2).sum(axis=0) @ w**2, "p instead of p / (1 − p)"),
        (lambda X, w, p: (X**2).sum(axis=0) @ w**2 / (1 - p), "at p = 0 nothing is added"),
        (lambda X, w, p: (1 - p) / p * (X**2).sum(axis=0) @ w**2, "p and 1 − p swapped?"),
        (lambda X, w, p: p * (1 - p) * (X**2).sum(axis=0) @ w**2, "p (1 − p) instead"),
        (lambda X, w, p: p / (1 - p) * (w**2).sum(), "plain ridge"),
        (lambda X, w, p: p / (1 - p) * w @ X.T @ X @ w, "not its diagonal"),
        (lambda X, w, p: p / (1 - p) * (X @ w) ** 2, "a number for each example"),
        (lambda X, w, p: p / (1 - p) * (X**2).sum(axis=0) * w**2, "a number for each input"),
        (lambda X, w, p: p / (1 - p) * (X**2).mean(axis=0) @ w**2, "the mean over the examples"),
        (lambda X, w, p: p / (1 - p) * X.sum(axis=0) ** 2 @ w**2, "square x first"),
        (lambda X, w, p: p / (1 - p) * (X**2).sum(axis=0) @ w, "w is not squared"),
        (lambda X, w, p: p / (1 - p) * X.var(axis=0) @ w**2, "the variance of each input"),
        (lambda X, w, p: (X**2).sum(axis=0) @ w**2, "p / (1 − p) is missing"),
        (lambda X, w, p: regulariser.penalty(X, w, p) / 2, "half of it"),
        (lambda X, w, p: 7.0, "7 at p = 0.2, expected"),
        (lambda X, w, p: X.T @ X, "a 3 × 3 array: the penalty is one number"),
        (lambda X, w, p: [[1.0], [1.0, 2.0]], "expected one number"),
    ],
)
def test_penalty_names_the_slip(answer, words):
    verdict = check("8.2", answer, regulariser.penalty_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def with_where(W, c):
    norms = np.linalg.norm(W, axis=0)
    return np.where(norms > c, W * c / np.where(norms == 0, 1, norms), W)


def unit_by_unit(W, c):
    out = W.copy()
    for j in range(W.shape[1]):
        norm = np.sqrt((W[:, j] ** 2).sum())
        if norm > c:
            out[:, j] *= c / norm
    return out


def renormed(W, c):
    return torch.renorm(torch.as_tensor(W), 2, 1, c)


@pytest.mark.parametrize("answer", [with_where, unit_by_unit, renormed, regulariser.max_norm])
def test_norm_accepts_right_answers(answer):
    assert check("8.3", answer, regulariser.norm_function).ok


def norm(W, axis=0):
    return np.maximum(np.sqrt((W**2).sum(axis=axis, keepdims=True)), 1e-300)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda W, c: W * np.minimum(1, c / norm(W, 1)), "over the wrong axis: a unit's"),
        (lambda W, c: W * c / norm(W), "short ones are stretched to c too"),
        (lambda W, c: W * c / norm(W, 1), "wrong axis, and short ones"),
        (lambda W, c: W * min(1, c / np.sqrt((W**2).sum())), "each unit has its own"),
        (lambda W, c: np.clip(W, -c, c), "each weight is cut off on its own"),
        (lambda W, c: np.where(norm(W) > c, W / norm(W), W), "to norm 1, not c"),
        (lambda W, c: W, "nothing changed"),
        (lambda W, c: np.where(norm(W) < c, W * c / norm(W), W), "the other way round"),
        (lambda W, c: np.where(norm(W) > c, 0, W), "set to 0"),
        (lambda W, c: W * np.minimum(1, c / norm(W) ** 2), "the squared norm"),
        (lambda W, c: W / norm(W), "whatever its size"),
        (lambda W, c: W * 0.99, "expected at most 1.5"),
        (lambda W, c: W * np.minimum(0.9, 0.5 * c / norm(W)), "a column shorter than c changed"),
        (lambda W, c: W * np.where(norm(W) > c, 0.5 * c / norm(W), 1), "to less than c"),
        (lambda W, c: (W**2).sum(axis=0), "expected an array of shape (4, 6)"),
        (lambda W, c: W / np.sqrt((W**2).sum(axis=0)), "nan"),
    ],
)
def test_norm_names_the_slip(answer, words):
    with np.errstate(all="ignore"):
        verdict = check("8.3", answer, regulariser.norm_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        *((1.6, "not p"), (0.25, "other way round, or p and 1 − p swapped"), (16, "square")),
        *((2.5, "p / (1 − p)"), (5, "large"), (1 / 16, "the square, and the other way round")),
    ],
)
def test_strength_names_the_slip(answer, words):
    assert check("8.1", 4, regulariser.times_as_strong).ok
    verdict = check("8.1", answer, regulariser.times_as_strong)
    assert verdict.state == "wrong" and words in verdict.message
