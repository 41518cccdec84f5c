"""The state of a study: trials done, the best of each optimizer so far, and the time left.

The best is the best validation metric of any trial, tuning included: something to watch, not a result. The time left is
that of the steps which are known to come, at the speed so far. In a notebook the board is shown by IPython's own
display, which every notebook has: rich's live display there needs ipywidgets, shows nothing without it, and leaves an
empty widget in a notebook that is saved.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from html import escape
from importlib import import_module
from math import isnan
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from surefoot.analysis.scale import Scale
from surefoot.design.trial import Trial
from surefoot.progress.words import name_of, place, result
from surefoot.store.protocol import Protocol
from surefoot.training import events
from surefoot.words import Written
from surefoot.words.numbers import LOSS, time_left

SECONDS = 0.5
"""The least time between two changes of the picture."""

QUARTERS = 4

BESIDE_THE_NAME = 54
"""Columns that the number of the seed, the bar, epoch, loss and time left take."""


class Board:
    """The line below the bars.

    Args:
        todo: the trials to run, as far as they are known at the start.
    """

    def __init__(self, todo: Sequence[Trial]) -> None:
        self._steps = {trial.key: _units(trial.protocol, trial.protocol.epochs) for trial in todo}
        self._taken: dict[str, int] = {}
        self._resumed: dict[str, int] = {}
        self._ended: set[str] = set()
        self._tunes = any(trial.purpose == "tune" for trial in todo)
        self._best: dict[str, float] = {}
        self._scale = Scale(todo[0].protocol.metric) if todo else Scale()
        self._start = time.monotonic()
        self._told = -1

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Take an event in."""
        self._steps.setdefault(event.key, _units(trial.protocol, trial.protocol.epochs))
        self._tunes &= not (trial.purpose == "measure" and trial.part.tuned_from)
        match event:
            case events.Started(key, epoch):
                if not self._taken:  # what workers take to start is no part of the speed
                    self._start = time.monotonic()
                self._resumed[key] = self._taken[key] = _units(trial.protocol, epoch)
            case events.StepsDone(key, _, step, _, _) if trial.protocol.steps:
                self._taken[key] = step
            case events.EpochDone(key, epoch):
                self._taken[key] = _units(trial.protocol, epoch.epoch)
                label, value = trial.part.tuned_from or trial.arm.label, epoch.validation_metric
                if not isnan(value):  # as a metric may be for an epoch
                    self._best[label] = self._scale.best([value, self._best.get(label, value)])
            case events.Finished(key) | events.Diverged(key) | events.Failed(key):
                self._taken[key] = self._steps[key]
                self._ended.add(key)

    def news(self) -> str:
        """Return the progress in words after the first epoch and after each further quarter; else nothing."""
        quarters = QUARTERS * len(self._ended) // len(self._steps)
        if quarters <= self._told or len(self._ended) == len(self._steps) or self._left() is None:
            return ""
        self._told = quarters
        return self._counts()

    def __rich__(self) -> Text:
        return Text("\n".join(filter(None, [self._counts(), self._bests()])), style="dim")

    def _counts(self) -> str:
        running = len(self._taken) - len(self._ended)
        left = self._left() if running else None
        then = ", then what tuning chooses" if self._tunes else ""
        rest = f", {time_left(left)} left{then}" if left is not None else ""
        return f"{len(self._ended)} of {len(self._steps)} trials done, {running} running{rest}"

    def _bests(self) -> str:
        if not self._best:
            return ""
        order = sorted(self._best, key=lambda label: -self._scale.gain(self._best[label]))
        best = ", ".join(f"{label} {Written(self._scale.metric).value(self._best[label])}" for label in order)
        return f"Best validation {self._scale.name} so far: {best}"

    def _left(self) -> float | None:
        """Return the seconds of the remaining steps at the speed so far; None before the first."""
        fresh = sum(taken - self._resumed.get(key, 0) for key, taken in self._taken.items())
        if fresh <= 0:
            return None
        to_come = sum(steps - self._taken.get(key, 0) for key, steps in self._steps.items())
        return to_come * (time.monotonic() - self._start) / fresh


class NotebookCell:
    """The board in a notebook cell, replaced in place, with a line for each failed trial.

    Enter it to show the board, leave it to show how all ended.

    Args:
        board: what is shown.
        many: whether seeds are shown to tell trials apart.
    """

    def __init__(self, board: Board, *, many: bool) -> None:
        self._board, self._many = board, many
        self._failures: list[str] = []
        self._drawn = time.monotonic()

    def __enter__(self) -> NotebookCell:
        display = import_module("IPython.display").display
        self._handle = display(self._content(), raw=True, display_id=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._draw()

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Take an event in; the picture follows when it is time."""
        self._board.observe(trial, event)
        if isinstance(event, events.Failed):
            self._failures.append(f"{name_of(trial, self._many, 60)} failed: {event.reason}")
        if time.monotonic() - self._drawn >= SECONDS:
            self._draw()

    def _draw(self) -> None:
        self._handle.update(self._content(), raw=True)
        self._drawn = time.monotonic()

    def _content(self) -> dict[str, str]:
        text = "\n".join([self._board.__rich__().plain, *self._failures])
        return {"text/plain": text, "text/html": f'<pre style="white-space:pre-wrap">{escape(text)}</pre>'}


def empty_bars(console: Console) -> Progress:
    """Bars for `Bars` to fill."""
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=16),
        TextColumn("{task.fields[place]}"),
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
                done = step if trial.protocol.steps else epoch - 1
                self._move(key, done, place(trial, epoch), loss)
            case events.EpochDone(key, epoch):
                self._last[key] = epoch.validation_metric
                step = _units(trial.protocol, epoch.epoch)
                self._move(key, step, place(trial, epoch.epoch), epoch.train_loss)
            case events.Finished(key, outcome):
                words = result(trial, outcome, self._last.get(key, math.nan))
                self._end(key, f"{name_of(trial, self._many, 60)}: {words}")
            case events.Diverged(key, reason) | events.Failed(key, reason):
                self._end(key, f"{name_of(trial, self._many, 60)}: {reason}")

    def _start(self, key: str, trial: Trial, epoch: int) -> None:
        done, total = (_units(trial.protocol, number) for number in (epoch, trial.protocol.epochs))
        if key in self._ids:  # its worker died
            self._bars.update(self._ids[key], completed=done)
            return
        name = name_of(trial, self._many, min(26, max(self._bars.console.width - BESIDE_THE_NAME, 8)))
        now = place(trial, min(epoch + 1, trial.protocol.epochs))
        # what was done before is no part of the speed from which the time left is reckoned
        self._ids[key] = self._bars.add_task(name, completed=done, total=total, place=now, loss="-")

    def _move(self, key: str, step: int, now: str, loss: float) -> None:
        self._bars.update(self._ids[key], completed=step, place=now, loss=LOSS(loss))

    def _end(self, key: str, words: str) -> None:
        if key in self._ids:
            self._bars.remove_task(self._ids.pop(key))
        self._bars.console.print(words, markup=False, highlight=False)


def _units(protocol: Protocol, epochs: int) -> int:
    """Return the length of these epochs in steps, or in epochs where steps are unknown."""
    return epochs * (protocol.steps_per_epoch or 1)
