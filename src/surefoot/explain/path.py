"""A rule walking over a surface, in float64 and in plain Python: the reference that the page must repeat.

The noise of the noisy quadratic is the same in Python and in JavaScript (`web/walk.js`), to the last bit. Each number
follows from a seed, a step and a weight, so that all racers see the same noise, and scrubbing back shows the same path.
It is the sum of twelve uniform numbers less six: mean 0, standard deviation 1, nearly normal, and made by additions
only, which every machine rounds alike.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.explain.surfaces import Landscape
from surefoot.rule import Rule
from surefoot.update import update

SEED = 1
_WORD = 0xFFFFFFFF

GRID = tuple(float(f"{10 ** (k / 6):.3g}") for k in range(-30, 1))
"""The learning rates that every rule may try: six a decade from 1e-5 to 1."""


@dataclass(frozen=True)
class Path:
    """A walk: the points, the first one included, the loss at each, and the rates of each step."""

    points: tuple[tuple[float, float], ...]
    losses: tuple[float, ...]
    rates: tuple[tuple[float, float], ...]


def walk(rule: Rule, hyper: Mapping[str, Any], surface: Landscape, steps: int) -> Path:
    """Walk so many steps; a walk that leaves the numbers ends before.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter, as `conventions.resolve` returns them.
        surface: where.
        steps: how many.
    """
    knobs, weights = surface.settings, list(surface.start)
    state = [dict(rule.starts(hyper)) for _ in weights]
    points, losses, rates = [(weights[0], weights[1])], [surface.evaluate(*weights, knobs)[0]], []
    for t in range(1, steps + 1):
        gradient = surface.evaluate(*weights, knobs)[1:]
        taken = []
        for k in (0, 1):
            g = gradient[k] + knobs["noise"] * noise(SEED, t, k) if surface.noisy else gradient[k]
            weights[k], state[k], step = update(rule, weights[k], g, state[k], t, hyper)
            taken.append(float(step.rate))
        if not all(map(math.isfinite, weights)):
            break
        points.append((weights[0], weights[1]))
        losses.append(surface.evaluate(*weights, knobs)[0])
        rates.append((taken[0], taken[1]))
    return Path(tuple(points), tuple(losses), tuple(rates))


def best_rate(rule: Rule, hyper: Mapping[str, Any], surface: Landscape, steps: int) -> float:
    """Return the rate of the grid with the lowest mean loss over the last tenth of the walk, as the page chooses it."""

    def late(lr: float) -> float:
        """That mean; infinite for a walk that ended early."""
        losses = walk(rule, {**hyper, "lr": lr}, surface, steps).losses
        last = losses[int(0.9 * steps) :]
        mean = sum(last) / len(last) if len(losses) == steps + 1 else math.inf
        return mean if math.isfinite(mean) else math.inf

    return min(GRID, key=late)


def noise(seed: int, step: int, weight: int) -> float:
    """Return the number of a step (from 1) and a weight (0 or 1)."""
    start = _mixed((seed * 0x9E3779B1 + step * 2 + weight) & _WORD)
    total = -6.0
    for k in range(12):
        total += _mixed((start + k) & _WORD) / 4294967296
    return total


def _mixed(state: int) -> int:
    """Return 32 well-mixed bits (mulberry32, Tommy Ettinger 2017)."""
    state = (state + 0x6D2B79F5) & _WORD
    mixed = ((state ^ (state >> 15)) * (state | 1)) & _WORD
    mixed ^= (mixed + (((mixed ^ (mixed >> 7)) * (mixed | 61)) & _WORD)) & _WORD
    return (mixed ^ (mixed >> 14)) & _WORD
