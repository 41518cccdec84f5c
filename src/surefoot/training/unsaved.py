"""What a torch optimizer changes outside its `state_dict`, which a checkpoint would lose.

A class of the user's may count its steps in an attribute, or keep a second set of weights in one. torch's own
`load_state_dict` restores state and param groups alone, so a trial that went on from a checkpoint would end with other
numbers. Such a trial gives no checkpoint once an attribute has changed: after an interruption it begins anew.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from hashlib import sha256
from typing import Any, NamedTuple

import cloudpickle
import torch
from torch import Tensor, nn

from surefoot.arms.code_hash import digest
from surefoot.arms.several_optimizers import apart


class Unsaved:
    """The attributes of optimizers that nothing saves, watched from here on.

    Args:
        optimizer: one that was just made and turned to training, or several as one.
    """

    def __init__(self, optimizer: Any) -> None:
        self._watched = [(one, _contents(one)) for one in apart(optimizer) if _keeps_to_torch(one)]
        self._found = False

    def changed(self) -> bool:
        """Return whether one of them has changed; once it has, it has for good."""
        self._found = self._found or any(before != _contents(one) for one, before in self._watched)
        return self._found


def _keeps_to_torch(optimizer: Any) -> bool:
    """Return whether it is loaded by torch's own method alone, and has attributes besides torch's."""
    return (
        isinstance(optimizer, torch.optim.Optimizer)
        and type(optimizer).load_state_dict is torch.optim.Optimizer.load_state_dict
        and not type(optimizer).__module__.startswith("torch.optim")
        and not optimizer._optimizer_load_state_dict_pre_hooks
        and not optimizer._optimizer_load_state_dict_post_hooks
    )


@cache
def _torchs_own() -> frozenset[str]:
    """Return the attributes that torch restores, and those of its bookkeeping, which decides no number."""
    own = {*vars(torch.optim.SGD([torch.zeros(1)])), "_need_device_dtype_check_for_fused", "_numel_cache"}
    by_schedulers = {"step", "_opt_called"}
    return frozenset((own | by_schedulers) - {"defaults"})


def _contents(optimizer: torch.optim.Optimizer) -> Mapping[str, bytes]:
    """Return a hash of the content of each attribute; without those that cannot be pickled."""
    found, saved = {}, _Saved.of(optimizer)
    for name, value in vars(optimizer).items():
        if name not in _torchs_own():
            with suppress(Exception):
                found[name] = _hash(value, saved)
    return found


def _hash(value: Any, saved: _Saved) -> bytes:
    buffer = io.BytesIO()
    _Pickler(buffer, saved).dump(value)
    return sha256(buffer.getvalue()).digest()


class _Saved(NamedTuple):
    """What stands for each thing that the `state_dict` of optimizer and model have: by its id, by its memory."""

    things: Mapping[int, str]
    memory: Mapping[int, str]

    @classmethod
    def of(cls, optimizer: torch.optim.Optimizer) -> _Saved:
        """Return it for an optimizer and the parameters that it steps."""
        parameters = dict(enumerate(p for group in optimizer.param_groups for p in group["params"]))
        things = {id(optimizer): "it", id(optimizer.state): "state", id(optimizer.param_groups): "groups"}
        things |= {id(group): f"group {at}" for at, group in enumerate(optimizer.param_groups)}
        things |= {id(p): f"parameter {at}" for at, p in parameters.items()}
        return cls(
            things, {p.untyped_storage().data_ptr(): f"memory {at}" for at, p in parameters.items() if p.numel()}
        )


class _Pickler(cloudpickle.Pickler):  # type: ignore[misc]  # it has no types
    """Writes the content of a value; for what a checkpoint keeps anyway, its place."""

    def __init__(self, file: io.BytesIO, saved: _Saved) -> None:
        super().__init__(file)
        self._things, self._memory = saved

    def persistent_id(self, thing: Any) -> Any:
        """Return what stands for a thing; None for its content."""
        if id(thing) in self._things:
            return self._things[id(thing)]
        if isinstance(thing, nn.Module):
            is_trained = any(id(p) in self._things for p in thing.parameters())
            return "the model" if is_trained else digest([*thing.state_dict().values()])
        return self._of_tensor(thing) if isinstance(thing, Tensor) else None

    def _of_tensor(self, thing: Tensor) -> str:
        """Return what stands for a tensor: its content, or the parameter whose memory it shares."""
        if thing.layout != torch.strided:
            return digest(thing.to_dense())
        if (memory := thing.untyped_storage().data_ptr()) in self._memory:
            return self._memory[memory]
        return digest(thing.float() if thing.is_floating_point() and thing.itemsize == 1 else thing)
