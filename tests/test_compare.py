"""Intervals against SciPy's tests, how often they hold the truth, and what they refuse."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy import stats

from dlcourse.compare import Difference, Interval, half_width, mean_interval, paired_difference

numbers = st.lists(st.integers(-1000, 1000).map(lambda i: i / 1000), min_size=3, max_size=20)


@given(numbers, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_an_interval_is_that_of_scipys_t_test(values, confidence):
    assume(np.ptp(values) > 0)
    ours = mean_interval(values, confidence)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(confidence)
    assert np.allclose((ours.low, ours.high), theirs, atol=1e-12)
    assert ours.seeds == len(values)


@given(numbers, st.randoms(use_true_random=False))
def test_a_difference_is_that_of_scipys_paired_t_test(values, random):
    other = [value + random.uniform(-1, 1) for value in values]
    assume(np.ptp(np.subtract(values, other)) > 1e-9)  # else SciPy warns of lost digits
    ours = paired_difference(values, other)
    test = stats.ttest_rel(values, other)
    assert np.allclose((ours.low, ours.high), test.confidence_interval(), atol=1e-12)
    seen = "higher" if ours.mean > 0 else "lower"
    assert ours.verdict == ("no difference seen" if test.pvalue > 0.05 else seen)
    assert paired_difference(other, values).mean == pytest.approx(-ours.mean)


def test_half_widths_are_those_of_the_intervals():
    values = np.random.default_rng(0).normal(size=(8, 5))
    each = [mean_interval(column).half_width for column in values.T]
    np.testing.assert_allclose(half_width(values), each)
    assert half_width(values)[0] == pytest.approx(stats.t.ppf(0.975, 7) * stats.sem(values[:, 0]))
    curves = np.random.default_rng(0).random((2, 8, 3))
    half = half_width(curves, axis=1)
    assert half.shape == (2, 3)
    assert half[1, 2] == pytest.approx(mean_interval(curves[1, :, 2]).half_width)


def test_95_of_100_intervals_hold_the_true_mean():
    """The number of 4,000 that do is binomial; 5 standard deviations fail once in 1.7 million."""
    draws = np.random.default_rng(0).normal(0.3, 2, (4000, 5))
    held = sum(i.low <= 0.3 <= i.high for i in map(mean_interval, draws))
    assert abs(held - 3800) < 5 * np.sqrt(4000 * 0.95 * 0.05)


def test_the_confidence_is_kept_as_a_float():
    half = np.float32(0.5)
    assert type(mean_interval([1.0, 2.0], half).confidence) is float
    assert type(paired_difference([1.0, 2.0], [0.5, 0.5], half).confidence) is float


def test_pairing_takes_out_what_two_settings_share():
    shared = np.random.default_rng(1).normal(0, 1, 8)
    noise = np.random.default_rng(2).normal(0, 0.01, 8)
    assert paired_difference(shared + 0.1 + noise, shared).verdict == "higher"
    assert paired_difference(shared - 0.1 + noise, shared).verdict == "lower"
    a, b = mean_interval(shared + 0.1 + noise), mean_interval(shared)
    assert a.low < b.high  # which the unpaired intervals do not show


@pytest.mark.parametrize(
    ("shown", "text"),
    [
        (Interval(0.86349, 0.0297, 8), "0.863 ± 0.030 (95 % interval, 8 seeds)"),
        (Interval(0.5, 0.0, 3), "0.50000 ± 0.00000 (95 % interval, 3 seeds)"),
        (Interval(123.4, 31.0, 9, 0.99), "123 ± 31 (99 % interval, 9 seeds)"),
        (
            Difference(0.097, 0.03, 8),
            "+0.097 ± 0.030 (95 % interval, 8 paired seeds): higher",
        ),
        (
            Difference(0.0, 0.004, 5),
            "+0.0000 ± 0.0040 (95 % interval, 5 paired seeds): no difference seen",
        ),
    ],
)
def test_no_more_digits_than_the_interval_supports(shown, text):
    assert repr(shown) == text


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: mean_interval([0.5]), ValueError, r"at least 2 seeds, got shape \(1,\): \[0.5\]"),
        (lambda: mean_interval([]), ValueError, "at least 2 seeds, got shape"),
        (lambda: mean_interval(0.5), ValueError, "got shape"),
        (lambda: mean_interval([0.5, np.nan]), ValueError, "finite number.*nan"),
        (lambda: mean_interval(["a", "b"]), TypeError, "values must"),
        (lambda: mean_interval([0.1, 0.2], 95), ValueError, r"confidence .*\(a percentage\?\)"),
        (lambda: mean_interval([0.1, 0.2], 1), ValueError, "between 0 and 1, got 1"),
        (lambda: half_width(np.ones((3, 2)), confidence=95), ValueError, "percentage"),
        (lambda: half_width(np.ones((3, 2)), confidence=0), ValueError, "between 0 and 1, got 0"),
        (lambda: half_width(np.ones((1, 3))), ValueError, r"2 seeds, got shape \(1, 3\).*axis 0"),
        (lambda: half_width(np.ones((3, 1)), axis=1), ValueError, "seeds along axis 1"),
        (lambda: half_width(np.ones(3), axis=1), ValueError, "axis must be an int from -1 to 0"),
        (lambda: half_width("ab"), TypeError, "values must be an array of real numbers"),
        (lambda: paired_difference([1, 2], [1, 2, 3]), ValueError, "got 2 and 3 numbers"),
        (lambda: paired_difference([1, 2], [[1], [2]]), ValueError, "b must hold one finite"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, error, words):
    with pytest.raises(error, match=words):
        call()
