"""A task of ours: a module with `make_model` and `measure`, named and not imported, and data that needs no framework.

So a study is planned without loading torch; the module is imported by the process that trains.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Any

from surefoot.store.protocol import Metric
from surefoot.tasks.task import Splits

if TYPE_CHECKING:
    from torch import Tensor, nn


@dataclass(frozen=True)
class BuiltIn:
    """A built-in task; see `Task` for its attributes.

    `module` is the full name of a module with the functions `make_model(seed)` and `measure(model, batch)`.
    """

    name: str
    module: str
    dataset: str
    data: Splits
    metric: Metric = field(default_factory=Metric)
    chance: float | None = None
    fingerprint: str = ""

    def make_model(self, seed: int) -> nn.Module:
        """The model with the initial weights of a seed."""
        model: nn.Module = import_module(self.module).make_model(seed)
        return model

    def measure(self, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
        """The mean loss and the mean metric of a batch."""
        measured: tuple[Tensor, Tensor] = import_module(self.module).measure(model, batch)
        return measured
