"""The inputs of a step's tables: parameters, gradients, states and step counts, compared each step.

A tensor may be given other memory, another shape or sign at any time, a state other tensors, a step count another
number; a kernel that went on with the old addresses would write into memory that is no longer theirs. So each step
looks again at the identity of what is kept, at every tensor's properties (in one call of the guards that torch.compile
uses), at its address, and at the number of every step count where it lies.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any

from torch import Tensor
from torch._C._dynamo import guards

from surefoot.engines.jobs import Counts, Places, Same
from surefoot.engines.layout import addresses
from surefoot.torch.state import is_sharded

_LOOKS: tuple[Callable[[Tensor], Any], ...] = (
    type,
    attrgetter("layout"),
    attrgetter("dtype"),
    Tensor.size,
    Tensor.stride,
    Tensor.is_neg,
    Tensor.is_conj,
)
_grad = attrgetter("grad")


def local(x: Tensor) -> Tensor:
    """Return a tensor, or the local shard of a DTensor. Not for use under autograd."""
    return x.to_local() if is_sharded(x) else x  # type: ignore[attr-defined]


class TableInputs:
    """The parameters that kernels step, in order."""

    def __init__(self) -> None:
        self.params: list[Tensor] = []
        self._owners: dict[tuple[str, ...], list[dict[str, Any]]] = {}

    def add(self, p: Tensor, own: dict[str, Any], names: Sequence[str]) -> None:
        """Add a parameter with its state; `names` are those of the slots in use."""
        self.params.append(p)
        self._owners.setdefault((*names,), []).append(own)

    def start(self, state: Mapping[Tensor, Any], gradients: Sequence[Tensor], counts: Counts) -> None:
        """Remember the inputs after their step, with grad mode off.

        Args:
            state: the optimizer's.
            gradients: of the parameters; later ones need not be the same tensors, nor lie in the same place.
            counts: the step counts that the host keeps.
        """
        self._slots = self._slots_now()
        self._same = Same(self._kept_now(state))
        self._shards = [*map(_shards, self.params)]
        self.sharded = any(map(is_sharded, self.params))
        self._here = self._local()
        self._where = addresses(self._here)
        self._alike = _guards([*self._here, *map(local, gradients)])
        self._places = Places(counts.tensors if self.sharded else [*self._here, *counts.tensors], counts)

    def look(self, state: Mapping[Tensor, Any]) -> tuple[Tensor, ...] | None:
        """Return the local gradients; None if anything but their places has changed."""
        if not self._same_state(state):
            return None
        here, gradients = self._here, tuple(map(_grad, self.params))
        if self.sharded:  # the shard of a tensor is another object each time
            if [*map(_shards, gradients)] != self._shards:
                return None
            here, gradients = self._local(), tuple(map(local, gradients))
        if not self._alike(*here, *gradients) or not self._places.hold():
            return None
        return None if self.sharded and addresses(here) != self._where else gradients

    def _same_state(self, state: Mapping[Tensor, Any]) -> bool:
        """Return whether the same parameters have the same tensors as state."""
        try:
            return self._same.hold(self._kept_now(state))
        except KeyError:
            return False

    def _kept_now(self, state: Mapping[Tensor, Any]) -> tuple[Any, ...]:
        """Return every object that the tables stand on."""
        steps = map(itemgetter("step"), chain.from_iterable(self._owners.values()))
        return (*state, *state.values(), *self._slots_now(), *steps)

    def _slots_now(self) -> list[Any]:
        found = [map(itemgetter(name), owners) for names, owners in self._owners.items() for name in names]
        return [*chain.from_iterable(found)]

    def _local(self) -> list[Tensor]:
        """Return parameters and slots, as they are here."""
        return [*map(local, (*self.params, *self._slots))]


def _shards(x: Any) -> Any:
    """Return how a tensor is divided among which processes; None if it is whole."""
    return (x.placements, x.device_mesh) if is_sharded(x) else None


def _guards(tensors: Sequence[Tensor]) -> Callable[..., bool]:
    """Return a check that other tensors equal these in all but numbers and places."""
    if not hasattr(guards, "TensorGuards"):  # another torch: then properties are looked at one by one
        known = [*map(_properties, tensors)]
        return lambda *now: all(isinstance(x, Tensor) for x in now) and [*map(_properties, now)] == known
    check: Callable[..., bool] = guards.TensorGuards(*tensors, dynamic_dims_sizes=None, dynamic_dims_strides=None).check
    return check


def _properties(x: Tensor) -> tuple[Any, ...]:
    return tuple(look(x) for look in _LOOKS)
