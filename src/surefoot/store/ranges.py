"""The kinds of ranges that are searched: where a value stands on an axis, and which value stands where.

A position is 0 at one end of a range and 1 at the other, so that the same points can be asked of every optimizer,
whatever it calls its hyperparameters and however large they are. A range is its kind and two exact numbers: they
cross the store as JSON's floats, which lose no digit, and only people read them rounded.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, Literal

from surefoot.errors import UsageError

Side = Literal["below", "above"]

GIVEN_BY_USER = "given by the user"
"""The source of a range that a user gave: the search never leaves it."""


def _check_range(low: Any, high: Any, kind: str, expected: str) -> None:
    numbers = all(isinstance(x, Real) and math.isfinite(x) for x in (low, high))
    if numbers and low > high:
        turned = f"{kind}({high!r}, {low!r})"
        raise UsageError(f"{kind}({low!r}, {high!r}): expected {expected}, the lower end first; write {turned}.")
    if not numbers or not low < high:
        raise UsageError(f"{kind}({low!r}, {high!r}): expected two finite numbers with {expected}.")


@dataclass(frozen=True)
class Log:
    """A range whose every decade is searched as densely as any other; 0 < low < high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, "log", "0 < low < high")
        if self.low <= 0:
            raise UsageError(f"log({self.low}, {self.high}): low must be above 0; give a small number such as 1e-5.")

    def at(self, u: float) -> float:
        """Return the value at position `u`: low at 0, high at 1; beyond, the axis goes on."""
        return _within(self, u, float(self.low ** (1 - u) * self.high**u))

    def position(self, value: float) -> float:
        """Return where a value above 0 stands: 0 at low, 1 at high, less or more beyond them."""
        if not value > 0:
            raise UsageError(f"{value} has no place on a logarithmic axis ({self.text}); give a number above 0.")
        return math.log(value / self.low) / math.log(self.high / self.low)

    def beyond(self, side: Side, times: int = 1) -> Log:
        """Return the window of half this width that follows beyond one edge; `times` counts such windows from 1."""
        far, near = times / 2, (times - 1) / 2
        return Log(self.at(1 + near), self.at(1 + far)) if side == "above" else Log(self.at(-far), self.at(-near))

    @property
    def text(self) -> str:
        """The range as people read it: `log 0.0001..0.1`."""
        return f"log {self.low:.3g}..{self.high:.3g}"


@dataclass(frozen=True)
class Uniform:
    """A range that is searched evenly; low < high."""

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, "uniform", "low < high")

    def at(self, u: float) -> float:
        """Return the value at position `u`: low at 0, high at 1."""
        return _within(self, u, float(self.low * (1 - u) + self.high * u))

    def position(self, value: float) -> float:
        """Return where a value stands: 0 at low, 1 at high, less or more beyond them."""
        return (value - self.low) / (self.high - self.low)

    @property
    def text(self) -> str:
        """The range as people read it: `uniform 0..1`."""
        return f"uniform {self.low:.3g}..{self.high:.3g}"


@dataclass(frozen=True)
class OneMinus:
    """For a share that is kept each step (momentum, beta1): what is *not* kept is searched logarithmically.

    0.9, 0.99 and 0.999 are then equally far apart. Position 0 is the largest share.
    """

    rest: Log

    def __post_init__(self) -> None:
        if not isinstance(self.rest, Log) or self.rest.high > 1:
            raise UsageError(f"OneMinus({self.rest}): expected a Log within 0 to 1, as in one_minus(0.005, 0.5).")

    def at(self, u: float) -> float:
        """Return the value at position `u`: 1 - rest.low at 0, 1 - rest.high at 1."""
        return 1 - self.rest.at(u)

    def position(self, value: float) -> float:
        """Return where a value below 1 stands."""
        return self.rest.position(1 - value)

    @property
    def text(self) -> str:
        """The range as people read it: `1 - log 0.005..0.5`."""
        return f"1 - {self.rest.text}"


Dimension = Log | Uniform | OneMinus

KINDS: dict[str, Callable[[float, float], Dimension]] = {
    "log": Log,
    "uniform": Uniform,
    "one_minus": lambda low, high: OneMinus(Log(low, high)),
}
"""What makes a range of each kind, by the name that it has in the store and as a function of Surefoot's."""


def to_json(dimension: Dimension) -> dict[str, Any]:
    """Return a range as the store keeps it: `{"kind": "log", "low": 0.0001, "high": 0.1}`."""
    ends = dimension.rest if isinstance(dimension, OneMinus) else dimension
    kind = {Log: "log", Uniform: "uniform", OneMinus: "one_minus"}[type(dimension)]
    return {"kind": kind, "low": float(ends.low), "high": float(ends.high)}


def from_json(found: Mapping[str, Any]) -> Dimension:
    """Return the range that `to_json` wrote."""
    return KINDS[found["kind"]](found["low"], found["high"])


def _within(ends: Log | Uniform, u: float, value: float) -> float:
    """Return the value of a position in a range: rounding must not carry it past an end."""
    return min(max(value, float(ends.low)), float(ends.high)) if 0 <= u <= 1 else value
