"""Reasons to doubt a ranking: what a careful reader would ask before believing it; `words.warnings` writes them.

An optimizer that lost to one that it contains was not tuned well (`inclusion`), one whose chosen configuration diverges
was tuned on too few seeds, and one of which no configuration beat guessing was not compared at all. Where a task does
not tell what guessing gives, nothing is compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import isfinite, nan, sqrt
from typing import Any

from surefoot.analysis.inclusion import Beaten, beaten
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Arm
from surefoot.analysis.tuning import TuningRow
from surefoot.statistics.checks import count, share
from surefoot.store.protocol import Protocol


@dataclass(frozen=True)
class Unstable:
    """What tuning chose on `tuning_seeds` diverged on `diverged` of `judged` measuring seeds."""

    label: str
    tuning_seeds: int
    diverged: int
    judged: int


@dataclass(frozen=True)
class NoProgress:
    """No configuration beat `chance`: the `best` (None where all diverged) is within what `luck` alone can reach."""

    label: str
    best: float | None
    chance: float
    luck: float


Doubt = Beaten | Unstable | NoProgress


def doubts(arms: Sequence[Arm], tuning: Sequence[TuningRow], protocol: Protocol, scale: Scale) -> tuple[Doubt, ...]:
    """Every reason to doubt the ranking of these arms, of which some were tuned as `tuning` tells."""
    tuned = {row.label for row in tuning}
    sure: tuple[Doubt, ...] = (*beaten([arm for arm in arms if arm.label in tuned]), *_unstable(arms, tuning))
    chance = protocol.chance
    return sure if chance is None else (*sure, *_at_chance(arms, tuning, float(chance), protocol, scale))


def no_progress(label: str, values: Iterable[float], chance: float, scale: Scale, size: Any = None) -> list[NoProgress]:
    """A doubt when no configuration of an optimizer beat guessing; none when one did.

    Args:
        label: the optimizer's name.
        values: the best figure of each configuration that was tried; not finite where it diverged.
        chance: what guessing gets (the share of the largest class), or the initial loss.
        scale: of the metric.
        size: examples of which a share was taken, where that is known: then luck must be beaten too.
    """
    known = [value for value in values if isfinite(value)]
    best = scale.best(known) if known else None
    margin = guessing_margin(chance, size) if scale.metric.share and 0 < chance < 1 and isinstance(size, int) else 0.0
    luck = chance + scale.gain(margin)
    beat = best is not None and scale.gain(best) > scale.gain(luck)
    return [] if beat else [NoProgress(label, best, chance, luck)]


def guessing_margin(chance: float, size: int) -> float:
    """How far above `chance` luck alone can lift an accuracy on `size` examples: three standard deviations."""
    return 3 * sqrt(share(chance, "chance") * (1 - chance) / count(size, "size"))


def _unstable(arms: Sequence[Arm], tuning: Sequence[TuningRow]) -> Iterator[Unstable]:
    searches = {row.label: row for row in tuning}
    for arm in arms:
        if arm.label in searches and arm.diverged:
            yield Unstable(arm.label, len(searches[arm.label].seeds), len(arm.diverged), len(arm.judged))


def _at_chance(
    arms: Sequence[Arm], tuning: Sequence[TuningRow], chance: float, protocol: Protocol, scale: Scale
) -> Iterator[NoProgress]:
    """The optimizers that learned nothing: the tuned by validation, the others by their test metric."""
    for row in tuning:
        ended = [one for one in row.tried if one.status in ("finished", "diverged")]
        if ended:
            tried = [nan if one.metric is None else one.metric for one in ended]
            yield from no_progress(row.label, tried, chance, scale, protocol.validation_size or None)
    tuned = {row.label for row in tuning}
    for arm in arms:
        if arm.label not in tuned and arm.judged:
            yield from no_progress(arm.label, arm.results().values(), chance, scale, protocol.test_size or None)
