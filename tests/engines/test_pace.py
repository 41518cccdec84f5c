"""Whether a small step is shared: what it costs where others use the cores, and what it misses where nobody does."""

from __future__ import annotations

import random

import pytest

from surefoot.engines.cpu import MOST, SLICE, Pace

ALONE, SHARED = 0.0004, 0.0002


def total(pace: Pace, steps: int, shared) -> float:
    """Return what so many steps take; `shared` tells the seconds of one that is shared."""
    spent = 0.0
    for _ in range(steps):
        threads, seconds = (2, shared()) if pace.shared else (1, ALONE)
        pace.took(threads, seconds)
        spent += seconds
    return spent


def test_the_first_is_done_alone_and_the_others_are_shared():
    pace = Pace()
    assert not pace.shared
    assert total(pace, 1000, lambda: SHARED) == pytest.approx(ALONE + 999 * SHARED)


def test_where_each_shared_step_waits_few_are():
    pace, steps = Pace(), 20_000
    spent = total(pace, steps, lambda: 0.02)
    assert spent < steps * ALONE * (1 + 2 / MOST)


@pytest.mark.parametrize("often", [0.05, 0.5, 0.9])
def test_whatever_others_do_it_costs_at_most_twice_the_time_of_one_thread(often):
    draw = random.Random(0)
    pace, steps = Pace(), 20_000
    spent = total(pace, steps, lambda: 0.02 if draw.random() < often else SHARED)
    assert spent < 2 * steps * ALONE


def test_when_others_leave_steps_are_shared_again():
    pace = Pace()
    total(pace, 5000, lambda: 0.02)
    total(pace, 2 * MOST * 50, lambda: SHARED)
    assert total(pace, 100, lambda: SHARED) == pytest.approx(100 * SHARED)


def test_a_single_hiccup_is_soon_forgotten():
    pace, late = Pace(), iter([SHARED] * 20 + [0.004] + [SHARED] * 1000)
    spent = total(pace, 500, lambda: next(late))
    assert spent == pytest.approx(0.004 + 11 * ALONE + 488 * SHARED)


def test_long_steps_are_always_shared():
    pace = Pace()
    pace.took(1, 2 * SLICE)
    for _ in range(10):
        assert pace.shared
        pace.took(2, 20 * SLICE)


def test_what_one_thread_takes_may_grow():
    """Such as with larger batches, whose activations leave less room in the caches."""
    pace = Pace()
    total(pace, 100, lambda: SHARED)
    seen = []
    for _ in range(1000):
        seen.append(pace.shared)
        pace.took(*((2, 4 * SHARED) if pace.shared else (1, 4 * ALONE)))
    assert not all(seen)
    assert all(seen[-500:])
