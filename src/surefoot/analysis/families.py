"""The families of pairs: which optimizers a question compares with each other, and corrects for together.

A study with tuned optimizers has three questions: which is best when tuned, which is best with its defaults, and what
tuning gains each. Each question is a family of pairs with a Holm correction of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from operator import attrgetter
from typing import Literal

from surefoot.store.looks import Question, Together

Family = Literal["all", "tuned", "untuned", "gain"]

TOGETHER: Mapping[Family, Callable[[Together], int]] = {
    "all": attrgetter("pairs"),
    "tuned": attrgetter("pairs"),
    "untuned": attrgetter("untuned"),
    "gain": attrgetter("gains"),
}
"""The number of comparisons of a family that an earlier verdict tested together."""


def asked(labels: Sequence[str], own: Mapping[str, str], question: Question) -> dict[Family, list[tuple[str, str]]]:
    """Return the pairs of `families` that a question needs; `against` needs those of one optimizer, tuned or not."""
    found = families(labels, own)
    if question.kind != "against":
        return found
    mine = {question.against, *(tuned for tuned, untuned in own.items() if untuned == question.against)}
    return {family: [pair for pair in pairs if mine & set(pair)] for family, pairs in found.items()}


def families(labels: Sequence[str], own: Mapping[str, str]) -> dict[Family, list[tuple[str, str]]]:
    """Return the pairs to test by family; no pair is in two families, and without tuning `all` is the only one.

    `own` has the untuned label for each tuned one. A setting without a tuned counterpart is as its user wants it, and
    is compared with the tuned ones too.
    """
    own = {tuned: untuned for tuned, untuned in own.items() if {tuned, untuned} <= set(labels)}
    if not own:
        return {"all": list(combinations(labels, 2))}
    final = list(combinations([label for label in labels if label not in own.values()], 2))
    given = list(combinations([label for label in labels if label not in own], 2))
    return {"tuned": final, "untuned": [pair for pair in given if pair not in final], "gain": list(own.items())}


def reference(question: Question, own: Mapping[str, str]) -> str:
    """Return the label that all are compared with: the tuned one of the named optimizer, if there is one."""
    tuned = (label for label, untuned in own.items() if untuned == question.against)
    return next(tuned, question.against)
