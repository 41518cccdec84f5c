"""Whether a pair is decided, and which pairs the question of a study needs: what lets a study stop early."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from surefoot.analysis.pairwise import Comparison
from surefoot.store.looks import Question


def settled(pair: Comparison) -> bool:
    """Whether a pair has its answer: one is ahead of the other, or both are equal within the margin that was given."""
    return pair.distinguishable or (pair.closeness is not None and pair.closeness.equal)


def reference(question: Question, own: Mapping[str, str]) -> str:
    """The label that all are compared with, where one is: the tuned one of the optimizer that was named, if any."""
    tuned = (label for label, untuned in own.items() if untuned == question.against)
    return next(tuned, question.against)


def needed(rows: Sequence[Comparison], question: Question, best: str, inside: Collection[str]) -> list[Comparison]:
    """The pairs that a question needs decided.

    Args:
        rows: every pair that was compared.
        question: what is asked.
        best: the label of the best so far; where all are compared with one, of that one.
        inside: labels of those that may still get seeds; for `best` only these are rivals.
    """
    if question.kind == "all-pairs":
        return list(rows)
    main = [row for row in rows if row.family in ("all", "tuned") and best in (row.a, row.b)]
    return [row for row in main if question.kind == "against" or {row.a, row.b} <= set(inside)]
