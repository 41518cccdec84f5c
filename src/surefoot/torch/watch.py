"""What the tables of a step were made from: parameters, gradients, states and step counts, compared in every step.

A tensor may be given other memory, another shape or sign at any time, a state other tensors; a kernel that went on with
the old addresses would write into memory that is no longer theirs. Tensors are looked at in columns, a property at a
time: a training of small tensors spends most of its step on this, and a loop in C is four times as fast as one here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import attrgetter, is_
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

_LOOKS: tuple[Callable[[Tensor], Any], ...] = (
    type,
    attrgetter("dtype"),
    Tensor.numel,
    Tensor.stride,
    Tensor.is_neg,
    Tensor.is_conj,
)
_grad, _layout, _version = attrgetter("grad"), attrgetter("layout"), attrgetter("_version")


def _addresses(tensors: list[Tensor]) -> list[int]:
    return [*map(Tensor.data_ptr, tensors)]


class Watch:
    """The parameters that kernels step, in order."""

    def __init__(self) -> None:
        self.params: list[Tensor] = []
        self.gradients: list[int] = []
        """Where the gradients lay in the last step."""
        self._kept: list[tuple[dict[str, Any], str, Tensor]] = []
        self._steps: list[tuple[Tensor, int]] = []
        self._counters: list[NDArray[Any]] = []
        self._on_host: list[Tensor] = []
        self._counted: list[Tensor] = []
        self._looks: list[list[Any]] = [[] for _ in _LOOKS]
        self._states: list[int] = []
        self._tensors: list[Tensor] = []
        self._addresses: list[int] = []
        self._taken = 0

    def add(self, p: Tensor, grad: Tensor, own: dict[str, Any], names: Mapping[str, str], *, counted: bool) -> None:
        """Watch a parameter: `own` is its state, `names` what the slots in use are called there.

        Its step count is `counted` on the device, or on the CPU.
        """
        self.params.append(p)
        self.gradients.append(grad.data_ptr())
        self._kept += [(own, name, own[name]) for name in (*names.values(), "step")]
        self._steps.append((own["step"], own["step"]._version))
        if counted:
            self._counted.append(own["step"])
        else:
            self._on_host.append(own["step"])
            self._counters.append(own["step"].numpy())
        for column, look in zip(self._looks, _LOOKS, strict=True):
            column += [look(p), look(grad)]

    def start(self, state: Mapping[Tensor, Any]) -> None:
        """Begin to watch what has been added; `state` is the optimizer's."""
        self._states = [*map(id, state.values())]
        self._tensors = [x for _, _, x in self._kept]
        self._addresses = _addresses([*self.params, *self._tensors])

    def gradients_now(self, state: Mapping[Tensor, Any]) -> list[int] | None:
        """Return where the gradients lie now; None if anything else is not as it was."""
        grads = [*map(_grad, self.params)]
        if any(g is None or g.layout is not torch.strided for g in grads):
            return None
        pairs = [x for pair in zip(self.params, grads, strict=True) for x in pair]
        if any([*map(look, pairs)] != column for column, look in zip(self._looks, _LOOKS, strict=True)):
            return None
        if not self._same_state(state):
            return None
        return _addresses(grads)

    def _same_state(self, state: Mapping[Tensor, Any]) -> bool:
        """Tell whether the states are those that were, with the same tensors in the same memory, and nobody counted."""
        if [*map(id, state.values())] != self._states:
            return False
        if not all(map(is_, [own.get(name) for own, name, _ in self._kept], self._tensors)):
            return False
        if any(step._version != version + self._taken for step, version in self._steps):
            return False
        return _addresses([*self.params, *self._tensors]) == self._addresses

    def count(self, advance: Any) -> None:
        """Add one to every step count: torch takes two microseconds for each on the CPU, this a twentieth of one.

        Args:
            advance: is added on the device: a number or a tensor of one.
        """
        for counter in self._counters:
            counter[()] = counter.item() + 1
        if self._counted:  # of a tensor that is not in a list, torch would read the number
            torch._foreach_add_(self._counted, [advance] * len(self._counted) if torch.is_tensor(advance) else advance)
        torch.autograd.graph.increment_version(self._on_host)
        self._taken += 1
