"""Equal within a margin: the tests against SciPy's, Holm's step-down by hand, looks, and seeds that would tell."""

from itertools import product
from statistics import stdev

import numpy as np
import pytest
from scipy import stats

from surefoot.statistics.equivalence import ALPHA, RESERVE, adjusted, next_level, seeds_to_tell, shares, short_of
from surefoot.statistics.intervals import deviation, t_interval
from surefoot.statistics.looks import SPENDING, Looks


def leads(seed, seeds=10, mean=0.5):
    return np.random.default_rng(seed).normal(mean, 1, seeds).tolist()


def one_sided(found):
    return stats.ttest_1samp(found, 0, alternative="greater").pvalue


@pytest.mark.parametrize("seed", range(5))
def test_one_look_is_the_one_sided_t_test_over_the_share_of_alpha_that_is_planned(seed):
    found = leads(seed)
    p = short_of(found, Looks((10,), 10))
    assert p == pytest.approx(min(1, one_sided(found) / (1 - RESERVE)))


@pytest.mark.parametrize("seed", range(20))
def test_a_pair_is_equal_where_its_95_percent_interval_lies_within_the_margin(seed):
    gaps, looks, margin = leads(seed, mean=0.2), Looks((10,), 10), 0.8
    both = [short_of([margin + sign * gap for gap in gaps], looks) <= ALPHA for sign in (1, -1)]
    interval = t_interval(gaps)
    assert all(both) == (-margin < interval.low and interval.high < margin)


def test_the_spread_is_never_taken_to_be_below_the_resolution():
    looks = Looks((5,), 5)
    assert short_of([0.1] * 5, looks) == 0
    assert short_of([0.0] * 5, looks) == short_of([-0.1] * 5, looks) == 1
    expected = stats.t.sf(0.1 / (0.2 / np.sqrt(5)), 4) / (1 - RESERVE)
    assert short_of([0.1] * 5, looks, resolution=0.2) == pytest.approx(expected)


def test_each_look_has_its_own_share_and_a_claim_stays():
    """After 5 planned seeds: 2.5 %, then 1.25 % and 0.625 %."""
    found = leads(3, 20, mean=0.6)
    shares = {5: 0.025, 8: 0.0125, 20: 0.00625}
    each = {seeds: one_sided(found[:seeds]) * ALPHA / share for seeds, share in shares.items()}
    assert short_of(found, Looks((5, 8, 20), 5)) == pytest.approx(min(1, *each.values()))
    strong = [1.0, 1.1, 0.9, 1.0, 1.05]
    early = short_of(strong, Looks((5,), 5))
    assert early <= ALPHA
    assert short_of([*strong, -9.0, 9.0, -9.0], Looks((5, 8), 5)) == early


@pytest.mark.parametrize("spending", SPENDING)
@pytest.mark.parametrize("at", [(5,), (5, 10), (5, 10, 20), (5, 10, 20, 25, 40), (20,), (25,), (10, 25)])
def test_all_looks_together_spend_no_more_than_alpha(at, spending):
    """Planned looks no more than the half that is planned, each later one half of what is left."""
    looks = Looks(at, 20, spending=spending)
    spent = shares(looks)
    planned = [share for n, share in zip(at, spent, strict=True) if n <= 20]
    assert sum(planned) <= (1 - RESERVE) * ALPHA * (1 + 1e-9)
    assert min(spent) > 0
    assert sum(spent) + next_level(looks) <= ALPHA * (1 + 1e-9)
    later = ALPHA - sum(planned)
    assert spent[len(planned) :] == pytest.approx([later / 2, later / 4][: len(at) - len(planned)])


def test_the_plan_s_end_has_all_of_its_half():
    assert sum(shares(Looks((5, 10, 20), 20))) == pytest.approx(0.025)
    assert next_level(Looks((5, 10), 20)) == pytest.approx(0.025 - sum(shares(Looks((5, 10), 20))))
    assert next_level(Looks((5,), 5)) == pytest.approx(0.0125)


def by_hand(pairs):
    """Step by step: of the hypotheses left, at most one of each pair can be true."""
    found, worst = {}, 0.0
    left = {(pair, side): p for pair, both in enumerate(pairs) for side, p in enumerate(both)}
    while left:
        least = min(left, key=left.get)
        worst = max(worst, min(1, left[least] * len({pair for pair, _ in left})))
        found[least] = worst
        del left[least]
    return [(found[pair, 0], found[pair, 1]) for pair in range(len(pairs))]


