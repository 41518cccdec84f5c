"""Search ranges: the position of a value on an axis, and the value at a position.

A position is 0 at one end of a range and 1 at the other, so that every optimizer is asked the same points, whatever it
calls its hyperparameters and however large they are. A range is its kind and two exact numbers, which cross the store
as JSON's floats; only people read them rounded.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from numbers import Real
from typing import Any, Literal

from surefoot.errors import UsageError

Side = Literal["below", "above"]
Kind = Literal["log", "uniform", "one_minus"]

GIVEN_BY_USER = "given by the user"
"""The source of a range that a user gave: the search never leaves it."""

_ENDS = {"log": "0 < low < high", "uniform": "low < high", "one_minus": "0 < low < high <= 1"}


@dataclass(frozen=True)
class Range:
    """A kind of axis and its two ends.

    `log` searches every decade as densely as any other, `uniform` evenly. `one_minus` is for a share that is kept each
    step (momentum, beta1): what is *not* kept lies from low to high and is searched as by `log`, so that 0.9, 0.99 and
    0.999 are equally far apart; position 0 is the largest share.
    """

    kind: Kind
    low: float
    high: float

    def __post_init__(self) -> None:
        low, high = self.low, self.high
        numbers = all(isinstance(end, Real) and math.isfinite(end) for end in (low, high))
        if numbers and low > high:
            turned = f"{self.kind}({high!r}, {low!r})"
            expected = f"expected {_ENDS[self.kind]}, the lower end first"
            raise UsageError(f"{self.kind}({low!r}, {high!r}): {expected}; write {turned}.")
        if not numbers or not low < high:
            raise UsageError(f"{self.kind}({low!r}, {high!r}): expected two finite numbers with {_ENDS[self.kind]}.")
        if self.kind != "uniform" and low <= 0:
            raise UsageError(f"{self.kind}({low}, {high}): low must be above 0; give a small number such as 1e-5.")
        if self.kind == "one_minus" and high > 1:
            raise UsageError(f"one_minus({low}, {high}): expected ends within 0 to 1; write one_minus(0.005, 0.5).")
        object.__setattr__(self, "low", float(low))
        object.__setattr__(self, "high", float(high))

    def at(self, u: float) -> float:
        """Return the value at position `u`; a logarithmic axis goes on beyond its ends."""
        if self.kind == "uniform":
            return self._within(u, self.low * (1 - u) + self.high * u)
        value = self._within(u, float(self.low ** (1 - u) * self.high**u))
        return value if self.kind == "log" else 1 - value

    def position(self, value: float) -> float:
        """Return where a value stands, less than 0 or more than 1 beyond the ends."""
        if self.kind == "uniform":
            return (value - self.low) / (self.high - self.low)
        at = value if self.kind == "log" else 1 - value
        if not at > 0:
            ends = replace(self, kind="log").text
            raise UsageError(f"{at} has no place on a logarithmic axis ({ends}); give a number above 0.")
        return math.log(at / self.low) / math.log(self.high / self.low)

    def beyond(self, side: Side, times: int = 1) -> Range:
        """Return a window of half this width beyond one edge. `times` counts such windows from 1."""
        far, near = times / 2, (times - 1) / 2
        ends = (1 + near, 1 + far) if side == "above" else (-far, -near)
        return log(*map(self.at, ends))

    @property
    def text(self) -> str:
        """The range as people read it: `log 0.0001..0.1`, `uniform 0..1`, `1 - log 0.005..0.5`."""
        return f"{self.kind.replace('one_minus', '1 - log')} {self.low:.3g}..{self.high:.3g}"

    def _within(self, u: float, value: float) -> float:
        """Return the value of a position: rounding must not carry it past an end."""
        return min(max(value, self.low), self.high) if 0 <= u <= 1 else value


def log(low: float, high: float) -> Range:
    """A range whose every decade is searched as densely as any other: `log(1e-4, 1)`; 0 < low < high.

    Its ends are hard: no value beyond them is tried.
    """
    return Range("log", low, high)


def uniform(low: float, high: float) -> Range:
    """A range that is searched evenly: `uniform(0, 1)`; low < high.

    Its ends are hard: no value beyond them is tried.
    """
    return Range("uniform", low, high)


def one_minus(low: float, high: float) -> Range:
    """A range for a share such as beta1: 1 - x is searched as by `log(low, high)`; 0 < low < high <= 1.

    Its ends are hard: no value beyond them is tried.
    """
    return Range("one_minus", low, high)


def ranges_from(found: Mapping[str, Any]) -> dict[str, Range]:
    """Return the ranges of a stored design, by the names of what they are of."""
    return {name: Range(**one) for name, one in found.items()}
