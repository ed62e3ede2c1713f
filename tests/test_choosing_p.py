"""Lesson 07: heads, cross-validation, the networks of the map, the panel and the exercises."""

from __future__ import annotations

import copy
import time
from itertools import pairwise

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from sklearn.model_selection import cross_val_score
from torch import nn

from dlcourse import choosing_p, data, live
from dlcourse.checks import check
from dlcourse.choosing_p import exercises, picture
from dlcourse.compare import mean_interval, paired_difference
from dlcourse.grid import nearest
from dlcourse.training import mlp, train
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, first_of, legible

PS = (0, 0.01, 0.5, 0.99, 1)


def dropouts(net):
    return [layer.p for layer in net.modules() if isinstance(layer, nn.Dropout)]


# --- The head --------------------------------------------------------------------------------


def by_hand(p_first=0.25, p_last=0.5, width=64):
    return nn.Sequential(
        nn.BatchNorm1d(128),
        nn.Dropout(p_first),
        nn.Linear(128, width),
        nn.ReLU(),
        nn.BatchNorm1d(width),
        nn.Dropout(p_last),
        nn.Linear(width, 5),
    )


@pytest.mark.parametrize("mode", [True, False])
def test_head_is_that_written_by_hand(mode):
    torch.manual_seed(3)
    mine = by_hand().train(mode)
    head = choosing_p.create_head(128, 5, xtra_fc=(64,), seed=3).train(mode)
    assert [type(layer) for layer in head] == [type(layer) for layer in mine]
    X, found = torch.randn(40, 128), []
    for net in (mine, head):
        torch.manual_seed(0)
        found.append(net(X))
        found[-1].sum().backward()
    assert torch.equal(*found)
    for a, b in zip(mine.parameters(), head.parameters(), strict=True):
        assert torch.equal(a, b) and torch.equal(a.grad, b.grad)


@pytest.mark.parametrize(
    ("ps", "xtra_fc", "expected"),
    [
        (None, (512,), [0.25, 0.5]),
        (None, (), [0.5]),
        (None, (9, 8, 7), [0.25, 0.25, 0.25, 0.5]),
        (0.3, (9, 8), [0.3, 0.3, 0.3]),
        (0, (9,), [0, 0]),
        (np.float64(0.5), [9], [0.5, 0.5]),
        ([0.1, 1], [9], [0.1, 1]),
        (np.array([0.1, 0.2, 0.3]), (9, 8), [0.1, 0.2, 0.3]),
        ((0.7,), (), [0.7]),
    ],
)
def test_ps_and_extra_layers(ps, xtra_fc, expected):
    head = choosing_p.create_head(20, 5, ps=ps, xtra_fc=xtra_fc)
    assert dropouts(head) == expected
    linear = [layer for layer in head if isinstance(layer, nn.Linear)]
    sizes = [20, *xtra_fc, 5]
    assert [(one.in_features, one.out_features) for one in linear] == list(pairwise(sizes))
    assert [one.num_features for one in head if isinstance(one, nn.BatchNorm1d)] == sizes[:-1]
    assert sum(isinstance(one, nn.ReLU) for one in head) == len(xtra_fc)
    assert isinstance(head[-1], nn.Linear)
    assert head(torch.randn(3, 20)).shape == (3, 5)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"ps": [0.5]}, ValueError, "a list of 2 (one for each of 1 extra layer, and one for"),
        ({"ps": [0.1] * 3}, ValueError, "got 3: [0.1, 0.1, 0.1]"),
        ({"ps": []}, ValueError, "got 0: []"),
        ({"ps": 50}, ValueError, "ps must be a probability in [0, 1], got 50 (a percentage?)"),
        ({"ps": [0.2, 1.2]}, ValueError, "a p in ps must be a probability"),
        ({"ps": "0.5"}, TypeError, "write the number without quotes"),
        ({"ps": True}, TypeError, "ps must be a probability"),
        (
            {"xtra_fc": 512},
            TypeError,
            "xtra_fc must hold the widths of the extra layers, got 512 ([",
        ),
        ({"xtra_fc": (0,)}, ValueError, "a width in xtra_fc must be an int >= 1, got 0"),
        ({"features": 0}, ValueError, "features must be an int >= 1, got 0"),
        ({"classes": 2.0}, TypeError, "classes must be an int >= 1, got 2.0"),
        ({"seed": -1}, ValueError, "seed must be"),
    ],
)
def test_head_refuses_bad_values(arguments, error, words):
    with pytest.raises(error) as raised:
        choosing_p.create_head(**{"features": 128, "classes": 5, **arguments})
    assert words in str(raised.value)


