"""Area under a curve, divergence and learning-rate sensitivity, against dense grids and by hand."""

from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest
from scipy import integrate, stats

from samples import diverged, running, trial
from surefoot.analysis import group
from surefoot.analysis.curve_area import curve_area, mean_height
from surefoot.analysis.robustness import divergence_rate, rate_sensitivity
from surefoot.analysis.traces import Trace
from surefoot.errors import UsageError


def test_area_is_scipy_s_trapezoid_over_its_span():
    rng = np.random.default_rng(0)
    clock, values = np.cumsum(rng.uniform(0.5, 2, 9)), rng.normal(0.5, 0.1, 9)
    expected = integrate.trapezoid(values, clock) / (clock[-1] - clock[0])
    assert mean_height(Trace(tuple(clock), tuple(values))) == pytest.approx(expected)


def test_area_does_not_grow_with_the_clock_and_weighs_time():
    assert mean_height(Trace((1, 2, 3), (0.4, 0.4, 0.4))) == pytest.approx(0.4)
    assert mean_height(Trace((10, 20, 30), (0.2, 0.6, 0.6))) == mean_height(Trace((1, 2, 3), (0.2, 0.6, 0.6)))
    assert mean_height(Trace((0, 1, 10), (0.0, 1.0, 1.0))) == pytest.approx(0.95)
    assert mean_height(Trace((5,), (0.7,))) == 0.7


def test_a_diverged_trial_is_left_out_of_the_area_not_padded():
    """DeepOBS pads a run that became NaN with its epoch 0 and averages that; we average what was measured."""
    good = [Trace((1, 2), (0.8, 0.9)), Trace((1, 2), (0.8, 0.8))]
    found = curve_area([*good, Trace((1,), (0.1,), diverged=True)])
    assert (found.n, found.mean) == (2, pytest.approx(0.825))
    assert found.low == pytest.approx(stats.t.interval(0.95, 1, 0.825, stats.sem([0.85, 0.8]))[0])
    assert curve_area([Trace((), (), diverged=True)]) is None
    with pytest.raises(UsageError, match="diverged"):
        mean_height(Trace((1, 2), (0.5, nan)))


def test_divergence_counts_trials_that_ended():
    records = [replace(trial(), seed=seed, key=str(seed)) for seed in range(6)]
    records[1], records[2] = diverged(records[1]), running(records[2])
    records[3] = replace(records[3], status="failed", outcome=None)
    (arm,) = group(records)
    found = divergence_rate(arm)
    assert (found.hits, found.of) == (1, 4)
    assert found.low == pytest.approx(stats.binomtest(1, 4).proportion_ci(method="wilson").low)
    (arm,) = group(records[2:4])
    assert divergence_rate(arm) is None


def dense(rates, scores, within, points=200_001):
    """Share and unbroken width on a dense grid of straight lines; a line to a diverged rate counts as bad."""
    x, y = np.log10(rates), np.array(scores, dtype=float)
    order = np.argsort(x)
    x, y = x[order], y[order]
    grid = np.linspace(x[0], x[-1], points)
    height = np.interp(grid, x, np.where(np.isfinite(y), y, -1e12))
    good = height >= y[np.isfinite(y)].max() - within
    top = np.abs(grid - x[np.nanargmax(np.where(np.isfinite(y), y, -np.inf))]).argmin()
    left = top - np.argmin(np.r_[good[top::-1], False]) + 1
    right = top + np.argmin(np.r_[good[top:], False]) - 1
    return good.mean(), grid[left], grid[right]


@pytest.mark.parametrize("seed", range(8))
def test_sensitivity_is_that_of_a_dense_grid(seed):
    rng = np.random.default_rng(seed)
    rates = 10 ** rng.uniform(-5, 0, 12)
    scores = 0.9 - 0.05 * (np.log10(rates) + 2.5) ** 2 + rng.normal(0, 0.02, 12)
    scores[rates > 0.3] = nan
    found = rate_sensitivity(rates, scores, 0.05)
    share, low, high = dense(rates, scores, 0.05)
    assert found.share == pytest.approx(share, abs=2e-4)
    assert np.log10([found.low, found.high]) == pytest.approx([low, high], abs=2e-4)
    assert found.half_width == pytest.approx((high - low) / 2, abs=2e-4)
    assert found.best == pytest.approx(rates[np.nanargmax(scores)])


def test_sensitivity_worked_by_hand():
    found = rate_sensitivity([1e-4, 1e-3, 1e-2, 1e-1], [0.5, 0.9, 0.8, nan], 0.05)
    assert np.log10(found.low) == pytest.approx(-3 - 0.05 / 0.4)
    assert np.log10(found.high) == pytest.approx(-3 + 0.05 / 0.1)
    assert found.half_width == pytest.approx((0.125 + 0.5) / 2)
    assert found.share == pytest.approx((0.125 + 0.5) / 3)
    assert not found.open


def test_a_second_good_stretch_is_in_the_share_and_not_in_the_width():
    found = rate_sensitivity([1, 10, 100, 1000, 1e4], [0.9, 0.5, 0.5, 0.89, 0.89], 0.02)
    assert (found.low, found.high) == (1, pytest.approx(10**0.05))
    assert found.share == pytest.approx((0.05 + 0.01 / 0.39 + 1) / 4)
    assert found.open


def test_nothing_is_assumed_between_a_rate_that_works_and_one_that_diverged():
    found = rate_sensitivity([0.01, 0.1, 1.0], [0.9, 0.9, -inf], 0.01)
    assert (found.high, found.share) == (pytest.approx(0.1), pytest.approx(0.5))
    alone = rate_sensitivity([0.01, 0.1, 1.0], [nan, 0.9, nan], 0.01)
    assert (alone.share, alone.half_width) == (0, 0)


def test_a_loss_is_good_when_low():
    losses = rate_sensitivity([0.01, 0.1, 1.0], [0.5, 0.2, 9.0], 0.1, higher=False)
    mirrored = rate_sensitivity([0.01, 0.1, 1.0], [-0.5, -0.2, -9.0], 0.1)
    assert losses == mirrored


def test_an_edge_is_open():
    assert rate_sensitivity([0.1, 1.0], [0.9, 0.1], 0.01).open
    assert rate_sensitivity([0.1, 1.0, 10.0], [0.9, 0.9, 0.1], 0.01).open
    assert not rate_sensitivity([0.1, 1.0, 10.0], [0.1, 0.9, 0.1], 0.01).open


@pytest.mark.parametrize(
    ("rates", "scores", "within", "words"),
    [
        ([0.1], [0.5], 0.1, "2 at least"),
        ([0.1, 0.2], [0.5], 0.1, "one length"),
        ([0.1, 0.1], [0.5, 0.6], 0.1, "different numbers"),
        ([0.0, 0.1], [0.5, 0.6], 0.1, "above 0"),
        ([0.1, 0.2], [nan, nan], 0.1, "every learning rate diverged"),
        ([0.1, 0.2], [0.5, 0.6], 0.0, "within is 0"),
    ],
)
def test_scans_that_make_no_sense_are_refused(rates, scores, within, words):
    with pytest.raises(UsageError, match=words):
        rate_sensitivity(rates, scores, within)
