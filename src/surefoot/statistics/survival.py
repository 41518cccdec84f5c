"""Training curves, the area under them, and time to a target: how many trials have reached it by when.

A trial that ends without reaching the target is censored at its end: it might have reached it later. In seconds quick
trials would then leave early, although all trained equally far; there each miss waits until the last one's end. A trial
that diverged never arrives, so it waits for all time, as with a competing event. That holds even if it had touched the
target before: a run that blows up is of no use. So a median counts every trial, and is unknown, not flattering, when
too few arrive.

Sources: Kaplan and Meier, JASA 53 (1958); Greenwood (1926); Brookmeyer and Crowley, Biometrics 38 (1982), log-log.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf, isfinite

import numpy as np
from numpy.typing import NDArray
from scipy import special

from surefoot.errors import UsageError
from surefoot.statistics.argument_checks import Numbers, finite
from surefoot.statistics.intervals import LEVEL, Interval, t_interval

Counts = NDArray[np.intp]


@dataclass(frozen=True)
class Trace:
    """The curve of one trial: `values[i]` was measured at `clock[i]`, which only rises.

    A trial that `diverged` has the values up to then, possibly none. Seconds are training time, without evaluation.
    """

    clock: tuple[float, ...]
    values: tuple[float, ...]
    diverged: bool = False

    def __post_init__(self) -> None:
        if len(self.clock) != len(self.values):
            raise UsageError(f"a trace has {len(self.clock)} times and {len(self.values)} values; expected as many.")
        if any(later <= earlier for earlier, later in zip(self.clock, self.clock[1:], strict=False)):
            raise UsageError(f"the clock of a trace does not move on: {self.clock}. Sort the evaluations by time.")
        if not (self.values or self.diverged):
            raise UsageError("a trace has no values, but its trial did not diverge. Leave unfinished trials out.")


@dataclass(frozen=True)
class Survival:
    """The arrival of a group of trials at a target.

    Attributes:
        times: the times at which a trial reached it.
        waiting: estimated share of trials that have not reached it by then; it falls in steps from 1.
        low: lower end of the 95 % interval of that share, `high` the upper one; NaN once no trial waits.
        median: the first time at which at most half wait; None if that was not seen.
        median_low: lower end of its interval; a `median_high` of None means "later than seen".
        reached: number of trials that reached it, of `of`.
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


def mean_height(trace: Trace) -> float:
    """Return the area under a trace over the time that it spans; with one evaluation, its value.

    It rewards early progress, and does not grow with the number of epochs. It spans the first evaluation to the last:
    nothing was measured before the first.

    Raises:
        UsageError: a value is not finite, or there is none.
    """
    values, clock = finite(trace.values, "a trace"), finite(trace.clock, "its clock")
    if len(values) == 1:
        return float(values[0])
    return float((values[1:] + values[:-1]) / 2 @ np.diff(clock) / (clock[-1] - clock[0]))


def curve_area(traces: Iterable[Trace]) -> Interval | None:
    """Return the mean area over seeds with its 95 % interval; None if every trial diverged.

    A trial that diverged has no area to average. It is left out, never padded with its first values.
    """
    return t_interval([mean_height(trace) for trace in traces if not trace.diverged])


def time_to_target(
    traces: Mapping[str, Mapping[int, Trace]], target: float, *, higher: bool = True, same_length: bool = False
) -> dict[str, Survival]:
    """Return when the trials of each optimizer first reached `target`.

    Args:
        traces: traces of finished and diverged trials, by optimizer and seed, all of one figure and clock.
        target: target, in the unit of the figure.
        higher: whether higher values are better (accuracy); False for losses.
        same_length: whether all trials trained equally long by another clock than this one. Then a miss waits until the
            last trial ended: an earlier end, on a quicker machine, says nothing about when it would have arrived.

    Raises:
        UsageError: no trial reaches the target, or all do at their first evaluation.
    """
    groups = {
        name: [(first_crossing(one, target, higher=higher), one) for one in of.values()] for name, of in traces.items()
    }
    sound = [(hit, trace) for group in groups.values() for hit, trace in group if not trace.diverged]
    if not any(isfinite(hit) for hit, _ in sound):
        raise UsageError(f"no trial reaches the target {target:g}, so it separates nothing. Choose an easier one.")
    if all(hit <= trace.clock[0] for hit, trace in sound):
        raise UsageError(
            f"every trial is at the target {target:g} at its first evaluation, so it separates nothing. "
            "Choose a harder one."
        )
    return {
        name: kaplan_meier(_ends(group, same_length), [isfinite(hit) for hit, _ in group])
        for name, group in groups.items()
    }


def first_crossing(trace: Trace, target: float, *, higher: bool = True) -> float:
    """Return the time of the first evaluation at the target or better; infinite if there is none."""
    if trace.diverged:
        return inf
    for time, value in zip(trace.clock, trace.values, strict=True):
        if value >= target if higher else value <= target:
            return time
    return inf


def kaplan_meier(times: Sequence[float], reached: Sequence[bool]) -> Survival:
    """Return the Kaplan-Meier estimate with 95 % log-log intervals.

    Args:
        times: time at which each trial reached the target or, if it did not, ended; infinite for one that diverged.
        reached: whether each trial reached it.
    """
    ends, hits = np.asarray(times, dtype=np.float64), np.asarray(reached, dtype=bool)
    if ends.ndim != 1 or ends.shape != hits.shape or not len(ends):
        raise UsageError(f"{ends.shape} times and {hits.shape} outcomes; expected two rows of one length, not empty.")
    if np.isnan(ends).any() or not np.isfinite(ends[hits]).all():
        raise UsageError("a trial that reached the target has no time for it; expected a number.")
    moments, arrivals = np.unique(ends[hits], return_counts=True)
    at_risk = (ends[None, :] >= moments[:, None]).sum(axis=1)
    waiting = np.cumprod(1 - arrivals / at_risk)
    low, high = _bands(waiting, arrivals, at_risk, float(special.ndtri((1 + LEVEL) / 2)))
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


def _ends(group: Sequence[tuple[float, Trace]], same_length: bool) -> list[float]:
    """Return when each trial arrived or, if it did not, left."""
    last = max((trace.clock[-1] for _, trace in group if not trace.diverged), default=inf)
    return [
        hit if isfinite(hit) or trace.diverged else last if same_length else trace.clock[-1] for hit, trace in group
    ]


def _bands(waiting: Numbers, arrivals: Counts, at_risk: Counts, z: float) -> tuple[Numbers, Numbers]:
    """Return the bounds by Greenwood's variance, through log(-log S), which keeps them between 0 and 1."""
    low, high = np.full_like(waiting, np.nan), np.full_like(waiting, np.nan)
    known = waiting > 0
    s, d, n = waiting[known], arrivals[known], at_risk[known]
    spread = z * np.sqrt(np.cumsum(d / (n * (n - d)))) / -np.log(s)
    low[known], high[known] = s ** np.exp(spread), s ** np.exp(-spread)
    return low, high


def _first(moments: Numbers, shares: Numbers) -> float | None:
    """Return the first moment at which the share is at most one half."""
    return min(moments[shares <= 0.5 + 1e-12].tolist(), default=None)
