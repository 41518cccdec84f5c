"""Records to rows of the store and back.

A REAL column takes infinities but turns NaN into NULL; as no such column is optional, NULL reads back as NaN. The
bounds of `Rates` are optional, so None and NaN must stay apart: they and the quantiles are JSON, which in Python's
dialect has NaN and Infinity. Mappings are JSON too: a tuple in `hyper` comes back as a list.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from surefoot.store.design import Planned, Search, TrialPart
from surefoot.store.looks import LookPlan, TakenLook
from surefoot.store.protocol import Protocol
from surefoot.store.records import Epoch, Outcome, Rates, Record

Row = Sequence[Any]
Columns = dict[str, Sequence[Any]]

PLAIN = ("key", "study", "label", "rule", "convention", "seed", "purpose")
TRIAL = (*PLAIN, "hyper", "environment", "protocol", "status", "reason")
PLANNED = "key, label, seed, role, tuned_from, configuration, round"
OF_A_RUN = ("id", *TRIAL, "name", "role", "tuned_from", "configuration", "round")
"""The columns of a trial and of its part in a run. Its label there is `name`."""


def trial_row(record: Record) -> dict[str, Any]:
    """Return the columns that `begin` writes, by name."""
    mappings = {"hyper": record.hyper, "environment": record.environment, "protocol": record.protocol.content}
    return {name: getattr(record, name) for name in PLAIN} | {n: json.dumps(dict(m)) for n, m in mappings.items()}


def rates_row(trial: int, epoch: int, rates: Rates) -> tuple[Any, ...]:
    """Return a row of the table `rates`."""
    return (trial, rates.step, epoch, json.dumps(rates.quantiles), json.dumps([rates.lower, rates.upper]))


def planned_row(place: int, planned: Planned) -> tuple[Any, ...]:
    """Return a row of the table `run_trials`, without the run."""
    part = planned.part
    named = (planned.key, planned.label, planned.seed, part.role, part.tuned_from)
    return (place, *named, json.dumps(dict(part.configuration)), part.round)


def planned(row: Row, searches: Mapping[str, Search]) -> Planned:
    """Return the planned trial of a row with the columns `PLANNED`. `searches` are those of its run."""
    key, label, seed, role, tuned_from, configuration, number = row
    part = TrialPart(role, tuned_from, json.loads(configuration), number, searches.get(tuned_from))
    return Planned(key, label, seed, part)


def epochs_by_trial(rows: Iterable[Row]) -> Mapping[int, tuple[Epoch, ...]]:
    """Return the epochs of each trial, from rows in the order of trial and epoch."""
    return {trial: tuple(Epoch(*_reals(row[1:])) for row in mine) for trial, mine in groupby(rows, itemgetter(0))}


def rates_by_trial(rows: Sequence[Row]) -> Mapping[int, tuple[Rates, ...]]:
    """Return the rates of each trial, from rows ordered by trial and step."""
    found = decoded(f"[{quantiles},{bounds}]" for *_, quantiles, bounds in rows)
    return {
        trial: tuple(Rates(row[1], tuple(quantiles), *bounds) for row, (quantiles, bounds) in mine)
        for trial, mine in groupby(zip(rows, found, strict=True), lambda pair: pair[0][0])
    }


EARLIER = """
SELECT key, seed, run FROM run_trials
WHERE role IN ('untuned', 'measured') AND run != {run} AND key IN (SELECT key FROM run_trials WHERE run = {run})
"""
"""The query for other runs that measure the trials of a run."""


RUNS = """
SELECT id, id = {run}, frozen, content, count(DISTINCT seed), count(DISTINCT CASE role WHEN 'untuned' THEN label END),
    json_group_array(DISTINCT tuned_from) FILTER (WHERE role = 'measured'),
    (SELECT min(taken) FROM looks WHERE run = id), (SELECT json_group_array(seeds) FROM looks WHERE run = id)
