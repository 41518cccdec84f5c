"""Curves, areas and time to target: Kaplan-Meier against published data and scipy, what diverged or never arrived."""

from math import inf, isnan, nan

import numpy as np
import pytest
from scipy import integrate, stats

from surefoot.errors import UsageError
from surefoot.statistics.survival import Trace, curve_area, first_crossing, kaplan_meier, mean_height, time_to_target

REMISSION = [6, 6, 6, 7, 10, 13, 16, 22, 23, 6, 9, 10, 11, 17, 19, 20, 25, 32, 32, 34, 35]
"""Weeks in remission under 6-MP (Freireich et al., Blood 21, 1963); the first nine ended by relapse."""


def by_seed(*traces):
    return dict(enumerate(traces))


def trace(*values, ended="finished"):
    return Trace(tuple(range(1, len(values) + 1)), values, ended == "diverged")


def random_times(seed, n=25):
    rng = np.random.default_rng(seed)
    times, limits = rng.integers(1, 12, n), rng.integers(3, 15, n)
    return np.minimum(times, limits).astype(float), times <= limits


def test_the_textbook_s_curve():
    found = kaplan_meier(REMISSION, [True] * 9 + [False] * 12)
    assert found.times == (6, 7, 10, 13, 16, 22, 23)
    assert found.waiting == pytest.approx((0.857, 0.807, 0.753, 0.690, 0.627, 0.538, 0.448), abs=5e-4)
    assert (found.median, found.median_low, found.median_high) == (23, 13, None)
    assert (found.reached, found.of) == (9, 21)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore:The confidence interval is undefined")
def test_curve_and_intervals_are_scipy_s(seed):
    times, reached = random_times(seed)
    expected = stats.ecdf(stats.CensoredData.right_censored(times, ~reached)).sf
    band = expected.confidence_interval(0.95, method="log-log")
    found = kaplan_meier(times, reached)
    at = np.array(found.times)
    assert found.waiting == pytest.approx(expected.evaluate(at))
    assert found.low == pytest.approx(band.low.evaluate(at), nan_ok=True)
    assert found.high == pytest.approx(band.high.evaluate(at), nan_ok=True)


def test_without_censoring_the_curve_is_the_share_that_waits():
    found = kaplan_meier([3, 1, 2, 2], [True] * 4)
    assert (found.times, found.waiting) == ((1, 2, 3), (0.75, 0.25, 0))
    assert found.median == 2
    assert isnan(found.low[-1])
    assert isnan(found.high[-1])


def test_a_median_is_unknown_when_less_than_half_arrive():
    found = kaplan_meier([2, 5, 5, 5], [True, False, False, False])
    assert (found.median, found.median_high, found.reached) == (None, None, 1)
    assert kaplan_meier([5, 5], [False, False]).times == ()


def test_one_that_diverged_waits_for_ever_and_one_that_was_stopped_does_not():
    """Both leave at 2. The one that was stopped might have arrived next; the one that diverged will not."""
    stopped = kaplan_meier([2, 4, 6, 8], [False, True, True, True])
    lost = kaplan_meier([inf, 4, 6, 8], [False, True, True, True])
    assert stopped.waiting == pytest.approx((2 / 3, 1 / 3, 0))
    assert lost.waiting == pytest.approx((0.75, 0.5, 0.25))
    assert (stopped.median, lost.median) == (6, 6)


def test_median_intervals_cover():
    rng = np.random.default_rng(9)
    hits = 0
    for _ in range(400):
        times, limits = rng.exponential(1, 20), rng.uniform(0.5, 4, 20)
        found = kaplan_meier(np.minimum(times, limits), times <= limits)
        low, high = (bound if bound is not None else inf for bound in (found.median_low, found.median_high))
        hits += low <= np.log(2) < high
    assert hits / 400 >= 0.92


@pytest.mark.parametrize(
    ("times", "reached"), [([], []), ([1.0, 2.0], [True]), ([nan, 1.0], [False, True]), ([inf, 1.0], [True, True])]
)
def test_times_that_make_no_sense_are_refused(times, reached):
    with pytest.raises(UsageError, match="expected"):
        kaplan_meier(times, reached)