def test_pairs_are_corrected_for_and_not_sides():
    assert adjusted([(0.01, 0.4)]) == [(0.01, 0.4)]
    assert adjusted([(0.01, 0.02), (0.5, 0.03)]) == [(0.02, 0.04), (0.5, 0.04)]
    assert adjusted([(0.03, 0.02), (0.001, 0.9)]) == [(0.06, 0.04), (0.002, 0.9)]


@pytest.mark.parametrize("seed", range(10))
def test_the_step_down_is_that_by_hand(seed):
    pairs = [tuple(both) for both in np.random.default_rng(seed).random((4, 2)) ** 3]
    assert np.array(adjusted(pairs)) == pytest.approx(np.array(by_hand(pairs)))


def test_no_claim_of_a_family_is_false_oftener_than_promised():
    """Four optimizers of which each two are worse than each other by just the margin, or by twice it, or equal."""
    rng, studies, wrong = np.random.default_rng(5), 4000, 0
    means, margin = np.array([0.0, 0.0, 1.0, 1.0]), 1.0
    pairs = [(i, j) for i, j in product(range(4), repeat=2) if i < j]
    for _ in range(studies):
        scores = means[:, None] + 0.7 * rng.standard_normal((4, 8))
        raw = [
            tuple(float(stats.t.sf(x.mean() / (x.std(ddof=1) / 8**0.5), 7)) for x in (margin + gap, margin - gap))
            for gap in (scores[i] - scores[j] for i, j in pairs)
        ]
        found = adjusted(raw)
        wrong += any(
            p <= ALPHA and means[worse] <= means[other] - margin
            for (i, j), both in zip(pairs, found, strict=True)
            for p, (worse, other) in zip(both, ((i, j), (j, i)), strict=True)
        )
    assert wrong / studies <= 0.05 + 3 * (0.05 * 0.95 / studies) ** 0.5


@pytest.mark.parametrize(("margin", "seeds"), [(2, 4), (1.5, 6), (1, 11), (0.75, 17), (0.5, 36)])
def test_seeds_for_equality_at_no_difference(margin, seeds):
    """Computed elsewhere: 80 % power of two one-sided tests at 5 % where the true difference is 0."""
    assert seeds_to_tell(0, 1, margin, 0.05) == seeds_to_tell(0, 0.003, 0.003 * margin, 0.05) == seeds


@pytest.mark.parametrize(("gap", "margin"), [(0.0, 1.0), (0.3, 1.0), (-0.3, 1.0), (1.2, 1.0), (0.5, 0.6)])
def test_four_studies_of_five_tell_with_so_many_seeds(gap, margin):
    seeds = seeds_to_tell(gap, 1, margin, 0.025)
    told = {}
    for n in (seeds - 1, seeds):
        gaps = np.random.default_rng(6).normal(gap, 1, (20_000, n))
        bound = stats.t.ppf(0.975, n - 1) * gaps.std(axis=1, ddof=1) / n**0.5
        equal = np.abs(gaps.mean(axis=1)) + bound < margin
        ahead = np.sign(gap) * gaps.mean(axis=1) > bound
        told[n] = max(equal.mean(), ahead.mean() if gap else 0)
    assert told[seeds] >= 0.79
    assert told[seeds - 1] <= 0.81


def test_what_nobody_would_run_is_not_told():
    assert seeds_to_tell(0, 1, 0.01, 0.025) is None
    assert seeds_to_tell(0.5, 1, 0.01, 0.025) is not None  # one is ahead


@pytest.mark.parametrize("size", [1e-300, 1e-8, 1.0, 1e300])
def test_a_deviation_is_pythons_own_to_the_last_bit(size):
    rng = np.random.default_rng(5)
    for n in range(2, 30):
        values = (size * rng.normal(0.9, 0.01, n)).tolist()
        assert deviation(values) == stdev(values)
        assert deviation([values[0]] * n) == 0
    assert deviation([size, 3 * size, 1e-20]) == stdev([size, 3 * size, 1e-20])
