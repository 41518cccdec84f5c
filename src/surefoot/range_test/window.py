"""The window of a range test, found from its losses, or the reason why there is none.

The rule. Each seed's losses are smoothed (`smoothed`). Its *level* is its median loss in the first decade of rates,
where nothing is learned yet, and its *fall* is the level minus the smoothed loss, so that every seed is compared with
itself (as a share of the level, unless losses are negative: seeds may start at very different ones).

There is a fall at all if the largest mean over seeds is above zero (one-sided t, 5 % for the whole test, by
Bonferroni). It begins at the first rate from which on, up to its largest, the mean is above zero at every rate (5 % at
each) and a tenth of the largest: where nothing is random the tiniest fall is significant. It ends at the lowest rate at
which *any* seed, past its own largest fall, has lost half of it or diverged. The centre is the middle of the two on a
logarithmic axis; leaving out each seed in turn shows how much it depends on single seeds. The width is the
caller's: the search's own, the same for every optimizer.

Nothing here picks a rate. In the test every rate is used once, by weights that lower rates have trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special

from surefoot.statistics.intervals import ALPHA

SMOOTHING = 0.5
"""Decades of learning rate over which the running median is taken."""

LEVEL_DECADES = 1.0
"""Decades at the lower end in which nothing is learned yet."""

BEGUN = 0.1
"""The share of the largest mean fall from which on the loss counts as falling."""

LEFT = 0.5
"""The share of its fall below which a seed has lost it."""

Array = NDArray[np.float64]
Reason = Literal["no fall", "falls from the start", "never lost"]


@dataclass(frozen=True)
class Curve:
    """A range test of one optimizer, smoothed.

    Attributes:
        rates: the learning rates, rising.
        seeds: each seed's smoothed losses; shorter than the rates where it diverged.
        mean, low, high: mean, lowest and highest over seeds, as far as every seed goes.
    """

    rates: tuple[float, ...]
    seeds: Mapping[int, tuple[float, ...]]
    mean: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


@dataclass(frozen=True)
class Window:
    """A window for the search of a learning rate, and its evidence.

    Attributes:
        low, high: ends of the window.
        centre: its middle on a logarithmic axis.
        falls: the rate from which on the loss falls.
        lost: the rate at which the first seed has lost it again.
        centres: lowest and highest centre when one seed is left out; None where leaving one out leaves no window.
    """

    low: float
    high: float
    centre: float
    falls: float
    lost: float
    centres: tuple[float, float] | None


@dataclass(frozen=True)
class RangeFinding:
    """The result of a range test for one optimizer: a curve, and a window or the reason for none.

    `own` is the window that a search takes without the test, None where it would not search a learning rate.
    """

    label: str
    curve: Curve
    window: Window | None
    reason: Reason | None
    own: tuple[float, float] | None


def finding(
    label: str,
    rates: Sequence[float],
    losses: Mapping[int, Sequence[float]],
    width: float,
    own: tuple[float, float] | None = None,
) -> RangeFinding:
    """Return what the losses of an optimizer's seeds show.

    Args:
        label: the optimizer.
        rates: the learning rates, each by the same factor above the one before, over more than a decade.
        losses: by seed, the training loss at each rate; finite, and fewer than the rates where the seed diverged.
            Two seeds at least.
        width: of a window, in decades.
        own: the window that a search takes without this test.
    """
    tests = 2 * np.log10(rates[-1] / rates[0]) / SMOOTHING  # stretches that overlap by half are nearly apart
    curve, ends = _curve(rates, losses), _evidence(rates, losses, float(tests), len(losses))
    if isinstance(ends, str):
        return RangeFinding(label, curve, None, ends, own)
    centre, half = float(np.sqrt(rates[ends[0]] * rates[ends[1]])), 10 ** (width / 2)
    falls, lost = (rates[place] for place in ends)
    window = Window(centre / half, centre * half, centre, falls, lost, _without_one(rates, losses))
    return RangeFinding(label, curve, window, None, own)


def smoothed(losses: Sequence[float], rates: Sequence[float]) -> Array:
    """Return the running median over `SMOOTHING` decades about each rate, narrower at the ends.

    A median about the rate neither lags behind, as a running average of the past does, nor lets the explosion at the
    end reach back.
    """
    values = np.asarray(losses, float)
    reach = int(SMOOTHING / _decades(rates) / 2)
    return np.array([np.median(values[max(0, i - reach) : i + reach + 1]) for i in range(len(values))])


def frame(curve: Curve) -> tuple[float, float]:
    """Return the losses to draw: from the lowest to half of the fall above the start."""
    lowest = min(curve.low)
    start = max(line[0] for line in curve.seeds.values())
    room = (start - lowest) / 2 or abs(start) / 2 or 1.0
    return lowest, start + room


def _curve(rates: Sequence[float], losses: Mapping[int, Sequence[float]]) -> Curve:
    lines = {seed: smoothed(values, rates) for seed, values in losses.items()}
    shared = min(map(len, lines.values()))
    stack = np.array([line[:shared] for line in lines.values()])
    drawn = {seed: tuple(line.tolist()) for seed, line in lines.items()}
    over = (tuple(found.tolist()) for found in (stack.mean(0), stack.min(0), stack.max(0)))
    return Curve(tuple(rates), drawn, *over)


def _evidence(
    rates: Sequence[float], losses: Mapping[int, Sequence[float]], tests: float, seeds: int
) -> tuple[int, int] | Reason:
    """Return the places of the first rate at which the loss falls and of the rate at which it diverges.

    In one of so many `tests` a fall may be chance, judged as strictly as so many `seeds` allow.
    """
    early = int(LEVEL_DECADES / _decades(rates))
    shared = min(map(len, losses.values()))
    if shared <= early:
        return "no fall"
    falls = _falls(rates, losses, early)
    begin = _begin(np.array([fall[:shared] for fall in falls]), tests, seeds)
    if begin is None:
        return "no fall"
    if begin < early:
        return "falls from the start"
    lost = max(begin, min(map(_lost, falls)))
    return (begin, lost) if lost < len(rates) else "never lost"


def _falls(rates: Sequence[float], losses: Mapping[int, Sequence[float]], early: int) -> list[Array]:
    """Return the fall of each seed below its level, as a share where no loss is negative."""
    levels = [float(np.median(values[:early])) for values in losses.values()]
    positive = min(min(values) for values in losses.values()) >= 0 and min(levels) > 0
    lines = [smoothed(values, rates) for values in losses.values()]
    return [(level - line) / (level if positive else 1.0) for level, line in zip(levels, lines, strict=True)]


def _begin(falls: Array, tests: float, seeds: int) -> int | None:
    """Return the place from which the mean fall stays sure and large enough until its highest."""
    mean, error = falls.mean(0), falls.std(0, ddof=1) / np.sqrt(len(falls))
    best = int(mean.argmax())
    if not mean[best] > _quantile(seeds, ALPHA / tests) * error[best]:
        return None
    begun = (mean > _quantile(seeds, ALPHA) * error) & (mean >= BEGUN * mean[best])
    before = np.flatnonzero(~begun[: best + 1])
    return int(before[-1]) + 1 if len(before) else 0


def _quantile(count: int, alpha: float) -> float:
    return float(special.stdtrit(count - 1, 1 - alpha))


def _lost(fall: Array) -> int:
    """Return the place where a seed has lost half of its fall; past its end if nowhere."""
    best = int(fall.argmax())
    after = np.flatnonzero(fall[best:] < LEFT * fall[best])
    return best + int(after[0]) if len(after) else len(fall)


def _without_one(rates: Sequence[float], losses: Mapping[int, Sequence[float]]) -> tuple[float, float] | None:
    """Return the lowest and the highest centre when each seed is left out in turn; None if one is missing.

    What is left is judged as strictly as all together: with a seed less, Student's t of two seeds would ask for twice
    the fall, and every centre would lie beyond that of all.
    """
    if len(losses) <= 2:
        return None
    rest = [{seed: values for seed, values in losses.items() if seed != left_out} for left_out in losses]
    found = [_evidence(rates, some, tests=1, seeds=len(losses)) for some in rest]
    centres = [float(np.sqrt(rates[ends[0]] * rates[ends[1]])) for ends in found if not isinstance(ends, str)]
    return (min(centres), max(centres)) if len(centres) == len(rest) else None


def _decades(rates: Sequence[float]) -> float:
    """Return how many decades there are between two rates."""
    return float(np.log10(rates[-1] / rates[0])) / (len(rates) - 1)
