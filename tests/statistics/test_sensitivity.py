"""Learning-rate sensitivity, and how much of what was tried was good, against dense grids and by hand."""

from math import inf, nan

import numpy as np
import pytest

from surefoot.errors import UsageError
from surefoot.statistics.sensitivity import good_rates, rate_sensitivity


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


def test_good_rates_are_those_nearest_to_a_good_trial():
    """On a grid: each learning rate is as good as the trial that is nearest in its logarithm."""
    rates, scores = [1e-4, 3e-3, 1e-2, 0.2, 1.0], [0.5, 0.9, 0.895, 0.7, nan]
    grid = np.linspace(-4, 0, 100_001)
    nearest = np.abs(grid[:, None] - np.log10(rates)).argmin(axis=1)
    found = good_rates(rates, scores, 0.01)
    assert found.share == pytest.approx(np.isin(nearest, (1, 2)).mean(), abs=1e-4)
    assert (found.decades, found.within) == (pytest.approx(4), 0.01)
    turned = good_rates(rates[::-1], [-score for score in scores[::-1]], 0.01, higher=False)
    assert turned.share == pytest.approx(found.share)


def test_without_a_range_or_a_result_there_are_no_good_rates():
    assert good_rates([0.1, 0.1], [0.5, 0.6], 0.01) is None
    assert good_rates([0.1, 1.0], [nan, nan], 0.01) is None
    assert good_rates([], [], 0.01) is None