def test_only_the_batch_norm_behind_a_dropout_is_wrong_about_its_spread_at_test_time():
    """4,000 rows, means over 64 or more units: the errors are below 0.01, the limits 0.1."""
    torch.manual_seed(0)
    head = choosing_p.create_head(128, 5, ps=0.5, xtra_fc=(64,))
    norms = [layer for layer in head if isinstance(layer, nn.BatchNorm1d)]
    for norm in norms:
        norm.momentum = 1.0  # remembers only the last batch
    head(torch.randn(4000, 128).relu())
    head.eval()
    seen = []
    for norm in norms:
        norm.register_forward_hook(lambda layer, x, out: seen.append(out.std(dim=0).mean().item()))
    head(torch.randn(4000, 128).relu())
    before, behind = seen
    assert abs(before - 1) < 0.1 and abs(behind - 0.5**0.5) < 0.1


def test_first_weights_do_not_depend_on_ps_and_leave_the_global_generator_alone():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    one, other = (choosing_p.create_head(8, 2, ps=p, seed=1) for p in (0, 0.9))
    assert torch.equal(torch.rand(3), expected)
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b)


# --- The body --------------------------------------------------------------------------------


def test_body_is_frozen_and_its_dropout_is_not_touched_by_ps():
    body = choosing_p.frozen_body()
    before = copy.deepcopy(body.state_dict())
    assert not body.training and dropouts(body) == [0.1]
    model = nn.Sequential(body, choosing_p.create_head(128, 5, ps=0.9, xtra_fc=(16,)))
    assert dropouts(model) == [0.1, 0.9, 0.9]
    images = choosing_p.task(100)
    trained = train(model, images, epochs=2, progress=None).model
    assert dropouts(trained) == [0.1, 0.9, 0.9]
    assert all(torch.equal(before[k], v) for k, v in trained[0].state_dict().items())
    assert not any(
        torch.equal(a, b)
        for a, b in zip(model[1].parameters(), trained[1].parameters(), strict=True)
    )


def test_body_has_learnt_the_digits_0_to_4():
    """Right on well over 9 in 10 after training on features alone, without their labels' layer."""
    every = data.digits()
    here, there = every.y_train < 5, every.y_test < 5
    low = data.Dataset(
        "low",
        (8, 8),
        every.X_train[here],
        every.y_train[here],
        every.X_test[there],
        every.y_test[there],
        every.wrong[here],
    )
    features = choosing_p.features_of(choosing_p.frozen_body(), low)
    head = choosing_p.create_head(128, 5, ps=0, xtra_fc=())
    assert train(head, features, epochs=5, progress=None).curves.test_accuracy[-1] > 0.95


def test_body_is_a_copy():
    choosing_p.frozen_body()[1].weight.data.zero_()
    assert choosing_p.frozen_body()[1].weight.abs().sum() > 0


@pytest.mark.parametrize("size", [5, 100, 716])
def test_task_is_five_digits_the_body_never_saw(size):
    images, every = choosing_p.task(size, wrong_labels=0.2), data.digits()
    number = {row.tobytes(): y for row, y in zip(every.X_train, every.y_train, strict=True)}
    digits = np.array([number[row.tobytes()] for row in images.X_train])
    assert set(digits) <= {5, 6, 7, 8, 9} and len(digits) == size
    assert len({row.tobytes() for row in images.X_train}) == size
    assert np.array_equal(images.y_train != digits - 5, images.wrong)
    assert images.wrong.sum() == round(0.2 * size)
    assert set(images.y_train) <= set(range(5))
    counts = np.bincount(digits - 5, minlength=5)
    assert np.ptp(counts) <= 1 or size == 716
    assert np.array_equal(images.y_test, every.y_test[every.y_test >= 5] - 5)


def test_task_refuses_bad_values():
    for arguments in ({"train_size": 717}, {"train_size": 0}, {"wrong_labels": 20}, {"seed": -1}):
        with pytest.raises(ValueError):
            choosing_p.task(**arguments)


