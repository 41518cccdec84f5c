"""The examination of a task: a batch of each part is measured once, before anything is trained.

So a mistake in the model, the data, the loss or the metric is one clear message, and not a failed trial of every
optimizer. What was seen on the way is the task's fingerprint.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from math import isclose, isnan, nan
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from surefoot.errors import SurefootWarning, UsageError
from surefoot.store.protocol import Metric
from surefoot.tasks.fingerprint import Fingerprint
from surefoot.tasks.seeds import seeded
from surefoot.tasks.task import EVALUATION_BATCH, Gauge, Mean, Split, Task, begin, gauge

BATCH = 64
"""Examples in the batch of a try-out. The fingerprint must not depend on the user's batch size."""

OUT_OF_BOUNDS = re.compile(r"Target -?\d+ is out of bounds")
"""What torch's cross-entropy says of a class that the model has no output for."""

LISTS = (
    " A list of numbers in an example becomes a list of tensors, one for each place: give inputs and targets as "
    "tensors or arrays."
)

TOO_FEW_OUTPUTS = (
    " Cross-entropy, the default, needs an output for each class, which are counted from 0: give the model as many, or "
    "a loss for one output, such as binary cross-entropy."
)


def examine(task: Task) -> str:
    """Measure a batch of each part without changing anything, and return the task's fingerprint.

    Raises:
        UsageError: the model, the data, the loss or the metric cannot be used; the message says why.
    """
    model, other = _made(task, 0), _made(task, 1)
    if model is other or {id(p) for p in model.parameters()} & {id(p) for p in other.parameters()}:
        raise UsageError(
            "the model factory returns the same weights twice, so one trial would go on where another stopped; make "
            "the model inside the function."
        )
    _warn_if_alike(model, other)
    model.train()
    loss, metric = _measured(task, model, task.data.train, "training")
    if not loss.requires_grad:
        raise UsageError(
            f"task {task.name}: its loss has no graph, so nothing can be learned; compute it from the outputs."
        )
    _check_gradient(task, model, loss)
    changed = _transformed(task, model)
    seen = Fingerprint()
    seen.add_text(f"{task.metric} {loss.item():.4g} {metric:.4g}{changed}")
    seen.add_model(model)
    for split in (task.data.train, task.data.validation, task.data.test):
        seen.add_split(split)
    seen.add_text(_evaluated(task))
    seen.add_text(", ".join(getattr(task, "others", ())))
    _check_evaluation(task, model, metric)
    return seen.text


def _transformed(task: Task, model: nn.Module) -> str:
    """Return the loss of a training batch after the user's transform, if it has one."""
    transform = getattr(task, "transform", None)
    if transform is None:
        return ""
    try:
        with seeded(0):
            loss, _ = begin(task, model, transform(task.data.train.batch(slice(0, min(BATCH, len(task.data.train))))))
    except Exception as error:
        raise UsageError(
            f"task {task.name}: its transform, or the loss of what it returns, raises {type(error).__name__}: {error}; "
            "it gets a batch as the data gives it, and has to return one that the model and the loss take."
        ) from error
    _check_number(task, loss, "loss after the transform")
    _check_gradient(task, model, loss)
    return f" {loss.item():.4g} transformed"


def _made(task: Task, seed: int) -> nn.Module:
    try:
        model = task.make_model(seed)
    except Exception as error:
        raise UsageError(
            f"task {task.name}: its model factory raises {type(error).__name__}: {error}; it is called without "
            "arguments and has to return a torch module."
        ) from error
    if not isinstance(model, nn.Module):
        raise UsageError(
            f"task {task.name}: its model factory returns {type(model).__name__}; expected a torch module."
        )
    if not any(p.requires_grad for p in model.parameters()):
        raise UsageError(f"task {task.name}: its model has no parameter that is trained.")
    return model


def _warn_if_alike(one: nn.Module, other: nn.Module) -> None:
    """Warn if no seed changes the initial model, unless it is all constants."""
    pairs = [pair for pair in zip(one.parameters(), other.parameters(), strict=False) if not any(map(is_lazy, pair))]
    if all(torch.equal(*pair) for pair in pairs) and any((p != p.flatten()[0]).any() for p, _ in pairs if p.numel()):
        warnings.warn(
            "the model factory makes the same initial weights for every seed, so that seeds differ in their batches "
            "only and optimizers look more certain than they are. If it sets a seed (torch.manual_seed), take that "
            "out; weights that are loaded on purpose may stay.",
            SurefootWarning,
            stacklevel=4,
        )


def _measured(task: Task, model: nn.Module, split: Split, part: str) -> tuple[Tensor, float]:
    """Return the loss of a part's first batch, checked to be a number, and its metric."""
    try:
        with seeded(0):
            loss, measured = _of_batch(task, model, split, 0)
            _check_number(task, loss, "loss")
            found = gauge(task)
            if isinstance(found, Mean):
                _check_number(task, measured, "metric")
            found.add(measured, 1)
            metric = _value(task, model, split, found)
    except UsageError as error:
        said = str(error)
        whose = f"task {task.name}"
        raise UsageError(said if said.startswith(whose) else f"{whose}, {part} data: {said}") from error
    except Exception as error:
        said = str(error).rstrip(".")
        raise UsageError(
            f"task {task.name} raises {type(error).__name__} on its first batch of {part} data: {said}; the "
            "model gets the inputs, the loss and the metric get its outputs and the targets."
            f"{TOO_FEW_OUTPUTS if OUT_OF_BOUNDS.search(str(error)) else LISTS if _has_lists(split) else ''}"
        ) from error
    if not torch.isfinite(loss):
        raise UsageError(
            f"task {task.name}: its loss on the {part} data is {loss.item()} before any training; check the data and "
            "the loss."
        )
    return loss, metric


