"""TensorBoard event files, a run for each trial, for those who watch training there.

tensorboardX writes the files: it needs neither TensorFlow nor TensorBoard itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any

from surefoot.comparison.driver import Observer
from surefoot.design.trial import Trial
from surefoot.errors import Argument, UsageError
from surefoot.training.events import Diverged, EpochDone, Event, Failed, Finished


@contextmanager
def event_files(folder: Path) -> Iterator[Observer]:
    """Yield the function that writes each event of a trial into its own run below the folder.

    Raises:
        UsageError: tensorboardX is not installed.
    """
    try:
        from tensorboardX import SummaryWriter
    except ModuleNotFoundError:
        raise UsageError(Argument("logdir"), " needs tensorboardX: pip install 'surefoot[tensorboard]'.") from None
    writers: dict[str, Any] = {}

    def observe(trial: Trial, event: Event) -> None:
        if isinstance(event, EpochDone | Finished):
            if trial.key not in writers:
                writers[trial.key] = SummaryWriter(str(folder / run_name(trial)))
            for name, value in _scalars(trial, event).items():
                if not (isnan(value) and trial.protocol.own_loop):  # not reported
                    writers[trial.key].add_scalar(name, value, _step(trial, event))
        if isinstance(event, Finished | Diverged | Failed) and trial.key in writers:
            writers.pop(trial.key).close()

    try:
        yield observe
    finally:
        for writer in writers.values():
            writer.close()


def run_name(trial: Trial) -> str:
    """Return the folder of a trial: study, optimizer, seed, and digits that separate tuning trials."""
    label = "".join(letter if letter.isalnum() or letter in "-_.=" else "_" for letter in trial.arm.label)
    return f"{trial.study}/{label}/{trial.purpose}-seed{trial.seed}-{trial.key[:6]}"


def _scalars(trial: Trial, event: EpochDone | Finished) -> dict[str, float]:
    metric = trial.protocol.metric.title.replace(" ", "_")
    if isinstance(event, Finished):
        tested = {"test/loss": event.outcome.test_loss, f"test/{metric}": event.outcome.test_metric}
        return {} if trial.purpose == "tune" else tested
    epoch = event.epoch
    return {
        "train/loss": epoch.train_loss,
        f"train/{metric}": epoch.train_metric,
        "validation/loss": epoch.validation_loss,
        f"validation/{metric}": epoch.validation_metric,
        "time/training_seconds": epoch.seconds,
    }


def _step(trial: Trial, event: EpochDone | Finished) -> int:
    """Return the optimizer steps so far, which compare across batch sizes; epochs where unknown."""
    epochs = event.epoch.epoch if isinstance(event, EpochDone) else trial.protocol.epochs
    return epochs * (trial.protocol.steps_per_epoch or 1)
