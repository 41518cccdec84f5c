"""Several problems at once: who is how much slower than the fastest.

Times to a target are compared as ratios to the fastest optimizer on the same problem; one that misses the target took
for ever, and that infinity goes through every ratio and score as it is. The AlgoPerf score is the area under
the performance profile, here in closed form, so no grid rounds it. What is said of one problem needs none of this.
Sources: Dahl et al., Benchmarking Neural Network Training Algorithms, arXiv:2306.07179 (score); Dolan and
Moré, Mathematical Programming 91 (2002) (profiles).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite, isnan
from statistics import fmean

from surefoot.errors import UsageError

R_MAX = 4.0
"""An optimizer that takes this many times the fastest one's time counts as one that misses."""

FEWEST_PROBLEMS = 3

ByProblem = Mapping[str, Mapping[str, float]]
"""A number for each optimizer and, within it, each problem."""


@dataclass(frozen=True)
class Profile:
    """The `shares` of the problems that an optimizer solves within `ratios` times the fastest one's time.

    A step function from 1 to `r_max`: each share holds from its ratio to the next.
    """

    ratios: tuple[float, ...]
    shares: tuple[float, ...]


def time_ratios(times: ByProblem) -> dict[str, dict[str, float]]:
    """The times of every optimizer as multiples of the fastest on the same problem; infinite for a miss.

    A problem that all miss is a miss for all: it is kept, and lowers every score.

    Raises UsageError when an optimizer lacks a problem that another has, or a time is not above 0.
    """
    problems = _problems(times)
    best = {problem: min(_time(of[problem]) for of in times.values()) for problem in problems}
    return {
        name: {problem: of[problem] / best[problem] if isfinite(of[problem]) else inf for problem in problems}
        for name, of in times.items()
    }


def algoperf_score(times: ByProblem, *, r_max: float = R_MAX) -> dict[str, float]:
    """The AlgoPerf score of each optimizer, from 0 (never within `r_max`) to 1 (fastest on every problem).

    It is the mean over problems of max(0, r_max - r) / (r_max - 1), r being the ratio to the fastest. It depends on
    who takes part: compare scores within one comparison only.
    """
    _check_r_max(r_max)
    return {
        name: fmean(max(0.0, r_max - ratio) / (r_max - 1) for ratio in of.values())
        for name, of in time_ratios(times).items()
    }


def performance_profiles(times: ByProblem, *, r_max: float = R_MAX) -> dict[str, Profile]:
    """The performance profile of each optimizer, whose mean height is its `algoperf_score`.

    Raises UsageError with fewer than 3 problems, where a profile is a staircase of one or two steps that says no more
    than the times do.
    """
    _check_r_max(r_max)
    if len(problems := _problems(times)) < FEWEST_PROBLEMS:
        raise UsageError(
            f"a performance profile over {len(problems)} problem{'s'[: len(problems) > 1]} says nothing; "
            f"expected at least {FEWEST_PROBLEMS}. Compare the times to target instead."
        )
    return {name: _profile(list(of.values()), r_max) for name, of in time_ratios(times).items()}


def _profile(ratios: Sequence[float], r_max: float) -> Profile:
    steps = sorted({1.0, r_max, *(ratio for ratio in ratios if ratio <= r_max)})
    return Profile(tuple(steps), tuple(sum(ratio <= step for ratio in ratios) / len(ratios) for step in steps))


def _problems(table: ByProblem) -> tuple[str, ...]:
    """The problems, which every optimizer must have: leaving out the hard ones would look like being fast."""
    if not table or not any(table.values()):
        raise UsageError("no optimizer or no problem was given.")
    problems = dict.fromkeys(problem for of in table.values() for problem in of)
    for name, of in table.items():
        if missing := [problem for problem in problems if problem not in of]:
            raise UsageError(f"{name} has no result on {', '.join(missing)}. Give infinity where it missed the target.")
    return tuple(problems)


def _time(value: float) -> float:
    if isnan(value) or value <= 0:
        raise UsageError(f"a time to target is {value}; expected a number above 0, infinity for a miss.")
    return value


def _check_r_max(r_max: float) -> None:
    if not 1 < r_max < inf:
        raise UsageError(f"r_max is {r_max}; expected a finite number above 1.")
