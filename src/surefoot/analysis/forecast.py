"""The forecast of a study that has not run: how long it trains, and what its seeds can tell apart.

Both come from earlier records. Without any, no time is guessed. The spread of paired differences of a share, such as
accuracy, is then assumed, and marked as assumed: a user needs one to choose a number of seeds. For other metrics, whose
unit is unknown, nothing is assumed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt
from statistics import median, stdev
from typing import Literal

from surefoot.analysis.scale import UNKNOWN_TEST_SIZE
from surefoot.analysis.settings import Setting, group
from surefoot.statistics.look_power import EFFECTS, Course, course
from surefoot.statistics.looks import Looks
from surefoot.statistics.power import promised
from surefoot.store.design import Search, Sizing
from surefoot.store.looks import BEST, LookPlan, Question
from surefoot.store.protocol import ACCURACY, Metric, Protocol
from surefoot.store.records import Record

ASSUMED_SPREAD = (0.0023, 0.0032)
"""Standard deviation of paired differences in test accuracy, computed from DeepOBS's published runs of fmnist_2c2d."""

ASSUMED_SIZE = 10_000
"""Test examples in those runs."""

SAME_STEP = ("task", "batch_size", "device", "recipe")

LEAST_SEEDS = 3
"""The fewest seeds from which a standard deviation is taken."""


@dataclass(frozen=True)
class Spread:
    """The standard deviation of paired differences in the test metric, from `low` to `high`.

    Of a share it is a fraction. It is the median over so many `pairs` of optimizers, 0 if it is assumed. `tuned` says
    whether these are tuned.
    """

    low: float
    high: float
    pairs: int
    tuned: bool = False

    @property
    def assumed(self) -> bool:
        """Whether it rests on no earlier trial."""
        return self.pairs == 0


@dataclass(frozen=True)
class Detectable:
    """The smallest true difference that is found four times out of five.

    `alone` is for one pair of optimizers decided on beforehand, `corrected` for any of `comparisons` pairs. Both have a
    value for each end of the spread, in the unit of the metric.
    """

    seeds: int
    comparisons: int
    alone: tuple[float, float]
    corrected: tuple[float, float]


@dataclass(frozen=True)
class Phase:
    """A part of a study: its trials, how many are done, and how many are left for each optimizer, by label."""

    name: str
    trials: int
    done: int
    left: Mapping[str, int]


@dataclass(frozen=True)
class Prospect:
    """The forecast of a study: what it runs, how long, where it searches, and what its seeds can tell apart.

    Attributes:
        study: its name.
        protocol: protocol of every trial.
        workers: trials at a time.
        sizing: epochs, tuning trials and seeds.
        tune_seeds: number of tuning seeds.
        budget: seconds that the user allows; None if the budget is not a time.
        bought: source of the timings that size such a budget: an earlier run in the store, or a pilot.
        piloted: seconds of training by these timings, least and most, where the store has no step times.
        phases: parts that certainly run.
        extension: the part that runs only if a best learning rate lies at the edge of a default range.
        step_times: seconds of a step, in each earlier trial in the store.
        seconds: seconds of training, least and most; None if unknown.
        spaces: search space of each optimizer.
        spread: spread of paired differences; None if nothing is known or assumed.
        detectable: the differences that the seeds can tell apart.
        looks: planned looks, and the question of the study.
        optimizers: how many are compared.
        courses: where looks are planned, the course with no, a small and a large difference.
    """

    study: str
    protocol: Protocol
    workers: int
    sizing: Sizing
    budget: float | None
    bought: Literal["", "store", "pilot"]
    phases: tuple[Phase, ...]
    extension: Phase | None
    step_times: tuple[float, ...]
    seconds: tuple[float, float] | None
    spaces: Mapping[str, Search]
    spread: Spread | None
    detectable: Detectable | None
    looks: LookPlan
    optimizers: int
    courses: tuple[Course, ...]
    piloted: tuple[float, float] | None = None
    tune_seeds: int = 0

    @property
    def trials(self) -> tuple[int, int]:
        """The number of trials, least and most."""
        least = sum(phase.trials for phase in self.phases)
        return least, least + (self.extension.trials if self.extension else 0)

    @property
    def left(self) -> tuple[int, int]:
        """The number of trials still to run, least and most."""
        least = sum(sum(phase.left.values()) for phase in self.phases)
        return least, least + (sum(self.extension.left.values()) if self.extension else 0)


