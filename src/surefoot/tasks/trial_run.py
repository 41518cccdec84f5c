"""Try a task out on one batch: what is wrong with it is told at once, and what it does is its fingerprint."""

from __future__ import annotations

import hashlib
from typing import Any

import torch
from torch import Tensor, nn

from surefoot.errors import UsageError
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.seeds import seeded
from surefoot.tasks.task import Split, Task

BATCH = 64
"""Examples in the batch; not the user's batch size, of which the fingerprint is not to depend."""

PEEK = 8
"""How many examples at either end stand for a data set that is not made of arrays."""


def examine(task: Task) -> str:
    """Train on one batch without changing anything, and return the task's fingerprint.

    Raises:
        UsageError: the model, the data, the loss or the metric cannot be used; the message says why.
    """
    model, other = _made(task, 0), _made(task, 1)
    _check_apart(model, other)
    loss, metric = _measured(task, model)
    seen = hashlib.sha256(f"{task.metric} {loss:.4g} {metric:.4g}".encode())
    for tensor in model.state_dict().values():
        if isinstance(tensor, Tensor):
            seen.update(_bytes(tensor))
    for split in (task.data.train, task.data.validation, task.data.test):
        _add(seen, split)
    return seen.hexdigest()[:16]


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


def _check_apart(one: nn.Module, other: nn.Module) -> None:
    shared = {id(p) for p in one.parameters()} & {id(p) for p in other.parameters()}
    if shared or one is other:
        raise UsageError(
            "the model factory returns the same weights twice, so one trial would go on where another stopped; make "
            "the model inside the function."
        )


def _measured(task: Task, model: nn.Module) -> tuple[float, float]:
    train = task.data.train
    model.train()
    try:
        with seeded(0):
            loss, metric = task.measure(model, train.batch(slice(0, min(BATCH, len(train)))))
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"task {task.name} raises {type(error).__name__} on its first batch: {error}; the model gets the inputs, "
            "the loss and the metric get its outputs and the targets."
        ) from error
    return _checked_loss(loss, task.name), _number(metric, "metric", task.name)


def _checked_loss(loss: Any, name: str) -> float:
    value = _number(loss, "loss", name)
    if not loss.requires_grad:
        raise UsageError(f"task {name}: its loss has no graph, so nothing can be learned; compute it from the outputs.")
    if not torch.isfinite(loss):
        raise UsageError(f"task {name}: its loss is {value} before any training; check the data and the loss.")
    return value


def _number(value: Any, what: str, name: str) -> float:
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"a {type(value).__name__}"
        raise UsageError(f"task {name}: its {what} is {got}; expected one number, the mean over the batch.")
    return float(value.detach())


def _add(seen: Any, split: Split) -> None:
    seen.update(str(len(split)).encode())
    if isinstance(split, Arrays):
        for array in split.arrays:
            seen.update(f"{array.dtype}{array.shape}".encode() + array.tobytes())
        return
    ends = [slice(0, min(PEEK, len(split))), slice(max(0, len(split) - PEEK), len(split))]
    with seeded(0):
        for batch in [split.batch(end) for end in ends]:
            _add_batch(seen, batch)


def _add_batch(seen: Any, batch: Any) -> None:
    if isinstance(batch, Tensor):
        seen.update(_bytes(batch))
    elif isinstance(batch, dict):
        _add_batch(seen, list(batch.values()))
    elif isinstance(batch, tuple | list):
        for part in batch:
            _add_batch(seen, part)


def _bytes(tensor: Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes()
