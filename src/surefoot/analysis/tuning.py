"""How each optimizer was tuned: what was tried and spent, what was chosen, and what that gained.

Tuning never sees the test data. So every figure of the search is the validation metric on tuning seeds; the best is
somewhat lucky. Only the gain is of the test metric, paired with the defaults by measuring seed. A trial that diverged
or failed was paid for, so it counts as tried. Where it needs a number, that is the worst that a share can be or, for
other metrics, the worst finished configuration of the study.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median

from surefoot.analysis.configurations import Configuration, Edge, Exploration, Searched, seeds_of
from surefoot.analysis.pairwise import counted
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Setting, group
from surefoot.search.proposals import RACING_SEEDS
from surefoot.search.race import dropped_of
from surefoot.statistics.budget_curve import BudgetCurve, Cumulative, budget_curve, cumulative
from surefoot.statistics.intervals import Interval, paired_difference
from surefoot.statistics.proportions import Proportion, wilson
from surefoot.statistics.sensitivity import GoodRates, Sensitivity
from surefoot.store.design import Search
from surefoot.store.records import Record, Status

RESAMPLES = 400
MOST_RESAMPLED = 100_000
"""The resamples for the curve's interval, and the trials in all of them: a long search takes a second at most."""


@dataclass(frozen=True)
class Elimination:
    """A finalist that was dropped from the race: its searched values, and the tuning seeds that it had."""

    values: Mapping[str, float]
    after: int


@dataclass(frozen=True)
class TuningRow:
    """The tuning of one optimizer.

    Attributes:
        defaults: label of the same optimizer untuned.
        trials: number of configurations; `diverged`, `failed` and `unfinished` count some of them.
        divergence: diverged configurations, as a share of the finished and diverged ones.
        finalists: number of configurations that were run again, on the seeds `again`.
        apart: False if a tuning trial shared a seed with a measuring one, or saw the test data.
        best: best validation metric of a finished configuration; with finalists, their best mean over seeds.
        lr_place: place of the chosen learning rate among the tried ones, 1 for the lowest, and how many these are.
        edge: end of the tried range that was chosen; a better rate may lie beyond.
        sensitivity: None unless only the learning rate was searched.
        curve: expected validation metric of the best of k trials; `cumulative` has its mean heights.
        failure: metric that a diverged trial counts in the curve.
        gain: lead of the tuned one's test metric, paired by seed; a seed that diverged counts as in the verdict.
        planned: the search space.
        race: seeds of the finalists' race at most; `eliminated` ones left before its end.
    """

    label: str
    defaults: str | None
    tried: tuple[Configuration, ...]
    trials: int
    diverged: int
    failed: int
    unfinished: int
    divergence: Proportion | None
    seeds: tuple[int, ...]
    finalists: int
    again: tuple[int, ...]
    measuring_seeds: tuple[int, ...]
    apart: bool
    searched: tuple[Searched, ...]
    best: float | None
    median: float | None
    train_seconds: float
    lr_place: tuple[int, int] | None
    edge: Edge | None
    good_rates: GoodRates | None
    sensitivity: Sensitivity | None
    curve: BudgetCurve | None
    cumulative: Cumulative | None
    failure: float | None
    gain: Interval | None
    planned: Search | None = None
    race: int | None = None
    eliminated: tuple[Elimination, ...] = ()


def tunings(records: Sequence[Record], seeds: Sequence[int] = ()) -> tuple[TuningRow, ...]:
    """Return a row for each tuned optimizer, in the order of the records; none where nothing was tuned.

    `seeds` are the planned tuning seeds; from `RACING_SEEDS` on the finalists raced.
    """
    trials: dict[str, list[Record]] = {}
    for record in records:
        if record.purpose == "tune":
            trials.setdefault(record.label, []).append(record)
    if not trials:
        return ()
    settings = {one.label: one for one in group(records)}
    scale = scale_of(records[0].protocol)
    found: dict[str, Exploration] = {}
    for label, searching in trials.items():
        winner = settings.get(label)
        found[label] = Exploration(searching, winner.trials[0].part.configuration if winner else {}, scale)
    ends = (0.0, 1.0) if scale.metric.share else [score for one in found.values() for score in one.finished]
    failure = scale.worst(ends) if ends else None
    scores = counted({arm.label: arm.results() for arm in settings.values() if arm.judged}, scale)
    return tuple(
        _row(label, one, settings.get(label), settings.get(one.trials[0].part.tuned_from), failure, seeds, scores)
        for label, one in found.items()
    )


