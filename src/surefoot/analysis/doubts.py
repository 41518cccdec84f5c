"""The warnings of a study: what a careful reader would ask before believing its ranking.

An optimizer that lost to one that it contains was not tuned well, one whose chosen configuration diverges was tuned on
too few seeds, and one of which no configuration beat guessing was not compared at all. Where a task does not tell what
guessing gives, nothing is compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import nan
from typing import Any

from surefoot.analysis.arms import Arm
from surefoot.analysis.inclusion import guessing_margin, inclusion_warnings, no_progress_warning
from surefoot.analysis.scale import Scale
from surefoot.analysis.tuning import TuningRow
from surefoot.analysis.wording import seeds


def warnings(
    arms: Sequence[Arm], tuning: Sequence[TuningRow], protocol: Mapping[str, Any], scale: Scale
) -> tuple[str, ...]:
    """A sentence for each reason to doubt the ranking of these arms, of which some were tuned as `tuning` tells."""
    tuned = {row.label for row in tuning}
    sure = (*inclusion_warnings([arm for arm in arms if arm.label in tuned]), *_unstable(arms, tuning))
    chance = protocol.get("chance")
    return sure if chance is None else (*sure, *_at_chance(arms, tuning, float(chance), protocol, scale))


def _unstable(arms: Sequence[Arm], tuning: Sequence[TuningRow]) -> Iterator[str]:
    """A warning for each configuration that did best in tuning and then diverged."""
    searches = {row.label: row for row in tuning}
    for arm in arms:
        if arm.label in searches and arm.diverged:
            yield (
                f"{arm.label}: what was chosen on {seeds(len(searches[arm.label].seeds))} of tuning diverged on "
                f"{len(arm.diverged)} of {seeds(len(arm.judged))} of measuring. A lower learning rate may be safer."
            )


def _at_chance(
    arms: Sequence[Arm], tuning: Sequence[TuningRow], chance: float, protocol: Mapping[str, Any], scale: Scale
) -> Iterator[str]:
    """A warning for each optimizer that learned nothing: the tuned by validation, the others by their test metric."""
    tuned = {row.label for row in tuning}
    for row in tuning:
        ended = [one for one in row.tried if one.status in ("finished", "diverged")]
        tried = [nan if one.metric is None else one.metric for one in ended]
        yield from _warning(row.label, tried, chance, protocol.get("validation_size"), scale)
    for arm in arms:
        if arm.label not in tuned:
            measured = [*arm.metrics().values(), *(nan for _ in arm.diverged)]
            yield from _warning(arm.label, measured, chance, protocol.get("test_size"), scale)


def _warning(label: str, values: Sequence[float], chance: float, size: Any, scale: Scale) -> Iterable[str]:
    if not values:
        return ()
    known = scale.metric.share and 0 < chance < 1 and isinstance(size, int)
    margin = guessing_margin(chance, size) if known else 0.0
    said = no_progress_warning(label, values, chance, higher=scale.sign > 0, margin=margin, write=scale.value)
    return [said] if said else []
