"""The protocol: everything besides the optimizer and the seed that decides the numbers of a trial.

What stands at its oldest value is left out of the content, so that results from before an option existed still count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

from surefoot.store.metric import Metric

VERSION = 1
"""Raised when the training loop changes in a way that changes its numbers."""

Order = Literal["shuffled", "frozen"]
"""Whether every epoch has an order of its own, or all have that of the first."""

Schedule = Literal["constant", "cosine", "warmup-cosine"]

LATER: dict[str, Any] = {
    "dataset": "",
    "schedule": "constant",
    "drop_last": False,
    "order": "shuffled",
    "metric": Metric().to_json(),
    "fingerprint": "",
    "chance": None,
}
"""Options with the values at which they are left out."""

UNTOLD: dict[str, Any] = {
    "task": "",
    "device": "",
    **dict.fromkeys(("epochs", "batch_size", "train_size", "validation_size", "test_size"), 0),
}
"""What is read where the oldest stores do not tell."""

NOTED = frozenset({"chance"})
"""What a protocol notes for readers and what decides no number: the metric of guessing."""


@dataclass(frozen=True)
class Protocol:
    """How every trial of a study is trained.

    `epochs` counts passes over the `train_size` training examples, taken in batches of `batch_size`; with `drop_last`
    an incomplete last batch is left out. `schedule` is followed by every optimizer's learning rate alike. `chance` is
    the task's, for readers: it decides nothing.
    """

    task: str
    dataset: str
    epochs: int
    batch_size: int
    train_size: int
    validation_size: int
    test_size: int
    device: str
    schedule: Schedule = "constant"
    drop_last: bool = False
    order: Order = "shuffled"
    metric: Metric = field(default_factory=Metric)
    fingerprint: str = ""
    chance: float | None = None

    @cached_property
    def content(self) -> dict[str, Any]:
        """The protocol as the store keeps it and as it enters a trial's key."""
        every = {"version": VERSION, **asdict(self), "metric": self.metric.to_json()}
        return {name: value for name, value in every.items() if name not in LATER or value != LATER[name]}

    @cached_property
    def decides(self) -> dict[str, Any]:
        """The content that decides the numbers of a trial: all but what is noted for readers."""
        return {name: value for name, value in self.content.items() if name not in NOTED}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Protocol:
        """The protocol of a content; what is left out stands at its oldest value."""
        known: dict[str, Any] = {**UNTOLD, **LATER, **content, "metric": Metric.from_json(content.get("metric", {}))}
        return cls(**{one.name: known[one.name] for one in fields(cls)})

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        return steps_per_epoch(self.content) or 0

    @property
    def steps(self) -> int:
        """Batches in a whole trial."""
        return self.epochs * self.steps_per_epoch


def steps_per_epoch(content: Mapping[str, Any]) -> int | None:
    """Batches in an epoch of a protocol's content; None where it does not tell."""
    size, batch = content.get("train_size"), content.get("batch_size")
    if not (isinstance(size, int) and isinstance(batch, int) and batch > 0):
        return None
    whole, rest = divmod(size, batch)
    return max(1, whole + (bool(rest) and not content.get("drop_last", False)))
