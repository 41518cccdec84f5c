"""What was measured: rows of the grid, findings beside it, and what could not be measured.

`BOUND` is derived, not tuned. Adam in Keras's form, the longest way from a gradient to a weight, rounds 16 times a
step, and a rounding moves a result by less than one ulp of it. What is left over from earlier steps is divided by their
number. No rule came near it when this was written; a bias correction computed from beta^t in float32 is four times it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BOUND = 16.0
"""Ulps a step that ours may be away from the rule."""


@dataclass(frozen=True)
class Distance:
    """One rule on one front-end: the largest distance from the rule in float64, in ulps of float32 a step.

    Attributes:
        front_end: `torch`, `optax`, `keras-jax`, `keras-torch` or `keras-tensorflow`.
        rule: which rule.
        convention: whose form and defaults of it.
        scale: size of the gradients.
        decay: whether weights decay.
        ours: Surefoot's distance.
        theirs: that of the framework's own implementation; None if it has none in this convention.
    """

    front_end: str
    rule: str
    convention: str
    scale: float
    decay: bool
    ours: float
    theirs: float | None

    @property
    def holds(self) -> bool:
        """Whether ours keeps to the bound."""
        return self.ours <= BOUND


@dataclass(frozen=True)
class Flaw:
    """Something that goes wrong in another framework, measured by itself.

    Attributes:
        front_end: where.
        what: what was measured.
        right: the right value.
        ours: Surefoot's.
        theirs: the framework's own.
        bound: how far ours may be away from the right value.
    """

    front_end: str
    what: str
    right: float
    ours: float
    theirs: float
    bound: float

    @property
    def holds(self) -> bool:
        """Whether ours keeps to the bound."""
        return abs(self.ours - self.right) <= self.bound

    @property
    def wrong(self) -> bool:
        """Whether theirs exceeds the bound, or is not a number."""
        return not abs(self.theirs - self.right) <= self.bound


@dataclass(frozen=True)
class ParityResult:
    """The grid, what was measured beside it, the frameworks' versions, and why a front-end was not measured."""

    rows: tuple[Distance, ...]
    findings: tuple[Flaw, ...]
    versions: Mapping[str, str]
    missing: Mapping[str, str]

    @property
    def holds(self) -> bool:
        """Whether all of ours keep to their bounds; False if nothing was measured."""
        return bool(self.rows) and not self.over

    @property
    def over(self) -> tuple[str, ...]:
        """The front-end of each figure of ours that exceeds its bound."""
        entries: tuple[Distance | Flaw, ...] = (*self.rows, *self.findings)
        return tuple(entry.front_end for entry in entries if not entry.holds)
