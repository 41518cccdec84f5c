"""The state of several optimizers as one mapping, which `torch.optim.Optimizer` expects as `state`.

Each child keeps its own, so that nothing is copied: what is read, set or deleted here is read, set or deleted there.
"""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from typing import Any

import torch
from torch import Tensor


class JointState(MutableMapping[Tensor, Any]):
    """The states of several optimizers, each asked for its own parameters."""

    def __init__(self, children: Sequence[torch.optim.Optimizer]) -> None:
        self._children = children

    def _of(self, p: Tensor) -> Any:
        for child in self._children:
            if any(p is own for group in child.param_groups for own in group["params"]):
                return child.state
        raise KeyError(p)

    def __getitem__(self, p: Tensor) -> Any:
        return self._of(p)[p]

    def __setitem__(self, p: Tensor, own: Any) -> None:
        self._of(p)[p] = own

    def __delitem__(self, p: Tensor) -> None:
        del self._of(p)[p]

    def __iter__(self) -> Iterator[Tensor]:
        return (p for child in self._children for p in child.state)

    def __len__(self) -> int:
        return sum(len(child.state) for child in self._children)

    def __contains__(self, p: object) -> bool:
        return any(p in child.state for child in self._children)
