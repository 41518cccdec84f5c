"""What all gradients of a step are multiplied by: unscaling for mixed precision and clipping by norm, as one factor.

The gradients themselves are only read; the factor is part of the rule's own pass over memory.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from surefoot.errors import UsageError

HALF = (torch.float16, torch.bfloat16)

NORM_EPS = 1e-6
"""torch.nn.utils.clip_grad_norm_ adds this to the norm."""


class Scaling(NamedTuple):
    """What is asked of a step: numbers, or tensors on the device that counts the steps, where nobody may read them.

    Attributes:
        factor: what the gradients are multiplied by; None for nothing.
        skip: not zero if the step is to be left out; None if nobody asks. Only where the device counts.
    """

    factor: Any = None
    skip: Tensor | None = None

    @property
    def advance(self) -> Any:
        """What the step adds to a step count on the device."""
        return 1 if self.skip is None else (self.skip == 0).to(torch.float32)


def scaling(optimizer: Any, max_norm: float | None, device: torch.device | None) -> Scaling | None:
    """Return what is asked of the coming step; None if it is left out.

    Args:
        optimizer: may have `grad_scale` and `found_inf`, which torch's GradScaler sets.
        max_norm: largest joint norm of the unscaled gradients.
        device: which counts the steps; None if the host does.
    """
    if device is not None:
        return Scaling(_factor_there(optimizer, max_norm), getattr(optimizer, "found_inf", None))
    return None if found_inf(optimizer) else Scaling(factor(optimizer, max_norm))


def found_inf(optimizer: Any) -> bool:
    """Tell whether torch's GradScaler has found a gradient that is not finite, so that the step is left out."""
    found = getattr(optimizer, "found_inf", None)
    return found is not None and bool(found)


def factor(optimizer: Any, max_norm: float | None) -> float | None:
    """Return the factor, or None if gradients are taken as they are.

    Args:
        optimizer: may have `grad_scale`, which torch's GradScaler sets.
        max_norm: largest joint norm of the unscaled gradients.
    """
    scale = getattr(optimizer, "grad_scale", None)
    unscale = None if scale is None else 1 / float(scale)
    if max_norm is None:
        return unscale
    unscale = 1.0 if unscale is None else unscale
    norms = _norms(p.grad for group in optimizer.param_groups for p in group["params"])
    norm = unscale * math.hypot(*map(float, norms))
    shrink = max_norm / (norm + NORM_EPS)
    return unscale if shrink > 1 else unscale * shrink  # a norm that is NaN stays one


def _factor_there(optimizer: Any, max_norm: float | None) -> Tensor | None:
    """Return the same factor, computed on the device."""
    scale = getattr(optimizer, "grad_scale", None)
    unscale = None if scale is None else 1 / scale.to(torch.float64)
    if max_norm is None:
        return unscale
    norms = _norms(p.grad for group in optimizer.param_groups for p in group["params"])
    norm = torch.linalg.vector_norm(torch.stack([x.to(torch.float64) for x in norms]))
    norm = norm if unscale is None else unscale * norm
    shrink = torch.clamp(max_norm / (norm + NORM_EPS), max=1)
    return shrink if unscale is None else unscale * shrink


def shared_like(p: Tensor, gradient: Tensor) -> Tensor:
    """Return the gradient divided among processes as the parameter is, for steps on the local shards.

    Autograd may leave another division, or the sum over the processes, to whoever reads it: then they communicate.
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


@torch.no_grad()
def _norms(gradients: Iterable[Tensor | None]) -> list[Tensor]:
    """Return the joint norm of the gradients that there are, each read once; one for each way to share them out.

    Of gradients in half precision it is taken in float32: in float16 it would overflow before they do.
    """
    by_mesh: dict[Any, list[Tensor]] = {}
    for g in gradients:
        if g is not None:
            wide = torch.linalg.vector_norm(g, dtype=torch.float32) if g.dtype in HALF else g
            by_mesh.setdefault(getattr(g, "device_mesh", None), []).append(wide)
    found = [torch.nn.utils.get_total_norm(some) for some in by_mesh.values()]
    return [norm.full_tensor() if hasattr(norm, "full_tensor") else norm for norm in found]
