"""A forecast in words: what would run, how long, where it is searched, and what the seeds can find.

The text says which numbers come from earlier trials and which are assumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from statistics import median
from textwrap import fill
from typing import Any

from surefoot.analysis.forecast import ASSUMED_SIZE, Prospect
from surefoot.search.proposals import FINALISTS, RACING_SEEDS
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.store.protocol import Metric
from surefoot.words import plain
from surefoot.words.cells import Table, plain_table
from surefoot.words.looks import SPENDING, left_out_text, plan_text
from surefoot.words.numbers import MILLISECONDS, Written, count, duration, seeds

WIDTH = 80
TIMED = {"store": "the timings of an earlier run in the store", "pilot": "a second or two of each optimizer just now"}
NAMES = {
    "defaults": "Each optimizer as given",
    "tuning": "Tuning",
    "finals": f"Its best {FINALISTS}, on {{seeds}} more seeds",
    "race": f"Its best {FINALISTS}, racing on at most {{seeds}} more seeds",
    "measuring": "Measuring what tuning chooses",
    "extension": "Tuning beyond an edge, at most",
}


def forecast_json(found: Prospect) -> dict[str, Any]:
    """Return the forecast as plain dicts and lists for `json.dumps`."""
    least, most = found.trials
    told: dict[str, Any] = {
        "study": found.study,
        "protocol": found.protocol.content,
        "workers": found.workers,
        "sizing": found.sizing,
        "budget_seconds": found.budget,
        "bought": bool(found.bought),
        "timed": found.bought or None,
        "trials": {
            "least": least,
            "most": most,
            "left": found.left,
            "phases": found.phases,
            "extension": found.extension,
        },
        "time": {"seconds": found.seconds or found.piloted, "from_trials": len(found.step_times)},
        "spaces": {
            label: {"text": space.text, "dimensions": space.ranges, "sources": space.sources}
            for label, space in found.spaces.items()
        },
        "spread": found.spread
        and {"low": found.spread.low, "high": found.spread.high, "assumed": found.spread.assumed},
        "detectable": found.detectable,
        "looks": found.looks,
        "courses": found.courses,
    }
    flat: dict[str, Any] = plain(told)
    return flat


def forecast_text(found: Prospect) -> str:
    """Return the forecast for people, 80 columns wide."""
    where = ", ".join(filter(None, [found.protocol.dataset, found.protocol.device]))
    parts = [f"Study {found.study} on {where}: nothing is trained yet."]
    parts += [] if found.budget is None else [_clock(found, duration(found.budget))]
    parts = [fill(part, WIDTH) for part in parts]
    parts += [str(_phases(found)), fill(_time(found), WIDTH)]
    parts += ["\n".join(_spaces(found))] if found.spaces else []
    parts += ["\n".join(fill(text, WIDTH) for text in _looks(found))] if found.courses else []
    return "\n\n".join([*parts, "\n".join(fill(text, WIDTH) for text in _power(found))])


def _clock(found: Prospect, budget: str) -> str:
    """Return what a budget in minutes decides, and what it buys where the optimizers were timed."""
    one, tuned = found.sizing, _is_tuned(found)
    if found.bought:
        sizes = [found.protocol.unit.amount(one.epochs), *([count(one.trials, "tuning trial")] if tuned else [])]
        return (
            f"By {TIMED[found.bought]}, the budget of {budget} buys about {', '.join(sizes)} and at most "
            f"{seeds(one.seeds)}; below is that study. The command times every optimizer again, and the clock decides."
        )
    follow = "epochs, tuning trials and the most seeds" if tuned else "epochs and the most seeds"
    return (
        f"What the budget of {budget} buys is not known: timing every optimizer takes longer than a forecast may. The "
        f"command does that first. From it follow {follow}. The clock decides how many of these are reached. Below is "
        "the study without a budget."
    )


def _is_tuned(found: Prospect) -> bool:
    """Return whether an option of an optimizer is left to search."""
    return any(space.ranges for space in found.spaces.values())


def _phases(found: Prospect) -> Table:
    phases = [*found.phases, *([found.extension] if found.extension else [])]
    names = NAMES | ({"finals": NAMES["race"]} if found.tune_seeds >= RACING_SEEDS else {})
    more = found.tune_seeds - 1
    rows = [(names[phase.name].format(seeds=more), str(phase.trials), str(phase.done)) for phase in phases]
    done = sum(phase.done for phase in found.phases)
    return plain_table(("Trials", "Planned", "Done"), [*rows, ("Together", _range(*map(str, found.trials)), str(done))])


def _time(found: Prospect) -> str:
    most = found.left[1]
    if not most:
        return "Training time: none, every trial has ended."
    if found.seconds is None:
        if found.piloted is None:
            return "Training time: not known until a trial of this task has run. A budget in minutes times it first."
        return (
            f"Time: about {_range(*map(duration, found.piloted))} with {min(found.workers, most)} at a time, by "
            f"{TIMED[found.bought]}, with start-up and evaluation."
        )
    unit = "epoch" if found.protocol.own_loop else "step"
    return (
        f"Training time: about {_range(*map(duration, found.seconds))} with {min(found.workers, most)} at a time, by "
        f"the {unit} times of {len(found.step_times)} earlier trials in the store (median "
        f"{MILLISECONDS(median(found.step_times))}); start-up and evaluation come on top."
    )


def _spaces(found: Prospect) -> Iterator[str]:
    if not _is_tuned(found):
        yield "No option is left to search, so nothing is tuned."
        return
    yield f"Search space of each optimizer, {found.sizing.trials} trials each:"
    for label, space in found.spaces.items():
        searched = space.text if space.ranges else "nothing is left to search"
        yield fill(f"{label}: {searched}", WIDTH, initial_indent="  ", subsequent_indent="  ")
        for name, source in space.sources.items():
            yield fill(f"{name}: {source}", WIDTH, initial_indent="    ", subsequent_indent="    ")


def _looks(found: Prospect) -> Iterator[str]:
    """Yield when the study is looked at, and how many seeds that takes."""
    plan, optimizers = found.looks, found.optimizers
    yield f"{plan_text(plan)} Spending: {SPENDING[plan.spending]}. Question: {plan.question.text}."
    yield from filter(None, [left_out_text(plan)])
    pairs = plan.question.pairs(optimizers)
    of = f"; a needed pair, of {pairs} tested ones," if pairs > 1 else ","
    for one, size in zip(found.courses, ("no difference", "a small one", "a large one"), strict=True):
        about = f" ({one.effect:g} times its spread over seeds)" if one.effect else ""
        bound = "at most " if pairs > 1 and one.effect else ""
        least = "at least " if pairs > 1 else ""
        found_in = f"{of} found in {least}{100 * one.power:.0f} % of studies" if one.effect else ""
        yield f"With {size}{about}: {bound}{one.seeds:.1f} seeds on average{found_in}."


def _power(found: Prospect) -> Iterator[str]:
    numbers, one, metric = found.spread, found.detectable, found.protocol.metric
    if numbers is None:
        yield (
            f"What the seeds can find: unknown until the store has trials of this protocol on 3 or more seeds; for "
            f"{metric.title} nothing is assumed."
        )
        return
    if one is None or one.seeds < FEWEST_PAIRS:
        yield f"What the seeds can find: no difference. A claim needs two optimizers and {FEWEST_PAIRS} seeds or more."
        return
    write = partial(_sizes, metric)
    alone = f"{write(*one.alone)} in a single pair chosen beforehand."
    several = f"{write(*one.corrected)} in any of {one.comparisons} pairs (at Holm's strictest step), or of {alone}"
    looks = " with one look, at their end" if found.courses else ""
    yield (
        f"What {seeds(one.seeds)} can find{looks}, in four of five studies: a difference in test {metric.title} of "
        f"{several if one.comparisons > 1 else alone}"
    )
    spread = write(numbers.low, numbers.high)
    if not numbers.assumed:
        pairs = count(numbers.pairs, "pair")
        of = f"of {'tuned ' if numbers.tuned else ''}optimizers"
        yield (
            f"By the store's trials of this protocol, differences spread by {spread} over seeds (median of {pairs} "
            f"{of})."
        )
        return
    size = found.protocol.test_size
    widened = f", widened from {ASSUMED_SIZE:,} test examples to {size:,}" if size < ASSUMED_SIZE else ""
    yield (
        f"Assumed: differences spread by {spread} over seeds, as in published runs of a small CNN on Fashion-MNIST "
        f"(DeepOBS fmnist_2c2d){widened}; the store has no trials of this protocol on 3 or more seeds."
    )


def _sizes(metric: Metric, low: float, high: float) -> str:
    if metric.share and low >= 1:
        return "more than 100 pp (so none)"
    unit = Written(metric).size
    return f"{_range(unit.bare(low), unit.bare(high))} {unit.symbol}".strip()


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
