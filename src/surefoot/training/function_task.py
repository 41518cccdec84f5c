"""A user's training function as a task, for trainings that a model, data and a loss do not describe.

Its fingerprint is that of its code, with the functions and the data that it names, so that an edited function is
trained anew.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surefoot.arms.code_hash import digest
from surefoot.errors import Argument, UsageError, kind_of, one_line
from surefoot.store.protocol import LOSS, Better, Metric, read_better
from surefoot.values import name_of

if TYPE_CHECKING:
    from surefoot.training.training_run import TrainingRun

Train = Callable[["TrainingRun"], object]
"""A function that trains once, from start to end. Its return value is ignored."""

ARGUMENT = "run"
"""The name of a training function's only argument."""

SCORE = "score"


@dataclass(frozen=True)
class FunctionTask:
    """The task of a training function; see `Trainable` for its attributes."""

    name: str
    train: Train
    metric: Metric
    fingerprint: str
    dataset: str = ""
    chance: float | None = None


def is_training_function(thing: Any) -> bool:
    """Return whether it is a function whose only argument is called `run`; others may have defaults."""
    return _needed(thing) == [ARGUMENT]


def function_task(train: Any, *, better: Better | None, metric: Any = None, name: str = "") -> FunctionTask:
    """Return the task of a training function.

    Args:
        train: a function of one argument, a `TrainingRun`.
        better: whether a larger ("max") or a smaller ("min") value of what it reports is better.
        metric: what it reports is called; `score` by default, and `loss` where smaller is better.
        name: of the task; the function's by default.

    Raises:
        UsageError: no such function, no direction, or a metric that is no name.
    """
    if len(_needed(train)) != 1:
        raise UsageError(
            f"train is {train!r}; give a function of one argument, as in def train(run): ..., which trains once."
        )
    direction = read_better(better, "what the training reports")
    if metric is not None and not isinstance(metric, str):
        raise UsageError(
            f"metric is {kind_of(metric)}; a training function computes and reports its values itself, so "
            "give what they are called, such as metric='AUROC'."
        )
    own = name_of(train).strip("<>")
    measured = _metric(one_line(Argument("metric"), metric), direction)
    return FunctionTask(one_line(Argument("name"), name) or own, train, measured, digest(train))


def _needed(thing: Any) -> list[str]:
    """Return the arguments without a default; none for anything but a function."""
    if not callable(thing) or isinstance(thing, type):
        return []
    try:
        found = inspect.signature(thing).parameters.values()
    except ValueError:  # a built-in function that does not tell
        return []
    return [one.name for one in found if one.default is one.empty and one.kind is not one.VAR_KEYWORD]


def _metric(name: str, better: Better) -> Metric:
    """Return the metric. Without a name, a smaller-is-better metric is the loss itself."""
    if better == "min" and name in ("", LOSS.name):
        return LOSS
    return Metric(name or SCORE, better, share=False)
