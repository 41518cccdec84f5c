"""The checkpoint of a training function: its progress, and the parts that it saves.

What has a state is restored in place; any other value is handed back. A checkpoint is a pickle, as values may be of
any kind: it is read by the process that trains, from the store that its user names. It has
`Progress` under its full name, so neither that class nor this module can be renamed.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import cloudpickle
import torch

from surefoot.errors import TrialError

OPTIMIZERS = "optimizer "
"""Begins the names of the optimizers among the parts of a checkpoint."""


@dataclass
class Progress:
    """The progress of a training: epochs, seconds, steps, step times, and the last step whose rates were recorded.

    `further` are gradients that closures took, besides the one of each step.
    """

    epoch: int = 0
    seconds: float = 0.0
    steps: int = 0
    step_seconds: list[float] = field(default_factory=list)
    recorded: int = 0
    further: int = 0


class KeptParts:
    """The saved parts of a training.

    Args:
        checkpoint: what `checkpoint` returned before, or None.
        device: where tensors are put.
    """

    def __init__(self, checkpoint: bytes | None, device: str) -> None:
        self.progress = Progress()
        self._parts: dict[str, Any] = {}
        self._states: dict[str, Any] = {}
        self.values: dict[str, Any] = {}
        if checkpoint is not None:
            found = torch.load(io.BytesIO(checkpoint), map_location=device, weights_only=False)
            self.progress, self._states, self.values = found["progress"], found["states"], found["values"]

    def add(self, parts: Mapping[str, Any], *, started: bool) -> None:
        """Keep these from now on; `started` says that the epochs have begun."""
        for name, part in parts.items():
            if started and _has_state(part) and self._parts.get(name) is not part:
                raise TrialError(
                    f"run.save is given {name}, a {type(part).__name__}, after the epochs have begun, when it is too "
                    f"late to restore it: call run.save({name}={name}) before run.epochs()."
                )
        self._parts |= parts

    def restore(self, optimizers: Mapping[str, Any], *, wholly: bool) -> None:
        """Restore the parts that have a state. With `wholly` every saved part must exist by now."""
        parts = {**self._parts, **_named(optimizers)}
        for name in [name for name in self._states if name in parts]:
            part, state = parts[name], self._states.pop(name)
            part.set_state(state.cpu()) if isinstance(part, torch.Generator) else part.load_state_dict(state)
        if wholly and self._states:
            raise TrialError(
                f"the training goes on, and has no {' and no '.join(self._states)} as before: call run.save, and make "
                "the optimizers, before the first epoch."
            )

    def checkpoint(self, optimizers: Mapping[str, Any]) -> bytes | None:
        """Return the checkpoint of this moment; None if the training has not saved anything."""
        if not self._parts:
            return None
        own = {name: part for name, part in self._parts.items() if not any(part is one for one in optimizers.values())}
        parts = {**own, **_named(optimizers)}
        states = {name: _state(part) for name, part in parts.items() if _has_state(part)}
        values = {name: part for name, part in parts.items() if not _has_state(part)}
        self._check(optimizers)
        try:
            return _pickled({"progress": self.progress, "states": states, "values": values})
        except Exception as error:
            raise TrialError(_unkept({**states, **values}, error)) from error

    def try_out(self, optimizers: Mapping[str, Any], device: str) -> None:
        """Keep everything and put it back; `TrialError` where that fails."""
        checkpoint = self.checkpoint(optimizers)
        if checkpoint is not None:
            try:
                self._states = KeptParts(checkpoint, device)._states
                self.restore(optimizers, wholly=True)
            except Exception as error:
                raise TrialError(f"what run.save keeps cannot be restored: {type(error).__name__}: {error}") from error

    def _check(self, optimizers: Mapping[str, Any]) -> None:
        """Raise `TrialError` where models are kept, but not all that is trained."""
        models = [part for part in self._parts.values() if isinstance(part, torch.nn.Module)]
        known = {id(p) for model in models for p in model.parameters()}
        for name, optimizer in optimizers.items():
            trained = [p for group in getattr(optimizer, "param_groups", []) for p in group["params"]]
            if models and any(id(p) not in known for p in trained):
                raise TrialError(
                    f"run.save leaves out weights that the optimizer {name!r} trains, so that a stopped training would "
                    "go on with others: give it every model."
                )


def _named(optimizers: Mapping[str, Any]) -> dict[str, Any]:
    return {OPTIMIZERS + name: optimizer for name, optimizer in optimizers.items() if _has_state(optimizer)}


def _has_state(part: Any) -> bool:
    return isinstance(part, torch.Generator) or (hasattr(part, "state_dict") and hasattr(part, "load_state_dict"))


def _state(part: Any) -> Any:
    return part.get_state() if isinstance(part, torch.Generator) else part.state_dict()


def _pickled(thing: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(thing, buffer, pickle_module=cloudpickle)
    return buffer.getvalue()


def _unkept(parts: Mapping[str, Any], error: Exception) -> str:
    """Say which part cannot be kept."""
    for name, part in parts.items():
        try:
            _pickled(part)
        except Exception as its:
            return (
                f"run.save cannot keep {name}, a {type(part).__name__}: {its}. Give what has state_dict(), tensors, "
                "arrays, numbers, or lists and dicts of these."
            )
    return f"run.save cannot keep what it is given: {error}."
