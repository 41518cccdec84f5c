"""Budgets: what their text means, and what so many seconds buy."""

from dataclasses import replace
from datetime import timedelta

import pytest

from surefoot.design.budget import (
    FEWEST_SEEDS,
    FEWEST_TRIALS,
    MARGIN,
    Budget,
    Sizing,
    Timing,
    once,
    read_budget,
    size,
)
from surefoot.errors import UsageError
from surefoot.search.proposals import MOST_EXTENSIONS, again, extra
from surefoot.store.protocol import Protocol

PROTOCOL = Protocol("t", "", 5, 10, train_size=1000, validation_size=100, test_size=200, device="cpu")
TIMINGS = {"a": Timing(setup=0.5, step=0.01, example=0.001), "b": Timing(setup=0.5, step=0.02, example=0.001)}
COST = {"a": 0.5 + 5 * 100 * 0.01 + 5 * 0.1 + 0.3, "b": 0.5 + 5 * 100 * 0.02 + 5 * 0.1 + 0.3}


def sized(seconds, workers=2, **fixed):
    return size(seconds, workers, TIMINGS, PROTOCOL, Sizing(5, 8, 5), Budget(seconds=seconds, **fixed))


def cost(sizing, extended):
    """Seconds that a study of this size takes on two workers."""
    tried = sizing.trials + (MOST_EXTENSIONS * extra(sizing.trials) if extended else 0)
    trials = tried + again(tried) + 2 * sizing.seeds
    return trials * sum(timing.trial(PROTOCOL, sizing.epochs) for timing in TIMINGS.values()) / 2


@pytest.mark.parametrize(
    ("text", "budget"),
    [
        ("20min", Budget(seconds=1200)),
        ("1.5h", Budget(seconds=5400)),
        ("90 s", Budget(seconds=90)),
        ("2 hours", Budget(seconds=7200)),
        ("16 trials", Budget(trials=16)),
        ("5 epochs", Budget(epochs=5)),
        ("1 epoch", Budget(epochs=1)),
        ("10 seeds", Budget(seeds=10)),
        ("3 mins", Budget(seconds=180)),
        (timedelta(minutes=2), Budget(seconds=120)),
        (timedelta(microseconds=50), Budget(seconds=5e-5)),
    ],
)
def test_budgets_are_read(text, budget):
    assert read_budget(text) == budget


@pytest.mark.parametrize(
    "text", ["", "20", "90 ss", "2 hs", "min", "-5min", "0min", "2.5 trials", "20 parsecs", "twenty minutes"]
)
def test_what_is_no_budget_is_refused_with_examples(text):
    with pytest.raises(UsageError, match="write it as '20min'"):
        read_budget(text)


@pytest.mark.parametrize("given", [timedelta(), timedelta(seconds=-5)])
def test_a_time_that_is_none_is_no_budget(given):
    with pytest.raises(UsageError, match=f"budget is {given}; give a time above 0"):
        read_budget(given)


def test_a_trial_costs_its_beginning_its_steps_and_its_evaluations():
    assert {label: timing.trial(PROTOCOL, 5) for label, timing in TIMINGS.items()} == pytest.approx(COST)


@pytest.mark.parametrize("seconds", [150, 300, 1000, 5000])
def test_what_is_planned_fits_even_if_tuning_goes_on_and_seeds_are_few(seconds):
    planned = sized(seconds)
    fewest = Sizing(planned.epochs, planned.trials, FEWEST_SEEDS)
    assert cost(fewest, extended=True) <= MARGIN * seconds * (1 + 1e-9)
    assert cost(planned, extended=False) <= MARGIN * seconds * (1 + 1e-9)


def test_more_time_buys_epochs_first_then_trials_and_seeds():
    sizes = [sized(seconds) for seconds in (70, 150, 1000, 5000)]
    assert [one.epochs for one in sizes] == sorted(one.epochs for one in sizes)
    assert sizes[0].epochs < 5
    assert sizes[-1].epochs == 5
    assert [one.trials for one in sizes] == sorted(one.trials for one in sizes)
    assert sizes[-1].seeds > sizes[-2].seeds > FEWEST_SEEDS
    assert min(one.trials for one in sizes) >= FEWEST_TRIALS


def test_what_the_user_fixed_stays():
    assert sized(5000, trials=10, epochs=3, seeds=7) == Sizing(3, 10, 7)
    assert sized(5000, trials=0).trials == 0


def test_what_a_worker_does_once_is_not_charged_to_every_trial():
    """The review's case: 0.9 s of a process's first step stood on each of 28 trials of 0.1 s."""
    warm = {label: Timing(0.02, 0.001, 1e-5, keeping=0.01) for label in TIMINGS}
    cold = {label: replace(timing, cold=3.0) for label, timing in warm.items()}
    wanted, budget = Sizing(5, 8, 5), Budget(seconds=20)
    assert once(cold) == 3.0
    assert size(20, 2, cold, PROTOCOL, wanted, budget) == size(20 - 3 / MARGIN, 2, warm, PROTOCOL, wanted, budget)
    assert warm["a"].trial(PROTOCOL, 5) == pytest.approx(0.02 + 5 * (100 * 0.001 + 0.01) + (5 * 100 + 300) * 1e-5)


def test_a_refusal_names_the_budget_that_was_given_and_not_what_the_pilot_left_of_it():
    cold = {label: replace(timing, cold=2.0) for label, timing in TIMINGS.items()}
    with pytest.raises(UsageError, match=r"a budget of 5 s is too small.*timing and starting take 8 s") as refused:
        size(-1, 2, cold, PROTOCOL, Sizing(5, 8, 5), Budget(seconds=5))
    needed = float(str(refused.value).split("take about ")[1].split(" s")[0])
    assert size(needed - 6, 2, cold, PROTOCOL, Sizing(5, 8, 5), Budget(seconds=needed)).epochs == 1


def test_a_budget_that_is_too_small_says_what_would_do():
    with pytest.raises(UsageError, match=r"too small: it buys about 1 trials .* take about (\d+) s") as refused:
        sized(5)
    needed = float(str(refused.value).split("take about ")[1].split(" s")[0])
    assert sized(needed + 1).epochs == 1
