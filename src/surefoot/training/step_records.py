"""Records of a training step: its time, and the spread of the effective step sizes.

The latter is the picture that explains adaptive optimizers, as numbers. It is recorded at about eight steps per decade,
so that the early steps, where rates change fastest, are seen and the whole costs well under one percent of the time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from surefoot.rules.adabound import bounds
from surefoot.store.records import RATE_QUANTILES, Rates
from surefoot.torch.composite import SurefootOptimizer

PER_DECADE = 8


def recording_steps(steps: int) -> frozenset[int]:
    """Return the steps at which to record, from 1 to `steps`, evenly spread in their logarithm."""
    decades = np.log10(max(steps, 1))
    points = np.logspace(0, decades, 1 + round(PER_DECADE * decades))
    return frozenset({*np.rint(points).astype(int).tolist(), steps})


def record_rates(optimizer: SurefootOptimizer, step: int) -> Rates:
    """Return the spread of the coming step's rates. Call it between `backward()` and `step()`."""
    rates = torch.cat([rate.reshape(-1) for rate in optimizer.effective_lr().values()])
    quantiles = np.quantile(rates.cpu().numpy(), RATE_QUANTILES, method="nearest")
    return Rates(step, tuple(float(q) for q in quantiles), *_bounds(optimizer, step))


def _bounds(optimizer: SurefootOptimizer, step: int) -> tuple[float | None, float | None]:
    group = optimizer.param_groups[0]
    if "final_lr" not in group:
        return None, None
    lower, upper = bounds(step, **{name: group[name] for name in ("lr", "final_lr", "gamma", "base_lr")})
    return float(lower), float(upper)


class Stopwatch:
    """A clock that starts when it is made, and waits for the GPU before it stops.

    Args:
        device: `cpu`, `cuda` or `mps`: where the work is done.
    """

    def __init__(self, device: str) -> None:
        self._device, self._apart = device, 0.0
        self._start = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Seconds so far, without those in which it stood."""
        return time.perf_counter() - self._start - self._apart

    @contextmanager
    def stopped(self) -> Iterator[None]:
        """Stand for as long as the block runs."""
        self._wait()
        begun = time.perf_counter()
        try:
            yield
        finally:
            self._wait()
            self._apart += time.perf_counter() - begun

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize()
        elif self._device == "mps":
            torch.mps.synchronize()
