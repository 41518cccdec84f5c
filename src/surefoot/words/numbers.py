"""How numbers and the values of a metric are written: the same digits in every sentence, table and axis.

Text for people: a true minus sign, a space before the unit, "–" for what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import isfinite

from surefoot.statistics.intervals import ALPHA
from surefoot.store.margin import Margin
from surefoot.store.protocol import Metric

MISSING = "–"


def minus(text: str) -> str:
    """The text with true minus signs, and no sign before a number that is written as zero."""
    zero = text.lstrip("+-").strip("0.") == ""
    return text.lstrip("+-") if zero else text.replace("-", "−")


def significant(value: float, digits: int = 3, *, plus: bool = False) -> str:
    """A number with so many significant digits, zeros at the end among them: "40.0", "0.0123", "1,235", "1.23e-06"."""
    sign = "+" if plus else ""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2]) if isfinite(value) else 0
    if -5 < exponent < 7:
        return minus(f"{value:{sign},.{max(0, digits - 1 - exponent)}f}")
    return minus(f"{value:{sign}.{digits - 1}e}")


def short(value: float) -> str:
    """A hyperparameter with three digits at most: "0.1", "1e-05"."""
    return f"{value:.3g}"


@dataclass(frozen=True)
class Unit:
    """How the numbers of one kind are written: their digits, the symbol after them, and the `ends` of an interval.

    `of` is the unit of the number itself, where it is written in another: 0.0098 s is written "9.8 ms".
    """

    digits: Callable[[float], str]
    symbol: str = ""
    ends: Callable[[float], str] | None = None
    of: str = ""

    def __call__(self, number: float) -> str:
        """The number with its symbol: "98.02 %"."""
        return f"{self.digits(number)} {self.symbol}" if self.symbol else self.digits(number)

    @property
    def bare(self) -> Unit:
        """The same without the symbol, where the heading has it."""
        return replace(self, symbol="", of=self.stored)

    @property
    def stored(self) -> str:
        """The unit of a number that is not written yet."""
        return self.of or self.symbol

    def times(self, factor: float) -> Unit:
        """The same for numbers that are counted in pieces of so many."""
        return replace(self, digits=lambda number: self.digits(number * factor))

    def bounds(self, low: float, high: float) -> str:
        """An interval, without the symbol: "[97.93, 98.11]"."""
        write = self.ends or self.digits
        return f"[{write(low)}, {write(high)}]"


def duration(seconds: float) -> str:
    """A training time: "34 ms", "9.4 s", "134 s", "12.5 min", "3.2 h"."""
    if 0 < seconds < 0.1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 36_000 else f"{seconds / 3600:.1f} h"


def memory(size: float) -> str:
    """A size in bytes: "3.47 MB" (decimal, as disks and papers count)."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"


def _hundredths(fraction: float, sign: str = "") -> str:
    return minus(f"{100 * fraction:{sign}.2f}")


SHARE = (
    Unit(_hundredths, "%", of="fraction"),
    Unit(_hundredths, "pp", of="fraction"),
    Unit(partial(_hundredths, sign="+"), "pp", of="fraction"),
    Unit(partial(_hundredths, sign="+"), "pp", ends=_hundredths, of="fraction"),
)
"""How `Written` writes the values and differences of a share."""

LOSS = Unit(partial(significant, digits=4))
SIGNED = Unit(partial(significant, plus=True))
ANY = (
    Unit(partial(significant, digits=5)),
    Unit(significant),
    SIGNED,
    Unit(partial(significant, plus=True), ends=significant),
)
"""And those of any other metric."""

WHOLE_PERCENT = Unit(lambda fraction: f"{100 * fraction:.0f}", "%", of="fraction")
PLAIN = Unit("{:g}".format)
COUNTED = Unit("{:,.12g}".format)
DURATION = Unit(duration, of="s")
MEMORY = Unit(memory, of="bytes")
MILLISECONDS = Unit(lambda seconds: significant(1000 * seconds), "ms", of="s")


class Written:
    """How the values of one metric are written: a share in per cent, any other in significant digits.

    `value` is for a score ("98.02 %", or "0.012346"), `size` for the size of a difference ("0.07 pp", or "0.0123"),
    `signed` for a difference in the metric's own direction ("+0.07 pp", or "−0.0123"), and `difference` for one whose
    bounds have no plus sign ("+0.07 pp [0.01, 0.13]"). The best score is the `superlative`.
    """

    def __init__(self, metric: Metric) -> None:
        self.share = metric.share
        self.value, self.size, self.signed, self.difference = SHARE if metric.share else ANY
        self.superlative = "highest" if metric.better == "max" else "lowest"

    def margin(self, found: Margin) -> str:
        """A margin, as short as it is: "0.3 points", "0.01", or "2 %" of a score."""
        text = found.given(share=self.share)
        return f"{text} point{'' if text == '1' else 's'}" if self.share else text.replace("%", " %")

    def target(self, score: float) -> str:
        """A target, as short as it is: "98.5 %", or "0.05"."""
        return f"{100 * score:g} %" if self.share else f"{score:g}"


def p_value(p: float | None) -> str:
    """A p-value with three decimals, or as many as it takes to see on which side of 0.05 it is: "0.0503"."""
    if p is None:
        return MISSING
    if p < 0.001:
        return "< 0.001"
    digits = next((n for n in range(3, 16) if (round(p, n) <= ALPHA) == (p <= ALPHA)), 16)
    return f"{p:.{digits}f}"


def count(number: int, what: str) -> str:
    """ "1 seed", "10 seeds"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds(number: int) -> str:
    """ "1 seed", "10 seeds"."""
    return count(number, "seed")


def numbers_in_words(numbers: Sequence[int]) -> str:
    """Sorted numbers: "1000", "0 and 1", "0 to 9"; nothing if there are none."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return join([str(number) for number in numbers])


def join(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
