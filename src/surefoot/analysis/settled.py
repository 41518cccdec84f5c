"""Whether a pair is decided, and which pairs a question needs: a study stops early when all of these are."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from surefoot.analysis.pairwise import Comparison
from surefoot.store.looks import Question


def settled(pair: Comparison) -> bool:
    """Return whether a pair has its answer: one is ahead of the other, or both are equal within the margin."""
    return pair.distinguishable or (pair.closeness is not None and pair.closeness.equal)


def reference(question: Question, own: Mapping[str, str]) -> str:
    """Return the label that all are compared with: the tuned one of the named optimizer, if there is one."""
    tuned = (label for label, untuned in own.items() if untuned == question.against)
    return next(tuned, question.against)


def needed(rows: Sequence[Comparison], question: Question, best: str, inside: Collection[str]) -> list[Comparison]:
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
