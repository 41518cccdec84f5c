"""The protocol: everything besides the optimizer and the seed that decides the numbers of a trial, and the metric.

What stands at its oldest value is left out of the content, so that results from before an option existed still count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cached_property
from typing import Any, Literal

VERSION = 1
"""Raised when the training loop changes in a way that changes its numbers."""

Better = Literal["max", "min"]
"""Whether the larger or the smaller value of a metric is the better one."""

Order = Literal["shuffled", "frozen"]
"""Whether every epoch has an order of its own, or all have that of the first."""

Schedule = Literal["constant", "cosine", "warmup-cosine"]


@dataclass(frozen=True)
class Metric:
    """What a task is judged by, besides its loss: its name, which way is better, and how it is written.

    A `share` is a fraction from 0 to 1 that people read in per cent, such as an accuracy. `is_loss` says that it is the
    loss itself, which then need not be shown twice; a metric of the user's may have the same name.
    """

    name: str = "accuracy"
    better: Better = "max"
    share: bool = True
    is_loss: bool = False

    @property
    def sign(self) -> int:
        """1 if larger is better, else -1: a value times its sign is better when it is larger."""
        return 1 if self.better == "max" else -1

    @property
    def title(self) -> str:
        """The name as people read it; `metric loss` for a user's metric of that name."""
        return f"metric {self.name}" if self.name == LOSS.name and not self.is_loss else self.name

    def to_json(self) -> dict[str, Any]:
        """The metric as the store keeps it; `is_loss` only where name and direction do not tell, as they always did."""
        found = asdict(self)
        return found if self.is_loss != _reads_as_loss(found) else {n: found[n] for n in ("name", "better", "share")}

    @classmethod
    def from_json(cls, found: Mapping[str, Any]) -> Metric:
        """The metric that `to_json` wrote; accuracy where nothing was."""
        return cls(**{"is_loss": _reads_as_loss(found), **found})


LOSS = Metric("loss", "min", share=False, is_loss=True)
"""The metric of a task that is judged by its loss."""


def _reads_as_loss(found: Mapping[str, Any]) -> bool:
    return all(found.get(name) == getattr(LOSS, name) for name in ("name", "better", "share"))


@dataclass(frozen=True)
class Protocol:
    """How every trial of a study is trained.

    `epochs` counts passes over the `train_size` training examples, taken in batches of `batch_size`; with `drop_last`
    an incomplete last batch is left out. `schedule` is followed by every optimizer's learning rate alike. `chance` is
    the metric of guessing, for readers: it decides nothing. With an `own_loop` a function of the user's trains, whose
    epochs have no sizes that are known. The defaults are what older stores leave out: options
    that came later, and sizes that are unknown.
    """

    task: str = ""
    dataset: str = ""
    epochs: int = 0
    batch_size: int = 0
    train_size: int = 0
    validation_size: int = 0
    test_size: int = 0
    device: str = ""
    schedule: Schedule = "constant"
    drop_last: bool = False
    order: Order = "shuffled"
    metric: Metric = field(default_factory=Metric)
    fingerprint: str = ""
    chance: float | None = None
    own_loop: bool = False

    @cached_property
    def content(self) -> dict[str, Any]:
        """The protocol as the store keeps it and as it enters a trial's key."""
        oldest = asdict(Protocol())
        kept = {name: value for name, value in asdict(self).items() if value != oldest[name]}
        return {"version": VERSION, **kept, **({"metric": self.metric.to_json()} if "metric" in kept else {})}

    @cached_property
    def decides(self) -> dict[str, Any]:
        """The content that decides the numbers of a trial: all but what is noted for readers."""
        return {name: value for name, value in self.content.items() if name != "chance"}

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Protocol:
        """The protocol of a content; what is left out stands at its oldest value."""
        known = {one.name: content[one.name] for one in fields(cls) if one.name in content}
        return cls(**{**known, "metric": Metric.from_json(content.get("metric", {}))})

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; 0 where the sizes are unknown."""
        if self.batch_size < 1 or self.train_size < 1:
            return 0
        whole, rest = divmod(self.train_size, self.batch_size)
        return max(1, whole + (bool(rest) and not self.drop_last))

    @property
    def steps(self) -> int:
        """Batches in a whole trial."""
        return self.epochs * self.steps_per_epoch
