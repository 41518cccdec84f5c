"""Records to rows of the store and back.

A REAL column takes infinities but turns NaN into NULL; as no such column is optional, NULL reads back as NaN. The
bounds of `Rates` are optional, so None and NaN must stay apart: they and the quantiles are JSON, which in Python's
dialect has NaN and Infinity. Mappings are JSON too: a tuple in `hyper` comes back as a list.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import astuple
from typing import Any

from surefoot.store.design import Part, Planned, Search
from surefoot.store.records import Epoch, Outcome, Rates, Record

Row = Sequence[Any]

PLAIN = ("key", "study", "label", "rule", "convention", "seed", "purpose")
MAPPINGS = ("hyper", "protocol", "environment")
STATE = ("status", "reason")
PLANNED = "key, label, seed, role, tuned_from, configuration, round"
TRIAL = ", ".join(("id", *PLAIN, *MAPPINGS, *STATE))


def trial_row(record: Record) -> dict[str, Any]:
    """The columns that `begin` writes, by name."""
    return {name: getattr(record, name) for name in PLAIN} | {name: _json(getattr(record, name)) for name in MAPPINGS}


def epoch_row(trial: int, epoch: Epoch) -> tuple[Any, ...]:
    """A row of the table `epochs`."""
    return (trial, *astuple(epoch))


def rates_row(trial: int, epoch: int, rates: Rates) -> tuple[Any, ...]:
    """A row of the table `rates`."""
    return (trial, rates.step, epoch, json.dumps(rates.quantiles), json.dumps([rates.lower, rates.upper]))


def outcome_row(trial: int, outcome: Outcome) -> tuple[Any, ...]:
    """A row of the table `outcomes`."""
    return (trial, *astuple(outcome))


def planned_row(place: int, planned: Planned) -> tuple[Any, ...]:
    """A row of the table `run_trials`, without the run."""
    part = planned.part
    named = (planned.key, planned.label, planned.seed, part.role, part.tuned_from)
    return (place, *named, _json(part.configuration), part.round)


def planned(row: Row, searches: Mapping[str, Search]) -> Planned:
    """The planned trial of such a row (its columns `PLANNED`); `searches` are those of its run."""
    key, label, seed, role, tuned_from, configuration, number = row
    return Planned(
        key, label, seed, Part(role, tuned_from, json.loads(configuration), number, searches.get(tuned_from))
    )


def epochs_by_trial(rows: Iterable[Row]) -> Mapping[int, list[Epoch]]:
    """The epochs of each trial, in the order of the rows."""
    groups: defaultdict[int, list[Epoch]] = defaultdict(list)
    for trial, epoch, *figures in rows:
        groups[trial].append(Epoch(epoch, *map(_real, figures)))
    return groups


def rates_by_trial(rows: Sequence[Row]) -> Mapping[int, list[Rates]]:
    """The rates of each trial, in the order of the rows (trial, step, quantiles, bounds)."""
    groups: defaultdict[int, list[Rates]] = defaultdict(list)
    decoded = json.loads("[" + ",".join(f"[{quantiles},{bounds}]" for *_, quantiles, bounds in rows) + "]")
    for (trial, step, *_), (quantiles, (lower, upper)) in zip(rows, decoded, strict=True):
        groups[trial].append(Rates(step, tuple(quantiles), lower, upper))
    return groups


def outcomes_by_trial(rows: Iterable[Row]) -> Mapping[int, Outcome]:
    """The outcome of each trial that has one."""
    return {trial: Outcome(*map(_real, values)) for trial, *values in rows}


def record(columns: Row, epochs: Iterable[Epoch], rates: Iterable[Rates], outcome: Outcome | None) -> Record:
    """The record of a row of the table `trials` (its columns `TRIAL` without the id) and its parts."""
    row = dict(zip((*PLAIN, *MAPPINGS, *STATE), columns, strict=True))
    row |= {name: json.loads(row[name]) for name in MAPPINGS}
    return Record(**row, epochs=tuple(epochs), rates=tuple(rates), outcome=outcome)


def _json(mapping: Mapping[str, Any]) -> str:
    return json.dumps(dict(mapping))


def _real(value: Any) -> Any:
    return math.nan if value is None else value
