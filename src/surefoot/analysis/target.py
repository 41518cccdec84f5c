"""How fast: epochs and seconds until a validation accuracy is first reached, for a target that tells trials apart.

A target that all reach at their first evaluation, or none reaches, ranks nothing, so it is refused. A trial that
never reaches the target stays in the median as "later than everything": dropping it would flatter the optimizer
that failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, isfinite
from statistics import median

from surefoot.analysis.arms import Arm
from surefoot.store.records import Record

CANDIDATES = (0.80, 0.90, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)


@dataclass(frozen=True)
class Reach:
    """How an arm reached the target: `reached` of `of` trials, and the median epochs and training seconds.

    A median is None when at least half of the trials missed the target. Trials that diverged count as misses;
    unfinished and failed ones are left out.
    """

    reached: int
    of: int
    epochs: float | None
    seconds: float | None


def choose_target(arms: Sequence[Arm]) -> float | None:
    """The highest candidate that discriminates and that at least half of the arms reach in at least half of their
    trials; when no arm majority reaches a discriminating one, the lowest that discriminates; None when none does.
    """
    discriminating = [target for target in CANDIDATES if discriminates(arms, target)]
    shared = [target for target in discriminating if _arms_that_reach(arms, target) * 2 >= len(_judged(arms))]
    return max(shared, default=min(discriminating, default=None))


def discriminates(arms: Sequence[Arm], target: float) -> bool:
    """Whether at least one finished trial reaches the target and not all of them do at their first evaluation."""
    first = [_first_crossing(trial, target)[0] for arm in arms for trial in arm.finished]
    return any(isfinite(epoch) for epoch in first) and any(epoch > 1 for epoch in first)


def reach(arm: Arm, target: float) -> Reach | None:
    """When the arm reached the target; None when no trial of it finished or diverged."""
    if not arm.judged:
        return None
    crossings = [_first_crossing(trial, target) for trial in arm.judged]
    epochs, seconds = (median(column) for column in zip(*crossings, strict=True))
    hits = sum(isfinite(epoch) for epoch, _ in crossings)
    return Reach(hits, len(crossings), _known(epochs), _known(seconds))


def _first_crossing(trial: Record, target: float) -> tuple[float, float]:
    """Epoch and seconds of the first evaluation at or above the target; infinite when there is none."""
    if trial.status == "diverged":
        return inf, inf
    return next(((e.epoch, e.seconds) for e in trial.epochs if e.validation_metric >= target), (inf, inf))


def _arms_that_reach(arms: Sequence[Arm], target: float) -> int:
    reaches = [reach(arm, target) for arm in arms]
    return sum(one is not None and one.epochs is not None for one in reaches)


def _judged(arms: Sequence[Arm]) -> list[Arm]:
    return [arm for arm in arms if arm.judged]


def _known(value: float) -> float | None:
    return value if isfinite(value) else None
