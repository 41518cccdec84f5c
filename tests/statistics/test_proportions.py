"""Proportions, and how often one optimizer beats another with the same seed: against scipy."""

import numpy as np
import pytest
from scipy import stats

from surefoot.errors import UsageError
from surefoot.statistics.proportions import clopper_pearson, paired_superiority, wilson

CASES = [(0, 1), (1, 1), (0, 10), (3, 10), (10, 10), (137, 2000)]


@pytest.mark.parametrize(("hits", "of"), CASES)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_intervals_of_a_proportion(hits, of, level):
    """Wilson's is scipy's; the exact one is made of quantiles of the beta distribution."""
    expected = stats.binomtest(hits, of).proportion_ci(0.95, "wilson")
    found = wilson(hits, of)
    assert (found.low, found.high) == pytest.approx(tuple(expected), abs=1e-12)
    tail = (1 - level) / 2
    exact = clopper_pearson(hits, of, level)
    assert exact.low == pytest.approx(stats.beta.ppf(tail, hits, of - hits + 1) if hits else 0, abs=1e-9)
    assert exact.high == pytest.approx(stats.beta.isf(tail, hits + 1, of - hits) if hits < of else 1, abs=1e-9)
    assert found.value == exact.value == hits / of


@pytest.mark.parametrize(("hits", "of"), [(-1, 5), (6, 5), (0, 0)])
def test_what_is_no_proportion_is_refused(hits, of):
    with pytest.raises(UsageError, match="expected"):
        wilson(hits, of)


def test_paired_counts_seeds_with_ties_half():
    found = paired_superiority([3, 2, 1, 5], [1, 2, 2, 4])
    assert (found.value, found.hits, found.of) == (2.5 / 4, 2.5, 4)
    assert paired_superiority([1] * 10, [0] * 10).low == pytest.approx(
        stats.binomtest(10, 10).proportion_ci(method="wilson").low
    )


def test_pairing_sees_through_what_seeds_share():
    shared = np.linspace(0, 1, 10)
    a, b = shared + 0.01, shared
    assert paired_superiority(a, b).value == 1


def test_rows_that_cannot_be_compared_are_refused():
    with pytest.raises(UsageError, match="diverged"):
        paired_superiority([1.0, np.nan], [1.0, 1.0])
    with pytest.raises(UsageError, match="pairs"):
        paired_superiority([1.0, 2.0], [1.0])
