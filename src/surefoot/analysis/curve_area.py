"""The area under a training curve: how good the weights were on average while training, in the figure's own unit.

It rewards getting there early, and needs no target. By trapezoids over the clock, divided by the time that they span,
so it reads as a mean height and does not grow with the number of epochs. The span is from the first evaluation to the
last: what came before the first was not measured, and is not made up.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.analysis.traces import Trace
from surefoot.statistics.checks import finite
from surefoot.statistics.intervals import Interval, t_interval


def mean_height(trace: Trace) -> float:
    """The normalised area under one trace; the value itself where there is only one evaluation.

    Raises UsageError when a value is not finite, or there is none.
    """
    values, clock = finite(trace.values, "a trace"), finite(trace.clock, "its clock")
    if len(values) == 1:
        return float(values[0])
    middles = (values[1:] + values[:-1]) / 2
    return float(middles @ np.diff(clock) / (clock[-1] - clock[0]))


def curve_area(traces: Sequence[Trace]) -> Interval | None:
    """The mean area over seeds with its 95 % interval; None when every trial diverged.

    A trial that diverged has no area that could be averaged. It is left out here and told by
    `robustness.divergence_rate`, never padded with what it had at the start.
    """
    return t_interval([mean_height(trace) for trace in traces if not trace.diverged])
