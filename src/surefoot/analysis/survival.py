"""Time to a target as survival: how many trials have reached it by when, with those that never did still counted.

A trial that ends without reaching the target is censored at its end: it might have got there later, and says nothing
beyond. In seconds that would let the quick leave early, although all trained equally far: there each that missed waits
until the last one's end. A trial that diverged will never get there: it stays among those yet to arrive for all time
(as one with a competing event does), and does so even if it had touched the target before, since a run that blows up
is of no use. So a median counts every trial, and is unknown rather than flattering when too few arrive.
Sources: Kaplan and Meier, JASA 53 (1958); Greenwood (1926); Brookmeyer and Crowley, Biometrics 38 (1982), log-log.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray
from scipy import special

from surefoot.analysis.traces import Trace
from surefoot.errors import UsageError
from surefoot.statistics.checks import Numbers, share

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class Survival:
    """How a group of trials came to a target.

    `times` are those at which any trial reached it, `waiting` the estimated share that has not by then (it starts at 1
    and falls in steps), `low` and `high` its interval; both bounds are NaN once nobody waits, where there is none.
    `median` is the first time at which at most half wait, with its interval; None where the trials do not tell, which
    above means "later than seen". `reached` of `of` trials got there.
    """

    times: tuple[float, ...]
    waiting: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    median: float | None
    median_low: float | None
    median_high: float | None
    reached: int
    of: int


def time_to_target(
    traces: Mapping[str, Sequence[Trace]],
    target: float,
    *,
    higher: bool = True,
    level: float = 0.95,
    same_length: bool = False,
) -> dict[str, Survival]:
    """When the trials of each optimizer first reached `target`.

    Args:
        traces: for each optimizer those of its finished and diverged trials, one at least, all of one figure and clock.
        target: in the unit of the figure.
        higher: whether higher values are better (accuracy); False for losses.
        level: of the intervals.
        same_length: whether all trials of an optimizer trained as long by another clock than this one. Then one that
            missed waits until the last of them ended: that it was done sooner, by a quicker machine, says nothing of
            when it would have arrived.

    Raises UsageError when the target tells nothing apart: no trial reaches it, or all do at their first evaluation.
    """
    check_target([trace for group in traces.values() for trace in group], target, higher=higher)
    return {name: _survival(group, target, higher, level, same_length) for name, group in traces.items()}


def check_target(traces: Sequence[Trace], target: float, *, higher: bool = True) -> None:
    """Refuse, with a `UsageError`, a target that no trial reaches, or that all reach at their first evaluation."""
    sound = [trace for trace in traces if not trace.diverged]
    crossings = [first_crossing(trace, target, higher=higher) for trace in sound]
    if not any(map(isfinite, crossings)):
        raise UsageError(f"no trial reaches the target {target:g}, so it tells nothing apart. Choose an easier one.")
    if all(crossing <= trace.clock[0] for crossing, trace in zip(crossings, sound, strict=True)):
        raise UsageError(
            f"every trial is at the target {target:g} at its first evaluation, so it tells nothing apart. "
            "Choose a harder one."
        )


def first_crossing(trace: Trace, target: float, *, higher: bool = True) -> float:
    """The time of the first evaluation at the target or better; infinite if there is none or the trial diverged."""
    if trace.diverged:
        return inf
    for time, value in zip(trace.clock, trace.values, strict=True):
        if value >= target if higher else value <= target:
            return time
    return inf


def kaplan_meier(times: Sequence[float], reached: Sequence[bool], *, level: float = 0.95) -> Survival:
    """The Kaplan-Meier estimate with log-log intervals.

    Args:
        times: when each trial reached the target or, if it did not, ended; infinite for one that never will.
        reached: whether it did.
        level: of the intervals.
    """
    ends, hits = np.asarray(times, dtype=np.float64), np.asarray(reached, dtype=bool)
    if ends.ndim != 1 or ends.shape != hits.shape or not len(ends):
        raise UsageError(f"{ends.shape} times and {hits.shape} outcomes; expected two rows of one length, not empty.")
    if np.isnan(ends).any() or not np.isfinite(ends[hits]).all():
        raise UsageError("a trial that reached the target has no time for it; expected a number.")
    moments, arrivals = np.unique(ends[hits], return_counts=True)
    at_risk = (ends[None, :] >= moments[:, None]).sum(axis=1)
    waiting = np.cumprod(1 - arrivals / at_risk)
    low, high = _bands(waiting, arrivals, at_risk, float(special.ndtri((1 + share(level, "level")) / 2)))
    return Survival(
        times=tuple(moments.tolist()),
        waiting=tuple(waiting.tolist()),
        low=tuple(low.tolist()),
        high=tuple(high.tolist()),
        median=_first(moments, waiting),
        median_low=_first(moments, np.where(waiting > 0, low, 0)),
        median_high=_first(moments, high),
        reached=int(hits.sum()),
        of=len(hits),
    )


def _survival(group: Sequence[Trace], target: float, higher: bool, level: float, same_length: bool) -> Survival:
    last = max((trace.clock[-1] for trace in group if not trace.diverged), default=inf)
    crossings = [first_crossing(trace, target, higher=higher) for trace in group]
    ends = [
        crossing if isfinite(crossing) or trace.diverged else last if same_length else trace.clock[-1]
        for crossing, trace in zip(crossings, group, strict=True)
    ]
    return kaplan_meier(ends, [isfinite(crossing) for crossing in crossings], level=level)


def _bands(waiting: Numbers, arrivals: Counts, at_risk: Counts, z: float) -> tuple[Numbers, Numbers]:
    """Greenwood's variance, carried through log(-log S), which keeps the bounds between 0 and 1."""
    low, high = np.full_like(waiting, np.nan), np.full_like(waiting, np.nan)
    known = waiting > 0
    s, d, n = waiting[known], arrivals[known], at_risk[known]
    spread = z * np.sqrt(np.cumsum(d / (n * (n - d)))) / -np.log(s)
    low[known], high[known] = s ** np.exp(spread), s ** np.exp(-spread)
    return low, high


def _first(moments: Numbers, shares: Numbers) -> float | None:
    """The first moment at which the share is at most one half."""
    return min(moments[shares <= 0.5 + 1e-12].tolist(), default=None)
