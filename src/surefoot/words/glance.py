"""A study at a glance, for a reader in a hurry.

Four answers: the best, what is level with it, how sure that is, and its cost. The verdict has the numbers behind them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surefoot.analysis import Summary
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.words.numbers import Written, are, count, duration, named, seeds
from surefoot.words.pairs import standing

SIDES = {"better": "Ahead of it", "worse": "Behind it"}
"""Headings of the optimizers told apart from the one that all are compared with, by standing."""

LEVEL = {
    "equal": "Equal to it",
    "not worse": "Not worse than it",
    "tie": "Tied with it",
    "open": "Still open",
    "not settled": "Not settled",
}
"""Headings of the optimizers level with the best, by standing."""


def at_a_glance(summary: Summary) -> list[tuple[str, str]]:
    """Return the best, its equals, how sure that is and its cost, as headings with texts.

    Where all are compared with one optimizer, that one comes first, then what is ahead of it and behind it. The list is
    empty where nothing has finished.
    """
    best = summary.verdict.against or summary.verdict.best
    if best is None:
        return []
    row = next(row for row in summary.rows if row.label == best)
    score = Written(summary.metric).value(summary.verdict.scores[best])
    said = (
        "Compared with" if summary.verdict.against else "Best",
        f"{best}: test {summary.metric.title} {score}, {seeds(row.n)}",
    )
    return [said, *levels(summary), ("How sure", _how_sure(summary)), *_cost(summary, best)]


def levels(summary: Summary) -> Iterator[tuple[str, str]]:
    """Yield headings with the optimizers level with the best. Where all are compared with one, all are named."""
    found = [(one.label, standing(one.label, summary)) for one in summary.rows]
    for word, heading in {**(SIDES if summary.verdict.against else {}), **LEVEL}.items():
        if names := [label for label, its in found if its == word]:
            yield heading, named(names)


def _how_sure(summary: Summary) -> str:
    """Return what the verdict rests on, in a few words."""
    if summary.verdict.basis == "one run":
        return "Not at all: one run of each settles nothing."
    tested = [pair for pair in summary.verdict.pairs if pair.p is not None]
    if not tested:
        return f"Not settled: a claim needs {FEWEST_PAIRS} seeds or more."
    ahead = sum(pair.distinguishable and (pair.ahead or pair.reference) for pair in tested)
    of = f"{ahead} of {len(tested)}"
    found = f"{of} {are(ahead)} told apart from it" if summary.verdict.against else f"It is ahead of {of}"
    each = " for differences, and 5 % for equality" if summary.verdict.margin else ""
    normal = ", if differences scatter normally" if summary.verdict.trusted is not None else ""
    families = " for each question" if {row.family for row in summary.comparisons} != {"all"} else ""
    return (
        f"{found} by paired tests over {_seeds([pair.n for pair in tested])}. "
        f"The chance of a false claim is at most 5 %{each}{families}{normal}."
    )


def _seeds(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return seeds(low) if low == high else f"{low} to {seeds(high)}"


def _cost(summary: Summary, best: str) -> Iterator[tuple[str, str]]:
    """Yield the cost of the best, of its tuning, and of the whole study."""
    row = next(row for row in summary.rows if row.label == best)
    spent = sum(trial.epochs[-1].seconds for trial in summary.records if trial.epochs)
    if row.train_seconds is None or not spent:
        return
    tuning = summary.tuning_of(best)
    after = f", after {count(tuning.trials, 'training')} to tune it" if tuning else ""
    study = f"The whole study: {count(len(summary.records), 'training')}, {duration(spent)}."
    yield "Cost", f"{duration(row.train_seconds)} of training{after}. {study}"
