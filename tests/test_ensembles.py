"""Lesson 03: every member and their averages, Monte-Carlo averages, the exercises."""

from __future__ import annotations

import re
from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from scipy.ndimage import rotate
from scipy.stats import binom, gmean

from dlcourse import ThreeLayerNet, digits, ensembles
from dlcourse.checks import check
from dlcourse.ensembles.members import product_in_slabs
from dlcourse.monte_carlo import mc_dropout
from tests.scenes import BAD_STARTS, assert_no_history, assert_refused, drawn, first_of, legible

PS = (0, 0.01, 0.5, 0.99, 1)

# --- Masks and probabilities -----------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4, 12])
def test_all_masks_are_all_masks(n):
    masks = ensembles.all_masks(n)
    assert masks.shape == (2**n, n) and masks.dtype == bool
    assert set(map(tuple, masks.tolist())) == set(product([False, True], repeat=n))
    assert not masks[0].any() and masks[-1].all()


@pytest.mark.parametrize("p", [*PS, 0.3])
def test_probabilities_are_exact(p):
    q = Fraction(p).limit_denominator(100)
    exact = [np.prod([1 - q if kept else q for kept in m]) for m in ensembles.all_masks(5).tolist()]
    found = ensembles.mask_probabilities(5, p)
    np.testing.assert_allclose(found, [float(e) for e in exact], rtol=1e-12)
    assert found.sum() == pytest.approx(1, abs=1e-14)


@pytest.mark.parametrize("p", PS)
def test_probabilities_add_up_to_the_binomial_distribution(p):
    kept = ensembles.all_masks(12).sum(axis=1)
    by_number = np.bincount(kept, ensembles.mask_probabilities(12, p))
    np.testing.assert_allclose(by_number, binom.pmf(range(13), 12, 1 - p), atol=1e-13)


@pytest.mark.parametrize(
    ("n", "error", "words"),
    [
        (0, ValueError, "n must be an int from 1 to 12, got 0"),
        (-3, ValueError, "n must be an int from 1 to 12, got -3"),
        (13, ValueError, "that would be 8,192 masks"),
        (20, ValueError, "that would be 1,048,576 masks; draw some hundred"),
        (20, ValueError, "dropout_mask((masks, n), p) and average these (Monte-Carlo averaging)"),
        (1024, ValueError, "that would be 2**1024 masks"),
        (10**9, ValueError, "2**1000000000 masks"),
        (10**400, ValueError, "that would be 2**1000000"),
        (4.0, TypeError, "n must be an int from 1 to 12, got 4.0"),
        (True, TypeError, "got True"),
        ("4", TypeError, "got '4'"),
    ],
)
def test_a_number_of_units_that_cannot_be_listed(n, error, words):
    for function in (ensembles.all_masks, lambda n: ensembles.network("relu", n)):
        with pytest.raises(error) as raised:
            function(n)
        assert words in str(raised.value)


def test_bad_values():
    with pytest.raises(ValueError, match="kind must be one of linear, softmax, relu, got 'tanh'"):
        ensembles.network("tanh")
    with pytest.raises(ValueError, match="got 50"):
        ensembles.ensemble(ensembles.network(), 50)
    with pytest.raises(ValueError, match="inverted network, got kind='vanilla'"):
        ensembles.torch_network(ThreeLayerNet((2, 2, 2, 2), kind="vanilla"))


# --- Averages --------------------------------------------------------------------------------


def every_case():
    return list(product(ensembles.KINDS, (1, 4, 8), (*PS, 0.2)))


@pytest.mark.parametrize(("kind", "n", "p"), every_case())
def test_fast_and_readable_enumeration_agree(kind, n, p):
    net = ensembles.network(kind, n, seed=3)
    fast, plain = ensembles.ensemble(net, p), ensembles.plain_ensemble(net, p)
    for name in ("outputs", "probabilities", "arithmetic", "variance", "weight_scaling"):
        expected = getattr(plain, name)
        np.testing.assert_allclose(getattr(fast, name), expected, rtol=1e-10, atol=1e-14)
    assert (fast.geometric is None) == (kind == "linear") == (plain.geometric is None)
    if kind != "linear":
        np.testing.assert_allclose(fast.geometric, plain.geometric, atol=1e-12)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("n", ensembles.SIZES)
@pytest.mark.parametrize("p", [*PS, 0.3])
def test_weight_scaling_is_exact_where_the_lesson_says_so(p, n, seed):
    linear = ensembles.ensemble(ensembles.network("linear", n, seed), p)
    np.testing.assert_allclose(linear.weight_scaling, linear.arithmetic, rtol=0, atol=1e-10)
    soft = ensembles.ensemble(ensembles.network("softmax", n, seed), p)
    np.testing.assert_allclose(soft.weight_scaling, soft.geometric, rtol=0, atol=1e-10)


