"""Tuning as pure functions: the configurations to try, the winner, and the end of the search.

Four things make it fair. Every optimizer is tried at the same positions of its space, so no one draws the lucky
points; the first column is the learning rate, hence its positions are the same however many dimensions follow. The
points do not depend on results (quasi-random, as Google's tuning playbook advises): any number of workers, in any
order, gives the same search. If a best learning rate lies at the edge of our window, the search goes on beyond it
(Wilson et al. 2017), and every other optimizer gets as many more trials; a range that a user gave is never left. And no
single seed decides: the best few of each are run again on more seeds, and chosen by the mean.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite

import numpy as np

from surefoot.errors import Argument, UsageError
from surefoot.search.space import check_count
from surefoot.store.design import Search
from surefoot.store.protocol import Better, read_better
from surefoot.store.ranges import Side

Config = Mapping[str, float]

COLUMNS = 32
"""Dimensions of the one Sobol sequence. A space of d dimensions takes its first d columns."""

MOST_EXTENSIONS = 2
"""Extensions of a search, at most. They double its planned cost."""

FINALISTS = 3
"""Configurations of an optimizer that run on all tuning seeds: the best on the first one."""

TUNING_SEEDS = 3
"""Tuning seeds. All configurations run on the first, the finalists on all. Their mean chooses."""

RACING_SEEDS = 4
"""The fewest tuning seeds for a race. A finalist that is clearly behind skips the remaining seeds."""

FIRST_TUNING_SEED = 1000
"""The first seed that tunes. Seeds below it measure, so no seed both chooses and measures."""


@dataclass(frozen=True)
class Extension:
    """The next configurations of one optimizer: beyond one side of its window, or, if None, within its space."""

    side: Side | None
    configs: tuple[Config, ...]


@dataclass(frozen=True)
class Tuning:
    """The tuning of one optimizer: its configurations in order, and their results.

    `values` are validation values; one that is not finite diverged. `extensions` has an entry for each time that the
    search went on: the side of the window, or None if it went on within. `finals` are the means over all tuning seeds
    of the `finalists`, in their order; one is not finite if it diverged on any of them, or was dropped.
    """

    space: Search
    configs: tuple[Config, ...] = ()
    values: tuple[float, ...] = ()
    extensions: tuple[Side | None, ...] = ()
    finals: tuple[float, ...] = ()

    def after(self, extension: Extension, values: Sequence[float]) -> Tuning:
        """Return this tuning with an extension's configurations and their values added."""
        return Tuning(
            self.space,
            (*self.configs, *extension.configs),
            (*self.values, *values),
            (*self.extensions, extension.side),
        )


def propose(space: Search, trials: int, seed: int, skip: int = 0) -> list[dict[str, float]]:
    """Return the configurations to try. A smaller number of trials gives the first of them.

    Args:
        space: what is searched; if that is nothing, nothing is proposed.
        trials: how many configurations, from 1.
        seed: of the scrambling (Matoušek 1998), the same for every optimizer of a study; unlike a trial's seed.
        skip: leave out so many at the start: those that were tried already.
    """
    check_count("trials", trials)
    dimensions = len(space.ranges)
    if dimensions > COLUMNS:
        raise UsageError(f"{dimensions} ranges are given; give at most {COLUMNS}, or fewer: each needs trials.")
    points = _points(skip + trials, seed)[skip:, :dimensions]
    return [space.at(point) for point in points.tolist()] if dimensions else []


def _points(count: int, seed: int) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    from scipy.stats import qmc  # imports for most of a second: not where nothing is tuned

    # Drawn as a whole power of two, the only size that SciPy takes without a warning, and cut.
    sobol = qmc.Sobol(d=COLUMNS, scramble=True, seed=np.random.default_rng(seed))
    points: np.ndarray[tuple[int, int], np.dtype[np.float64]] = sobol.random_base2((count - 1).bit_length())[:count]
    return points


def best(values: Sequence[float], better: Better) -> int:
    """Return the index of the best validation value. Diverged values come last; the earlier of equals wins.

    Raises:
        UsageError: there is no value, or `better` is neither "max" nor "min".
    """
    return _ranked(values, better)[0]


def _ranked(values: Sequence[float], better: Better) -> list[int]:
    if not values:
        raise UsageError("there is no result to choose from; run the trials first.")
    sign = -1 if read_better(better, "the validation metric") == "max" else 1
    return sorted(range(len(values)), key=lambda i: (0, sign * values[i]) if isfinite(values[i]) else (1, 0.0))


def finalists(tuning: Tuning, better: Better) -> list[Config]:
    """Return the finalists, the best on the first tuning seed first. A single configuration has none."""
    if len(tuning.configs) < 2:
        return []
    return [tuning.configs[index] for index in _ranked(tuning.values, better)[:FINALISTS]]


