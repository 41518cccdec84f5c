"""How numbers are written, for the verdict, the terminal and the page alike, so that they show the same digits.

Text for people: a true minus sign, a space before the unit, "–" for what is not known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isfinite

from surefoot.analysis.intervals import ALPHA, Interval

MISSING = "–"


def percent(fraction: float) -> str:
    """An accuracy: 0.98024 is "98.02 %"."""
    return f"{minus(f'{100 * fraction:.2f}')} %"


def points(fraction: float) -> str:
    """A size in percentage points: 0.0007 is "0.07 pp"."""
    return f"{minus(f'{100 * fraction:.2f}')} pp"


def signed_points(fraction: float) -> str:
    """A difference in percentage points: 0.0007 is "+0.07 pp"."""
    return f"{minus(f'{100 * fraction:+.2f}')} pp"


def loss(value: float) -> str:
    """A loss with four significant digits: "0.08470", "129.4", "64,400", "3.100e-05"."""
    return significant(value, 4)


def signed_loss(value: float) -> str:
    """A difference of losses, of which fewer digits are known: "+0.0123"."""
    return significant(value, plus=True)


def with_bounds(interval: Interval | None, write: Callable[[float], str]) -> str:
    """A mean in the given writing, followed by "[low, high]" when several seeds give an interval."""
    if interval is None:
        return MISSING
    if interval.low is None or interval.high is None:
        return write(interval.mean)
    low, high = (write(bound).removesuffix(" %").removesuffix(" pp") for bound in (interval.low, interval.high))
    return f"{write(interval.mean)} [{low}, {high}]"


def significant(value: float, digits: int = 3, *, plus: bool = False) -> str:
    """A number with so many significant digits, zeros at the end among them: "40.0", "0.0123", "1,235", "1.23e-06"."""
    sign = "+" if plus else ""
    exponent = int(f"{value:.{digits - 1}e}".partition("e")[2]) if isfinite(value) else 0
    if -5 < exponent < 7:
        return minus(f"{value:{sign},.{max(0, digits - 1 - exponent)}f}")
    return minus(f"{value:{sign}.{digits - 1}e}")


def p_value(p: float | None) -> str:
    """A p-value with three decimals, or as many as it takes to see on which side of 0.05 it is: "0.0503"."""
    if p is None:
        return MISSING
    if p < 0.001:
        return "< 0.001"
    digits = next((n for n in range(3, 16) if (round(p, n) <= ALPHA) == (p <= ALPHA)), 16)
    return f"{p:.{digits}f}"


def milliseconds(seconds: float) -> str:
    """The time of one step: "131 ms", "40.0 ms", "0.420 ms"."""
    return f"{significant(1000 * seconds)} ms"


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


def seeds(count: int) -> str:
    """ "1 seed", "10 seeds"."""
    return f"{count} seed{'' if count == 1 else 's'}"


def in_words(labels: Sequence[str], pairs: Mapping[str, str]) -> dict[str, str]:
    """Each label as a sentence says it: "tuned Adam" and "untuned Adam" for the two of a pair, the tuned one first.

    Where that would give two of them one name, all stay as they are.
    """
    words = {label: f"untuned {label}" if label in pairs.values() else label for label in labels}
    words |= {label: f"tuned {name}" for label, name in pairs.items()}
    return words if len(set(words.values())) == len(words) else {label: label for label in labels}


def capitalized(sentence: str) -> str:
    """The sentence with a capital, if it begins with one of our own words; a user's name stays as it is."""
    ours = sentence.startswith(("tuned ", "untuned "))
    return sentence[0].upper() + sentence[1:] if ours else sentence


def join(names: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def minus(text: str) -> str:
    """The text with true minus signs, and no sign before a number that is written as zero."""
    zero = text.lstrip("+-").strip("0.") == ""
    return text.lstrip("+-") if zero else text.replace("-", "−")