def test_linear_variance_is_the_sum_of_independent_parts():
    net = ensembles.network("linear", 12, seed=2)
    expected = 0.3 * 0.7 * ((net.x[:, None] * net.W) ** 2).sum(axis=0)
    np.testing.assert_allclose(ensembles.ensemble(net, 0.3).variance, expected, rtol=1e-10)


def test_geometric_mean_against_scipy():
    net = ensembles.network("relu", 6)
    found = ensembles.ensemble(net, 0.4)
    expected = np.array([gmean(column, weights=found.probabilities) for column in found.outputs.T])
    np.testing.assert_allclose(found.geometric, expected / expected.sum(), rtol=1e-10)


@pytest.mark.parametrize("p", [0.2, 0.5])
def test_enumeration_is_what_dropout_in_torch_does_on_average(p):
    """Tolerance 5 standard errors for 3 outputs: false alarm below 1e-5."""
    net = ensembles.network("relu", 8)
    torch.manual_seed(0)
    units = F.dropout(torch.tensor(net.x).expand(40_000, -1), p).numpy() * (1 - p)
    found, drawn = ensembles.ensemble(net, p), ensembles.outputs(net, units)
    error = np.sqrt(found.variance / len(drawn))
    assert (abs(drawn.mean(axis=0) - found.arithmetic) < 5 * error).all()


def test_inverted_dropout_has_the_same_equalities():
    net, p = ensembles.network("softmax", 8), 0.3
    units = ensembles.all_masks(8) * net.x / (1 - p)
    mean = ensembles.normalised_geometric_mean(
        ensembles.outputs(net, units), ensembles.mask_probabilities(8, p)
    )
    np.testing.assert_allclose(mean, ensembles.outputs(net, net.x[None])[0], atol=1e-10)


def test_a_hidden_relu_leaves_a_gap():
    measured = np.array(
        [ensembles.gaps(ensembles.network("relu", 8, s), [0, 0.1, 0.5, 1]) for s in range(50)]
    )
    assert measured[:, :, [0, 3]].max() < 1e-12
    assert (measured[:, :, 1:3].mean(axis=0) > 5 * measured[:, :, 1:3].std(axis=0) / 50**0.5).all()
    assert (measured[:, :, 2] > 1e-6).all()
    assert (measured[:, :, 2].mean(axis=0) > measured[:, :, 1].mean(axis=0)).all()


def test_jensen_a_relu_unit_is_never_below_weight_scaling():
    for seed in range(20):
        net = ensembles.network("relu", 8, seed)
        z = (ensembles.all_masks(8) * net.x) @ net.W + net.b
        mean = ensembles.mask_probabilities(8, 0.5) @ np.maximum(z, 0)
        assert (mean >= np.maximum(0.5 * net.x @ net.W + net.b, 0) - 1e-12).all()


def test_mean_gaps_are_the_mean_of_gaps():
    mean, error = ensembles.mean_gaps([2, 5], [0.1, 0.9], networks=3)
    one = [ensembles.gaps(ensembles.network("relu", 5, seed), [0.9])[0, 0] for seed in range(3)]
    assert mean[1, 1] == pytest.approx(np.mean(one))
    assert error[1, 1] == pytest.approx(np.std(one, ddof=1) / 3**0.5)


def test_the_gap_changes_with_p():
    mean, error = ensembles.mean_gaps(range(2, 13), [0.1, 0.5, 0.9])
    assert (mean > 5 * error).all()
    assert (mean[:, 1] > mean[:, 0] + 5 * error[:, 1]).all()
    assert (mean[:, 1] > mean[:, 2]).all()


# --- Claims of the lesson --------------------------------------------------------------------


def test_a_member_is_the_smaller_network_without_the_dropped_units():
    net, kept = ensembles.network("relu", 4), np.array([True, False, True, True])
    cut = ensembles.Network("relu", net.x[kept], net.W[kept], net.b, net.V)
    masked = ensembles.outputs(net, (kept * net.x)[None])
    np.testing.assert_allclose(masked, ensembles.outputs(cut, cut.x[None]), atol=1e-12)


