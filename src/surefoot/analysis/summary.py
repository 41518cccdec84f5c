"""The summary: everything that the terminal, the page and `--json` say about a study, computed once a command.

A row per optimizer, every pair of them, the targets, the verdict and the doubts that keep it honest, all as numbers and
labels; the room `words` writes them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from math import isfinite, nan
from statistics import median
from typing import Any

from surefoot.analysis.doubts import Doubt, doubts
from surefoot.analysis.interim import Interim, Looker
from surefoot.analysis.pairwise import Comparison, Scores, counted, tie_groups
from surefoot.analysis.ranks import Ranking, rankings
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Setting, group, tuned_from
from surefoot.analysis.settled import reference
from surefoot.analysis.target import (
    Arrivals,
    Reach,
    SeedProfiles,
    arrivals,
    choose_targets,
    reach_in,
    seed_profiles,
    traces_by_clock,
)
from surefoot.analysis.tuning import TuningRow, tunings
from surefoot.analysis.verdict import Verdict, judge
from surefoot.errors import UsageError
from surefoot.statistics.intervals import Interval, t_interval
from surefoot.statistics.proportions import Proportion, wilson
from surefoot.statistics.survival import Trace, curve_area
from surefoot.store.design import Design
from surefoot.store.looks import LookPlan
from surefoot.store.margin import Margin
from surefoot.store.protocol import Metric, Protocol
from surefoot.store.records import Outcome, Record


@dataclass(frozen=True)
class ResultRow:
    """One optimizer over its seeds. What no finished trial measured is None.

    `n` counts finished trials; `reasons` tells why others diverged or failed. `test_metric` is the mean of all that
    ended, in which one that diverged counts as in `pairwise.counted`; other means are of finished trials. The gaps are
    validation minus training, both in evaluation mode at the end. `step_seconds` and `train_seconds` are medians
    over seeds, `optimizer_bytes` the state of one trial. `area` is the mean height of the validation metric's curve
    over epochs, `divergence` the share of the trials that ended which diverged. `gradients` is the median of how often
    a step took loss and gradients. `others` are further metrics of the test data, which judge nothing.
    """

    label: str
    rule: str
    convention: str
    hyper: Mapping[str, Any]
    seeds: tuple[int, ...]
    n: int
    diverged: int
    failed: int
    unfinished: int
    reasons: tuple[str, ...]
    test_loss: Interval | None
    test_metric: Interval | None
    loss_gap: Interval | None
    metric_gap: Interval | None
    reach: Reach | None
    area: Interval | None
    divergence: Proportion | None
    step_seconds: float | None
    train_seconds: float | None
    optimizer_bytes: int | None
    parameters: int | None
    gradients: float | None = None
    others: Mapping[str, Interval | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Summary:
    """A study in numbers: rows in the order of the records, the verdict, and what else can be said of them.

    `metric` is what the study is judged by. `comparisons` has every pair of a family that shares two seeds, `groups`
    the largest sets of which no two were told apart, the best first. `target` is of the validation metric, None where
    none tells the trials apart; `arrivals` tells of it, between an easier and a harder one, when it was reached, and
    `profiles` how often each optimizer was among the quickest. `doubts` are reasons not to believe the ranking.
    `tuning` has a row for each optimizer that was tuned. `records` are all trials, `arms` those that measure, `design`
    what was decided before the first of them. `interim` tells what planned looks have decided, None without any.
    """

    study: str
    protocol: Protocol
    metric: Metric
    rows: tuple[ResultRow, ...]
    comparisons: tuple[Comparison, ...]
    groups: tuple[tuple[str, ...], ...]
    target: float | None
    arrivals: tuple[Arrivals, ...]
    profiles: SeedProfiles | None
    verdict: Verdict
    doubts: tuple[Doubt, ...]
    tuning: tuple[TuningRow, ...]
    records: tuple[Record, ...] = field(repr=False)
    arms: tuple[Setting, ...] = field(repr=False)
    design: Design | None = None
    interim: Interim | None = None

    @property
    def scale(self) -> Scale:
        """The scale of the metric: how it is written, and which way is better."""
        return scale_of(self.protocol)

    @cached_property
    def ranks(self) -> tuple[Ranking, ...]:
        """The optimizers by steps, by seconds and by tuning cost; made when it is first asked for."""
        if not self.trained_here or self.verdict.against:  # which leaves most pairs open
            return ()
        looker = looker_of(self.arms, self.scale, self.design, None)
        taken = self.interim.taken if self.interim else ()

        def test(results: Mapping[str, Scores], scale: Scale) -> tuple[Comparison, ...]:
            return replace(looker, scale=scale, own={}).compare(results, taken)

        return rankings(self.arms, self.comparisons, self.records, self.scale, test)

    @property
    def trained_here(self) -> bool:
        """Whether more is known of the trials than scores, which `surefoot.judge` takes from anywhere."""
        return bool(self.protocol.epochs)

    @property
    def tuned_from(self) -> dict[str, str]:
        """The label of each tuned optimizer, and of the same one untuned."""
        return tuned_from(self.arms) | {row.label: row.defaults for row in self.tuning if row.defaults}

    def tuning_of(self, label: str) -> TuningRow | None:
        """How this optimizer was tuned; None if it was not."""
        return next((row for row in self.tuning if row.label == label), None)


def summarize(
    records: Sequence[Record],
    design: Design | None = None,
    margin: Margin | None = None,
    *,
    times: Mapping[str, Sequence[float]] | None = None,
) -> Summary:
    """The summary of the trials of one study, and of the design that was stored before the first of them.

    Args:
        records: the trials.
        design: what was decided before.
        margin: by how much two may differ and still count as equal, that of the design if None.
        times: epochs to a target of the user's, of each trial by label, where no curves tell them; infinite for a miss.

    Raises UsageError when there are no records, or when they cannot be compared (see `settings.group`).
    """
    if not records:
        raise UsageError("there are no trials to summarize. Run `surefoot compare` first, or name another study.")
    arms, first, scale = group(records), records[0], scale_of(records[0].protocol)
    results = {arm.label: arm.results() for arm in arms if arm.judged}
    looker = looker_of(arms, scale, design, design.margin if design else None)
    interim = interim_of(looker, arms, design) if design and design.looks.at else None
    margin = margin or looker.margin
    comparisons = replace(looker, margin=margin).compare(results, interim.taken if interim else ())
    beaten, against = interim.beaten if interim else None, reference(looker.plan.question, looker.own)
    scores = counted(results, scale)
    tuning = tunings(records, design.tune if design else ())
    timed = traces_by_clock(arms)
    target, targets = choose_targets(timed, scale)
    reached = tuple(arrivals(timed, each, scale) for each in targets)
    main = next((each for each in reached if each.target == target), None)
    reaches = {arm.label: main.reach(arm.label) for arm in arms} if main else {}
    reaches |= {label: reach_in(own) for label, own in (times or {}).items() if own}
    return Summary(
        study=first.study,
        protocol=first.protocol,
        metric=scale.metric,
        rows=tuple(
            _row(arm, reaches.get(arm.label), timed["epochs"].get(arm.label, {}).values(), scale, scores)
            for arm in arms
        ),
        comparisons=comparisons,
        groups=tie_groups(results, comparisons, scale),
        target=target,
        arrivals=reached,
        profiles=None if target is None else seed_profiles(timed, target, scale),
        verdict=judge(results, scale, comparisons, margin, beaten, against),
        doubts=doubts(arms, tuning, first.protocol, scale),
        tuning=tuning,
        records=tuple(records),
        arms=arms,
        design=design,
        interim=interim,
    )


def looker_of(arms: Sequence[Setting], scale: Scale, design: Design | None, margin: Margin | None) -> Looker:
    """What looks at these arms, as their design says."""
    plan, measure = (design.looks, design.measure) if design else (LookPlan(), ())
    return Looker(plan, measure, scale, tuned_from(arms), {arm.label: arm.looked() for arm in arms}, margin)


def interim_of(looker: Looker, arms: Sequence[Setting], design: Design) -> Interim:
    """What the planned looks have decided; none is taken before every optimizer, and what is tuned, is measured."""
    searched = {label for label, search in design.searches.items() if search.ranges}
    given = {one.label for one in design.optimizers}
    if searched - {*looker.own.values()} or given - {arm.label for arm in arms}:
        return Interim(due=design.looks.at[0])
    results = {arm.label: arm.results() for arm in arms}
    return looker.look(results, {arm.label: {trial.seed for trial in arm.ended} for arm in arms})


def _row(
    arm: Setting, reach: Reach | None, curves: Iterable[Trace], scale: Scale, scores: Mapping[str, Scores]
) -> ResultRow:
    first, found = arm.trials[0], [*scores[arm.label].values()] if arm.finished else []
    outcomes = [trial.outcome for trial in arm.finished if trial.outcome]
    failed = arm.with_status("failed")
    return ResultRow(
        label=arm.label,
        rule=first.rule,
        convention=first.convention,
        hyper=dict(first.hyper),
        seeds=tuple(trial.seed for trial in arm.trials),
        n=len(arm.finished),
        diverged=len(arm.diverged),
        failed=len(failed),
        unfinished=len(arm.with_status("running")),
        reasons=tuple(dict.fromkeys(trial.reason for trial in arm.diverged + failed if trial.reason)),
        test_loss=t_interval(
            found if scale.metric.is_loss else [one.test_loss for one in outcomes if isfinite(one.test_loss)]
        ),
        test_metric=scale.possible(t_interval(found)),
        loss_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_loss - o.train_loss),
        metric_gap=_gap(arm, lambda trial, o: trial.epochs[-1].validation_metric - o.train_metric),
        reach=reach,
        area=scale.possible(curve_area([trace for trace in curves if all(map(isfinite, trace.values))])),
        divergence=wilson(len(arm.diverged), len(arm.judged)) if arm.judged else None,
        step_seconds=_median(outcome.step_seconds for outcome in outcomes),
        train_seconds=_median(trial.epochs[-1].seconds for trial in arm.finished if trial.epochs),
        optimizer_bytes=outcomes[0].optimizer_bytes if outcomes else None,
        parameters=outcomes[0].parameters if outcomes else None,
        gradients=_median(outcome.gradients for outcome in outcomes),
        others={
            name: t_interval([value for one in outcomes if isfinite(value := one.others.get(name, nan))])
            for name in dict.fromkeys(name for outcome in outcomes for name in outcome.others)
        },
    )


def _gap(arm: Setting, difference: Callable[[Record, Outcome], float]) -> Interval | None:
    gaps = [difference(trial, trial.outcome) for trial in arm.finished if trial.epochs and trial.outcome]
    return t_interval([gap for gap in gaps if isfinite(gap)])


def _median(values: Iterable[float]) -> float | None:
    return median(known) if (known := list(values)) else None
