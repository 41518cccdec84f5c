"""Targets of validation that tell trials apart, and how fast each optimizer came to them.

A target that all reach at their first evaluation, or none reaches, ranks nothing, so it is refused. For a share the
candidates are round numbers from 20 to 99.5 %, or the same errors; for other metrics, whose range nobody knows
beforehand, they are parts of the way from what is usual after the first epoch to the best end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from statistics import median

from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Arm
from surefoot.analysis.survival import Survival, time_to_target
from surefoot.analysis.traces import Clock, Trace, tells_steps, traces
from surefoot.errors import UsageError

CANDIDATES = (0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
"""For a share whose largest value is best; for an error, 1 minus these."""

Timed = Mapping[Clock, Mapping[str, Sequence[Trace]]]
"""The traces of each arm, by label, on each clock."""

STEPS = (0.5, 0.8, 0.9, 0.95, 0.98)
"""For other metrics: the parts of the way from the first evaluation to the best end."""


@dataclass(frozen=True)
class Reach:
    """How an arm reached a target: `reached` of `of` trials, and the median epochs and training seconds.

    The medians are those of the Kaplan-Meier estimate, None where fewer than half of the trials get there. Trials that
    diverged count as misses; unfinished and failed ones are left out.
    """

    reached: int
    of: int
    epochs: float | None
    seconds: float | None


@dataclass(frozen=True)
class Arrivals:
    """How every optimizer, by its label, came to a `target` of the validation metric, on three clocks.

    `steps` is empty where the protocol does not tell the steps of an epoch.
    """

    target: float
    epochs: Mapping[str, Survival]
    steps: Mapping[str, Survival]
    seconds: Mapping[str, Survival]

    def reach(self, label: str) -> Reach | None:
        """The arrival of one optimizer in four numbers; None when no trial of it finished or diverged."""
        if label not in self.epochs:
            return None
        epochs, seconds = self.epochs[label], self.seconds[label]
        return Reach(epochs.reached, epochs.of, epochs.median, seconds.median)


def traces_by_clock(arms: Sequence[Arm]) -> Timed:
    """The traces of the validation metric of each arm that has any; steps only where the protocols tell them."""
    clocks: list[Clock] = ["epochs", "steps", "seconds"]
    if not all(tells_steps(arm.trials[0]) for arm in arms):
        clocks.remove("steps")
    found = {clock: {arm.label: traces(arm, clock=clock) for arm in arms} for clock in clocks}
    return {clock: {label: group for label, group in groups.items() if group} for clock, groups in found.items()}


def arrivals(timed: Timed, target: float, scale: Scale) -> Arrivals:
    """How the arms came to a target; `UsageError` where it tells nothing apart."""
    higher = scale.sign > 0
    ways = {
        clock: time_to_target(groups, target, higher=higher, same_length=clock == "seconds")
        for clock, groups in timed.items()
    }
    return Arrivals(target, ways["epochs"], ways.get("steps", {}), ways["seconds"])


def choose_target(timed: Timed, scale: Scale) -> float | None:
    """The hardest candidate that discriminates and that at least half of the arms reach in at least half of their
    trials; when no arm majority reaches a discriminating one, the easiest that discriminates; None when none does.
    """
    return choose_targets(timed, scale)[0]


def choose_targets(timed: Timed, scale: Scale) -> tuple[float | None, tuple[float, ...]]:
    """The target of `choose_target`, and it again between the next easier and the next harder one that discriminate."""
    ways = _discriminating(timed["epochs"], scale)
    chosen, every = _hardest_shared(ways), list(ways)
    if chosen is None:
        return None, ()
    place = every.index(chosen)
    return chosen, tuple(every[max(0, place - 1) : place + 2])


def _discriminating(found: Mapping[str, Sequence[Trace]], scale: Scale) -> dict[float, dict[str, Survival]]:
    """The candidates that tell trials apart, from easy to hard, and how each arm came to them."""
    ways: dict[float, dict[str, Survival]] = {}
    for target in _candidates([trace for group in found.values() for trace in group], scale):
        with suppress(UsageError):  # it tells nothing apart
            ways[target] = time_to_target(found, target, higher=scale.sign > 0)
    return ways


def _hardest_shared(ways: Mapping[float, Mapping[str, Survival]]) -> float | None:
    shared = [target for target, way in ways.items() if 2 * _arrived(way) >= len(way)]
    return shared[-1] if shared else next(iter(ways), None)


def _arrived(way: Mapping[str, Survival]) -> int:
    """How many arms have a median: at least half of their trials got there."""
    return sum(one.median is not None for one in way.values())


def _candidates(found: Sequence[Trace], scale: Scale) -> list[float]:
    """From easy to hard, each once."""
    if scale.metric.share:
        return [target if scale.sign > 0 else round(1 - target, 4) for target in CANDIDATES]
    sound = [trace for trace in found if not trace.diverged]
    if not sound:
        return []
    start, end = median(trace.values[0] for trace in sound), scale.best(trace.values[-1] for trace in sound)
    if scale.gain(end) <= scale.gain(start):
        return []
    return list(dict.fromkeys(float(f"{start + step * (end - start):.3g}") for step in STEPS))
