"""Several studies at once: which optimizers are quick on how many tasks, and how good they are overall.

A time is the median over seeds of epochs to the study's own target. A score is a share of the way to the best
optimizer's mean on the same task, so it suits any metric. The way begins with guessing or, where its score is unknown,
with the median after the first epoch. Only optimizers of every study take part: leaving out a hard task would flatter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import inf, nan
from statistics import fmean

from surefoot.analysis.scale import first_score
from surefoot.analysis.settings import Setting, tuned_from
from surefoot.analysis.summary import Summary
from surefoot.analysis.target import arrivals, choose_targets, traces_by_clock
from surefoot.errors import UsageError
from surefoot.statistics.suites import (
    FEWEST_PROBLEMS,
    FEWEST_TASKS,
    Aggregate,
    Profile,
    aggregate,
    algoperf_score,
    performance_profiles,
)

FEWEST_SEEDS = 3
"""The fewest seeds on each task for an interquartile mean with an interval."""


@dataclass(frozen=True)
class NoMean:
    """The reason why an optimizer has no interquartile mean: too few studies, or too little in one of them.

    Attributes:
        study: the study that is the reason; None for too few studies.
        finished: finished trials in it, fewer than `FEWEST_SEEDS`.
        trials: all trials in it; 0 if the reason is that no optimizer got beyond the start, or that none is known.
        start_known: whether the start of its scores is known.
    """

    study: str | None = None
    finished: int = 0
    trials: int = 0
    start_known: bool = True


@dataclass(frozen=True)
class SuiteSummary:
    """Several studies in numbers, for each optimizer that all of them have, by its label.

    Attributes:
        targets: target of each study that has one; NaN for a target that only the user knows.
        times: median epochs (or steps: `counted`) to these targets; infinite if fewer than half of the seeds reach it.
        algoperf: the AlgoPerf score; None without any target.
        profiles: the performance profiles; None with fewer than 3 targets.
        aggregates: interquartile means of the scores; they need 3 finished seeds in each of 2 studies or more.
        without: for the others, the reason why they have none.
        counted: units of the times.
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
    counted: tuple[str, ...] = ("epochs",)


def summarize_suite(studies: Mapping[str, Summary]) -> SuiteSummary:
    """Return the summary of several studies, from the summary of each.

    Raises:
        UsageError: there is no study, or no optimizer has a finished or diverged trial in all of them.
    """
    judged = {name: {one.label: one for one in study.arms if one.judged} for name, study in studies.items()}
    shared = [label for label in next(iter(judged.values()), {}) if all(label in found for found in judged.values())]
    if not shared:
        raise UsageError(f"the studies {', '.join(studies) or '(none)'} have no optimizer with a result in common.")
    tasks = {name: _Task([judged[name][label] for label in shared], study) for name, study in studies.items()}
    targets = {name: task.target for name, task in tasks.items() if task.target is not None}
    times = {label: {name: tasks[name].epochs(label) for name in targets} for label in shared} if targets else {}
    without = {label: why for label in shared if (why := _without(label, tasks))}
    aggregates = {
        label: aggregate({name: task.shares(label) for name, task in tasks.items()})
        for label in shared
        if label not in without
    }
    return SuiteSummary(
        studies=tuple(studies),
        optimizers=tuple(shared),
        tuned_from=tuned_from(next(iter(tasks.values())).settings),
        targets=targets,
        times=times,
        algoperf=algoperf_score(times) if targets else None,
        profiles=performance_profiles(times) if len(targets) >= FEWEST_PROBLEMS else None,
        aggregates=aggregates,
        without=without,
        counted=tuple(sorted({f"{task.unit.word}s" for task in tasks.values()})),
    )


class _Task:
    """One study, with the settings that all studies have: its target, and the way that its scores are shares of."""

    def __init__(self, settings: Sequence[Setting], study: Summary) -> None:
        self.settings, self.scale = settings, study.scale
        self.unit = settings[0].trials[0].protocol.unit
        timed = traces_by_clock(settings)
        self.target, _ = choose_targets(timed, self.scale)
        self._reach = {row.label: row.reach for row in study.rows}
        if self.target is not None:
            arrived = arrivals(timed, self.target, self.scale)
            self._reach = {one.label: arrived.reach(one.label) for one in settings}
        elif study.target is None and any(self._reach.values()):
            self.target = nan  # of the user's, who told only when it was reached

    @cached_property
    def start(self) -> float | None:
        """The score of guessing or, if unknown, the median after the first epoch; None without either."""
        trials = [trial for one in self.settings for trial in one.finished]
        if trials and trials[0].protocol.chance is not None:
            return trials[0].protocol.chance
        return first_score(trial.epochs[0].validation_metric for trial in trials if trial.epochs)

    @cached_property
    def way(self) -> tuple[float, float] | None:
        """The start and the best mean; None where no optimizer got beyond the start."""
        start = self.start
        if start is None:
            return None
        best = self.scale.best(fmean(one.metrics().values()) for one in self.settings if one.finished)
        return (start, best) if self.scale.gain(best) > self.scale.gain(start) else None

    def setting(self, label: str) -> Setting:
        return next(one for one in self.settings if one.label == label)

    def epochs(self, label: str) -> float:
        """Return the median epochs or steps to the target; infinite where too few trials reach it."""
        reach = self._reach.get(label)
        return inf if not reach or reach.epochs is None else reach.epochs * self.unit.each

    def shares(self, label: str) -> list[float]:
        """Return the scores of one optimizer, as shares of the way."""
        start, best = self.way or (0.0, 1.0)
        return [(score - start) / (best - start) for score in self.setting(label).metrics().values()]


def _without(label: str, tasks: Mapping[str, _Task]) -> NoMean | None:
    """Return the reason why an optimizer has no interquartile mean; None if it has one."""
    if len(tasks) < FEWEST_TASKS:
        return NoMean()
    for name, task in tasks.items():
        if task.way is None:
            return NoMean(name, start_known=task.start is not None or not any(one.finished for one in task.settings))
        one = task.setting(label)
        if len(one.finished) < FEWEST_SEEDS:
            return NoMean(name, len(one.finished), len(one.trials))
    return None
