"""Every optimizer against every other: which test speaks, Holm over each family, divergence, and groups that tie."""

from dataclasses import replace
from itertools import combinations, product
from math import nan

import numpy as np
import pytest
from scipy import stats

from surefoot.analysis.families import asked, families
from surefoot.analysis.pairwise import compare_all, tie_groups
from surefoot.analysis.scale import Scale
from surefoot.statistics.intervals import HELD_BACK, holm, paired_difference
from surefoot.statistics.looks import Looks, p_value
from surefoot.statistics.permutation import paired_permutation
from surefoot.store.looks import Question, TakenLook, Together
from surefoot.store.margin import Margin
from surefoot.store.protocol import Metric

SCORE, LOSS = (Scale(Metric("score", better, share=False)) for better in ("max", "min"))


def compared(given, scale=SCORE, **options):
    return compare_all(given, scale, **options)


def scores(seed, arms=3, seeds=10, gap=0.0):
    rng = np.random.default_rng(seed)
    return {f"opt {i}": {s: float(rng.normal(0.9 - gap * i, 0.01)) for s in range(seeds)} for i in range(arms)}


@pytest.mark.parametrize(
    ("arms", "seeds", "test"), [(2, 5, "t"), (2, 6, "permutation"), (4, 7, "t"), (4, 8, "permutation")]
)
def test_the_number_of_seeds_picks_the_test(arms, seeds, test):
    given = scores(1, arms, seeds)
    rows = compared(given)
    assert [(row.a, row.b) for row in rows] == list(combinations(given, 2))
    assert {row.test for row in rows} == {test}
    for row in rows:
        a, b = (list(given[name].values()) for name in (row.a, row.b))
        expected = paired_permutation(a, b) if test == "permutation" else stats.ttest_rel(a, b).pvalue
        assert row.difference.p == pytest.approx(min(1, expected / (1 - HELD_BACK)))
        assert row.difference.low == paired_difference(a, b).low
        assert row.wins.hits == sum(x > y for x, y in zip(a, b, strict=True))
    assert [row.p for row in rows] == holm([row.difference.p for row in rows])


def test_only_seeds_of_both_are_paired():
    given = {"a": {0: 1.0, 1: 1.0, 2: 1.0}, "b": {2: 0.5, 1: 0.4, 9: 0.0}, "c": {7: 0.1, 8: 0.2}}
    (row,) = compared(given)
    assert (row.a, row.b, row.difference.n) == ("a", "b", 2)
    assert row.difference.mean == pytest.approx(0.55)


def test_nothing_to_compare_is_no_row():
    assert compared({"a": {0: 1.0}}) == ()
    assert compared({"a": {0: 1.0}, "b": {0: 0.5}}) == ()


def test_resolution_is_passed_on():
    given = {"a": dict.fromkeys(range(5), 0.98), "b": {**dict.fromkeys(range(4), 0.98), 4: 0.98 - 1e-5}}
    sharp, blunt = compared(given), compared(given, Scale(test_size=10_000))
    assert blunt[0].p > sharp[0].p
    found = paired_difference(list(given["a"].values()), list(given["b"].values()), 1e-4).p
    assert blunt[0].p == pytest.approx(min(1, found / (1 - HELD_BACK)))


def test_ties_overlap():
    """A and B tie, B and C tie, and A beats C."""
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (3, 10))
    noise -= noise.mean(axis=1, keepdims=True)
    given = {
        name: dict(enumerate(0.9 - shift + row))
        for name, shift, row in zip("CAB", (0.02, 0.0, 0.01), noise, strict=True)
    }
    rows = {frozenset((row.a, row.b)): row for row in compared(given)}
    assert rows[frozenset("AC")].distinguishable
    only = [row if pair == frozenset("AC") else replace(row, p=1.0) for pair, row in rows.items()]
    assert tie_groups(given, only, SCORE) == (("A", "B"), ("B", "C"))


def test_groups_when_all_tie_or_none():
    alike, apart = scores(5, 4), scores(5, 4, gap=0.1)
    assert tie_groups(alike, compared(alike), SCORE) == (
        tuple(sorted(alike, key=lambda k: -np.mean(list(alike[k].values())))),
    )
    assert tie_groups(apart, compared(apart), SCORE) == tuple((name,) for name in apart)


