"""The pilot of a budget in minutes: every optimizer for a second or two, on all workers, and nothing kept but times."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

from surefoot.comparison.arm import Arm
from surefoot.comparison.budget import Timing
from surefoot.comparison.events import Failed, Timed
from surefoot.comparison.executor import Engine, open_executor
from surefoot.comparison.protocol import Protocol
from surefoot.comparison.trial import Trial
from surefoot.errors import TrialError
from surefoot.tasks import Task


def time_arms(task: Task, arms: Sequence[Arm], protocol: Protocol, workers: int, engine: Engine) -> dict[str, Timing]:
    """Return the times of every optimizer, by its label; one that cannot be run has the mean of the others.

    Raises:
        TrialError: none can be run.
    """
    trials = {trial.key: trial for trial in (Trial(task.name, arm, 0, protocol, "pilot") for arm in arms)}
    found: dict[str, Timing] = {}
    reasons: list[str] = []
    with open_executor(engine, task, protocol.device, min(workers, len(trials))) as pool:
        for event in pool.run(list(trials.values()), lambda _: None):
            if isinstance(event, Timed):
                found[trials[event.key].arm.label] = Timing(event.setup, event.step, event.example)
            if isinstance(event, Failed):
                reasons.append(f"{trials[event.key].arm.label}: {event.reason}")
    if not found:
        raise TrialError(f"no optimizer can be run. {' '.join(reasons)}")
    mean = Timing(*(fmean(getattr(one, name) for one in found.values()) for name in ("setup", "step", "example")))
    return {arm.label: found.get(arm.label, mean) for arm in arms}
