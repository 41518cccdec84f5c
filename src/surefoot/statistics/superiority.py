"""How often one optimizer beats the other with the same seed, which needs no unit and no mean.

Higher values beat lower ones; for losses swap the arguments.
Source: Wilson, JASA 22 (1927).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from surefoot.statistics.checks import pairs
from surefoot.statistics.proportions import Proportion, wilson


def paired_superiority(a: Sequence[float], b: Sequence[float], *, level: float = 0.95) -> Proportion:
    """The share of seeds with which `a` beats `b`, ties half, with Wilson's interval; `a[i]` and `b[i]` share a seed.

    Ties scatter less than wins and losses, so with ties the interval is too wide rather than too narrow.
    """
    left, right = pairs(a, b)
    wins = float(np.count_nonzero(left > right) + 0.5 * np.count_nonzero(left == right))
    return wilson(wins, len(left), level)
