"""The configurations of a search: what was tried, how each ended, and which hyperparameters were searched.

What differs between the trials, or from the defaults, was searched; the records say no more, and need not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from numbers import Real
from statistics import fmean
from typing import Any, Literal

from surefoot.store.records import Record, Status

Spacing = Literal["log", "log of 1 - x", "linear"]
SHARES = frozenset({"alpha", "beta1", "beta2", "momentum", "rho"})
"""Shares that are kept each step: of these, what is not kept spans decades."""


@dataclass(frozen=True)
class Tried:
    """One configuration: the searched values, mean validation metric over its `seeds` (None unless all finished)."""

    values: Mapping[str, float]
    metric: float | None
    status: Status
    chosen: bool
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Searched:
    """A hyperparameter that was searched: the range that was tried, and the value that was chosen (None: not yet)."""

    name: str
    low: float
    high: float
    scale: Spacing
    chosen: float | None


def searched_names(hypers: Sequence[Mapping[str, Any]]) -> list[str]:
    """What differs between the trials, or from the defaults: the learning rate first."""
    numeric = [name for name, value in hypers[0].items() if isinstance(value, Real) and not isinstance(value, bool)]
    differs = [name for name in numeric if len({hyper.get(name) for hyper in hypers}) > 1]
    return sorted(differs, key=lambda name: name != "lr")


def configurations(trials: Sequence[Record], names: Sequence[str], chosen: Mapping[str, Any]) -> tuple[Tried, ...]:
    """The configurations of these trials by the hyperparameters of these names; `chosen` are those that were chosen."""
    by_config: dict[tuple[Any, ...], list[Record]] = {}
    for trial in trials:
        by_config.setdefault(tuple(trial.hyper[name] for name in names), []).append(trial)
    pick = tuple(chosen.get(name) for name in names)
    return tuple(
        Tried(dict(zip(names, values, strict=True)), *_result(found), values == pick, _seeds(found))
        for values, found in by_config.items()
    )


def finalists(tried: Sequence[Tried]) -> tuple[Tried, ...]:
    """Those that were run again on more seeds than all were; none if all had the same."""
    fewest = min((len(one.seeds) for one in tried), default=0)
    return tuple(one for one in tried if len(one.seeds) > fewest)


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


def searched(name: str, tried: Sequence[Tried], chosen: Mapping[str, Any]) -> Searched:
    """The range of one hyperparameter over what was tried, and what was chosen."""
    values = [one.values[name] for one in tried]
    low, high = min(values), max(values)
    spans = (low > 0 and name not in SHARES) or (high < 1 and name in SHARES)
    scale: Spacing = ("log of 1 - x" if name in SHARES else "log") if spans else "linear"
    return Searched(name, low, high, scale, chosen.get(name))
