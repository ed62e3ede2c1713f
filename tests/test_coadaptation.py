"""Lesson 04: closed form, networks, what removing units costs, the picture, the exercises."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy.optimize import minimize

from dlcourse import coadaptation, data, dropout_mask
from dlcourse.checks import check
from dlcourse.coadaptation import ablation
from dlcourse.compare import Difference, mean_interval, paired_difference
from dlcourse.grid import train_grid
from dlcourse.keep import Keep
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, first_of, legible

PS = (0, 0.01, 0.5, 0.99, 1)


def listed_loss(w, p):
    """Return the loss for inputs and target 1, averaged over the list of all masks."""
    masks = np.array(list(product([0, 1], repeat=len(w))))
    chances = np.where(masks, 1 - p, p).prod(axis=1)
    return (chances * (1 - masks @ w / (1 - p)) ** 2).sum()


# --- The closed form -------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.01, 0.2, 0.5, 0.9])
@pytest.mark.parametrize("k", [1, 2, 4, 6])
def test_equal_weight_is_the_minimum_over_the_list_of_all_masks(k, p):
    w = np.random.default_rng(k).normal(size=k)
    formula = (1 - w.sum()) ** 2 + p / (1 - p) * (w**2).sum()
    assert listed_loss(w, p) == pytest.approx(formula, rel=1e-10)
    found = minimize(listed_loss, w, args=(p,), tol=1e-12).x
    np.testing.assert_allclose(found, coadaptation.equal_weight(k, p), atol=1e-5)


def test_equal_weight_at_the_ends():
    assert coadaptation.equal_weight(4, 0) == 0.25
    assert coadaptation.equal_weight(4, 1) == 0
    with pytest.raises(ValueError, match=r"p must be a probability in \[0, 1\], got 50"):
        coadaptation.equal_weight(4, 50)
    with pytest.raises(ValueError, match="k must be"):
        coadaptation.equal_weight(0, 0.5)


@pytest.mark.parametrize(("k", "p"), [(4, 0.5), (10, 0.2)])
def test_real_masks_end_at_the_closed_form_and_none_keep_the_differences(k, p):
    """The mean over 400 runs within 5 standard errors for each of k weights: below 1e-5."""
    rng = np.random.default_rng(1)
    start = rng.normal(0, 0.3, k)
    runs = np.tile(start, (400, 1))
    for _ in range(3000):
        x = (rng.random(runs.shape) >= p) / (1 - p)
        runs = runs - 0.004 * 2 * x * ((x * runs).sum(axis=1, keepdims=True) - 1)
    error = runs.std(axis=0, ddof=1) / 20
    assert (abs(runs.mean(axis=0) - coadaptation.equal_weight(k, p)) < 5 * error).all()
    assert error.max() < 0.01
    w = start.copy()
    for _ in range(3000):
        w = w - 0.01 * 2 * (w.sum() - 1)
    np.testing.assert_allclose(w - w.mean(), start - start.mean(), atol=1e-12)


# --- The networks ----------------------------------------------------------------------------


def test_the_data_are_those_of_the_lesson():
    images = coadaptation.dataset()
    assert images.X_train.shape == (1000, 64) and images.X_test.shape == (360, 64)
    assert images.wrong.sum() == 200


@pytest.mark.soak
def test_width_and_schedule_are_the_shortest_within_0_01_of_the_best_on_validation():
    scores = coadaptation.validation_scores(seeds=2)
    good = [setting for setting, score in scores.items() if score > max(scores.values()) - 0.01]
    shortest = min(epochs for _, _, epochs in good)
    best = max((s for s in good if s[2] == shortest), key=scores.__getitem__)
    assert best == (coadaptation.UNITS, ablation.LR, ablation.EPOCHS)


def test_networks_are_trained_once_and_silently_after_that(capsys):
    first = coadaptation.networks()
    capsys.readouterr()
    coadaptation.train_networks()
    assert coadaptation.networks() is first
    assert capsys.readouterr() == ("", "")


def test_training_shows_a_bar_and_an_interrupted_one_is_not_kept(monkeypatch, capsys):
    monkeypatch.setattr(ablation, "_kept", Keep(1))

    def interrupted(*args, progress, **settings):
        def stopped(epochs):
            yield from list(progress(epochs))[:2]
            raise KeyboardInterrupt

        return train_grid(args[0], (4, 4), (0.0,), 2, epochs=5, progress=stopped)

    monkeypatch.setattr(ablation, "train_grid", interrupted)
    with pytest.raises(KeyboardInterrupt, match="run this cell again"):
        coadaptation.train_networks()
    assert ablation._kept.keys() == []
    assert "0/5" in capsys.readouterr().err
    monkeypatch.setattr(ablation, "train_grid", lambda *args, **settings: small)
    small = train_grid(data.digits(100), (4, 4), (0.0,), 8, epochs=20, progress=None)
    assert coadaptation.networks() is small


# --- Removing --------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [0, 0.3, 1])
@pytest.mark.parametrize("layers", coadaptation.LAYERS)
def test_accuracy_without_is_that_of_the_networks_without_these_units(p, layers):
    images, kept = coadaptation.dataset(), dropout_mask((8, 2, 100), p, rng=5)
    found = coadaptation.accuracy_without(0.2, kept, p, layers)
    scale = 1 / (1 - p) if p < 1 else 0
    for seed in (0, 7):
        net = coadaptation.networks().network(1, seed)
        W1, b1, W2, b2, W3, b3 = (part.detach().numpy() for part in net.parameters())
        one, two = (np.flatnonzero(k) for k in kept[seed])
        h = np.maximum(images.X_test @ W1.T + b1, 0)
        if layers != "second":
            h, W2 = h[:, one] * scale, W2[:, one]
        h = np.maximum(h @ W2.T + b2, 0)
        if layers != "first":
            h, W3 = h[:, two] * scale, W3[:, two]
        logits = h @ W3.T + b3
        assert found[seed] == pytest.approx(
            (logits.argmax(axis=1) == images.y_test).mean(), abs=3e-3
        )


@pytest.mark.parametrize("layers", coadaptation.LAYERS)
def test_removal_begins_at_the_whole_networks_and_ends_at_chance(layers):
    for place, trained in enumerate(coadaptation.TRAINED):
        found = coadaptation.removal(trained, layers)
        whole = coadaptation.networks().curves.test_accuracy[place, :, -1]
        np.testing.assert_allclose(found[:, 0], whole, atol=3e-3)
        assert found.shape == (8, 21) and (found[:, -1] < 0.15).all()
        assert not found.flags.writeable


def test_removal_is_the_mean_over_masks_that_every_p_of_training_shares():
    masks = dropout_mask((10, 8, 2, 100), 0.5, rng=4)
    assert len(np.unique(masks.reshape(80, -1), axis=0)) == 80
    for trained in (0.0, 0.8):
        each = [coadaptation.accuracy_without(trained, kept, 0.5) for kept in masks]
        np.testing.assert_allclose(coadaptation.removal(trained)[:, 10], np.mean(each, axis=0))


@pytest.mark.parametrize("layers", coadaptation.LAYERS)
def test_half_removed_dropout_helps_and_more_dropout_is_not_better(layers):
    left = {p: coadaptation.removal(p, layers) for p in coadaptation.TRAINED}
    gain = {p: paired_difference(left[p][:, 10], left[0.0][:, 10]) for p in (0.2, 0.5, 0.8)}
    assert gain[0.5].low > 0.05 and gain[0.2].low > 0
    assert gain[0.5].low > gain[0.8].mean
    assert paired_difference(left[0.8][:, 10], left[0.5][:, 10]).verdict == "lower"


def test_the_finding_holds_with_other_images_and_other_wrong_labels():
    """One other cut of the data, two p, four pairs."""
    images = data.digits(1000, wrong_labels=0.2, seed=1)
    settings = {"epochs": ablation.EPOCHS, "lr": ablation.LR, "progress": None}
    grid = train_grid(images, (100, 100), (0.0, 0.5), 4, **settings)
    X, y = torch.tensor(images.X_test, dtype=torch.float32), torch.tensor(images.y_test)
    scores = []
    for seed in range(10):
        kept = torch.tensor(dropout_mask((2, 100), 0.5, rng=seed) * 2.0, dtype=torch.float32)
        scores.append(grid.stack.score(X, y, list(kept))[1].reshape(2, 4))
    none, half = np.mean(scores, axis=0)
    assert paired_difference(half, none).low > 0.05


def test_what_a_learner_may_have_seen():
    found = {p: [] for p in coadaptation.TRAINED}
    for seed in range(20):
        kept = dropout_mask((2, 100), 0.5, rng=seed)
        for p, seen in found.items():
            seen.append(coadaptation.accuracy_without(p, kept, 0.5).mean())
    plain, half, most = (np.array(found[p]) for p in (0.0, 0.5, 0.8))
    assert (half > plain + 0.05).all()
    assert (half - plain > most - plain).all()
    curves = {p: coadaptation.removal(p).mean(axis=0) for p in (0.0, 0.5)}
    lost = {p: curve[0] - curve for p, curve in curves.items()}
    assert (lost[0.0][2:15] > 1.5 * lost[0.5][2:15]).all()
    for p in (0.1, 0.2, 0.3, 0.4, 0.5):  # the dots of the panel's first draw
        kept = dropout_mask((2, 100), p, rng=0)
        dots = {t: coadaptation.accuracy_without(t, kept, p).mean() for t in curves}
        assert curves[0.0][0] - dots[0.0] > 1.5 * (curves[0.5][0] - dots[0.5])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trained": 0.3}, r"trained must be one of \[0.0, 0.2, 0.5, 0.8\], got 0.3"),
        ({"layers": "third"}, r"layers must be one of \['both', 'first', 'second'\], got 'third'"),
        ({"p": 50}, r"p must be a probability in \[0, 1\], got 50"),
    ],
)
def test_accuracy_without_refuses_bad_values(arguments, message):
    right = {"trained": 0.5, "kept": np.ones((2, 100), bool), "p": 0.5}
    with pytest.raises(ValueError, match=message):
        coadaptation.accuracy_without(**(right | arguments))


# --- Independent? ----------------------------------------------------------------------------


def test_mean_correlation_is_that_of_numpy():
    h = np.random.default_rng(0).normal(size=(50, 4))
    h[:, 2] = 7  # the same for every image
    pairs = [abs(np.corrcoef(h[:, i], h[:, j])[0, 1]) for i, j in ((0, 1), (0, 3), (1, 3))]
    assert coadaptation.mean_correlation(h) == pytest.approx(np.mean(pairs))


def test_the_size_of_units_does_not_matter_to_their_correlation():
    h = np.random.default_rng(0).normal(size=(50, 4))
    for size in (1e-8, 1e8, np.array([1e8, 1, 1, 1e-8])):
        found = coadaptation.mean_correlation(size * h)
        assert found == pytest.approx(coadaptation.mean_correlation(h))


def test_hidden_layers_are_those_of_the_networks():
    net = coadaptation.networks().network(2, 3)
    X = torch.tensor(coadaptation.dataset().X_test, dtype=torch.float32)
    first, second = coadaptation.hidden(0.5)
    with torch.no_grad():
        np.testing.assert_allclose(first[3], net[:2](X), atol=1e-4)
        np.testing.assert_allclose(second[3], net[:5](X), atol=1e-4)


def test_correlation_falls_a_little_in_the_first_layer_and_rises_in_the_second():
    changes = []
    for layer in (0, 1):
        none, half = (
            [coadaptation.mean_correlation(units) for units in coadaptation.hidden(p)[layer]]
            for p in (0.0, 0.5)
        )
        changes.append(paired_difference(half, none))
    assert -0.04 < changes[0].mean < 0
    assert changes[1].low > 0.02


# --- The autoencoders ------------------------------------------------------------------------


def test_autoencoders_are_what_the_lesson_says():
    models = coadaptation.autoencoders()
    X = coadaptation.dataset().X_test
    dead = (models.code == 0).all(axis=2).sum(axis=2)
    assert models.weights.shape == (2, 8, 64, 64) and dead.max() < 20
    assert abs(dead[0].mean() - dead[1].mean()) < 3
    assert paired_difference(models.error[1], models.error[0]).verdict == "higher"
    assert (models.error[1] < X.var(axis=0).mean()).all()  # better than the mean image
    for measure, least in (
        (lambda W, h: coadaptation.zeros(h), 0.3),
        (coadaptation.neighbours, 0.1),
        (lambda W, h: coadaptation.mean_correlation(h), 0),
    ):
        none, half = (
            [measure(W, h) for W, h in zip(weights, code, strict=True)]
            for weights, code in zip(models.weights, models.code, strict=True)
        )
        assert paired_difference(half, none).low > least
        assert min(np.subtract(half, none)) > least - 0.02
    assert np.mean([coadaptation.zeros(h) for h in models.code[1]]) > 0.5


def test_neighbours_of_speckle_and_of_a_slope():
    rng, code = np.random.default_rng(0), np.ones((2, 40))
    assert abs(coadaptation.neighbours(rng.normal(size=(64, 40)), code)) < 5 / (40 * 112) ** 0.5
    slope = np.repeat(np.arange(8.0), 8)[:, None] * rng.normal(size=40)
    assert coadaptation.neighbours(slope, code) > 0.9


def test_dead_units_are_left_out():
    code = np.array([[0.0, 0.0, 2.0], [0.0, 1.0, 3.0]])
    W = np.random.default_rng(0).normal(size=(64, 3))
    assert coadaptation.zeros(code) == 0.25
    assert coadaptation.neighbours(W, code) == coadaptation.neighbours(W[:, 1:], code[:, 1:])


# --- The picture and the panel ---------------------------------------------------------------

SETTINGS = list(product((0.2, 0.5, 0.8), coadaptation.LAYERS))


@pytest.mark.parametrize(("trained", "layers"), first_of(SETTINGS))
@pytest.mark.parametrize("large", first_of([False, True]))
def test_nothing_is_cut_off_and_no_words_overlap(trained, layers, large):
    ps = (*PS, 0.05, 0.2, 0.37, 0.8)
    state = {"seed": 1, "trained": trained, "layers": layers}
    for p, _, artists, _ in legible(coadaptation.scene, ps, large, **state):
        assert artists[-1].get_text().startswith(f"removed with p = {p:.2f}: ")


def test_picture_shows_the_numbers():
    _, show = drawn(coadaptation.scene, seed=3, trained=0.8, layers="first")
    black, other, title, _, crosses, over, caption = show(0.3)
    kept = dropout_mask((2, 100), 0.3, rng=3)
    kept[1] = True
    none, found = (coadaptation.accuracy_without(p, kept, 0.3, "first") for p in (0.0, 0.8))
    assert black.get_ydata()[0] == pytest.approx(none.mean())
    assert other.get_ydata()[0] == pytest.approx(found.mean())
    assert len(crosses.get_xdata()) == (~kept).sum()
    assert over.get_text() == f"removed for all images: {(~kept[0]).sum()} and 0 of 100"
    told = mean_interval(found)
    assert f", {told.mean:.2f} ± {told.half_width:.2f} (trained with 0.8)" in caption.get_text()
    verdict = paired_difference(found, none).verdict
    assert title.get_text().startswith(verdict)


def test_titles_say_the_verdict():
    from dlcourse.coadaptation.picture import finding

    assert finding(Difference(-0.07, 0.03, 8)) == "lower by 0.07 ± 0.03 with dropout"
    assert finding(Difference(-0.003, 0.002, 8)) == "lower by 0.003 ± 0.002 with dropout"
    assert finding(Difference(-0.001, 0.03, 8)) == "no difference seen: +0.00 ± 0.03"


@pytest.mark.soak
def test_panel_shows_the_same_picture_however_it_got_there():
    panel = coadaptation.panel(p=0.3, trained=0.8, layers="second")
    try:
        trained, layers, _, new_draw = panel.controls
        new_draw.click()
        for trained.value, layers.value in (SETTINGS[0], SETTINGS[4], SETTINGS[8]):
            state = {"seed": 1, "trained": trained.value, "layers": layers.value}
            assert_no_history(panel, coadaptation.scene, PS, **state)
        assert repr(panel) == "coadaptation.panel(p=1, seed=1, trained=0.8, layers='second')"
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"trained": 0.3}, ValueError, "p of training must be one of [0.2, 0.5, 0.8], got 0.3"),
        ({"layers": "third"}, ValueError, "remove from must be one of ['both', 'first', 'second']"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(coadaptation.panel, arguments, error, message)


# --- The exercises ---------------------------------------------------------------------------


def test_numbers_are_what_simulation_gives():
    w = np.array([0.0, 0.0, 0.3, 0.5])
    for _ in range(2000):
        w = w - 0.01 * 2 * (w.sum() - 1)
    assert check("4.1", w[0], coadaptation.head_start_weight).ok
    for answer in (coadaptation.equal_weight(10, 0.2), 0.0976, 0.09756):
        assert check("4.2", answer, coadaptation.ten_inputs_weight).ok


@pytest.mark.parametrize(
    ("expectation", "answer", "words"),
    [
        ("head_start_weight", 0, "that is where A starts"),
        ("head_start_weight", 0.25, "that is an equal share"),
        ("head_start_weight", 0.2, "that is the whole error"),
        ("head_start_weight", 0.35, "that is where C ends"),
        ("head_start_weight", 0.55, "that is where D ends"),
        ("ten_inputs_weight", 0.098, "give four digits"),
        ("ten_inputs_weight", 0.1, "that is 1/k"),
        ("ten_inputs_weight", 1 / 14, "swapped"),
        ("ten_inputs_weight", 1 / 10.2, "that is 1/(k + p)"),
        ("ten_inputs_weight", 1 / 10.8, "that is 1/(k + (1 − p))"),
        ("ten_inputs_weight", 1 / 11.25, "that is 1/(k + 1/(1 − p))"),
        ("ten_inputs_weight", 0.8, "for one input"),
        ("ten_inputs_weight", 10 / 10.25, "the sum of the ten weights"),
    ],
)
def test_numbers_name_the_slip(expectation, answer, words):
    verdict = check("4.1", answer, getattr(coadaptation, expectation))
    assert verdict.state == "wrong" and words in verdict.message, verdict


def remove_rng(h, p, rng):
    return h * (rng.random(h.shape[1]) >= p) / (1 - p)


def remove_row(h, p, rng):
    kept = rng.random((1, h.shape[1])) >= p
    return np.where(kept, h / (1 - p), 0)


def remove_loop(h, p, rng):
    out = np.zeros_like(h)
    for unit in range(h.shape[1]):
        if rng.random() >= p:
            out[:, unit] = h[:, unit] / (1 - p)
    return out


def remove_torch(h, p, rng):
    kept = torch.rand(h.shape[1], generator=rng) >= p
    return h * kept / (1 - p)


def by_count(kept):
    return kept / kept.mean()


@pytest.mark.parametrize("answer", [remove_rng, remove_row, remove_loop, remove_torch])
def test_removal_accepts_right_answers(answer):
    verdict = check("4.3", answer, coadaptation.removal_function)
    assert verdict.ok, verdict


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda h, p, rng: h * (rng.random(h.shape) >= p) / (1 - p), "rows lose different units"),
        (lambda h, p, rng: h * (rng.random((len(h), 1)) >= p) / (1 - p), "whole rows are removed"),
        (lambda h, p, rng: h * (rng.random(h.shape[1]) >= p), "not rescaled?"),
        (lambda h, p, rng: h * (rng.random(h.shape[1]) < p) / (1 - p), "swapped"),
        (lambda h, p, rng: h * (rng.random(h.shape[1]) >= p) / p, "swapped in the scale"),
        (lambda h, p, rng: h, "dropped"),
        (lambda h, p, rng: h[:, rng.random(h.shape[1]) >= p], "shape"),
        (lambda h, p, rng: remove_rng(h, p, rng) / (1 - p), "scaled twice?"),
        (lambda h, p, rng: remove_rng(h, p, rng) * (1 - p) ** 2, "instead of divided by it?"),
        (lambda h, p, rng: h * rng.random(h.shape[1]), "is a comparison missing?"),
        (lambda h, p, rng: remove_rng(h, p, rng) * np.arange(1, 1001), "scaled unlike?"),
        (lambda h, p, rng: remove_rng(np.ones(h.shape), p, rng), "multiply h by one mask"),
        (lambda h, p, rng: h * by_count(rng.random(h.shape[1]) >= p), "that this call kept"),
        (
            lambda h, p, rng: h * (np.random.default_rng(0).random(h.shape[1]) >= p),
            "Also, kept units are multiplied by 1",
        ),
    ],
)
def test_removal_names_the_slip(answer, words):
    verdict = check("4.3", answer, coadaptation.removal_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def test_unfinished():
    assert check("4.1", ..., coadaptation.head_start_weight).state == "unfinished"
    assert check("4.3", lambda h, p, rng: ..., coadaptation.removal_function).state == "unfinished"
