"""Lesson 06: the experiment, its claims, the panel over trained networks, and the exercises."""

from __future__ import annotations

import copy

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from dlcourse import data, figures, overfitting
from dlcourse.checks import check
from dlcourse.compare import Difference, mean_interval, paired_difference
from dlcourse.data import Dataset
from dlcourse.keep import Keep
from dlcourse.training import Curves, mlp, train
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, first_of, legible
from tests.test_notebooks import ROOT

PS = (0, 0.05, 0.5, 0.99, 1)
STATES = [(wrong, images) for wrong in overfitting.WRONG for images in overfitting.IMAGES]


@pytest.fixture(scope="module", autouse=True)
def networks_that_stay():
    """Keep the networks of all states while this module runs, so that each is trained once."""
    experiment = overfitting.experiment
    before, experiment._kept = experiment._kept, Keep(20)
    yield
    experiment._kept = before


# --- The experiment --------------------------------------------------------------------------


def test_the_experiment_is_one_training_for_each_setting_and_seed():
    dataset = data.digits(100, wrong_labels=0.2)
    curves = overfitting.d2l(dataset, (0, 0.3), hidden=(16, 16), seeds=2, epochs=3)
    for seed in range(2):
        model = mlp(64, (16, 16), 10, seed=seed)
        alone = train(model, dataset, epochs=3, lr=0.05, seed=seed, progress=None).curves
        np.testing.assert_allclose(curves.test_loss[0, seed], alone.test_loss, atol=1e-4)
        np.testing.assert_allclose(curves.train_accuracy[0, seed], alone.train_accuracy, atol=0.03)
    assert not np.array_equal(curves.test_loss[0], curves.test_loss[1])


@pytest.mark.parametrize("p", np.arange(101) / 100)
def test_the_nearest_p_is_shown(p):
    found = overfitting.PS[overfitting.nearest(p)]
    assert abs(found - p) == pytest.approx(min(abs(other - p) for other in overfitting.PS))


def test_trained_networks_are_kept_and_those_of_another_seed_are_others(monkeypatch):
    monkeypatch.setattr(overfitting.experiment, "_kept", Keep(6))
    monkeypatch.setattr(overfitting.experiment, "EPOCHS", 2)
    calls = []

    def progress(epochs):
        calls.append(1)
        return epochs

    first = overfitting.trained(0, 0.0, 300, progress=progress)
    assert overfitting.trained(0, 0.0, 300, progress=progress) is first
    other = overfitting.trained(1, 0.0, 300, progress=progress)
    assert not np.array_equal(first.test_loss, other.test_loss)
    assert len(calls) == 2


def test_a_stopped_training_is_not_kept():
    def stop(epochs):
        yield from list(epochs)[:2]
        raise InterruptedError

    with pytest.raises(InterruptedError):
        overfitting.trained(77, 0.2, 300, progress=stop)
    assert not [key for key in overfitting.experiment._kept.keys() if key[0] == 77]


def test_no_more_is_kept_than_was_asked_for(monkeypatch):
    monkeypatch.setattr(overfitting.experiment, "_kept", Keep(2))
    monkeypatch.setattr(overfitting.experiment, "EPOCHS", 1)
    for seed in range(4):
        overfitting.trained(seed, 0.2, 300)
    assert [key[0] for key in overfitting.experiment._kept.keys()] == [2, 3]


# --- Claims of the lesson, on other images and wrong labels than the notebook's ----------------
# Margins are four and more standard errors of the measured means: they hold on any machine.


@pytest.mark.parametrize("seed", [1, 2])
def test_with_wrong_labels_dropout_helps_after_40_epochs(seed):
    noisy = data.digits(1000, wrong_labels=0.2, seed=seed)
    found = overfitting.d2l(noisy, (0, 0.5), hidden=(64, 64))
    last = found.test_accuracy[..., -1]
    assert paired_difference(last[1], last[0]).mean > 0.01
    assert paired_difference(found.gap[1, :, -1], found.gap[0, :, -1]).verdict == "lower"


@pytest.mark.soak
def test_with_clean_labels_it_does_not():
    found = overfitting.trained(0, 0.0, 1000).test_accuracy[..., -1]
    for p in (0.1, 0.2, 0.35, 0.5):
        assert abs(paired_difference(found[overfitting.nearest(p)], found[0]).mean) < 0.02


