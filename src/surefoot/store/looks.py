"""Looks: when a run is looked at, what is asked, and the verdicts that a trial was part of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from math import comb
from typing import Any, Literal, get_args

from surefoot.errors import Argument, UsageError, unknown

Spending = Literal["obrien-fleming", "pocock", "linear"]
"""The way in which looks share the 5 % of false verdicts: little at first, evenly, or by seeds."""

Kind = Literal["best", "all-pairs", "against"]

NOW = 2**62
"""The number of the present run, above that of all earlier ones."""


@dataclass(frozen=True, order=True)
class Together:
    """How many comparisons a verdict tests together, in each family; 0 where that is not known.

    Attributes:
        pairs: of optimizers, the tuned ones as they are tuned.
        untuned: of optimizers as they are before tuning.
        gains: of tuned optimizers, each with itself untuned.
    """

    pairs: int = 0
    untuned: int = 0
    gains: int = 0


UNKNOWN = Together()
"""Where it is not known."""


@dataclass(frozen=True)
class Question:
    """The question of a comparison: the best, every pair, or all against one.

    Attributes:
        kind: which of these.
        against: the label of that one; empty for the other two.
    """

    kind: Kind = "best"
    against: str = ""

    @classmethod
    def read(cls, text: str, rules: Mapping[str, str]) -> Question:
        """Read `best`, `all-pairs` or `against NAME`.

        Args:
            text: what a user wrote.
            rules: the name of the rule or class of every optimizer, by its label.

        Raises:
            UsageError: it is none of these, nothing that is compared has this name, or several have.
        """
        kind, _, name = text.strip().partition(" ")
        if kind not in get_args(Kind) or (kind == "against") != bool(name.strip()):
            expected = "best, all-pairs, or against and a name: 'against adam'"
            raise UsageError(Argument("question"), f" is {text!r}; give {expected}.")
        if kind != "against":
            return cls("best" if kind == "best" else "all-pairs")
        return cls("against", _named(name.strip(), rules))

    @property
    def text(self) -> str:
        """The question as a user gives it."""
        return f"against {self.against}" if self.kind == "against" else self.kind

    def pairs(self, optimizers: int) -> int:
        """Return how many pairs are tested together among this many optimizers."""
        return max(0, optimizers - 1) if self.kind == "against" else comb(optimizers, 2)

    def together(self, optimizers: int, tuned: Collection[str] = ()) -> Together:
        """Return how many comparisons are tested together in each family.

        Args:
            optimizers: how many there are.
            tuned: labels of those of them that are tuned.
        """
        pairs = self.pairs(optimizers)
        if not tuned:
            return Together(pairs, pairs)
        if self.kind == "against":
            own = self.against in tuned
            return Together(pairs, pairs if own else len(tuned), int(own))
        return Together(pairs, pairs - comb(optimizers - len(tuned), 2), len(tuned))


def _named(name: str, rules: Mapping[str, str]) -> str:
    """Return the label that a name stands for.

    An equal label goes first, then one that differs in capitals alone, then that of an optimizer of this rule or class.
    A name that fits several of them equally well is refused.
    """
    small = name.lower()
    ways = (
        [label for label in rules if label == name],
        [label for label in rules if label.lower() == small],
        [label for label, rule in rules.items() if rule.lower() == small],
    )
    found = next((labels for labels in ways if labels), None)
    if found is None:
        raise unknown("optimizer of this study", name, rules)
    if len(found) > 1:
        said = f" is 'against {name}', which may be {' or '.join(map(repr, found))}; give the label of one."
        raise UsageError(Argument("question"), said)
    return found[0]


@dataclass(frozen=True)
class LookPlan:
    """The looks of a run, decided before its first trial.

    Attributes:
        at: numbers of seeds at which it is, the most seeds last; none where the end is the only look.
        spending: how the 5 % of false verdicts are shared out over these looks.
        question: what the comparison is to answer.
        left_out: looks that were asked for and cannot find anything.
    """

    at: tuple[int, ...] = ()
    spending: Spending = "obrien-fleming"
    question: Question = field(default_factory=Question)
    left_out: tuple[int, ...] = ()

    @property
    def most(self) -> int:
        """The most seeds; 0 where the end is the only look."""
        return self.at[-1] if self.at else 0

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> LookPlan:
        """Return the plan of a stored design."""
        return cls(tuple(found["at"]), found["spending"], Question(**found["question"]), tuple(found["left_out"]))

    def of(
        self, place: int, run: int, seeds: int = 0, noted: Sequence[int] = (), together: Together = UNKNOWN
    ) -> frozenset[TakenLook]:
        """Return the looks of a run that a trial is part of.

        Args:
            place: of the seed of the trial among those of the run, from 0.
            run: number of the run.
            seeds: how many the run has had, if that is known; later looks were not taken.
            noted: how many seeds its verdicts were on, where these were noted: then there were no others.
            together: how many comparisons it tests together.
        """
        if not self.at and not noted:
            return frozenset({TakenLook(run, seeds, together=together)})
        taken = noted or ((*(one for one in self.at if one < seeds), seeds) if seeds else self.at)
        return frozenset(TakenLook(run, one, self.most, self.spending, together) for one in taken if place < one)


@dataclass(frozen=True, order=True)
class TakenLook:
    """A verdict that trials were part of; verdicts are in the order of time.

    Attributes:
        run: number of the run that it was on, which rises with time.
        seeds: how many seeds were due then.
        planned: the most seeds of that run; 0 where its end was the only look.
        spending: how that run shares out its false verdicts.
        together: how many comparisons it tested together.
    """

    run: int
    seeds: int = 0
    planned: int = 0
    spending: Spending = "obrien-fleming"
    together: Together = UNKNOWN


BEST = Question()
"""The default question."""

PRESENT = TakenLook(NOW)
"""The verdict of now, at the end of a run with a single look."""