FROM runs LEFT JOIN (
    SELECT run, run_trials.seed, run_trials.label, role, tuned_from FROM run_trials JOIN trials USING (key)
    WHERE role IN ('untuned', 'measured') AND status IN ('finished', 'diverged')
) ON run = id
GROUP BY id
"""
"""The query for every run: its seeds, optimizers and tuned ones that measure, its first look, and its looks."""


def looks_by_key(rows: Iterable[Row], runs: Sequence[Row]) -> Mapping[str, frozenset[TakenLook]]:
    """Return the looks of earlier runs by trial, from rows of `EARLIER` and of `RUNS`."""
    found: defaultdict[str, set[TakenLook]] = defaultdict(set)
    looks = {run: _looks(number, *row) for number, (run, *row) in enumerate(_before(runs), 1)}
    for key, seed, run in rows:
        found[key] |= looks[run](seed) if run in looks else frozenset()
    return {key: frozenset(taken) for key, taken in found.items()}


def _before(runs: Sequence[Row]) -> list[Row]:
    """Return the id, design, seeds, optimizers, tuned ones and looks of the runs with an earlier first look.

    One that was never looked at is looked at now. Of others, which may be of an older version, their ids tell.
    """
    own, first = next(((run, taken) for run, mine, *_, taken, _ in runs if mine), (0, None))
    some = [
        (taken or frozen, run, content, *counts, noted)
        for run, _, frozen, content, *counts, taken, noted in runs
        if run != own and (first is None or (taken, run) < (first, own) if taken else run < own)
    ]
    return [row for _, *row in sorted(some, key=itemgetter(0, 1))]


def _looks(
    number: int, content: str, seeds: int, optimizers: int, tuned: str, noted: str
) -> Callable[[int], frozenset[TakenLook]]:
    """Return the looks at a run that the trial of a seed was part of."""
    design = json.loads(content)
    plan = LookPlan.from_json(design["looks"]) if "looks" in design else LookPlan()
    places = {seed: place for place, seed in enumerate(design["measure"])}
    together, at = plan.question.together(optimizers, json.loads(tuned)), sorted(json.loads(noted))
    return lambda seed: plan.of(places.get(seed, 0), number, seeds, at, together)


def looked(text: str) -> dict[int, str]:
    """Return the times of a run's looks by number of seeds, from a row's JSON."""
    return {int(seeds): taken for seeds, taken in json.loads(text).items()}


def outcomes_by_trial(rows: Sequence[Row]) -> Mapping[int, Outcome]:
    """Return the outcome of each trial that has one."""
    others = decoded(row[-1] for row in rows)
    return {row[0]: Outcome(*(*_reals(row[1:-1]), more)) for row, more in zip(rows, others, strict=True)}


def columns(found: Iterable[Row], names: Sequence[str]) -> Columns:
    """Rows as columns by their names, texts of JSON decoded."""
    made: Columns = dict(zip(names, list(zip(*found, strict=True)) or [()] * len(names), strict=True))
    made |= {name: decoded(made[name]) for name in ("hyper", "environment", "configuration") if name in made}
    return made | {"protocol": [_protocol(text) for text in made["protocol"]]}


def parts(found: Columns, searches: Mapping[str, Search]) -> list[TrialPart]:
    """Return the part of each trial in a run, from its columns of `PLANNED`."""
    names = ("role", "tuned_from", "configuration", "round")
    return [TrialPart(*(*row, searches.get(row[1]))) for row in zip(*(found[name] for name in names), strict=True)]


def records(found: Columns) -> list[Record]:
    """Return the records of columns that have every field by its name."""
    return [Record(*row) for row in zip(*(found[one.name] for one in fields(Record)), strict=True)]


def decoded(texts: Iterable[str]) -> list[Any]:
    """Texts of JSON, all decoded at once: several times as quick as one by one."""
    return list(json.loads(f"[{','.join(texts)}]"))


@lru_cache(maxsize=64)
def _protocol(text: str) -> Protocol:
    """Return a protocol; the trials of a study share one."""
    return Protocol.from_json(json.loads(text))


def _reals(values: Row) -> Row:
    return [math.nan if value is None else value for value in values] if None in values else values
