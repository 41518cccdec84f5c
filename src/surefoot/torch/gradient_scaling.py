"""The factor of all gradients in a step: unscaling for mixed precision and clipping by norm.

The gradients themselves are only read; the factor is part of the rule's own pass over memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from surefoot.engines.layout import addresses
from surefoot.engines.norm import Norm, fits
from surefoot.errors import UsageError

HALF = (torch.float16, torch.bfloat16)

NORM_EPS = 1e-6
"""torch.nn.utils.clip_grad_norm_ adds this to the norm."""


class Scaling(NamedTuple):
    """The scaling of a step's gradients: numbers, or unread tensors on the device that counts steps.

    Attributes:
        factor: what the gradients are multiplied by; None for nothing.
        skip: not zero if the step is to be left out; None if unused. Only where the device counts.
    """

    factor: Any = None
    skip: Tensor | None = None

    @property
    def advance(self) -> Any:
        """The increment of a step count on the device."""
        return 1 if self.skip is None else (self.skip == 0).to(torch.float32)


def scaling(optimizer: Any, device: torch.device | None) -> Scaling | None:
    """Return what torch's GradScaler asks of the coming step; None if it is left out.

    Args:
        optimizer: may have `grad_scale` and `found_inf`, which the scaler sets.
        device: which counts the steps; None if the host does.
    """
    scale, found = getattr(optimizer, "grad_scale", None), getattr(optimizer, "found_inf", None)
    if device is not None:
        return Scaling(None if scale is None else 1 / scale.to(torch.float64), found)
    if found is not None and bool(found):
        return None
    return Scaling(None if scale is None else 1 / float(scale))


def clip(given: Scaling, max_norm: float, norm: Any) -> Scaling:
    """Return a scaling that also clips gradients of this norm to `max_norm`."""
    unscale = 1.0 if given.factor is None else given.factor
    shrink = max_norm / (unscale * norm + NORM_EPS)
    if isinstance(shrink, Tensor):
        return given._replace(factor=unscale * torch.clamp(shrink, max=1))
    return given._replace(factor=unscale if shrink > 1 else unscale * shrink)  # a norm that is NaN stays one


@torch.no_grad()
def joint_norm(params: Iterable[Tensor], device: torch.device | None) -> Any:
    """Return the joint norm of all gradients: a number, or a tensor on the device that counts steps."""
    found = [p.grad for p in params if p.grad is not None]
    if device is not None:
        return torch.linalg.vector_norm(torch.stack([x.to(torch.float64) for x in _norms(found)]))
    here = [g for g in found if fits(g)]
    others = [g for g in found if not fits(g)]
    norms = [Norm(here).at(np.array(addresses(here), np.int64))] if here else []
    return math.hypot(*norms, *map(float, _norms(others)))


def shared_like(p: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient with the sharding of its parameter, for steps on the local shards.

    Autograd may leave another division, or the sum over the processes, to its reader: then they communicate.
    """
    asked, given = getattr(p, "placements", None), getattr(gradient, "placements", None)
    if asked == given:
        return gradient
    if asked is None or given is None:
        raise UsageError(
            f"a parameter is a {type(p).__name__} and its gradient a {type(gradient).__name__}: give both alike, "
            "with torch.distributed.tensor.distribute_tensor."
        )
    shared: Tensor = gradient.redistribute(placements=asked)  # type: ignore[attr-defined]
    return shared


def _norms(gradients: Iterable[Tensor]) -> list[Tensor]:
    """Return the joint norms of the existing gradients, one for each kind of sharding.

    Of gradients in half precision it is taken in float32: in float16 it would overflow before they do.
    """
    by_mesh: dict[Any, list[Tensor]] = {}
    for g in gradients:
        wide = torch.linalg.vector_norm(g, dtype=torch.float32) if g.dtype in HALF else g
        by_mesh.setdefault(getattr(g, "device_mesh", None), []).append(wide)
    found = [torch.nn.utils.get_total_norm(some) for some in by_mesh.values()]
    return [norm.full_tensor() if hasattr(norm, "full_tensor") else norm for norm in found]
