"""A bar for each trial that runs, in a terminal."""

from __future__ import annotations

import math

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from surefoot.design.trial import Trial
from surefoot.progress.words import name_of, result
from surefoot.training import events
from surefoot.words.numbers import LOSS

BESIDE_THE_NAME = 54
"""Columns that the number of the seed, the bar, epoch, loss and time left take."""


def empty_bars(console: Console) -> Progress:
    """Bars for `Bars` to fill."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("epoch {task.fields[epoch]}"),
        TextColumn("loss {task.fields[loss]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        auto_refresh=False,
    )


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
            case events.StepsDone(key, epoch, step, _, loss):
                self._move(key, step, f"{epoch}/{trial.protocol.epochs}", loss)
            case events.EpochDone(key, epoch):
                self._last[key] = epoch.validation_metric
                step = epoch.epoch * trial.protocol.steps_per_epoch
                self._move(key, step, f"{epoch.epoch}/{trial.protocol.epochs}", epoch.train_loss)
            case events.Finished(key, outcome):
                words = result(trial, outcome, self._last.get(key, math.nan))
                self._end(key, f"{name_of(trial, self._many, 60)}: {words}")
            case events.Diverged(key, reason) | events.Failed(key, reason):
                self._end(key, f"{name_of(trial, self._many, 60)}: {reason}")

    def _start(self, key: str, trial: Trial, epoch: int) -> None:
        done, total = epoch * trial.protocol.steps_per_epoch, trial.protocol.epochs * trial.protocol.steps_per_epoch
        if key in self._ids:  # its worker died
            self._bars.update(self._ids[key], completed=done)
            return
        name = name_of(trial, self._many, min(26, max(self._bars.console.width - BESIDE_THE_NAME, 8)))
        now = f"{min(epoch + 1, trial.protocol.epochs)}/{trial.protocol.epochs}"
        # what was done before is no part of the speed from which the time left is reckoned
        self._ids[key] = self._bars.add_task(name, completed=done, total=total, epoch=now, loss="-")

    def _move(self, key: str, step: int, epoch: str, loss: float) -> None:
        self._bars.update(self._ids[key], completed=step, epoch=epoch, loss=LOSS(loss))

    def _end(self, key: str, words: str) -> None:
        if key in self._ids:
            self._bars.remove_task(self._ids.pop(key))
        self._bars.console.print(words, markup=False, highlight=False)
