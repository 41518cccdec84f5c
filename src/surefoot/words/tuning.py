"""Tuning in sentences: how it was done, what makes its result doubtful, and what its columns mean.

A sentence that claims something (that seeds were kept apart, that effort was equal) is made from the rows, so that it
is not said where it is not so.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from surefoot.analysis import Summary, TuningRow
from surefoot.store.design import Search
from surefoot.words.numbers import count, join, numbers_in_words, short

PRINTED_CAPTION = (
    "Tried: range of what was tried. Gain: by how much the tuned one's test {metric} is better, paired by seed."
)
"""What stands below the printed table of tuning."""


def how_tuned(rows: Sequence[TuningRow]) -> str:
    """How the rows were tuned and measured, in two or three sentences; at least one row."""
    return " ".join([_search(rows), *_waiting(rows), *_separation(rows)])


def tuning_warnings(summary: Summary) -> tuple[str, ...]:
    """A sentence for each doubt: a choice at the edge of what was tried, a search without a result."""
    return tuple(warning for row in summary.tuning for warning in _doubts(row))


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed{'' if len(seeds) == 1 else 's'} {numbers_in_words(seeds)}"


def _search(rows: Sequence[TuningRow]) -> str:
    trials = sorted({row.trials for row in rows})
    effort = f"{trials[0]} to {trials[-1]} configurations" if len(trials) > 1 else count(trials[0], "configuration")
    seeds, again, measuring = (
        _union(getattr(row, name) for row in rows) for name in ("seeds", "again", "measuring_seeds")
    )
    then = f"was then measured like the untuned, on {_seeds(measuring)}" if measuring else "is to be measured"
    first = _seeds([seed for seed in seeds if seed not in again])
    rerun = f", its best {max(row.finalists for row in rows)} on {_seeds(again)} too" if again else ""
    best = "did best in validation" + (", on the mean of all these seeds," if again else "")
    return f"Each tuned optimizer was tried in {effort} on {first}{rerun}; the one that {best} {then}."


def _waiting(rows: Sequence[TuningRow]) -> Iterator[str]:
    labels = [row.label for row in rows if not row.measuring_seeds]
    if 0 < len(labels) < len(rows):
        yield f"Not measured yet: {join(labels)}."


def _separation(rows: Sequence[TuningRow]) -> Iterator[str]:
    mixed = [row.label for row in rows if not row.apart]
    if mixed:
        yield f"Tuning and measuring share seeds or test data, which flatters the result: {join(mixed)}."
    else:
        yield "Tuning saw neither the measuring seeds nor the test data."


def _doubts(row: TuningRow) -> Iterator[str]:
    chosen = next((one.chosen for one in row.searched if one.name == "lr"), None)
    if row.edge and chosen is not None:
        beyond = "higher" if row.edge == "highest" else "lower"
        yield (
            f"{row.label}: the chosen learning rate, {short(chosen)}, is the {row.edge} of the {_tried(row)} that were "
            f"tried; a {beyond} one may be better{_held(row.planned)}."
        )
    if row.best is None and not row.unfinished:
        tried = count(row.trials, "configuration")
        yield f"{row.label}: none of its {tried} ended with a result, so nothing was tuned."


def _held(planned: Search | None) -> str:
    """Why the search did not go on, where it is the user's range that held it."""
    if planned is None or not planned.lr_is_users:
        return ""
    return f", but the range that you gave ({planned.ranges['lr'].text}) is not left: give a wider one to find out"


def _tried(row: TuningRow) -> int:
    return row.lr_place[1] if row.lr_place else row.trials


def _union(groups: Iterator[Sequence[int]]) -> list[int]:
    return sorted({seed for group in groups for seed in group})
