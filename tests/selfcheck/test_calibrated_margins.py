"""Calibration of margins and races: promises hold, and what would break them is caught."""

import numpy as np
import pytest

from surefoot.analysis import closeness, pairwise
from surefoot.search import race as racing
from surefoot.selfcheck.margins import MARGIN, UNEVEN, false_margins, race
from surefoot.selfcheck.seed_models import DIVERGING, NORMAL, OWN, SKEWED, TWO_BASINS
from surefoot.statistics import equivalence
from surefoot.statistics.intervals import ALPHA


def rng(*seed):
    return np.random.default_rng(seed)


@pytest.mark.parametrize(
    ("world", "arms", "looks"),
    [
        (NORMAL, 2, (5,)),
        (SKEWED, 2, (8,)),
        (TWO_BASINS, 2, (6, 10)),
        (NORMAL, 4, (8,)),
        (DIVERGING, 2, (10,)),
        (UNEVEN, 2, (10,)),
    ],
)
def test_false_claims_of_equality_are_as_rare_as_promised(world, arms, looks):
    row = false_margins(world, arms, looks, 400, rng(30, arms))
    assert row.holds
    assert (row.world, row.arms, row.looks, row.equal.of) == (world.name, arms, looks, 400)
    assert row.equal.hits <= row.not_worse.hits


def test_the_first_arm_is_better_by_the_margin():
    for world in (NORMAL, SKEWED, TWO_BASINS):
        scores = world.draw(rng(31), 4000, 2, 5, MARGIN)
        assert (scores[:, 0] - scores[:, 1]).mean() == pytest.approx(MARGIN, abs=4 * 1.5 * OWN / 20_000**0.5)
    scores = np.nan_to_num(DIVERGING.draw(rng(31), 20_000, 2, 5, MARGIN / 0.7), nan=0.1)
    assert (scores[:, 0] - scores[:, 1]).mean() == pytest.approx(MARGIN, abs=0.006)
    scores = UNEVEN.draw(rng(31), 500, 3, 5)
    assert not np.isnan(scores[:, 0]).any()
    assert np.isnan(scores[:, 1:]).mean() == pytest.approx(0.3, abs=0.03)


def test_calibration_catches_a_margin_that_ignores_earlier_looks(monkeypatch):
    monkeypatch.setattr(equivalence, "shares", lambda looks: [ALPHA] * len(looks.at))
    assert not false_margins(NORMAL, 2, (5, 7, 9, 12, 15), 400, rng(32)).holds


def test_calibration_catches_margins_without_a_correction_for_pairs(monkeypatch):
    monkeypatch.setattr(closeness, "adjusted", list)
    monkeypatch.setattr(equivalence, "shares", lambda _: [ALPHA])
    assert not false_margins(NORMAL, 4, (8,), 800, rng(33)).holds


def test_calibration_catches_a_test_on_one_side_only_of_the_mean(monkeypatch):
    """That no difference was found is no equality: the mistake that the margin is there to mend."""
    monkeypatch.setattr(equivalence, "one_sided", lambda leads, _: 0.0 if np.mean(leads) > -MARGIN else 1.0)
    assert not false_margins(NORMAL, 2, (5,), 200, rng(34)).holds


def test_calibration_catches_seeds_that_diverged_and_were_left_out(monkeypatch):
    """Judged by the seeds that it finished, an optimizer that diverges is equal to one that does not."""

    def left_out(scores, scale):
        del scale
        means = {name: np.nanmean([*found.values()]) for name, found in scores.items()}
        return {
            name: {seed: means[name] if np.isnan(score) else score for seed, score in found.items()}
            for name, found in scores.items()
        }

    monkeypatch.setattr(pairwise, "counted", left_out)
    assert not false_margins(UNEVEN, 2, (10,), 200, rng(35)).holds


@pytest.mark.parametrize(("seeds", "gaps"), [(4, (0.0, 0.0)), (6, (0.5, 1.0)), (10, (2.0, 4.0))])
def test_a_race_drops_the_best_seldom_and_loses_nothing_that_shows(seeds, gaps):
    row = race(seeds, gaps, 500, rng(36, seeds))
    assert row.holds
    assert (row.seeds, row.gaps, row.dropped.of) == (seeds, gaps, 500)
    assert 0 <= row.saved < 1


def test_few_tuning_seeds_save_little_and_many_save_more_where_it_is_clear():
    """With 4 tuning seeds a race can hardly stop."""
    assert race(4, (0.0, 0.0), 300, rng(37)).saved < 0.06
    assert race(4, (2.0, 4.0), 300, rng(38)).saved < race(10, (2.0, 4.0), 300, rng(39)).saved
    assert race(10, (2.0, 4.0), 300, rng(39)).saved > 0.3


def test_calibration_catches_a_race_that_drops_whoever_is_behind(monkeypatch):
    monkeypatch.setattr(racing, "ALPHA", 2.0)
    assert not race(6, (0.5, 1.0), 300, rng(40)).holds


def test_calibration_catches_a_race_without_a_correction_for_looks_and_rivals(monkeypatch):
    monkeypatch.setattr(racing, "FIRST", 2)
    monkeypatch.setattr(racing, "ALPHA", 0.1 * 2 * 7)
    assert not race(10, (0.0, 0.0), 500, rng(41)).holds
