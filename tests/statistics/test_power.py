"""What seeds can see: against published sample sizes, the project's figures, and studies that are simulated afresh."""

from math import inf, sqrt

import numpy as np
import pytest
from scipy import stats

from surefoot.errors import UsageError
from surefoot.statistics.intervals import ALPHA, PLANNED, holm, paired_difference
from surefoot.statistics.permutation import fewest_pairs, paired_permutation, sampled, signs
from surefoot.statistics.power import PATTERNS, _crossings, detectable, permutation_detectable, promised


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_sample_sizes_of_cohen_s_small_medium_and_large_effect(effect, seeds):
    """As G*Power and every table of the paired t-test have them: two-sided 5 %, power 80 %."""
    assert detectable(1, seeds, alpha=ALPHA) <= effect < detectable(1, seeds - 1, alpha=ALPHA)


def test_differences_on_fashion_mnist():
    """A spread of 0.23 to 0.32 pp: 0.2 pp takes about 12 to 22 seeds, 0.1 pp about 42 to 80, 3 seeds see 0.7 pp."""
    for difference, sd, seeds in ((0.2, 0.23, 13), (0.2, 0.32, 23), (0.1, 0.23, 44), (0.1, 0.32, 83)):
        assert detectable(sd, seeds, alpha=ALPHA) <= difference < detectable(sd, seeds - 1, alpha=ALPHA)
    assert detectable(0.23, 3, alpha=ALPHA) == pytest.approx(0.75, abs=0.01)


@pytest.mark.parametrize(("seeds", "comparisons"), [(3, 1), (10, 1), (10, 6), (40, 45)])
def test_power_is_what_simulated_t_tests_have(seeds, comparisons):
    effect = detectable(1, seeds, comparisons=comparisons)
    gaps = np.random.default_rng(seeds).normal(effect, 1, (20_000, seeds))
    result = stats.ttest_1samp(gaps, 0, axis=1)
    found = np.mean((result.pvalue <= PLANNED / comparisons) & (result.statistic > 0))
    assert found == pytest.approx(0.8, abs=4 * sqrt(0.16 / 20_000))


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.99])
@pytest.mark.parametrize("seeds", [2, 5, 20])
def test_it_is_the_inverse_of_the_noncentral_t(seeds, wanted):
    effect = detectable(0.003, seeds, wanted=wanted) / 0.003
    critical = stats.t.isf(PLANNED / 2, seeds - 1)
    assert stats.nct.sf(critical, seeds - 1, effect * sqrt(seeds)) == pytest.approx(wanted)


def test_the_unit_cancels_and_more_of_anything_helps():
    assert detectable(0.3, 8) == pytest.approx(100 * detectable(0.003, 8))
    assert (
        detectable(0.3, 12) < detectable(0.3, 8) < detectable(0.3, 8, comparisons=6) < detectable(0.6, 8, comparisons=6)
    )
    assert detectable(1, 8, wanted=0.9) > detectable(1, 8, wanted=0.5)


def simulated(effect, seeds, comparisons, studies=1500):
    gaps = np.random.default_rng([seeds, comparisons, 5]).normal(effect, 1, (studies, seeds))
    results = [paired_permutation(row, np.zeros(seeds)) for row in gaps]
    return np.mean([p <= PLANNED / comparisons and row.mean() > 0 for p, row in zip(results, gaps, strict=True)])


@pytest.mark.parametrize(("seeds", "comparisons"), [(6, 1), (8, 6), (10, 1), (12, 6)])
def test_permutation_power_is_what_the_test_itself_has(seeds, comparisons):
    effect = permutation_detectable(1, seeds, comparisons=comparisons)
    assert simulated(effect, seeds, comparisons) == pytest.approx(0.8, abs=4 * sqrt(0.16 / 1000 + 0.16 / 1500))


def test_permutation_power_beyond_16_pairs():
    effect = permutation_detectable(1, 18, studies=300)
    gaps = np.random.default_rng(6).normal(effect, 1, (300, 18))
    found = np.mean([paired_permutation(row, np.zeros(18), draws=4000) <= 0.05 for row in gaps])
    assert found == pytest.approx(0.8, abs=4 * sqrt(0.16 / 150))
    assert effect == pytest.approx(detectable(1, 18), rel=0.1)


