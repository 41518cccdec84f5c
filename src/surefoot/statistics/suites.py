"""Several problems at once: how much slower each optimizer is than the fastest, and how good it is overall.

Times to a target are ratios to the fastest optimizer on the same problem; a miss has an infinite time. The AlgoPerf
score is the area under the performance profile, in closed form. The interquartile mean averages the middle half of all
runs, so that neither one lucky seed nor one failed problem decides. Its interval resamples seeds within each problem,
because the problems are fixed and the seeds are luck.

Sources: Dahl et al., arXiv:2306.07179 (score); Dolan and Moré, Mathematical Programming 91 (2002) (profiles); Agarwal
et al., NeurIPS 2021, arXiv:2108.13264 (interquartile mean).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from statistics import fmean

import numpy as np
from scipy import stats

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import count, finite
from surefoot.statistics.intervals import LEVEL

R_MAX = 4.0
"""The multiple of the fastest one's time from which an optimizer counts as a miss."""

FEWEST_PROBLEMS = 3
"""The fewest problems with which a performance profile says more than the times do."""

FEWEST_TASKS = 2
"""The fewest problems for an interquartile mean."""

RESAMPLES = 10_000

ByProblem = Mapping[str, Mapping[str, float]]
"""A number for each optimizer and, within it, each problem."""


@dataclass(frozen=True)
class Profile:
    """The `shares` of the problems that an optimizer solves within `ratios` times the fastest one's time.

    It is a step function from 1 to `R_MAX`: each share holds from its ratio to the next.
    """

    ratios: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Aggregate:
    """An interquartile mean with its 95 % percentile bootstrap interval, over `runs` runs of `tasks` tasks."""

    mean: float
    low: float
    high: float
    runs: int
    tasks: int


def time_ratios(times: ByProblem) -> dict[str, dict[str, float]]:
    """Return the times as multiples of the fastest on the same problem; infinite for a miss.

    A problem that all miss is kept, and lowers every score.

    Raises:
        UsageError: an optimizer lacks a problem that another has, or a time is not above 0.
    """
    problems = _problems(times)
    for time in (of[problem] for of in times.values() for problem in problems):
        if isnan(time) or time <= 0:
            raise UsageError(f"a time to target is {time}; expected a number above 0, infinity for a miss.")
    best = {problem: min(of[problem] for of in times.values()) for problem in problems}
    return {
        name: {problem: of[problem] / best[problem] if isfinite(of[problem]) else inf for problem in problems}
        for name, of in times.items()
    }


def algoperf_score(times: ByProblem) -> dict[str, float]:
    """Return the AlgoPerf score of each optimizer, from 0 to 1.

    It is the mean over problems of max(0, R_MAX - r) / (R_MAX - 1), where r is the ratio to the fastest: 0 if never
    within `R_MAX`, 1 if fastest on every problem. It depends on the other optimizers: compare scores within one
    comparison only.
    """
    return {
        name: fmean(max(0.0, R_MAX - ratio) / (R_MAX - 1) for ratio in of.values())
        for name, of in time_ratios(times).items()
    }


def performance_profiles(times: ByProblem) -> dict[str, Profile]:
    """Return the performance profile of each optimizer, whose mean height is its `algoperf_score`.

    Raises:
        UsageError: fewer than 3 problems; a staircase of one or two steps says no more than the times do.
    """
    if len(problems := _problems(times)) < FEWEST_PROBLEMS:
        raise UsageError(
            f"a performance profile over {len(problems)} problem{'s'[: len(problems) > 1]} says nothing; "
            f"expected at least {FEWEST_PROBLEMS}. Compare the times to target instead."
        )
    profiles = {}
    for name, of in time_ratios(times).items():
        steps = sorted({1.0, R_MAX, *(ratio for ratio in of.values() if ratio <= R_MAX)})
        shares = tuple(fmean(ratio <= step for ratio in of.values()) for step in steps)
        profiles[name] = Profile(tuple(steps), shares)
    return profiles


def _problems(table: ByProblem) -> tuple[str, ...]:
    """Return the problems, which every optimizer must have: leaving out hard ones would look like being fast."""
    if not table or not any(table.values()):
        raise UsageError("no optimizer or no problem was given.")
    problems = dict.fromkeys(problem for of in table.values() for problem in of)
    for name, of in table.items():
        if missing := [problem for problem in problems if problem not in of]:
            raise UsageError(f"{name} has no result on {', '.join(missing)}. Give infinity where it missed the target.")
    return tuple(problems)


def aggregate(scores: Mapping[str, Sequence[float]], *, resamples: int = RESAMPLES, seed: int = 0) -> Aggregate:
    """Return the interquartile mean of one optimizer over several tasks, with its interval.

    Use it for two tasks or more, with at least 3 seeds each; for one task `intervals.t_interval` says more. With few
    seeds a percentile bootstrap is somewhat too narrow.

    Args:
        scores: scores over seeds for each task, normalised to one scale; the number of seeds may differ.
        resamples: number of bootstrap resamples, at least 100.
        seed: seed of the resampling; the same seed gives the same interval.

    Raises:
        UsageError: fewer than 2 tasks or 3 seeds, or scores that are not finite.
    """
    if len(scores) < FEWEST_TASKS:
        raise UsageError(f"{len(scores)} task to aggregate over; expected {FEWEST_TASKS} or more.")
    groups = [finite(values, f"the scores of {task}", 3) for task, values in scores.items()]
    rng = np.random.default_rng(seed)
    count(resamples, "resamples", 100)
    drawn = np.concatenate([group[rng.integers(0, len(group), (resamples, len(group)))] for group in groups], axis=1)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(stats.trim_mean(drawn, 0.25, axis=1), [tail, 1 - tail])
    runs = np.concatenate(groups)
    return Aggregate(float(stats.trim_mean(runs, 0.25)), float(low), float(high), len(runs), len(groups))
