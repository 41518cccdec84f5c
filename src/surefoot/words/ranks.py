"""The three rankings as a table, with a sentence on what each ranks."""

from __future__ import annotations

from collections.abc import Iterator

from surefoot.analysis import Summary
from surefoot.analysis.ranks import Place, Ranking
from surefoot.words.cells import Table, Text, Where, plain_table, text
from surefoot.words.numbers import MISSING, Written, count, duration

TITLE = "By steps, by seconds, by tuning cost"

HEADINGS = {"steps": "By steps", "seconds": "By seconds", "tuning": "By tuning cost"}


def rank_table(summary: Summary, where: Where = "print") -> Table | None:
    """Return a row for each optimizer with its ranks, on a page with their values; None where nothing is ranked."""
    if not summary.ranks:
        return None
    placed = [{place.label: place for place in ranking.places} for ranking in summary.ranks]
    rows = [
        (
            text(first.label),
            *(
                _cell(ranking, places[first.label], summary, where)
                for ranking, places in zip(summary.ranks, placed, strict=True)
            ),
        )
        for first in summary.ranks[0].places
    ]
    header = ("Optimizer", *(HEADINGS[ranking.by] for ranking in summary.ranks))
    return plain_table(header, rows, *rank_notes(summary))


def rank_notes(summary: Summary) -> Iterator[str]:
    """Yield what each ranking ranks, and what a shared rank means."""
    for ranking in summary.ranks:
        yield _said(ranking, summary)
    yield "Rank: one more than the number of optimizers that the paired test finds better; = marks a shared rank."


def _said(ranking: Ranking, summary: Summary) -> str:
    metric = summary.metric.title
    if ranking.by == "steps":
        after = "the last step" if ranking.at is None else count(int(ranking.at), "step")
        return f"Steps: test {metric} after {after}, as in the verdict."
    if ranking.by == "seconds":
        return (
            f"Seconds: validation {metric} after {duration(ranking.at or 0.0)} of training on this machine, when the "
            "quickest one ends."
        )
    return "Tuning cost: the number of trainings that tuning took. No test is needed."


def _cell(ranking: Ranking, place: Place, summary: Summary, where: Where) -> Text:
    """Return the rank, and on a page the value below it."""
    rank = f"{place.rank}{' =' if place.shared else ''}"
    if where == "print":
        return text(rank)
    if place.value is None:
        value = MISSING
    else:
        tuning = ranking.by == "tuning"
        value = count(int(place.value), "training") if tuning else Written(summary.metric).value(place.value)
    return text(rank, value)
