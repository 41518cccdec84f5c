"""Looks: every p-value is valid whatever the differences, by trying every sign pattern; and the spending functions."""

import math
from itertools import product
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from surefoot.errors import UsageError
from surefoot.statistics.intervals import ALPHA, HELD_BACK, PLANNED
from surefoot.statistics.looks import (
    LEVELS,
    SPENDING,
    Looks,
    assumed_p,
    drawn,
    even_looks,
    first_look,
    p_value,
    read_spending,
)
from surefoot.statistics.permutation import DRAWS, paired_permutation
from surefoot.store.looks import Spending
from surefoot.words.looks import SPENDING as NAMES


def p_of(gaps, looks):
    return p_value(gaps, [0.0] * len(gaps), looks)


def prefixes(looks):
    """The looks as each of them found them."""
    return [
        Looks(looks.at[: k + 1], looks.planned, min(looks.assumed, k + 1), looks.spending) for k in range(len(looks.at))
    ]


PLANS = [
    Looks((4, 6, 8), 8),
    Looks((4, 6, 8), 8, spending="pocock"),
    Looks((4, 6, 8), 8, spending="linear"),
    Looks((5, 7, 8), 5),
    Looks((5, 7, 8), 5, 1),
    Looks((8,), 8),
    Looks((8,), 5),
]


@pytest.mark.parametrize("looks", PLANS, ids=str)
@pytest.mark.parametrize("rounded", [False, True])
def test_under_no_difference_every_level_is_kept_exactly(looks, rounded):
    """Of all sign patterns at most a share of each level has a p-value so low, at any of the looks."""
    sizes = np.abs(np.random.default_rng(8).normal(size=8))
    sizes = np.round(2 * sizes) if rounded else sizes
    exact = prefixes(looks)[looks.assumed :]
    found = np.array(
        [min(p_of((sizes * pattern)[: one.at[-1]], one) for one in exact) for pattern in product((1, -1), repeat=8)]
    )
    left = 1 - sum(looks.spent(ALPHA)[: looks.assumed][-1:]) / ALPHA
    for level in LEVELS:
        assert (found <= level).mean() <= level * left + 1e-12


@given(st.lists(st.integers(-9, 9), min_size=9, max_size=9), st.sampled_from(sorted(SPENDING)))
def test_a_finding_stays_found(gaps, spending):
    values = [p_of(gaps[: one.at[-1]], one) for one in prefixes(Looks((5, 6, 7, 9), 7, spending=spending))]
    assert values == sorted(values, reverse=True)


def test_one_planned_look_costs_what_is_held_back():
    gaps = [3.0, 1.0, 4.0, 1.0, 5.0, -0.5, 2.0, 6.0]
    assert p_of(gaps, Looks((8,), 8)) == paired_permutation(gaps, [0.0] * 8) * 16 / 15
    assert Looks((8,), 8).spent(ALPHA) == (PLANNED,)


@pytest.mark.parametrize("spending", SPENDING)
def test_all_of_a_plan_is_spent_at_its_end_and_all_of_alpha_never(spending):
    spent = Looks((2, 5, 10, 11, 12, 30, 31), 10, spending=spending).spent(ALPHA)
    assert list(spent) == sorted(spent)
    assert spent[2] == pytest.approx(PLANNED)
    held = [ALPHA * HELD_BACK * (1 - 0.5**k) for k in range(1, 5)]
    assert spent[3:] == pytest.approx([PLANNED + one for one in held])
    assert spent[-1] < ALPHA


@pytest.mark.parametrize("t", [0.1, 0.25, 0.5, 1.0])
def test_spending_is_that_of_the_papers(t):
    """Lan and DeMets 1983: 2 - 2 Phi(z / sqrt(t)), alpha ln(1 + (e - 1) t), and alpha t."""
    bound = stats.norm.isf(0.025) / math.sqrt(t)
    assert SPENDING["obrien-fleming"](0.05, t) == pytest.approx(math.erfc(bound / math.sqrt(2)))
    assert SPENDING["pocock"](0.05, t) == pytest.approx(0.05 * math.log1p(math.expm1(1) * t))
    assert SPENDING["linear"](0.05, t) == pytest.approx(0.05 * t)


def test_a_t_test_pays_for_its_look():
    a, b = [1.0, 1.1, 0.9, 1.05, 1.0, 0.8, 1.2], [0.9, 1.0, 0.7, 1.1, 0.8, 0.9, 0.9]
    first, both = (stats.ttest_rel(a[:n], b[:n]).pvalue for n in (5, 7))
    assert assumed_p(a[:5], b[:5], Looks((5,), 5, 1)) == pytest.approx(first * 16 / 15)
    assert assumed_p(a, b, Looks((5, 7), 5, 2)) == pytest.approx(min(first * 16 / 15, both * 32))
    assert assumed_p(a, b, Looks((5, 7), 5, 1)) == pytest.approx(first * 16 / 15)
    assert assumed_p(a, b, Looks((7,), 7)) == 1.0
    assert assumed_p(a, a, Looks((7,), 7, 1)) == 1.0


