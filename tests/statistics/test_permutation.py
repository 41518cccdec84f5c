"""The paired permutation test against brute force, scipy, Fisher's own figures, and its promise under no difference."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surefoot.errors import UsageError
from surefoot.statistics.permutation import DRAWS, EXACT, fewest_pairs, paired_permutation, signs

DARWIN = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
"""Crossed minus self-fertilised maize, in eighths of an inch (Fisher 1935, sections 17 and 21)."""


def p_of(gaps, **options):
    return paired_permutation(gaps, [0.0] * len(gaps), **options)


def brute_force(gaps):
    """Every sign pattern, in whole numbers, so that ties are ties."""
    sums = [
        abs(sum(s * g for s, g in zip(pattern, gaps, strict=True))) for pattern in product((1, -1), repeat=len(gaps))
    ]
    return sum(total >= abs(sum(gaps)) for total in sums) / len(sums)


def exact_for_many(gaps):
    """The same p-value by counting how often each whole sum occurs, for more pairs than can be enumerated."""
    ways = {0: 1}
    for gap in gaps:
        longer = {}
        for total, count in ways.items():
            for new in (total + gap, total - gap):
                longer[new] = longer.get(new, 0) + count
        ways = longer
    return sum(count for total, count in ways.items() if abs(total) >= abs(sum(gaps))) / 2 ** len(gaps)


def test_fisher_s_own_figure():
    """He found 863 of the 32,768 patterns in one tail, so 5.267 % in both."""
    assert paired_permutation([188 + gap for gap in DARWIN], [188] * 15) == 2 * 863 / 32_768


@given(st.lists(st.integers(-9, 9), min_size=1, max_size=9))
def test_exact_is_every_pattern(gaps):
    assert p_of(gaps) == brute_force(gaps)


@pytest.mark.parametrize("n", [2, 5, 8, 11])
def test_exact_is_scipy_s(n):
    a, b = np.random.default_rng(n).normal(0.98, 0.01, (2, n))
    expected = stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=np.inf, alternative="two-sided"
    )
    assert paired_permutation(a, b) == pytest.approx(expected.pvalue, abs=1e-12)


@given(st.lists(st.floats(0.001, 10), min_size=1, max_size=8), st.sampled_from([0.05, 0.1, 0.25]))
def test_without_a_difference_the_level_is_never_exceeded(sizes, alpha):
    """Under no difference every sign pattern of the gaps is as likely, so all of them are tried as data."""
    found = [p_of(np.array(pattern) * sizes) <= alpha for pattern in product((1, -1), repeat=len(sizes))]
    assert np.mean(found) <= alpha


def test_accuracies_that_tie_on_paper_tie():
    """Sums of rounded accuracies differ in their last bits; a tie missed would make p too small."""
    rng, missed = np.random.default_rng(4), 0
    for _ in range(200):
        a, b = rng.integers(9200, 9230, (2, 6))
        left, right = a / 10_000, b / 10_000
        expected = brute_force((a - b).tolist())
        assert paired_permutation(left, right) == expected
        gaps = left - right
        missed += np.mean(np.abs(signs(6) @ gaps) >= abs(gaps.sum())) < expected
    assert missed > 0  # a plain comparison does miss some


def test_equal_scores_have_p_one_and_zero_gaps_lend_no_weight():
    assert p_of([0.0] * 8) == 1
    assert p_of([1, 1, 1, 0, 0, 0]) == p_of([1, 1, 1])


def test_swapping_the_two_keeps_p():
    a, b = [0.98, 0.97, 0.99], [0.96, 0.98, 0.95]
    assert paired_permutation(a, b) == paired_permutation(b, a)


@pytest.mark.parametrize("n", [EXACT + 1, 20, 40])
def test_beyond_16_pairs_the_sample_comes_close_to_exact(n):
    gaps = np.random.default_rng(n).integers(-8, 12, n).tolist()
    expected, p = exact_for_many(gaps), paired_permutation(gaps, [0] * n)
    assert p == pytest.approx(expected, abs=5 * np.sqrt(expected * (1 - expected) / DRAWS) + 2 / DRAWS)
    assert 0.005 < expected < 0.9


def test_a_sampled_p_is_never_zero():
    assert p_of([1.0] * 60) == 1 / (DRAWS + 1)
    assert p_of([1.0] * 60, draws=99) == 0.01


def test_the_sample_obeys_its_seed_and_no_other():
    gaps = np.random.default_rng(3).normal(0.2, 1, 20)
    np.random.seed(1)
    first = p_of(gaps, draws=500)
    np.random.seed(2)
    assert p_of(gaps, draws=500) == first
    assert len({p_of(gaps, draws=500, seed=seed) for seed in range(5)}) > 1


def test_sampled_without_a_difference_the_level_holds():
    rng = np.random.default_rng(5)
    found = sum(p_of(rng.normal(0, 1, 18), draws=199, seed=i) <= 0.05 for i in range(1500))
    assert stats.binom.sf(found - 1, 1500, 0.05) > 0.001


@pytest.mark.parametrize("comparisons", [1, 3, 6, 28, 45])
def test_fewest_pairs_is_the_first_number_that_can_reach_the_level(comparisons):
    """The smallest p is that of a clean sweep."""
    assert fewest_pairs(comparisons) == next(n for n in range(1, 16) if comparisons * p_of([0.5] * n) <= 0.05)


def test_fewer_than_six_seeds_settle_nothing_at_5_percent():
    assert (fewest_pairs(), fewest_pairs(6), fewest_pairs(45)) == (6, 8, 11)


def test_patterns_are_all_different_and_cannot_be_written_to():
    assert len({tuple(row) for row in signs(6)}) == 32
    with pytest.raises(ValueError, match="read-only"):
        signs(6)[0, 0] = 2


@pytest.mark.parametrize(
    ("a", "b", "message"),
    [
        ([], [], "at least 1"),
        ([1.0, 2.0], [1.0], "a has 2 values and b 1"),
        ([1.0, np.nan], [1.0, 2.0], "diverged"),
        ([[1.0]], [[2.0]], "shape"),
    ],
)
def test_what_is_no_row_of_pairs_is_refused(a, b, message):
    with pytest.raises(UsageError, match=message):
        paired_permutation(a, b)


def test_no_comparison_is_refused():
    with pytest.raises(UsageError, match="expected"):
        fewest_pairs(0)
