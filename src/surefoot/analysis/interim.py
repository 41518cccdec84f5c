"""What the looks of a run have decided so far: which arms get no more seeds, and whether the run may stop.

All of it follows from the stored results, look by look, so a run that was killed goes on as if it had not been. An arm
that is found behind another cannot be the best, and leaves. Its pairs keep their p-values, and stay exact: had the arm
stayed, its p-values could only have fallen, and even these keep the error rate.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from functools import cached_property, partial

from surefoot.analysis.families import reference
from surefoot.analysis.pairwise import NONE, Comparison, Looked, Scores, compare_all
from surefoot.analysis.scale import Scale
from surefoot.analysis.settings import Setting, tuned_from
from surefoot.analysis.verdict import judge
from surefoot.store.design import Design
from surefoot.store.looks import NOW, LookPlan, Question, TakenLook
from surefoot.store.margin import Margin


@dataclass(frozen=True)
class Left:
    """An arm that gets no more seeds: how many it had, and the arm that it was found behind; empty for none."""

    label: str
    seeds: int
    behind: str = ""


@dataclass(frozen=True)
class Interim:
    """The state of a run with planned looks.

    Attributes:
        taken: numbers of seeds at the looks taken so far.
        left: the arms that get no more seeds.
        decided: whether every pair that the question needs is decided.
        due: number of seeds at the next look; None for no further look.
    """

    taken: tuple[int, ...] = ()
    left: tuple[Left, ...] = ()
    decided: bool = False
    due: int | None = None

    @property
    def out(self) -> frozenset[str]:
        """The labels of the arms that left."""
        return frozenset(one.label for one in self.left)

    @property
    def beaten(self) -> frozenset[str]:
        """The labels of the arms that left because another was ahead of them."""
        return frozenset(one.label for one in self.left if one.behind)


@dataclass(frozen=True)
class Looker:
    """The planned looks of a run, applied to its results.

    Attributes:
        plan: the looks, and the question.
        measure: the measuring seeds of the run, in order.
        scale: scale of the metric.
        own: the untuned label for each tuned one.
        earlier: verdicts of earlier runs.
        margin: difference that still counts as equal; None for no such question.
    """

    plan: LookPlan
    measure: Sequence[int]
    scale: Scale
    own: Mapping[str, str]
    earlier: Looked
    margin: Margin | None = None

    def look(self, results: Mapping[str, Scores], ended: Mapping[str, Set[int]]) -> Interim:
        """Take every look for which each remaining arm has its seeds.

        Args:
            results: scores by label and seed; NaN for a seed that diverged.
            ended: seeds of each arm whose trial ended, with a result or without one, such as a failed trial.
        """
        return self.looked(results, ended)[0]

    def looked(
        self, results: Mapping[str, Scores], ended: Mapping[str, Set[int]]
    ) -> tuple[Interim, tuple[Comparison, ...]]:
        """Do as `look`, and return every pair on the seeds of the last look taken too."""
        found = Interim(due=next(iter(self.plan.at), None))
        every: tuple[Comparison, ...] = ()
        while found.due is not None and self._complete(found, ended):
            found, every = self._after(found, found.due, results)
        return found, every

    def compare(self, results: Mapping[str, Scores], taken: Sequence[int]) -> tuple[Comparison, ...]:
        """Compare every pair, with p-values that count the looks taken; seeds beyond these are one more look."""
        asked = partial(compare_all, results, self.scale, margin=self.margin, question=self.plan.question)
        if not self.plan.at:
            return asked(tuned_from=self.own, looked=self.earlier)
        mine = {seed: self._looks(place, taken) for seed, place in self._places.items()}
        looked = {
            label: {seed: mine[seed] | self.earlier.get(label, {}).get(seed, NONE) for seed in own}
            for label, own in results.items()
        }
        seeds = max((self._places[seed] + 1 for own in results.values() for seed in own), default=0)
        now = TakenLook(NOW, seeds, self.plan.most, self.plan.spending)
        return asked(tuned_from=self.own, looked=looked, now=now)

    def until(self, results: Mapping[str, Scores], seeds: int, left: Sequence[Left]) -> dict[str, dict[int, float]]:
        """Return the scores of a run after so many seeds; arms that left have fewer."""
        ends = {one.label: one.seeds for one in left}
        return {
            label: {seed: own[seed] for seed in own if self._places[seed] < ends.get(label, seeds)}
            for label, own in results.items()
        }

    @cached_property
    def _places(self) -> dict[int, int]:
        return {seed: place for place, seed in enumerate(self.measure)}

    def _looks(self, place: int, taken: Sequence[int]) -> frozenset[TakenLook]:
        """Return the looks of this run that the trials of a seed were part of."""
        return frozenset(look for look in self.plan.of(place, NOW) if look.seeds in taken)

    def _complete(self, found: Interim, ended: Mapping[str, Set[int]]) -> bool:
        seeds = set(self.measure[: found.due])
        inside = [label for label in ended if label not in found.out]
        return bool(inside) and all(seeds <= ended[label] for label in inside)

    def _after(
        self, found: Interim, seeds: int, results: Mapping[str, Scores]
    ) -> tuple[Interim, tuple[Comparison, ...]]:
        """Return the state of the run after a look at so many seeds, and every pair."""
        here = {label: own for label, own in self.until(results, seeds, found.left).items() if own}
        taken = (*found.taken, seeds)
        every = self.compare(here, taken)
        rows = [row if self._is_new(row, seeds) else replace(row, p=None, closeness=None) for row in every]
        left = (*found.left, *self._leaving(rows, set(here) - found.out, seeds))
        inside = set(here) - {one.label for one in left}
        best = self._centre(here, rows, set(here) - inside)
        asked = _needed(rows, self.plan.question, best, inside)
        main = any(best in (row.a, row.b) for row in rows if row.is_main)
        decided = main and all(row.settled for row in asked)
        due = None if decided else next((at for at in self.plan.at if at > seeds), None)
        return Interim(taken, left, decided, due), every

    def _is_new(self, row: Comparison, seeds: int) -> bool:
        """Return whether no earlier run had more seeds of a pair: a verdict on fewer seeds says nothing new."""
        of_a, of_b = (self.earlier.get(label, {}).values() for label in (row.a, row.b))
        return all(look.seeds <= seeds for look in frozenset().union(*of_a) & frozenset().union(*of_b))

    def _centre(self, results: Mapping[str, Scores], rows: Sequence[Comparison], out: Set[str]) -> str:
        """Return the arm that the question is about: the best remaining one, or the reference of all."""
        if self.plan.question.kind == "against":
            return reference(self.plan.question, self.own)
        return judge(results, self.scale, rows, out=out).best or ""

    def _leaving(self, rows: Sequence[Comparison], inside: Set[str], seeds: int) -> Iterator[Left]:
        """Yield the arms that leave after a look: nothing about them is still open."""
        question, centre = self.plan.question, reference(self.plan.question, self.own)
        behind = {row.worse: row.better for row in rows if row.distinguishable and {row.a, row.b} <= set(inside)}
        for label in sorted(inside - {centre}):
            mine = [row for row in _needed(rows, question, centre, inside) if label in (row.a, row.b)]
            done = bool(mine) and all(row.settled for row in mine)
            if label in behind if question.kind == "best" else done:
                yield Left(label, seeds, behind.get(label, ""))


def looker_of(arms: Sequence[Setting], scale: Scale, design: Design | None, margin: Margin | None) -> Looker:
    """Return the looks at these arms, by the plan of their design."""
    plan, measure = (design.looks, design.measure) if design else (LookPlan(), ())
    return Looker(plan, measure, scale, tuned_from(arms), {arm.label: arm.looked() for arm in arms}, margin)


def interim_of(looker: Looker, arms: Sequence[Setting], design: Design) -> Interim:
    """Return what the planned looks have decided; none is taken before every arm, tuned or not, is measured."""
    searched = {label for label, search in design.searches.items() if search.ranges}
    given = {one.label for one in design.optimizers}
    if searched - {*looker.own.values()} or given - {arm.label for arm in arms}:
        return Interim(due=design.looks.at[0])
    results = {arm.label: arm.results() for arm in arms}
    return looker.look(results, {arm.label: {trial.seed for trial in arm.ended} for arm in arms})


def _needed(rows: Sequence[Comparison], question: Question, best: str, inside: Collection[str]) -> list[Comparison]:
    """Return the pairs that a question needs decided.

    Args:
        rows: every pair that was compared.
        question: the question of the study.
        best: label of the best so far, or of the one that all are compared with.
        inside: labels of the arms that may still get seeds; for the question `best` only these are rivals.
    """
    if question.kind == "all-pairs":
        return list(rows)
    main = [row for row in rows if row.is_main and best in (row.a, row.b)]
    return [row for row in main if question.kind == "against" or {row.a, row.b} <= set(inside)]
