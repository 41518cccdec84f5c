"""What a user sees while trials run: a bar for each trial in a terminal, one line an epoch anywhere else.

All of it goes to standard error, so that a result on standard output stays clean.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from surefoot.compare import events
from surefoot.compare.study import Observer, Study
from surefoot.compare.trial import Trial

BESIDE_THE_NAME = 54
"""Columns that the number of the seed, the bar, epoch, loss and time left take."""


@contextmanager
def progress(study: Study, todo: Sequence[Trial]) -> Iterator[Observer]:
    """Show the trials that are to run, and give the function to call with each of their events."""
    console = Console(stderr=True)
    done = len(study.trials) - len(todo)
    console.print(_opening(study, len(todo), done), markup=False, highlight=False)
    if not todo:
        yield _ignore
    elif console.is_terminal:
        with _bars(console) as bars:
            yield Bars(bars, todo).observe
    else:
        yield Lines(todo).observe


def _ignore(event: events.Event) -> None:
    pass


def _opening(study: Study, todo: int, done: int) -> str:
    first = study.trials[0]
    finished = f"{done} already finished, " if done else ""
    workers = min(study.workers, todo)
    running = f"{todo} to run, {workers} at a time on {first.device}" if todo else "nothing to run"
    return f"Study {study.name} on {first.dataset}: {len(study.trials)} trials, {finished}{running}."


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
    name = trial.arm.label if len(trial.arm.label) <= longest else trial.arm.label[: longest - 1] + "…"
    return f"{name} #{trial.seed}" if many else name


class Bars:
    """One bar for each trial, in the order in which they start."""

    def __init__(self, bars: Progress, todo: Sequence[Trial]) -> None:
        self._bars = bars
        self._trials = {trial.key: trial for trial in todo}
        self._many = len({trial.seed for trial in todo}) > 1
        self._ids: dict[str, TaskID] = {}

    def observe(self, event: events.Event) -> None:
        """Show an event."""
        trial = self._trials[event.key]
        match event:
            case events.Started(key, epoch):
                self._start(key, trial, epoch)
            case events.Progress(key, epoch, step, _, loss):
                self._move(key, step, f"{epoch}/{trial.epochs}", loss)
            case events.EpochDone(key, epoch):
                step = epoch.epoch * trial.steps_per_epoch
                self._move(key, step, f"{epoch.epoch}/{trial.epochs}", epoch.train_loss)
            case events.Finished(key, outcome):
                self._end(key, f"{_name(trial, self._many)}: test accuracy {100 * outcome.test_accuracy:.2f} %")
            case events.Diverged(key, reason) | events.Failed(key, reason):
                self._end(key, f"{_name(trial, self._many)}: {reason}")

    def _start(self, key: str, trial: Trial, epoch: int) -> None:
        done, total = epoch * trial.steps_per_epoch, trial.epochs * trial.steps_per_epoch
        if key in self._ids:  # its worker died
            self._bars.update(self._ids[key], completed=done)
            return
        name = _name(trial, self._many, min(26, max(self._bars.console.width - BESIDE_THE_NAME, 8)))
        now = f"{min(epoch + 1, trial.epochs)}/{trial.epochs}"
        # what was done before is no part of the speed from which the time left is reckoned
        self._ids[key] = self._bars.add_task(name, completed=done, total=total, epoch=now, loss="-")

    def _move(self, key: str, step: int, epoch: str, loss: float) -> None:
        self._bars.update(self._ids[key], completed=step, epoch=epoch, loss=f"{loss:.4f}")

    def _end(self, key: str, words: str) -> None:
        if key in self._ids:
            self._bars.remove_task(self._ids.pop(key))
        self._bars.console.print(words, markup=False, highlight=False)


class Lines:
    """One line for each epoch and each end, for logs."""

    def __init__(self, todo: Sequence[Trial]) -> None:
        self._trials = {trial.key: trial for trial in todo}
        self._many = len({trial.seed for trial in todo}) > 1
        self._start = time.monotonic()

    def observe(self, event: events.Event) -> None:
        """Print an event, unless it is mere progress."""
        words = self._words(event)
        if words:
            trial = self._trials[event.key]
            passed = time.monotonic() - self._start
            print(f"[{passed:6.0f} s] {_name(trial, self._many)}: {words}", file=sys.stderr, flush=True)

    def _words(self, event: events.Event) -> str:
        match event:
            case events.Started(_, epoch) if epoch:
                return f"goes on after epoch {epoch}"
            case events.EpochDone(key, epoch):
                return (
                    f"epoch {epoch.epoch}/{self._trials[key].epochs}, loss {epoch.train_loss:.4f}, "
                    f"validation loss {epoch.validation_loss:.4f}, accuracy {100 * epoch.validation_accuracy:.2f} %"
                )
            case events.Finished(_, outcome):
                return f"test loss {outcome.test_loss:.4f}, accuracy {100 * outcome.test_accuracy:.2f} %"
            case events.Diverged(_, reason):
                return f"diverged: {reason}"
            case events.Failed(_, reason):
                return f"failed: {reason}"
        return ""
