"""torch's side: read and written through checkpoints, which ours and torch.optim's classes exchange.

So torch.optim's are read by a twin of ours. Its SGD has no count of steps; who needs one says it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import surefoot.torch
from surefoot.bridge.handover import Handover, Meaning, Slots, apart, both, fit
from surefoot.errors import UsageError
from surefoot.torch.base import RuleOptimizer
from surefoot.torch.composite import SplitOptimizer
from surefoot.torch.group_settings import Settings
from surefoot.torch.state import decoded, is_sharded, number, steps_so_far

TWINS = ("SGD", "Adagrad", "Adadelta", "RMSprop", "AdamW", "Adam")
"""Classes of torch.optim with a twin here. AdamW is an Adam there, so it comes first."""


def from_torch(optimizer: torch.optim.Optimizer, *, steps: int | None = None) -> Handover:
    """Return how far a torch optimizer has come: one of ours, or of torch.optim's of the same names.

    Args:
        optimizer: parameters are taken in the order of its param groups; those in half precision give float32.
        steps: how many steps it has made, for torch.optim.SGD, which does not count.

    Raises:
        UsageError: an optimizer of another kind, or parameters that are complex or sharded.
    """
    twin, slots, counts, meanings = _twin(optimizer), [], [], []
    for group in twin.param_groups:
        settings = twin._settings(group)
        for p in group["params"]:
            own = twin.state.get(p, {})
            slots.append(_slots(twin, p, own, twin._settings_of(p, settings)))
            counts.append(int(steps_so_far(own)) if _counts(optimizer) else steps)
            base = settings.hyper["base_lr"]
            lr, base_lr = number(settings.hyper["lr"]), None if base is None else number(base)
            meanings.append(Meaning.of(twin.rule, settings.hyper, lr, base_lr))
    numbers = frozenset().union(*slots) & apart(twin.rule)
    shared = {slot: float(twin.param_groups[0][twin._state_name(slot)]) for slot in twin.rule.shared}
    return Handover(twin.rule.family, tuple(slots), tuple(counts), tuple(meanings), numbers, shared)


def to_torch(progress: Handover, optimizer: torch.optim.Optimizer) -> None:
    """Let a torch optimizer go on from a progress: one of ours, or of torch.optim's of the same names.

    Its hyperparameters stay as they are: make it with those of the source.

    Args:
        progress: parameters in the order of the optimizer's param groups; see `Handover.rearranged`.
        optimizer: what it has gathered so far is replaced.

    Raises:
        UsageError: the optimizer runs another rule, has other parameters, or keeps what cannot be converted.
    """
    fitted, twin, content = fit(progress, from_torch(optimizer)), _twin(optimizer), optimizer.state_dict()
    steps = fitted.counts() if _counts(optimizer) else fitted.steps
    for i, (slots, count) in enumerate(zip(fitted.slots, steps, strict=True)):
        own = {twin._state_name(slot): torch.from_numpy(x.copy()) for slot, x in slots.items()}
        if _counts(optimizer):
            own["step"] = torch.tensor(float(count or 0))
        content["state"][i] = own if count != 0 or _counts(optimizer) else {}
    for group in content["param_groups"]:
        base = fitted.meanings[group["params"][0]].base_lr if group["params"] else None
        if base is not None:
            group["base_lr"] = base
        group.update({twin._state_name(slot): value for slot, value in fitted.shared.items()})
    before = optimizer.param_groups
    optimizer.load_state_dict(content)
    for mine, loaded in zip(before, optimizer.param_groups, strict=True):  # an optimizer of two rules has them too
        mine.clear()
        mine.update(loaded)
    optimizer.param_groups = before


def _counts(optimizer: torch.optim.Optimizer) -> bool:
    return not isinstance(optimizer, torch.optim.SGD)


def _twin(optimizer: torch.optim.Optimizer) -> RuleOptimizer:
    """Return the optimizer if it is ours, else one of ours in the same state."""
    if isinstance(optimizer, RuleOptimizer):
        return optimizer
    if isinstance(optimizer, SplitOptimizer):
        raise UsageError(both("optimizer.children", optimizer.children))
    for name in TWINS:
        if isinstance(optimizer, getattr(torch.optim, name)):
            groups = [{"params": group["params"]} for group in optimizer.param_groups]
            twin: RuleOptimizer = getattr(surefoot.torch, name)(groups)
            twin.load_state_dict(optimizer.state_dict())
            return twin
    raise UsageError(f"{type(optimizer).__name__} is not known; give one of surefoot.torch's, or {', '.join(TWINS)}.")


def _slots(twin: RuleOptimizer, p: Tensor, own: dict[str, Any], settings: Settings) -> Slots:
    if p.is_complex() or is_sharded(p):
        raise UsageError("a parameter is complex or sharded; the state of whole, real ones can be moved.")
    return {slot: _array(decoded(x)) for slot, x in twin._slots(p, own, settings).items()}


def _array(x: Tensor) -> np.ndarray:
    wide = torch.promote_types(x.dtype, torch.float32)
    return np.array(x.detach().to("cpu", wide).numpy())