@pytest.mark.parametrize("seed", range(6))
def test_groups_are_the_largest_without_a_difference(seed):
    """By trying every subset of the optimizers."""
    given = scores(seed, 6, gap=0.006)
    rows = compared(given)
    apart = [{row.a, row.b} for row in rows if row.distinguishable]
    fitting = [
        set(some)
        for size in range(1, 7)
        for some in combinations(given, size)
        if not any(pair <= set(some) for pair in apart)
    ]
    largest = [some for some in fitting if not any(some < other for other in fitting)]
    groups = tie_groups(given, rows, SCORE)
    assert sorted(map(sorted, groups)) == sorted(map(sorted, largest))
    assert apart


def test_from_fewer_than_five_seeds_nothing_is_claimed():
    """98 % against 30 % on 4 seeds: shown, not tested, and no tie either."""
    given = {name: {s: high + 0.001 * s for s in range(4)} for name, high in (("a", 0.98), ("b", 0.3))}
    (row,) = compared(given)
    assert (row.test, row.p, row.distinguishable) == (None, None, False)
    assert row.difference.mean == pytest.approx(0.68)
    assert tie_groups(given, [row], SCORE) == (("a",), ("b",))
    (row,) = compared({name: {**found, 4: found[0]} for name, found in given.items()})
    assert row.distinguishable


def test_pairs_that_are_not_tested_do_not_count_for_holm():
    given = scores(8, 3, 6)
    few = {**given, "few": dict.fromkeys(range(3), 0.5)}
    alone = {frozenset((row.a, row.b)): row.p for row in compared(given)}
    beside = {frozenset((row.a, row.b)): row.p for row in compared(few)}
    assert {pair: beside[pair] for pair in alone} == alone
    assert beside[frozenset(("opt 0", "few"))] is None


def diverging(lost, score=0.99, seeds=10):
    """Scores of an optimizer that diverged with the first seeds."""
    return {seed: nan if seed < lost else score + 1e-4 * seed for seed in range(seeds)}


@pytest.mark.parametrize("scale", [SCORE, LOSS], ids=["max", "min"])
@pytest.mark.parametrize(
    ("lost", "chance", "better", "apart"),
    [
        (1, 0.1, "b", False),
        (4, 0.1, "b", False),
        (9, 0.1, "b", True),
        (1, None, "a", True),
        (4, None, "a", False),
        (9, None, "b", True),
    ],
)
def test_a_seed_that_diverged_is_worth_a_guess_or_as_far_below_the_worst_as_the_best_is_above(
    lost, chance, better, apart, scale
):
    """99 % on the seeds that it finished, against 95 % on all ten; the p-value by trying every sign."""
    sign = scale.sign
    given = {"a": diverging(lost, 0.99), "b": diverging(0, 0.95)}
    guess = chance if chance is not None else 0.95 - (0.9909 - 0.95)
    gaps = np.array(
        [(guess if seed < lost else 0.99) - 0.95 - (1e-4 * seed if seed < lost else 0) for seed in range(10)]
    )
    (row,) = compared(
        {n: {s: sign * x for s, x in found.items()} for n, found in given.items()},
        replace(scale, chance=chance and sign * chance),
    )
    sums = np.abs(np.array(list(product((-1, 1), repeat=10))) @ gaps)
    assert row.difference.mean == pytest.approx(sign * gaps.mean())
    assert (row.n, row.difference.n, row.wins.hits) == (10, 10, 10 - lost)
    assert row.p == pytest.approx(min(1, np.mean(sums >= abs(gaps.sum()) - 1e-12) / (1 - HELD_BACK)))
    assert (row.better, row.distinguishable) == (better, apart)


def test_a_seed_that_diverged_counts_as_a_guess_or_no_better_than_any():
    assert Scale(chance=0.1).lost([0.99, 0.05]) == 0.1
    assert Scale().lost([0.99, 0.95]) == 0
    assert Scale(Metric("error", "min", share=True)).lost([0.1, 0.8]) == 1
    assert SCORE.lost([0.99, 0.95]) == pytest.approx(0.91)
    assert LOSS.lost([0.5, 2.0]) == 3.5
    assert LOSS.lost([]) == 1