def test_many_pairs_are_sampled_and_earlier_looks_keep_their_patterns():
    assert np.array_equal(drawn(20)[:, :18], drawn(18))
    assert (drawn(18)[0] == 1).all()
    gaps = np.random.default_rng(2).normal(0.9, 1, 20)
    exact = p_of(gaps[:16], Looks((8, 12, 16), 20))
    sampled = p_of(gaps[:17], Looks((8, 12, 17), 20))
    assert 1 / DRAWS <= sampled <= 1
    assert (exact <= 0.2) == (sampled <= 0.2)


def test_a_late_look_at_many_pairs_can_still_find_what_is_plain():
    """Twelve optimizers, and two looks with too few seeds: of 50,000 patterns none could lie beyond the bound."""
    ahead, level, looks = [1.0 + 0.001 * k for k in range(20)], [0.0] * 20, Looks((6, 10, 20), 6, assumed=2)
    assert 66 * p_value(ahead, level, looks, comparisons=66) <= 0.05
    assert 66 * p_value(ahead, level, looks) > 0.05


def test_looks_are_planned_from_the_first_that_can_find_anything():
    """2^(1 - n) is the least share of sign patterns with n pairs; O'Brien and Fleming spend so much at 10 of 20."""
    assert [first_look(20, one) for one in ("obrien-fleming", "pocock", "linear")] == [10, 7, 7]
    for spending, pairs in product(SPENDING, (1, 3, 6)):
        first = first_look(20, spending, pairs)
        level = ALPHA / pairs
        spent = dict(zip((first - 1, first), Looks((first - 1, first), 20, 0, spending).spent(level), strict=True))
        assert 2.0 ** (2 - first) > spent[first - 1]
        assert 2.0 ** (1 - first) <= spent[first]
        looks = even_looks(20, spending, pairs)
        assert (looks[0], looks[-1], len(looks) <= 4) == (first, 20, True)
        found = p_of([1.0] * first, Looks((first,), 16, 0, spending, (first,))) if first <= 16 else None
        assert found is None or first_look(16, spending, pairs) > first or found <= level
    assert (even_looks(6, "pocock"), even_looks(3, "pocock", 6)) == ((6,), (3,))


def test_what_is_spent_follows_from_the_plan_whatever_is_missing():
    """A trial that failed takes a seed from a look, and changes no bound."""
    assert Looks((7, 11), 20, 0, "linear", (8, 12)).spent(ALPHA) == Looks((8, 12), 20, 0, "linear").spent(ALPHA)
    gaps = [2.0, 1.0, 3.0, 2.5, 1.5, 2.0, 1.0, 0.5]
    assert p_of(gaps[:7], Looks((7,), 8, due=(8,))) == paired_permutation(gaps[:7], [0.0] * 7) * 16 / 15
    with pytest.raises(UsageError, match="1 looks were due"):
        Looks((7, 11), 20, due=(8,))


def test_a_study_of_many_planned_seeds_samples_its_patterns_from_the_start():
    """So that what is found at 12 of 20 seeds is not lost at 17, where patterns are sampled."""
    for seed in range(20):
        gaps = np.random.default_rng(seed).normal(0.8, 1, 20)
        at = (10, 13, 17, 20)
        values = [p_of(gaps[:n], Looks(at[: k + 1], 20, due=at[: k + 1])) for k, n in enumerate(at)]
        assert values == sorted(values, reverse=True)


def test_patterns_that_are_nearer_at_every_look_decide_nothing():
    """Against the whole table of patterns, tried level by level."""
    for seed in range(12):
        gaps = np.round(np.random.default_rng(seed).normal(0.7, 1, 10), 1)
        looks = Looks((5, 8, 10), 10, 0, ("pocock", "linear")[seed % 2])
        assert p_of(gaps, looks) == by_hand(gaps, looks)


def by_hand(gaps, looks):
    patterns = np.array(list(product((1, -1), repeat=len(gaps) - 1)))
    patterns = np.concatenate([np.ones((len(patterns), 1)), patterns], axis=1)
    least = 1.0
    for level in LEVELS:
        beyond = np.zeros(len(patterns), dtype=bool)
        for n, share in zip(looks.at, looks.spent(level), strict=True):
            distances = np.round(np.abs(patterns[:, :n] @ gaps[:n]), 9)
            for bound in sorted({*distances[~beyond]}, reverse=True):
                more = beyond | (distances >= bound)
                if more.sum() > share * len(patterns) * (1 + 1e-12):
                    break
                beyond = more
        if not beyond[0]:
            return least
        least = level
    return least


@pytest.mark.parametrize(("at", "planned"), [((), 5), ((0, 5), 5), ((5, 5), 5), ((7, 5), 5), ((5,), 0)])
def test_looks_that_cannot_be_are_refused(at, planned):
    with pytest.raises(UsageError, match="expected"):
        Looks(at, planned)


def test_what_does_not_fit_is_refused():
    with pytest.raises(UsageError, match="obrien-fleming, pocock, linear"):
        Looks((5,), 5, spending="haybittle")
    with pytest.raises(UsageError, match="expected 7, as at the last look"):
        p_of([1.0] * 6, Looks((5, 7), 5))


def test_a_way_of_spending_is_calculated_named_and_read():
    assert list(SPENDING) == list(NAMES) == list(get_args(Spending)) == [*map(read_spending, SPENDING)]
    with pytest.raises(UsageError, match="spending is 'evenly'; give one of obrien-fleming, pocock, linear"):
        Looks((5, 10), 10, spending="evenly")
