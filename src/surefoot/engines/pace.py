"""Whether a small step is shared among threads, decided by what the last ones took.

Threads that share a step wait for each other. Where other processes use the cores, that wait is a time slice of the
system, several milliseconds, for what one thread does in a tenth of it. So a shared step that took longer than one
thread would is followed by steps of one thread, at first for as long as it took and after each further failure for
twice as long, up to `MOST` times. The numbers of a step do not depend on it.
"""

from __future__ import annotations

import math

SLICE = 0.005
"""Seconds that one thread may take for a step; longer ones are always shared, a slice more matters little there."""

SLOWER = 1.5
"""How many times as long as one thread a shared step may take."""

MOST = 16
"""How many times as long as a failure took no other is risked, at most."""

FORGET = 1.02
"""By how much the estimate of one thread's time grows in each step: caches and clocks change."""


class Pace:
    """What a repeated piece of work took."""

    def __init__(self) -> None:
        self._alone = math.inf
        """Seconds that one thread takes, at most."""
        self._rest, self._patience = 0.0, 1
        """Seconds of work until the next try, and how many times as long as it took the next failure counts."""

    @property
    def shared(self) -> bool:
        """Whether to share the next one; the first is done alone, to know what that takes."""
        return self._rest <= 0 and self._alone < math.inf

    def took(self, threads: int, seconds: float) -> None:
        """Learn what the last one took, with so many threads."""
        before, self._alone = self._alone, min(self._alone * FORGET, seconds * threads)
        if threads == 1:
            self._rest -= seconds
        elif seconds > SLOWER * before and before < SLICE:
            self._rest, self._patience = seconds * self._patience, min(2 * self._patience, MOST)
        else:
            self._patience = max(1, self._patience // 2)
