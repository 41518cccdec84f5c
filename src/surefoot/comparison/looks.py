"""Planned looks: from a user's request to the plan of a run, before its first trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from surefoot.errors import Argument, UsageError
from surefoot.statistics.looks import even_looks, first_look, read_spending
from surefoot.store.looks import BEST, LookPlan, Question, Spending

AUTO = "auto"


@dataclass(frozen=True)
class AskedLooks:
    """The looks that a user asks for.

    Attributes:
        at: numbers of seeds; empty for none.
        auto: whether they are to be chosen.
        spending: how the 5 % of false verdicts are shared out over looks.
        question: what the comparison is to answer.
    """

    at: tuple[int, ...] = ()
    auto: bool = False
    spending: Spending = "obrien-fleming"
    question: Question = BEST

    @classmethod
    def read(
        cls, looks: str | Sequence[int] | None, spending: str, question: str, rules: Mapping[str, str]
    ) -> AskedLooks:
        """Read the options of a user.

        Args:
            looks: `auto`, or numbers of seeds, as in `8,12,16` or `[8, 12, 16]`.
            spending: one of `Spending`.
            question: as `Question.read` takes it.
            rules: the name of the rule or class of every optimizer, by its label.

        Raises:
            UsageError: an option that cannot be read.
        """
        how = read_spending(spending)
        auto = isinstance(looks, str) and looks.strip().lower() == AUTO
        at = () if auto or looks is None else _numbers(looks)
        return cls(at, auto, how, Question.read(question, rules))

    def decides(self, seeds: int | None, optimizers: int) -> dict[str, Any]:
        """Return what distinguishes these looks in a design. One look at the end adds nothing.

        Args:
            seeds: the most seeds; None where a clock chooses them.
            optimizers: how many are compared.
        """
        if self == AT_THE_END:
            return {}
        said: str | list[int] = AUTO if self.auto else list(self.at)
        looks = said if seeds is None else list(self.plan(seeds, optimizers).at)
        return {"looks": looks, "spending": self.spending, "question": self.question.text}

    def plan(self, seeds: int, optimizers: int, *, at_most: bool = False) -> LookPlan:
        """Return the looks of a run of this size. The last one is at its end.

        Args:
            seeds: the most seeds.
            optimizers: how many are compared; tuned ones are as many as untuned ones.
            at_most: whether a clock chose the seeds; later looks then fall away.

        Raises:
            UsageError: a look is beyond the seeds.
        """
        if not self.at and not self.auto:
            return LookPlan(spending=self.spending, question=self.question)
        pairs = max(1, self.question.pairs(optimizers))
        if self.auto:
            return LookPlan(even_looks(seeds, self.spending, pairs), self.spending, self.question)
        if self.at[-1] > seeds and not at_most:
            said = f" goes up to {self.at[-1]} seeds, and the study has {seeds}; give at most {seeds}."
            raise UsageError(Argument("looks"), said)
        first = first_look(seeds, self.spending, pairs)
        at = tuple(look for look in self.at if first <= look < seeds)
        left_out = tuple(look for look in self.at if look < first)
        return LookPlan((*at, seeds), self.spending, self.question, left_out)


def _numbers(looks: str | Sequence[int]) -> tuple[int, ...]:
    """Return numbers of seeds that rise."""
    given = looks.replace(" ", ",").split(",") if isinstance(looks, str) else list(looks)
    try:
        numbers = tuple(int(one) for one in given if str(one).strip())
    except (TypeError, ValueError):
        numbers = ()
    if not numbers or numbers[0] < 1 or list(numbers) != sorted(set(numbers)):
        raise UsageError(Argument("looks"), f" is {looks!r}; give auto, or numbers of seeds that rise: 8,12,16,20.")
    return numbers


AT_THE_END = AskedLooks()
"""The one look of a run without planned ones."""
