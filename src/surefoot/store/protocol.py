"""The protocol: everything besides the optimizer and the seed that decides the numbers of a trial.

What stands at its oldest value is left out of the content, so that results from before an option existed still count.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Literal

from surefoot.store.records import Metric

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

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch."""
        whole, rest = divmod(self.train_size, self.batch_size)
        return max(1, whole) if self.drop_last else whole + bool(rest)

    @property
    def steps(self) -> int:
        """Batches in a whole trial."""
        return self.epochs * self.steps_per_epoch
