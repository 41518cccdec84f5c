"""What a seed counts that diverged: worse than every score of the study.

Were it left out, an optimizer that blows up on hard seeds would be judged by the easy ones. So it takes part with one
score, so bad that a single divergence outweighs whatever the other seeds can differ by; two that diverged with the same
seed tie there. That score is made from all scores of the study alike: had two optimizers been one, swapping a pair
would leave it as it is, so the permutation test stays exact.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan

Scores = Mapping[int, float]
"""The scores of an optimizer by seed; not a number where it diverged."""


def counted(scores: Mapping[str, Scores], *, higher: bool = True) -> dict[str, dict[int, float]]:
    """The scores with a number for each seed that diverged.

    Args:
        scores: for each optimizer its scores by seed.
        higher: whether higher scores are better.
    """
    lost = _lost(scores, higher)
    return {
        name: {seed: lost if isnan(score) else score for seed, score in found.items()} for name, found in scores.items()
    }


def _lost(scores: Mapping[str, Scores], higher: bool) -> float:
    known = [score for found in scores.values() for score in found.values() if not isnan(score)]
    if not known:
        return 0.0
    span = (max(known) - min(known)) or 1.0
    outweighing = (1 + max(map(len, scores.values()))) * span
    return min(known) - outweighing if higher else max(known) + outweighing
