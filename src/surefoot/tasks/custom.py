"""A task from a user's own model, data, loss and metric.

It is tried out once before anything is trained, on a batch of each part, so that a mistake is one clear message and not
a failed trial of every optimizer. What the try-out saw is also the task's fingerprint: the initial weights, the data,
the first loss. So a changed model is never taken for the old one, and one whose file was merely reformatted is.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from surefoot.errors import Argument, SurefootWarning, UsageError, kind_of, one_line
from surefoot.store.protocol import Better, Metric, Precision, Recipe
from surefoot.tasks.arrays import Arrays
from surefoot.tasks.examine import examine
from surefoot.tasks.examples import batch_size_of, cut, drops_last, split_of
from surefoot.tasks.fingerprint import is_random
from surefoot.tasks.metrics import First, Measure, Whole, gauge_of, is_of_whole
from surefoot.tasks.models.parts import accuracy
from surefoot.tasks.seeds import seeded
from surefoot.tasks.task import EVALUATION_BATCH, Gauge, Splits
from surefoot.tasks.user_metric import own_chance, read_metric, title_of

VALIDATION = 0.1
BATCH_SIZE = 64


@dataclass(frozen=True)
class CustomTask:
    """A user's own task; see `task` for its parts."""

    name: str
    model: Callable[[], nn.Module]
    data: Splits
    loss: Measure | None
    score: Any
    metric: Metric
    batch_size: int
    drop_last: bool = False
    recipe: Recipe = field(default_factory=Recipe)
    transform: Callable[[Any], Any] | None = None
    others: Mapping[str, Any] = field(default_factory=dict)
    evaluation_batch: int = EVALUATION_BATCH
    chance: float | None = None
    fingerprint: str = ""
    dataset: str = ""

    def make_model(self, seed: int) -> nn.Module:
        """Return the model that the factory makes when every random number comes from the seed."""
        with seeded(seed):
            return self.model()

    def measure(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """Return the loss and the metric of a batch."""
        loss, metric = self.begin(model, batch)
        found = metric() if callable(metric) else metric
        if not is_of_whole(self.score) and not self.others:
            return loss, found
        alone = self.gauge()
        alone.add(found, 1)
        return loss, torch.tensor(alone.value())

    def gauge(self) -> Gauge:
        """Return the gauge of a split's metric."""
        judges = gauge_of(self.score)
        return First(judges, self.others) if self.others else judges

    def begin(self, model: nn.Module, batch: Any) -> tuple[Tensor, Any]:
        """Return the loss of a batch, and what computes the metric from the same outputs, unless it is the loss.

        Of a metric of a whole split that gives the outputs and the targets, which a gauge takes.
        """
        outputs, targets = _forward(model, batch)
        if self.loss is not None:
            loss = self.loss(outputs, targets)
        elif hasattr(outputs, "loss"):
            loss = outputs.loss
        else:  # class numbers may be of any integer type
            loss = functional.cross_entropy(outputs, targets if targets.is_floating_point() else targets.long())
        taken = _pair if is_of_whole(self.score) else _scored
        judged = loss if self.score is None else partial(taken, self.score, outputs, targets)
        return loss, partial(_with_pair, judged, outputs, targets) if self.others else judged


def task(
    *,
    model: Callable[[], nn.Module],
    data: Any,
    loss: Measure | None = None,
    metric: Measure | Whole | Sequence[Any] | str | None = None,
    better: Better | None = None,
    name: str = "",
    batch_size: int | None = None,
    transform: Callable[[Any], Any] | None = None,
    clip: float | None = None,
    accumulate: int = 1,
    precision: Precision = "fp32",
    ema: float | None = None,
) -> CustomTask:
    """Make a task of your own model and data. It is tried out on a batch of each part.

    Args:
        model: makes the model: a function without arguments, called once for each seed. It should set no seed itself; a
            model whose initial weights are the same for every seed is warned of.
        data: `(train, test)` or `(train, validation, test)`; each a pair of tensors (inputs, targets), a map-style
            Dataset, a DataLoader, of which all but its order is used, or a `surefoot.stream`. Of a Dataset a hundred
            examples tell whether it has changed since its results were stored; of tensors all do. Without a validation
            part a tenth of the training examples is kept for it, at random, the same ones each time.
        loss: the mean loss of a batch from outputs and targets; cross-entropy by default, or the model's own where its
            outputs have a `loss`. Where a batch has more than two parts the model gets all but the last; where it is a
            dict the model gets it by keywords, and the loss gets it as targets.
        metric: the mean of what the optimizers are judged by, from outputs and targets of a batch; or `accuracy`, the
            default with cross-entropy, or `loss`, the default with any other. For a metric of a whole split, such as F1
            or AUROC, `surefoot.whole(function)`, one of scikit-learn's, or an object with `update`, `compute` and
            `reset`, such as one of torchmetrics. Its attribute `chance`, if it has one, is what guessing gets. Of a
            list the first judges, and the others are shown of the test data.
        better: whether a larger ("max") or a smaller ("min") value of a metric of yours is better. A metric of
            torchmetrics says so itself.
        name: the task's name; the factory's by default.
        batch_size: examples in a step; a DataLoader's own, or 64. One with `drop_last` leaves an incomplete last batch
            out. The smallest batch size of the other parts' DataLoaders evaluates, or 500.
        transform: what a training batch becomes, such as mixup, from a batch on the training device. Evaluations do not
            see it. The metric of a training epoch is then left out, as targets may be others.
        clip: the largest norm of all gradients together, in every step of every optimizer.
        accumulate: batches whose gradients make one step. They count by their examples, so that it is the gradient of
            one large batch.
        precision: of forward passes: `bf16` and `fp16` use torch.autocast, `fp16` a GradScaler too.
        ema: how much of a moving average of the weights each step keeps, such as 0.999. Every optimizer is evaluated
            with that average.

    Raises:
        UsageError: a factory that raises or returns no module or the same weights twice, data that cannot be used, a
            loss that is no finite number with a graph, a metric without direction, a step that cannot
            be.
    """
    if not callable(model) or isinstance(model, nn.Module):
        raise UsageError(
            f"model is {kind_of(model)}; give a function that makes the model, such as `lambda: Net()`: every "
            "trial starts from weights of its own."
        )
    if loss is not None and not callable(loss):
        raise UsageError(
            f"loss is {loss!r}; give a function of outputs and targets, such as torch.nn.functional.cross_entropy."
        )
    if isinstance(loss, type):
        raise UsageError(f"loss is the class {loss.__name__}; give an object, such as {loss.__name__}().")
    score, judged, others = read_metric(metric, better, loss)
    splits = _splits(data)
    made = CustomTask(
        name=one_line(Argument("name"), name) or title_of(model),
        model=model,
        data=splits,
        loss=loss,
        score=score,
        metric=judged,
        batch_size=batch_size or batch_size_of(data[0]) or BATCH_SIZE,
        drop_last=drops_last(data[0]),
        transform=transform,
        others=others,
        recipe=Recipe(clip, accumulate, precision, ema),
        evaluation_batch=min(filter(None, map(batch_size_of, data[1:])), default=EVALUATION_BATCH),
        chance=_largest_class(splits.test) if score is accuracy else own_chance(score),
    )
    return replace(made, fingerprint=examine(made))


@torch.no_grad()
def _scored(score: Measure, outputs: Any, targets: Any) -> Tensor:
    return torch.as_tensor(score(outputs, targets))


def _with_pair(judged: Any, outputs: Any, targets: Any) -> tuple[Any, Any, Any]:
    return judged() if callable(judged) else judged, outputs, targets


def _pair(_: Any, outputs: Any, targets: Any) -> tuple[Any, Any]:
    return outputs, targets


def _splits(data: Any) -> Splits:
    if not isinstance(data, tuple | list) or len(data) not in (2, 3):
        parts = f" of {len(data)} part{'' if len(data) == 1 else 's'}" if isinstance(data, tuple | list) else ""
        raise UsageError(f"data is {kind_of(data)}{parts}; give (train, test) or (train, validation, test).")
    if all(isinstance(part, Tensor | np.ndarray | list) for part in data) and any(map(_is_alone, data)):
        kind = "lists" if all(isinstance(part, list) for part in data) else "tensors or arrays"
        raise UsageError(
            f"data is {len(data)} {kind}, where each part needs inputs and targets of its own; give "
            "((train_inputs, train_targets), (test_inputs, test_targets)), tensors or arrays."
        )
    names = ("training", "test") if len(data) == 2 else ("training", "validation", "test")
    parts_ = [split_of(part, name) for part, name in zip(data, names, strict=True)]
    if len(parts_) == 3:
        return Splits(*parts_)
    if is_random(parts_[0]):
        warnings.warn(
            "the training examples are made with random numbers, as augmented ones are, and a tenth of them is kept "
            "for validation: that is augmented too. Give data=(train, validation, test) with a plain validation.",
            SurefootWarning,
            stacklevel=4,
        )
    return Splits(*cut(parts_[0], VALIDATION), parts_[1])


def _is_alone(part: Any) -> bool:
    """Return whether a part of the data is inputs or targets without the other."""
    return isinstance(part, Tensor | np.ndarray) or (bool(part) and isinstance(part[0], float | int))


def _forward(model: nn.Module, batch: Any) -> tuple[Any, Any]:
    """Return the model's outputs and the targets of a batch."""
    if isinstance(batch, Mapping):
        return model(**batch), batch
    if not isinstance(batch, tuple | list) or len(batch) < 2:
        raise UsageError(f"a batch is {kind_of(batch)}; expected (inputs, targets), or a dict.")
    return model(*batch[:-1]), batch[-1]


def _largest_class(test: Any) -> float | None:
    """Return the accuracy of guessing the most frequent class; None for other targets."""
    targets = test.arrays[-1] if isinstance(test, Arrays) else np.empty((0, 0))
    if targets.ndim != 1 or not np.issubdtype(targets.dtype, np.integer) or targets.min() < 0:
        return None
    return float(np.bincount(targets).max() / len(targets))