def test_what_a_learner_may_have_seen():
    for n, p in product(ensembles.SIZES, np.arange(101) / 100):
        gap = ensembles.gaps(ensembles.network("softmax", n), [p])
        assert gap[1] < 1e-10
    arithmetic = ensembles.gaps(ensembles.network("softmax", 8), np.arange(101) / 100)[0]
    assert 0.3 < arithmetic.argmax() / 100 < 0.7
    assert arithmetic[[0, 100]].max() < 1e-12
    found = ensembles.ensemble(ensembles.network("softmax", 8), 0)
    assert np.count_nonzero(found.probabilities) == 1


def test_a_mini_batch_trains_one_member_per_example():
    """Equal by accident: below 50² / 2 · 2^-64."""
    net, data = ThreeLayerNet((64, 64, 64, 10), rng=0), digits.load()
    _, cache = net.forward(data.X_train[:50], rng=1)
    assert len(np.unique(cache.mask1, axis=0)) == 50


# --- Monte-Carlo averaging -------------------------------------------------------------------


@pytest.mark.parametrize("rows", [0, 1, 60, 1079, 4096])
@pytest.mark.parametrize("width", [3, 64])
def test_a_product_in_slabs_is_the_product(rows, width):
    rng = np.random.default_rng(0)
    X, W = rng.normal(size=(rows, 64)), rng.normal(size=(64, width))
    found = product_in_slabs(X, W)
    assert found.shape == (rows, width)
    np.testing.assert_allclose(found, X @ W, atol=1e-12)


def test_monte_carlo_errors_by_hand():
    data, net = digits.load(), digits.trained_network()
    X, y = data.X_test[:30], data.y_test[:30]
    found = ensembles.monte_carlo_errors(net, X, y, masks=3, repeats=2, rng=0)
    rng, total = np.random.default_rng(0), 0
    for k in range(3):
        logits = net.forward(np.concatenate([X, X]), rng=rng)[0]
        total = total + np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        first = (total[:30].argmax(axis=1) != y).mean()
        assert found[0, k] == first
        assert found[1, k] == (total[30:].argmax(axis=1) != y).mean()


@pytest.mark.soak
def test_the_average_gets_better_and_catches_up_after_some_masks():
    found = ensembles.averaging()
    low, high = found.interval()
    assert 5 < low <= found.caught_up() <= high < 100
    excess = found.excess
    error = excess.std(axis=0, ddof=1) / len(excess) ** 0.5
    assert excess[:, 0].mean() > 10 * error[0]
    assert abs(excess[:, -1].mean()) < 5 * error[-1]
    assert abs(excess[:, -1].mean()) < found.spread[:, -1].mean()
    assert found.interval() == found.interval()


def test_caught_up_never():
    found = ensembles.Averaging(np.full((2, 3, 5), 0.5), np.array([0.1, 0.1]))
    assert found.caught_up() == 6 and found.interval() == (6, 6)


@pytest.mark.parametrize(
    ("full", "words"),
    [
        ([0.1, 0.1], "not caught up after 4 masks,"),
        ([0.5, 0.5], "caught up at k = 1 (95 % interval 1 to 1),"),
        ([0.1, 0.5], "caught up at k = 1 (95 % interval 1 to more than 4),"),
    ],
)
def test_the_figure_says_whether_the_average_caught_up(full, words):
    errors = np.tile([[0.3], [0.7]], (2, 1, 4))  # 0.5, and a spread of 0.28
    ax = Figure().subplots()
    ensembles.draw_averaging(ax, ensembles.Averaging(errors, np.array(full)))
    told = [text.get_text() for text in ax.texts]
    assert told[0].startswith(words)


def test_torch_network_is_the_same_network():
    net, X = digits.trained_network(), digits.load().X_test[:20]
    model = ensembles.torch_network(net)
    with torch.no_grad():
        np.testing.assert_allclose(
            model(torch.tensor(X)).softmax(dim=1).numpy(), net.predict(X), atol=1e-12
        )
    assert not model.training


def test_the_doubt_grows_by_a_third_where_most_turned_digits_are_lost():
    """A fixed seed; 100 images, 100 members: the ratio's standard error is below 0.05."""
    data, model = digits.load(), ensembles.torch_network(digits.trained_network())
    spread, right = [], []
    for angle in (0, 45):
        images = rotate(data.X_test[:100].reshape(-1, 8, 8), angle, (2, 1), False, order=1)
        rows = torch.tensor(images.reshape(-1, 64))
        torch.manual_seed(0)
        with torch.no_grad(), mc_dropout(model):
            said = torch.stack([model(rows).softmax(dim=1) for _ in range(100)])
        winner = said.mean(dim=0).argmax(dim=1)
        spread.append(said.std(dim=0)[range(100), winner].mean().item())
        right.append((winner.numpy() == data.y_test[:100]).sum())
    assert 1.2 < spread[1] / spread[0] < 1.5
    assert right[0] > 90 and right[1] < 40