def test_features_are_those_of_every_pass_with_dropout_off():
    body, images = choosing_p.frozen_body(), choosing_p.task(50)
    X = torch.tensor(images.X_train, dtype=torch.float32)
    with torch.no_grad():
        expected = body(X).numpy()
    body.train()  # left on by mistake
    found = choosing_p.features_of(body, images)
    assert np.array_equal(found.X_train, expected) and body.training
    assert np.array_equal(found.y_train, images.y_train)
    assert len(found.X_test) == len(images.X_test)
    assert not torch.equal(body(X), body(X))


# --- Cross-validation ------------------------------------------------------------------------


def test_folds_hold_every_training_image_once_and_no_test_image():
    images = choosing_p.task(101, wrong_labels=0.1)
    parts = choosing_p.folds(images, k=4, seed=2)
    rows = [row.tobytes() for row in images.X_train]
    held = [row.tobytes() for part in parts for row in part.X_test]
    assert sorted(held) == sorted(rows)
    for part in parts:
        inside = {row.tobytes() for row in part.X_train}
        assert not inside & {row.tobytes() for row in part.X_test}
        assert len(part.X_train) + len(part.X_test) == 101 and len(part.wrong) == len(part.y_train)
        assert np.ptp(np.bincount(part.y_test)) <= 2
    assert not set(held) & {row.tobytes() for row in images.X_test}


@pytest.mark.parametrize("k", [1, 0, 99, 2.0])
def test_folds_refuse_a_bad_number(k):
    with pytest.raises((TypeError, ValueError), match="k must be an int from 2 to"):
        choosing_p.folds(choosing_p.task(30), k=k)


def test_cross_validation_is_what_a_plain_loop_says():
    parts = choosing_p.folds(data.digits(90), k=3)
    calls = []

    def make(p, seed):
        calls.append((p, seed))
        return mlp(64, (8,), 10, p=p, seed=seed)

    seen = []
    scores = choosing_p.cross_validate(
        make, parts, (0.0, 0.5), progress=lambda todo: seen.append(len(todo)) or todo, epochs=2
    )
    assert calls == [(p, seed) for p in (0.0, 0.5) for seed in range(3)] and seen == [2]
    for i, p in enumerate((0.0, 0.5)):
        for seed, part in enumerate(parts):
            net = mlp(64, (8,), 10, p=p, seed=seed)
            done = train(net, part, epochs=2, seed=seed, progress=None)
            assert scores[i, seed] == done.curves.test_accuracy[-1]


def test_folds_are_those_of_scikit_learn():
    from sklearn.model_selection import StratifiedKFold
    from sklearn.naive_bayes import GaussianNB

    images = data.digits(200)
    mine = [
        GaussianNB().fit(part.X_train, part.y_train).score(part.X_test, part.y_test)
        for part in choosing_p.folds(images, k=5, seed=1)
    ]
    cut = StratifiedKFold(5, shuffle=True, random_state=1)
    expected = cross_val_score(GaussianNB(), images.X_train, images.y_train, cv=cut)
    np.testing.assert_allclose(mine, expected)


def test_rule_by_hand():
    scores = np.array([[0.6, 0.8], [0.8, 0.9], [0.82, 0.86], [0.79, 0.81]])
    # the best: 0.85 ± 0.05; within: from 0.80 on
    choice = choosing_p.choose((0, 0.2, 0.4, 0.6), scores)
    assert (choice.best, choice.chosen) == (0.2, 0.6)
    np.testing.assert_allclose(choice.mean, [0.7, 0.85, 0.84, 0.8])
    np.testing.assert_allclose(choice.error, [0.1, 0.05, 0.02, 0.01])
    assert choice.within[:3].tolist() == [False, True, True]


@pytest.mark.parametrize("scores", [np.ones(3), np.ones((2, 5)), np.ones((3, 1))])
def test_rule_refuses_scores_of_another_shape(scores):
    with pytest.raises(ValueError, match="a row for each of 3 p"):
        choosing_p.choose((0, 0.2, 0.5), scores)


# --- The networks ----------------------------------------------------------------------------


def test_networks_are_kept_and_have_the_seeds_of_their_own():
    one = choosing_p.networks(8, 100)
    start = time.perf_counter()
    assert choosing_p.networks(8, 100) is one
    assert time.perf_counter() - start < 0.05
    assert one.accuracy.shape == (8, 8)
    assert not np.array_equal(one.accuracy, choosing_p.networks(8, 100, seed=1).accuracy)


