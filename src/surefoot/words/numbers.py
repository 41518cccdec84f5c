"""Numbers and the values of a metric as text: the same digits in every sentence, table and axis.

The text is for people: a true minus sign, a space before the unit, "–" for an unknown value.
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

NAMED = 6
"""The most names in a list that need not be whole."""


def minus(text: str) -> str:
    """Return the text with true minus signs. A number that is written as zero has no sign."""
    zero = text.lstrip("+-").strip("0.") == ""
    return text.lstrip("+-") if zero else text.replace("-", "−")


def significant(value: float, digits: int = 3, *, plus: bool = False) -> str:
    """Return a number with this many significant digits, zeros at the end included: "40.0", "1,235", "1.23e-06"."""
    sign = "+" if plus else ""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2]) if isfinite(value) else 0
    if -5 < exponent < 7:
        return minus(f"{value:{sign},.{max(0, digits - 1 - exponent)}f}")
    return minus(f"{value:{sign}.{digits - 1}e}")


def short(value: float) -> str:
    """Return a hyperparameter with three digits at most: "0.1", "1e-05"."""
    return f"{value:.3g}"


@dataclass(frozen=True)
class Unit:
    """The digits of one kind of numbers, the symbol after them, and the `ends` of an interval.

    `of` is the unit of the number itself, if it is written in another: 0.0098 s is written "9.8 ms".
    """

    digits: Callable[[float], str]
    symbol: str = ""
    ends: Callable[[float], str] | None = None
    of: str = ""

    def __call__(self, number: float) -> str:
        """Return the number with its symbol: "98.02 %"."""
        return f"{self.digits(number)} {self.symbol}" if self.symbol else self.digits(number)

    @property
    def bare(self) -> Unit:
        """The unit without its symbol, for a column whose heading has it."""
        return replace(self, symbol="", of=self.stored)

    @property
    def stored(self) -> str:
        """The unit of a number before it is written."""
        return self.of or self.symbol

    def times(self, factor: float) -> Unit:
        """Return the unit for numbers that are counted in pieces of this size."""
        return replace(self, digits=lambda number: self.digits(number * factor))

    def bounds(self, low: float, high: float) -> str:
        """Return an interval, without the symbol: "[97.93, 98.11]"."""
        write = self.ends or self.digits
        return f"[{write(low)}, {write(high)}]"


def duration(seconds: float) -> str:
    """Return a training time: "34 ms", "9.4 s", "134 s", "12.5 min", "3.2 h"."""
    if 0 < seconds < 0.1:
        return f"{1000 * seconds:.3g} ms"
    if seconds < 600:
        return f"{seconds:.1f} s" if seconds < 100 else f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 36_000 else f"{seconds / 3600:.1f} h"


def time_left(seconds: float) -> str:
    """Return a guess of the time that is left: "under a second", "about 80 s", "about 2.7 min", "about 12 h"."""
    if seconds < 1:
        return "under a second"
    if seconds < 100:
        return f"about {seconds:.0f} s"
    number, unit = (seconds / 60, "min") if seconds < 6000 else (seconds / 3600, "h")
    return f"about {number:.1f} {unit}" if number < 10 else f"about {number:.0f} {unit}"


def memory(size: float) -> str:
    """Return a size in bytes: "3.47 MB" (decimal, as disks and papers count)."""
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
"""The units of a share: its value, and the three forms of a difference."""

LOSS = Unit(partial(significant, digits=4))
SIGNED = Unit(partial(significant, plus=True))
ANY = (
    Unit(partial(significant, digits=5)),
    Unit(significant),
    SIGNED,
    Unit(partial(significant, plus=True), ends=significant),
)
"""The units of any other metric, in the same order."""

WHOLE_PERCENT = Unit(lambda fraction: f"{100 * fraction:.0f}", "%", of="fraction")
PLAIN = Unit("{:g}".format)
COUNTED = Unit("{:,.12g}".format)
DURATION = Unit(duration, of="s")
MEMORY = Unit(memory, of="bytes")
MILLISECONDS = Unit(lambda seconds: significant(1000 * seconds), "ms", of="s")


class Written:
    """The units of one metric: a share in per cent, any other in significant digits.

    Attributes:
        value: unit of a score: "98.02 %", or "0.012346".
        size: unit of the size of a difference: "0.07 pp", or "0.0123".
        signed: unit of a difference in the metric's own direction: "+0.07 pp", or "−0.0123".
        difference: the same, for one whose bounds have no plus sign: "+0.07 pp [0.01, 0.13]".
        superlative: word for the best score.
    """

    def __init__(self, metric: Metric) -> None:
        self.share = metric.share
        self.value, self.size, self.signed, self.difference = SHARE if metric.share else ANY
        self.superlative = "highest" if metric.better == "max" else "lowest"

    def margin(self, found: Margin) -> str:
        """Return a margin in its shortest form: "0.3 points", "0.01", or "2 %" of a score."""
        text = found.given(share=self.share)
        return f"{text} point{'' if text == '1' else 's'}" if self.share else text.replace("%", " %")

    def target(self, score: float) -> str:
        """Return a target in its shortest form: "98.5 %", or "0.05"."""
        return f"{100 * score:g} %" if self.share else f"{score:g}"


def p_value(p: float | None) -> str:
    """Return a p-value with three decimals, or as many as show its side of 0.05: "0.0503"."""
    if p is None:
        return MISSING
    if p < 0.001:
        return "< 0.001"
    digits = next((n for n in range(3, 16) if (round(p, n) <= ALPHA) == (p <= ALPHA)), 16)
    return f"{p:.{digits}f}"


def count(number: int, what: str) -> str:
    """Return a number of things: "1 seed", "10 seeds"."""
    return f"{number} {what}{'' if number == 1 else 's'}"


def seeds(number: int) -> str:
    """Return a number of seeds: "1 seed", "10 seeds"."""
    return count(number, "seed")


def numbers_in_words(numbers: Sequence[int]) -> str:
    """Return sorted numbers: "1000", "0 and 1", "0 to 9"; empty if there are none."""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"{numbers[0]} to {numbers[-1]}"
    return join([str(number) for number in numbers])


def join(names: Sequence[str]) -> str:
    """Return names as a list: "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def named(names: Sequence[str]) -> str:
    """Return names as a list of at most `NAMED`: "a, b, c, d, e, f and 3 more"."""
    more = len(names) - NAMED
    return join([*names[:NAMED], f"{more} more"] if more > 0 else names)


def are(number: int) -> str:
    """Return the verb of a number of things: "is" or "are"."""
    return "is" if number == 1 else "are"