def _has_lists(split: Split) -> bool:
    """Return whether a batch has a list of tensors, as lists of numbers in an example become."""
    with suppress(Exception):
        batch = split.batch(slice(0, 1))
        return any(isinstance(part, list) for part in (batch.values() if isinstance(batch, Mapping) else batch))
    return False


def _of_batch(task: Task, model: nn.Module, split: Split, start: int, end: int | None = None) -> tuple[Tensor, Any]:
    """Return the loss of a batch and what its gauge takes."""
    loss, metric = begin(task, model, split.batch(slice(start, min(end or start + BATCH, len(split)))))
    return loss, metric() if callable(metric) else metric


def _value(task: Task, model: nn.Module, split: Split, found: Gauge) -> float:
    """Return the metric of the first batch. Where it has none (F1 of one class), take more batches."""
    for start in range(BATCH, len(split), BATCH):
        with suppress(Exception):
            return found.value()
        with torch.no_grad():
            found.add(_of_batch(task, model, split, start)[1], 1)
    return found.value()


def _check_number(task: Task, value: Any, what: str) -> None:
    """Raise `UsageError` for what a user's function returns that is not one number."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise UsageError(f"task {task.name}: its {what} is {got}; expected one number, the mean over the batch.")


def _evaluated(task: Task) -> str:
    """Return the size of evaluation batches in words, where a user's metric may depend on it."""
    size = getattr(task, "evaluation_batch", EVALUATION_BATCH)
    own = not task.metric.is_loss and task.metric != Metric() and isinstance(gauge(task), Mean)
    return f"evaluated {size} at a time" if own and size != EVALUATION_BATCH else ""


def _check_gradient(task: Task, model: nn.Module, loss: Tensor) -> None:
    """Raise `UsageError` for a loss that no weight changes: no optimizer could learn from it."""
    trained = [p for p in model.parameters() if p.requires_grad]
    try:
        slopes = torch.autograd.grad(loss, trained, allow_unused=True)
    except RuntimeError as error:
        raise UsageError(f"task {task.name}: backward() of its loss raises {type(error).__name__}: {error}") from error
    if not any(slope is not None and slope.any() for slope in slopes):
        raise UsageError(
            f"task {task.name}: its loss, {loss.item():.4g}, has a gradient of zero for every weight, so nothing can "
            "be learned. Cross-entropy, the default, of a model with one output is always 0: give such a model a loss, "
            "such as binary cross-entropy, or an output for each class."
        )


def _check_evaluation(task: Task, model: nn.Module, training_metric: float) -> None:
    """Measure a batch of the other parts, to find mistakes before training."""
    model.eval()
    with torch.no_grad():
        validation_metric = _measured(task, model, task.data.validation, "validation")[1]
        test_metric = _measured(task, model, task.data.test, "test")[1]
        _warn_of_no_mean(task, model)
    if all(isnan(metric) for metric in (training_metric, validation_metric, test_metric)):
        warnings.warn(
            f"task {task.name}: its metric, {task.metric.title}, is nan on a batch of each part before any training; "
            "where it still is at the end of a trial, that counts as diverged. See what it divides by.",
            SurefootWarning,
            stacklevel=4,
        )


def _warn_of_no_mean(task: Task, model: nn.Module) -> None:
    """Warn if a metric is no mean: two half batches do not average to the whole."""
    if task.metric.is_loss or task.metric == Metric() or not isinstance(gauge(task), Mean):
        return
    for split in (task.data.validation, task.data.test):
        size = min(BATCH, len(split))
        half = size // 2
        if not half:
            continue
        of_all, one, other = (_metric_of(task, model, split, *part) for part in ((0, size), (0, half), (half, size)))
        mean = (one * half + other * (size - half)) / size
        if not isnan(of_all) and not isclose(of_all, mean, rel_tol=1e-3, abs_tol=1e-6):
            warnings.warn(
                f"task {task.name}: its metric, {task.metric.title}, is no mean over examples: it is {of_all:.4g} on "
                f"{size} of them, and {one:.4g} and {other:.4g} on their halves. So its mean over batches is another "
                "number than its value on all, and depends on the batch size. For the latter give "
                "metric=surefoot.whole(function), or an object with update, compute and reset.",
                SurefootWarning,
                stacklevel=5,
            )
            return


def _metric_of(task: Task, model: nn.Module, split: Split, start: int, end: int) -> float:
    """Return the metric of some examples, or nan where they have none."""
    try:
        with seeded(0):
            return float(_of_batch(task, model, split, start, end)[1])
    except Exception:
        return nan
