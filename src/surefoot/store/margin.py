"""The margin: the largest difference between two optimizers that still counts as equal.

It belongs to the question and not to the results, so a user chooses it before looking, and a design keeps it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any

from surefoot.errors import Argument, UsageError
from surefoot.store.protocol import Metric


@dataclass(frozen=True)
class Margin:
    """By how much two means may differ and still count as equal.

    Attributes:
        size: in the unit of the scores, where a share such as an accuracy is a fraction; or a part of a score.
        relative: whether it is a part, of the mean of the two scores of a seed.
    """

    size: float
    relative: bool = False

    def of(self, a: float, b: float) -> float:
        """Return the margin in the unit of the scores, for two optimizers with these scores."""
        return self.size * abs(a + b) / 2 if self.relative else self.size

    def given(self, *, share: bool) -> str:
        """Return the margin as a user writes it, for scores that are a `share` or not."""
        number = f"{100 * self.size if self.relative or share else self.size:.12g}"
        return f"{number}%" if self.relative else number

    @classmethod
    def from_json(cls, found: Mapping[str, Any] | None) -> Margin | None:
        """Return the margin of a stored design; None where it has none."""
        return None if found is None else cls(**found)


def read_margin(given: float | str | None, metric: Metric) -> Margin | None:
    """Read a margin from text: points of a share, or a number or "2%" for any other metric.

    Raises:
        UsageError: it is no such number, or not above 0.
    """
    if given is None:
        return None
    text = str(given).strip()
    number, percent, rest = text.partition("%")
    size = _number(number) if not rest and not isinstance(given, bool) else None
    if size is None:
        raise UsageError(Argument("margin"), f" is {text!r}; {_expected(metric)}.")
    if percent and metric.share:
        raise UsageError(
            Argument("margin"), f" is {text!r}, and {metric.title} is a share itself; {_expected(metric)}, without %."
        )
    return Margin(size / 100 if percent or metric.share else size, bool(percent))


def _expected(metric: Metric) -> str:
    if metric.share:
        return f"give points of {metric.title} above 0, such as 0.3, which is from 90 % to 90.3 %"
    return f"give a difference in {metric.title} above 0, such as 0.01, or a part of it, such as 2%"


def _number(text: str) -> float | None:
    try:
        found = float(text)
    except ValueError:
        return None
    return found if isfinite(found) and found > 0 else None
