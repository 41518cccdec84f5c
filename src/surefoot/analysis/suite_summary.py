"""Several studies at once: who is quick on how many tasks, and how good the results are on the whole.

Times are epochs to each study's own target, medians over seeds; scores are shares of the way from guessing (or, where a
task does not tell it, from what is usual after the first epoch) to the best optimizer's mean on the same task, which
any metric has. Only optimizers that every study has take part: leaving out a hard task would look like being good.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from statistics import fmean, median

from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Arm, tuned_from
from surefoot.analysis.summary import Summary
from surefoot.analysis.target import arrivals, choose_target, traces_by_clock
from surefoot.errors import UsageError
from surefoot.statistics.interquartile import FEWEST_TASKS, Aggregate, aggregate
from surefoot.statistics.profiles import FEWEST_PROBLEMS, Profile, algoperf_score, performance_profiles

FEWEST_SEEDS = 3
"""Seeds on each task from which an interquartile mean has an interval."""


@dataclass(frozen=True)
class NoMean:
    """Why an optimizer has no interquartile mean: too few studies, or one in which nobody advanced or too few finished.

    `study` is None for too few studies, `trials` is 0 where nobody got further than the start of that study.
    """

    study: str | None = None
    finished: int = 0
    trials: int = 0


@dataclass(frozen=True)
class SuiteSummary:
    """Several studies in numbers, for each optimizer that all of them have, by its label.

    `times` are median epochs to the `targets` of the `studies`, infinite where fewer than half of the seeds get there;
    a study without a target is not in them. `algoperf` is the AlgoPerf score (None without any target), `profiles` the
    performance profiles (None with fewer than 3 targets), `aggregates` the interquartile means of the scores of those
    that finished 3 seeds in each of 2 studies or more, and `without` tells of the others why they have none.
    """

    studies: tuple[str, ...]
    optimizers: tuple[str, ...]
    tuned_from: Mapping[str, str]
    targets: Mapping[str, float]
    times: Mapping[str, Mapping[str, float]]
    algoperf: Mapping[str, float] | None
    profiles: Mapping[str, Profile] | None
    aggregates: Mapping[str, Aggregate]
    without: Mapping[str, NoMean]


def summarize_suite(studies: Mapping[str, Summary]) -> SuiteSummary:
    """The summary of several studies, given that of each by its name.

    Raises UsageError when there is no study, or no optimizer in all of them has finished or diverged.
    """
    arms = {name: {arm.label: arm for arm in study.arms if arm.judged} for name, study in studies.items()}
    shared = [label for label in next(iter(arms.values()), {}) if all(label in found for found in arms.values())]
    if not shared:
        raise UsageError(f"the studies {', '.join(studies) or '(none)'} have no optimizer with a result in common.")
    scales = {name: study.scale for name, study in studies.items()}
    taking = {name: [found[label] for label in shared] for name, found in arms.items()}
    targets = {name: target for name in studies if (target := _target(taking[name], scales[name])) is not None}
    times = _times(taking, targets, scales)
    without = {label: why for label in shared if (why := _without(label, taking, scales))}
    return SuiteSummary(
        studies=tuple(studies),
        optimizers=tuple(shared),
        tuned_from=tuned_from(next(iter(taking.values()))),
        targets=targets,
        times=times,
        algoperf=algoperf_score(times) if targets else None,
        profiles=performance_profiles(times) if len(targets) >= FEWEST_PROBLEMS else None,
        aggregates=_aggregates([label for label in shared if label not in without], taking, scales),
        without=without,
    )


def _target(arms: Sequence[Arm], scale: Scale) -> float | None:
    return choose_target(traces_by_clock(arms), scale)


def _times(
    arms: Mapping[str, Sequence[Arm]], targets: Mapping[str, float], scales: Mapping[str, Scale]
) -> dict[str, dict[str, float]]:
    times: dict[str, dict[str, float]] = {}
    for name, target in targets.items():
        arrived = arrivals(traces_by_clock(arms[name]), target, scales[name])
        for arm in arms[name]:
            reach = arrived.reach(arm.label)
            epochs = reach.epochs if reach else None
            times.setdefault(arm.label, {})[name] = inf if epochs is None else epochs
    return times


def _without(label: str, arms: Mapping[str, Sequence[Arm]], scales: Mapping[str, Scale]) -> NoMean | None:
    """Why an optimizer has no interquartile mean; None if it has one."""
    if len(arms) < FEWEST_TASKS:
        return NoMean()
    for name, found in arms.items():
        if not _advanced(found, scales[name]):
            return NoMean(name)
        (arm,) = (arm for arm in found if arm.label == label)
        if len(arm.finished) < FEWEST_SEEDS:
            return NoMean(name, len(arm.finished), len(arm.trials))
    return None


def _aggregates(
    labels: Sequence[str], arms: Mapping[str, Sequence[Arm]], scales: Mapping[str, Scale]
) -> dict[str, Aggregate]:
    ends = {name: _ends(found, scales[name]) for name, found in arms.items()} if labels else {}
    return {label: aggregate({name: _shares(label, arms[name], *ends[name]) for name in arms}) for label in labels}


def _shares(label: str, arms: Sequence[Arm], start: float, best: float) -> list[float]:
    """The scores of one optimizer in one study, as shares of the way from the start to the best mean."""
    return [(score - start) / (best - start) for arm in arms if arm.label == label for score in arm.metrics().values()]


def _advanced(arms: Sequence[Arm], scale: Scale) -> bool:
    """Whether somebody got anywhere: else there is no way of which to have a share."""
    if not any(arm.finished for arm in arms):
        return False
    start, best = _ends(arms, scale)
    return scale.gain(best) > scale.gain(start)


def _ends(arms: Sequence[Arm], scale: Scale) -> tuple[float, float]:
    """Where the way starts, which needs no training, or little, and the best mean that it leads to."""
    trials = [trial for arm in arms for trial in arm.finished]
    chance = trials[0].protocol.chance
    start = float(chance) if chance is not None else median(trial.epochs[0].validation_metric for trial in trials)
    return start, scale.best(fmean(arm.metrics().values()) for arm in arms if arm.finished)
