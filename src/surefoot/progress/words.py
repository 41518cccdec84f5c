"""What is said of a trial: its name, and how it ended."""

from __future__ import annotations

from typing import Any

from surefoot.arms.code_hash import written
from surefoot.design.trial import Trial
from surefoot.search.proposals import FIRST_TUNING_SEED
from surefoot.store import Outcome
from surefoot.words import Written
from surefoot.words.numbers import LOSS


def name_of(trial: Trial, many: bool, longest: int = 26) -> str:
    """Return what a trial is called: a tuning one by what it tries, and by its seed where there are several."""
    label = trial.arm.label
    if trial.purpose == "tune":
        label += f" ({', '.join(f'{name}={_short(value)}' for name, value in trial.arm.given.items())})"
    name = label if len(label) <= longest else label[: longest - 1] + "…"
    again = trial.purpose == "tune" and trial.seed > FIRST_TUNING_SEED
    return f"{name} #{trial.seed}" if again or (many and trial.purpose == "measure") else name


def _short(value: Any) -> str:
    """Return an option's value with three digits; a class or another object that a user gave by its name."""
    if isinstance(value, tuple | list):
        return f"({', '.join(map(_short, value))})"
    if isinstance(value, float):
        return f"{value:.3g}"
    return str(getattr(value, "__name__", None) or written(value))


def result(trial: Trial, outcome: Outcome, last: float) -> str:
    """Return how a trial ended, in words; `last` is its last validation metric."""
    if trial.purpose == "tune":
        return f"validation {measured(trial, last)}"
    return f"test {figures(trial, outcome.test_loss, outcome.test_metric)}"


def figures(trial: Trial, loss: float, metric: float) -> str:
    """Return both figures, or one, where the loss is the metric."""
    words = f"loss {LOSS(loss)}"
    return words if trial.protocol.metric.is_loss else f"{words}, {measured(trial, metric)}"


def measured(trial: Trial, value: float) -> str:
    """Return the task's metric with its name: "accuracy 98.02 %"."""
    judged = trial.protocol.metric
    return f"{judged.title} {Written(judged).value(value)}"