@pytest.mark.soak
def test_what_a_learner_may_have_seen():
    noisy = overfitting.trained(0, 0.2, 1000)
    last = noisy.test_accuracy[..., -1].mean(axis=1)
    assert overfitting.PS[int(last.argmax())] in (0.2, 0.35, 0.5)
    assert (np.diff(noisy.train_accuracy[..., -1].mean(axis=1)) < 0.005).all()
    assert last[-1] < 0.3 and noisy.train_accuracy[-1, :, -1].mean() < 0.3  # p = 0.9
    without = noisy.test_accuracy[0].mean(axis=0)
    assert without.argmax() + 1 < 30 and without.max() - without[-1] > 0.03
    most = overfitting.trained(0, 0.4, 1000).test_accuracy[..., -1]
    half = overfitting.nearest(0.5)
    gains = [(runs[half] - runs[0]).mean() for runs in (noisy.test_accuracy[..., -1], most)]
    assert gains[1] > gains[0] > 0.04


@pytest.mark.soak
def test_after_20_epochs_dropout_gains_less_than_after_40():
    runs = overfitting.trained(0, 0.2, 1000).test_accuracy
    gain = (runs[overfitting.nearest(0.5)] - runs[0]).mean(axis=0)
    assert gain[19] < gain[39] - 0.02


@pytest.mark.soak
def test_the_swap_is_seen_on_another_draw_of_images_and_wrong_labels():
    noisy = data.digits(1000, wrong_labels=0.2, seed=1)
    swap = (0.2, 0.5), (0.5, 0.2)
    a, b = overfitting.d2l(noisy, swap, hidden=(64, 64), seeds=24).test_accuracy[..., -1]
    assert paired_difference(a, b).verdict == "lower"


# --- The picture -----------------------------------------------------------------------------


@pytest.mark.parametrize(("wrong", "images"), first_of(STATES))
@pytest.mark.parametrize("large", first_of([False, True]))
def test_nothing_is_cut_off_and_no_words_overlap(wrong, images, large):
    found = overfitting.trained(0, wrong, images)
    state = {"seed": 0, "wrong": wrong, "images": images}
    for p, _, artists, words in legible(
        overfitting.scene, np.arange(0, 101, 5) / 100, large, **state
    ):
        i = overfitting.nearest(p)
        said = overfitting.in_points(mean_interval(found.test_accuracy[i, :, -1]))
        assert f"validation {said} %" in artists[-1].get_text()
        assert (" (trained: " in artists[-1].get_text()) == (p not in overfitting.PS)
        assert "validation, p = 0" in words


@pytest.mark.parametrize(
    ("mean", "half", "words"),
    [
        (0.0262, 0.0258, "+2.62 ± 2.58"),
        (-0.0258, 0.0262, "−2.58 ± 2.62"),
        (0.0003, 0.0002, "+0.03 ± 0.02"),
        (0.02, 0.01, "+2.0 ± 1.0"),
        (0.0, 0.0, "0.0 ± 0.0"),
    ],
)
def test_the_numbers_do_not_contradict_the_verdict(mean, half, words):
    assert overfitting.in_points(Difference(mean, half, seeds=8)) == words


def test_the_curves_are_those_of_the_nearest_p():
    found = overfitting.trained(0, 0.2, 1000)
    _, show = drawn(overfitting.scene, seed=0, wrong=0.2, images=1000)
    for p in (0.2, 0.5, 1):
        _, thick, dashed, *_ = show(p)
        i = overfitting.nearest(p)
        for line, kind in ((thick, found.test_accuracy), (dashed, found.train_accuracy)):
            mean = 100 * kind[i].mean(axis=0)
            np.testing.assert_allclose(line.get_ydata(), np.maximum(mean, 40))  # "≤ 40"


def test_static_figures_draw_what_they_are_given():
    values = np.array([[0.9, 0.92], [0.93, 0.95]])
    curves = Curves(*[values[:, :, None]] * 6)
    figure = Figure()
    overfitting.draw_scores(figure, {"one": curves}, ["without", "with"])
    words = [text.get_text() for ax in figure.axes for text in ax.texts]
    assert words[0] == overfitting.in_points(mean_interval(values[0]))
    ax = Figure().subplots()
    overfitting.draw_differences(ax, {"one": (values[1], values[0])})
    assert ax.texts[0].get_text() == "+3.0 ± 0.0, 2 seeds: higher"
    overfitting.draw_epochs(ax, values, "end")
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), values.mean(axis=0))


# --- The panel -------------------------------------------------------------------------------


