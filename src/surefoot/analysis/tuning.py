"""How each optimizer was tuned: what was tried and spent, what was chosen, and what that gained.

Read from the records alone: trials with the purpose `tune` are the search, trials that measure under the same name are
its choice. Tuning never sees the test data, so every figure of the search is the validation metric on tuning seeds,
the best of them somewhat lucky; only the gain is of the test metric, paired by measuring seed with the defaults. What
diverged or failed was paid for: it counts as tried and, where a number is needed, as the worst that a share can be or,
for other metrics, as the worst configuration of the whole study that finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from statistics import median

from surefoot.analysis.configurations import (
    Configuration,
    Edge,
    Searched,
    configurations,
    edge,
    finalists,
    forgiven,
    lr_place,
    searched,
    seeds_of,
)
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Setting, group
from surefoot.statistics.budget_curve import BudgetCurve, Cumulative, budget_curve, cumulative
from surefoot.statistics.intervals import Interval, paired_difference
from surefoot.statistics.proportions import Proportion, wilson
from surefoot.statistics.sensitivity import GoodRates, Sensitivity
from surefoot.store.design import Search
from surefoot.store.records import Record, Status

RESAMPLES = 400
MOST_RESAMPLED = 100_000
"""Of the curve's interval: resamples, and trials in all of them, so that a long search takes a second at most."""


@dataclass(frozen=True)
class TuningRow:
    """The tuning of one optimizer.

    `defaults` is the name of the same optimizer untuned. `trials` counts configurations, `divergence` is the share of
    those that ended which diverged; `best` and `median` are validation metrics of the finished ones. `finalists` counts
    those that were run again on the seeds `again`; the `best` is then one of them, by the mean over seeds. `lr_place`
    tells where the chosen learning rate stands among those tried, from 1 for the lowest, and how many there were; at an
    `edge`, a better one may lie beyond. `sensitivity` is there where only the learning rate was searched. `curve` is
    the expected validation metric of the best of k trials, `cumulative` its mean heights, and `failure` what a trial
    that diverged counts in it. `gain` is by how much the tuned one's test metric is better than the untuned one's,
    paired by seed. `apart` is False if a tuning trial shared a seed with a measuring one or saw the test data.
    `planned` is where it was to be searched.
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


def tunings(records: Sequence[Record]) -> tuple[TuningRow, ...]:
    """A row for each tuned optimizer, in the order of the records; none where nothing was tuned."""
    trials: dict[str, list[Record]] = {}
    for record in records:
        if record.purpose == "tune":
            trials.setdefault(record.label, []).append(record)
    if not trials:
        return ()
    settings = {one.label: one for one in group(records)}
    scale = scale_of(records[0].protocol)
    searches = [_Search(found, settings, label) for label, found in trials.items()]
    failure = _failure([one for search in searches for one in search.tried], scale)
    return tuple(_row(search, scale, failure) for search in searches)


class _Search:
    """The search of one optimizer: what it tried, chose and set out from (None where that was not measured)."""

    def __init__(self, trials: Sequence[Record], settings: Mapping[str, Setting], label: str) -> None:
        self.trials = trials
        self.label = label
        self.winner = settings.get(label)
        self.untuned = settings.get(trials[0].part.tuned_from)
        self.chosen = self.winner.trials[0].part.configuration if self.winner else {}
        self.tried = configurations(trials, self.chosen)


def _row(search: _Search, scale: Scale, failure: float | None) -> TuningRow:
    winner, untuned, tried, trials = search.winner, search.untuned, search.tried, search.trials
    known = [one.metric for one in tried if one.metric is not None]
    last = finalists(tried)
    finals = [one.metric for one in last if one.metric is not None] or known
    place = lr_place(tried, search.chosen) if known else None
    counts: Counter[Status] = Counter(one.status for one in tried)
    ended = counts["finished"] + counts["diverged"]
    good, sensitivity = forgiven(tried, trials, scale)
    curve = _curve(tried, scale, failure)
    planned = trials[0].part.search
    return TuningRow(
        label=search.label,
        defaults=untuned.label if untuned else None,
        tried=tried,
        trials=len(tried),
        diverged=counts["diverged"],
        failed=counts["failed"],
        unfinished=counts["running"],
        divergence=wilson(counts["diverged"], ended) if ended else None,
        seeds=seeds_of(trials),
        finalists=len(last),
        again=tuple(sorted({seed for one in last for seed in one.again})),
        measuring_seeds=seeds_of(winner.trials if winner else ()),
        apart=_apart(trials, [trial for one in (winner, untuned) if one for trial in one.trials]),
        searched=searched(planned, tried, search.chosen),
        best=scale.best(finals) if finals else None,
        median=median(known) if known else None,
        train_seconds=sum(trial.epochs[-1].seconds for trial in trials if trial.epochs),
        lr_place=place,
        edge=edge(place),
        good_rates=good,
        sensitivity=sensitivity,
        curve=curve,
        cumulative=cumulative(curve.mean) if curve else None,
        failure=failure,
        gain=_gain(winner, untuned, scale) if winner and untuned else None,
        planned=planned,
    )


def _failure(tried: Sequence[Configuration], scale: Scale) -> float | None:
    """What a trial that diverged counts: the same for all optimizers of a study; None where nothing finished."""
    known = [one.metric for one in tried if one.metric is not None]
    return scale.worst((0.0, 1.0)) if scale.metric.share else scale.worst(known) if known else None


def _curve(tried: Sequence[Configuration], scale: Scale, failure: float | None) -> BudgetCurve | None:
    """Of the validation metric: there is no test metric of a tuning trial, by design."""
    scores = [one.score for one in tried if one.status != "running"]
    if not any(map(isfinite, scores)):
        return None
    resamples = max(100, min(RESAMPLES, MOST_RESAMPLED // len(scores)))
    return budget_curve(scores, higher=scale.sign > 0, failure=failure, resamples=resamples)


def _gain(winner: Setting, untuned: Setting, scale: Scale) -> Interval | None:
    """How much better the tuned one is, over the seeds that both finished; one seed gives no interval."""
    ours, theirs = winner.metrics(), untuned.metrics()
    both = [(scale.gain(ours[seed]), scale.gain(theirs[seed])) for seed in ours if seed in theirs]
    if len(both) < 2:
        return Interval(both[0][0] - both[0][1], None, None, 1) if both else None
    gap = paired_difference([mine for mine, _ in both], [its for _, its in both], scale.resolution)
    return Interval(gap.mean, gap.low, gap.high, gap.n)


def _apart(tuning: Sequence[Record], measuring: Sequence[Record]) -> bool:
    seen = any(trial.outcome and isfinite(trial.outcome.test_metric) for trial in tuning)
    return not seen and not {trial.seed for trial in tuning} & {trial.seed for trial in measuring}
