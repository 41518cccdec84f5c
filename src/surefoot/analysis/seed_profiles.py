"""The performance profile of one study over its seeds: how often an optimizer is nearly as quick as the quickest.

A profile over tasks needs several tasks; with one, its seeds take their place. On each seed that all optimizers have,
the time of each to the target is compared with the quickest one's on that seed, and one that misses took for ever. It
tells luck from speed, and nothing about other tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Arm
from surefoot.analysis.survival import first_crossing
from surefoot.analysis.target import Timed
from surefoot.analysis.traces import Clock, traced
from surefoot.statistics.profiles import FEWEST_PROBLEMS, Profile, performance_profiles


@dataclass(frozen=True)
class SeedProfiles:
    """The profile of each optimizer, by label, over the seeds that all have, for times to `target` on two clocks."""

    target: float
    seeds: tuple[int, ...]
    epochs: Mapping[str, Profile]
    seconds: Mapping[str, Profile]


def seed_profiles(arms: Sequence[Arm], timed: Timed, target: float, scale: Scale) -> SeedProfiles | None:
    """The profiles of two arms or more that share at least three seeds; else None."""
    told = [arm for arm in arms if arm.label in timed["epochs"]]
    seeds = [[trial.seed for trial in traced(arm)] for arm in told]
    shared = sorted(set(seeds[0]).intersection(*seeds[1:])) if len(seeds) > 1 else []
    if len(shared) < FEWEST_PROBLEMS:
        return None

    def profiles(clock: Clock) -> dict[str, Profile]:
        times = {
            arm.label: {
                str(seed): first_crossing(trace, target, higher=scale.sign > 0)
                for seed, trace in zip(own, timed[clock][arm.label], strict=True)
            }
            for arm, own in zip(told, seeds, strict=True)
        }
        return performance_profiles(
            {label: {str(seed): of[str(seed)] for seed in shared} for label, of in times.items()}
        )

    return SeedProfiles(target, tuple(shared), profiles("epochs"), profiles("seconds"))
