"""A race of candidates on the same seeds: one that is clearly behind is dropped early.

At each look every two candidates that are left are tested (one-sided paired t-tests), and who is behind any is dropped.
All tests of one together have `ALPHA` (Bonferroni over looks and rivals), so that the truly best is dropped in one race
of ten at most. An error costs little: what beat it on the same seeds is nearly as good. A candidate that diverged is
dropped as soon as another has not.

Related: Birattari et al., A Racing Algorithm for Configuring Metaheuristics, GECCO (2002).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import isfinite

from surefoot.search.proposals import RACING_SEEDS, Config
from surefoot.statistics.intervals import one_sided

ALPHA = 0.1

FIRST = 2
"""Seeds that all candidates are run on before the first look."""


def dropped(gains: Sequence[Sequence[float]], planned: int, resolution: float = 0.0) -> list[int | None]:
    """After how many seeds each candidate was dropped; None for one that is left.

    It only depends on what came before a look, so more seeds change nothing about who was dropped at it.

    Args:
        gains: of each candidate by seed, larger is better, not finite where it diverged. One that was dropped needs no
            more of them.
        planned: how many seeds the race has at most; who is left then is not tested any more.
        resolution: the smallest step of a gain; the spread of differences is never taken to be smaller.
    """
    found: list[int | None] = [None] * len(gains)
    level = ALPHA / max(1, (planned - FIRST) * (len(gains) - 1))
    for seen in range(FIRST, planned):
        left = [place for place, after in enumerate(found) if after is None]
        if len(left) < 2 or any(len(gains[place]) < seen for place in left):
            break
        so_far = {place: gains[place][:seen] for place in left}
        for place in left:
            if any(_is_behind(so_far[place], so_far[rival], level, resolution) for rival in left):
                found[place] = seen
    return found


def dropped_of(
    finalists: Sequence[Config], raced: Iterable[tuple[Config, float]], tune_seeds: int, resolution: float
) -> list[int | None]:
    """Return after how many seeds of the race each finalist was dropped; None for one that is left.

    Args:
        finalists: the configurations that race, from `RACING_SEEDS` tuning seeds on.
        raced: configuration and gain of each trial after the first seed, which chose the finalists; by seed.
        tune_seeds: planned tuning seeds, the first one included.
        resolution: see `dropped`.
    """
    if tune_seeds < RACING_SEEDS:
        return [None] * len(finalists)
    trials = list(raced)
    gains = [[gain for config, gain in trials if config == finalist] for finalist in finalists]
    return dropped(gains, tune_seeds - 1, resolution)


def _is_behind(gains: Sequence[float], ahead: Sequence[float], level: float, resolution: float) -> bool:
    if not all(map(isfinite, gains)) or not all(map(isfinite, ahead)):
        return all(map(isfinite, ahead))
    differences = [better - worse for better, worse in zip(ahead, gains, strict=True)]
    return one_sided(differences, resolution) <= level
