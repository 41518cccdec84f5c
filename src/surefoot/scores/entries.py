"""One score with all that a table says about it, and the reading of its cells.

A missing score is a divergence, as scripts leave it out or write nan. W&B's states say more: a run that crashed with a
number has not come to its end, so that number is no result.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from surefoot.errors import UsageError, one_line
from surefoot.store.records import ENDED, Status

DIVERGED = ("", "nan", "diverged")
"""The cells that mean a missing score."""

MISSED = ("", "nan", "inf", "infinity", "never", "not reached")
"""The cells that mean a target that was not reached."""

STATES: Mapping[str, Status] = {
    "": "finished",
    "finished": "finished",
    "running": "running",
    "pending": "running",
    "crashed": "failed",
    "failed": "failed",
    "killed": "failed",
    "preempted": "failed",
}
"""W&B's states of a run."""


@dataclass(frozen=True)
class Entry:
    """The score of one optimizer with one seed on one task.

    Attributes:
        optimizer: name of the optimizer.
        seed: the seed.
        score: NaN where the run diverged.
        task: name of the task; empty where a table has only one.
        loss: loss on the test data; NaN where it is unknown.
        epochs: epochs to the user's own target; infinite for a miss, None where a table does not say.
        chance: score of guessing.
        status: whether and how the run ended.
    """

    optimizer: str
    seed: int
    score: float = math.nan
    task: str = ""
    loss: float = math.nan
    epochs: float | None = None
    chance: float | None = None
    status: Status = "finished"

    @property
    def ended(self) -> bool:
        """Whether the run finished or diverged, and so says something about the optimizer."""
        return self.status in ENDED


Entries = Mapping[str, Mapping[int, Entry]]
"""The entries of one task, by optimizer and seed."""


def entry(cells: Mapping[str, Any], where: str) -> Entry:
    """Return the entry of a row, from its cells by the names of `Entry`; `where` names the row in an error."""
    status, task = _state(cells.get("state"), where), str(cells.get("task", "")).strip()
    if {"/", "\\"} & {*task}:
        raise UsageError(f"{where}: the task is {task!r}; it names the file of a report: write it without slashes.")
    value = read_score(cells.get("score"), where)
    if status == "failed" and _text(cells.get("score")) == "nan":
        status = "finished"  # it blew up and then crashed
    if status == "finished" and not math.isfinite(value):
        status = "diverged"
    return Entry(
        optimizer=one_line(f"{where}: the optimizer", str(cells["optimizer"]).strip()),
        seed=read_seed(cells["seed"], where),
        score=value,
        task=task,
        loss=_number(cells.get("loss"), "loss", where, missing=math.nan),
        epochs=_epochs(cells["epochs"], where) if "epochs" in cells else None,
        chance=_chance(cells.get("chance"), where),
        status=status,
    )


def by_task(entries: Iterable[tuple[str, Entry]]) -> dict[str, dict[str, dict[int, Entry]]]:
    """Sort entries, each with where it stands, by task, optimizer and seed.

    A run that failed gives way to one with the same seed that ended.
    """
    tasks: dict[str, dict[str, dict[int, Entry]]] = {}
    for where, one in entries:
        own = tasks.setdefault(one.task, {}).setdefault(one.optimizer, {})
        other = own.get(one.seed)
        if other and other.ended and one.ended:
            raise UsageError(f"{where}: {one.optimizer} has seed {one.seed} twice; give each seed once.")
        if other is None or one.ended:
            own[one.seed] = one
    return tasks


def read_seed(value: Any, where: str) -> int:
    """Return a seed; `UsageError` unless it is a whole number."""
    try:
        number = float(value)
        if number != int(number):
            raise ValueError
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"{where}: the seed is {value!r}; expected a whole number.") from None
    return int(number)


def read_score(value: Any, where: str) -> float:
    """Return a score; NaN where there is none."""
    if _text(value) in DIVERGED:
        return math.nan
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: the score is {value!r}; expected a number, or nothing if it diverged.") from None


def _state(value: Any, where: str) -> Status:
    state = _text(value)
    if state not in STATES:
        known = ", ".join(filter(None, STATES))
        raise UsageError(f"{where}: the state is {value!r}; expected one of {known}. Rename a column that is no state.")
    return STATES[state]


def _epochs(value: Any, where: str) -> float:
    epochs = math.inf if _text(value) in MISSED else _number(value, "number of epochs to the target", where)
    if epochs <= 0:
        raise UsageError(f"{where}: the target took {value} epochs; expected more than 0, or nothing if it was missed.")
    return epochs


def _chance(value: Any, where: str) -> float | None:
    chance = _number(value, "score of guessing", where, missing=math.nan)
    return chance if math.isfinite(chance) else None


def _number(value: Any, name: str, where: str, missing: float | None = None) -> float:
    if missing is not None and _text(value) in DIVERGED:
        return missing
    try:
        return float(value)
    except (TypeError, ValueError):
        raise UsageError(f"{where}: the {name} is {value!r}; expected a number.") from None


def _text(value: Any) -> str:
    return "" if value is None else str(value).strip().lower()
