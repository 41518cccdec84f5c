"""The interquartile mean over all runs of all tasks, with a stratified bootstrap: one number for a whole suite.

The middle half of the runs is averaged, so that neither one lucky seed nor one task that fails decides. The interval
resamples seeds within each task, never tasks, because the tasks are given and the seeds are luck. Randomness comes
from the seed that is passed and nothing else. Scores must be on one scale (a share of the best, say) before this.
Source: Agarwal et al., NeurIPS 2021, arXiv:2108.13264.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from surefoot.errors import UsageError
from surefoot.statistics.checks import Numbers, count, finite, share

RESAMPLES = 10_000
FEWEST_TASKS = 2


@dataclass(frozen=True)
class Aggregate:
    """An interquartile mean with its percentile bootstrap interval, over `runs` runs of `tasks` tasks."""

    mean: float
    low: float
    high: float
    runs: int
    tasks: int


def aggregate(
    scores: Mapping[str, Sequence[float]], *, resamples: int = RESAMPLES, seed: int = 0, level: float = 0.95
) -> Aggregate:
    """The interquartile mean of one optimizer over several tasks, with its interval.

    Use it for two tasks or more, with at least 3 seeds each; for one task `intervals.t_interval` says more. With few
    seeds a percentile bootstrap is somewhat too narrow.

    Args:
        scores: for each task the scores of its seeds, normalised to one scale; the number of seeds may differ.
        resamples: bootstrap resamples.
        seed: of the resampling; the same seed gives the same interval.
        level: of the interval.

    Raises UsageError for fewer than 2 tasks or 3 seeds, or scores that are not finite.
    """
    if len(scores) < FEWEST_TASKS:
        raise UsageError(f"{len(scores)} task to aggregate over; expected {FEWEST_TASKS} or more.")
    groups = [finite(values, f"the scores of {task}", 3) for task, values in scores.items()]
    rng = np.random.default_rng(seed)
    count(resamples, "resamples", 100)
    drawn = np.concatenate([group[rng.integers(0, len(group), (resamples, len(group)))] for group in groups], axis=1)
    tail = (1 - share(level, "level")) / 2
    low, high = np.quantile(interquartile_mean(drawn), [tail, 1 - tail])
    runs = np.concatenate(groups)
    return Aggregate(float(interquartile_mean(runs)), float(low), float(high), len(runs), len(groups))


def interquartile_mean(values: Numbers) -> Numbers:
    """The mean of the middle half along the last axis: a quarter (rounded down) is cut off at either end."""
    ordered = np.sort(values, axis=-1)
    cut = ordered.shape[-1] // 4
    return np.asarray(ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1))
