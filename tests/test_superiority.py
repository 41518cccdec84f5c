"""Proportions and P(A beats B): against scipy, against their defining equations, and by coverage."""

from math import sqrt

import numpy as np
import pytest
from scipy import stats

from surefoot.analysis.proportions import clopper_pearson, wilson
from surefoot.analysis.superiority import paired_superiority, superiority
from surefoot.errors import UsageError

CASES = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (137, 2000)]


@pytest.mark.parametrize(("hits", "of"), CASES)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_intervals_of_a_proportion_are_scipy_s(hits, of, level):
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "exact")):
        expected = stats.binomtest(hits, of).proportion_ci(level, method)
        found = ours(hits, of, level)
        assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
        assert found.value == hits / of


@pytest.mark.parametrize(("hits", "of"), [(-1, 5), (6, 5), (0, 0)])
def test_what_is_no_proportion_is_refused(hits, of):
    with pytest.raises(UsageError, match="expected"):
        wilson(hits, of)


@pytest.mark.parametrize("shape", [(10, 10), (3, 12), (1, 1)])
def test_the_estimate_is_u_over_nm(shape):
    rng = np.random.default_rng(sum(shape))
    a, b = (rng.integers(0, 12, n) for n in shape)  # with ties
    expected = stats.mannwhitneyu(a, b, method="asymptotic").statistic
    found = superiority(a, b)
    assert (found.hits, found.of) == (expected, shape[0] * shape[1])
    assert found.value == expected / found.of


def hanley_mcneil(theta, n, m):
    """Newcombe's variance, written as in Hanley and McNeil with both sizes replaced by their mean."""
    size = (n + m) / 2
    q1, q2 = theta / (2 - theta), 2 * theta**2 / (1 + theta)
    return (theta * (1 - theta) + (size - 1) * (q1 - theta**2) + (size - 1) * (q2 - theta**2)) / (n * m)


@pytest.mark.parametrize("shift", [-1.0, 0.0, 0.4, 1.5, 9.0])
@pytest.mark.parametrize("shape", [(10, 10), (5, 20)])
def test_each_bound_is_196_standard_errors_away_by_its_own_standard_error(shift, shape):
    rng = np.random.default_rng(11)
    found = superiority(rng.normal(shift, 1, shape[0]), rng.normal(0, 1, shape[1]))
    for bound in (found.low, found.high):
        assert abs(found.value - bound) == pytest.approx(1.959964 * sqrt(hanley_mcneil(bound, *shape)), abs=1e-6)
    assert 0 <= found.low <= found.value <= found.high <= 1


def test_ten_clean_wins_are_not_certainty():
    found = superiority(np.arange(10, 20), np.arange(10))
    assert (found.value, found.high) == (1, 1)
    assert 0.65 < found.low < 0.85


def test_turning_the_question_round_turns_the_answer_round():
    a, b = [0.98, 0.97, 0.99, 0.97], [0.96, 0.98, 0.95]
    forth, back = superiority(a, b), superiority(b, a)
    assert (forth.value, forth.low, forth.high) == pytest.approx((1 - back.value, 1 - back.high, 1 - back.low))


@pytest.mark.parametrize("n", [5, 10])
@pytest.mark.parametrize("shift", [0.0, 0.7, 1.8])
def test_intervals_cover(n, shift):
    rng = np.random.default_rng([n, int(10 * shift)])
    truth = stats.norm.cdf(shift / sqrt(2))
    runs = [superiority(rng.normal(shift, 1, n), rng.normal(0, 1, n)) for _ in range(600)]
    assert np.mean([run.low <= truth <= run.high for run in runs]) >= 0.93


def test_sharing_seeds_makes_the_unpaired_interval_only_wider():
    rng = np.random.default_rng(2)
    covered = []
    for _ in range(600):
        shared = rng.normal(0, 1, 10)
        a, b = shared + rng.normal(0, 0.5, (2, 10))
        found = superiority(a, b)
        covered.append(found.low <= 0.5 <= found.high)
    assert np.mean(covered) >= 0.95


def test_paired_counts_seeds_with_ties_half():
    found = paired_superiority([3, 2, 1, 5], [1, 2, 2, 4])
    assert (found.value, found.hits, found.of) == (2.5 / 4, 2.5, 4)
    assert paired_superiority([1] * 10, [0] * 10).low == pytest.approx(
        stats.binomtest(10, 10).proportion_ci(method="wilson").low
    )


def test_pairing_sees_through_what_seeds_share():
    shared = np.linspace(0, 1, 10)
    a, b = shared + 0.01, shared
    assert superiority(a, b).value == 0.55
    assert paired_superiority(a, b).value == 1


def test_rows_that_cannot_be_compared_are_refused():
    with pytest.raises(UsageError, match="at least 1"):
        superiority([], [1.0])
    with pytest.raises(UsageError, match="diverged"):
        superiority([1.0, np.nan], [1.0])
    with pytest.raises(UsageError, match="pairs"):
        paired_superiority([1.0, 2.0], [1.0])
