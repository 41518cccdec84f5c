"""The slots of an optimizer, and how they are restored from a checkpoint.

Slots of the rule lie in torch's `state`, under torch's names and in the kind of numbers asked for. A slot is made when
it is first needed, starts where the rule says, and lies in memory as its parameter does. State in 8 bits is kept where
kernels and the eager engine can use it; where autograd follows the state it is not. A slot that is one number for a
tensor is float64, always, and lies where the step count does. One for the whole optimizer is in `shared_numbers.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, ClassVar

import torch
from torch import Tensor

from surefoot.engines.blocks import Blocks
from surefoot.engines.eager import SlotValue
from surefoot.engines.matrices import is_matrix
from surefoot.frontends.lookup import find, reference
from surefoot.rule import Rule
from surefoot.torch import matrices
from surefoot.torch.checkpoint_owner import check_owner, lasting, missing
from surefoot.torch.group_settings import FACTS, Group, Settings
from surefoot.torch.options import RunOptions
from surefoot.torch.state import (
    counts,
    filled,
    keep,
    kept,
    loaded,
    number,
    restored,
    slot_dtype,
    steps_so_far,
    tensor_number,
)

_LAST = -1
"""The key of a hook that comes last; torch counts its own from 0."""


class SlotKeeper(torch.optim.Optimizer):
    """An optimizer's slots and checkpoints; `RuleOptimizer` steps with them."""

    rule: Rule
    options = RunOptions()

    fixed: ClassVar[Mapping[str, Any]] = {}
    """Group options that a checkpoint must not change (AdamW's decoupled decay)."""

    _given: Mapping[str, Any] = MappingProxyType({})
    """The checkpoint that is being loaded, as hooks have left it."""

    def _settings(self, group: Group) -> Settings:
        """Return what a group says in the rule's words; `RuleOptimizer` knows."""
        raise NotImplementedError

    def _settings_of(self, p: Tensor, settings: Settings) -> Settings:
        """Return the settings of a parameter. A parameter that is no matrix gets those of the rule for such."""
        return settings if settings.rule.shape == "any" or is_matrix(p) else matrices.of_vectors(settings)

    def _state_name(self, slot: str) -> str:
        return slot

    def _shared_names(self) -> dict[str, str]:
        """Return the names in the groups of the rule's numbers for the whole optimizer."""
        return {slot: self._state_name(slot) for slot in self.rule.shared}

    def _ensure_state(self, p: Tensor, settings: Settings) -> Group:
        """Return the parameter's state, with the step count and every slot in use.

        Raises:
            KeyError: a slot that every step keeps is gone; torch's error too.
        """
        own: Group = self.state[p]
        own["step"] = counts(steps_so_far(own), p, capturable=settings.capturable)
        lasts = lasting(settings.rule, settings.starts)
        gone = [slot for slot in lasts if own.get(self._state_name(slot.name)) is None]
        if gone and own["step"]:
            raise KeyError(missing(self._state_name(gone[0].name), own["step"]))
        return self._with_slots(own, p, settings)

    def _slots(self, p: Tensor, own: Group, settings: Settings) -> dict[str, SlotValue]:
        """Return each slot in use. Missing ones are new."""
        own = self._with_slots({**own}, p, settings)
        positive = settings.rule.positive
        return {slot: kept(own, self._state_name(slot), positive=slot in positive) for slot in settings.starts}

    def _with_slots(self, own: Group, p: Tensor, settings: Settings) -> Group:
        """Return a parameter's state, with its missing slots added."""
        for slot in settings.starts:
            name = self._state_name(slot)
            if own.get(name) is None:
                keep(own, name, self._new_slot(p, slot, settings))
            matrices.check_kept(settings, slot, name, p, own[name])
        for slot in settings.rule.single & settings.starts.keys():
            name = self._state_name(slot)
            own[name] = self._number(own[name], p, settings)
        return own

    def _new_slot(self, p: Tensor, slot: str, settings: Settings) -> SlotValue:
        start, dtype = settings.starts[slot], self._slot_dtype(p, slot, settings)
        if slot in settings.rule.single:
            return self._number(float(start), p, settings)
        shape = matrices.kept_shape(settings, slot, p)
        if shape is not None:
            return torch.full(shape, float(start), dtype=dtype, device=p.device)
        if dtype == torch.uint8:
            return Blocks.full(p, start, positive=slot in settings.rule.positive)
        return filled(p if settings.differentiable else p.detach(), start, dtype)

    def _number(self, value: Any, p: Tensor, settings: Settings) -> Tensor:
        count = matrices.count(settings, p)
        return tensor_number(value, p, capturable=settings.capturable, count=count)

    def _slot_dtype(self, p: Tensor, slot: str, settings: Settings) -> torch.dtype:
        if matrices.kept_shape(settings, slot, p) is not None:  # sums over many weights, or bases
            return torch.promote_types(p.dtype, torch.float32)
        whole = matrices.count(settings, p) == 1 and not settings.transposed
        encode = whole and not (settings.differentiable or settings.capturable)
        return slot_dtype(p, slot, settings.starts[slot], self.options.state_dtype, encode=encode)

    def _decode(self, p: Tensor, own: Group, settings: Settings) -> None:
        """Replace state in 8 bits by its numbers, for good."""
        for slot, x in self._slots(p, own, settings).items():
            if isinstance(x, Blocks):
                wanted = slot_dtype(p, slot, settings.starts[slot], torch.uint8, encode=False)
                keep(own, self._state_name(slot), x.read().to(wanted))

    def _restore_kinds(self, own: Group, p: Tensor, settings: Settings, given: Mapping[str, Any]) -> None:
        """Take slots of other dtypes from the checkpoint again: torch casts all to the parameter's."""
        for slot in settings.starts:
            name, wanted = self._state_name(slot), self._slot_dtype(p, slot, settings)
            if name in given and slot in settings.rule.single:
                own[name] = self._number(given[name], p, settings).clone()
            if not isinstance(given.get(name), Tensor) or slot in settings.rule.single:
                continue
            if torch.uint8 in (wanted, given[name].dtype):
                keep(own, name, restored(given, name, p, wanted, positive=slot in settings.rule.positive))
            elif wanted != own[name].dtype:
                own[name] = given[name].to(device=p.device, dtype=wanted, copy=True)

    def __getstate__(self) -> dict[str, Any]:
        """Pickle the rule with the optimizer: by its name, as functions are."""
        return {**super().__getstate__(), "rule": reference(self.rule) or self.rule, "options": self.options}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Restore a pickled state, or load a checkpoint of this optimizer or torch's of the same name.

        What torch's checkpoint lacks stays as this optimizer was made; where it has a scheduler's `initial_lr`,
        that is the learning rate at construction.
        """
        whole = {**state, "rule": find(state["rule"])} if "rule" in state else self._from_checkpoint(state)
        for group in whole["param_groups"]:
            for p in group["params"]:
                if p in whole["state"]:
                    whole["state"][p] = loaded(whole["state"][p], p, capturable=group.get("capturable", False))
        super().__setstate__(whole)

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Load a checkpoint: this optimizer's, or torch's of the same name. See `torch.optim.Optimizer`.

        Whatever interrupts it, the optimizer is as before or has all of the checkpoint.

        Raises:
            UsageError: the state is another optimizer's.
        """
        found: dict[str, Any] = {}
        hooks = self._optimizer_load_state_dict_pre_hooks
        hooks.pop(_LAST, None)  # of a load that was interrupted
        hooks[_LAST] = lambda _, given: found.update(given)  # as other hooks leave it
        self._given = found
        try:
            super().load_state_dict(state_dict)
        finally:
            hooks.pop(_LAST, None)
            del self._given

    def _from_checkpoint(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a checkpoint after torch's work on it, completed. The optimizer is still unchanged."""
        given_groups = self._given.get("param_groups", state["param_groups"])
        for group, before, given in zip(state["param_groups"], self.param_groups, given_groups, strict=True):
            self._complete(group, before)
            settings = self._settings(group)
            for p, index in zip(group["params"], given["params"], strict=True):
                if p in state["state"]:
                    mine = self._settings_of(p, settings)
                    check_owner(self, mine.rule, state["state"][p], mine.hyper)
                    kinds = self._given.get("state", {}).get(index, {})
                    self._restore_kinds(state["state"][p], p, mine, kinds)
        return state

    def _complete(self, group: Group, made: Group) -> None:
        if "initial_lr" in group:
            group.setdefault("base_lr", number(group["initial_lr"]))
        for name in (*self.defaults, "base_lr", *FACTS, *self._shared_names().values()):
            if name in made:
                group.setdefault(name, made[name])
        group.update(self.fixed)
