"""Metrics of a split: the mean of its batches, or a value of the split as a whole.

A mean over batches is what a loss is. F1, AUROC, perplexity and the like are none: their values on parts do not average
to that of the whole. Such a metric is a function of all outputs and targets (`whole`), or an object that collects
batches, with `update`, `compute` and `reset` as torchmetrics has them.
"""

from __future__ import annotations

import copy
import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from surefoot.errors import UsageError
from surefoot.tasks.task import Gauge, Mean
from surefoot.values import name_of

Measure = Callable[[Any, Any], Tensor]
"""A loss or a metric of a batch: a number from outputs and targets, the mean over the batch."""

TARGETS_FIRST = "y_true"
"""Names of a metric's first argument that mean targets first, as in scikit-learn."""


class Whole:
    """A metric of all outputs and targets of a split; see `whole`."""

    def __init__(self, function: Callable[[Any, Any], Any]) -> None:
        self.function = function
        self.__name__ = name_of(function)
        self._targets_first = _first_argument(function) == TARGETS_FIRST

    def __call__(self, outputs: Any, targets: Any) -> float:
        """The value of these outputs and targets."""
        value = self.function(targets, outputs) if self._targets_first else self.function(outputs, targets)
        return _number(value, self.__name__)


class KeptOutputs:
    """Keeps all outputs and targets of a split for a `Whole`, on the CPU."""

    def __init__(self, metric: Whole) -> None:
        self._metric = metric
        self._batches: list[tuple[Any, Any]] = []

    def add(self, measured: tuple[Any, Any], examples: int) -> None:  # noqa: ARG002
        """Take the outputs and the targets of a batch."""
        self._batches.append((_kept(measured[0]), _kept(measured[1])))

    def value(self) -> float:
        """Return the metric of all outputs and targets."""
        outputs, targets = zip(*self._batches, strict=True)
        return self._metric(_joined(outputs), _joined(targets))


class Collected:
    """Gives every batch to an object that collects them, a copy of the user's."""

    def __init__(self, metric: Any) -> None:
        self._metric, self._name = copy.deepcopy(metric), type(metric).__name__
        self._metric.reset()

    def add(self, measured: tuple[Any, Any], examples: int) -> None:  # noqa: ARG002
        """Give it the outputs and the targets of a batch."""
        outputs, targets = measured
        if isinstance(outputs, Tensor) and callable(move := getattr(self._metric, "to", None)):
            self._metric = move(outputs.device)
        self._metric.update(outputs, targets)

    def value(self) -> float:
        """Return the metric of all batches."""
        return _number(self._metric.compute(), self._name)


class First:
    """Several metrics of the same outputs and targets, of which the first judges.

    Args:
        first: what takes the batches for the metric that judges.
        others: further metrics by their names.
    """

    def __init__(self, first: Gauge, others: Mapping[str, Any]) -> None:
        self._first = first
        self._others = {name: (metric, gauge_of(metric)) for name, metric in others.items()}

    def add(self, measured: tuple[Any, Any, Any], examples: int) -> None:
        """Take what the first gauge takes of a batch, and its outputs and targets."""
        judged, outputs, targets = measured
        self._first.add(judged, examples)
        with torch.no_grad():
            for metric, found in self._others.values():
                pair = outputs, targets
                found.add(pair if is_of_whole(metric) else torch.as_tensor(metric(*pair)), examples)

    def value(self) -> float:
        """Return the metric that judges."""
        return self._first.value()

    def others(self) -> dict[str, float]:
        """Return the further metrics by their names; not a number where there is none of these examples."""
        return {name: or_nan(found) for name, (_, found) in self._others.items()}


def or_nan(found: Gauge) -> float:
    """Return the metric of a part that is only shown; NaN where it is undefined."""
    try:
        return found.value()
    except Exception:  # whatever it is, such as F1 of one class: what judges was tried before
        return math.nan


def whole(function: Callable[[Any, Any], Any]) -> Whole:
    """Make a metric of a whole split, such as F1 or AUROC.

    All outputs of a split are kept in memory for it. Where they do not fit give an object with `update`, `compute` and
    `reset`, such as one of torchmetrics.

    Args:
        function: of outputs and targets, tensors on the CPU with the examples of all batches. One whose first argument
            is called `y_true`, as scikit-learn's, gets the targets first.

    Raises:
        UsageError: something that cannot be called.

    Example:
        >>> surefoot.task(model=net, data=data, metric=surefoot.whole(roc_auc_score), better="max")
    """
    if not callable(function):
        raise UsageError(f"whole() takes a function of all outputs and targets, and was given {function!r}.")
    return Whole(function)


def understood(metric: Any) -> Any:
    """Return a metric. One of scikit-learn's, with `y_true` first, becomes one of a whole split."""
    plain = callable(metric) and not is_of_whole(metric)
    return Whole(metric) if plain and _first_argument(metric) == TARGETS_FIRST else metric


def is_of_whole(metric: Any) -> bool:
    """Return whether a metric is one of a whole split, not a mean over batches."""
    return isinstance(metric, Whole) or all(callable(getattr(metric, name, None)) for name in _COLLECTS)


def gauge_of(metric: Any) -> Gauge:
    """Return what takes the batches of a split for a metric."""
    if isinstance(metric, Whole):
        return KeptOutputs(metric)
    return Collected(metric) if is_of_whole(metric) else Mean()


_COLLECTS = ("update", "compute", "reset")


def _first_argument(function: Any) -> str:
    if not isinstance(function, FunctionType | partial):  # `inspect` would compare a user's object with others
        return ""
    return next(iter(inspect.signature(function).parameters), "")


def _number(value: Any, name: str) -> float:
    """Return a number of any library; `UsageError` for several."""
    if isinstance(value, Mapping):
        raise UsageError(
            f"the metric {name} computes {len(value)} values, {', '.join(map(str, value))}; give them as a list, "
            "metric=[...], of which the first judges."
        )
    tensor = torch.as_tensor(value, dtype=torch.float64)
    if tensor.numel() != 1:
        raise UsageError(f"the metric {name} is {tuple(tensor.shape)} numbers; it has to be one, such as their mean.")
    return float(tensor)


def _kept(part: Any) -> Any:
    """Return the tensors of a batch on the CPU without graph. Half precision becomes float32 for NumPy."""
    if isinstance(part, Tensor):
        found = part.detach().cpu()
        return found.float() if found.dtype in (torch.bfloat16, torch.float16) else found
    if isinstance(part, Mapping):
        return {name: _kept(one) for name, one in part.items()}
    return [_kept(one) for one in part] if isinstance(part, tuple | list) else part


def _joined(parts: tuple[Any, ...]) -> Any:
    """Return all batches as one."""
    first = parts[0]
    if isinstance(first, Tensor):
        return torch.cat(parts) if first.ndim else torch.stack(parts)
    if isinstance(first, Mapping):
        return {name: _joined(tuple(part[name] for part in parts)) for name in first}
    return [_joined(some) for some in zip(*parts, strict=True)] if isinstance(first, list) else list(parts)