def test_networks_are_those_that_the_plain_trainer_gives_without_dropout():
    sweep = choosing_p.networks(8, 100, seed=1)
    images = data.digits(100, wrong_labels=0.2, seed=1, validation=True)
    done = train(mlp(64, (8,), 10, seed=10), images, epochs=80, seed=10, progress=None)
    assert abs(sweep.accuracy[0, 2] - done.curves.test_accuracy[-1]) < 0.03  # rounding grows


def test_summaries_of_a_sweep():
    sweep = choosing_p.networks(8, 100)
    a = sweep.accuracy
    assert sweep.best == np.argmax(a.mean(axis=1))
    assert sweep.at(3) == mean_interval(a[3])
    assert sweep.gain(4) == paired_difference(a[4], a[0])
    assert sweep.as_good[sweep.best] and not sweep.as_good[-1]


def test_where():
    assert choosing_p.where_ps(0.3, "hidden") == (0, 0.3)
    with pytest.raises(ValueError, match="where must be one of hidden, input, both, got 'hiden'"):
        choosing_p.networks(8, 100, "hiden")
    with pytest.raises(ValueError, match="images must be one of"):
        choosing_p.networks(8, 200)


# --- Claims of the lesson, with images and seeds that the notebook does not use -----------------


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.soak
def test_a_bigger_net_wants_more_dropout(seed):
    """Intervals of 95 %, each of differences that are 4 or more times as large as they are."""
    low, high = choosing_p.PS.index(0.1), choosing_p.PS.index(0.65)
    small, large = (choosing_p.networks(width, 300, seed=seed) for width in (8, 128))
    assert small.gain(high, low).verdict == "lower"
    assert large.gain(high, low).verdict == "higher"


def test_too_much_underfits_even_the_training_images():
    sweep = choosing_p.networks(32, 300, seed=1)
    training = sweep.curves.train_accuracy[..., -1].mean(axis=1)
    assert (np.diff(training) < 0).all()
    assert sweep.gain(7).mean < -0.4 and training[7] < 0.4


@pytest.mark.soak
def test_input_dropout_alone_does_what_hidden_dropout_does():
    hidden, inputs = (
        choosing_p.networks(32, 300, seed=1),
        choosing_p.networks(32, 300, "input", seed=1),
    )
    assert hidden.gain(4).verdict == "higher" and inputs.gain(2).verdict == "higher"


def test_a_narrow_net_does_not_bear_much_in_both_places():
    sweep = choosing_p.networks(32, 300, seed=1, ps=((0, 0), (0.2, 0.5), (0.4, 0.75)))
    listed = [[0, 0], np.array([0.2, 0.5]), (0.4, 0.75)]
    assert choosing_p.networks(32, 300, seed=1, ps=listed) is sweep
    assert (sweep.gain(1).verdict, sweep.gain(2).verdict) == ("higher", "lower")


def test_wrong_labels_lower_every_score_by_the_same_rule():
    """With 1 held-out label in 5 wrong, an accuracy a becomes 0.8 a + 0.2 (1 − a) / 4.

    Tolerance 5 standard errors: false alarm below 1e-6 for each a.
    """
    rng, n = np.random.default_rng(0), 40_000
    truth = rng.integers(0, 5, n)
    labels = np.where(rng.random(n) < 0.2, (truth + rng.integers(1, 5, n)) % 5, truth)
    for a in (0.5, 0.9):
        said = np.where(rng.random(n) < a, truth, (truth + rng.integers(1, 5, n)) % 5)
        expected = 0.8 * a + 0.2 * (1 - a) / 4
        assert abs((said == labels).mean() - expected) < 5 * (expected * (1 - expected) / n) ** 0.5


@pytest.mark.parametrize("width", [32, 128])
@pytest.mark.soak
def test_stopping_early_does_the_same(width):
    curves = choosing_p.networks(width, 300, seed=1).curves.test_accuracy
    stop = curves[0].mean(axis=0).argmax()
    assert 3 < stop < 25
    assert paired_difference(curves[4, :, -1], curves[0, :, stop]).verdict != "higher"
    assert paired_difference(curves[0, :, stop], curves[0, :, -1]).verdict == "higher"


