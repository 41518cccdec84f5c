"""The summary: everything that the terminal, the page and `--json` say about a study, computed once per command.

It has a row for each optimizer, every pair of them, the targets, the verdict and the doubts. All are numbers and
labels; the room `words` writes them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from surefoot.analysis.doubts import Doubt, doubts
from surefoot.analysis.families import reference
from surefoot.analysis.interim import Interim, interim_of, looker_of
from surefoot.analysis.pairwise import Comparison, Scores, counted, tie_groups
from surefoot.analysis.ranks import Ranking, rankings
from surefoot.analysis.result_row import ResultRow, result_row
from surefoot.analysis.scale import Scale, scale_of
from surefoot.analysis.settings import Setting, group, tuned_from
from surefoot.analysis.target import (
    Arrivals,
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
from surefoot.store.design import Design
from surefoot.store.margin import Margin
from surefoot.store.protocol import Metric, Protocol
from surefoot.store.records import Record


@dataclass(frozen=True)
class Summary:
    """A study in numbers.

    Attributes:
        rows: a row for each optimizer, in the order of the records.
        comparisons: every pair of a family that shares two seeds.
        groups: the largest groups of optimizers that no test separates, the best first.
        target: value of the validation metric; None where none tells the trials apart.
        arrivals: when this target was reached, and the next easier and harder one.
        profiles: how often each optimizer was among the quickest.
        records: all trials; `arms` has the measuring ones.
        design: what was decided before the first trial.
        interim: what planned looks have decided; None without any.
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
        """The scale of the metric: its better direction, and its smallest step."""
        return scale_of(self.protocol)

    @cached_property
    def ranks(self) -> tuple[Ranking, ...]:
        """The optimizers by steps, by seconds and by tuning cost; none where all were compared with one."""
        if not self.trained_here or self.verdict.against:  # a question about one leaves most pairs open
            return ()
        looker = looker_of(self.arms, self.scale, self.design, None)
        taken = self.interim.taken if self.interim else ()

        def test(results: Mapping[str, Scores], scale: Scale) -> tuple[Comparison, ...]:
            return replace(looker, scale=scale, own={}).compare(results, taken)

        return rankings(self.arms, self.comparisons, self.records, self.scale, test)

    @property
    def trained_here(self) -> bool:
        """Whether Surefoot trained the trials; `surefoot.judge` takes scores from anywhere."""
        return bool(self.protocol.epochs)

    @property
    def tuned_from(self) -> dict[str, str]:
        """The untuned label for each tuned one."""
        return tuned_from(self.arms) | {row.label: row.defaults for row in self.tuning if row.defaults}

    def tuning_of(self, label: str) -> TuningRow | None:
        """Return how an optimizer was tuned; None if it was not."""
        return next((row for row in self.tuning if row.label == label), None)


def summarize(
    records: Sequence[Record],
    design: Design | None = None,
    margin: Margin | None = None,
    *,
    times: Mapping[str, Sequence[float]] | None = None,
) -> Summary:
    """Return the summary of one study.

    Args:
        records: the trials.
        design: what was decided before the first of them; None if nothing was.
        margin: difference that still counts as equal; None takes that of the design.
        times: epochs of each trial to the user's own target, by label, where there are no curves; infinite for a miss.

    Raises:
        UsageError: there are no records, or they cannot be compared (see `settings.group`).
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
            result_row(arm, reaches.get(arm.label), timed["epochs"].get(arm.label, {}).values(), scale, scores)
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
