"""One line for each epoch and each end of a trial, for logs."""

from __future__ import annotations

import math
import sys
import time

from surefoot.design.trial import Trial
from surefoot.progress.words import figures, name_of, result
from surefoot.training import events
from surefoot.words.numbers import LOSS


class Lines:
    """One line for each epoch and each end, for logs; of a trial that tunes, one for its end."""

    def __init__(self, *, many: bool) -> None:
        self._many = many
        self._start = time.monotonic()
        self._last: dict[str, float] = {}
        self._moves = False

    def observe(self, trial: Trial, event: events.Event) -> None:
        """Print an event, unless it is mere progress; of that the first, which says that it trains."""
        if isinstance(event, events.EpochDone):
            self._last[event.key] = event.epoch.validation_metric
        words = self._words(trial, event)
        if words:
            passed = time.monotonic() - self._start
            print(f"[{passed:6.0f} s] {name_of(trial, self._many, 60)}: {words}", file=sys.stderr, flush=True)

    def _words(self, trial: Trial, event: events.Event) -> str:
        match event:
            case events.Started(_, epoch) if epoch:
                return f"goes on after epoch {epoch}"
            case events.StepsDone(_, epoch, step, steps, loss) if not self._moves:
                self._moves = True
                return f"epoch {epoch}/{trial.protocol.epochs}, step {step} of {steps}, loss {LOSS(loss)}"
            case events.EpochDone(_, epoch) if trial.purpose == "measure":
                return (
                    f"epoch {epoch.epoch}/{trial.protocol.epochs}, loss {LOSS(epoch.train_loss)}, "
                    f"validation {figures(trial, epoch.validation_loss, epoch.validation_metric)}"
                )
            case events.Finished(key, outcome):
                return result(trial, outcome, self._last.get(key, math.nan))
            case events.Diverged(_, reason):
                return f"diverged: {reason}"
            case events.Failed(_, reason):
                return f"failed: {reason}"
        return ""
