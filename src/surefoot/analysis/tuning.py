"""How each optimizer was tuned: what was tried and spent, what was chosen, and what that gained.

Read from the records alone: trials with the purpose `tune` are the search, trials that measure under the same name are
its choice. Tuning never sees the test data, so every figure of the search is the validation metric on tuning seeds,
the best of them somewhat lucky; only the gain is of the test metric, paired by measuring seed with the defaults. What
diverged or failed was paid for: it counts as tried and, where a number is needed, as the worst that a share can be or,
for other metrics, as the worst configuration of the whole study that finished.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import median

from surefoot.analysis.configurations import Searched, Tried, configurations, finalists, searched
from surefoot.analysis.learning_rates import Edge, GoodRates, edge, good_rates, lr_place, margin, sensitivity
from surefoot.analysis.robustness import Sensitivity
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Arm, group
from surefoot.analysis.verdict import metric_difference
from surefoot.statistics.budget_curve import BudgetCurve, Emphasis, budget_curve, cumulative_performance
from surefoot.statistics.intervals import Interval
from surefoot.statistics.proportions import Proportion, wilson
from surefoot.store.design import Search
from surefoot.store.records import Record, Status

__all__ = ["Cumulative", "GoodRates", "Searched", "Tried", "TuningRow", "tunings"]

RESAMPLES = 400
MOST_RESAMPLED = 100_000
"""Of the curve's interval: resamples, and trials in all of them, so that a long search takes a second at most."""


@dataclass(frozen=True)
class Cumulative:
    """The mean height of a curve of expected bests: `early` favours small budgets, `uniform` none, `late` large ones.

    CPE, CPU and CPL of Sivaprasad et al., ICML 2020.
    """

    early: float
    uniform: float
    late: float


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
    tried: tuple[Tried, ...]
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
    arms = {arm.label: arm for arm in group(records)}
    scale = scale_of(records[0])
    searches = {label: _search(found, arms, label) for label, found in trials.items()}
    failure = _failure([one for search in searches.values() for one in search.tried], scale)
    return tuple(_row(label, trials[label], search, scale, failure) for label, search in searches.items())


@dataclass(frozen=True)
class _Search:
    """The search of one optimizer: what it chose and what it set out from, if they were measured, and what it tried."""

    winner: Arm | None
    untuned: Arm | None
    tried: tuple[Tried, ...]

    @property
    def chosen(self) -> Mapping[str, float]:
        """The configuration that was chosen; none yet if it is empty."""
        return self.winner.trials[0].part.configuration if self.winner else {}


def _search(trials: Sequence[Record], arms: Mapping[str, Arm], label: str) -> _Search:
    winner, untuned = arms.get(label), arms.get(trials[0].part.tuned_from)
    return _Search(winner, untuned, configurations(trials, winner.trials[0].part.configuration if winner else {}))


def _row(label: str, trials: Sequence[Record], search: _Search, scale: Scale, failure: float | None) -> TuningRow:
    winner, untuned, tried = search.winner, search.untuned, search.tried
    planned = trials[0].part.search
    known = [one.metric for one in tried if one.metric is not None]
    last = finalists(tried)
    finals = [one.metric for one in last if one.metric is not None] or known
    place = lr_place(tried, search.chosen) if known else None
    counts: Counter[Status] = Counter(one.status for one in tried)
    within = margin(trials, known, scale)
    curve = _curve(tried, scale, failure)
    return TuningRow(
        label=label,
        defaults=untuned.label if untuned else None,
        tried=tried,
        trials=len(tried),
        diverged=counts["diverged"],
        failed=counts["failed"],
        unfinished=counts["running"],
        divergence=_divergence(counts),
        seeds=_seeds(trials),
        finalists=len(last),
        again=tuple(sorted({seed for one in last for seed in one.again})),
        measuring_seeds=_seeds(winner.trials if winner else ()),
        apart=_apart(trials, [trial for arm in (winner, untuned) if arm for trial in arm.trials]),
        searched=searched(planned, tried, search.chosen),
        best=scale.best(finals) if finals else None,
        median=median(known) if known else None,
        train_seconds=sum(trial.epochs[-1].seconds for trial in trials if trial.epochs),
        lr_place=place,
        edge=edge(place),
        good_rates=good_rates(tried, within, scale),
        sensitivity=sensitivity(tried, within, scale),
        curve=curve,
        cumulative=_cumulative(curve),
        failure=failure,
        gain=_gain(winner, untuned, scale),
        planned=planned,
    )


def _failure(tried: Sequence[Tried], scale: Scale) -> float | None:
    """What a trial that diverged counts: the same for all optimizers of a study; None where nothing finished."""
    if scale.metric.share:
        return scale.worst((0.0, 1.0))
    known = [one.metric for one in tried if one.metric is not None]
    return scale.worst(known) if known else None


def _divergence(counts: Counter[Status]) -> Proportion | None:
    ended = counts["finished"] + counts["diverged"]
    return wilson(counts["diverged"], ended) if ended else None


def _curve(tried: Sequence[Tried], scale: Scale, failure: float | None) -> BudgetCurve | None:
    """With the validation metric as the value too: there is no test metric of a tuning trial, by design."""
    values = [nan if one.metric is None else one.metric for one in tried if one.status != "running"]
    if not any(map(isfinite, values)):
        return None
    resamples = max(100, min(RESAMPLES, MOST_RESAMPLED // len(values)))
    return budget_curve(values, values, higher=scale.sign > 0, failure=failure, resamples=resamples)


def _cumulative(curve: BudgetCurve | None) -> Cumulative | None:
    if curve is None:
        return None
    kinds: tuple[Emphasis, ...] = ("early", "uniform", "late")
    return Cumulative(*(cumulative_performance(curve.mean, kind) for kind in kinds))


def _gain(winner: Arm | None, untuned: Arm | None, scale: Scale) -> Interval | None:
    """How much better the tuned one is, over the seeds that both finished; one seed gives no interval."""
    if winner is None or untuned is None:
        return None
    gap = metric_difference(winner, untuned, scale)
    if gap:
        low, high = sorted(scale.gain(bound) for bound in (gap.low, gap.high))
        return Interval(scale.gain(gap.mean), low, high, gap.n)
    ours, theirs = winner.metrics(), untuned.metrics()
    alone = [scale.gain(ours[seed] - theirs[seed]) for seed in ours if seed in theirs]
    return Interval(alone[0], None, None, 1) if alone else None


def _apart(tuning: Sequence[Record], measuring: Sequence[Record]) -> bool:
    seen = any(trial.outcome and isfinite(trial.outcome.test_metric) for trial in tuning)
    return not seen and not {trial.seed for trial in tuning} & {trial.seed for trial in measuring}


def _seeds(trials: Iterable[Record]) -> tuple[int, ...]:
    return tuple(sorted({trial.seed for trial in trials}))