@pytest.mark.soak
def test_what_may_have_been_seen():
    middle = choosing_p.networks()
    assert 0.2 <= choosing_p.PS[middle.best] <= 0.65
    assert middle.as_good.sum() >= 3 and not middle.as_good[0]
    assert middle.curves.train_accuracy[7, :, -1].mean() < 0.4
    small, large = choosing_p.networks(8, 1000), choosing_p.networks(128, 1000)
    assert choosing_p.PS[small.best] <= 0.1 and 0.35 <= choosing_p.PS[large.best] <= 0.65
    assert small.gain(4).verdict == "lower" and large.gain(4).verdict == "higher"
    plain, dropped = middle.curves.test_accuracy[0], middle.curves.test_accuracy[4]
    stop = plain.mean(axis=0).argmax() + 1
    assert 5 <= stop <= 16
    assert paired_difference(dropped[:, -1], plain[:, stop - 1]).verdict != "higher"


def test_noise_of_a_layer():
    """The formula of the lesson, all masks listed: the relative spread of a sum of n units."""
    for n in (1, 3, 8):
        for p in (0.1, 0.5, 0.8):
            kept = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
            chance = np.where(kept, 1 - p, p).prod(axis=1)
            sums = kept.sum(axis=1) / (1 - p) / n
            sd = np.sqrt(chance @ (sums - chance @ sums) ** 2)
            assert sd == pytest.approx(np.sqrt(p / ((1 - p) * n)))
            assert chance @ sums == pytest.approx(1)


# --- The picture and the panel ---------------------------------------------------------------

STATES = [(32, 300, "hidden"), (8, 100, "both"), (128, 100, "input"), (8, 1000, "hidden")]


@pytest.mark.parametrize(("width", "images", "where"), first_of(STATES))
@pytest.mark.parametrize("large", first_of([False, True]))
def test_nothing_is_cut_off_and_no_words_overlap(width, images, where, large):
    ps = [*np.arange(0, 101, 6) / 100, *PS]
    settings = {"seed": 0, "width": width, "images": images, "where": where}
    for p, _, _, words in legible(picture.scene, ps, large, **settings):
        (caption,) = [text for text in words if text.startswith(f"p = {p:.2f}")]
        assert "accuracy" in caption


def test_a_choice_is_ringed_unless_p_0_is_as_good():
    for first, ringed in ((0.1, [0.5]), (0.8, [])):
        scores = np.array([[first, first], [0.7, 0.9], [0.75, 0.83]])
        _, ax = plt.subplots()
        choosing_p.draw_choice(ax, choosing_p.choose((0, 0.2, 0.5), scores))
        size = picture.RING["markersize"]
        rings = [line.get_xdata()[0] for line in ax.lines if line.get_markersize() == size]
        assert rings == ringed
        plt.close(ax.figure)


def test_picture_shows_the_networks_of_the_nearest_p():
    _, show = drawn(picture.scene, seed=0, width=8, images=100, where="hidden")
    sweep = choosing_p.networks(8, 100)
    for p, trained in ((0, 0), (0.04, 0), (0.06, 0.1), (0.42, 0.35), (0.43, 0.5), (1, 0.9)):
        i = choosing_p.PS.index(trained)
        assert nearest(p) == i
        artists = show(p)
        caption = artists[-1].get_text()
        assert f"accuracy {picture.short(sweep.at(i))}" in caption
        assert (f"(trained: {trained:g})" in caption) == (p != trained)
        middle = np.maximum(sweep.curves.test_accuracy[i].mean(axis=0), picture.LOWEST)
        np.testing.assert_allclose(artists[4].get_ydata(), middle)
        assert artists[0].get_xdata() == [p, p]


def test_a_show_is_quick():
    _, show = drawn(picture.scene, seed=0, width=8, images=100, where="hidden")
    start = time.perf_counter()
    for p in np.arange(101) / 100:
        show(p)
    assert (time.perf_counter() - start) / 101 < 0.008