@pytest.mark.soak
def test_panel_shows_the_same_picture_however_it_got_there():
    panel = overfitting.panel(p=0.3, images=300)
    try:
        wrong, images, _, button, *_ = panel.controls
        for share, size in ((0.4, 300), (0.0, 1000), (0.2, 300)):
            wrong.value, images.value = share, size
            button.click()
            assert panel.wait_for_training(120)
            assert_no_history(panel, overfitting.scene, PS, seed=0, wrong=share, images=size)
        button.click()  # nothing changed: the next seed
        assert panel.wait_for_training(120)
        assert repr(panel) == "overfitting.panel(p=1, seed=1, wrong=0.2, images=300)"
        assert_no_history(panel, overfitting.scene, PS, seed=1, wrong=0.2, images=300)
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"wrong": 20}, ValueError, "wrong labels must be one of [0.0, 0.2, 0.4], got 20"),
        ({"wrong": False}, ValueError, "wrong labels must be one of [0.0, 0.2, 0.4], got False"),
        ({"images": 500}, ValueError, "training images must be one of [300, 1000], got 500"),
        ({"images": 300.0}, ValueError, "training images must be one of [300, 1000], got 300.0"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(overfitting.panel, arguments, error, message)


# --- Fashion-MNIST, which nothing here downloads -----------------------------------------------


def code_of(cell_id):
    notebook = nbformat.read(ROOT / "notebooks" / "06_overfitting.ipynb", as_version=4)
    first = next(cell for cell in notebook.cells if cell.cell_type == "code")
    (wanted,) = [cell for cell in notebook.cells if cell.id == cell_id]
    return first.source, wanted.source


def made_up(train_size):
    """Return a data set in the shape of Fashion-MNIST."""
    rng = np.random.default_rng(0)
    X = rng.random((150, 784), dtype=np.float32)
    y = rng.integers(0, 10, 150)
    wrong = np.zeros(100, bool)
    return Dataset("fashion_mnist", (28, 28), X[:100], y[:100], X[100:], y[100:], wrong)


def test_the_cell_for_fashion_mnist_runs_where_it_is_downloaded(monkeypatch, capsys):
    monkeypatch.setattr(data, "is_downloaded", lambda name: name == "fashion_mnist")
    monkeypatch.setattr(data, "fashion_mnist", made_up)
    drawn_on = []
    monkeypatch.setattr(figures, "show", lambda figure, alt: drawn_on.append(figure))
    imports, code = code_of("fashion")
    names = {}
    exec(imports, names)
    exec(code, names)
    assert names["clothes"].gap.shape[:2] == (2, 8)
    assert len(drawn_on) == 1 and len(drawn_on[0].axes) == 3
    assert capsys.readouterr().out == ""
    plt.close(drawn_on[0])


def test_the_cell_for_fashion_mnist_says_how_to_get_it(monkeypatch, capsys):
    monkeypatch.setattr(data, "is_downloaded", lambda name: False)
    imports, code = code_of("fashion")
    names = {}
    exec(imports, names)
    exec(code, names)
    told = capsys.readouterr().out
    assert 'data.download("fashion_mnist")' in told and told.count("\n") == 1


# --- The exercises ---------------------------------------------------------------------------


def by_ends(mean, half_width):
    if mean - half_width > 0:
        return "higher"
    return "lower" if mean + half_width < 0 else "no difference seen"


def by_size(mean, half_width):
    if abs(mean) <= half_width:
        return "no difference seen"
    return "higher" if mean > 0 else "lower"


def without_return(mean, half_width):
    by_ends(mean, half_width)


@pytest.mark.parametrize("answer", [by_ends, by_size])
def test_verdict_accepts_right_answers(answer):
    assert check("6.1", answer, overfitting.verdict_function).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda mean, half_width: "higher" if mean > 0 else "lower", "reads the mean alone"),
        (
            lambda mean, half_width: {"higher": "lower", "lower": "higher"}.get(
                by_ends(mean, half_width), "no difference seen"
            ),
            "are swapped",
        ),
        (lambda mean, half_width: by_size(abs(mean), half_width), "the sign is lost"),
        (
            lambda mean, half_width: "higher" if mean + half_width > 0 else "lower",
            "look at the end that is nearer to 0",
        ),
        (lambda mean, half_width: True, "expected one of 'higher', 'lower'"),
        (without_return, "None: is a return missing?"),
        (lambda mean, half_width: "better", "'better', expected one of"),
        (lambda mean, half_width: "no difference seen", "0.02 ± 0.01: 'no difference seen', exp"),
    ],
)
def test_verdict_names_the_slip(answer, words):
    verdict = check("6.1", answer, overfitting.verdict_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def with_two_copies(model, fit):
    return fit(copy.deepcopy(model)), fit(copy.deepcopy(model))


def with_a_saved_state(model, fit):
    state = copy.deepcopy(model.state_dict())
    first = fit(model)
    model.load_state_dict(state)
    return [first, fit(model)]


def with_clones(model, fit):
    state = {name: value.clone() for name, value in model.state_dict().items()}
    first = fit(model)
    model.load_state_dict(state)
    return np.array(first), torch.tensor(fit(model), dtype=torch.float64)


@pytest.mark.parametrize("answer", [with_two_copies, with_a_saved_state, with_clones])
def test_start_again_accepts_right_answers(answer):
    assert check("6.2", answer, overfitting.start_again_function).ok


def with_an_alias(model, fit):
    state = model.state_dict()
    first = fit(model)
    model.load_state_dict(state)
    return first, fit(model)


def with_a_late_copy(model, fit):
    first = fit(model)
    return first, fit(copy.deepcopy(model))


def with_other_weights(model, fit):
    first = fit(model)
    for part in model:
        if isinstance(part, nn.Linear):
            part.reset_parameters()
    return first, fit(model)


def with_other_weights_first(model, fit):
    for part in model:
        if isinstance(part, nn.Linear):
            part.reset_parameters()
    return with_two_copies(model, fit)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda model, fit: (fit(model), fit(model)), "went on from the trained weights"),
        (with_an_alias, "state_dict() alone is no copy"),
        (with_a_late_copy, "copy them before the first training, with copy.deepcopy"),
        (with_other_weights, "reset_parameters() draws new ones"),
        (with_other_weights_first, "must start from the weights that the network comes with"),
        (lambda model, fit: (fit(model),) * 2, "fit was called 1 times, expected 2"),
        (lambda model, fit: fit(model), "expected the two scores"),
    ],
)
def test_start_again_names_the_slip(answer, words):
    verdict = check("6.2", answer, overfitting.start_again_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def accuracy(model, X, y):
    return (model(X).argmax(dim=1) == y).float().mean().item()


def gap(model, X, y, X_test, y_test):
    mode = model.training
    model.eval()
    found = accuracy(model, X, y) - accuracy(model, X_test, y_test)
    model.train(mode)
    return found


def gap_of_a_copy(model, X, y, X_test, y_test):
    still = copy.deepcopy(model).eval()
    with torch.no_grad():
        return accuracy(still, X, y) - accuracy(still, X_test, y_test)


@pytest.mark.parametrize("answer", [gap, gap_of_a_copy])
def test_gap_accepts_right_answers(answer):
    assert check("6.3", answer, overfitting.gap_function).ok


def leaky(model, X, y, X_test, y_test):
    with torch.no_grad():
        return accuracy(model, X, y) - accuracy(model, X_test, y_test)


def stays_in_eval(model, X, y, X_test, y_test):
    model.eval()
    return accuracy(model, X, y) - accuracy(model, X_test, y_test)


def always_on_again(model, X, y, X_test, y_test):
    found = stays_in_eval(model, X, y, X_test, y_test)
    model.train()
    return found


def always_on(model, X, y, X_test, y_test):
    mode = model.training
    model.train()
    found = accuracy(model, X, y) - accuracy(model, X_test, y_test)
    model.train(mode)
    return found


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (leaky, "dropout was on while scoring: call model.eval() first; no_grad() does not"),
        (always_on, "dropout was on while scoring (the same network, three answers)"),
        (stays_in_eval, "stays in eval mode, so training goes on without dropout"),
        (always_on_again, "is now in training mode: leave it as it was"),
        (lambda **parts: -gap(**parts), "that is test minus training"),
        (lambda **parts: 100 * gap(**parts), "that is in percent"),
        (lambda **parts: 0.25, "0.25, expected 0.2"),
        (lambda **parts: abs(gap(**parts)), "expected -0.2: is the sign lost?"),
        (lambda **parts: max(gap(**parts), 0.1), "0.1 with training and test images exchanged"),
    ],
)
def test_gap_names_the_slip(answer, words):
    verdict = check("6.3", answer, overfitting.gap_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict
