"""Lesson 05: Walter's simulation against its formulas and its readable loop, panel, exercises."""

from __future__ import annotations

import tracemalloc
from itertools import product

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from scipy import integrate, stats

from dlcourse import walter
from dlcourse.checks import check
from dlcourse.walter import formulas, plain_walter_simulation, simulation, walter_simulation
from tests.scenes import BAD_STARTS, assert_legible, assert_no_history, assert_refused, legible

PS = (0, 0.01, 0.5, 0.99, 1)
NAMES = ("mean", "std", "output_std_ratio", "output_mean")
SETTINGS = [
    dict(weight_mean=mean, scaled=scaled, relu=relu)
    for mean, scaled, relu in product([0.0, 0.3], [False, True], [False, True])
]


def errors_off(measured, expected, error):
    """Return how many standard errors lie between, and 0 where there is no expectation."""
    off = np.where(np.isnan(expected), 0, measured - expected)
    return abs(off) / np.maximum(error, 1e-6 * (1 + abs(np.nan_to_num(expected))))


# --- Simulation against formula --------------------------------------------------------------


@pytest.mark.parametrize("setting", [s for s in SETTINGS if not s["relu"]], ids=str)
def test_simulation_agrees_with_the_formula(setting):
    """Four standard errors, 4 × 4 × 3 numbers a setting: false alarm below 0.4 % each (seeded)."""
    result = walter_simulation(
        [10, 100, 1000], [0, 0.2, 0.5, 0.8], 20_000, weight_std=2.0, rng=1, **setting
    )
    for name in NAMES:
        triple = (getattr(r, name) for r in (result, result.theory, result.error))
        assert errors_off(*triple).max() < 4, name


@pytest.mark.parametrize("setting", [s for s in SETTINGS if s["relu"]], ids=str)
def test_after_relu_the_gaussian_formula_holds_for_many_inputs(setting):
    """Four standard errors; at N = 1,000 the approximation is off by less than a tenth of one."""
    result = walter_simulation(1000, [0.2, 0.5], 4000, rng=2, **setting)
    for name in NAMES:
        triple = (getattr(r, name) for r in (result, result.theory, result.error))
        assert errors_off(*triple).max() < 4, name


def test_after_relu_few_inputs_fall_short_of_the_gaussian_formula():
    """To first order in 1/N the mean is (6/q − 1)/(8N) smaller; tolerance 4 standard errors."""
    result = walter_simulation(100, [0, 0.5], 400_000, relu=True, rng=3)
    short = (6 / np.array([[1.0], [0.5]]) - 1) / 800
    expected = result.theory.output_mean * (1 - short)
    assert errors_off(result.output_mean, expected, result.error.output_mean).max() < 4
    assert (
        errors_off(result.output_mean, result.theory.output_mean, result.error.output_mean).min()
        > 2
    )


@pytest.mark.parametrize("setting", SETTINGS, ids=str)
def test_fast_and_readable_simulation_have_the_same_statistics(setting):
    """Two samples, so √2 standard errors; five of them: false alarm below 1e-4 a setting."""
    ns, ps, total = [3, 40], [0.2, 0.7], 4000
    fast = walter_simulation(ns, ps, total, weight_std=0.5, rng=4, **setting)
    plain = plain_walter_simulation(ns, ps, total, weight_std=0.5, rng=5, **setting)
    for name in NAMES:
        error = 2**0.5 * getattr(fast.error, name)
        assert (abs(getattr(fast, name) - getattr(plain, name)) < 5 * error).all(), name


def test_the_standard_errors_are_what_repetition_says():
    """300 repetitions: an std has a relative standard error of 4 %, so 20 % is five."""
    runs = [walter_simulation(20, [0.3, 0.8], 400, weight_mean=0.2, rng=s) for s in range(300)]
    for name in NAMES:
        spread = np.std([getattr(run, name) for run in runs], axis=0)
        told = np.mean([getattr(run.error, name) for run in runs], axis=0)
        np.testing.assert_allclose(told, spread, rtol=0.2)


def test_theory_of_two_rectified_gaussians_by_integration():
    for p, scaled in product([0.1, 0.5, 0.9], [False, True]):
        q, scale = 1 - p, 1 / (1 - p) if scaled else 1.0
        sd, sd_p = 50**0.5, scale * (50 * q) ** 0.5
        pair = stats.multivariate_normal([0, 0], [[1, q**0.5], [q**0.5, 1]])
        grid = np.linspace(-7, 7, 701)
        a, b = np.meshgrid(grid, grid)
        values = (np.maximum(a, 0) * sd_p - np.maximum(b, 0) * sd) ** 2
        density = pair.pdf(np.dstack([a, b]))
        second = (values * density).sum() * (grid[1] - grid[0]) ** 2
        found = walter.theory(100, p, scaled=scaled, relu=True)
        assert found.std[0, 0] ** 2 + found.mean[0, 0] ** 2 == pytest.approx(second, rel=1e-3)


@pytest.mark.parametrize(("mean", "sd"), [(0, 1), (2, 0.5), (-1, 3)])
def test_theory_of_one_rectified_gaussian_by_integration(mean, sd):
    moments = [
        integrate.quad(lambda y, k=k: y**k * stats.norm.pdf(y, mean, sd), 0, mean + 12 * sd)[0]
        for k in (1, 2)
    ]
    first, std = formulas._rectified(mean, sd)
    assert first == pytest.approx(moments[0], abs=1e-8)
    assert std == pytest.approx((moments[1] - moments[0] ** 2) ** 0.5, abs=1e-8)


def test_the_numbers_of_the_lesson():
    half = [
        walter.theory(100, 0.5, scaled=scaled).output_std_ratio[0, 0] for scaled in (0 > 1, 1 > 0)
    ]
    assert np.round(half, 3).tolist() == [0.707, 1.414]
    assert np.isclose(walter.theory(100, 0.75, scaled=True).output_std_ratio[0, 0], 2)
    ten = walter.theory([10, 1000], 0.5).std[0]
    assert np.isclose(ten[1] / ten[0], 10)
    assert np.isnan(walter.theory(10, 0.5, weight_mean=1, relu=True).std).all()


# --- How it is drawn -------------------------------------------------------------------------


def test_all_p_share_the_draws_and_smaller_neurons_are_part_of_larger():
    draws = simulation.draw(np.random.default_rng(0), 50, np.array([10, 20, 70]), 1e6)
    kept = np.array([draws.output(p) for p in np.arange(101) / 100])  # all weights above 0
    assert (np.diff(kept, axis=0) <= 1e-3 * kept[0].max()).all()
    assert (np.diff(kept, axis=1) >= 0).all()
    assert (kept[-1] == 0).all()


def test_order_and_repetition_of_the_arguments_are_kept():
    a = walter_simulation([100, 10, 100], [0.5, 0.1], 300, rng=0)
    b = walter_simulation([10, 100], [0.1, 0.5], 300, rng=0)
    np.testing.assert_allclose(a.std, b.std[::-1][:, [1, 0, 1]], rtol=1e-9)
    assert a.mean.shape == a.theory.mean.shape == a.error.mean.shape == (2, 3)


def test_scalars_seeds_and_generators():
    one = walter_simulation(10, 0.5, rng=7)
    assert one.mean.shape == (1, 1) and one.n_simulations == 1000
    assert one.mean == walter_simulation(10, 0.5, rng=np.random.default_rng(7)).mean
    assert one.mean != walter_simulation(10, 0.5, rng=8).mean
    zero = walter_simulation(10, [0, 1], scaled=True, rng=0)
    assert zero.mean[0, 0] == zero.std[0, 0] == zero.output_mean[1, 0] == 0
    assert zero.output_std_ratio[:, 0].tolist() == [1, 0]


def test_units_do_not_matter():
    small = walter_simulation(50, 0.5, 500, weight_mean=1e-31, weight_std=1e-30, rng=0)
    large = walter_simulation(50, 0.5, 500, weight_mean=1e29, weight_std=1e30, rng=0)
    np.testing.assert_allclose(small.std * 1e60, large.std, rtol=1e-6)


def test_memory_does_not_grow_with_the_simulations():
    peaks = []
    for total in (2_000, 20_000):
        tracemalloc.start()
        walter_simulation(1000, [0.2, 0.5], total, rng=0)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0] + 1e5
    assert peaks[1] < 20e6


def test_progress_is_told_only_when_it_takes_long(monkeypatch, capsys):
    walter_simulation(1000, 0.5, 1000, rng=0)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr(simulation, "PATIENCE", 0.0)
    walter_simulation(1000, 0.5, 1000, rng=0)
    assert "100%, 0 s left" in capsys.readouterr().err


def test_an_interrupt_comes_through(monkeypatch):
    calls = []

    def draw(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(*arguments)

    real = simulation.draw
    monkeypatch.setattr(simulation, "draw", draw)
    with pytest.raises(KeyboardInterrupt):
        walter_simulation(1000, 0.5, 10**6, rng=0)
    assert len(calls) == 3


@pytest.mark.parametrize("function", [walter_simulation, plain_walter_simulation])
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"fan_in": 0}, ValueError, "fan_in must be an int from 1 to 10000000, or a 1-D array"),
        ({"fan_in": []}, ValueError, "got []"),
        ({"fan_in": 10.0}, TypeError, "got 10.0"),
        ({"fan_in": [[1]]}, ValueError, "got [[1]]"),
        ({"fan_in": [10**8]}, ValueError, "got [100000000]"),
        ({"fan_in": True}, TypeError, "got True"),
        ({"p": 50}, ValueError, "p must be a probability in [0, 1], got 50 (a percentage?)"),
        ({"p": [0.5, 1.2]}, ValueError, "got 1.2"),
        ({"p": []}, ValueError, "p must be one probability or a 1-D array, got []"),
        ({"p": [[0.5]]}, ValueError, "got [[0.5]]"),
        ({"n_simulations": 1}, ValueError, "n_simulations must be an int >= 2, got 1"),
        ({"n_simulations": 1e3}, TypeError, "got 1000.0"),
        ({"weight_std": 0}, ValueError, "weight_std must be a number > 0, got 0"),
        ({"weight_mean": float("nan")}, ValueError, "weight_mean must be a number"),
        ({"weight_mean": "0"}, TypeError, "got '0'"),
        ({"scaled": 1}, TypeError, "scaled must be True or False, got 1"),
        ({"relu": None}, TypeError, "relu must be True or False, got None"),
        ({"rng": -1}, ValueError, "rng must be None, a seed >= 0"),
    ],
)
def test_bad_values_are_refused(function, arguments, error, message):
    with pytest.raises(error) as raised:
        function(**{"fan_in": 10, "p": 0.5, **arguments})
    assert message in str(raised.value)


# --- The three ratios ------------------------------------------------------------------------


@pytest.mark.parametrize(("scaled", "expected"), [(False, (0.5, 0.5**0.5)), (True, (1, 2**0.5))])
def test_ratios_are_what_the_formulas_say(scaled, expected):
    """Four standard errors each; three numbers: false alarm below 2e-4."""
    draws = simulation.draw(np.random.default_rng(0), 20_000, np.array([300]), 0.0)
    without, dropped = draws.output(0)[0], draws.output(0.5)[0] * (2 if scaled else 1)
    found = walter.ratios(without, dropped)
    for ratio, value in zip(found, (*expected, expected[1]), strict=True):
        assert abs(ratio.value - value) < 4 * ratio.error < 0.1
    assert [ratio.kept for ratio in found] == [scaled, False, False]


def test_errors_of_the_ratios_are_what_repetition_says():
    """300 repetitions: an std has a relative standard error of 4 %, so 20 % is five."""
    rows = []
    for seed in range(300):
        draws = simulation.draw(np.random.default_rng(seed), 500, np.array([50]), 0.1)
        rows.append(walter.ratios(draws.output(0)[0], draws.output(0.5)[0]))
    values = np.array([[ratio.value for ratio in row] for row in rows])
    told = np.array([[ratio.error for ratio in row] for row in rows])
    np.testing.assert_allclose(told.mean(axis=0), values.std(axis=0), rtol=0.2)


@pytest.mark.parametrize("pair", [([1.0], [1.0]), ([1.0, 2], [1.0]), ([-1.0, -2], [0.0, 0])])
def test_ratios_refuse_what_they_cannot_divide(pair):
    with pytest.raises(ValueError, match="without"):
        walter.ratios(*pair)


# --- The picture and the panel ---------------------------------------------------------------


def test_no_bar_of_walters_picture_lies_outside():
    ax = Figure().subplots()
    walter.draw_differences(ax, walter_simulation([10, 1000], [0.1, 0.25, 0.5, 0.9], 50, rng=0))
    left, right = ax.get_xlim()
    places = np.concatenate([line.get_xdata() for line in ax.get_lines()])
    assert left < places.min() < places.max() < right


def test_the_title_tells_how_far_the_mean_shifted_and_its_standard_error():
    """In the picture that is shown first the shift is chance: less than four standard errors."""
    draws = simulation.draw(np.random.default_rng(0), 1000, np.array([100]), 0.0)
    moved = draws.output(0.5)[0] - draws.output(0)[0]
    error = moved.std() / 1000**0.5
    assert abs(moved.mean()) < 4 * error
    setting = dict(seed=0, fan_in=100, weight_mean=0.0, output="unscaled")
    ((*_, words),) = legible(walter.scene, [0.5], **setting)
    expected = f"{moved.mean():.2f} ± {error:.2f}".replace("-", "−")
    assert f"shift of the mean: {expected}" in words


@pytest.mark.parametrize("output", walter.OUTPUTS)
@pytest.mark.parametrize(("fan_in", "mean"), list(product((10, 1000), (0.0, 0.5))))
def test_nothing_is_cut_off_and_no_words_overlap(output, fan_in, mean):
    ps = (0.5, 0, 0.01, 0.2, 0.9, 0.98, 0.99, 1)
    assert_legible(walter.scene, ps, seed=0, fan_in=fan_in, weight_mean=mean, output=output)


@pytest.mark.parametrize(("p", "words"), [(0.99, "at 0: 821, outside: 104"), (0.5, "at 0: 485")])
def test_what_the_bars_cannot_show_is_told(p, words):
    setting = dict(seed=0, fan_in=100, weight_mean=0.0, output="inverted, after ReLU")
    assert any(words == text for *_, told in legible(walter.scene, [p], **setting) for text in told)


def test_panel_shows_the_same_picture_however_it_got_there():
    panel = walter.panel(p=0.3, fan_in=100)
    try:
        fan_in, mean, output, _, new_draw = panel.controls
        new_draw.click()
        for n, m, o in [(10, 0.0, walter.OUTPUTS[0]), (1000, 0.5, walter.OUTPUTS[3])]:
            fan_in.value, mean.value, output.value = n, m, o
            assert_no_history(panel, walter.scene, PS, seed=1, fan_in=n, weight_mean=m, output=o)
        assert repr(panel) == (
            "walter.panel(p=1, seed=1, fan_in=1000, weight_mean=0.5, output='inverted, after ReLU')"
        )
        for name in walter.OUTPUTS:
            output.value = name
            panel.picture()
            assert panel.error is None
    finally:
        panel.close()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        *BAD_STARTS,
        ({"fan_in": 11}, ValueError, "N must be one of [10, 30, 100, 300, 1000], got 11"),
        ({"weight_mean": 2}, ValueError, "weight mean must be one of [0.0, 0.1, 0.5], got 2"),
        ({"output": "scaled"}, ValueError, "got 'scaled'"),
    ],
)
def test_panel_refuses_bad_values(arguments, error, message):
    assert_refused(walter.panel, arguments, error, message)


def test_what_a_learner_may_have_seen():
    """The three gauges at the places that the lesson points to."""

    def found(p, **setting):
        draws = simulation.draw(
            np.random.default_rng(0), 1000, np.array([100]), setting.get("mean", 0.0)
        )
        scale = 1 / (1 - p) if setting.get("scaled") else 1
        return walter.ratios(draws.output(0)[0], draws.output(p)[0] * scale)

    def values(p):
        return [ratio.value for ratio in found(p)]

    def gauges(p, **setting):
        return [ratio.kept for ratio in found(p, **setting)]

    shrinking = np.array([values(p) for p in (0, 0.2, 0.5, 0.8, 0.99, 1)])
    assert (np.diff(shrinking, axis=0) < 0).all()
    assert (shrinking[1:-1, 0] < shrinking[1:-1, 1:].T).all()
    assert gauges(0.5) == [False, False, False]
    assert gauges(0.5, scaled=True) == [True, False, False]
    assert gauges(0.5, scaled=True, mean=0.5) == [True, False, True]


def test_alpha_dropout_keeps_mean_and_spread_over_many_units_but_not_the_mean_given_them():
    """The mean has a standard error of 0.001, the other two of at most 0.002: five of them."""
    torch.manual_seed(0)
    x = torch.randn(10**6)
    y = torch.nn.functional.alpha_dropout(x, 0.5, training=True)
    assert abs(float(y.mean())) < 0.005
    assert abs(float(y.std()) - 1) < 0.01
    assert float(x @ y / (x @ x)) < 0.9


# --- The exercises ---------------------------------------------------------------------------


def test_numbers_accept_the_right_number():
    for answer in (2, 2.0, np.float32(2), 1 / 0.25**0.5, torch.tensor(2.0)):
        assert check("5.1", answer, walter.ratio_number).ok


