"""Training curves, the area under them, and time to a target: how many trials have reached it by when.

A trial that ends without reaching the target is censored at its end: it might have got there later, and says nothing
beyond. In seconds that would let the quick leave early, although all trained equally far: there each that missed waits
until the last one's end. A trial that diverged will never get there: it stays among those yet to arrive for all time
(as one with a competing event does), and does so even if it had touched the target before, since a run that blows up
is of no use. So a median counts every trial, and is unknown rather than flattering when too few arrive.
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
    """`values[i]` was measured when the clock stood at `clock[i]`; the clock only moves on.

    A trial that `diverged` has the values up to then, possibly none. Seconds are training time; evaluation is not in
    them.
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


def mean_height(trace: Trace) -> float:
    """The area under one trace, over the time that it spans: the value itself where there is only one evaluation.

    It rewards getting there early and does not grow with the number of epochs. It spans the first evaluation to the
    last: what came before the first was not measured, and is not made up.

    Raises UsageError when a value is not finite, or there is none.
    """
    values, clock = finite(trace.values, "a trace"), finite(trace.clock, "its clock")
    if len(values) == 1:
        return float(values[0])
    return float((values[1:] + values[:-1]) / 2 @ np.diff(clock) / (clock[-1] - clock[0]))


def curve_area(traces: Iterable[Trace]) -> Interval | None:
    """The mean area over seeds with its 95 % interval; None when every trial diverged.

    A trial that diverged has no area that could be averaged. It is left out, never padded with what it had at first.
    """
    return t_interval([mean_height(trace) for trace in traces if not trace.diverged])


def time_to_target(
    traces: Mapping[str, Mapping[int, Trace]], target: float, *, higher: bool = True, same_length: bool = False
) -> dict[str, Survival]:
    """When the trials of each optimizer first reached `target`.

    Args:
        traces: for each optimizer, by seed, those of its finished and diverged trials, all of one figure and clock.
        target: in the unit of the figure.
        higher: whether higher values are better (accuracy); False for losses.
        same_length: whether all trials of an optimizer trained as long by another clock than this one. Then one that
            missed waits until the last of them ended: that it was done sooner, by a quicker machine, says nothing of
            when it would have arrived.

    Raises UsageError when the target tells nothing apart: no trial reaches it, or all do at their first evaluation.
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
    """The time of the first evaluation at the target or better; infinite if it was never reached."""
    if trace.diverged:
        return inf
    for time, value in zip(trace.clock, trace.values, strict=True):
        if value >= target if higher else value <= target:
            return time
    return inf


def kaplan_meier(times: Sequence[float], reached: Sequence[bool]) -> Survival:
    """The Kaplan-Meier estimate with 95 % log-log intervals.

    Args:
        times: when each trial reached the target or, if it did not, ended; infinite for one that never will.
        reached: whether it did.
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
    """When each trial arrived or, if it did not, left."""
    last = max((trace.clock[-1] for _, trace in group if not trace.diverged), default=inf)
    return [
        hit if isfinite(hit) or trace.diverged else last if same_length else trace.clock[-1] for hit, trace in group
    ]


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
