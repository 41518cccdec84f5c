"""What a study would run, read from its plan and from the store; nothing is trained or written."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from surefoot.analysis.forecast import Prospect, smallest_difference, spread, step_times, training_seconds
from surefoot.analysis.scale import Scale
from surefoot.comparison.pilot import of_every
from surefoot.comparison.remaining import outlook
from surefoot.comparison.request import Request
from surefoot.design.budget import once
from surefoot.options import Options
from surefoot.store import Store
from surefoot.store.protocol import Protocol
from surefoot.words.forecast import forecast_json, forecast_text


@dataclass(frozen=True)
class Forecast:
    """What a study would run, how long, and what its seeds can tell; print it.

    Attributes:
        numbers: all of it.
    """

    numbers: Prospect

    def __str__(self) -> str:
        return forecast_text(self.numbers)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain dicts and lists for `json.dumps`."""
        return forecast_json(self.numbers)


def foretell(request: Request, options: Options) -> Forecast:
    """Return the forecast of a study; a store that is not there yet is not made.

    Raises:
        UsageError: a budget in minutes buys no study, by the timings of an earlier run.
    """
    with ExitStack() as opened:
        path = Path(options.store)
        store = opened.enter_context(Store(path, readonly=True)) if path.exists() else None
        return Forecast(_prospect(request, store))


def _prospect(request: Request, store: Store | None) -> Prospect:
    records, designs = (store.records(), store.designs()[::-1]) if store else ([], [])
    timings = next((one.timings for one in designs if one.timings and _same_steps(one.protocol, request.protocol)), {})
    bought = bool(timings) and request.budget.seconds is not None
    sizing = request.wanted
    if bought:
        known = of_every(timings, request.arms)
        sizing = request.bought(known, once(known))
    study = request.plan(sizing)
    protocol = study.protocol
    trials = outlook(study, {record.key: record for record in records})
    times = step_times(records, protocol)
    seconds = [training_seconds(left, protocol.steps, times) for left in trials.left]
    walls = [
        None if total is None else total / max(1, min(study.workers, sum(left.values())))
        for total, left in zip(seconds, trials.left, strict=True)
    ]
    same = (store.run(one) for one in designs if store and one.protocol.decides == protocol.decides)
    like = next(filter(None, same), [])
    found = spread(like, protocol.metric, protocol.test_size)
    # the tuned are a family, as large as that of the untuned
    told = (len(study.design.measure), len(request.arms), Scale(protocol.metric, protocol.test_size).resolution)
    return Prospect(
        study=study.name,
        protocol=protocol,
        workers=study.workers,
        sizing=sizing,
        budget=request.budget.seconds,
        bought=bought,
        phases=trials.certain,
        extension=trials.extension,
        step_times=tuple(time for found in times.values() for time in found),
        seconds=None if walls[0] is None or walls[1] is None else (walls[0], walls[1]),
        spaces=study.tuning.spaces if study.tuning else {},
        spread=found,
        detectable=smallest_difference(found, *told) if found else None,
    )


def _same_steps(mine: Protocol, its: Protocol) -> bool:
    """Whether two protocols train the same model on as many examples, on the same device."""
    names = ("task", "fingerprint", "batch_size", "device", "train_size")
    return all(getattr(mine, name) == getattr(its, name) for name in names)
