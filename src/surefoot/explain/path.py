"""A rule's walk over a surface in plain Python and float64: the reference for the page.

The noise of the noisy quadratic is the same in Python and in JavaScript (`web/walk.js`), to the last bit. Each number
follows from a seed, a step and a weight, so that all racers see the same noise, and scrubbing back shows the same path.
It is the sum of twelve uniform numbers less six: mean 0, standard deviation 1, nearly normal, and made by additions
only, which every machine rounds alike.

A terminal shows the walk as dots of braille, two across and four down in a character, on bands of height. Where it does
not go, every second band is dotted, so that the ground can be read without colour.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from surefoot.compiler.trace import sums
from surefoot.explain.surfaces import Landscape, heights
from surefoot.rule import Rule
from surefoot.update import begun, update

SEED = 1
_WORD = 0xFFFFFFFF

GRID = tuple(float(f"{10 ** (k / 6):.3g}") for k in range(-30, 1))
"""The learning rates that every rule may try: six a decade from 1e-5 to 1."""

BANDS = 12
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800


@dataclass(frozen=True)
class Path:
    """A walk: its points with the start, the loss at each, and the rates of each step."""

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
    knobs, weights = surface.settings, (surface.start[0], surface.start[1])
    advance = _Together(rule, hyper, weights) if sums(rule, hyper) else _OneByOne(rule, hyper, weights)
    points, losses, rates = [weights], [surface.evaluate(*weights, knobs)[0]], []
    for t in range(1, steps + 1):
        _, gx, gy = surface.evaluate(*weights, knobs)
        if surface.noisy:
            gx, gy = gx + knobs["noise"] * noise(SEED, t, 0), gy + knobs["noise"] * noise(SEED, t, 1)
        weights, taken = advance.step(weights, (gx, gy), t)
        if not all(map(math.isfinite, weights)):
            break
        points.append(weights)
        losses.append(surface.evaluate(*weights, knobs)[0])
        rates.append(taken)
    return Path(tuple(points), tuple(losses), tuple(rates))


Pair = tuple[float, float]


class _OneByOne:
    """Both weights as tensors of their own, in Python's numbers, which take a tenth of the time of arrays."""

    def __init__(self, rule: Rule, hyper: Mapping[str, Any], weights: Pair) -> None:
        self._rule, self._hyper = rule, hyper
        self._states = [begun(rule, hyper, w) for w in weights]

    def step(self, weights: Pair, slope: Pair, t: int) -> tuple[Pair, Pair]:
        """Return the weights after a step, and the rate of each."""
        made = [update(self._rule, weights[k], slope[k], self._states[k], t, self._hyper) for k in (0, 1)]
        self._states = [one.state for one in made]
        x, y = made
        return (x.weight, y.weight), (float(x.step.rate), float(y.step.rate))


class _Together:
    """Both weights as one tensor for a rule that sums, or a one-column matrix for a rule for matrices."""

    def __init__(self, rule: Rule, hyper: Mapping[str, Any], weights: Pair) -> None:
        self._rule, self._hyper, self._shape = rule, hyper, (2, 1) if rule.shape == "matrix" else (2,)
        self._state = begun(rule, hyper, self._array(weights))

    def _array(self, pair: Pair) -> NDArray[np.float64]:
        return np.array(pair).reshape(self._shape)

    def step(self, weights: Pair, slope: Pair, t: int) -> tuple[Pair, Pair]:
        """Return the weights after a step, and the rate of each."""
        made = update(self._rule, self._array(weights), self._array(slope), self._state, t, self._hyper)
        self._state = made.state
        x, y = np.broadcast_to(made.step.rate, self._shape).ravel()
        u, v = made.weight.ravel()
        return (float(u), float(v)), (float(x), float(y))


def best_rate(rule: Rule, hyper: Mapping[str, Any], surface: Landscape, steps: int) -> float:
    """Return the grid's rate with the lowest mean loss in the walk's last tenth."""

    def late(lr: float) -> float:
        """Return that mean; infinite for a walk that ended early."""
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


class Canvas:
    """Rows of characters, from the top down, that show a part of the plane.

    Args:
        x, y: the ends of what is shown, along and up.
        width, height: in characters.
    """

    def __init__(self, x: tuple[float, float], y: tuple[float, float], width: int, height: int) -> None:
        self.x, self.y, self.width, self.height = x, y, width, height
        self.rows = [[" "] * width for _ in range(height)]

    def cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Return the row and the column of a point; None if it is outside."""
        across = (x - self.x[0]) / (self.x[1] - self.x[0]) * self.width
        down = (self.y[1] - y) / (self.y[1] - self.y[0]) * self.height
        return (int(down), int(across)) if 0 <= across < self.width and 0 <= down < self.height else None

    def put(self, mark: str, x: float, y: float) -> None:
        """Write a character at a point, if that is inside."""
        if cell := self.cell(x, y):
            self.rows[cell[0]][cell[1]] = mark

    def lines(self, labels: Mapping[int, str], left: int) -> list[str]:
        """Return the rows behind their labels, which are `left` characters wide, and a line."""
        return [f"{labels.get(place, ''):>{left}} │{''.join(row)}" for place, row in enumerate(self.rows)]


def plot(surface: Landscape, path: Path, width: int = 60, height: int = 15) -> str:
    """Return the picture with a frame: ○ is the start, ● the end of the walk, × the minimum.

    Args:
        surface: the ground.
        path: the walk.
        width, height: of the picture, in characters, its frame and labels not counted.
    """
    x0, x1, y0, y1 = surface.window
    canvas = Canvas((x0, x1), (y0, y1), width, height)
    canvas.rows = _ground(surface, width, height)
    for (row, column), dots in _dots(path, Canvas(canvas.x, canvas.y, 2 * width, 4 * height)).items():
        canvas.rows[row][column] = chr(_BRAILLE + dots)
    for mark, point in [*(("×", place) for place in surface.minima), ("○", path.points[0]), ("●", path.points[-1])]:
        canvas.put(mark, *point)
    left = max(len(f"{y0:g}"), len(f"{y1:g}"))
    body = (f"{line}│" for line in canvas.lines({0: f"{y1:g}", height - 1: f"{y0:g}"}, left))
    pad = " " * (left + 1)
    scale = f"{pad} {f'{x0:g}':<{width // 2}}{f'{x1:g}':>{width - width // 2}}"
    return "\n".join([f"{pad}┌{'─' * width}┐", *body, f"{pad}└{'─' * width}┘", scale])


def _ground(surface: Landscape, width: int, height: int) -> list[list[str]]:
    """Return the bands of height, in equal ratios above the lowest."""
    values = heights(surface, width, height)
    ordered = sorted(value for line in values for value in line)
    floor = ordered[len(ordered) // 50] - ordered[0] or 1e-9
    low, high = math.log(floor), math.log(ordered[-1] - ordered[0] + floor)
    band = [[int((math.log(v - ordered[0] + floor) - low) / (high - low) * BANDS) for v in line] for line in values]
    return [["·" if level % 2 else " " for level in line] for line in band]


def _dots(path: Path, fine: Canvas) -> dict[tuple[int, int], int]:
    """Return the dots of each character that the walk passes through."""
    found: dict[tuple[int, int], int] = {}
    for first, second in zip(path.points, path.points[1:], strict=False):
        for share in (k / 200 for k in range(201)):
            x, y = (a + (b - a) * share for a, b in zip(first, second, strict=True))
            if cell := fine.cell(x, y):
                row, column = cell
                key = (row // 4, column // 2)
                found[key] = found.get(key, 0) | _DOTS[row % 4][column % 2]
    return found
