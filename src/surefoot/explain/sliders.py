"""A slider for each number of a rule: from where to where, and how it grows.

The track is the sensible range of the hyperparameter, widened where a convention's default lies outside. A share that
is kept each step (0.9, 0.99, 0.999) grows in decades of what is not kept; a range over several decades grows in
decades; zero, which has no decade, is the first notch.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from surefoot.errors import UsageError
from surefoot.hyperparameters import HYPERPARAMETERS
from surefoot.rule import AROUND, GIVEN_BY_MACHINE, Rule

DECADES = 4
"""How far a logarithmic track reaches below its upper end if zero is its lower end."""

SHARES = ("momentum", "alpha", "rho", "beta1", "beta2")
"""Shares kept each step: they grow in decades of what is not kept."""


@dataclass(frozen=True)
class Slider:
    """One number that a user can move.

    Attributes:
        name, symbol, meaning, legal: what it is, and its legal values in words.
        low, high: the ends of the track, zero left out.
        scale: `log`, `one_minus` (the logarithm of one minus the number) or `linear`.
        zero: whether zero is the first notch.
    """

    name: str
    symbol: str
    meaning: str
    legal: str
    low: float
    high: float
    scale: str
    zero: bool

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON knows it."""
        return asdict(self)


def settable(rule: Rule) -> list[str]:
    """Return the numbers of a rule that a slider can move: its own, and weight decay."""
    own = [name for name in rule.defaults if name in rule.own and name not in AROUND]
    names = [name for name in (*own, "weight_decay") if _is_number(rule, name) and name not in GIVEN_BY_MACHINE]
    return [name for name in names if _allows(rule, name)]


def slider(rule: Rule, name: str, defaults: set[float]) -> Slider:
    """Return the slider of a number whose defaults are these in the conventions."""
    known = HYPERPARAMETERS[name]
    low, high = known.sensible or _ends(name, known.high)
    values = {value for value in defaults if value > 0}
    scale = "one_minus" if name in SHARES else "linear" if known.closed else "log"
    zero = low == 0 or 0.0 in defaults
    if scale == "log":
        low = low or high / 10**DECADES
    ends = min([low, *values]), max([high, *values])
    must_stay = name in rule.pinned or (rule.name in ("momentum", "nesterov") and name == "momentum")
    return Slider(name, known.symbol, known.meaning, known.range, *ends, scale, zero and not must_stay)


def _ends(name: str, high: float) -> tuple[float, float]:
    return (0.5, 0.999) if name in SHARES else (0.0, high)


def _allows(rule: Rule, name: str) -> bool:
    """Whether the number may be moved at all: Nesterov's momentum bears no dampening."""
    try:
        rule.check({name: 0.5})
    except UsageError:
        return False
    return True


def _is_number(rule: Rule, name: str) -> bool:
    value = rule.defaults[name]
    return isinstance(value, float | int) and not isinstance(value, bool)
