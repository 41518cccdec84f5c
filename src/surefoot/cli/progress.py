"""What a user sees while trials run: a bar for each trial in a terminal, one line an epoch anywhere else.

All of it goes to standard error, so that a result on standard output stays clean.
"""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from surefoot.analysis import wording
from surefoot.analysis.scale import Scale
from surefoot.comparison import events
from surefoot.comparison.plan import Observer, Plan
from surefoot.comparison.trial import Trial
from surefoot.store import Outcome

BESIDE_THE_NAME = 54
"""Columns that the number of the seed, the bar, epoch, loss and time left take."""


@contextmanager
def progress(study: Plan, known: int, todo: Sequence[Trial]) -> Iterator[Observer]:
    """Say what is to run, and give the function to call with each trial's events.

    Args:
        study: what is run.
        known: how many trials it has, as far as can be told now.
        todo: those of them that are to run.
    """
    console = Console(stderr=True)
    console.print(_opening(study, known, len(todo)), markup=False, highlight=False)
    many = len({trial.seed for trial in study.trials}) > 1
    if console.is_terminal:
        with _bars(console) as bars:
            yield Bars(bars, many=many).observe
    else:
        yield Lines(many=many).observe


def _opening(study: Plan, known: int, todo: int) -> str:
    first = study.trials[0]
    finished = f"{known - todo} already finished, " if known > todo else ""
    workers = min(study.workers, todo)
    running = f"{todo} to run, {workers} at a time on {first.protocol.device}" if todo else "nothing to run"
    later = " What tuning chooses is measured after it." if study.tuning and todo else ""
    return f"Study {study.name} on {first.protocol.dataset}: {known} trials, {finished}{running}.{later}"


def _bars(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("epoch {task.fields[epoch]}"),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        transient=True,
    )


def _name(trial: Trial, many: bool, longest: int = 26) -> str:
    """Return what a trial is called: a tuning one by what it tries, else by its seed if there are several."""
    label = trial.arm.label
    if trial.purpose == "tune":
        label += f" ({', '.join(f'{name}={value:.3g}' for name, value in trial.arm.given.items())})"
    name = label if len(label) <= longest else label[: longest - 1] + "…"
    return f"{name} #{trial.seed}" if many and trial.purpose == "measure" else name


def _result(trial: Trial, outcome: Outcome, last: float) -> str:
    """Return how a trial ended, in words; `last` is its last validation metric."""
    if trial.purpose == "tune":
        return f"validation {_metric(trial, last)}"
    return f"test {_figures(trial, outcome.test_loss, outcome.test_metric)}"


def _figures(trial: Trial, loss: float, metric: float) -> str:
    """Return both figures, or one, where the loss is the metric."""
    words = f"loss {wording.loss(loss)}"
    return words if trial.protocol.metric.name == "loss" else f"{words}, {_metric(trial, metric)}"


def _metric(trial: Trial, value: float) -> str:
    """Return the task's metric with its name: "accuracy 98.02 %"."""
    metric = trial.protocol.metric
    return f"{metric.name} {Scale(metric).value(value)}"


class Bars:
    """One bar for each trial, in the order in which they start."""

    def __init__(self, bars: Progress, *, many: bool) -> None:
        self._bars, self._many = bars, many
        self._ids: dict[str, TaskID] = {}
        self._last: dict[str, float] = {}

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Show an event."""
        match event:
            case events.Started(key, epoch):
                self._start(key, trial, epoch)
            case events.Progress(key, epoch, step, _, loss):
                self._move(key, step, f"{epoch}/{trial.protocol.epochs}", loss)
            case events.EpochDone(key, epoch):
                self._last[key] = epoch.validation_metric
                step = epoch.epoch * trial.protocol.steps_per_epoch
                self._move(key, step, f"{epoch.epoch}/{trial.protocol.epochs}", epoch.train_loss)
            case events.Finished(key, outcome):
                words = _result(trial, outcome, self._last.get(key, math.nan))
                self._end(key, f"{_name(trial, self._many, 60)}: {words}")
            case events.Diverged(key, reason) | events.Failed(key, reason):
                self._end(key, f"{_name(trial, self._many, 60)}: {reason}")

    def _start(self, key: str, trial: Trial, epoch: int) -> None:
        done, total = epoch * trial.protocol.steps_per_epoch, trial.protocol.epochs * trial.protocol.steps_per_epoch
        if key in self._ids:  # its worker died
            self._bars.update(self._ids[key], completed=done)
            return
        name = _name(trial, self._many, min(26, max(self._bars.console.width - BESIDE_THE_NAME, 8)))
        now = f"{min(epoch + 1, trial.protocol.epochs)}/{trial.protocol.epochs}"
        # what was done before is no part of the speed from which the time left is reckoned
        self._ids[key] = self._bars.add_task(name, completed=done, total=total, epoch=now, loss="-")

    def _move(self, key: str, step: int, epoch: str, loss: float) -> None:
        self._bars.update(self._ids[key], completed=step, epoch=epoch, loss=wording.loss(loss))

    def _end(self, key: str, words: str) -> None:
        if key in self._ids:
            self._bars.remove_task(self._ids.pop(key))
        self._bars.console.print(words, markup=False, highlight=False)


class Lines:
    """One line for each epoch and each end, for logs; of a trial that tunes, one for its end."""

    def __init__(self, *, many: bool) -> None:
        self._many = many
        self._start = time.monotonic()
        self._last: dict[str, float] = {}

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Print an event, unless it is mere progress."""
        if isinstance(event, events.EpochDone):
            self._last[event.key] = event.epoch.validation_metric
        words = self._words(trial, event)
        if words:
            passed = time.monotonic() - self._start
            print(f"[{passed:6.0f} s] {_name(trial, self._many, 60)}: {words}", file=sys.stderr, flush=True)

    def _words(self, trial: Trial, event: events.Event) -> str:
        match event:
            case events.Started(_, epoch) if epoch:
                return f"goes on after epoch {epoch}"
            case events.EpochDone(_, epoch) if trial.purpose == "measure":
                return (
                    f"epoch {epoch.epoch}/{trial.protocol.epochs}, loss {wording.loss(epoch.train_loss)}, "
                    f"validation {_figures(trial, epoch.validation_loss, epoch.validation_metric)}"
                )
            case events.Finished(key, outcome):
                return _result(trial, outcome, self._last.get(key, math.nan))
            case events.Diverged(_, reason):
                return f"diverged: {reason}"
            case events.Failed(_, reason):
                return f"failed: {reason}"
        return ""
