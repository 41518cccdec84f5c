"""What a task is judged by: a metric, which way is better, how it is written, and its one form as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

Better = Literal["max", "min"]
"""Whether the larger or the smaller value of a metric is the better one."""


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
        """The name as people read it; a metric of the user's that has the name of the loss is told from it."""
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
