"""A race: who is dropped when, against SciPy's test, and how seldom that is the truly best."""

from itertools import permutations
from math import nan

import numpy as np
import pytest
from scipy import stats

from surefoot.search.race import ALPHA, FIRST, dropped


def gains(seed, seeds=9, means=(0.0, 0.0, 0.0)):
    rng = np.random.default_rng(seed)
    shared = rng.normal(0, 3, seeds)
    return [(mean + shared + rng.normal(0, 1, seeds)).tolist() for mean in means]


def by_scipy(found, planned):
    """Look by look, with all rivals that were left before it."""
    out = [None] * len(found)
    level = ALPHA / ((planned - FIRST) * (len(found) - 1))
    for seen in range(FIRST, planned):
        left = [i for i, after in enumerate(out) if after is None]
        for i in left:
            p = [
                stats.ttest_rel(found[j][:seen], found[i][:seen], alternative="greater").pvalue for j in left if j != i
            ]
            if any(one <= level for one in p):
                out[i] = seen
    return out


@pytest.mark.parametrize("seed", range(30))
def test_who_is_behind_a_rival_on_the_same_seeds_is_dropped(seed):
    found = gains(seed, means=(0.0, 1.0, 3.0))
    assert dropped(found, 9) == by_scipy(found, 9)


def test_what_comes_later_and_what_the_dropped_would_have_got_change_nothing():
    found = gains(3, means=(0.0, 0.5, 4.0))
    whole = dropped(found, 9)
    assert None in whole
    assert any(whole)
    for seen in range(1, 10):
        begun = [one[: min(seen, after or seen)] for one, after in zip(found, whole, strict=True)]
        assert dropped(begun, 9) == [after if after and after <= seen else None for after in whole]


def test_the_order_of_candidates_does_not_show():
    found = [[0.9] * 6, [0.9] * 6, [0.5] * 6]
    for order in permutations(range(3)):
        out = dropped([found[place] for place in order], 6, 0.01)
        assert dict(zip(order, out, strict=True)) == {0: None, 1: None, 2: 2}


def test_what_diverged_is_out_as_soon_as_another_has_not():
    assert dropped([[1.0, 1.0, 1.0], [9.0, nan, 9.0], [0.9, 1.1, 1.0]], 4, 0.01) == [None, 2, None]
    assert dropped([[nan, nan], [nan, nan]], 4) == [None, None]


def test_two_seeds_that_agree_to_the_last_image_prove_nothing():
    close = [[0.91, 0.91], [0.90, 0.90]]
    assert dropped(close, 4) == [None, 2]
    assert dropped(close, 4, resolution=0.01) == [None, None]


@pytest.mark.parametrize("found", [[], [[1.0, 2.0]], [[1.0], [0.0]]])
def test_nobody_is_dropped_from_no_race(found):
    assert dropped(found, 9) == [None] * len(found)


@pytest.mark.parametrize("planned", [3, 5, 9])
@pytest.mark.parametrize("lead", [0.0, 0.3])
def test_the_best_is_dropped_in_one_race_of_ten_at_most(planned, lead):
    races = 3000
    lost = sum(dropped(gains(seed, planned, (lead, 0.0, 0.0)), planned)[0] is not None for seed in range(races))
    assert lost / races <= ALPHA + 3 * (ALPHA * (1 - ALPHA) / races) ** 0.5


def test_clear_races_are_short():
    """Of three candidates of which two are 5 standard deviations behind, less than half of the trials are run."""
    run = [sum(after or 9 for after in dropped(gains(seed, 9, (5.0, 0.0, 0.0)), 9)) for seed in range(200)]
    assert np.mean(run) < 0.9 * 27
    assert all(dropped(gains(seed, 9, (5.0, 0.0, 0.0)), 9)[0] is None for seed in range(200))