@pytest.mark.soak
def test_panel_trains_and_has_no_history():
    panel = choosing_p.panel(p=0.3, width=8, images=100)
    try:
        assert_no_history(panel, picture.scene, PS, seed=0, width=8, images=100, where="hidden")
        width, images, where, *_ = panel.controls
        for value, control, state in (
            (32, width, (32, 100, "hidden")),
            ("both", where, (32, 100, "both")),
            (300, images, (32, 300, "both")),
            ("input", where, (32, 300, "input")),
        ):
            control.value = value
            panel.new_draw()
            assert panel.wait_for_training(30) and panel.error is None
            shown = dict(zip(("width", "images", "where"), state, strict=True))
            assert panel.settings == {"seed": 0, **shown}
            assert_no_history(panel, picture.scene, PS, seed=0, **shown)
        panel.new_draw()
        assert panel.wait_for_training(30)
        assert repr(panel) == "choosing_p.panel(p=1, seed=1, width=32, images=300, where='input')"
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"width": 64}, ValueError, "width must be one of [8, 32, 128], got 64"),
        ({"width": 8.0}, ValueError, "width must be one of [8, 32, 128], got 8.0"),
        ({"images": 200}, ValueError, "training images must be one of [100, 300, 1000], got 200"),
        ({"where": "output"}, ValueError, "drop must be one of"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(choosing_p.panel, arguments, error, message)


def test_a_panel_has_three_controls():
    panel = choosing_p.panel(width=8, images=100)
    try:
        assert set(panel.settings) == {"seed", "width", "images", "where"}
        assert live.POSITIONS == 101
    finally:
        panel.close()


# --- The exercises ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "answer",
    [[0.25, 0.25, 0.5], (0.25, 0.25, 0.5), np.array([0.25, 0.25, 0.5]), [0.25] * 2 + [0.5]],
)
def test_ps_accepts_right_answers(answer):
    assert check("7.1", answer, choosing_p.ps_of_head).ok


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ([0.25, 0.5], "2 numbers for 3 layers"),
        ([0.25, 0.25, 0.25, 0.5], "4 numbers for 3 dropout layers"),
        ([0.5, 0.25, 0.25], "the order is that of the layers"),
        ([0.25, 0.5, 0.5], "the second extra layer is not the last"),
        ([0.75, 0.75, 0.5], "p and 1 − p swapped"),
        ([0.5, 0.5, 0.5], "the extra layers have 0.25"),
        ([0.25, 0.25, 0.25], "the last layer has 0.5"),
        ([25, 25, 50], "percentages"),
        ([256, 64, 5], "those are widths"),
        (0.25, "one number is taken for every layer"),
        ([0.1, 0.2, 0.3], "got [0.1, 0.2, 0.3]"),
        ("0.25, 0.25, 0.5", "expected a list of numbers"),
        (lambda: [0.25, 0.25, 0.5], "expected a list of numbers"),
        (None, "None"),
    ],
)
def test_ps_names_the_slip(answer, words):
    verdict = check("7.1", answer, choosing_p.ps_of_head)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def test_ps_unfinished():
    assert check("7.1", ..., choosing_p.ps_of_head).state == "unfinished"


def pick(ps, scores, error=None, side="max", ddof=1):
    mean = scores.mean(axis=1)
    best = mean.argmax()
    if error is None:
        error = scores[best].std(ddof=ddof) / np.sqrt(scores.shape[1])
    return getattr(ps[mean >= mean[best] - error], side)()


def with_a_loop(ps, scores):
    means = [sum(row) / len(row) for row in scores]
    top = means.index(max(means))
    limit = means[top] - np.std(scores[top], ddof=1) / len(scores[top]) ** 0.5
    return max(p for p, mean in zip(ps, means, strict=True) if mean >= limit)


@pytest.mark.parametrize(
    "answer",
    [
        lambda ps, scores: pick(ps, scores),
        lambda ps, scores: pick(ps, scores, ddof=0),
        lambda scores, ps: choosing_p.choose(ps, scores).chosen,
        with_a_loop,
        lambda a, b: torch.tensor(pick(a, b)),
    ],
)
def test_rule_accepts_right_answers(answer):
    assert check("7.2", answer, choosing_p.rule_function).ok


ROOT = "the root of the number of folds, not of the number of p"
ALL = "an error over the scores of all p"