# --- The picture and the panel ---------------------------------------------------------------


@pytest.mark.parametrize(("kind", "n"), first_of(product(ensembles.KINDS, ensembles.SIZES)))
@pytest.mark.parametrize("seed", first_of([0, 1]))
@pytest.mark.parametrize("large", first_of([False, True]))
def test_nothing_is_cut_off_and_no_words_overlap(kind, n, seed, large):
    ps = (*PS, 0.2, 0.37)
    state = {"seed": seed, "network": kind, "n": n}
    for p, _, artists, _ in legible(ensembles.scene, ps, large, **state):
        assert artists[-1].get_text().startswith(f"p = {p:.2f}: arithmetic")


def test_picture_shows_the_numbers():
    _, show = drawn(ensembles.scene, seed=0, network="relu", n=4)
    found = ensembles.plain_ensemble(ensembles.network("relu", 4), 0.3)
    steps, scaled, arithmetic, geometric, _, *dots, caption = show(0.3)
    assert scaled.get_xdata()[0] == pytest.approx(found.weight_scaling[0])
    assert arithmetic.get_xdata()[0] == pytest.approx(found.arithmetic[0])
    assert geometric.get_xdata()[0] == pytest.approx(found.geometric[0])
    heights, edges, _ = steps.get_data()
    expected, _ = np.histogram(found.outputs[:, 0], edges, weights=found.probabilities)
    np.testing.assert_allclose(heights, expected / expected.max(), atol=1e-12)
    for dot, mean in zip(dots, (found.arithmetic, found.geometric), strict=True):
        assert dot.get_ydata()[0] == pytest.approx(abs(mean[0] - found.weight_scaling[0]))
    assert f"arithmetic {found.arithmetic[0]:.3f}, geometric" in caption.get_text()
    assert f"16 members ± {found.variance[0] ** 0.5:.2f}" in caption.get_text()


