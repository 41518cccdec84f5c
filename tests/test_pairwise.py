"""Every optimizer against every other: which test speaks, Holm over all pairs, and groups that tie."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from surefoot.analysis.intervals import holm, paired_difference
from surefoot.analysis.pairwise import compare_all, tie_groups
from surefoot.analysis.permutation import paired_permutation


def scores(seed, arms=3, seeds=10, gap=0.0):
    rng = np.random.default_rng(seed)
    return {f"opt {i}": {s: float(rng.normal(0.9 - gap * i, 0.01)) for s in range(seeds)} for i in range(arms)}


@pytest.mark.parametrize(
    ("arms", "seeds", "test"), [(2, 5, "t"), (2, 6, "permutation"), (4, 7, "t"), (4, 8, "permutation")]
)
def test_the_number_of_seeds_picks_the_test(arms, seeds, test):
    given = scores(1, arms, seeds)
    rows = compare_all(given)
    assert [(row.a, row.b) for row in rows] == list(combinations(given, 2))
    assert {row.test for row in rows} == {test}
    for row in rows:
        a, b = (list(given[name].values()) for name in (row.a, row.b))
        expected = paired_permutation(a, b).p if test == "permutation" else stats.ttest_rel(a, b).pvalue
        assert row.difference.p == pytest.approx(expected)
        assert row.difference.low == paired_difference(a, b).low
        assert row.wins.hits == sum(x > y for x, y in zip(a, b, strict=True))
    assert [row.p for row in rows] == holm([row.difference.p for row in rows])


def test_only_seeds_of_both_are_paired():
    given = {"a": {0: 1.0, 1: 1.0, 2: 1.0}, "b": {2: 0.5, 1: 0.4, 9: 0.0}, "c": {7: 0.1, 8: 0.2}}
    (row,) = compare_all(given)
    assert (row.a, row.b, row.difference.n) == ("a", "b", 2)
    assert row.difference.mean == pytest.approx(0.55)


def test_nothing_to_compare_is_no_row():
    assert compare_all({"a": {0: 1.0}}) == ()
    assert compare_all({"a": {0: 1.0}, "b": {0: 0.5}}) == ()


def test_resolution_is_passed_on():
    given = {"a": {0: 0.98, 1: 0.97}, "b": {0: 0.9798, 1: 0.9698}}
    assert compare_all(given)[0].p < 1e-6 < 0.05 < compare_all(given, resolution=1e-4)[0].p


def test_ties_overlap():
    """A and B tie, B and C tie, and A beats C."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (3, 10))
    noise -= noise.mean(axis=1, keepdims=True)
    given = {
        name: dict(enumerate(0.9 - shift + row))
        for name, shift, row in zip("CAB", (0.02, 0.0, 0.01), noise, strict=True)
    }
    rows = {frozenset((row.a, row.b)): row for row in compare_all(given)}
    assert rows[frozenset("AC")].distinguishable
    assert tie_groups(given, [row for pair, row in rows.items() if pair == frozenset("AC")]) == (("A", "B"), ("B", "C"))


def test_groups_when_all_tie_or_none():
    alike, apart = scores(5, 4), scores(5, 4, gap=0.1)
    assert tie_groups(alike, compare_all(alike)) == (
        tuple(sorted(alike, key=lambda k: -np.mean(list(alike[k].values())))),
    )
    assert tie_groups(apart, compare_all(apart)) == tuple((name,) for name in apart)


@pytest.mark.parametrize("seed", range(6))
def test_groups_are_the_largest_without_a_difference(seed):
    """By trying every subset of the optimizers."""
    given = scores(seed, 6, gap=0.006)
    rows = compare_all(given)
    apart = [{row.a, row.b} for row in rows if row.distinguishable]
    fitting = [
        set(some)
        for size in range(1, 7)
        for some in combinations(given, size)
        if not any(pair <= set(some) for pair in apart)
    ]
    largest = [some for some in fitting if not any(some < other for other in fitting)]
    groups = tie_groups(given, rows)
    assert sorted(map(sorted, groups)) == sorted(map(sorted, largest))
    assert apart