def own_errors(ps, scores):
    mean = scores.mean(axis=1)
    error = scores.std(axis=1, ddof=1) / np.sqrt(scores.shape[1])
    return ps[mean + error >= mean.max()].max()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda ps, scores: ps[scores.mean(axis=1).argmax()], "that is the best p"),
        (lambda ps, scores: pick(ps, scores, side="min"), "the smallest p within"),
        (
            lambda ps, scores: pick(ps, scores, scores[scores.mean(axis=1).argmax()].std(ddof=1)),
            "divide it by √5",
        ),
        (own_errors, "an error of its own"),
        (lambda ps, s: pick(ps, s, s[s.mean(axis=1).argmax()].std(ddof=1) / len(ps) ** 0.5), ROOT),
        (lambda ps, s: pick(ps, s, mean_interval(s[s.mean(1).argmax()]).half_width), "95 % interv"),
        (lambda ps, s: pick(ps, s, s.std(ddof=1)), ALL),
        (lambda ps, s: pick(ps, s, s.std() / s.shape[1] ** 0.5), ALL),
        (lambda ps, s: pick(ps, s, s.std(ddof=1) / s.size**0.5), ALL),
        (lambda ps, scores: ps[scores.max(axis=1).argmax()], "highest score on one fold"),
        (lambda ps, scores: list(ps).index(pick(ps, scores)), "its place in ps"),
        (lambda ps, scores: scores.mean(axis=1)[ps == pick(ps, scores)], "that is a score"),
        (lambda ps, scores: scores.mean(axis=1).max(), "that is a score"),
        (lambda ps, scores: ps[scores.mean(axis=1) > 0.5], "expected one p"),
        (lambda ps, scores: [], "returned a list of shape (0,), expected one p"),
        (lambda ps, scores: [[0.5], [0.1, 0.2]], "expected one p"),
        (lambda ps, scores: 0.33, "expected 0.5"),
        (lambda ps: 0.5, "takes the parameters (ps), expected 2"),
    ],
)
def test_rule_names_the_slip(answer, words):
    verdict = check("7.2", answer, choosing_p.rule_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def in_sets(splits):
    for name, split in splits.items():
        if {r.tobytes() for r in split.X_test} & {r.tobytes() for r in split.X_train}:
            return name


def in_one_array(splits):
    shared = {
        name: (one.X_test[:, None] == one.X_train[None]).all(axis=2).sum()
        for name, one in splits.items()
    }
    return max(shared, key=shared.get)


def by_distance(splits):
    return [
        name
        for name, one in splits.items()
        if np.isclose(np.linalg.norm(one.X_test[:, None] - one.X_train, axis=2), 0).any()
    ]


def by_popping(splits):
    while splits:
        name, one = splits.popitem()
        if set(map(tuple, one.X_test)) & set(map(tuple, one.X_train)):
            splits["A"] = one  # whatever is left there, the check has its own
            return name


@pytest.mark.parametrize("answer", [in_sets, in_one_array, by_distance])
def test_leaked_accepts_right_answers(answer):
    assert check("7.3", answer, choosing_p.leaked_function).ok


def test_leaked_names_what_was_changed():
    verdict = check("7.3", by_popping, choosing_p.leaked_function)
    assert verdict.message == (
        "by_popping changed splits in place: work on a copy: `copy.deepcopy(splits)` makes one"
    )


def same_place(splits):
    for name, one in splits.items():
        if (one.X_test == one.X_train[: len(one.X_test)]).all(axis=1).any():
            return name


def no_return(splits):
    in_sets(splits)


def any_pixel(splits):
    return [name for name, one in splits.items() if np.isin(one.X_test, one.X_train).all()]


def same_label(splits):
    return next(name for name, one in splits.items() if np.isin(one.y_test, one.y_train).any())


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (same_place, "look for each validation image among all training images, at any place"),
        (no_return, "returned None: is a return missing?"),
        (any_pixel, "returned 4 names: look for whole images"),
        (same_label, "shares no image with its training part"),
        (lambda splits: "E", "expected a name in splits"),
        (lambda splits: 3, "expected a name in splits"),
        (lambda splits: splits["A"], "return its name"),
        (lambda splits: [], "returned 0 names"),
    ],
)
def test_leaked_names_the_slip(answer, words):
    verdict = check("7.3", answer, choosing_p.leaked_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def test_the_leaked_split_is_the_only_one():
    for seed in range(20):
        splits, leaked = exercises._splits(seed)
        assert in_sets({leaked: splits.pop(leaked)}) == leaked and in_sets(splits) is None