def again(trials: int, seeds: int = TUNING_SEEDS) -> int:
    """Return how many trials the finalists of so many configurations cost every optimizer, at most."""
    return min(FINALISTS, trials) * (seeds - 1) if trials > 1 else 0


def longest(trials: int, seeds: int = TUNING_SEEDS) -> int:
    """Return the most trials that this tuning can take: all extensions and the finalists."""
    tried = trials + MOST_EXTENSIONS * extra(trials)
    return tried + again(tried, seeds)


def chosen(tuning: Tuning, better: Better) -> Config:
    """Return the winning configuration, to be measured on fresh seeds; empty if nothing was searched.

    It is the best of the finalists, if there were any. If every trial diverged it is the first, and measuring it will
    show so.
    """
    if tuning.finals:
        return finalists(tuning, better)[best(tuning.finals, better)]
    return tuning.configs[best(tuning.values, better)] if tuning.space.ranges else {}


def edge(space: Search, configs: Sequence[Config], winner: int) -> Side | None:
    """Return the side on which the winner has no neighbour; None if it has both.

    Trials that diverged are neighbours too: they show where the good rates end. Only the order of positions counts, so
    the answer is the same in any unit of the axis.
    """
    if "lr" not in space.ranges:
        return None
    tried = [space.ranges["lr"].position(config["lr"]) for config in configs]
    low, high = min(tried), max(tried)
    if low == high or low < tried[winner] < high:
        return None
    return "below" if tried[winner] == low else "above"


def growing_side(tuning: Tuning, better: Better) -> Side | None:
    """Return the edge of our window at which the best lies; None if nothing was searched or all diverged.

    The ends of a range that the user gave are hard.
    """
    if not tuning.space.may_grow or not any(map(isfinite, tuning.values)):
        return None
    return edge(tuning.space, tuning.configs, best(tuning.values, better))


def extended(space: Search, side: Side, times: int = 1) -> Search:
    """Return the half-width window beyond one edge of a space. `times` counts extensions from 1.

    With half of the trials (`extra`) it is searched as densely as the first window.
    """
    if not space.may_grow:
        raise UsageError(f"{space.text}: only our own window of lr can be extended; give a wider range.")
    return replace(space, ranges={**space.ranges, "lr": space.ranges["lr"].beyond(side, times)})


def extra(trials: int) -> int:
    """Return the trials of an extension: half as many as planned, rounded up."""
    return (trials + 1) // 2


def plan_extension(tunings: Mapping[str, Tuning], trials: int, better: Better, seed: int) -> dict[str, Extension]:
    """Return the next configurations of every optimizer, or nothing if the search is over.

    It goes on if any best lies at an edge of our window, at most `MOST_EXTENSIONS` times. Then every optimizer gets
    `extra(trials)` more trials at the next points of the one sequence: beyond its edge if its best lies there, else
    within its space, as is any range that the user gave. One that has nothing to search gets none.

    Args:
        tunings: finished tunings by label, all of the same study.
        trials: configurations that each was planned with.
        better: whether a larger ("max") or a smaller ("min") validation value is better.
        seed: the one that `propose` had.

    Raises:
        UsageError: a tuning has more or fewer results than the others.
    """
    searched = {label: tuning for label, tuning in tunings.items() if tuning.space.ranges}
    rounds = max((len(tuning.extensions) for tuning in searched.values()), default=0)
    expected = trials + rounds * extra(trials)
    for label, tuning in searched.items():
        if not len(tuning.configs) == len(tuning.values) == expected:
            raise UsageError(
                f"{label!r} has {len(tuning.values)} results for {len(tuning.configs)} configurations where every "
                f"optimizer is to have {expected}; finish its trials first."
            )
    sides = {label: growing_side(tuning, better) for label, tuning in searched.items()}
    if rounds == MOST_EXTENSIONS or not any(sides.values()):
        return {}
    return {label: _extension(tuning, sides[label], extra(trials), seed) for label, tuning in searched.items()}


def _extension(tuning: Tuning, side: Side | None, trials: int, seed: int) -> Extension:
    space = extended(tuning.space, side, 1 + tuning.extensions.count(side)) if side else tuning.space
    return Extension(side, tuple(propose(space, trials, seed, skip=len(tuning.configs))))


def seeds(measure: int, tuning: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the seeds that measure, from 0, and those that tune, from `FIRST_TUNING_SEED`.

    Raises:
        UsageError: fewer than 1 of either, or more than 1,000 that measure.
    """
    check_count("seeds", measure)
    check_count("tuning seeds", tuning)
    if measure > (most := FIRST_TUNING_SEED):
        raise UsageError(
            Argument("seeds"), f" is {measure}; give at most {most}: from {most} on, seeds are for tuning."
        )
    return tuple(range(measure)), tuple(range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + tuning))
