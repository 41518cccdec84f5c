"""The configurations of a search: what was tried, how each ended, and in which ranges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from statistics import fmean
from typing import Literal

from surefoot.store.design import Search
from surefoot.store.records import Record, Status

Spacing = Literal["log", "log of 1 - x", "linear"]

SPACINGS: dict[str, Spacing] = {"log": "log", "one_minus": "log of 1 - x", "uniform": "linear"}


@dataclass(frozen=True)
class Tried:
    """One configuration: the searched values, mean validation metric over its `seeds` (None unless all finished).

    One of the best few was run `again` on more seeds.
    """

    values: Mapping[str, float]
    metric: float | None
    status: Status
    chosen: bool
    seeds: tuple[int, ...] = ()
    again: tuple[int, ...] = ()


@dataclass(frozen=True)
class Searched:
    """A hyperparameter that was searched: the range that was tried, and the value that was chosen (None: not yet)."""

    name: str
    low: float
    high: float
    scale: Spacing
    chosen: float | None


def configurations(trials: Sequence[Record], chosen: Mapping[str, float]) -> tuple[Tried, ...]:
    """The configurations of these trials, in the order in which they were planned; `chosen` is the one that won."""
    by_config: dict[tuple[tuple[str, float], ...], list[Record]] = {}
    for trial in trials:
        by_config.setdefault(tuple(trial.part.configuration.items()), []).append(trial)
    return tuple(
        Tried(dict(values), *_result(found), dict(values) == chosen, _seeds(found), _again(found))
        for values, found in by_config.items()
    )


def finalists(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """Those that were run again on more seeds; none if all were."""
    last = tuple(one for one in tried if one.again)
    return last if len(last) < len(tried) else ()


def _again(trials: Sequence[Record]) -> tuple[int, ...]:
    return _seeds([trial for trial in trials if trial.part.role == "final"])


def _seeds(trials: Sequence[Record]) -> tuple[int, ...]:
    return tuple(sorted({trial.seed for trial in trials}))


def _result(trials: Sequence[Record]) -> tuple[float | None, Status]:
    """The mean validation metric of a configuration, and how its worst trial ended."""
    order: tuple[Status, ...] = ("failed", "diverged", "running")
    status: Status = next((one for one in order if any(trial.status == one for trial in trials)), "finished")
    values = [trial.epochs[-1].validation_metric if trial.epochs else nan for trial in trials]
    if status != "finished":
        return None, status
    return (fmean(values), "finished") if all(map(isfinite, values)) else (None, "diverged")


def searched(search: Search | None, tried: Sequence[Tried], chosen: Mapping[str, float]) -> tuple[Searched, ...]:
    """The range that was tried of each hyperparameter of a search, and what was chosen."""
    return tuple(_searched(name, search, tried, chosen) for name in tried[0].values) if tried else ()


def _searched(name: str, search: Search | None, tried: Sequence[Tried], chosen: Mapping[str, float]) -> Searched:
    values = [one.values[name] for one in tried]
    kind = search.ranges.get(name) if search else None
    scale: Spacing = SPACINGS[kind.kind] if kind else "log"
    return Searched(name, min(values), max(values), scale, chosen.get(name))