@pytest.mark.soak
def test_panel_shows_the_same_picture_however_it_got_there():
    panel = ensembles.panel(p=0.3, network="linear", n=4)
    try:
        kind, n, _, new_draw = panel.controls
        new_draw.click()
        for kind.value, n.value in product(ensembles.KINDS, ensembles.SIZES):
            state = {"seed": 1, "network": kind.value, "n": n.value}
            assert_no_history(panel, ensembles.scene, PS, **state)
        assert repr(panel) == "ensembles.panel(p=1, seed=1, network='relu', n=12)"
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"n": 5}, ValueError, "n, units must be one of [4, 8, 12], got 5"),
        ({"n": 4.0}, ValueError, "n, units must be one of [4, 8, 12], got 4.0"),
        ({"n": 20}, ValueError, "that would be 1,048,576 masks"),
        ({"network": "tanh"}, ValueError, "network must be one of ['linear', 'softmax', 'relu']"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(ensembles.panel, arguments, error, message)


# --- The exercises ---------------------------------------------------------------------------


def weights_of(masks, p):
    return np.where(masks, 1 - p, p).prod(axis=1)


def mean_loop(outputs, masks, p):
    total = 0
    for out, mask in zip(outputs, masks, strict=True):
        kept = int(mask.sum())
        total = total + (1 - p) ** kept * p ** (len(mask) - kept) * out
    return total


def mean_average(outputs, masks, p):
    return np.average(outputs, axis=0, weights=weights_of(masks, p))


def mean_matrix(outputs, masks, p):
    return weights_of(masks, p) @ outputs


def mean_torch(outputs, masks, p):
    weights = torch.where(masks, 1 - p, p).prod(dim=1)
    return (weights[:, None] * outputs).sum(dim=0)


@pytest.mark.parametrize("answer", [mean_loop, mean_average, mean_matrix, mean_torch])
def test_mean_accepts_right_answers(answer):
    assert check("3.1", answer, ensembles.mean_function).ok


def test_numbers_that_are_told_apart_are_told_with_digits_that_differ():
    def rounded(outputs, masks, p):
        return mean_matrix(outputs, masks, p).astype(np.float16).astype(float)

    def last_is_off(outputs, masks, p):
        return mean_matrix(outputs, masks, p) + np.array([0, 0, 1])

    message = check("3.1", rounded, ensembles.mean_function).message
    found, expected = re.findall(r"\d+\.\d+(?= in the|$)", message)
    assert found != expected and abs(float(found) - float(expected)) < 0.002
    message = check("3.1", last_is_off, ensembles.mean_function).message
    assert " in the third place at p = 0.3, expected " in message


def no_return(outputs, masks, p):
    outputs = mean_matrix(outputs, masks, p)


def kept_only(masks, p):
    return (1 - p) ** masks.sum(axis=1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda outputs, masks, p: outputs.mean(axis=0), "every member counts alike"),
        (lambda outputs, masks, p: weights_of(~masks, p) @ outputs, "p and 1 − p swapped?"),
        (lambda outputs, masks, p: weights_of(masks, p) @ outputs / 16, "number of members too"),
        (lambda outputs, masks, p: outputs.sum(axis=0), "a sum, not a mean"),
        (lambda outputs, masks, p: kept_only(masks, p) @ outputs, "dropped units count too"),
        (
            lambda outputs, masks, p: np.average(outputs, axis=0, weights=kept_only(masks, p)),
            "also in the total",
        ),
        (lambda outputs, masks, p: weights_of(masks, p)[:, None] * outputs, "over axis 0"),
        (lambda outputs, masks, p: (weights_of(masks, p)[:, None] * outputs).sum(), "one number"),
        (lambda outputs, masks, p: (1 - p) * mean_matrix(outputs, masks, p), "as they are"),
        (lambda outputs, masks, p: mean_matrix(outputs, masks, p) / (1 - p), "divided by 1 − p"),
        (lambda outputs, masks, p: outputs[-1], "expected"),
        (lambda outputs, masks, p: p ** (~masks).sum(axis=1) @ outputs, "factor 1 − p"),
        (
            lambda outputs, masks, p: np.average(
                outputs, axis=0, weights=p ** (~masks).sum(axis=1)
            ),
            "1 − p, also in the total",
        ),
        (lambda outputs, masks, p: np.where(masks, 1 - p, p).sum(axis=1) @ outputs, "are added"),
        (
            lambda outputs, masks, p: np.where(masks, 1 - p, p).mean(axis=1) @ outputs,
            "a mean is none either",
        ),
        (
            lambda outputs, masks, p: np.average(
                outputs, axis=0, weights=np.where(masks, 1 - p, p).sum(axis=1)
            ),
            "nor divide by their sum",
        ),
        (no_return, "is a return missing?"),
        (lambda outputs, masks, p: "a", "the text 'a'"),
        (lambda outputs, masks, p: [[1.0], [1.0, 2.0]], "expected an array"),
        (
            lambda outputs, masks, p: mean_matrix(outputs, masks, p).astype(np.float16).tolist(),
            "2.162 in the second place at p = 0.3, expected 2.161",
        ),
    ],
)
def test_mean_names_the_slip(answer, words):
    verdict = check("3.1", answer, ensembles.mean_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def geometric_powers(outputs, weights):
    product_of_powers = (outputs ** weights[:, None]).prod(axis=0)
    return product_of_powers / product_of_powers.sum()


def geometric_logs(outputs, weights):
    mean = np.exp((weights[:, None] * np.log(outputs)).sum(axis=0))
    return list(mean / mean.sum())


def geometric_torch(outputs, weights):
    return torch.softmax(weights @ outputs.log(), dim=0)


@pytest.mark.parametrize("answer", [geometric_powers, geometric_logs, geometric_torch])
def test_geometric_accepts_right_answers(answer):
    assert check("3.2", answer, ensembles.geometric_function).ok


def log_mean(outputs, weights):
    return weights @ np.log(outputs)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (lambda outputs, weights: np.exp(log_mean(outputs, weights)), "made to sum to one"),
        (lambda outputs, weights: weights @ outputs, "arithmetic mean"),
        (log_mean, "those are logarithms: take exp"),
        (lambda outputs, weights: gmean(outputs, axis=0), "counts alike: use the weights, and"),
        (
            lambda outputs, weights: gmean(outputs, axis=0) / gmean(outputs, axis=0).sum(),
            "every member counts alike: use the weights",
        ),
        (lambda outputs, weights: outputs.prod(axis=0), "without exponents"),
        (lambda outputs, weights: outputs ** weights[:, None], "over axis 0"),
        (lambda outputs, weights: outputs[0], "expected"),
    ],
)
def test_geometric_names_the_slip(answer, words):
    verdict = check("3.2", answer, ensembles.geometric_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def test_unfinished():
    def mean(outputs, masks, p):
        weights = ...
        return weights @ outputs

    assert check("3.1", mean, ensembles.mean_function).state == "unfinished"
    assert check("3.2", lambda outputs, weights: ..., ensembles.geometric_function).state == (
        "unfinished"
    )