def step_times(records: Iterable[Record], protocol: Protocol) -> dict[str, list[float]]:
    """Return seconds per gradient for each rule, in finished trials like those of the protocol.

    Task, batch size, device and recipe are the same. For a training function, whose steps are unknown, the figures are
    seconds per epoch.
    """
    times: dict[str, list[float]] = {}
    for record in records:
        if record.outcome and all(getattr(record.protocol, name) == getattr(protocol, name) for name in SAME_STEP):
            one = record.outcome
            epoch = record.epochs[-1].seconds / len(record.epochs) if protocol.own_loop else 0.0
            seconds = epoch or one.step_seconds / one.gradients
            times.setdefault(record.rule, []).append(seconds)
    return times


def training_seconds(rules: Mapping[str, str], steps: int, times: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Return the seconds that a trial of each optimizer trains, by label; empty without any step time.

    Args:
        rules: rule of each optimizer, by label.
        steps: number of steps of a trial.
        times: result of `step_times`; a rule that is not in it takes the median of all.
    """
    every = [time for found in times.values() for time in found]
    return {label: steps * median(times.get(rule) or every) for label, rule in rules.items() if every}


def spread(records: Sequence[Record], metric: Metric = ACCURACY, test_size: int = UNKNOWN_TEST_SIZE) -> Spread | None:
    """Return the spread in the measured trials of one protocol: the median over pairs of optimizers that share seeds.

    If any optimizers are tuned, only these are paired: bad defaults scatter far more, and users do not ask about them.
    With too few seeds it is assumed for a share of `test_size` examples, and None for any other `metric`.
    """
    arms = group(records)
    tuned = _spreads([arm for arm in arms if arm.tuned_from])
    found = tuned or _spreads(arms)
    middle = median(found) if found else 0.0
    if middle > 0:
        return Spread(middle, middle, len(found), bool(tuned))
    if not metric.share:
        return None
    low, high = (sd * max(1.0, sqrt(ASSUMED_SIZE / test_size)) for sd in ASSUMED_SPREAD)
    return Spread(low, high, 0)


def _spreads(arms: Sequence[Setting]) -> list[float]:
    """Return the standard deviation of paired differences, for each pair that shares enough seeds."""
    scores = [arm.metrics() for arm in arms]
    gaps = [[a[seed] - b[seed] for seed in a if seed in b] for a, b in combinations(scores, 2)]
    return [stdev(gap) for gap in gaps if len(gap) >= LEAST_SEEDS]


def courses(plan: LookPlan, optimizers: int) -> tuple[Course, ...]:
    """Return the course of a study with no, a small and a large difference; empty without planned looks."""
    pairs = plan.question.pairs(optimizers)
    if not plan.at or not pairs:
        return ()
    looks = Looks(plan.at, plan.most, 0, plan.spending, plan.at)
    apart = plan.question.kind == "all-pairs"
    return tuple(course(looks, effect, optimizers=optimizers, pairs=pairs, apart=apart) for effect in EFFECTS)


def smallest_difference(
    found: Spread, seeds: int, optimizers: int, resolution: float = 0.0, question: Question = BEST
) -> Detectable | None:
    """Return the difference that this many seeds find with 80 % power.

    It is for the test of the verdict. `resolution` is the smallest step of a score (`scale.Scale`). The question and
    the number of optimizers decide how many pairs are tested. None for one seed or one optimizer.
    """
    comparisons = question.pairs(optimizers)
    if seeds < 2 or not comparisons:
        return None

    def seen(number: int) -> tuple[float, float]:
        low, high = (promised(sd, seeds, comparisons=number, resolution=resolution) for sd in (found.low, found.high))
        return low, high

    return Detectable(seeds, comparisons, seen(1), seen(comparisons))
