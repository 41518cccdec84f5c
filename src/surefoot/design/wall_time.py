"""The time that trials take side by side, from the seconds of each: a forecast and a running budget ask for it."""

from __future__ import annotations

from collections.abc import Sequence


def wall(costs: Sequence[float], workers: int) -> float:
    """Return the seconds until all trials have ended, at least: with many it is close to that.

    Args:
        costs: seconds of each trial.
        workers: trials that run side by side.
    """
    return max(sum(costs) / workers, max(costs, default=0.0))
