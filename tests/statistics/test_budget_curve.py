"""Expected best-of-k against every subset there is, ties, trials that diverged, and the weights of CPE, CPU, CPL."""

from itertools import combinations
from math import inf, nan

import numpy as np
import pytest

from surefoot.errors import UsageError
from surefoot.statistics.budget_curve import budget_curve, cumulative


def expected_best(scores, **options):
    return budget_curve(scores, resamples=100, **options).mean


@pytest.mark.parametrize("seed", range(4))
def test_it_is_the_mean_over_all_subsets(seed):
    scores = np.random.default_rng(seed).normal(0.9, 0.05, 9)
    expected = [np.mean([max(some) for some in combinations(scores, k)]) for k in range(1, 10)]
    assert expected_best(scores) == pytest.approx(expected)


@pytest.mark.parametrize("scores", [[0.9, 0.9, 0.8, 0.9, 0.7], [0.5] * 4, [0.3]])
def test_trials_that_tie_are_as_good_as_each_other(scores):
    expected = [np.mean([max(some) for some in combinations(scores, k)]) for k in range(1, len(scores) + 1)]
    assert expected_best(scores) == pytest.approx(expected)


def test_losses_are_better_when_lower():
    losses = [0.5, 0.2, 0.9]
    assert expected_best(losses, higher=False)[-1] == 0.2
    mirrored = expected_best([-value for value in losses])
    assert expected_best(losses, higher=False) == pytest.approx([-value for value in mirrored])


def test_it_is_unbiased_where_drawing_with_replacement_is_not():
    """Best of 5 of 6 uniform trials: 5/6 in truth. With replacement some trials come twice, and others not at all."""
    rng = np.random.default_rng(1)
    draws = rng.uniform(0, 1, (4000, 6))
    ours = np.mean([expected_best(row)[4] for row in draws])
    cdf = np.arange(1, 7) / 6
    with_replacement = np.mean(np.sort(draws) @ (cdf**5 - (cdf - 1 / 6) ** 5))
    assert ours == pytest.approx(5 / 6, abs=4 * 0.14 / np.sqrt(4000))
    assert with_replacement < 5 / 6 - 0.03


def test_more_trials_than_a_block_are_as_exact():
    """The best of k of the numbers 1 to n is k (n + 1) / (k + 1) on average."""
    n = 600
    k = np.arange(1, n + 1)
    assert expected_best(np.arange(1, n + 1)) == pytest.approx(k * (n + 1) / (k + 1))


def test_a_trial_that_diverged_was_paid_for():
    scores = [0.91, nan, 0.82, -inf]
    found = expected_best(scores, failure=0.1)
    assert found[0] == pytest.approx((0.91 + 0.82 + 0.1 + 0.1) / 4)
    assert found[-1] == 0.91
    assert found[1] == pytest.approx((3 * 0.91 + 2 * 0.82 + 0.1) / 6)
    with pytest.raises(UsageError, match="2 of 4 trials diverged"):
        expected_best(scores)
    assert expected_best([nan, nan], failure=0.1) == pytest.approx((0.1, 0.1))
    assert expected_best([inf, 2.0], higher=False, failure=1.0)[-1] == 2.0, "chosen last, whatever it counts"


@pytest.mark.parametrize("scores", [[], [[1.0]]])
def test_what_is_no_row_of_scores_is_refused(scores):
    with pytest.raises(UsageError, match="for every trial"):
        expected_best(scores)


def test_the_bootstrap_spreads_as_fresh_samples_do():
    """Its standard error is that of the estimate, seen over fresh tuning runs, for small budgets."""
    rng = np.random.default_rng(5)
    fresh = np.array([expected_best(rng.normal(0, 1, 40)) for _ in range(800)])
    errors = np.mean([budget_curve(rng.normal(0, 1, 40), resamples=200).error for _ in range(40)], axis=0)
    assert errors[[0, 4, 9]] == pytest.approx(fresh.std(axis=0)[[0, 4, 9]], rel=0.15)


def test_intervals_cover_the_truth_for_small_budgets():
    rng = np.random.default_rng(6)
    covered = []
    for _ in range(200):
        drawn = rng.uniform(0, 1, 40)
        curve = budget_curve(drawn, resamples=300)
        covered.append([curve.low[k - 1] <= k / (k + 1) <= curve.high[k - 1] for k in (1, 5)])
    assert (np.mean(covered, axis=0) >= 0.88).all()


def test_a_curve_is_the_same_for_the_same_seed_only():
    drawn = np.random.default_rng(7).normal(0, 1, 12)
    np.random.seed(1)
    first = budget_curve(drawn, resamples=200, seed=3)
    np.random.seed(2)
    assert budget_curve(drawn, resamples=200, seed=3) == first
    assert budget_curve(drawn, resamples=200, seed=4).low != first.low
    assert first.mean == pytest.approx(expected_best(drawn))
    assert all(low <= mean <= high for low, mean, high in zip(first.low, first.mean, first.high, strict=True))


def test_weights_of_cpe_cpu_cpl():
    found = cumulative([0.5, 0.7, 0.8, 0.9])
    assert found.early == pytest.approx(0.4 * 0.5 + 0.3 * 0.7 + 0.2 * 0.8 + 0.1 * 0.9)
    assert found.uniform == pytest.approx((0.5 + 0.7 + 0.8 + 0.9) / 4)
    assert found.late == pytest.approx(0.1 * 0.5 + 0.2 * 0.7 + 0.3 * 0.8 + 0.4 * 0.9)
    level = cumulative([0.8] * 9)
    assert (level.early, level.uniform, level.late) == pytest.approx((0.8, 0.8, 0.8))


def test_an_empty_curve_is_refused():
    with pytest.raises(UsageError, match="at least 1"):
        cumulative([])
