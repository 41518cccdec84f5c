"""Scores over several problems against numeric integration, scipy, and the defects of tools that came before."""

from math import inf, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from surefoot.errors import UsageError
from surefoot.statistics.suites import (
    R_MAX,
    aggregate,
    algoperf_score,
    performance_profiles,
    time_ratios,
)

TIMES = {
    "adam": {"a": 10.0, "b": 30.0, "c": 50.0},
    "sgd": {"a": 20.0, "b": 20.0, "c": inf},
    "adagrad": {"a": 45.0, "b": 60.0, "c": 100.0},
}


def integrated(ratios, points=400_001):
    """The area under the profile on a fine grid, normalised: AlgoPerf's own way, with more points."""
    grid = np.linspace(1, R_MAX, points)
    profile = (np.asarray(ratios)[:, None] <= grid).mean(axis=0)
    return integrate.trapezoid(profile, grid) / (R_MAX - 1)


def test_ratios_to_the_fastest():
    assert time_ratios(TIMES) == {
        "adam": {"a": 1, "b": 1.5, "c": 1},
        "sgd": {"a": 2, "b": 1, "c": inf},
        "adagrad": {"a": 4.5, "b": 3, "c": 2},
    }


def test_scores_worked_by_hand():
    scores = algoperf_score(TIMES)
    assert scores == pytest.approx(
        {"adam": (1 + 2.5 / 3 + 1) / 3, "sgd": (2 / 3 + 1 + 0) / 3, "adagrad": (0 + 1 / 3 + 2 / 3) / 3}
    )


@given(st.lists(st.lists(st.floats(1, 100) | st.just(inf), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_closed_form_is_the_area_under_the_profile(rows):
    times = {str(i): dict(zip("abc", row, strict=True)) for i, row in enumerate(rows)}
    scores, ratios = algoperf_score(times), time_ratios(times)
    profiles = performance_profiles(times)
    for name, score in scores.items():
        assert score == pytest.approx(integrated(list(ratios[name].values()), 4001), abs=2e-3)
        steps, shares = np.array(profiles[name].ratios), np.array(profiles[name].shares)
        assert score == pytest.approx((np.diff(steps) * shares[:-1]).sum() / (R_MAX - 1))


def test_profiles_are_step_functions():
    profile = performance_profiles(TIMES)["sgd"]
    assert (profile.ratios, profile.shares) == ((1, 2, 4), pytest.approx((1 / 3, 2 / 3, 2 / 3)))


def test_misses_are_infinite_and_infinity_survives():
    """AlgoPerf's `series[series != np.nan]` removes nothing, as nothing equals NaN: misses went on as if measured."""
    times = {"adam": {"a": 10.0, "b": inf}, "sgd": {"a": inf, "b": inf}}
    assert time_ratios(times) == {"adam": {"a": 1, "b": inf}, "sgd": {"a": inf, "b": inf}}
    assert algoperf_score(times) == {"adam": 0.5, "sgd": 0}


def test_beyond_r_max_a_result_counts_as_a_miss():
    times = {"fast": dict.fromkeys("abc", 1.0), "slow": {"a": 4.0, "b": 40.0, "c": inf}}
    assert algoperf_score(times)["slow"] == 0
    assert algoperf_score({**times, "slow": {**times["slow"], "a": 3.0}})["slow"] == pytest.approx((1 / 3) / 3)


def test_a_problem_that_all_miss_counts_against_all():
    times = {name: {**of, "d": inf} for name, of in TIMES.items()}
    assert time_ratios(times)["adam"]["d"] == inf
    assert algoperf_score(times)["adam"] == pytest.approx(algoperf_score(TIMES)["adam"] * 3 / 4)


def test_fewer_than_three_problems_have_no_profile():
    two = {name: {"a": of["a"], "b": of["b"]} for name, of in TIMES.items()}
    with pytest.raises(UsageError, match=r"over 2 problems says nothing; expected at least 3"):
        performance_profiles(two)
    assert algoperf_score(two)["adam"] == pytest.approx((1 + 2.5 / 3) / 2)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({}, "no optimizer"),
        ({"adam": {}}, "no optimizer or no problem"),
        ({"adam": {"a": 1.0, "b": 1.0}, "sgd": {"a": 1.0}}, "sgd has no result on b"),
        ({"adam": {"a": 0.0}}, "above 0"),
        ({"adam": {"a": -1.0}}, "above 0"),
        ({"adam": {"a": nan}}, "above 0"),
    ],
)
def test_times_that_do_not_compare_are_refused(times, words):
    with pytest.raises(UsageError, match=words):
        time_ratios(times)


def test_the_interquartile_mean_is_that_of_the_middle_half():
    """Of 11 runs a quarter, rounded down, is cut off at either end."""
    found = aggregate({"a": [9.0, 1.0, 2.0, 3.0, 4.0], "b": [5.0, 6.0, 7.0, 8.0, 0.0, 100.0]})
    assert found.mean == pytest.approx(np.mean([2, 3, 4, 5, 6, 7, 8]))


SCORES = {"a": [0.9, 0.92, 0.95, 0.91], "b": [0.2, 0.25, 0.3, 0.1], "c": [0.5, 0.6, 0.55]}


def test_aggregate_obeys_its_seed_and_no_other():
    """rliable's stratified resampler calls the global `np.random.choice`, so its `random_state` has no effect."""
    np.random.seed(1)
    first = aggregate(SCORES, seed=3, resamples=500)
    np.random.seed(2)
    assert aggregate(SCORES, seed=3, resamples=500) == first
    assert aggregate(SCORES, seed=4, resamples=500) != first
    assert (first.runs, first.tasks) == (11, 3)
    assert first.mean == pytest.approx(stats.trim_mean(np.concatenate(list(SCORES.values())), 0.25))


def test_seeds_are_resampled_within_each_task():
    """Between tasks lies no luck: tasks whose seeds all agree leave nothing to resample, however far apart they are."""
    found = aggregate({"a": [0.9] * 4, "b": [0.1] * 4, "c": [0.5] * 4}, resamples=200)
    assert found.low == found.mean == found.high


def test_aggregate_intervals_cover():
    rng, centres = np.random.default_rng(8), np.array([0.3, 0.5, 0.6, 0.8])
    many = centres[:, None] + rng.normal(0, 0.1, (4, 50_000))
    truth = stats.trim_mean(many.ravel(), 0.25)
    covered = []
    for i in range(200):
        runs = centres[:, None] + rng.normal(0, 0.1, (4, 20))
        found = aggregate(dict(zip("abcd", runs, strict=True)), seed=i, resamples=400)
        covered.append(found.low <= truth <= found.high)
    assert np.mean(covered) >= 0.89


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({"a": [1.0, 2.0, 3.0]}, "1 task to aggregate over; expected 2 or more"),
        ({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0]}, "the scores of b"),
        ({"a": [1.0, 2.0, 3.0], "b": [1.0, 2.0, nan]}, "diverged"),
    ],
)
def test_what_cannot_be_aggregated_is_refused(scores, words):
    with pytest.raises(UsageError, match=words):
        aggregate(scores)
