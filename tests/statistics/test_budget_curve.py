"""Expected best-of-k against every subset there is, ties, trials that diverged, and the weights of CPE, CPU, CPL."""

from itertools import combinations
from math import inf, nan

import numpy as np
import pytest

from surefoot.errors import UsageError
from surefoot.statistics.budget_curve import budget_curve, cumulative_performance, emphasis, expected_best


def every_subset(validation, test, k):
    """The mean over all subsets of the test value of the best by validation; ties by their mean."""
    results = []
    for subset in combinations(range(len(test)), k):
        best = max(validation[i] for i in subset)
        results.append(np.mean([test[i] for i in subset if validation[i] == best]))
    return np.mean(results)


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_mean_over_all_subsets(seed):
    rng = np.random.default_rng(seed)
    validation, test = rng.normal(0.9, 0.05, (2, 9))
    expected = [every_subset(validation, test, k) for k in range(1, 10)]
    assert expected_best(validation, test) == pytest.approx(expected)


def test_ties_in_validation_count_with_their_mean():
    """A tie is broken by chance: over all subsets, each of the tied is chosen as often as the others."""
    validation, test = [0.9, 0.9, 0.8, 0.9, 0.7], [0.5, 0.8, 0.95, 0.2, 0.1]
    found = expected_best(validation, test)
    assert (found[0], found[-1]) == pytest.approx((np.mean(test), 0.5))
    rng, order = np.random.default_rng(0), []
    for _ in range(4000):
        noisy = validation + rng.uniform(0, 1e-6, 5)
        order.append(expected_best(noisy, test))
    assert found == pytest.approx(np.mean(order, axis=0), abs=0.01)


def test_losses_are_better_when_lower():
    validation, test = [0.5, 0.2, 0.9], [0.6, 0.3, 1.0]
    assert expected_best(validation, test, higher=False)[-1] == 0.3
    mirrored = expected_best([-value for value in validation], test)
    assert expected_best(validation, test, higher=False) == mirrored


def test_the_test_set_never_chooses():
    """HYP's win probability takes the best of the test scores; a trial that is lucky on the test set must not win."""
    validation, test = [0.95, 0.90, 0.85], [0.90, 0.89, 0.99]
    assert expected_best(validation, test)[-1] == 0.90
    assert max(expected_best(validation, test)) < 0.99


def test_it_is_unbiased_where_drawing_with_replacement_is_not():
    """Best of 5 of 6 uniform trials: 5/6 in truth. With replacement some trials come twice, and others not at all."""
    rng = np.random.default_rng(1)
    draws = rng.uniform(0, 1, (4000, 6))
    ours = np.mean([expected_best(row, row)[4] for row in draws])
    cdf = np.arange(1, 7) / 6
    with_replacement = np.mean(np.sort(draws) @ (cdf**5 - (cdf - 1 / 6) ** 5))
    assert ours == pytest.approx(5 / 6, abs=4 * 0.14 / np.sqrt(4000))
    assert with_replacement < 5 / 6 - 0.03


def test_a_trial_that_diverged_was_paid_for():
    validation, test = [0.9, nan, 0.8, -inf], [0.91, nan, 0.82, nan]
    found = expected_best(validation, test, failure=0.1)
    assert found[0] == pytest.approx((0.91 + 0.82 + 0.1 + 0.1) / 4)
    assert found[-1] == 0.91
    assert found[1] == pytest.approx((3 * 0.91 + 2 * 0.82 + 0.1) / 6)
    with pytest.raises(UsageError, match="2 of 4 trials diverged"):
        expected_best(validation, test)
    assert expected_best([nan, nan], [nan, nan], failure=0.1) == pytest.approx((0.1, 0.1))
    assert expected_best([inf, 2.0], [9.0, 1.0], higher=False, failure=5.0)[-1] == 1.0


def test_a_trial_without_a_test_value_is_not_taken_for_one_that_diverged():
    with pytest.raises(UsageError, match="test has nan"):
        expected_best([0.9, 0.8], [nan, 0.8], failure=0.1)


@pytest.mark.parametrize(("validation", "test"), [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]])])
def test_rows_that_do_not_match_are_refused(validation, test):
    with pytest.raises(UsageError, match="for every trial"):
        expected_best(validation, test)


def test_the_bootstrap_spreads_as_fresh_samples_do():
    """Its standard error is that of the estimate, seen over fresh tuning runs, for small budgets."""
    rng = np.random.default_rng(5)
    fresh = np.array([expected_best(*[rng.normal(0, 1, 40)] * 2) for _ in range(800)])
    errors = np.mean([budget_curve(*[rng.normal(0, 1, 40)] * 2, resamples=200).error for _ in range(40)], axis=0)
    assert errors[[0, 4, 9]] == pytest.approx(fresh.std(axis=0)[[0, 4, 9]], rel=0.15)


def test_intervals_cover_the_truth_for_small_budgets():
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(200):
        drawn = rng.uniform(0, 1, 40)
        curve = budget_curve(drawn, drawn, resamples=300)
        covered.append([curve.low[k - 1] <= k / (k + 1) <= curve.high[k - 1] for k in (1, 5)])
    assert (np.mean(covered, axis=0) >= 0.88).all()


def test_a_curve_is_the_same_for_the_same_seed_only():
    drawn = np.random.default_rng(7).normal(0, 1, 12)
    np.random.seed(1)
    first = budget_curve(drawn, drawn, resamples=200, seed=3)
    np.random.seed(2)
    assert budget_curve(drawn, drawn, resamples=200, seed=3) == first
    assert budget_curve(drawn, drawn, resamples=200, seed=4).low != first.low
    assert first.mean == pytest.approx(expected_best(drawn, drawn))
    assert all(low <= mean <= high for low, mean, high in zip(first.low, first.mean, first.high, strict=True))


def test_weights_of_cpe_cpu_cpl():
    assert emphasis("early", 4) == pytest.approx((0.4, 0.3, 0.2, 0.1))
    assert emphasis("uniform", 4) == pytest.approx((0.25,) * 4)
    assert emphasis("late", 4) == pytest.approx((0.1, 0.2, 0.3, 0.4))
    assert cumulative_performance([0.5, 0.7, 0.8, 0.9]) == pytest.approx(0.4 * 0.5 + 0.3 * 0.7 + 0.2 * 0.8 + 0.1 * 0.9)
    assert cumulative_performance([0.8] * 9, "late") == pytest.approx(0.8)


def test_unknown_emphasis_and_empty_curves_are_refused():
    with pytest.raises(UsageError, match="Did you mean 'early'"):
        emphasis("erly", 3)
    with pytest.raises(UsageError, match="at least 1"):
        cumulative_performance([])