def test_first_crossing_in_either_direction():
    assert first_crossing(trace(0.5, 0.9, 0.8, 0.95), 0.9) == 2
    assert first_crossing(trace(2.0, 0.4, 0.6), 0.5, higher=False) == 2
    assert first_crossing(trace(0.5, 0.6), 0.9) == inf
    assert first_crossing(trace(nan, nan, 0.9), 0.9) == 3


def test_a_trial_that_touched_the_target_and_diverged_never_reached_it():
    assert first_crossing(trace(0.5, 0.95, ended="diverged"), 0.9) == inf
    found = time_to_target({"a": by_seed(trace(0.5, 0.95, ended="diverged"), trace(0.5, 0.6, 0.91))}, 0.9)["a"]
    assert (found.reached, found.of, found.median) == (1, 2, 3)
    assert found.waiting == (0.5,)  # it waits for ever, not until it stopped at 2
    gone_at_once = time_to_target({"a": by_seed(Trace((), (), diverged=True), trace(0.5, 0.6, 0.91))}, 0.9)["a"]
    assert gone_at_once.waiting == (0.5,)


def test_those_that_miss_are_kept_where_a_mean_would_drop_them():
    """DeepOBS's momentum misses its target in 2 of 10 seeds, which a mean over those that reached it leaves out."""
    hits = [trace(*[0.5] * (epoch - 1), *[0.92] * (20 - epoch)) for epoch in (5, 5, 6, 6, 6, 7, 7, 7)]
    misses = [trace(*[0.5] * 19)] * 2
    found = time_to_target({"momentum": by_seed(*hits, *misses)}, 0.9198)["momentum"]
    assert (found.reached, found.of) == (8, 10)
    assert found.median == 6  # the mean of the eight is 6.125
    assert found.waiting[-1] == pytest.approx(0.2)


def test_trials_of_different_length_are_censored_each_at_its_own_end():
    group = [trace(0.1, 0.2), trace(0.1, 0.1, 0.1, 0.9), trace(0.1, 0.1, 0.9)]
    assert time_to_target({"a": by_seed(*group)}, 0.9)["a"].waiting == pytest.approx((0.5, 0))


def test_in_seconds_the_quick_that_missed_wait_until_the_last_has_ended():
    """Three trainings of as many epochs: two were done and had missed before the third arrived, so one of three did."""
    quick = [Trace((1.0, 2.0), (0.1, 0.2)), Trace((1.0, 2.1), (0.1, 0.2))]
    group = [*quick, Trace((2.0, 4.0), (0.1, 0.9))]
    alone = time_to_target({"a": by_seed(*group)}, 0.9)["a"]
    assert (alone.waiting, alone.median) == ((0.0,), 4)
    together = time_to_target({"a": by_seed(*group)}, 0.9, same_length=True)["a"]
    assert together.waiting == pytest.approx((2 / 3,))
    assert together.median is None


@pytest.mark.parametrize(
    ("groups", "target", "words"),
    [
        ([trace(0.91, 0.92), trace(0.93)], 0.9, "every trial is at the target 0.9 at its first evaluation"),
        ([trace(0.1, 0.2)], 0.9, "no trial reaches the target 0.9"),
        ([trace(0.1, 0.95, ended="diverged")], 0.9, "no trial reaches"),
    ],
)
def test_a_target_that_tells_nothing_apart_is_refused(groups, target, words):
    with pytest.raises(UsageError, match=words):
        time_to_target({"a": by_seed(*groups)}, target)


def test_deepobs_vae_targets_are_refused():
    """mnist_vae's 73.5 and fmnist_vae's 93.0 are met by every optimizer in its first epoch."""
    with pytest.raises(UsageError, match="first evaluation"):
        time_to_target({"a": {0: trace(60.1, 50.0)}, "b": {0: trace(71.9, 55.0)}}, 73.5, higher=False)


@pytest.mark.parametrize(
    ("clock", "values", "words"), [((1,), (), "1 times and 0"), ((2, 1), (0, 0), "move on"), ((), (), "no values")]
)
def test_a_trace_that_is_none_is_refused(clock, values, words):
    with pytest.raises(UsageError, match=words):
        Trace(clock, values)


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
