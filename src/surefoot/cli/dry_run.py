"""`surefoot compare --dry-run`: what a study would run, how long, where it searches, and what its seeds can tell.

Nothing is trained or written. What is known from earlier trials in the store is used and said to be; what is assumed
is said to be assumed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table

from surefoot.analysis.scale import Scale
from surefoot.comparison.driver import Run
from surefoot.comparison.forecast import (
    ASSUMED_SIZE,
    Detectable,
    Spread,
    smallest_difference,
    spread,
    step_times,
    training_seconds,
)
from surefoot.comparison.remaining import Outlook, outlook
from surefoot.search.proposals import FINALISTS, TUNING_SEEDS
from surefoot.statistics.permutation import FEWEST_PAIRS
from surefoot.store import Record, Store
from surefoot.store.protocol import Metric
from surefoot.store.ranges import Search
from surefoot.words import Written, plain
from surefoot.words.numbers import MILLISECONDS, duration, seeds

NAMES = {
    "defaults": "Each optimizer as given",
    "tuning": "Tuning",
    "finals": f"Its best {FINALISTS}, on {TUNING_SEEDS - 1} more seeds",
    "measuring": "Measuring what tuning chooses",
    "extension": "Tuning beyond an edge, at most",
}


@dataclass(frozen=True)
class Forecast:
    """All that is told: trials, training time at least and at most (None: unknown), searched spaces, and power."""

    study: Run
    trials: Outlook
    step_times: Mapping[str, Sequence[float]]
    seconds: tuple[float, float] | None
    spaces: Mapping[str, Search]
    spread: Spread | None
    detectable: Detectable | None


def tell(study: Run, store: Path, *, as_json: bool) -> None:
    """Print the forecast of a study; a store that is not there yet is not made."""
    records: list[Record] = []
    like: list[Record] = []
    if store.exists():
        with Store(store, readonly=True) as results:
            records = results.records()
            same = [one for one in reversed(results.designs()) if one.protocol.decides == study.protocol.decides]
            like = next((found for one in same if (found := results.run(one))), [])
    forecast = _forecast(study, records, like)
    if as_json:
        print(json.dumps(_json(forecast), ensure_ascii=False), flush=True)
        return
    console = Console(highlight=False, markup=False, emoji=False)
    with console.capture() as drawn:
        for part in _parts(forecast):
            console.print(part)
    print("\n".join(line.rstrip() for line in drawn.get().splitlines()), flush=True)


def _forecast(study: Run, records: Sequence[Record], like: Sequence[Record]) -> Forecast:
    """Return the forecast from all records of the store, and those of the newest run `like` this one."""
    first = study.trials[0]
    trials = outlook(study, {record.key: record for record in records})
    times = step_times(records, first.protocol)
    seconds = [training_seconds(left, first.protocol.steps, times) for left in trials.left]
    walls = [_wall(total, sum(left.values()), study.workers) for total, left in zip(seconds, trials.left, strict=True)]
    spaces = study.tuning.spaces if study.tuning else {}
    found = spread(like, first.protocol.metric, first.protocol.test_size)
    arms = {trial.arm.label for trial in study.trials}
    return Forecast(
        study=study,
        trials=trials,
        step_times=times,
        seconds=None if walls[0] is None or walls[1] is None else (walls[0], walls[1]),
        spaces=spaces,
        spread=found,
        detectable=_detectable(study, found, len(arms)),  # the tuned are a family, as large as that of the untuned
    )


def _detectable(study: Run, found: Spread | None, optimizers: int) -> Detectable | None:
    if found is None:
        return None
    protocol = study.trials[0].protocol
    scale = Scale(protocol.metric, protocol.test_size)
    return smallest_difference(found, len({trial.seed for trial in study.trials}), optimizers, scale.resolution)


def _wall(seconds: float | None, trials: int, workers: int) -> float | None:
    return None if seconds is None else seconds / max(1, min(workers, trials))


def _json(forecast: Forecast) -> dict[str, Any]:
    trials, (least, most) = forecast.trials, forecast.trials.left
    first = forecast.study.trials[0]
    times = [time for found in forecast.step_times.values() for time in found]
    found: dict[str, Any] = {
        "study": forecast.study.name,
        "protocol": first.protocol.content,
        "workers": forecast.study.workers,
        "budget_seconds": forecast.study.design.budget.seconds,
        "trials": {
            "least": trials.trials[0],
            "most": trials.trials[1],
            "left": [sum(least.values()), sum(most.values())],
            "phases": trials.certain,
            "extension": trials.extension,
        },
        "time": {"seconds": forecast.seconds, "from_trials": len(times)},
        "spaces": {
            label: {"text": space.text, "dimensions": space.ranges, "sources": space.sources}
            for label, space in forecast.spaces.items()
        },
        "spread": forecast.spread and _spread_json(forecast.spread),
        "detectable": forecast.detectable,
    }
    flat: dict[str, Any] = plain(found)
    return flat


def _spread_json(found: Spread) -> dict[str, Any]:
    return {"low": found.low, "high": found.high, "assumed": found.assumed}


def _parts(forecast: Forecast) -> Iterator[Any]:
    study, first = forecast.study, forecast.study.trials[0]
    where = ", ".join(filter(None, [first.protocol.dataset, first.protocol.device]))
    yield f"Study {study.name} on {where}: nothing is trained by --dry-run.\n"
    if study.design.budget.seconds is not None:
        yield f"{_clock(study)}\n"
    yield _phases(forecast.trials)
    yield f"\n{_time(forecast)}\n"
    if forecast.spaces:
        yield f"Search space of each optimizer, {study.tuning.trials if study.tuning else 0} trials each:"
        yield from _spaces(forecast.spaces)
    yield "\n".join(_power(forecast))


def _clock(study: Run) -> str:
    """What a budget in minutes decides, which takes a pilot to tell."""
    seconds = study.design.budget.seconds
    return (
        f"The budget of {duration(seconds or 0.0)} is not in the figures below: the clock decides. The command "
        "first times every optimizer; from that follow epochs, tuning trials and the most seeds, and time tells how "
        "many of these are reached. Below is the study as it would be without a budget."
    )


def _phases(trials: Outlook) -> Table:
    drawn = Table(box=None, pad_edge=False, header_style="bold")
    drawn.add_column("Trials")
    drawn.add_column("Planned", justify="right")
    drawn.add_column("Done", justify="right")
    for phase in (*trials.certain, *([trials.extension] if trials.extension else [])):
        drawn.add_row(NAMES[phase.name], str(phase.trials), str(phase.done))
    done = sum(phase.done for phase in trials.certain)
    drawn.add_row("Together", _range(*map(str, trials.trials)), str(done), style="bold")
    return drawn


def _time(forecast: Forecast) -> str:
    times = [time for found in forecast.step_times.values() for time in found]
    most = sum(forecast.trials.left[1].values())
    if not most:
        return "Training time: none, every trial has ended."
    if forecast.seconds is None:
        return "Training time: not known until a trial of this task has run."
    workers = min(forecast.study.workers, most)
    return (
        f"Training time: about {_range(*map(duration, forecast.seconds))} with {workers} at a time, by the step times "
        f"of {len(times)} earlier trials in the store (median {MILLISECONDS(median(times))}); start-up and evaluation "
        "come on top."
    )


def _spaces(spaces: Mapping[str, Search]) -> Iterator[Any]:
    for label, space in spaces.items():
        yield f"  {label}: {space.text if space.ranges else 'nothing is left to search'}"
        for name, source in space.sources.items():
            yield Padding(f"{name}: {source}", (0, 0, 0, 4))
    yield ""


def _power(forecast: Forecast) -> Iterator[str]:
    found, numbers = forecast.detectable, forecast.spread
    protocol = forecast.study.trials[0].protocol
    metric = protocol.metric
    if numbers is None:
        yield (
            f"What the seeds can tell: not known until the store has trials of this protocol on 3 or more seeds; for "
            f"{metric.title} nothing is assumed."
        )
        return
    if found is None or found.seeds < FEWEST_PAIRS:
        yield f"What the seeds can tell: no difference; at least two optimizers and --seeds {FEWEST_PAIRS} are needed."
        return
    write = partial(_sizes, metric)
    alone = f"{write(*found.alone)} in a single pair decided on beforehand."
    yield (
        f"What {seeds(found.seeds)} can tell, four times out of five: a difference in test {metric.title} of "
        + (
            f"{write(*found.corrected)} in any of {found.comparisons} pairs (at Holm's strictest step), of {alone}"
            if found.comparisons > 1
            else alone
        )
    )
    yield (
        f"Assumed: differences spread by {write(numbers.low, numbers.high)} over seeds, as in published runs of a "
        f"small CNN on Fashion-MNIST (DeepOBS fmnist_2c2d){_widened(protocol.test_size)}; the store has no trials of "
        "this protocol on 3 or more seeds."
        if numbers.assumed
        else f"By the store's trials of this protocol, differences spread by {write(numbers.low, numbers.high)} over "
        f"seeds (median of {numbers.pairs} {_pairs(numbers)})."
    )


def _widened(test_size: int) -> str:
    """What the assumption was widened by, where the test set is smaller than the published one."""
    return f", widened from {ASSUMED_SIZE:,} test examples to {test_size:,}" if test_size < ASSUMED_SIZE else ""


def _pairs(found: Spread) -> str:
    return f"pair{'' if found.pairs == 1 else 's'} of {'tuned ' if found.tuned else ''}optimizers"


def _sizes(metric: Metric, low: float, high: float) -> str:
    if metric.share and low >= 1:
        return "more than 100 pp, which is none"
    unit = Written(metric).size
    return f"{_range(unit.bare(low), unit.bare(high))} {unit.symbol}".strip()


def _range(low: str, high: str) -> str:
    return low if low == high else f"{low} to {high}"
