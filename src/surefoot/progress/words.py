"""Texts about a trial: its name, its end, and log lines for epochs and ends."""

from __future__ import annotations

import math
import sys
import time
from typing import TYPE_CHECKING, Any

from surefoot.arms.code_hash import written
from surefoot.design.trial import Trial
from surefoot.search.proposals import FIRST_TUNING_SEED
from surefoot.store import Outcome
from surefoot.training import events
from surefoot.words import Written
from surefoot.words.numbers import LOSS, short

if TYPE_CHECKING:
    from surefoot.progress.board import Board


def name_of(trial: Trial, many: bool, longest: int = 26) -> str:
    """Return the name of a trial. A tuning trial is named by its values, and by its seed if there are several."""
    label = trial.arm.label
    if trial.purpose == "tune":
        label += f" ({', '.join(f'{name}={_short(value)}' for name, value in trial.arm.given.items())})"
    name = label if len(label) <= longest else label[: longest - 1] + "…"
    again = trial.purpose == "tune" and trial.seed > FIRST_TUNING_SEED
    return f"{name} #{trial.seed}" if again or (many and trial.purpose == "measure") else name


def _short(value: Any) -> str:
    """Return an option's value with three digits. A class or another object is named."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_short, value))})"
    if isinstance(value, float):
        return short(value)
    return str(getattr(value, "__name__", None) or written(value))


def result(trial: Trial, outcome: Outcome, last: float) -> str:
    """Return how a trial ended, in words; `last` is its last validation metric."""
    if trial.purpose == "tune":
        return f"validation {measured(trial, last)}"
    return f"test {figures(trial, outcome.test_loss, outcome.test_metric)}"


def figures(trial: Trial, loss: float, metric: float) -> str:
    """Return both figures, or one where the loss is the metric or unknown."""
    if trial.protocol.own_loop and math.isnan(loss):
        return measured(trial, metric)
    words = f"loss {LOSS(loss)}"
    return words if trial.protocol.metric.is_loss else f"{words}, {measured(trial, metric)}"


def measured(trial: Trial, value: float) -> str:
    """Return the task's metric with its name: "accuracy 98.02 %"."""
    judged = trial.protocol.metric
    return f"{judged.title} {Written(judged).value(value)}"


def place(trial: Trial, epoch: int) -> str:
    """Return where a trial is, of how much: "epoch 3/20"."""
    return trial.protocol.unit.at(epoch, trial.protocol.epochs)


class Lines:
    """Log lines: one for each epoch and each end. A tuning trial has one for its end only.

    Args:
        board: the study as a whole, which says now and then how much is left.
        many: whether seeds are shown to tell trials apart.
    """

    def __init__(self, board: Board, *, many: bool) -> None:
        self._board, self._many = board, many
        self._start = time.monotonic()
        self._last: dict[str, float] = {}
        self._begun = self._moves = False

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Print an event. Of mere progress only the first is printed."""
        if isinstance(event, events.EpochDone):
            self._last[event.key] = event.epoch.validation_metric
        if words := self._words(trial, event):
            self._print(f"{name_of(trial, self._many, 60)}: {words}")
        self._board.observe(trial, event)
        if isinstance(event, events.EpochDone | events.End) and (news := self._board.news()):
            self._print(f"{news}.")

    def _print(self, text: str) -> None:
        print(f"[{time.monotonic() - self._start:6.0f} s] {text}", file=sys.stderr, flush=True)

    def _words(self, trial: Trial, event: events.Event) -> str:
        match event:
            case events.Started(_, epoch) if epoch:
                return f"goes on after {trial.protocol.unit.at(epoch)}"
            case events.Started() if not self._begun:
                self._begun = True
                return "starts"
            case events.StepsDone(_, epoch, step, steps, loss) if not self._moves:
                self._moves = True
                of = f" of {steps}" if steps else ""
                where = "" if trial.protocol.evaluate_every else f"{place(trial, epoch)}, "
                return f"{where}step {step}{of}, loss {LOSS(loss)}"
            case events.EpochDone(_, epoch) if trial.purpose == "measure":
                return (
                    f"{place(trial, epoch.epoch)}, loss {LOSS(epoch.train_loss)}, "
                    f"validation {figures(trial, epoch.validation_loss, epoch.validation_metric)}"
                )
            case events.Finished(key, outcome):
                return result(trial, outcome, self._last.get(key, math.nan))
            case events.Diverged(_, reason):
                return f"diverged: {reason}"
            case events.Failed(_, reason):
                return f"failed: {reason}"
        return ""
