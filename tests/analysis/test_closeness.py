"""What a pair tells of a margin: equal, not worse, open, with both directions, parts of a score, looks and families."""

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from surefoot.analysis.pairwise import compare_all
from surefoot.analysis.scale import Scale
from surefoot.analysis.verdict import judge
from surefoot.statistics.equivalence import adjusted
from surefoot.store.looks import TakenLook
from surefoot.store.margin import Margin
from surefoot.store.protocol import LOSS

LOSSES = Scale(LOSS)


def scores(seed, arms=3, seeds=10, gap=0.0, spread=0.01):
    rng = np.random.default_rng(seed)
    return {f"opt {i}": {s: float(rng.normal(0.9 - gap * i, spread)) for s in range(seeds)} for i in range(arms)}


def one_sided(found):
    """The p-value of a mean of 0 or less, over the half of alpha that a first look has."""
    return min(1, 2 * stats.ttest_1samp(found, 0, alternative="greater").pvalue)


@pytest.mark.parametrize("scale", [Scale(), LOSSES], ids=["accuracy", "loss"])
def test_every_pair_of_a_family_is_asked_both_ways_and_all_are_corrected(scale):
    given, margin = scores(1, gap=0.002), 0.015
    rows = compare_all(given, scale, margin=Margin(margin))
    gains = [
        scale.sign * np.subtract(list(given[a].values()), list(given[b].values())) for a, b in combinations(given, 2)
    ]
    expected = adjusted([(one_sided(margin + gain), one_sided(margin - gain)) for gain in gains])
    assert [(row.closeness.a_worse, row.closeness.b_worse) for row in rows] == [
        pytest.approx(both) for both in expected
    ]
    assert [row.closeness.margin for row in rows] == [margin] * 3


def test_a_part_of_a_score_is_that_part_of_the_mean_of_both_on_each_seed():
    given = {"a": {s: 2.0 + 0.1 * s for s in range(8)}, "b": {s: 2.05 + 0.1 * s + 0.01 * (s % 3) for s in range(8)}}
    (row,) = compare_all(given, LOSSES, margin=Margin(0.05, relative=True))
    a, b = (np.array(list(found.values())) for found in given.values())
    assert row.closeness.a_worse == pytest.approx(one_sided(b - a + 0.05 * (a + b) / 2))
    assert row.closeness.b_worse == pytest.approx(one_sided(a - b + 0.05 * (a + b) / 2))
    assert row.closeness.margin == pytest.approx(0.05 * (a.mean() + b.mean()) / 2)


def test_the_answer_is_from_the_best_one_s_side():
    """b is better by about the spread, so it is not worse than a, and may be better by more than the margin."""
    given = {
        "a": {s: 0.9 + 0.01 * (-1) ** s for s in range(6)},
        "b": {s: 0.9 + 0.013 * (s % 3 - 0.4) for s in range(6)},
    }
    answers = {}
    for margin in (0.0001, 0.0116, 0.05):
        rows = compare_all(given, Scale(), margin=Margin(margin))
        verdict = judge(given, Scale(), rows, margin=Margin(margin))
        (pair,) = verdict.pairs
        answers[margin] = (verdict.best, pair.answer, verdict.equal)
        assert pair.closeness.a_holds == (pair.answer != "open")
        (row,) = rows
        assert row.turned.closeness.turned == row.closeness
    assert answers == {0.0001: ("b", "open", ()), 0.0116: ("b", "not worse", ()), 0.05: ("b", "equal", ("a",))}


def test_without_a_margin_or_with_few_seeds_nothing_is_asked():
    assert all(row.closeness is None for row in compare_all(scores(2), Scale()))
    rows = compare_all(scores(2, seeds=4), Scale(), margin=Margin(0.1))
    assert all(row.closeness is None for row in rows)
    (pair,) = judge(scores(2, arms=2), Scale(), compare_all(scores(2, arms=2), Scale())).pairs
    assert (pair.answer, pair.closeness) == ("open", None)


def test_a_pair_with_few_seeds_does_not_count_in_the_correction():
    given = scores(3, seeds=8)
    few = {**given, "few": dict.fromkeys(range(3), 0.9)}
    beside = {(row.a, row.b): row.closeness for row in compare_all(few, Scale(), margin=Margin(0.02))}
    assert all(beside[row.a, row.b] == row.closeness for row in compare_all(given, Scale(), margin=Margin(0.02)))
    assert beside["opt 0", "few"] is None


def test_seeds_that_were_added_have_half_of_what_is_left():
    given = scores(4, arms=2, seeds=9, spread=0.02)
    before = {seed: frozenset({TakenLook(0)} if seed < 6 else ()) for seed in range(9)}
    (row,) = compare_all(given, Scale(), looked={"opt 0": before, "opt 1": before}, margin=Margin(0.02))
    gains = np.subtract(*(list(found.values()) for found in given.values()))
    first, second = (stats.ttest_1samp(gains[:n] + 0.02, 0, alternative="greater").pvalue for n in (6, 9))
    assert row.closeness.a_worse == pytest.approx(min(1, 2 * first, 4 * second))


def test_so_many_more_seeds_would_tell():
    """Four of five studies that are told how many more seeds to add are told the answer by them."""
    rng, told, asked = np.random.default_rng(7), 0, 0
    for _ in range(300):
        gaps = rng.normal(0, 0.01, 400)
        given = {"a": dict(enumerate(0.5 + gaps[:10])), "b": dict.fromkeys(range(10), 0.5)}
        (row,) = compare_all(given, LOSSES, margin=Margin(0.006))
        if row.closeness.equal or row.distinguishable or row.closeness.more is None:
            continue
        asked, seeds = asked + 1, 10 + row.closeness.more
        more = {"a": dict(enumerate(0.5 + gaps[:seeds])), "b": dict.fromkeys(range(seeds), 0.5)}
        before = {seed: frozenset({TakenLook(0)} if seed < 10 else ()) for seed in range(seeds)}
        (row,) = compare_all(more, LOSSES, looked=dict.fromkeys("ab", before), margin=Margin(0.006))
        told += row.closeness.equal or row.distinguishable
    assert asked > 150
    assert 0.6 < told / asked < 0.95
