"""The metric of a user's task: by name, a function, an object that collects, or a list of which the first judges.

Where none is given, a loss of the user's own judges, and accuracy judges beside cross-entropy. Every metric has a
direction: it says so itself, or the user does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch.nn import functional

from surefoot.errors import UsageError, kind_of, one_line, unknown
from surefoot.store.protocol import LOSS, Better, Metric
from surefoot.tasks.metrics import Measure, is_of_whole, understood
from surefoot.tasks.models.parts import accuracy
from surefoot.values import is_number, name_of


def read_metric(metric: Any, better: Better | None, loss: Measure | None) -> tuple[Any, Metric, dict[str, Any]]:
    """Return the function that judges, None where it is the loss; what it measures; and further metrics by name.

    Args:
        metric: what the user gave: a name, a function, an object that collects, a list of these, or None.
        better: direction that the user gave.
        loss: the user's loss, if they have one.

    Raises:
        UsageError: something that is no metric, or one without a direction.
    """
    first, *others = _several(metric)
    score, judges = _judging(first, better, loss)
    return score, judges, _by_name(others, judges)


def _several(metric: Any) -> list[Any]:
    """Return the metrics that were given, of which the first judges."""
    if not isinstance(metric, list | tuple):
        return [_checked(metric)]
    if not metric:
        raise UsageError("metric is an empty list; give metrics, of which the first judges, or leave it out.")
    return [_checked(one) for one in metric]


def _checked(metric: Any) -> Any:
    """Return a metric as it is used; `UsageError` for what is none."""
    if isinstance(metric, type):
        raise UsageError(f"metric is the class {metric.__name__}; give an object, such as {metric.__name__}().")
    if not isinstance(metric, str | None) and not callable(metric) and not is_of_whole(metric):
        raise UsageError(f"metric is {kind_of(metric)}; give a function of outputs and targets, or a name.")
    return understood(metric)


def _by_name(others: Sequence[Any], judges: Metric) -> dict[str, Any]:
    """Return the further metrics by their names. Each needs a column of its own, beside the one that judges."""
    named: dict[str, Any] = {}
    titles = {judges.title}
    for one in others:
        if isinstance(one, str) and one != "accuracy":
            raise UsageError(
                f"a further metric is {one!r}; give a function, an object or 'accuracy'; the loss is shown."
            )
        name = one if isinstance(one, str) else _title(one)
        title = Metric(name).title
        if title in titles:
            raise UsageError(
                f"two metrics are called {title!r}; leave one out, or name it anew, as in "
                "metric.__name__ = 'another name'."
            )
        titles.add(title)
        named[name] = accuracy if isinstance(one, str) else one
    return named


def _judging(metric: Any, better: Better | None, loss: Measure | None) -> tuple[Any, Metric]:
    """Return the metric and its function, None where it is the loss."""
    if metric is None:
        metric = "loss" if loss is not None and loss is not functional.cross_entropy else "accuracy"
    if isinstance(metric, str):  # asked first: an object of the user's may say that it equals anything
        return _named_metric(metric, better)
    better = better or _its_better(metric)
    if better not in ("max", "min"):
        raise UsageError(
            f"metric {title_of(metric)} has no direction (better={better!r}); give better='max' if larger is better, "
            "better='min' if smaller."
        )
    return metric, Metric(_title(metric), better, share=False)


def _title(metric: Any) -> str:
    """Return what a metric of the user's is called in tables."""
    return one_line("a metric's name", title_of(metric).replace("_", " "))


def _named_metric(name: str, better: Better | None) -> tuple[Measure | None, Metric]:
    known = {"loss": (None, LOSS), "accuracy": (accuracy, Metric())}
    if name not in known:
        raise unknown("metric", name, known)
    judged = known[name][1]
    if better not in (None, judged.better):
        raise UsageError(
            f"better={better!r} is for a metric of yours, and the optimizers are judged by their {name}, of which the "
            f"{'larger' if judged.better == 'max' else 'smaller'} is better; give metric= too, or leave better= out."
        )
    return known[name]


def _its_better(metric: Any) -> Better | None:
    """Return the better direction that a torchmetrics metric states."""
    told: dict[Any, Better] = {True: "max", False: "min"}
    says = getattr(metric, "higher_is_better", None)
    return told[says] if isinstance(says, bool) else None


def own_chance(score: Any) -> float | None:
    """Return the score of guessing that a metric states in its attribute `chance`."""
    found = getattr(getattr(score, "function", score), "chance", None)
    return float(found) if is_number(found) else None


def title_of(function: Any) -> str:
    """Return what a function or a class of an object is called, as people read it: `lambda` without brackets."""
    return name_of(function).strip("<>")