@pytest.mark.parametrize(
    ("expectation", "answer", "words"),
    [
        (walter.ratio_number, 0.5, "unscaled"),
        (walter.ratio_number, 4, "what survivors are multiplied by"),
        (walter.ratio_number, 1, "ratio of the means"),
        (walter.ratio_number, 0.25, "the mean of unscaled"),
        (walter.ratio_number, 1 / 0.75**0.5, "swapped?"),
        (walter.ratio_number, 3**0.5, "belongs to the difference"),
        (walter.ratio_number, 16, "both the root and the share 1 − p under it are missing"),
        (walter.ratio_number, 0.75**0.5, "not scaled?"),
    ],
)
def test_numbers_name_the_slip(expectation, answer, words):
    verdict = check("5.1", answer, expectation)
    assert verdict.state == "wrong" and words in verdict.message


def one(n, p, rng):
    x, w = np.maximum(rng.normal(size=n), 0), rng.normal(size=n)
    return w @ (x * (rng.random(n) >= p)) / (1 - p) - w @ x


def two(n, p, rng):
    z, w = rng.standard_normal(n), rng.normal(0, 1, n)
    scales = np.where(rng.random(n) < p, 0, 1 / (1 - p))
    return (w * np.where(z > 0, z, 0) * (scales - 1)).sum()


def three(n, p, rng):
    x, w = torch.randn(n).relu(), torch.randn(n)
    return (torch.nn.functional.dropout(x, p) - x) @ w


@pytest.mark.parametrize("answer", [one, two, three])
def test_difference_accepts_right_answers(answer):
    assert check("5.2", answer, walter.difference_function).ok


def right(w, x, kept, p):
    return w @ (x * kept) / (1 - p) - w @ x


def fewer(rng, x, p):
    """A mask that keeps a fraction p, times the scale of inverted dropout."""
    return (rng.random(x.shape) < p) / (1 - p)


def slipped(x_of=lambda z: np.maximum(z, 0), how=None, w_mean=0.0):
    def answer(n, p, rng):
        x, w, kept = x_of(rng.normal(size=n)), rng.normal(w_mean, 1, n), rng.random(n) >= p
        return how(w, x, kept, p, rng)

    return answer


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (slipped(how=lambda w, x, k, p, r: w @ (x * k) - w @ x), "must be divided by 1 − p"),
        (
            slipped(how=lambda w, x, k, p, r: w @ (x * k) * (1 - p) - w @ x),
            "must be divided by 1 − p",
        ),
        (slipped(how=lambda w, x, k, p, r: w @ (x * k) / p - w @ x), "swapped in the scale"),
        (slipped(how=lambda w, x, k, p, r: w @ (x * fewer(r, x, p)) - w @ x), "in the mask?"),
        (
            slipped(how=lambda w, x, k, p, r: w @ (x * fewer(r, x, p)) * (1 - p) / p - w @ x),
            "in the mask and in the scale",
        ),
        (slipped(how=lambda w, x, k, p, r: w @ (x * k) / (1 - p)), "not subtracted"),
        (
            slipped(lambda z: z, lambda w, x, k, p, r: w @ (x * k) / (1 - p) - w @ x),
            "rectified",
        ),
        (
            slipped(how=lambda w, x, k, p, r: w @ (x * k) / (1 - p) - r.normal(size=len(w)) @ x),
            "the same weights",
        ),
        (slipped(how=lambda w, x, k, p, r: w @ x), "without dropout alone"),
        (slipped(how=lambda w, x, k, p, r: right(w, x, k, p) / len(w)), "divided by N"),
        (slipped(how=lambda w, x, k, p, r: right(w, x, k, p) / len(w) ** 0.5), "divided by √N"),
        (slipped(how=lambda w, x, k, p, r: abs(right(w, x, k, p))), "the mean of 2000 calls"),
        (slipped(how=lambda w, x, k, p, r: 3 * right(w, x, k, p)), "the std of 2000 calls"),
        (slipped(how=lambda w, x, k, p, r: w * (x * k) - w * x), "expected one number"),
        (lambda n, p, rng: 0.0, "every call returned 0"),
    ],
)
def test_difference_names_the_slip(answer, words):
    verdict = check("5.2", answer, walter.difference_function)
    assert verdict.state == "wrong" and words in verdict.message, verdict


def test_difference_tells_an_unfinished_answer():
    assert check("5.2", lambda n, p, rng: ..., walter.difference_function).state == "unfinished"
