"""The price of not tuning, as a table and in sentences."""

from __future__ import annotations

from surefoot.analysis.rate_free import Price, Prices
from surefoot.words.cells import Cell, Table, of, plain_table, text
from surefoot.words.numbers import PLAIN, Unit, Written, join, minus, seeds

TRAININGS = Unit(lambda trainings: minus(f"{trainings:.1f}"))

HEADER = ("Optimizer", "Test {}", "Trainings", "Saved", "Lost", "Verdict")


def price_table(found: Prices) -> Table:
    """Return the price of not tuning each optimizer, with the tuned one in the last row."""
    written = Written(found.metric)
    header = tuple(name.format(found.metric.title) for name in HEADER)
    rows = [
        (
            text(row.label),
            of(row.score, written.value),
            Cell(row.trainings, TRAININGS),
            Cell(row.saved, TRAININGS),
            of(row.lost, written.difference) if row.lost else Cell(None),
            text(_verdict(row)),
        )
        for row in found.rows
    ]
    last = (Cell(None), Cell(None), text("tuned"))
    best = (text(found.tuned), of(found.score, written.value), Cell(found.trainings, PLAIN), *last)
    return plain_table(header, [*rows, best], price_sentence(found))


def price_sentence(found: Prices) -> str:
    """Return what the columns mean."""
    margin = Written(found.metric).margin(found.margin)
    return (
        f"Lost: how much better {found.tuned} is, paired by seed, with its 95 % interval. Not worse: it loses less "
        f"than the margin of {margin}. Worse: it loses more. Open: these seeds cannot tell. At most 5 of 100 studies "
        "make a false claim. Trainings: what the optimizer costs, tuning and range test included. Saved: how many "
        f"fewer than the {found.trainings:g} of {found.tuned}."
    )


def price_answer(found: Prices) -> str:
    """Return which optimizers do without tuning, in one line."""
    good = [row for row in found.rows if row.claim == "not worse"]
    if not good:
        return f"None was shown to be as good as {found.tuned}, which took {found.trainings:g} trainings."
    named = join([f"{row.label} for {TRAININGS(row.trainings)}" for row in good])
    return f"Not worse than {found.tuned}, which took {found.trainings:g} trainings: {named}."


def _verdict(row: Price) -> str:
    return f"{row.claim}, diverged on {seeds(row.diverged)}" if row.diverged else row.claim