def _row(
    label: str,
    found: Exploration,
    winner: Setting | None,
    untuned: Setting | None,
    failure: float | None,
    seeds: Sequence[int],
    scores: Mapping[str, Mapping[int, float]],
) -> TuningRow:
    tried, trials, scale = found.tried, found.trials, found.scale
    eliminated = _eliminated(found, len(seeds))
    out = [one.values for one in eliminated]
    finals = [one.metric for one in found.finalists if one.metric is not None and one.values not in out]
    finals = finals or found.finished
    counts: Counter[Status] = Counter(one.status for one in tried)
    ended = counts["finished"] + counts["diverged"]
    curve = _curve(tried, scale, failure)
    measured = {trial.seed for one in (winner, untuned) if one for trial in one.trials}
    saw_test = any(trial.outcome and isfinite(trial.outcome.test_metric) for trial in trials)
    return TuningRow(
        label=label,
        defaults=untuned.label if untuned else None,
        tried=tried,
        trials=len(tried),
        diverged=counts["diverged"],
        failed=counts["failed"],
        unfinished=counts["running"],
        divergence=wilson(counts["diverged"], ended) if ended else None,
        seeds=seeds_of(trials),
        finalists=len(found.finalists),
        again=tuple(sorted({seed for one in found.finalists for seed in one.again})),
        measuring_seeds=seeds_of(winner.trials if winner else ()),
        apart=not saw_test and measured.isdisjoint(seeds_of(trials)),
        searched=found.searched,
        best=scale.best(finals) if finals else None,
        median=median(found.finished) if found.finished else None,
        train_seconds=sum(trial.epochs[-1].seconds for trial in trials if trial.epochs),
        lr_place=found.lr_place,
        edge=found.edge,
        good_rates=found.good_rates,
        sensitivity=found.sensitivity,
        curve=curve,
        cumulative=cumulative(curve.mean) if curve else None,
        failure=failure,
        gain=_gain(scores.get(winner.label, {}), scores.get(untuned.label, {}), scale)
        if winner and untuned and winner.finished
        else None,
        planned=found.planned,
        race=len(seeds) if found.finalists and len(seeds) >= RACING_SEEDS else None,
        eliminated=eliminated,
    )


def _eliminated(found: Exploration, seeds: int) -> tuple[Elimination, ...]:
    """Return the finalists that were dropped from a race; `seeds` tune, the first one included."""
    last = [one.values for one in found.finalists]
    ended = [trial for trial in found.trials if trial.part.role == "final" and trial.status != "running"]
    ended.sort(key=lambda trial: trial.seed)
    gains = [(trial.part.configuration, found.scale.gain(trial.validation_score)) for trial in ended]
    places = zip(last, dropped_of(last, gains, seeds, found.step), strict=True)
    return tuple(Elimination(values, 1 + after) for values, after in places if after)


def _curve(tried: Sequence[Configuration], scale: Scale, failure: float | None) -> BudgetCurve | None:
    """Return the curve of the validation metric, as tuning trials have no test metric; None if all diverged."""
    scores = [one.score for one in tried if one.status != "running"]
    if not any(map(isfinite, scores)):
        return None
    resamples = max(100, min(RESAMPLES, MOST_RESAMPLED // len(scores)))
    return budget_curve(scores, higher=scale.sign > 0, failure=failure, resamples=resamples)


def _gain(ours: Mapping[int, float], theirs: Mapping[int, float], scale: Scale) -> Interval | None:
    """Return the lead of the tuned one over the seeds of both; one seed gives no interval."""
    both = [(scale.gain(ours[seed]), scale.gain(theirs[seed])) for seed in ours if seed in theirs]
    if len(both) < 2:
        return Interval(both[0][0] - both[0][1], None, None, 1) if both else None
    gap = paired_difference([mine for mine, _ in both], [its for _, its in both], scale.resolution)
    return Interval(gap.mean, gap.low, gap.high, gap.n)
