"""The clock: contenders take turns, so that a slow moment of the machine slows all of them.

In each round every contender has one turn, and the round begins with another one each time. A turn of a step that is
shorter than a few milliseconds is as many steps as fill them, after one that is not timed: it brings the contender's
memory back into the caches, as in a loop that steps nothing else. A contender that has used up its time
leaves, so a slow one does not hold up the others. Times are appended as they are taken: they survive Ctrl-C.
"""

from __future__ import annotations

import gc
import signal
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any

Clock = Callable[[], float]
Turn = Callable[[int, Clock], float]
"""Does so many steps, and returns the seconds that they took."""

TURN = 0.003
"""Seconds that a turn should last at least."""

MOST = 1024
"""Steps in a turn at most."""

BUDGET = 2.0
"""Seconds after which a contender takes no further turn, once it has had the fewest."""

FEWEST = 5
"""Turns that even the slowest contender has, unless fewer rounds are asked for."""


@dataclass(frozen=True)
class Quartiles:
    """The median of some step times and their quartiles, in seconds."""

    median: float
    low: float
    high: float
    turns: int


def spread(times: list[float]) -> Quartiles:
    """Return median and quartiles; of a single time all three are that time."""
    low, median, high = statistics.quantiles(times, n=4, method="inclusive") if len(times) > 1 else times * 3
    return Quartiles(median, low, high, len(times))


def turn_of(step: Callable[[], object], tidy: Callable[[], object] | None = None) -> Turn:
    """Return the turn of a step. `tidy` restores its start after each step, untimed."""

    def turn(many: int, clock: Clock) -> float:
        start = clock()
        for _ in range(many):
            step()
        return clock() - start

    def tidied(many: int, clock: Clock) -> float:
        seconds = 0.0
        for _ in range(many):
            seconds += turn(1, clock)
            tidy()  # type: ignore[misc]
        return seconds

    return tidied if tidy else turn


def take_turns(
    turns: Mapping[str, Turn],
    times: MutableMapping[str, list[float]],
    *,
    rounds: int,
    budget: float = BUDGET,
    clock: Clock = time.perf_counter,
    between: Callable[[], object] = lambda: None,
) -> None:
    """Time contenders, after some steps of each that do not count.

    Args:
        turns: what each contender does in a turn.
        times: where the seconds per step of each turn are appended, by the contender's name.
        rounds: how many turns each has at most.
        budget: seconds of turns after which a contender leaves, but not before it had `FEWEST`.
        clock: seconds from any start.
        between: called before each turn.
    """
    with _no_collection():
        many = {}
        for name, turn in turns.items():
            between()
            many[name] = _steps_in_a_turn(turn, clock)
        spent = dict.fromkeys(turns, 0.0)
        present = list(turns)
        for k in range(rounds):
            first = k % max(1, len(present))
            for name in present[first:] + present[:first]:
                between()
                seconds = _seconds(turns[name], many[name], clock)
                spent[name] += many[name] * seconds
                times.setdefault(name, []).append(seconds)
            present = [name for name in present if k + 1 < FEWEST or spent[name] < budget]


def _steps_in_a_turn(turn: Turn, clock: Clock) -> int:
    turn(1, clock)
    many = 1
    while turn(many, clock) < TURN and many < MOST:
        many *= 2
    return many


def _seconds(turn: Turn, many: int, clock: Clock) -> float:
    if many > 1:
        turn(1, clock)
    return turn(many, clock) / many


@contextmanager
def _no_collection() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Interrupt:
    """Notes Ctrl-C, to be checked before each turn. A second one is raised at once.

    Python raises KeyboardInterrupt wherever it happens to be; in a callback of the garbage collector, such as jax has,
    it would be forgotten. Outside the main thread, which alone gets the signal, this does nothing.
    """

    def __init__(self) -> None:
        self.came = False
        self._before: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was one."""
        if self.came:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        self.check()
        self.came = True
