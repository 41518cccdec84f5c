"""The interface of a task: all that a comparison knows about what is trained.

Everything else, the loop, the seeds, the clock and the checkpoints, is the same for every task. A task travels to
worker processes as a pickle, its arrays through memory that all share.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from surefoot.store.protocol import Metric

if TYPE_CHECKING:
    from torch import Tensor, nn


EVALUATION_BATCH = 500
"""Examples in an evaluation batch, unless a task has its own `evaluation_batch`."""


class Split(Protocol):
    """Examples of one part of the data, in a fixed order."""

    def __len__(self) -> int:
        """Return the number of examples."""
        ...

    def to(self, device: str) -> Split:
        """Return the same examples, whose batches lie on a device."""
        ...

    def batch(self, index: Tensor | slice) -> Any:
        """Return the examples at these places as one batch."""
        ...


@dataclass(frozen=True)
class Splits:
    """The data of a task: training examples, validation examples, and test examples for the end."""

    train: Split
    validation: Split
    test: Split


class Trainable(Protocol):
    """The facts of a task that a comparison needs, however it is trained.

    Attributes:
        name: its name.
        dataset: the name of its data; empty if it has none.
        metric: what it is judged by.
        fingerprint: a few characters that change when the task changes, so that old results are not taken for new
            ones; may be empty where the name says all.
        chance: the metric of guessing, None if unknown: a configuration that does not beat it has learned nothing.
    """

    @property
    def name(self) -> str: ...  # noqa: D102  see above
    @property
    def dataset(self) -> str: ...  # noqa: D102
    @property
    def metric(self) -> Metric: ...  # noqa: D102
    @property
    def fingerprint(self) -> str: ...  # noqa: D102
    @property
    def chance(self) -> float | None: ...  # noqa: D102


class Task(Trainable, Protocol):
    """A model to train, its data, its loss and its metric. `surefoot.task` makes one from a model and data.

    Write one of your own where that does not fit: any object with these attributes and methods, and those of
    `Trainable`, will do.
    """

    @property
    def data(self) -> Splits:
        """Examples for training, validation and test."""
        ...

    def make_model(self, seed: int) -> nn.Module:
        """Make the model with the initial weights of a seed: the same seed, the same weights."""
        ...

    def measure(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """Return a batch's mean loss, with its graph, and its mean metric."""
        ...


class Gauge(Protocol):
    """Collects the measurements of batches and computes the value of all."""

    def add(self, measured: Any, examples: int) -> None:
        """Take a batch of so many examples."""
        ...

    def value(self) -> float:
        """Return the metric of all batches so far."""
        ...


class Mean:
    """The mean of the metric over all examples, from its mean over each batch."""

    def __init__(self) -> None:
        self._sum, self._examples = 0.0, 0

    def add(self, measured: Tensor, examples: int) -> None:
        """Take the mean of a batch."""
        self._sum, self._examples = self._sum + measured.item() * examples, self._examples + examples

    def value(self) -> float:
        """Return the mean of all."""
        return self._sum / self._examples


def begin(task: Task, model: nn.Module, batch: Any) -> tuple[Tensor, Any]:
    """Return the loss of a batch, and its metric or a function that computes it.

    A task with a method `begin` computes its metric when it is asked for it, so that the time of a training step does
    not hold that of the metric; any other has measured both.
    """
    begun: tuple[Tensor, Any] = getattr(task, "begin", task.measure)(model, batch)
    return begun


def batches(split: Split, places: Sequence[Tensor | slice], seed: Sequence[int]) -> Iterator[Any]:
    """Yield the batches at these places. Randomness in examples depends on the seed alone.

    A split may have a method `batches` for that, as one has whose examples are loaded ahead or made at random.
    """
    loads = getattr(split, "batches", None)
    return loads(places, seed) if loads else map(split.batch, places)


def gauge(task: Task) -> Gauge:
    """Return the gauge of a split's metric: the mean, unless a task has a method `gauge`."""
    made: Gauge = getattr(task, "gauge", Mean)()
    return made
