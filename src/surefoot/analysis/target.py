"""Targets of the validation metric that tell trials apart, and how fast each optimizer reached them.

A target that all reach at their first evaluation, or that none reaches, ranks nothing and is refused. For a share the
candidates are round numbers from 20 to 99.5 %, or the same errors. The range of other metrics is unknown beforehand:
their candidates are parts of the way from the median after the first epoch to the best end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from surefoot.analysis.scale import Scale, first_score
from surefoot.analysis.settings import Setting
from surefoot.errors import UsageError
from surefoot.statistics.suites import FEWEST_PROBLEMS, Profile, performance_profiles
from surefoot.statistics.survival import Survival, Trace, first_crossing, kaplan_meier, time_to_target

Clock = Literal["epochs", "steps", "seconds"]

Timed = Mapping[Clock, Mapping[str, Mapping[int, Trace]]]
"""The traces of each setting, by label and seed, on each clock."""

CANDIDATES = (0.20, 0.30, 0.40, 0.50, 0.60, 0.70, 0.80, 0.90, 0.95, 0.97, 0.98, 0.985, 0.99, 0.995)
"""The candidates for a share of which larger is better; for an error, 1 minus these."""

STEPS = (0.5, 0.8, 0.9, 0.95, 0.98)
"""The candidates for other metrics, as parts of the way from the first evaluation to the best end."""


@dataclass(frozen=True)
class Reach:
    """The arrival of an optimizer at a target: `reached` of `of` trials, and the median epochs and training seconds.

    The medians are those of the Kaplan-Meier estimate; None where fewer than half of the trials reach the target.
    Trials that diverged count as misses; unfinished and failed ones are left out.
    """

    reached: int
    of: int
    epochs: float | None
    seconds: float | None


@dataclass(frozen=True)
class Arrivals:
    """The arrivals of every optimizer, by label, at a `target` of the validation metric, on three clocks.

    `steps` is empty where the steps of an epoch are unknown.
    """

    target: float
    epochs: Mapping[str, Survival]
    steps: Mapping[str, Survival]
    seconds: Mapping[str, Survival]

    def reach(self, label: str) -> Reach | None:
        """Return the arrival of one optimizer in four numbers; None if no trial of it finished or diverged."""
        if label not in self.epochs:
            return None
        epochs = self.epochs[label]
        return Reach(epochs.reached, epochs.of, epochs.median, self.seconds[label].median)


def reach_in(times: Sequence[float]) -> Reach:
    """Return the arrival at a target of the user's, from the epochs of each trial; infinite for a miss."""
    way = kaplan_meier(times, [isfinite(time) for time in times])
    return Reach(way.reached, way.of, way.median, None)


@dataclass(frozen=True)
class SeedProfiles:
    """How often each optimizer, by label, is nearly as quick as the quickest.

    A performance profile usually runs over several tasks. Here the `seeds` that all optimizers have take their place,
    with the times to `target` on two clocks. It separates luck from speed, and says nothing about other tasks.
    """

    target: float
    seeds: tuple[int, ...]
    epochs: Mapping[str, Profile]
    seconds: Mapping[str, Profile]


def traces(setting: Setting, clock: Clock = "epochs") -> dict[int, Trace]:
    """Return the curves of the validation metric by seed: of finished trials with epochs, and of diverged ones.

    Raises:
        UsageError: the clock is `steps`, and the steps of an epoch are unknown.
    """
    ended = [(trial, False) for trial in setting.finished if trial.epochs]
    ended += [(trial, True) for trial in setting.diverged]
    unit = setting.trials[0].protocol.steps_per_epoch if clock == "steps" else 1
    if not unit:
        raise UsageError("the protocol does not say train_size and batch_size, so steps are unknown; use epochs.")
    return {
        trial.seed: Trace(
            tuple(float(one.seconds if clock == "seconds" else one.epoch * unit) for one in trial.epochs),
            tuple(one.validation_metric for one in trial.epochs),
            diverged,
        )
        for trial, diverged in ended
    }


def traces_by_clock(settings: Sequence[Setting]) -> Timed:
    """Return the traces of each setting that has any; steps only where the protocols say them."""
    clocks: list[Clock] = ["epochs", "steps", "seconds"]
    if not all(one.trials[0].protocol.steps_per_epoch for one in settings):
        clocks.remove("steps")
    return {clock: {one.label: found for one in settings if (found := traces(one, clock))} for clock in clocks}


def arrivals(timed: Timed, target: float, scale: Scale) -> Arrivals:
    """Return the arrivals at a target; `UsageError` where it tells nothing apart."""
    ways = {
        clock: time_to_target(found, target, higher=scale.sign > 0, same_length=clock == "seconds")
        for clock, found in timed.items()
    }
    return Arrivals(target, ways["epochs"], ways.get("steps", {}), ways["seconds"])


def choose_targets(timed: Timed, scale: Scale) -> tuple[float | None, tuple[float, ...]]:
    """Return the target of a study; and a row of the next easier target, this one, and the next harder.

    Only candidates that tell trials apart count; None without any. The target is the hardest that at least half of the
    settings reach in at least half of their trials. If there is none, it is the easiest.
    """
    ways: dict[float, dict[str, Survival]] = {}
    for target in _candidates(timed, scale):
        with suppress(UsageError):  # it tells nothing apart
            ways[target] = time_to_target(timed["epochs"], target, higher=scale.sign > 0)
    if not ways:
        return None, ()
    every = list(ways)
    shared = [at for at, way in ways.items() if 2 * sum(one.median is not None for one in way.values()) >= len(way)]
    chosen = shared[-1] if shared else every[0]
    place = every.index(chosen)
    return chosen, tuple(every[max(0, place - 1) : place + 2])


def seed_profiles(timed: Timed, target: float, scale: Scale) -> SeedProfiles | None:
    """Return the profiles of two settings or more that share at least three seeds; else None."""
    seeds = [set(found) for found in timed["epochs"].values()]
    shared = sorted(set.intersection(*seeds)) if len(seeds) > 1 else []
    if len(shared) < FEWEST_PROBLEMS:
        return None

    def profiles(clock: Clock) -> dict[str, Profile]:
        return performance_profiles(
            {
                label: {str(seed): first_crossing(found[seed], target, higher=scale.sign > 0) for seed in shared}
                for label, found in timed[clock].items()
            }
        )

    return SeedProfiles(target, tuple(shared), profiles("epochs"), profiles("seconds"))


def _candidates(timed: Timed, scale: Scale) -> list[float]:
    """Return the candidates from easy to hard, each once."""
    if scale.metric.share:
        return [target if scale.sign > 0 else round(1 - target, 4) for target in CANDIDATES]
    sound = [one for found in timed["epochs"].values() for one in found.values() if not one.diverged]
    start = first_score(one.values[0] for one in sound)
    ends = [one.values[-1] for one in sound if isfinite(one.values[-1])]
    if start is None or not ends or scale.gain(scale.best(ends)) <= scale.gain(start):
        return []
    end = scale.best(ends)
    return list(dict.fromkeys(float(f"{start + step * (end - start):.3g}") for step in STEPS))
