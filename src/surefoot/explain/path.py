"""A rule walking over a surface, in float64 and in plain Python: the reference that the page must repeat."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.explain.noise import noise
from surefoot.explain.surfaces import Surface
from surefoot.rule import Rule
from surefoot.update import update

SEED = 1

GRID = tuple(float(f"{10 ** (k / 6):.3g}") for k in range(-30, 1))
"""The learning rates that every rule may try: six a decade from 1e-5 to 1."""


@dataclass(frozen=True)
class Path:
    """A walk: the points, the first one included, the loss at each, and the rates of each step."""

    points: tuple[tuple[float, float], ...]
    losses: tuple[float, ...]
    rates: tuple[tuple[float, float], ...]


def walk(
    rule: Rule,
    hyper: Mapping[str, Any],
    surface: Surface,
    steps: int,
    *,
    start: tuple[float, float] | None = None,
    knobs: Mapping[str, float] | None = None,
    seed: int = SEED,
) -> Path:
    """Walk so many steps; a walk that leaves the numbers ends before.

    Args:
        rule: which rule.
        hyper: a value for every hyperparameter, as `conventions.resolve` returns them.
        surface: where.
        steps: how many.
        start: the first point; the surface's own by default.
        knobs: the surface's numbers; its own by default.
        seed: of the noise, if the surface has any.
    """
    turned = {**surface.settings, **(knobs or {})}
    weights = list(start or surface.start)
    state = [dict(rule.starts(hyper)) for _ in weights]
    points, losses, rates = [(weights[0], weights[1])], [surface.evaluate(*weights, turned)[0]], []
    for t in range(1, steps + 1):
        gradient = surface.evaluate(*weights, turned)[1:]
        taken = []
        for k in (0, 1):
            g = gradient[k] + turned["noise"] * noise(seed, t, k) if surface.noisy else gradient[k]
            weights[k], state[k], step = update(rule, weights[k], g, state[k], t, hyper)
            taken.append(float(step.rate))
        if not all(map(math.isfinite, weights)):
            break
        points.append((weights[0], weights[1]))
        losses.append(surface.evaluate(*weights, turned)[0])
        rates.append((taken[0], taken[1]))
    return Path(tuple(points), tuple(losses), tuple(rates))


def best_rate(rule: Rule, hyper: Mapping[str, Any], surface: Surface, steps: int) -> float:
    """Return the rate of the grid with the lowest mean loss over the last tenth of the walk, as the page chooses it."""
    late = {lr: _late(walk(rule, {**hyper, "lr": lr}, surface, steps), steps) for lr in GRID}
    return min(late, key=late.__getitem__)


def _late(path: Path, steps: int) -> float:
    """Return that mean; infinite for a walk that ended early."""
    last = path.losses[int(0.9 * steps) :]
    total = sum(last)
    return total / len(last) if len(path.losses) == steps + 1 and math.isfinite(total) else math.inf
