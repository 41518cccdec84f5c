"""Budgets: trials, epochs or minutes read from text, and what minutes can buy.

A few steps of every optimizer are timed, on all workers at once, as they will be later. From these times follow the
epochs, the tuning trials and the most seeds. The clock decides one thing more, how many of these seeds are reached: all
optimizers go from seed to seed together, and none begins that would not be done in time. No result has a say in it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from math import ceil

from surefoot.errors import Argument, UsageError
from surefoot.search.proposals import FIRST_TUNING_SEED, TUNING_SEEDS, again, longest
from surefoot.store.design import Budget, Sizing, Timing
from surefoot.store.protocol import Protocol

UNITS = {"s": 1.0, "sec": 1.0, "second": 1.0, "min": 60.0, "minute": 60.0, "h": 3600.0, "hour": 3600.0}
COUNTS = ("trial", "epoch", "seed")

MARGIN = 0.94
"""The share of a budget that plans may use. Times vary, and the report takes some."""

FEWEST_TRIALS, MOST_TRIALS = 4, 16
"""Tuning trials that a time budget buys."""

FEWEST_SEEDS = 5
"""Seeds that it must buy at least."""


def once(timings: Mapping[str, Timing]) -> float:
    """Return the seconds that every worker takes once. Workers share compiled kernels through the cache."""
    return max((timing.cold for timing in timings.values()), default=0.0)


def wall(costs: Sequence[float], workers: int) -> float:
    """Return the seconds until all trials have ended, at least: with many it is close to that.

    Args:
        costs: seconds of each trial.
        workers: trials that run side by side.
    """
    return max(sum(costs) / workers, max(costs, default=0.0))


def read_budget(given: str | timedelta) -> Budget:
    """Read a time, or a text such as `20min`, `1.5h`, `90 s`, `16 trials` or `5 epochs`; else `UsageError`."""
    if isinstance(given, timedelta):
        if given > timedelta():
            return Budget(seconds=given.total_seconds())
        raise UsageError(Argument("budget"), f" is {given}; give a time above 0.")
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]+)\s*", given.lower())
    if match and float(match[1]) > 0:
        number, unit = float(match[1]), match[2] if match[2] in UNITS else match[2].removesuffix("s")
        if unit in UNITS and (unit == match[2] or len(unit) > 1):
            return Budget(seconds=number * UNITS[unit])
        if unit in COUNTS and number == int(number):
            return Budget(**{f"{unit}s": int(number)})
    example = "'20min', '1.5h', '16 trials' or '5 epochs'"
    raise UsageError(Argument("budget"), f" {given!r} cannot be read; write it as {example}.")


def size(
    seconds: float,
    workers: int,
    timings: Mapping[str, Timing],
    protocol: Protocol,
    wanted: Sizing,
    fixed: Budget,
    tune_seeds: int = TUNING_SEEDS,
) -> Sizing:
    """Return what the seconds can buy.

    Args:
        seconds: time left of the budget.
        workers: trials at a time.
        timings: of every optimizer.
        protocol: of a trial.
        wanted: what the study would have without a limit; only its epochs count.
        fixed: numbers that the user set.
        tune_seeds: seeds that tune.

    Raises:
        UsageError: not even the smallest study fits.
    """
    least, working = _least(fixed, tune_seeds), (MARGIN * seconds - once(timings)) * workers
    for epochs in [fixed.epochs] if fixed.epochs else range(wanted.epochs, 0, -1):
        rounds = int(working / sum(timing.trial(protocol, epochs) for timing in timings.values()))
        if rounds >= least:
            return _shared_out(epochs, rounds, fixed, tune_seeds)
    given = fixed.seconds or seconds
    each = sum(timing.trial(protocol, fixed.epochs or 1) for timing in timings.values())
    training = least * each / workers
    cost = given - seconds + (once(timings) + training) / MARGIN
    whose = f"each of {len(timings)} optimizers" if len(timings) > 1 else "one optimizer"
    raise UsageError(
        f"a budget of {given:g} s is too small: it buys about {max(0, int(working / each))} trials of "
        f"{whose}, and a comparison has {least} at least. These take about {ceil(cost)} s, of which "
        f"timing and starting take {given - seconds + once(timings):.0f} s. Give more time, fewer optimizers, fewer "
        "epochs or less data."
    )


def _least(fixed: Budget, tune_seeds: int) -> int:
    """Return the fewest trials of each optimizer: the longest tuning, and two that measure."""
    trials = FEWEST_TRIALS if fixed.trials is None else fixed.trials
    return longest(trials, tune_seeds) + _arms(trials) * (fixed.seeds or FEWEST_SEEDS)


def _shared_out(epochs: int, rounds: int, fixed: Budget, tune_seeds: int) -> Sizing:
    trials = min(MOST_TRIALS, max(FEWEST_TRIALS, rounds // 6)) if fixed.trials is None else fixed.trials
    while fixed.trials is None and trials > FEWEST_TRIALS and longest(trials, tune_seeds) + 2 * FEWEST_SEEDS > rounds:
        trials -= 1
    most = (rounds - trials - again(trials, tune_seeds)) // _arms(trials)  # if tuning is not extended
    return Sizing(epochs, trials, fixed.seeds or min(FIRST_TUNING_SEED, max(FEWEST_SEEDS, most)))


def _arms(trials: int) -> int:
    return 2 if trials else 1  # with its defaults, and tuned if it is tuned