def test_two_that_diverged_with_the_same_seed_tie_there():
    (row,) = compared({"a": diverging(6), "b": diverging(6)})
    assert (row.wins.hits, row.p) == (5, 1)
    (row,) = compared({"a": diverging(10), "b": diverging(10)})
    assert (row.difference.mean, row.p, row.wins.value) == (0, 1, 0.5)


def test_to_diverge_with_every_seed_is_a_difference():
    (row,) = compared({"a": diverging(10), "b": diverging(0, 0.2)}, Scale(chance=0.1))
    assert (row.better, row.p) == ("b", paired_permutation([0] * 10, [1] * 10) / (1 - HELD_BACK))
    assert row.difference.mean == pytest.approx(0.1 - 0.20045)


def looked(*sizes):
    """Verdicts on the first so many seeds, one after the other."""
    return {seed: frozenset(TakenLook(k) for k, size in enumerate(sizes) if seed < size) for seed in range(20)}


@pytest.mark.parametrize(
    ("sizes", "looks"),
    [((), (9,)), ((7,), (7, 9)), ((5, 7), (5, 7, 9)), ((3,), (9,)), ((9,), (9,)), ((9, 7), (9,)), ((7, 7), (7, 9))],
)
def test_seeds_that_come_after_a_verdict_are_another_look(sizes, looks):
    """Fewer than five seeds were never tested; the same seeds again are the same look."""
    given = scores(3, 2, 9, gap=0.004)
    (row,) = compared(given, looked={"opt 0": looked(*sizes), "opt 1": looked(*sizes)})
    assert row.looks == looks
    a, b = (list(given[name].values()) for name in ("opt 0", "opt 1"))
    assert row.p == p_value(a, b, Looks(looks, looks[0], sum(n < 6 for n in looks)))


def test_a_verdict_that_only_one_of_the_two_was_part_of_was_not_about_them():
    (row,) = compared(scores(3, 2, 9), looked={"opt 0": looked(5)})
    assert row.looks == (9,)


def test_a_verdict_may_be_on_other_seeds_than_the_lowest():
    """The pairs stand in the order in which verdicts saw them."""
    given = scores(5, 2, 9, gap=0.01)
    late = {seed: frozenset({TakenLook(1)} if seed >= 2 else ()) for seed in range(9)}
    (row,) = compared(given, looked={"opt 0": late, "opt 1": late})
    order = [*range(2, 9), 0, 1]
    a, b = ([given[name][seed] for seed in order] for name in ("opt 0", "opt 1"))
    assert (row.looks, row.p) == ((7, 9), p_value(a, b, Looks((7, 9), 7)))


def chosen_again(given, before):
    """The pair that is farthest apart, compared again after a verdict on all."""
    first = min(compared(given), key=lambda row: row.p)
    seen = {name: dict.fromkeys(found, before) for name, found in given.items()}
    (row,) = compared({name: given[name] for name in (first.a, first.b)}, looked=seen)
    return row


def test_a_pair_that_a_verdict_chose_is_as_rarely_false_as_the_verdict():
    """Four equal optimizers, and then the two that are farthest apart: 19 of 100 such pairs have p below 5 %."""
    rows = [chosen_again(scores(seed, 4), frozenset({TakenLook(0, together=Together(6, 6))})) for seed in range(300)]
    assert {(row.n, row.together) for row in rows} == {(10, 6)}
    assert sum(row.difference.p <= 0.05 for row in rows) > 30
    assert sum(row.distinguishable for row in rows) < 25


def test_a_verdict_on_fewer_than_five_seeds_tested_no_pairs():
    given = scores(2, 2, 9)
    seen = {seed: frozenset({TakenLook(0, 4, together=Together(6, 6))}) for seed in range(4)}
    (row,) = compared(given, looked=dict.fromkeys(given, seen))
    assert row.together == 1
    (row,) = compared(given, looked={"opt 0": looked(9), "opt 1": {}})
    assert row.together == 1


def test_equality_within_a_margin_is_corrected_for_the_pairs_of_an_earlier_verdict():
    given = scores(3, 2)
    seen = {seed: frozenset({TakenLook(0, together=Together(6, 6))}) for seed in range(10)}
    (alone,), (beside,) = (
        compared(given, margin=Margin(0.01), looked=before) for before in (None, dict.fromkeys(given, seen))
    )
    assert beside.closeness.a_worse == pytest.approx(min(1, 6 * alone.closeness.a_worse))