@pytest.mark.parametrize("seed", range(16))
def test_a_sampled_pattern_that_changes_nothing_counts_however_large_the_difference(seed):
    """With 17 pairs the 10,000 patterns sometimes hold the one seen, and then p cannot get below 2 / 10,001."""
    again = (np.abs(sampled(17, PATTERNS, seed).sum(axis=1)) == 17).any()
    found = permutation_detectable(1, 17, comparisons=round(0.05 * (PATTERNS + 1) / 1.5), studies=20, seed=seed)
    assert (found == inf) == again


@pytest.mark.parametrize("size", [10_000, 1_000])
def test_scores_in_whole_examples_tie_and_that_costs_power(size):
    """0.27 pp of true difference and of spread, on ten seeds: 79 % are found on 10,000 examples, 75 % on 1,000."""
    studies = 20_000
    counts = np.round(size * np.random.default_rng(9).normal(0.0027, 0.0027, (studies, 10)))

    def p_of(some):
        return (np.abs(some @ signs(10).T) >= np.abs(some.sum(axis=1))[:, None] - 1e-6).mean(axis=1)

    found = np.mean(np.concatenate([p_of(some) for some in np.array_split(counts, 20)]) <= 0.05)  # together 160 MB
    seen = permutation_detectable(0.0027, 10, wanted=float(found), resolution=1 / size, studies=studies)
    assert seen == pytest.approx(0.0027, rel=0.02)  # 4 standard errors of a share of 0.79, which rises by 0.9 with it


def test_what_is_promised_is_of_the_test_that_the_verdict_will_use():
    assert promised(0.0027, 4) == inf
    assert promised(0.0027, 7, comparisons=6) == detectable(0.0027, 7, comparisons=6)
    assert promised(0.0027, 8, comparisons=6) == permutation_detectable(0.0027, 8, comparisons=6)
    assert promised(0.0027, 7) == permutation_detectable(0.0027, 7)


def test_few_seeds_see_nothing_by_permutation():
    for comparisons in (1, 6):
        enough = fewest_pairs(comparisons)
        assert permutation_detectable(1, enough - 1, comparisons=comparisons) == inf
        assert permutation_detectable(1, enough, comparisons=comparisons) < inf


def test_two_seeds_above_its_floor_the_permutation_test_costs_little():
    assert permutation_detectable(1, 8) < 1.05 * detectable(1, 8)
    assert permutation_detectable(1, 10, comparisons=6) < 1.07 * detectable(1, 10, comparisons=6)
    assert permutation_detectable(1, 6) > 1.1 * detectable(1, 6)


def test_holm_finds_at_least_what_is_promised():
    """The promise is for the strictest step; whatever the other comparisons are, Holm's power is not below it."""
    rng, arms, seeds = np.random.default_rng(9), 4, 10
    effect = detectable(sqrt(2), seeds, comparisons=6)
    found = 0
    for _ in range(600):
        scores = rng.normal(0, 1, (arms, seeds))
        scores[0] += effect
        pairs = [paired_difference(scores[i], scores[j]) for i in range(arms) for j in range(i + 1, arms)]
        found += holm([pair.p for pair in pairs])[0] <= 0.05
    assert stats.binom.cdf(found, 600, 0.8) > 0.001


def test_a_part_of_the_simulation_does_not_hold_the_whole():
    """A view did: 250 MB for 16 seeds."""
    noise = np.random.default_rng(0).standard_normal((5, 8))
    assert _crossings(noise, signs(8)[1:], allowed=3, step=0.0).base is None


def test_simulation_obeys_its_seed():
    assert permutation_detectable(1, 8, studies=200) == permutation_detectable(1, 8, studies=200)
    assert permutation_detectable(1, 8, studies=200) != permutation_detectable(1, 8, studies=200, seed=1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: detectable(0, 5),
        lambda: detectable(0.3, 1),
        lambda: detectable(0.3, 5, wanted=1),
        lambda: detectable(0.3, 5, wanted=0.01),
        lambda: detectable(0.3, 5, comparisons=0),
        lambda: detectable(inf, 5),
        lambda: permutation_detectable(0.3, 8, studies=0),
    ],
)
def test_senseless_designs_are_refused(call):
    with pytest.raises(UsageError, match="expected"):
        call()
