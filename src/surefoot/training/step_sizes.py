"""The picture that explains adaptive optimizers, as numbers: how the effective step sizes of all weights are spread.

Recorded at about eight steps per decade, so that the early steps, where rates change fastest, are seen and the whole
costs well under one percent of the training.
"""

from __future__ import annotations

import numpy as np
import torch

from surefoot.rules.adabound import bounds
from surefoot.store.records import RATE_QUANTILES, Rates
from surefoot.torch import RuleOptimizer

PER_DECADE = 8


def recording_steps(steps: int) -> frozenset[int]:
    """Return the steps at which to record, from 1 to `steps`, evenly spread in their logarithm."""
    decades = np.log10(max(steps, 1))
    points = np.logspace(0, decades, 1 + round(PER_DECADE * decades))
    return frozenset({*np.rint(points).astype(int).tolist(), steps})


def record_rates(optimizer: RuleOptimizer, step: int) -> Rates:
    """Return the spread of the rates that the coming step will use; call it between `backward()` and `step()`."""
    rates = torch.cat([rate.reshape(-1) for rate in optimizer.effective_lr().values()])
    quantiles = np.quantile(rates.cpu().numpy(), RATE_QUANTILES, method="nearest")
    return Rates(step, tuple(float(q) for q in quantiles), *_bounds(optimizer, step))


def _bounds(optimizer: RuleOptimizer, step: int) -> tuple[float | None, float | None]:
    group = optimizer.param_groups[0]
    if "final_lr" not in group:
        return None, None
    lower, upper = bounds(step, **{name: group[name] for name in ("lr", "final_lr", "gamma", "base_lr")})
    return float(lower), float(upper)