@pytest.mark.parametrize("seeds", [7, 8, 12])
def test_what_five_seeds_showed_stays_shown(seeds):
    """The t-test of the first verdict had its share of alpha; later shares are too small for so few seeds."""
    given = scores(5, 2, seeds, gap=0.2)
    first = {seed: frozenset({TakenLook(0)}) for seed in range(5)}
    (row,) = compared(given, looked=dict.fromkeys(given, first))
    assert row.distinguishable
    assert row.test == ("permutation" if seeds == 12 else "t")
    assert row.is_assumed == (seeds < 12)


def test_a_small_p_of_an_earlier_t_test_that_shows_nothing_is_no_assumption_of_the_verdict():
    given = scores(0, 8, 12)
    first = {seed: frozenset({TakenLook(0)}) for seed in range(9)}
    rows = compared(given, looked=dict.fromkeys(given, first))
    assert sum(row.test == "t" for row in rows) == 2
    assert not any(row.distinguishable or row.is_assumed for row in rows)


def test_a_gain_is_corrected_for_the_gains_of_an_earlier_verdict():
    """Four were tuned, and the one that gained most is asked about again."""
    given, own = scores(3, 2), {"opt 1": "opt 0"}
    seen = {seed: frozenset({TakenLook(0, together=Together(6, 6, 4))}) for seed in range(10)}
    (row,) = compared(given, tuned_from=own, looked=dict.fromkeys(given, seen))
    assert (row.family, row.together) == ("gain", 4)
    assert row.p == pytest.approx(min(1, 4 * row.difference.p))
    assert row.p > row.difference.p


OWN = {"Adam tuned": "Adam", "SGD tuned": "SGD"}


def test_families_are_the_tuned_the_untuned_and_what_tuning_gains():
    labels = ["Adam", "SGD", "mine", "Adam tuned", "SGD tuned"]
    assert families(labels, OWN) == {
        "tuned": [("mine", "Adam tuned"), ("mine", "SGD tuned"), ("Adam tuned", "SGD tuned")],
        "untuned": [("Adam", "SGD"), ("Adam", "mine"), ("SGD", "mine")],
        "gain": [("Adam tuned", "Adam"), ("SGD tuned", "SGD")],
    }
    assert families(["a", "b", "x tuned"], {}) == {"all": list(combinations(["a", "b", "x tuned"], 2))}


QUESTIONS = (Question(), Question("all-pairs"), Question("against", "a"), Question("against", "d"))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.text)
@pytest.mark.parametrize("tuned", ["", "a", "d", "ab", "abcd"])
def test_a_look_counts_the_comparisons_of_each_family(question, tuned):
    own = {f"{one} tuned": one for one in tuned}
    count = {family: len(pairs) for family, pairs in asked([*"abcd", *own], own, question).items()}
    first = "tuned" if tuned else "all"
    expected = Together(count[first], count.get("untuned", count[first]), count.get("gain", 0))
    assert question.together(4, list(tuned)) == expected


def test_no_pair_is_in_two_families():
    found = families(["one", "two", "Adam", "Adam tuned"], OWN)
    pairs = [frozenset(pair) for some in found.values() for pair in some]
    assert len(pairs) == len(set(pairs)) == 6  # all but untuned Adam against ... itself tuned is in "gain"


def test_holm_runs_over_each_family_alone():
    """Four optimizers, tuned too, on 5 seeds: 53 points apart is told, which 28 comparisons together would not."""
    rng = np.random.default_rng(4)
    given = {
        f"{name}{end}": {s: float(x) for s, x in enumerate(rng.normal(mean, 0.11, 5))}
        for end in ("", " tuned")
        for name, mean in (("a", 0.88), ("b", 0.35), ("c", 0.86), ("d", 0.87))
    }
    rows = compared(given, tuned_from={f"{name} tuned": name for name in "abcd"})
    assert {family: sum(row.family == family for row in rows) for family in ("tuned", "untuned", "gain")} == {
        "tuned": 6,
        "untuned": 6,
        "gain": 4,
    }
    for family in ("tuned", "untuned", "gain"):
        some = [row for row in rows if row.family == family]
        assert [row.p for row in some] == holm([row.difference.p for row in some])
    (far,) = [row for row in rows if (row.a, row.b) == ("a tuned", "b tuned")]
    assert far.distinguishable
    assert 28 * far.difference.p > 0.05
